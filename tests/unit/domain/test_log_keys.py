from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from falcon_balances.domain.identity import uuid5_text
from falcon_balances.domain.log_keys import LogKey, log_key, merchant_of, merchant_prefix
from falcon_balances.domain.operations import Segment, Stage
from falcon_balances.domain.splitting import split
from tests.unit.domain.events import context, directory, event

CONTEXTS = directory(context("9", "market"), context("1", "seller", "1.00"))


def segment(stage: Stage = Stage.CONFIRMED) -> Segment:
    return split(event("capture", "100.00", "1", stage=stage), CONTEXTS).segments[0]


@pytest.mark.parametrize(
    ("stage", "day"), [(Stage.CONFIRMED, "2026-03-05"), (Stage.RECONCILED, "2026-03-07")]
)
def test_a_key_names_stage_merchant_day_and_operation(stage, day):
    operation_id = segment().falcon_operation_id
    assert log_key(segment(stage)) == f"{stage}/merchant_id=seller/date={day}/{operation_id}.csv"


def test_the_day_of_a_key_is_the_utc_day():
    late = event("capture", "1.00", "1", operation_date="2026-03-05T23:30:00-03:00")
    assert "/date=2026-03-06/" in log_key(split(late, CONTEXTS).segments[0])


def test_a_key_counts_the_merchants_of_an_event_that_touches_several():
    operation = event("capture", "100.00", "9", ("1", "100.00", "1.00"))
    names = [log_key(item).rsplit("/", 1)[1] for item in split(operation, CONTEXTS).segments]
    operation_id = segment().falcon_operation_id
    assert names == [f"{operation_id}.1-of-2.csv", f"{operation_id}.2-of-2.csv"]


UUIDS = st.builds(uuid5_text, st.text(max_size=5))
KEYS = st.builds(
    LogKey,
    st.sampled_from(Stage),
    st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,20}", fullmatch=True),
    st.dates(min_value=date(2000, 1, 1)).map(str),
    UUIDS,
)


@given(key=KEYS, revision=st.integers(1, 99), parts=st.integers(1, 41), data=st.data())
def test_a_key_is_read_as_it_was_written(key, revision, parts, data):
    part = data.draw(st.integers(1, parts))
    is_of_a_psp = key.stage in (Stage.CONFIRMED, Stage.RECONCILED)
    key = key._replace(revision=revision if is_of_a_psp else 1, part=part, parts=parts)
    assert LogKey.parse(key.text) == key
    assert key.text.startswith(merchant_prefix(key.stage, key.merchant_id))
    assert merchant_of(key.text) == key.merchant_id


OF_PAYOUT = "payout/merchant_id=m/date=2026-03-05/" + uuid5_text("x")
OF_CAPTURE = OF_PAYOUT.replace("payout", "confirmed")


@pytest.mark.parametrize(
    "key",
    [
        OF_CAPTURE,
        f"{OF_CAPTURE}.CSV",
        f"{OF_CAPTURE}.r1.csv",
        f"{OF_CAPTURE}.r02.csv",
        f"{OF_CAPTURE}.r100.csv",
        f"{OF_PAYOUT}.r2.csv",
        f"{OF_CAPTURE}.1-of-1.csv",
        f"{OF_CAPTURE}.3-of-2.csv",
        f"{OF_CAPTURE}.0-of-2.csv",
        f"{OF_CAPTURE}.0001-of-0002.csv",
        f"{OF_CAPTURE}.csv".replace("confirmed", "settled"),
        f"{OF_CAPTURE}.csv".replace("merchant_id=m", "merchant_id="),
        f"{OF_CAPTURE}.csv".replace("2026-03-05", "1999-03-05"),
        f"x/{OF_CAPTURE}.csv",
        f"{OF_CAPTURE}.csv\n",
    ],
)
def test_what_we_would_not_have_written_is_no_key(key):
    assert merchant_of(key) is None
    with pytest.raises(ValueError, match="not a key of the log"):
        LogKey.parse(key)
