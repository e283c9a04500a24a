"""Faults of closed days: rows that the journal does not have, and changes that nobody notices."""

from typing import Final

from tests.property.faults.fault import Fault

_JOURNAL: Final = "falcon_balances/adapters/closed_journal.py"
_QUERY: Final = "falcon_balances/contracts/closed_day_query.py"
_DAYS: Final = "falcon_balances/audit/closed_days.py"
_SUMS: Final = "falcon_balances/audit/closed_sums.py"
_BY_ATHENA: Final = "falcon_balances/audit/athena_replay.py"
_REPLAY: Final = "falcon_balances/audit/closed_replay.py"
_FILES: Final = "falcon_balances/adapters/closed_day_files.py"
_LISTING: Final = "lambdas/day_lister/listing.py"
_PUBLISHING: Final = "lambdas/day_publisher/publishing.py"
_MAKING: Final = ("tests/component/test_making_days.py",)
_COUNTED: Final = ("tests/audit/test_everything_counted.py",)
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
        "    if day.previous != before.digest:\n",
        "    if not day.previous:\n",
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
        _SUMS,
        "            if expected != said:\n",
        "            if expected is None:\n",
        first=_FLAWS,
    ),
    Fault(
        "a day published whatever Athena counted in its files",
        _PUBLISHING,
        "    if counted != expected:\n",
        "    if not counted:\n",
        first=_MAKING,
    ),
    Fault(
        "a second run of a day published beside the first",
        _FILES,
        "        return said if written is not None else self._description(key)\n",
        "        return said\n",
        first=_MAKING,
    ),
    Fault(
        "a day made that the closer has not closed",
        _LISTING,
        "    if closed is None or following is None or following > closed:\n",
        "    if following is None or following > (closed or following):\n",
        first=_MAKING,
    ),
    Fault(
        "a described day never shown when its run was interrupted",
        "lambdas/day_lister/handler.py",
        "        ports.files.show(made)",
        "        ports.files.newest()",
        first=_MAKING,
    ),
    Fault(
        "the first day after the closed ones left out",
        _QUERY,
        """return _rows(journal, f">= {_text(day)}")\n""",
        """return _rows(journal, f"> {_text(day)}")\n""",
        first=_COUNTED,
    ),
    Fault(
        "a segment of a closed day counted again since",
        _REPLAY,
        "        if again is not None and again[0] is not None:\n",
        "        if again is not None and again[0] == again:\n",
        first=_COUNTED,
    ),
    Fault(
        "a day that Athena's table lacks taken as a day without lines",
        _BY_ATHENA,
        "        lines = 0 if found is None else found.lines\n",
        "        lines = day.lines if found is None else found.lines\n",
        first=("tests/audit/test_athena_replay.py",),
    ),
)
