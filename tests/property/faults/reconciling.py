"""Faults of the reconciler: what it keeps from run to run, and what it finds again."""

from typing import Final

from tests.property.faults.fault import Fault

_FOLDING: Final = "lambdas/reconciler/folding.py"
_FIRST: Final = ("tests/property/test_reconciling_again.py", "tests/component/test_reconciler.py")

RECONCILING_FAULTS: Final = (
    Fault(
        "a settled case that is not found when a reference comes again",
        _FOLDING,
        "    again = _settled_before(said, said.settled, said.new_keys, files)\n",
        "    again = []\n",
        first=_FIRST,
    ),
    Fault(
        "the lines of a case counted again when it is settled again",
        _FOLDING,
        "    tally_settled(said.tallies, again, -1)\n",
        "",
        first=_FIRST,
    ),
    Fault(
        "a case that is settled, and open under its other references",
        _FOLDING,
        "        for key in case.keys:\n            del said.open[key]\n",
        "        for key in case.keys & keys:\n            del said.open[key]\n",
        first=_FIRST,
    ),
    Fault(
        "of a case that was settled twice, the older file believed",
        "lambdas/reconciler/settled.py",
        "    newest = reversed(settled)\n",
        "    newest = iter(settled)\n",
        first=_FIRST,
    ),
    Fault(
        "two references of one line compared apart",
        _FOLDING,
        "            said.links.link(each.keys)\n    keys",
        "            pass\n    keys",
        first=_FIRST,
    ),
    Fault(
        "an open case looked for among those that it was settled in before",
        _FOLDING,
        " - said.open.keys()\n    again",
        "\n    again",
        first=_FIRST,
    ),
    Fault(
        "positions kept before what was read up to there",
        "lambdas/reconciler/reconciling.py",
        "        self._settle_all()\n        self._said.number += 1\n",
        "        self._said.number += 1\n",
        first=_FIRST,
    ),
    Fault(
        "a second run that reports although another one was first",
        "lambdas/reconciler/reconciling.py",
        "        self._keep()\n        if self._outdone:\n            return\n",
        "        self._keep()\n",
        first=_FIRST,
    ),
    Fault(
        "the number of a forgotten statement given to another one",
        "falcon_balances/domain/comparisons.py",
        "        number, self.next_statement = self.next_statement, self.next_statement + 1\n",
        "        number = max(self.statements, default=0) + 1\n",
        first=("tests/property/test_reconciling_days.py",),
    ),
    Fault(
        "accounts that begin anew read before those that go on",
        "falcon_balances/domain/comparisons.py",
        "    first = max(accounts, key=lambda",
        "    first = min(accounts, key=lambda",
        first=("tests/component/test_reconciler.py",),
    ),
    Fault(
        "lines of forgotten statements kept as long as their reference comes again",
        "falcon_balances/domain/cases.py",
        "            if is_live[place] or line.line.day >= first:\n",
        "            if True:\n",
        first=("tests/property/test_reconciling_days.py",),
    ),
)
