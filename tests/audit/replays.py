"""What the tests of replay have in common: a sale, and how balances are asked for."""

from falcon_balances.audit.balances import balances_of
from falcon_balances.audit.log_objects import Selection
from falcon_balances.audit.replay import replay
from falcon_balances.audit.standing_rows import BalanceId
from falcon_balances.domain.balances import Balance
from falcon_balances.domain.operations import Segment
from tests.builders import claim_of, confirmed, context_of, fee_of, marketplace

EVERYTHING = Selection()


def segments_of(document, *contexts) -> list[Segment]:
    claim = claim_of(document, *contexts)
    return [
        Segment(claim.stage, each.merchant_id, each.part, each.parts, claim.lines_of(each))
        for each in claim.segments
    ]


def balances_in(log, **how) -> dict[BalanceId, Balance]:
    replayed = replay(log, EVERYTHING, **how)
    return balances_of(replayed.sums, replayed.agreements)


ZEROS = "00000000-0000-5000-8000-000000000000"
FEES = context_of(fees=[fee_of("1.00")])
CAPTURE = segments_of(confirmed(), FEES)
SALE = segments_of(
    marketplace(
        [("5553", "60.00", "6.00"), ("5554", "40.00", "4.00")],
        "100.00",
        external_reference="sale-1",
    ),
    context_of("market"),
    context_of(),
    context_of("5554"),
)
