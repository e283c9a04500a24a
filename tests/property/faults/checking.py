"""Faults in the second opinion of the log on merchants of high risk."""

from tests.property.faults.fault import Fault

_OPINION = "falcon_balances/domain/second_opinion.py"
_MARKS = "falcon_balances/adapters/checked_marks.py"
_TESTS = ("tests/component/test_log_check.py",)

CHECKING_FAULTS = (
    Fault(
        "an opinion on the word of the marks",
        _OPINION,
        "    logged = _added(balance, _logged(before), _logged(since))\n",
        "    logged = marked\n",
        first=_TESTS,
    ),
    Fault(
        "an opinion on a closing that the balance contradicts",
        _OPINION,
        "    if not closing.adds_up or _facts(closing + marked) != _facts(now):\n",
        "    if not closing.adds_up:\n",
        first=_TESTS,
    ),
    Fault(
        "an opinion without the stage that was counted before the closing",
        _MARKS,
        "                    found += first\n",
        "                    found += first[:0]\n",
        first=_TESTS,
    ),
    Fault(
        "an opinion without the earlier revisions",
        _MARKS,
        "                    revised.append(operation_id)\n",
        "                    found += first\n",
        first=_TESTS,
    ),
    Fault(
        "as many marks as there are",
        _MARKS,
        "        if not page.is_last:\n",
        "        if False:\n",
        first=_TESTS,
    ),
    Fault(
        "a payout that cannot be checked holds up the others",
        "lambdas/payout_decider/handler.py",
        "        except NotCheckedNowError as not_now:\n",
        "        except ZeroDivisionError as not_now:\n",
        first=("tests/component/test_high_risk_payouts.py",),
    ),
)
