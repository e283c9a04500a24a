"""`falcon audit seal | fetch | verify | prove | check-proof | verifier`."""

import json
import os
import zipapp
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated

import typer

from falcon_balances.cli import output
from falcon_balances.cli.errors import EXIT_MISMATCH, AwsError, InvalidInputError
from falcon_balances.cli.output import JsonFlag
from falcon_balances.cli.target import LOCAL, EnvOption, find_target
from falcon_balances.domain.errors import IntegrityError

if TYPE_CHECKING:
    from falcon_balances.audit.verifier.findings import Verified

LogFolderOption = Annotated[Path | None, typer.Option("--log", help="The folder of the log.")]
ManifestsOption = Annotated[
    Path, typer.Option("--manifests", help="The folder of the manifests.", exists=True)
]
PublicKeyOption = Annotated[
    Path,
    typer.Option(
        "--public-key",
        help="The file of the sealer's public key, PEM or DER.",
        exists=True,
        dir_okay=False,
    ),
]
AnchorOption = Annotated[
    str | None, typer.Option("--anchor", help="A head's hash that you know from another source.")
]
_SHOWN_MAX = 50


def seal(*, env: EnvOption = LOCAL, as_json: JsonFlag = False) -> None:
    """Seal new objects of the log now, not at night. Exit code 3 if it was tampered with."""
    from falcon_balances.cli.audit.cutting import cut_now  # noqa: PLC0415 - AWS

    target = find_target(env)
    if not cut_now(target):
        output.note("not everything is counted yet: only what the last cut covers is sealed")
    answer = target.client("lambda").invoke(FunctionName=f"{target.prefix}-sealer", Payload=b"{}")
    said = json.loads(answer["Payload"].read())
    if "FunctionError" in answer:
        raise AwsError(f"the sealer failed: {str(said.get('errorMessage'))[:200]}")
    output.single(
        {name: value if as_json else _listed(value) for name, value in said.items()},
        as_json=as_json,
    )
    if said["odd"] or said["flawed"] or said["unaccounted"]:
        output.fail("the log has faulty objects: `odd`, `flawed` and `unaccounted` name their keys")
        raise typer.Exit(EXIT_MISMATCH)


def _listed(value: object) -> object:
    return ", ".join(map(str, value)) or None if isinstance(value, list) else value


def fetch(
    folder: Annotated[
        Path, typer.Argument(help="The folder to write log, manifests, versions and key to.")
    ],
    *,
    journal: Annotated[
        bool, typer.Option("--journal", help="Copy the journal too, which `close-days` needs.")
    ] = False,
    closed: Annotated[
        bool, typer.Option("--closed", help="Copy closed days, and neither log nor manifests.")
    ] = False,
    env: EnvOption = LOCAL,
) -> None:
    """Copy everything that an auditor needs into a folder; existing files are not copied again."""
    from falcon_balances.cli.audit import fetching  # noqa: PLC0415 - AWS

    target = find_target(env)
    with output.progress("objects", None) as advance:
        fetched = fetching.fetch_journal(target, folder, advance) if journal else 0
        fetch = fetching.fetch_closed_days if closed else fetching.fetch_all
        fetched += fetch(target, folder, advance)
    output.pairs(
        {
            "fetched": fetched,
            **{name: folder / name for name in sorted(each.name for each in folder.iterdir())},
        }
    )


def verify(
    *,
    log: LogFolderOption = None,
    manifests: ManifestsOption,
    public_key: PublicKeyOption,
    versions: Annotated[
        Path | None,
        typer.Option(
            "--versions",
            help="Output of aws s3api list-object-versions, or an S3 Inventory's manifest.json.",
        ),
    ] = None,
    anchor: AnchorOption = None,
    as_json: JsonFlag = False,
) -> None:
    """Check a log in a folder against its manifests, offline: every byte, signature and total."""
    from falcon_balances.audit.verifier import verification  # noqa: PLC0415
    from falcon_balances.audit.verifier.findings import NotWrittenSoError  # noqa: PLC0415

    with output.progress("objects", None) as advance:
        try:
            done = verification.verify(
                log,
                manifests,
                _read_key(public_key),
                versions=versions,
                anchor=anchor,
                jobs=os.cpu_count() or 1,
                advance=advance,
            )
        except (NotWrittenSoError, OSError) as error:
            raise InvalidInputError(str(error)) from error
    _show(done, as_json=as_json)


