"""Faults in what the sealer takes from the journals: sealed twice, or not at all."""

from typing import Final

from tests.property.faults.fault import Fault

_UNSEALED: Final = "falcon_balances/adapters/unsealed_journal.py"
_READ: Final = ("tests/component/test_unsealed_journal.py",)

UNSEALED_FAULTS: Final = (
    Fault(
        "a repeat in the journal sealed twice",
        _UNSEALED,
        "                elif self._repeats.is_new(entry):\n",
        "                elif self._repeats.is_new(entry) or True:\n",
        first=_READ,
    ),
    Fault(
        "a sealed page with open quarters sealed again",
        _UNSEALED,
        "            self._read_sealed_again(pool)\n",
        "",
        first=_READ,
    ),
    Fault(
        "quarters taken as read whole up to the newest of the next page",
        _UNSEALED,
        "        return max(shard.pages[0].floor, self._closed)\n",
        "        return max(shard.pages[0].newest, self._closed)\n",
        first=_READ,
    ),
    Fault(
        "a sealed page with an open quarter not kept for the next run",
        _UNSEALED,
        "        while self.trail and self.trail[0][0] < window:\n",
        "        while self.trail and self.trail[0][0] <= window:\n",
        first=_READ,
    ),
    Fault(
        "a quarter that the cut did not close taken as read whole",
        _UNSEALED,
        "        window = min(quarter_of(time), closed_until(self._cut_at))\n",
        "        window = quarter_of(time)\n",
        first=_READ,
    ),
)
