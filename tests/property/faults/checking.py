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
        "adds_up or _facts(start.figures + since.marked) != _facts(now):\n",
        "adds_up:\n",
        first=_TESTS,
    ),
    Fault(
        "an opinion without the stage that was counted before the closing",
        _MARKS,
        "(mark for mark in first if mark.order < start)",
        "()",
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
        "falcon_balances/adapters/log_check.py",
        "_Limits(MARKS_MAX, OBJECTS_MAX)",
        "_Limits(10**6, OBJECTS_MAX)",
        first=_TESTS,
    ),
    Fault(
        "as many log objects for each page of marks as for all",
        "falcon_balances/adapters/log_check.py",
        "            left -= self._read_objects(",
        "            self._read_objects(",
        first=_TESTS,
    ),
    Fault(
        "a closing that is taken as counted where the log lacks some of it",
        "falcon_balances/domain/closings.py",
        " if self.logged is None else self.logged\n",
        "\n",
        first=("tests/component/test_closing_checks.py",),
    ),
    Fault(
        "a difference that the log has found forgotten by a closing that is not checked",
        "lambdas/closer/checking.py",
        "        return unchecked if logged is None else logged\n",
        "        return logged\n",
        first=("tests/component/test_closing_checks.py",),
    ),
    Fault(
        "a day in pages without what its earlier pages counted",
        "falcon_balances/adapters/checked_marks.py",
        '        start = since[0].order if since else ""\n',
        '        start = since[0].order[:10] if since else ""\n',
        first=("tests/component/test_closing_checks.py",),
    ),
    Fault(
        "a wait of the decider that its execution has no time for",
        "lambdas/payout_decider/patience.py",
        "        return takewhile(lambda delay_s: self._clock() + delay_s <= self._until, some)\n",
        "        return iter(some)\n",
        first=("tests/component/test_high_risk_payouts.py",),
    ),
    Fault(
        "a payout at a balance of many writers holds up the others",
        "lambdas/payout_decider/handler.py",
        "        except (NotCheckedNowError, NotDecidedNowError) as not_now:\n",
        "        except NotCheckedNowError as not_now:\n",
        first=("tests/component/test_payouts_contended.py",),
    ),
    Fault(
        "a payout that cannot be checked holds up the others",
        "lambdas/payout_decider/handler.py",
        "        except (NotCheckedNowError, NotDecidedNowError) as not_now:\n",
        "        except ZeroDivisionError as not_now:\n",
        first=("tests/component/test_high_risk_payouts.py",),
    ),
)
