"""The closer asks the log of merchants of high risk, so that a forged day stays found."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from falcon_balances.adapters import log_check
from falcon_balances.domain.closings import ClosedDay
from falcon_balances.fakes.interruptions import Crash, never
from falcon_balances.observability import metrics
from lambdas.closer.checking import CHECKS_S_MAX
from tests.builders import confirmed, data_of, reconciled, record_of, records_of
from tests.component.checking import MERCHANT, Checked
from tests.component.ledger import adjustment, any_claim_of

DAYS = ("2026-11-20", "2026-11-21", "2026-11-22")


@pytest.fixture
def checked() -> Checked:
    """100.00 in the log, counted on the 20th, of a merchant of high risk."""
    checked = Checked()
    checked.make_risky()
    checked.ledger.count(confirmed(), reconciled())
    return checked


@pytest.fixture(autouse=True)
def _no_metrics_left():
    yield
    metrics.clear_metrics()


def forge(checked: Checked, amount: str = "900.00") -> None:
    """Counted, and not in the log."""
    for each in (confirmed, reconciled):
        document = each(external_reference="forged", amount=amount)
        checked.ledger.reduce(data_of(record_of(document)))


def closed(checked: Checked) -> dict[str, tuple[int, int | None]]:
    """Of each day: what was available, as it was counted and by the log."""
    closings = checked.ledger.store.closings.values()
    return {each.day: (each.figures.available_before_blocks, each.logged) for each in closings}


def unchecked() -> int:
    return int(sum(metrics.metric_set["ClosingsUnchecked"]["Value"]))


def test_a_closing_of_high_risk_says_what_the_log_has(checked):
    forge(checked)
    checked.close_days("2026-11-21T10:00:00")
    assert closed(checked) == {"2026-11-20": (100000, 10000)}
    assert unchecked() == 0


def test_what_was_never_logged_is_spendable_on_no_later_day(checked):
    forge(checked)
    checked.close_days("2026-11-21T10:00:00")
    assert (checked.available(), checked.live()) == (10000, 100000)
    checked.ledger.count(adjustment(amount="7.00"))
    checked.close_days("2026-11-22T10:00:00")
    checked.ledger.count(adjustment(adjustment_id="next", amount="5.00"))
    assert closed(checked)["2026-11-21"] == (100700, 10700)
    assert (checked.available(), checked.live()) == (11200, 101200)


def test_others_are_not_checked(checked):
    checked.ledger.directory.named.clear()
    forge(checked)
    checked.close_days("2026-11-21T10:00:00")
    assert closed(checked) == {"2026-11-20": (100000, None)}
    assert "ClosingsUnchecked" not in metrics.metric_set


def test_who_becomes_of_high_risk_is_checked_from_the_next_closing_on(checked):
    """What was counted before is taken as it was counted."""
    checked.ledger.directory.named.clear()
    checked.close_days("2026-11-21T10:00:00")
    checked.make_risky()
    forge(checked)
    checked.close_days("2026-11-22T10:00:00")
    assert closed(checked) == {"2026-11-20": (10000, None), "2026-11-21": (100000, 10000)}


@pytest.mark.parametrize("page", [1, 2, 3, 7])
def test_a_day_of_many_pages_is_checked_as_one(checked, monkeypatch, page):
    """Both stages of an operation, and its revisions, lie in different pages."""
    monkeypatch.setattr("falcon_balances.adapters.checked_marks.MARKS_A_PAGE", page)
    said = {"revision": 2, "revised_at": "2026-11-20T11:00:00Z", "amount": "50.00"}
    for n in range(3):
        name = {"external_reference": f"o-{n}"}
        both = (confirmed(**name), reconciled(**name))
        checked.ledger.count(*both, adjustment(adjustment_id=f"{n}"))
        both = (confirmed(**name, **said), reconciled(**name, **said))
        checked.ledger.at(f"2026-11-20T1{n + 2}:00:00").count(*both)
    checked.close_days("2026-11-21T10:00:00")
    [(counted, logged)] = closed(checked).values()
    assert counted == logged == checked.live()


def test_a_day_of_too_many_marks_is_closed_unchecked(checked, monkeypatch):
    monkeypatch.setattr(log_check, "DAY_MARKS_MAX", 3)
    checked.ledger.count(adjustment(), adjustment(adjustment_id="more"))
    checked.close_days("2026-11-21T10:00:00")
    assert [logged for _, logged in closed(checked).values()] == [None]
    assert unchecked() == 1
    assert checked.available() == checked.live()


def test_a_difference_that_was_found_outlasts_closings_that_are_not_checked(checked, monkeypatch):
    forge(checked)
    checked.close_days("2026-11-21T10:00:00")
    monkeypatch.setattr(log_check, "DAY_MARKS_MAX", 1)
    checked.ledger.count(*(adjustment(adjustment_id=f"a-{n}", amount="0.01") for n in range(2)))
    checked.close_days("2026-11-22T10:00:00")
    assert closed(checked)["2026-11-21"] == (100002, 10002)
    assert unchecked() == 1
    assert (checked.available(), checked.live()) == (10002, 100002)
    monkeypatch.setattr(log_check, "DAY_MARKS_MAX", 3_000)
    checked.ledger.count(adjustment(adjustment_id="b", amount="0.01"))
    checked.close_days("2026-11-23T10:00:00")
    assert closed(checked)["2026-11-22"] == (100003, 10003)
    assert checked.available() == 10003


def test_a_difference_that_was_found_outlasts_the_time_without_high_risk(checked):
    forge(checked)
    checked.close_days("2026-11-21T10:00:00")
    checked.ledger.directory.named.clear()
    checked.ledger.count(adjustment(amount="1.00"))
    checked.close_days("2026-11-22T10:00:00")
    checked.make_risky()
    assert closed(checked)["2026-11-21"] == (100100, 10100)
    assert checked.available() == 10100


@given(
    st.lists(
        st.tuples(st.sampled_from(["checked", "unchecked", "no high risk"]), st.booleans()),
        min_size=1,
        max_size=6,
    )
)
def test_what_a_check_has_found_to_differ_differs_for_ever(days):
    """Whatever kinds of days follow: only what was forged on a day without a check is spendable."""
    checked, found = Checked(), 0
    for n, (kind, is_forged) in enumerate(days):
        checked.ledger.at(f"2026-11-{n + 10}T10:00:00")
        checked.ledger.directory.named.clear()
        if kind != "no high risk":
            checked.make_risky()
        checked.ledger.count(*(adjustment(adjustment_id=f"{n}-{part}") for part in range(2)))
        if is_forged:
            document = adjustment(adjustment_id=f"forged-{n}", amount=f"{n + 1}.00")
            checked.ledger.reduce(*map(data_of, records_of(any_claim_of(document))))
            found += 100 * (n + 1) * (kind == "checked")
        with pytest.MonkeyPatch.context() as patch:
            if kind == "unchecked":
                patch.setattr(log_check, "DAY_MARKS_MAX", 1)
            checked.close_days(f"2026-11-{n + 11}T00:01:00")
        assert checked.available() == checked.live() - found


def test_after_so_long_a_run_closes_unchecked(checked):
    """One balance a second over the limit: the day is closed all the same."""
    shops = [f"bs-{n}" for n in range(3)]
    checked.ledger.count(*(adjustment(adjustment_id=s, balance_shop_id=s) for s in shops))
    seconds = iter(range(0, 10**6, int(CHECKS_S_MAX / 2) + 1))
    checked.clock = lambda: float(next(seconds))
    checked.close_days("2026-11-21T10:00:00")
    logged = [each.logged for each in checked.ledger.store.closings.values()]
    assert [each is None for each in logged] == [False, False, True, True]
    assert checked.ledger.store.closed_day.day == "2026-11-20"


def test_a_closing_that_marks_do_not_make_is_written_unchecked(checked):
    (key,) = [key for key in checked.ledger.store.marks if "#reconciled" in key.sk]
    del checked.ledger.store.marks[key]
    checked.close_days("2026-11-21T10:00:00")
    assert closed(checked) == {"2026-11-20": (10000, None)}
    assert unchecked() == 1


def test_a_mark_that_cannot_be_read_does_not_hold_up_the_day(checked):
    (key,) = [key for key in checked.ledger.store.marks if "#reconciled" in key.sk]
    checked.ledger.store.marks[key]["lines"] = "nothing"
    checked.close_days("2026-11-21T10:00:00")
    assert closed(checked) == {"2026-11-20": (10000, None)}
    assert unchecked() == 1


def test_a_run_that_ends_at_any_call_is_finished_by_the_next(checked):
    """Whatever the calls were before: the same closings, checked."""
    forge(checked)
    checked.ledger.count(adjustment(balance_shop_id="bs-other"))
    for day in DAYS[1:]:
        checked.ledger.at(f"{day}T10:00:00").count(adjustment(adjustment_id=day, amount="7.00"))
    checked.ledger.at("2026-11-23T10:00:00").cut()
    passed = 0

    def crash_after(calls: int) -> None:
        left = iter(range(calls))

        def happens(_point: str) -> None:
            if next(left, None) is None:
                raise Crash

        checked.ledger.store.interrupt = checked.ledger.log.interrupt = happens

    while True:
        crash_after(passed)
        try:
            checked.run_closer()
            break
        except Crash:
            passed += 1
        finally:
            checked.ledger.store.interrupt = checked.ledger.log.interrupt = never
    assert passed > 10
    assert checked.ledger.store.closed_day.day == DAYS[-1]
    eur = [each for each in checked.ledger.store.closings.values() if each.balance[0] != "bs-other"]
    assert [(each.day, each.logged) for each in eur] == [
        (DAYS[0], 10000),
        (DAYS[1], 10700),
        (DAYS[2], 11400),
    ]


def test_the_log_s_figure_is_no_part_of_what_two_runs_must_agree_on(checked):
    """A run that could not check was first: its closing stays."""
    checked.close_days("2026-11-21T10:00:00")
    ((key, closing),) = checked.ledger.store.closings.items()
    checked.ledger.store.closings[key] = replace(closing, logged=None)
    checked.ledger.store.closed_day = ClosedDay()
    checked.run_closer()
    assert checked.ledger.store.closings[key].logged is None
    assert MERCHANT in key.pk
