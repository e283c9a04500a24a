"""Checks the closings of merchants of high risk against the log, before they are written.

So the log's opinion goes on from one closing to the next, and no check of a payout or refund has to
read the days before. A closing that cannot be checked is written all the same, because statements
need it: it takes what moved on its day as it was counted, and the metric ClosingsUnchecked, an
alarm, counts it.
"""

from collections.abc import Callable
from time import monotonic
from typing import Final

from falcon_balances.adapters.checked_marks import NotCheckedNowError
from falcon_balances.adapters.directory_ports import ContextReader
from falcon_balances.adapters.log_check import LogCheck
from falcon_balances.domain.closings import Closing, logged_unchecked
from falcon_balances.domain.errors import IntegrityError
from falcon_balances.observability import logger, metrics

CHECKS_S_MAX: Final = 300.0
"""Of a run, in all its checks: days must be closed, whoever has how many operations."""


class ClosingChecks:
    """The checks of one run. A balance takes as long as its merchant's marks of the day, at most
    3,000; a forged mark is named, and adds nothing.
    """

    def __init__(
        self,
        directory: ContextReader,
        log_check: Callable[[], LogCheck],
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self._directory = directory
        self._log_check = log_check
        self._clock = clock
        self._left_s = CHECKS_S_MAX
        self._last = ("", False)

    def logged(self, merchant_id: str, before: Closing | None, closing: Closing) -> int | None:
        """`logged` of the closing: by the log if the merchant is of high risk and the log can be
        asked. Otherwise what an earlier check has found to differ is not forgotten.
        """
        unchecked = logged_unchecked(before, closing)
        if not self._is_high_risk(merchant_id):
            return unchecked
        began = self._clock()
        logged = self._checked(merchant_id, before, closing) if self._left_s > 0 else None
        self._left_s -= self._clock() - began
        metrics.add_metric(name="ClosingsUnchecked", unit="Count", value=logged is None)
        return unchecked if logged is None else logged

    def _is_high_risk(self, merchant_id: str) -> bool:
        """One read for all balances of a merchant, which follow one another."""
        if merchant_id != self._last[0]:
            merchant = self._directory.merchants([merchant_id]).get(merchant_id)
            self._last = (merchant_id, merchant is not None and merchant.is_high_risk)
        return self._last[1]

    def _checked(self, merchant_id: str, before: Closing | None, closing: Closing) -> int | None:
        named = f"{merchant_id} {closing.balance.sk} {closing.day}"
        try:
            logged = self._log_check().closed_money(merchant_id, before, closing)
        except (NotCheckedNowError, IntegrityError) as error:
            logger.error("closing not checked", closing=named, why=str(error))
            return None
        if logged != closing.figures.available_before_blocks:
            logger.error("closing is not what the log says", closing=named, logged=logged)
        return logged
