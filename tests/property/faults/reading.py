"""Faults in what merchants read: their balances, past, statements and operations."""

from tests.property.faults.fault import Fault

READING = ("tests/property/test_reading.py",)
_LISTED = ("tests/unit/domain/test_merged_marks.py",)
_MERGED = "falcon_balances/domain/merged_marks.py"

READING_FAULTS = (
    Fault(
        "the first quarter after a border in what was at it",
        "falcon_balances/domain/history.py",
        "            if window.start < instant:\n",
        "            if window.start <= instant:\n",
        first=READING,
    ),
    Fault(
        "the quarters of a day of which a closing is there counted twice",
        "falcon_balances/domain/closings.py",
        "    return FIRST if before is None else before.at\n",
        "    return FIRST if before is None else before.at - _DAY\n",
        first=READING,
    ),
    Fault(
        "the day's own closing taken for the one before",
        "falcon_balances/adapters/past_reads.py",
        "    day = day_of(start)\n",
        "    day = day_of(end) + '~'\n",
        first=READING,
    ),
    Fault(
        "a closing from the live balance",
        "lambdas/closer/closing.py",
        "        existing = self._ports.closings.put(merchant_id, closing)\n",
        "        from dataclasses import replace\n"
        "        from falcon_balances.domain.counting import COUNTERS\n"
        "        from falcon_balances.domain.history import Figures\n"
        "        [live] = [\n"
        "            each for each in reads.balances()\n"
        "            if (each.balance_shop_id, each.currency.code) == balance\n"
        "        ]\n"
        "        counters = {name: getattr(live, name) for name in (*COUNTERS, 'blocked')}\n"
        "        closing = replace(closing, figures=Figures.of(counters))\n"
        "        existing = self._ports.closings.put(merchant_id, closing)\n",
        first=READING,
    ),
    Fault(
        "a day closed with the quarters of another day",
        "falcon_balances/domain/closings.py",
        "    if {day_of(window.start) for window in windows} != {day}:\n",
        "    if not windows:\n",
        first=("tests/component/test_closer.py",),
    ),
    Fault(
        "the closed day moved before its closings are written",
        "lambdas/closer/closing.py",
        "        following = run.close()\n",
        "        found = ports.moved.between(start_of(day), end_of(day), closed.journal)\n"
        "        ports.closings.advance(closed.day, ClosedDay(day, found.journal))\n"
        "        following = run.close()\n",
        first=("tests/component/test_closer.py",),
    ),
    Fault(
        "a run that is continued passes over a balance",
        "lambdas/closer/closing.py",
        "            if self._ports.is_over():\n",
        "            self._closed = self._closed._replace(after=moved)\n"
        "            if self._ports.is_over():\n",
        first=("tests/component/test_closer.py",),
    ),
    Fault(
        "a run that is continued forgets what the runs before it read",
        "lambdas/closer/closing.py",
        "        return known | found.balances\n",
        "        return found.balances\n",
        first=("tests/component/test_closer.py",),
    ),
    Fault(
        "how far a day is read written before what moved is noted",
        "lambdas/closer/closing.py",
        "            ports.closings.note(self._day, found.balances - known)\n"
        "            ports.closings.pause(self._closed)\n",
        "            ports.closings.pause(self._closed)\n"
        "            ports.closings.note(self._day, found.balances - known)\n",
        first=("tests/component/test_closer.py",),
    ),
    Fault(
        "notes of one run replace those of another",
        "falcon_balances/adapters/moved_notes.py",
        "        key = item_key(ItemKey(moved_pk(day), sha256(text).hexdigest()))\n",
        "        key = item_key(ItemKey(moved_pk(day), str(start)))\n",
        first=("tests/component/ports/test_closings.py",),
    ),
    Fault(
        "closed a quarter too early",
        "falcon_balances/adapters/past_reads.py",
        "    closed = None if as_of is None else closed_until(as_of)\n",
        "    from falcon_balances.domain.instants import QUARTER\n"
        "    closed = None if as_of is None else closed_until(as_of) + QUARTER\n",
        first=READING,
    ),
    Fault(
        "a day closed before its last quarter is",
        "falcon_balances/domain/closings.py",
        "    return end_of(day) <= closed_until\n",
        "    return end_of(day) - timedelta(minutes=15) <= closed_until\n",
        first=("tests/component/test_closer.py",),
    ),
    Fault(
        "a cut closes what ended at its moment",
        "falcon_balances/domain/cuts.py",
        "    return quarter_of(cut_at - CLOSING_DELAY)\n",
        "    from falcon_balances.domain.instants import QUARTER\n"
        "    return quarter_of(cut_at + QUARTER)\n",
        first=READING,
    ),
    Fault(
        "what is set aside taken off the past",
        "falcon_balances/domain/history.py",
        '            get("available", 0) + get("blocked", 0),\n',
        '            get("available", 0),\n',
        first=READING,
    ),
    Fault(
        "as_of later than it is",
        "falcon_balances/adapters/past_reads.py",
        "    as_of = reads.as_of()\n",
        "    from datetime import timedelta\n"
        "    as_of = reads.as_of()\n"
        "    as_of = None if as_of is None else as_of + timedelta(hours=1)\n",
        first=READING,
    ),
    Fault(
        "a statement of what the index has so far",
        "falcon_balances/domain/merchant_statements.py",
        "        if passed != ({self.quarter: counted} if counted else {}):\n",
        "        if False:\n",
        first=READING,
    ),
    Fault(
        "a page that looked at enough forgets where",
        _MERGED,
        "    return Tagged(every, seen)\n",
        "    return Tagged(every, None)\n",
        first=_LISTED,
    ),
    Fault(
        "a page of a statement that ends amid a quarter not checked",
        "falcon_balances/adapters/merchant_statements.py",
        "    if page.unchecked is not None:\n",
        "    if page.unchecked is False:\n",
        first=("tests/component/balance_api/test_merchant_statements.py",),
    ),
    Fault(
        "what the cursor says was counted is not compared where its quarter ends",
        "falcon_balances/domain/merchant_statements.py",
        "            self.check(mark.window)\n",
        "            if getattr(self, 'has_crossed', False):\n"
        "                self.check(mark.window)\n"
        "            self.has_crossed = True\n",
        first=("tests/unit/domain/test_merchant_statements.py",),
    ),
    Fault(
        "a page begins with what its quarter began with",
        "falcon_balances/domain/merchant_statements.py",
        "            self._running[key] = self._running[key] + counted\n",
        "            pass\n",
        first=READING,
    ),
    Fault(
        "a line of a balance that a statement does not show",
        "falcon_balances/domain/merchant_statements.py",
        "        if balance not in shown:\n",
        "        if not shown:\n",
        first=("tests/component/balance_api/test_many_balances.py",),
    ),
    Fault(
        "a cursor sealed without the key",
        "falcon_balances/contracts/cursors.py",
        "hmac.digest(self.key, text",
        'hmac.digest(b"-", text',
        first=("tests/unit/contracts/test_cursors.py",),
    ),
    Fault(
        "the index taken for as new as the table",
        "falcon_balances/adapters/merchant_reads.py",
        "INDEX_DELAY: Final = timedelta(seconds=10)\n",
        "INDEX_DELAY: Final = timedelta(seconds=0)\n",
        first=READING,
    ),
    Fault(
        "pages by number instead of position",
        "falcon_balances/adapters/operation_pages.py",
        "    if wanted.lets_all_through:\n",
        "    many = reads.marks(\n"
        "        *wanted.bounds, after=None, newest_first=newest_first, limit=10_000\n"
        "    ).marks\n"
        "    passing = [mark for mark in many if wanted.lets_through(mark)]\n"
        "    end = int(after or 0) + limit\n"
        "    return passing[end - limit : end], str(end) if end < len(passing) else None\n"
        "    if end:\n",
        first=READING,
    ),
    Fault(
        "a page goes on after the last mark looked at instead of its last operation",
        _MERGED,
        "        return Tagged(every[:limit], every[limit - 1])\n",
        "        return Tagged(every[:limit], seen)\n",
        first=_LISTED,
    ),
    Fault(
        "a partition that was looked at less far than another passed over",
        _MERGED,
        "    seen = (max if newest_first else min)(ends, default=None)\n",
        "    seen = (min if newest_first else max)(ends, default=None)\n",
        first=_LISTED,
    ),
    Fault(
        "a type that only some lines have not among the codes",
        "falcon_balances/domain/operation_tags.py",
        "    for line in lines:\n",
        "    for line in list(lines)[:1]:\n",
        first=("tests/unit/domain/test_operation_tags.py",),
    ),
    Fault(
        "the log's balances without what is set aside",
        "falcon_balances/domain/logged_balances.py",
        "        aside = blocked.get((balance_shop_id, code), 0)\n",
        "        aside = 0\n",
        first=READING,
    ),
    Fault(
        "a page of operations from one partition of the index",
        "falcon_balances/adapters/listed_marks.py",
        "            for partition in index_partitions(self._merchant_id)\n",
        "            for partition in index_partitions(self._merchant_id)[:1]\n",
        first=("tests/component/ports/test_merchant_reads_of_operations.py",),
    ),
    Fault(
        "the last mark of a page again on the next",
        "falcon_balances/domain/merged_marks.py",
        "for each in part if each != after)",
        "for each in part)",
        first=("tests/unit/domain/test_merged_marks.py",),
    ),
    Fault(
        "a revision's mark passed over behind the first one's",
        "falcon_balances/domain/merged_marks.py",
        '    return Bounds(max(start, f"{after}!"), end)\n',
        '    return Bounds(max(start, f"{after}~"), end)\n',
        first=("tests/unit/domain/test_merged_marks.py",),
    ),
    Fault(
        "a mark that leaves out its part of the event",
        "falcon_balances/domain/parts.py",
        "    if part := part_text(segment):\n",
        "    if (part := part_text(segment)) is None:\n",
        first=("tests/component/test_sums.py",),
    ),
    Fault(
        "a claim read without its payout's state",
        "falcon_balances/contracts/stored_claims.py",
        '    return ClaimV1.model_validate(document | apart | {"stage": stage})\n',
        '    apart.pop("state", None)\n'
        '    return ClaimV1.model_validate(document | apart | {"stage": stage})\n',
        first=("tests/unit/contracts/test_stored_claims.py",),
    ),
)
