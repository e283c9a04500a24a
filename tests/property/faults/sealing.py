"""Faults of the tree of merchants: lines that no root binds, and changes that nobody notices."""

from typing import Final

from tests.property.faults.fault import Fault

_TREE: Final = "falcon_balances/domain/merchant_tree.py"
_BRANCH: Final = "falcon_balances/domain/merchant_branch.py"
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
        "a line that the root does not bind",
        _BRANCH,
        "if value != at.value or not is_named:",
        "if not is_named:",
        first=_GROWN,
    ),
    Fault(
        "places of children that no value binds",
        _BRANCH,
        "return node_hash(root_of(self._hidden()), self.hashed)",
        "return root_of(self._hidden())",
        first=_GROWN,
    ),
    Fault(
        "a place of a child that nobody checks",
        _BRANCH,
        "if not all(each in _DIGITS and _is_placed(at) for each, at in children.items()):",
        "if not all(each in _DIGITS for each, at in children.items()):",
        first=_GROWN,
    ),
    Fault(
        "values of children that every branch shows alike",
        _BRANCH,
        "return sha256((blind + digit).encode()).digest()",
        "return sha256(digit.encode()).digest()",
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
        "leaves that are never repeated",
        "falcon_balances/domain/carried_places.py",
        "end = first + width",
        "end = first + width * 0",
        first=("tests/component/test_sealer_cost.py",),
    ),
    Fault(
        "any leaf of a merchant that did not move",
        _TOTALS,
        "return self._tree.value_at(place_of(self._seed, merchant)) == leaf_hash(leaf.line)",
        "return True",
        first=_FOUND,
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
