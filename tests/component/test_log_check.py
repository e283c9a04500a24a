"""The log's opinion: from the last closing on, whatever came late, is missing or is forged."""

from dataclasses import replace

import pytest

from falcon_balances.adapters import log_check
from falcon_balances.adapters.checked_marks import REVISED_MAX, NotCheckedNowError
from falcon_balances.adapters.log_check import LogCheck
from falcon_balances.adapters.ports import LogObject
from falcon_balances.domain.blocks import LoggedMoney
from falcon_balances.domain.closings import ClosedDay
from falcon_balances.domain.history import Figures
from falcon_balances.domain.log_grammar import REPETITION_MAX
from falcon_balances.domain.table_keys import BalanceKey, ItemKey, merchant_pk
from falcon_balances.domain.table_writes import AddCounters
from falcon_balances.observability import metrics
from tests.builders import confirmed, data_of, reconciled, record_of
from tests.component.checking import EUR, MERCHANT, Checked, block_of
from tests.component.ledger import adjustment, payout

KEY = ItemKey(merchant_pk(MERCHANT), EUR.sk)
CLOSED_DAY = "2026-11-20"
AT = "2026-11-21T11:00:00Z"


@pytest.fixture
def checked() -> Checked:
    return Checked()


@pytest.fixture
def closed(checked: Checked) -> Checked:
    """100.00 of both stages, 5.00 of one each, and 40.00 paid out; closed, a day ago."""
    ledger = checked.ledger.at("2026-11-20T10:00:00")
    ledger.count(confirmed(), reconciled(), payout())
    ledger.count(confirmed(external_reference="c", amount="5.00"))
    ledger.count(reconciled(external_reference="r", amount="5.00"))
    checked.close_days("2026-11-21T10:00:00")
    return checked


@pytest.fixture(autouse=True)
def _no_metrics_left():
    yield
    metrics.clear_metrics()


def mismatches() -> int:
    return sum(metrics.metric_set.get("LogMismatch", {"Value": [0]})["Value"])


def test_a_balance_without_a_closing_is_folded_from_its_beginning(checked):
    checked.ledger.count(confirmed(), reconciled(), payout())
    assert checked.money() == LoggedMoney(6000, 3)
    assert checked.available(BalanceKey("bs-none", "EUR")) == 0


def test_after_a_closing_nothing_of_the_days_before_is_read(closed):
    closed.ledger.log.objects.clear()
    assert closed.available() == 6000


@pytest.mark.parametrize(
    ("document", "available"),
    [
        pytest.param(adjustment(amount="7.00"), 6700, id="one side by nature"),
        pytest.param(reconciled(external_reference="c", amount="5.00"), 6500, id="the other side"),
        pytest.param(reconciled(external_reference="c", amount="3.00"), 6300, id="less of it"),
        pytest.param(reconciled(external_reference="c", amount="9.00"), 6500, id="more of it"),
        pytest.param(confirmed(external_reference="r", amount="5.00"), 6500, id="bank first"),
        pytest.param(confirmed(external_reference="n", amount="900.00"), 6000, id="one side"),
        pytest.param(confirmed(type="chargeback", amount="20.00"), 4000, id="a debit"),
        pytest.param(
            confirmed(external_reference="r", revision=2, revised_at=AT, amount="5.00"),
            6500,
            id="a revision of the other side",
        ),
    ],
)
def test_what_was_counted_since_is_joined_with_what_the_log_has_of_earlier_days(
    closed, document, available
):
    closed.ledger.at(AT).count(document)
    assert closed.available() == available == closed.live()


def test_a_stage_is_joined_with_all_revisions_of_the_other(closed):
    """The ledger counts the amount of a revision as what it adds."""
    ledger = closed.ledger.at(AT)
    for number, amount in ((2, "70.00"), (3, "90.00")):
        ledger.count(confirmed(revision=number, revised_at=AT, amount=amount))
    closed.close_days("2026-11-24T10:00:00")
    ledger.count(reconciled(revision=2, revised_at=AT, amount="160.00"))
    assert closed.available() == closed.live() == 22000


@pytest.mark.parametrize("closed_day", [CLOSED_DAY, None])
def test_where_a_closing_is_missing_the_one_before_it_is_taken(closed, closed_day):
    """Also if the day is said to be closed; here there is none before, so all is folded."""
    closed.ledger.store.closings.clear()
    closed.ledger.store.closed_day = ClosedDay(closed_day)
    closed.ledger.at(AT).count(adjustment(amount="7.00"))
    assert closed.available() == 6700


