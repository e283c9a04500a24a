"""Faults of closed days: rows that the journal does not have, and changes that nobody notices."""

from typing import Final

from tests.property.faults.fault import Fault

_JOURNAL: Final = "falcon_balances/adapters/closed_journal.py"
_QUERY: Final = "falcon_balances/contracts/closed_day_query.py"
_DAYS: Final = "falcon_balances/audit/closed_days.py"
_REPLAY: Final = "falcon_balances/audit/closed_replay.py"
_WHOLE: Final = ("tests/audit/test_closed_days.py",)
_FLAWS: Final = ("tests/audit/test_closed_days_flaws.py",)

CLOSING_FAULTS: Final = (
    Fault(
        "segments of other days in a closed day",
        _QUERY,
        """  where substr("window", 1, 10) {days}{of_partition}\n""",
        "  where log_key is not null\n",
        first=_WHOLE,
    ),
    Fault(
        "a day made without the pages that were fetched for the day before",
        _JOURNAL,
        "            self.gone_through.add(shard.ahead[kept])\n",
        "            self.gone_through |= {shard.ahead[kept]} if kept else set()\n",
        first=_WHOLE,
    ),
    Fault(
        "a repeat with another version closed twice",
        _QUERY,
        'group by "window", effect, log_key, body\n',
        'group by "window", effect, log_key, body, version_id\n',
        first=_WHOLE,
    ),
    Fault(
        "the effect of a segment in each of its lines",
        _QUERY,
        "case when nth = 1 then",
        "case when nth > 0 then",
        first=_WHOLE,
    ),
    Fault(
        "the effect of a balance that another id ends with",
        _QUERY,
        "concat(',', balance_shop_id, '#', currency, '#')",
        "concat(balance_shop_id, '#', currency, '#')",
        first=_WHOLE,
    ),
    Fault(
        "closed days added up without looking at their bytes",
        _DAYS,
        '        if file_digest(file, "sha256").hexdigest() != said.sha256:\n',
        "        if not said.sha256:\n",
        first=_FLAWS,
    ),
    Fault(
        "a file that no day names added up",
        _DAYS,
        "    for name in sorted(found - named):\n",
        "    for name in sorted(found - found):\n",
        first=_FLAWS,
    ),
    Fault(
        "a day of another journal among closed days",
        _DAYS,
        "    if day.said.previous != before.said.digest:\n",
        "    if not day.said.previous:\n",
        first=_FLAWS,
    ),
    Fault(
        "a line of closed days counted twice",
        _REPLAY,
        "        _check_repeats(engine, days)\n",
        "        pass\n",
        first=_FLAWS,
    ),
    Fault(
        "effects of closed days not compared with their lines",
        _REPLAY,
        "            if expected != said:\n",
        "            if expected is None:\n",
        first=_FLAWS,
    ),
)
