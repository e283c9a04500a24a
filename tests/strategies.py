"""Hypothesis strategies: events as PSPs write them, and the merchants they name."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import HealthCheck, assume, settings
from hypothesis import strategies as st

from falcon_balances.contracts.psp_operations import parse_psp_document
from falcon_balances.domain.errors import RejectedOperation
from falcon_balances.domain.fees import Fee
from falcon_balances.domain.merchant_context import ContextHistory, ContextKey, MerchantContext
from falcon_balances.domain.money import Currency, at_full_scale
from falcon_balances.domain.operations import (
    PSP_STAGES,
    OperationType,
    PspOperation,
    Segment,
    Stage,
)
from falcon_balances.domain.splitting import SplitEvent, split

CURRENCIES = (Currency("EUR", 2), Currency("JPY", 0), Currency("BHD", 3))
EVENT_TYPES = ("capture", "refund", "chargeback", "chargeback_reversal", "cashback")
EPOCH = datetime(2026, 1, 1, tzinfo=UTC)
# Any two of these may be versions of one context; the last half lies between the events' dates.
VERSION_DATES = tuple(EPOCH + timedelta(days=days) for days in (0, 1, 31, 59, 90))

Document = dict[str, Any]

few = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@dataclass(frozen=True)
class Case:
    """An event as a PSP writes it, and every merchant there is."""

    document: Document
    stage: Stage
    histories: Mapping[ContextKey, ContextHistory]

    @property
    def operation(self) -> PspOperation:
        return parse_psp_document(self.document, self.stage)

    def split(self) -> SplitEvent:
        return split(self.operation, self.histories)


minor_amounts = st.one_of(
    st.integers(1, 300), st.integers(1, 10**6), st.integers(1, 999_999_999_999_999)
)
instants = st.builds(
    lambda seconds: EPOCH + timedelta(seconds=seconds), st.integers(0, 120 * 24 * 3600)
)
offsets = st.sampled_from(("Z", "z", "+00:00", "-00:00", "+02:00", "-03:00", "+05:45", "-11:30"))


@st.composite
def date_texts(draw: st.DrawFn) -> str:
    """One instant, in any of the forms of RFC 3339 that the contract takes."""
    instant = draw(instants)
    offset = draw(offsets)
    if offset[0] in "+-":
        sign = -1 if offset[0] == "-" else 1
        shift = timedelta(hours=int(offset[1:3]), minutes=int(offset[4:]))
        instant += sign * shift
    fraction = draw(st.sampled_from(("", ".9", ".000", ".123456")))
    separator = draw(st.sampled_from("Tt"))
    return f"{instant:%Y-%m-%d}{separator}{instant:%H:%M:%S}{fraction}{offset}"


@st.composite
def fees(draw: st.DrawFn) -> Fee:
    def amounts(minimum: int, maximum: int) -> dict[str, int]:
        return {
            currency.code: draw(st.integers(minimum, maximum))
            for currency in CURRENCIES
            if draw(st.booleans())
        }

    return Fee(
        on=OperationType(draw(st.sampled_from(EVENT_TYPES))),
        percent_millionths=draw(
            st.sampled_from((0, 1, 500_000, 1_000_000, 2_490_000, 33_333_333, 100_000_000))
        ),
        fixed=amounts(0, 50),
        minimum=amounts(0, 20),
        maximum=amounts(20, 500),
    )


@st.composite
def contexts(draw: st.DrawFn, key: ContextKey, effective_from: datetime) -> MerchantContext:
    """Several local merchants may be one merchant, and several shops one balance."""
    merchant_id = draw(st.sampled_from(("m-0", "m-1", "m-2")))
    shop = draw(st.sampled_from(("", "-a", "-b")))
    return MerchantContext(
        key=key,
        merchant_id=merchant_id,
        balance_shops={
            currency.code: f"bs-{merchant_id}{shop}-{currency.code.lower()}"
            for currency in CURRENCIES
        },
        status=draw(st.sampled_from(("active", "active", "active", "inactive"))),
        effective_from=effective_from,
        fees=tuple(draw(st.lists(fees(), max_size=5))),
    )


@st.composite
def directories(draw: st.DrawFn) -> dict[ContextKey, ContextHistory]:
    """Up to four shops of up to three merchants, each changing up to twice in time."""
    names = draw(
        st.lists(
            st.tuples(st.sampled_from(("l-0", "l-1")), st.sampled_from(("s-0", "s-1"))),
            min_size=1,
            max_size=4,
            unique=True,
        )
    )
    histories: dict[ContextKey, ContextHistory] = {}
    for name in names:
        key = ContextKey("psp-1", *name)
        later = draw(st.sets(st.sampled_from(VERSION_DATES[1:]), max_size=2))
        dates = [VERSION_DATES[0], *sorted(later)]
        histories[key] = [draw(contexts(key, effective_from)) for effective_from in dates]
    return histories


@st.composite
def documents(
    draw: st.DrawFn, keys: Sequence[ContextKey], stage: Stage, reference: str
) -> Document:
    """An event that keeps the contract, of merchants among `keys`."""
    currency = draw(st.sampled_from(CURRENCIES))

    def text(minor: int) -> str:
        scaled = at_full_scale(minor, currency.exponent)
        shorten = currency.exponent and draw(st.booleans())
        return scaled.rstrip("0").rstrip(".") if shorten else scaled

    splits = []
    total = 0
    for part in draw(st.lists(st.sampled_from(keys), max_size=5)):
        # Five parts of this size still add up to what 15 digits can say.
        amount = draw(minor_amounts) // 10 + 1
        total += amount
        said = {**_named(part), "amount": text(amount)}
        if draw(st.booleans()):
            said["marketplace_fee"] = text(draw(st.integers(0, amount)))
        splits.append(said)
    document: Document = {
        "schema_version": "1",
        "psp_id": "psp-1",
        "external_reference": reference,
        "type": draw(st.sampled_from(EVENT_TYPES)),
        "amount": text(total or draw(minor_amounts)),
        "currency": currency.code,
        "operation_date": draw(date_texts()),
        **_named(draw(st.sampled_from(keys))),
    }
    if splits:
        document["splits"] = splits
    if draw(st.booleans()):
        document["original_reference"] = "ref-before"
    if stage is Stage.RECONCILED:
        document |= {"reconciled_date": draw(date_texts()), "bank_reference": "bank-1"}
    return document


def _named(key: ContextKey) -> dict[str, str]:
    return {"local_merchant_id": key.local_merchant_id, "shop_id": key.shop_id}


@st.composite
def cases(draw: st.DrawFn) -> Case:
    histories = draw(directories())
    stage = draw(st.sampled_from(PSP_STAGES))
    document = draw(documents(tuple(histories), stage, "ref-1"))
    return Case(document, stage, histories)


@st.composite
def accepted_cases(draw: st.DrawFn) -> Case:
    """Cases that no inactive merchant spoils."""
    case = draw(cases())
    try:
        case.split()
    except RejectedOperation:
        assume(condition=False)
    return case


@st.composite
def journals(draw: st.DrawFn) -> list[Segment]:
    """The segments of up to six different events, confirmed or reconciled or both."""
    histories = draw(directories())
    segments: list[Segment] = []
    for n in range(draw(st.integers(1, 6))):
        for stage in draw(st.sampled_from((PSP_STAGES, PSP_STAGES[:1], PSP_STAGES[1:]))):
            document = draw(documents(tuple(histories), stage, f"ref-{n}"))
            try:
                segments += Case(document, stage, histories).split().segments
            except RejectedOperation:
                continue
    return segments
