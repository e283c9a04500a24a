"""Transaction logs of any size, the same on every run; every uuid in them is valid."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Final

from falcon_balances.domain.identity import balance_operation_uuid, operation_id_of_reference
from falcon_balances.domain.log_format import csv_body
from falcon_balances.domain.log_keys import log_key
from falcon_balances.domain.money import Currency, Money
from falcon_balances.domain.operations import BalanceOperation, OperationType, Segment, Stage

EUR: Final = Currency("EUR", 2)
START: Final = datetime(2026, 10, 1, 10, tzinfo=UTC)


def segments(
    events: int, merchants: int = 320, days: int = 30, *, contradicting: bool = False
) -> Iterator[Segment]:
    """Captures with a fee, confirmed and reconciled; every tenth has two merchants.

    If `contradicting`, one of eight was traced with another amount or another fee.
    """
    rng = Random(7)  # noqa: S311 - the same log every time
    for n in range(events):
        operation_id = operation_id_of_reference("psp-1", OperationType.CAPTURE, f"order-{n}")
        date = START + timedelta(days=n % days)
        names = rng.sample(range(merchants), 2 if n % 10 == 0 else 1)
        owners = sorted(f"m-{each}" for each in names)
        minor = rng.randrange(100, 50_000)
        fee = minor // 100 + 1
        for stage in (Stage.CONFIRMED, Stage.RECONCILED):
            if contradicting and stage is Stage.RECONCILED:
                minor, fee = traced(n, minor)
            for part, owner in enumerate(owners, start=1):
                lines = tuple(
                    BalanceOperation(
                        uuid=balance_operation_uuid(
                            operation_id, stage.value, owner, f"bs-{owner}", kind, 0
                        ),
                        external_reference=f"order-{n}",
                        amount=Money(amount, EUR),
                        type=kind,
                        falcon_operation_id=operation_id,
                        operation_date=date,
                        local_merchant_id=f"l-{owner}",
                        shop_id=f"shop-{owner}",
                        balance_shop_id=f"bs-{owner}",
                        psp_id="psp-1",
                        bank_reference=f"bank-{n}" if stage is Stage.RECONCILED else "",
                    )
                    for kind, amount in (
                        (OperationType.CAPTURE, minor),
                        (OperationType.PSP_FEE, -fee),
                    )
                )
                yield Segment(stage, owner, part, len(owners), lines)


def traced(n: int, minor: int) -> tuple[int, int]:
    """The reconciled amount and fee of the n-th event: differs from the confirmed in one of eight.

    Only a fee above its amount can make a capture's sum negative.
    """
    fee = minor // 100 + 1
    others = {3: (2 * minor, fee), 11: (minor // 2, fee), 19: (minor, 2 * minor)}
    return others.get(n % 24, (minor, fee))


def objects_of(segments: Iterable[Segment]) -> dict[str, bytes]:
    """Keys and bodies, as the persister writes them."""
    return {log_key(segment): csv_body(segment).encode() for segment in segments}


def write(objects: Mapping[str, bytes], folder: Path) -> Path:
    """Writes the objects into a folder, as `aws s3 sync` would. Returns the folder."""
    for key, body in objects.items():
        path = folder / key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(body)
    return folder