def test_the_closings_of_a_day_that_is_not_closed_yet_are_good(closed):
    """The closer ended between the balances of a day: each closing follows from closed quarters."""
    closed.ledger.at(AT).count(adjustment(amount="7.00"))
    closed.close_days("2026-11-22T10:00:00")
    closed.ledger.store.closed_day = ClosedDay(CLOSED_DAY)
    assert closed.available() == 6700


@pytest.mark.parametrize(
    "forged",
    [
        pytest.param({"available_before_blocks": 9999}, id="more than both stages"),
        pytest.param({"adjusted": 1000, "available_before_blocks": 7000}, id="an adjustment"),
        pytest.param({"confirmed": 0, "pending": -10500}, id="other stages"),
        pytest.param(
            {"pending": 0, "unapplied": 0, "available_before_blocks": 6500}, id="what one side said"
        ),
        pytest.param({"operations_count": 4}, id="a segment less"),
    ],
)
def test_a_forged_closing_gives_no_opinion(closed, forged):
    """Whatever is counted since: nothing is spent on it, and nothing refused for good."""
    store = closed.ledger.store
    ((key, closing),) = store.closings.items()
    store.closings[key] = replace(closing, figures=replace(closing.figures, **forged))
    assert closed.money() is None
    closed.ledger.at(AT).count(adjustment(amount="7.00"))
    assert closed.money() is None


def test_a_closing_of_another_merchant_gives_no_opinion(closed):
    store = closed.ledger.store
    ((key, closing),) = store.closings.items()
    figures = Figures(adjusted=10**6, available_before_blocks=10**6, operations_count=1)
    store.closings[key] = replace(closing, figures=figures)
    assert closed.money() is None


def test_what_is_counted_and_not_in_the_log_adds_nothing_and_is_named(closed):
    ledger = closed.ledger.at(AT)
    for each in (confirmed, reconciled):
        ledger.reduce(data_of(record_of(each(external_reference="forged", amount="900.00"))))
    assert (closed.available(), closed.live()) == (6000, 96000)
    assert mismatches() == 2


@pytest.mark.parametrize(
    ("logged", "available"), [("1.00", 6100), ("900.00", 96000), ("-7.00", 5300)]
)
def test_a_segment_that_the_log_has_otherwise_counts_as_the_log_has_it(closed, logged, available):
    """Spending takes the lower of table and log."""
    ledger = closed.ledger.at(AT)
    ledger.count(adjustment(amount="7.00"))
    (key,) = [each for each in ledger.log.objects if each.startswith("adjustment/")]
    body = ledger.log.objects[key].body.replace(b",7.00,", f",{logged},".encode())
    ledger.log.objects[key] = LogObject(body, {})
    assert (closed.available(), closed.live()) == (available, 6700)
    assert mismatches() == 1


def test_an_object_that_no_writer_of_the_log_wrote_adds_nothing(closed):
    ledger = closed.ledger.at(AT)
    ledger.count(adjustment(amount="7.00"))
    (key,) = [each for each in ledger.log.objects if each.startswith("adjustment/")]
    ledger.log.objects[key] = LogObject(b"money\n", {})
    assert closed.available() == 6000


def test_an_earlier_stage_that_is_not_in_the_log_makes_nothing_spendable(closed):
    """Counted a day ago as pending, by a record that nobody logged."""
    ledger = closed.ledger
    gone = [key for key, said in ledger.log.objects.items() if b",c,5.00," in said.body]
    del ledger.log.objects[gone[0]]
    ledger.at(AT).count(reconciled(external_reference="c", amount="5.00"))
    assert (closed.available(), closed.live()) == (6000, 6500)


def test_what_the_table_alone_makes_available_is_not_in_the_opinion(closed):
    closed.ledger.store.transact([AddCounters(KEY, {"available": 5000})])
    assert (closed.available(), closed.live()) == (6000, 11000)


def test_marks_that_are_not_listed_yet_give_no_opinion(closed):
    closed.ledger.at(AT).count(adjustment(amount="7.00"))
    reads = closed.reads()
    reads.is_indexed = lambda key: "#adjustment" not in key.sk
    check = LogCheck(closed.ledger.store, closed.ledger.log, lambda _merchant_id: reads)
    assert check.logged_money(block_of(closed.ledger)) is None
    reads.is_indexed = lambda _key: True
    assert check.logged_money(block_of(closed.ledger)) == LoggedMoney(6700, 6)


def count_adjustments(checked: Checked, count: int, shop: str = EUR.balance_shop_id) -> None:
    said = {"amount": "0.01", "balance_shop_id": shop}
    each = (adjustment(adjustment_id=f"{shop}-{n}", **said) for n in range(count))
    checked.ledger.count(*each)