def prove(
    merchant: Annotated[str, typer.Option("--merchant", help="The merchant's id.")],
    manifests: ManifestsOption,
    to: Annotated[Path, typer.Option("--output", help="The JSON file to write the proof to.")],
) -> None:
    """Write a proof that a merchant can check without seeing the money of others."""
    from falcon_balances.audit.proving import prove as prove_merchant  # noqa: PLC0415
    from falcon_balances.audit.verifier.chain import MANIFEST, folder_of_manifests  # noqa: PLC0415

    try:
        found = folder_of_manifests(manifests).iterdir()
        files = sorted(each for each in found if MANIFEST.match(each.name))
        proof = prove_merchant(merchant, files)
        to.write_text(json.dumps(proof, indent=1) + "\n", encoding="ascii")
    except (IntegrityError, OSError) as error:
        raise InvalidInputError(str(error)) from error
    sealed_in = output.count(len(files), "manifest")
    output.note(f"{output.count(len(proof['objects']), 'object')}, sealed in {sealed_in}")


def check_proof(
    proof: Annotated[Path, typer.Argument(exists=True, dir_okay=False)],
    *,
    public_key: PublicKeyOption,
    log: LogFolderOption = None,
    anchor: AnchorOption = None,
    as_json: JsonFlag = False,
) -> None:
    """Check a merchant's proof: all its objects are sealed, and add up to its totals."""
    from falcon_balances.audit.verifier import proofs  # noqa: PLC0415
    from falcon_balances.audit.verifier.findings import NotWrittenSoError  # noqa: PLC0415

    try:
        done = proofs.check_proof(proof, _read_key(public_key), log=log, anchor=anchor)
    except NotWrittenSoError as error:
        raise InvalidInputError(str(error)) from error
    _show(done, as_json=as_json)


def verifier(
    to: Annotated[
        Path, typer.Option("--output", help="The file to write, such as falcon-verifier.pyz.")
    ],
) -> None:
    """Write the verifier as one file for a machine without Falcon Balances."""
    from falcon_balances.audit import verifier as package  # noqa: PLC0415

    source = Path(package.__file__).parent
    with TemporaryDirectory() as folder:
        inner = Path(folder, "verifier")
        inner.mkdir()
        for file in sorted(source.glob("*.py")):
            (inner / file.name).write_bytes(file.read_bytes())
        main = "import sys\nfrom verifier.__main__ import main\nsys.exit(main())\n"
        Path(folder, "__main__.py").write_text(main, encoding="ascii")
        zipapp.create_archive(folder, to, interpreter="/usr/bin/env python3")
    output.note(f"python3 {to} --help")


def _read_key(path: Path) -> bytes:
    from falcon_balances.audit.verifier.files import KEY_MAX_BYTES, read_plain  # noqa: PLC0415

    try:
        return read_plain(path, KEY_MAX_BYTES)
    except OSError as error:
        raise InvalidInputError(f"--public-key: {path}: {error.strerror}") from error


def _show(done: "Verified", *, as_json: bool) -> None:
    from dataclasses import asdict  # noqa: PLC0415

    if as_json:
        said = asdict(done)
        said["problems"] = [each._asdict() for each in done.problems]
        output.document(said)
    else:
        names = ("manifests", "objects", "lines", "sealed_until", "head")
        output.pairs(
            {name: getattr(done, name) for name in names} | {"balances": len(done.balances)}
        )
        for each in done.problems[:_SHOWN_MAX]:
            output.warn(f"{each.place}: {each.what}")
        if len(done.problems) > _SHOWN_MAX:
            output.warn(f"and {done.problems.total - _SHOWN_MAX} more: --json shows up to 10,000")
    if done.problems:
        output.fail(output.count(done.problems.total, "problem"))
        raise typer.Exit(EXIT_MISMATCH)
    output.note("no problem found")
