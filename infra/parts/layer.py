"""The functions' dependencies as a layer, built from the lock file without Docker."""

import hashlib
import subprocess
from dataclasses import dataclass
from pathlib import Path

import jsii
from aws_cdk import AssetHashType, BundlingOptions, DockerImage, ILocalBundling
from aws_cdk import aws_lambda as lambda_
from constructs import Construct
from uv import find_uv_bin

from infra.parts.code_asset import PROJECT_ROOT

LOCK_FILE = PROJECT_ROOT / "requirements" / "lambda.txt"


@dataclass(frozen=True)
class Target:
    """The machine that a layer is for; it cannot load wheels for another machine."""

    python: str
    platform: str


LAMBDA = Target(python="3.13", platform="aarch64-manylinux_2_28")


def install(target: Target, site_packages: Path) -> None:
    """Installs only wheels, each with its hash in the lock file."""
    subprocess.run(  # noqa: S603 - nothing of it comes from outside
        [
            find_uv_bin(),
            *(
                "pip",
                "install",
                "--quiet",
                "--system-certs",
                "--require-hashes",
                "--only-binary",
                ":all:",
            ),
            *("--python-version", target.python, "--python-platform", target.platform),
            *("--target", str(site_packages), "--requirements", str(LOCK_FILE)),
        ],
        check=True,
    )


def dependencies_layer(scope: Construct, construct_id: str, *, name: str) -> lambda_.LayerVersion:
    return lambda_.LayerVersion(
        scope,
        construct_id,
        layer_version_name=name,
        compatible_runtimes=[lambda_.Runtime.PYTHON_3_13],
        compatible_architectures=[lambda_.Architecture.ARM_64],
        code=lambda_.Code.from_asset(
            str(LOCK_FILE.parent),
            # The same lock file gives the same layer, so it is not installed or deployed again.
            asset_hash_type=AssetHashType.CUSTOM,
            asset_hash=_fingerprint(),
            bundling=BundlingOptions(
                image=DockerImage.from_registry("docker-is-not-used"), local=_UvBundling()
            ),
        ),
    )


def _fingerprint() -> str:
    return hashlib.sha256(f"{LAMBDA}\n{LOCK_FILE.read_text()}".encode()).hexdigest()


@jsii.implements(ILocalBundling)
class _UvBundling:
    def try_bundle(self, output_dir: str, *_options: object, **_more: object) -> bool:
        install(LAMBDA, Path(output_dir) / "python")
        return True