@pytest.mark.parametrize("shop", [EUR.balance_shop_id, "bs-other"])
def test_so_many_marks_of_the_merchant_are_read_and_no_more(closed, shop):
    closed.ledger.at(AT)
    count_adjustments(closed, log_check.MARKS_MAX, shop)
    assert closed.available() == closed.live()
    closed.ledger.count(adjustment(adjustment_id="one-more"))
    with pytest.raises(
        NotCheckedNowError, match=f"more than {log_check.MARKS_MAX} segments of {MERCHANT}"
    ):
        closed.money()
    closed.close_days("2026-11-22T10:00:00")
    assert closed.available() == closed.live()


def test_so_many_revised_operations_are_read_and_no_more(closed):
    ledger = closed.ledger.at(AT)
    said = {"revision": 2, "revised_at": AT, "amount": "2.00"}
    names = [{"external_reference": f"o-{n}"} for n in range(REVISED_MAX + 1)]
    for name in names:
        ledger.count(confirmed(**name))
        ledger.count(confirmed(**name, **said))
    closed.close_days("2026-11-22T10:00:00")
    ledger.count(*(reconciled(**name, amount="102.00") for name in names[1:]))
    assert closed.available() == closed.live() == 6000 + 10200 * REVISED_MAX
    ledger.count(reconciled(**names[0]))
    with pytest.raises(NotCheckedNowError, match="revised"):
        closed.money()


@pytest.mark.parametrize("page", [300, 10])
def test_so_many_objects_are_read_for_all_pages_of_marks_and_no_more(closed, monkeypatch, page):
    monkeypatch.setattr("falcon_balances.adapters.checked_marks.MARKS_A_PAGE", page)
    monkeypatch.setattr(log_check, "OBJECTS_MAX", 40)
    ledger = closed.ledger.at(AT)
    half = 40 // 2
    names = [{"external_reference": f"o-{n}"} for n in range(half + 1)]
    ledger.count(*(confirmed(**name) for name in names))
    closed.close_days("2026-11-22T10:00:00")
    ledger.count(*(reconciled(**name) for name in names[1:]))
    assert closed.available() == closed.live()
    ledger.count(reconciled(**names[0]))
    with pytest.raises(NotCheckedNowError, match="log objects"):
        closed.money()


def test_a_few_messages_of_operations_that_were_often_revised_block_nobody(closed):
    """Three operations of which each stage has 99 revisions, and each comes once more today."""
    ledger = closed.ledger
    names = [{"external_reference": f"o-{n}"} for n in range(3)]
    said = {"revised_at": "2026-11-20T11:00:00Z"}
    for name in names:
        ledger.count(confirmed(**name), reconciled(**name))
        for revision in range(2, REPETITION_MAX):
            amount = f"{1 + revision % 2}.00"
            for each in (confirmed, reconciled):
                ledger.count(each(**name, **said, revision=revision, amount=amount))
    closed.close_days("2026-11-22T10:00:00")
    for name in names:
        ledger.count(confirmed(**name, **said, revision=REPETITION_MAX, amount="1.00"))
    assert closed.available() == closed.live()


def test_a_merchant_of_slow_checks_leaves_time_for_others(closed):
    now = [0.0]

    def slow(merchant_id):
        now[0] += log_check.MERCHANT_SECONDS_MAX + 0.1
        return closed.reads(merchant_id)

    block = block_of(closed.ledger)
    check = LogCheck(closed.ledger.store, closed.ledger.log, slow, lambda: now[0])
    assert check.logged_money(block) is not None
    with pytest.raises(NotCheckedNowError, match="too many checks"):
        check.logged_money(block)
    assert check.logged_money(replace(block, merchant_id="m-other")) == LoggedMoney(0, 0)


def test_each_object_is_read_once_and_nothing_is_begun_after_the_time(closed, monkeypatch):
    ledger = closed.ledger.at(AT)
    ledger.count(adjustment(amount="7.00"))
    now, read = [0.0], list[str]()
    read_existing = ledger.log.read_existing

    def noted(keys):
        read.extend(keys)
        return read_existing(keys)

    monkeypatch.setattr(ledger.log, "read_existing", noted)
    check = LogCheck(ledger.store, ledger.log, closed.reads, lambda: now[0])
    for now[0] in (0.0, log_check.SECONDS_MAX):
        assert check.logged_money(block_of(ledger)) == LoggedMoney(6700, 6)
    assert len(read) == 1
    now[0] = log_check.SECONDS_MAX + 0.1
    with pytest.raises(NotCheckedNowError, match="at once"):
        check.logged_money(block_of(ledger))
