"""`lint-imports` names every forbidden import that is planted in a copy of the code."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LINT_IMPORTS = Path(sys.executable).with_name("lint-imports")
PACKAGES = ("falcon_balances", "lambdas", "infra")
CONTRACTS = "tests/import_contracts.py"
PLANTED = {
    "falcon_balances/domain/money.py": "boto3",
    "falcon_balances/domain/cuts.py": "pydantic",
    "falcon_balances/domain/sales.py": "falcon_balances.settings",
    "falcon_balances/domain/instants.py": "falcon_balances.adapters.clock",
    "falcon_balances/audit/verifier/keys.py": "pyarrow",
    "falcon_balances/audit/verifier/rows.py": "falcon_balances.domain.money",
    "falcon_balances/contracts/queries.py": "botocore",
    "falcon_balances/cli/output.py": "boto3",
    "falcon_balances/settings.py": "botocore",
    "lambdas/splitter/handler.py": "boto3",
    "lambdas/publisher/handler.py": "falcon_balances.cli.main",
    "lambdas/persister/handler.py": "inprocess",
    "falcon_balances/contracts/claims.py": "lambdas.publisher.handler",
    "infra/app.py": "falcon_balances.settings",
}


def linted(folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [LINT_IMPORTS, "--no-cache"],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(folder), "COLUMNS": "500"},  # noqa: TID251 - of a subprocess
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(scope="module")
def report(tmp_path_factory) -> str:
    """What `lint-imports` says of a copy of the code with all of these imports in it."""
    folder = tmp_path_factory.mktemp("planted")
    for package in PACKAGES:
        shutil.copytree(ROOT / package, folder / package, ignore=shutil.ignore_patterns("*.pyc"))
    (folder / CONTRACTS).parent.mkdir()
    for file in ("pyproject.toml", CONTRACTS):
        shutil.copy(ROOT / file, folder / file)
    clean = linted(folder)
    assert clean.returncode == 0, clean.stdout
    for path, imported in PLANTED.items():
        with (folder / path).open("a") as file:
            file.write(f"\nimport {imported}\n")
    done = linted(folder)
    assert done.returncode == 1
    return done.stdout


@pytest.mark.parametrize(("path", "imported"), PLANTED.items())
def test_a_planted_import_is_named(report, path, imported):
    importer = path.removesuffix(".py").replace("/", ".")
    assert f"{importer} -> {imported}" in report


def test_every_contract_is_broken_by_some_of_them(report):
    assert "Contracts: 0 kept" in report
