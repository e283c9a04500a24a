"""Tests the layer before it is deployed: `python -m infra.try_layer`.

Installs the layer for this machine and imports every handler of the template in an interpreter that
sees only the function's zip and the layer. Then installs it for Lambda and checks that Lambda's
processor can load each library. Needs the network, or uv's cache.
"""

import json
import platform
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from infra.app import main as synthesize
from infra.parts.layer import LAMBDA, Target, install

HERE = Target(
    python=f"{sys.version_info.major}.{sys.version_info.minor}",
    platform=f"{platform.machine()}-manylinux_2_28",
)
UNPACKED_BYTES_MAX = 250 * 1024 * 1024
ELF_AARCH64 = 183
IMPORT_HANDLER = """
import importlib, sys, time
code, layer, handler = sys.argv[1:]
sys.path[:0] = [code, layer]
module, _, function = handler.rpartition(".")
start = time.perf_counter()
assert callable(getattr(importlib.import_module(module), function))
print(round((time.perf_counter() - start) * 1000))
"""


def handlers(assembly: Path) -> Iterator[tuple[str, Path]]:
    """Each handler of the template with its zip's folder, without repetitions."""
    template = json.loads(next(assembly.glob("*-pipeline.template.json")).read_text())
    assets = json.loads(next(assembly.glob("*-pipeline.assets.json")).read_text())["files"]
    seen = set()
    for resource in template["Resources"].values():
        if resource["Type"] == "AWS::Lambda::Function":
            key = resource["Properties"]["Code"]["S3Key"].removesuffix(".zip")
            folder = assembly / assets[key]["source"]["path"]
            seen.add((resource["Properties"]["Handler"], folder))
    yield from sorted(seen)


def problem_of_import(handler: str, code: Path, layer: Path) -> str | None:
    """The error of importing the handler, or None. The import runs without site-packages, and only
    with environment variables that Lambda always sets.
    """
    result = subprocess.run(  # noqa: S603 - our own code
        [sys.executable, "-I", "-S", "-B", "-c", IMPORT_HANDLER, str(code), str(layer), handler],
        env={"AWS_REGION": "eu-central-1", "AWS_DEFAULT_REGION": "eu-central-1"},
        capture_output=True,
        text=True,
        check=False,
    )
    if result.returncode:
        return result.stderr.strip().splitlines()[-1]
    say(f"ok       {handler} in {result.stdout.strip()} ms")
    return None


def problems_of_layer_for_lambda(layer: Path) -> Iterator[str]:
    size = sum(path.stat().st_size for path in layer.rglob("*") if path.is_file())
    if size > UNPACKED_BYTES_MAX:
        yield f"{size} bytes are more than Lambda takes"
    libraries = sorted(layer.rglob("*.so*"))
    for library in libraries:
        if int.from_bytes(library.read_bytes()[18:20], "little") != ELF_AARCH64:
            yield f"{library.relative_to(layer)} is not for {LAMBDA.platform}"
    say(f"checked  {len(libraries)} libraries for {LAMBDA.platform}, {size // 1024**2} MB in all")


def say(line: str) -> None:
    sys.stdout.write(f"{line}\n")


def main() -> int:
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        synthesize(str(root / "assembly"), {"env": "local"})
        install(HERE, root / "here")
        install(LAMBDA, root / "lambda")
        problems = [
            f"{handler}: {problem}"
            for handler, code in handlers(root / "assembly")
            if (problem := problem_of_import(handler, code, root / "here"))
        ]
        problems += problems_of_layer_for_lambda(root / "lambda")
    for problem in problems:
        say(f"problem  {problem}")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
