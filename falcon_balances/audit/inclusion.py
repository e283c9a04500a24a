"""Finds the manifests that sealed an operation's objects, and checks the proofs."""

from collections.abc import Iterable
from typing import Any, NamedTuple

from falcon_balances.audit.proving import proved_part
from falcon_balances.audit.verifier.chain import read_head
from falcon_balances.audit.verifier.findings import NotWrittenSoError
from falcon_balances.audit.verifier.hashing import is_signed, load_public_key
from falcon_balances.audit.verifier.leaves import read_object_leaf
from falcon_balances.audit.verifier.proofs import root_by


class Inclusion(NamedTuple):
    """A sealed object. `problem` is None if the proof holds, as far as it was checked.

    `is_signed` is None without a public key to check the signature.
    """

    key: str
    version_id: str
    sha256: str
    manifest: str
    sequence: int
    root: str
    leaf_index: int
    is_signed: bool | None
    problem: str | None


def inclusions(
    manifests: Iterable[tuple[str, bytes]], falcon_operation_id: str, public_key: bytes | None
) -> tuple[list[Inclusion], list[tuple[str, str]]]:
    """The inclusions, and the problems of manifests by name. `manifests`: names and bytes.

    Raises NotWrittenSoError if the key cannot be read.
    """
    key = None if public_key is None else load_public_key(public_key)
    found: list[Inclusion] = []
    problems: list[tuple[str, str]] = []
    wanted = f"/{falcon_operation_id}".encode()
    for name, body in manifests:
        if wanted not in body:
            continue
        try:
            found += _in_manifest(name, body, wanted, key)
        except (NotWrittenSoError, ValueError, KeyError) as error:
            problems.append((name, f"unreadable: {error}"))
    return found, problems


def _in_manifest(name: str, body: bytes, wanted: bytes, key: Any) -> list[Inclusion]:  # noqa: ANN401 - what `load_public_key` gave
    head_line, signature, *leaves = body.removesuffix(b"\n").split(b"\n")
    head = read_head(head_line)
    places = [
        place
        for place, leaf in enumerate(leaves)
        if wanted in leaf and read_object_leaf(leaf)["key"].encode().find(wanted) >= 0
    ]
    texts = [leaf.decode("ascii") for leaf in leaves]
    part = proved_part(head_line.decode("ascii"), signature.decode("ascii"), texts, places)
    signed = None if key is None else is_signed(head_line, signature, key)
    found = []
    for place, proved in zip(places, part["leaves"], strict=True):
        sealed = read_object_leaf(leaves[place])
        problem = None
        if root_by(leaves[place], proved["path"]).hex() != head["root"]:
            problem = "its leaf is not in the tree whose root was signed"
        elif signed is False:
            problem = "the signature was made with another key, or the head was changed"
        elif "flaw" in sealed:
            problem = f"it was flawed when it was sealed: {sealed['flaw']}"
        found.append(
            Inclusion(
                sealed["key"],
                sealed["version_id"],
                sealed["sha256"],
                name,
                head["sequence"],
                head["root"],
                place,
                signed,
                problem,
            )
        )
    return found
