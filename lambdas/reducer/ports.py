"""The ports of the reducer, and the handling of refused records."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from time import sleep

from falcon_balances.adapters.clock import utc_now
from falcon_balances.adapters.journal_ports import Journal
from falcon_balances.adapters.ports import BalanceStore, BalanceStream
from falcon_balances.adapters.stage_ports import Quarantine, QuarantinedBody
from falcon_balances.domain.errors import RejectedOperation
from falcon_balances.observability import logger, metrics
from lambdas.reducer.records import StreamRecord


@dataclass(frozen=True, slots=True)
class ReducerPorts:
    """The ports of the reducer."""

    store: BalanceStore
    stream: BalanceStream
    quarantine: Quarantine
    journal: Journal
    wait: Callable[[float], object] = sleep
    now: Callable[[], datetime] = utc_now


def refuse(record: StreamRecord, rejected: RejectedOperation, ports: ReducerPorts) -> None:
    logger.error("record refused", code=rejected.code, reason=rejected.reason)
    metrics.add_metric(name="RecordsRefused", unit="Count", value=1)
    ports.quarantine.put(
        QuarantinedBody("stream", record.data, rejected.code, rejected.reason, record.arrived_at)
    )
