"""hledger and beancount, who know nothing of us, confirm every balance, and miss no cent."""

import io
import re
import shutil
import subprocess
from dataclasses import replace
from datetime import datetime

import pytest
from beancount import loader
from hypothesis import given, settings
from hypothesis import strategies as st

from falcon_balances.audit.dialects import Beancount, Hledger
from falcon_balances.audit.findings import LogFinding
from falcon_balances.audit.journals import write_journal
from falcon_balances.audit.log_objects import Selection
from falcon_balances.audit.standings import NOTHING
from falcon_balances.domain.accounts import BOOKED, OF_MERCHANTS, Account, Booked, postings
from falcon_balances.domain.available import Agreement, agreement
from falcon_balances.domain.log_format import expected_uuids
from falcon_balances.domain.operations import TYPES_BY_STAGE, OperationType, Stage
from generated.logs import objects_of, segments
from tests.audit.definition import defined, world
from tests.audit.logs import MemoryLog
from tests.audit.sealed import objects
from tests.strategies import journals

HLEDGER = shutil.which("hledger")
needs_hledger = pytest.mark.skipif(
    HLEDGER is None, reason="hledger is not installed (Debian: apt-get install hledger)"
)
few = settings(max_examples=15, deadline=None)


def written(log, dialect) -> str:
    file = io.StringIO()
    assert write_journal(MemoryLog(log), Selection(), dialect, file) == []
    return file.getvalue()


