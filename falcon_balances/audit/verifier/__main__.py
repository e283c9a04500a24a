"""The command line of the verifier alone: `python falcon-verifier.pyz verify --help`."""

import argparse
import json
import os
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from .files import KEY_MAX_BYTES, read_plain
from .findings import NotWrittenSoError
from .proofs import check_proof
from .verification import verify


def main(arguments: Sequence[str] | None = None) -> int:
    """The exit code: 0 without problems, 3 with problems, 1 if there is nothing to check."""
    parser = argparse.ArgumentParser(description="Check a sealed log, or a proof.")
    commands = parser.add_subparsers(dest="command", required=True)
    whole = commands.add_parser("verify", help="check a log against its manifests")
    whole.add_argument("--manifests", type=Path, required=True)
    whole.add_argument("--versions", type=Path)
    one = commands.add_parser("check-proof", help="check the proof that a merchant was given")
    one.add_argument("--proof", type=Path, required=True)
    for command in (whole, one):
        command.add_argument("--log", type=Path)
        command.add_argument("--public-key", type=Path, required=True)
        command.add_argument("--anchor")
    said = parser.parse_args(arguments)
    try:
        key = read_plain(said.public_key, KEY_MAX_BYTES)
        if said.command == "check-proof":
            done = check_proof(said.proof, key, log=said.log, anchor=said.anchor)
        else:
            done = verify(
                said.log,
                said.manifests,
                key,
                versions=said.versions,
                anchor=said.anchor,
                jobs=os.cpu_count() or 1,
            )
    except (NotWrittenSoError, OSError) as error:
        sys.stderr.write(f"error: {error}\n")
        return 1
    sys.stdout.write(json.dumps(asdict(done), indent=2) + "\n")
    return 3 if done.problems else 0


if __name__ == "__main__":
    sys.exit(main())
