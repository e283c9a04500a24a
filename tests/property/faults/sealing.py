"""Faults of the tree of merchants: lines that no root binds, and changes that nobody notices."""

from typing import Final

from tests.property.faults.fault import Fault

_TREE: Final = "falcon_balances/domain/merchant_tree.py"
_VERIFIED: Final = "falcon_balances/audit/verifier/merchants.py"
_TOTALS: Final = "falcon_balances/audit/verifier/totals.py"
_PROOFS: Final = "falcon_balances/audit/verifier/proofs.py"
_GROWN: Final = ("tests/unit/domain/test_merchant_tree.py",)
_FOUND: Final = (
    "tests/audit/test_verifier.py::test_what_is_done_to_a_manifest_is_found_wherever_it_is",
)
_FORGED: Final = ("tests/audit/test_proofs_forged.py",)

SEALING_FAULTS: Final = (
    Fault(
        "a branch that the root does not bind",
        _TREE,
        'if document["prefix"] != prefix or value_of(branch) != at.value:',
        'if document["prefix"] != prefix:',
        first=_GROWN,
    ),
    Fault(
        "a merchant's leaf that the root does not bind",
        _TREE,
        "if leaf_hash(line) != at.value or not place.startswith(prefix):",
        "if not place.startswith(prefix):",
        first=_GROWN,
    ),
    Fault(
        "a branch that stays where it was",
        _TREE,
        "            self._branches[prefix[:-1]][prefix[-1]] = at\n",
        "            self._branches[prefix[:-1]].setdefault(prefix[-1], at)\n",
        first=_GROWN,
    ),
    Fault(
        "a neighbour lost where a branch grows",
        _TREE,
        "self._branches[slot] = {digit: self._branches[slot[:-1]][slot[-1]]}",
        "self._branches[slot] = {}",
        first=_GROWN,
    ),
    Fault(
        "branches that nobody compares",
        _VERIFIED,
        "elif canonical(found.document) != _written(prefix, branch):",
        "elif not canonical(found.document):",
        first=_FOUND,
    ),
    Fault(
        "a root of all merchants that nobody compares",
        _TOTALS,
        "elif roots[0].document != right:",
        "elif not roots[0].document:",
        first=_FOUND,
    ),
    Fault(
        "a chain that nobody compares",
        _TOTALS,
        'document = document if is_rooted else {**document, "chain": None}',
        'document = {**document, "chain": None}',
        first=_FOUND,
    ),
    Fault(
        "a merchant's leaf of another tree in a proof",
        _PROOFS,
        'if of_all.get("leaf") != "merchants" or of_all.get("root") != root:',
        'if of_all.get("leaf") != "merchants":',
        first=_FORGED,
    ),
    Fault(
        "a tree of another manifest in a proof",
        _PROOFS,
        'if root != head["root"]:',
        'if not head["root"]:',
        first=_FORGED,
    ),
    Fault(
        "objects of a proof that nothing binds",
        _PROOFS,
        'if {**claim, "blind": None} != expected | {"blind": None}:',
        'if {**claim, "blind": None, "chain": None} != expected | {"blind": None, "chain": None}:',
        first=_FORGED,
    ),
)