def hledger_says(journal: str) -> str:
    """Empty where nothing is wrong."""
    done = subprocess.run(
        [str(HLEDGER), "-f", "-", "check", "--strict"],
        input=journal,
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stderr if done.returncode else ""


def beancount_says(journal: str) -> list[str]:
    _, errors, _ = loader.load_string(journal)
    return [each.message for each in errors]


@needs_hledger
@given(journals())
@few
def test_hledger_confirms_any_log(some):
    assert hledger_says(written(objects_of(some), Hledger())) == ""


@given(journals())
@few
def test_beancount_confirms_any_log(some):
    assert beancount_says(written(objects_of(some), Beancount())) == []


WORLD = objects_of(world(150, 6))
OF_MERCHANT = (
    r"[Ll]iabilities:([Pp]ending|[Uu]napplied|[Aa]vailable|[Dd]ebits ?[Uu]nconfirmed"
    r"|[Dd]ebits ?[Uu]ntraced)"
)


@needs_hledger
def test_hledger_confirms_a_world_of_contradictions():
    assert hledger_says(written(objects_of(world(600, 2)), Hledger())) == ""


def test_beancount_confirms_a_world_of_contradictions():
    assert beancount_says(written(objects_of(world(600, 2)), Beancount())) == []


@needs_hledger
@pytest.mark.parametrize("place", range(0, 240, 17))
def test_hledger_misses_no_cent(place):
    assert "assertion" in hledger_says(with_a_cent(written(WORLD, Hledger()), place))


@pytest.mark.parametrize("place", range(0, 240, 17))
def test_beancount_misses_no_cent(place):
    said = beancount_says(with_a_cent(written(WORLD, Beancount()), place))
    assert any("Balance failed" in each for each in said)


def with_a_cent(journal: str, place: int) -> str:
    """Taken from one account of a merchant and given to another of the same transaction."""
    posting = rf"^ +{OF_MERCHANT}:\S+  (-?[0-9.]+) EUR$"
    found = list(re.finditer(posting, journal, re.M))[place]
    minor = int(found[2].replace(".", "")) + 1
    sign = "-" if minor < 0 else ""
    changed = found[0].replace(found[2], f"{sign}{abs(minor) // 100}.{abs(minor) % 100:02}")
    bank = "    assets:bank" if "decimal-mark" in journal else "  Assets:Bank"
    return f"{journal[: found.start()]}{changed}\n{bank}  -0.01 EUR{journal[found.end() :]}"


@pytest.mark.parametrize("dialect", [Hledger(), Beancount()])
def test_the_last_assertions_are_the_figures_of_the_definition(dialect):
    """Every account of every balance, and each by the definition, not by what was posted."""
    segments = world(400, 1)
    said = written(objects_of(segments), dialect)
    form = (
        r"^    (\S.*?)  0 (EUR|JPY) = (-?[0-9.]+) "
        if isinstance(dialect, Hledger)
        else r"balance (\S+)  (-?[0-9.]+) ~ 0 (EUR|JPY)$"
    )
    last = {}
    for found in re.finditer(form, said, re.M):
        name, *rest = found.groups()
        code, amount = rest if isinstance(dialect, Hledger) else reversed(rest)
        last[name, code] = int(amount.replace(".", ""))
    expected = {
        (dialect.account(account, name), name.currency): -getattr(balance, figure)
        for name, balance in defined(segments).items()
        for account, figure in OF_MERCHANTS.items()
    }
    assert last == expected


@pytest.mark.parametrize("dialect", [Hledger(), Beancount()])
def test_a_repeated_line_is_in_no_journal_and_told(dialect):
    """The same bytes under another key of the merchant: whichever is first counts."""
    log = objects(6, 2)
    first = next(key for key in log if "-of-" not in key)
    again = first.replace(".csv", ".2-of-2.csv")
    assert again < first
    file = io.StringIO()
    findings = write_journal(MemoryLog(log | {again: log[first]}), Selection(), dialect, file)
    once = {key: body for key, body in log.items() if key != first} | {again: log[first]}
    assert file.getvalue() == written(once, dialect)
    assert findings == [
        LogFinding(first, "repeated", f"line {n}: repeats line {n} of {again}") for n in (2, 3)
    ]


@needs_hledger
def test_ids_that_tools_would_guess_wrongly_stay_what_they_are():
    """Colons make no accounts below others, and what looks like a number is none."""
    odd = {"m-0": "0012", "m-1": "1e5", "m-2": "NA:x_y.z", "bs-m": "b:1"}
    log = objects_of(renamed(each, odd) for each in segments(6, 3))
    journal = written(log, Hledger())
    assert hledger_says(journal) == ""
    assert beancount_says(written(log, Beancount())) == []


def renamed(segment, names):
    def other(text):
        for name, instead in names.items():
            text = text.replace(name, instead)
        return text

    lines = tuple(
        replace(line, balance_shop_id=other(line.balance_shop_id)) for line in segment.lines
    )
    uuids = expected_uuids(segment.staged, other(segment.merchant_id), lines)
    lines = tuple(replace(line, uuid=uuid) for line, uuid in zip(lines, uuids, strict=True))
    return replace(segment, merchant_id=other(segment.merchant_id), lines=lines)


@needs_hledger
@pytest.mark.parametrize("reference", ["a (b); c%", "x) ; y", "{}[]*!~#'"])
def test_references_stay_what_they_are(reference):
    some = [
        replace(
            each, lines=tuple(replace(line, external_reference=reference) for line in each.lines)
        )
        for each in segments(3, 2)
    ]
    log = objects_of(some)
    assert hledger_says(written(log, Hledger())) == ""
    assert beancount_says(written(log, Beancount())) == []
    assert f'"{reference}"' in written(log, Beancount())


def test_every_line_but_a_confirmed_one_is_booked():
    named = {(stage, kind) for stage, kinds in TYPES_BY_STAGE.items() for kind in kinds}
    assert set(BOOKED) == {each for each in named if each[0] is not Stage.CONFIRMED}


nets = st.integers(-(10**20), 10**20) | st.integers(-3, 3)


@given(nets, nets, nets, nets)
def test_any_change_of_an_operation_sums_to_zero_and_moves_the_figures(c, r, new_c, new_r):
    after, before = agreement(new_c, new_r), agreement(c, r)
    changed = Agreement(*(new - old for new, old in zip(after, before, strict=True)))
    lines = [
        Booked(Stage.CONFIRMED, OperationType.CAPTURE, new_c - c),
        Booked(Stage.RECONCILED, OperationType.CAPTURE, new_r - r),
    ]
    moved = dict(postings(lines, changed))
    assert sum(moved.values()) == 0
    assert -moved[Account.MERCHANT_AVAILABLE] == after.counted - before.counted
    for account, figure in OF_MERCHANTS.items():
        if figure != "available":
            assert -moved[account] == getattr(after, figure) - getattr(before, figure)
    assert moved[Account.BANK] == new_r - r


@pytest.mark.parametrize(
    ("stage", "kind"),
    [
        (Stage.PAYOUT, OperationType.WITHDRAWAL),
        (Stage.PAYOUT, OperationType.WITHDRAWAL_REVERSAL),
        (Stage.ADJUSTMENT, OperationType.ADJUSTMENT),
    ],
)
def test_payouts_and_adjustments_are_available_money_alone(stage, kind):
    moved = dict(postings([Booked(stage, kind, 5)], NOTHING))
    assert {account: minor for account, minor in moved.items() if minor} == {
        BOOKED[stage, kind]: 5,
        Account.MERCHANT_AVAILABLE: -5,
    }


def of_year(year: str):
    some = [
        replace(
            each,
            lines=tuple(
                replace(line, operation_date=datetime.fromisoformat(f"{year}-01-01T00:00:00Z"))
                for line in each.lines
            ),
        )
        for each in segments(3, 2)
    ]
    return objects_of(some)


@pytest.mark.parametrize("year", ["2000", "2199"])
def test_old_dates_are_fine(year):
    log = of_year(year)
    for dialect, day in ((Hledger(), f"{year}-01-01"), (Beancount(), f"{year}-01-01")):
        assert f"\n{day} " in written(log, dialect)
    assert beancount_says(written(log, Beancount())) == []
    if HLEDGER is not None:
        assert hledger_says(written(log, Hledger())) == ""


def test_the_last_day_of_the_calendar_has_no_next():
    assert "9999-12-31 balance" in written(of_year("9999") | last_day(), Beancount())


def last_day():
    *_, first = segments(4, 2)
    end = datetime.fromisoformat("9999-12-31T23:59:59Z")
    lines = tuple(replace(line, operation_date=end) for line in first.lines)
    return objects_of([replace(first, lines=lines)])
