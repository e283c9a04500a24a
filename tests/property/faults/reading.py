"""Faults in what merchants read: their balances, past, statements and operations."""

from tests.property.faults.fault import Fault

READING = ("tests/property/test_reading.py",)

READING_FAULTS = (
    Fault(
        "what open quarters counted left in the past",
        "falcon_balances/adapters/past_reads.py",
        "            closing[window.balance] = closing[window.balance] - window.change\n",
        "            pass\n",
        first=READING,
    ),
    Fault(
        "balances and open quarters read one after the other",
        "falcon_balances/adapters/past_reads.py",
        "        found = reads.at_once(balances, starts)\n",
        "        found = reads.at_once(balances, ())\n"
        "        if not isinstance(found, TryAgain):\n"
        "            then = reads.windows(starts[0], starts[-1] + QUARTER)\n"
        "            found = found[0], [each for each in then if each.balance in balances]\n",
        first=READING,
    ),
    Fault(
        "the first quarter after a border left in what was at it",
        "falcon_balances/domain/history.py",
        "            if window.start >= instant:\n",
        "            if window.start > instant:\n",
        first=READING,
    ),
    Fault(
        "closed a quarter too early",
        "falcon_balances/adapters/past_reads.py",
        "    closed = None if as_of is None else closed_until(as_of)\n",
        "    closed = None if as_of is None else closed_until(as_of) + QUARTER\n",
        first=READING,
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
        "as_of from the clock",
        "falcon_balances/adapters/past_reads.py",
        "    as_of = reads.as_of()\n",
        "    as_of = now if reads.as_of() else None\n",
        first=READING,
    ),
    Fault(
        "a statement of what the index has so far",
        "falcon_balances/domain/merchant_statements.py",
        "            if begins == start and figures == self._running:\n",
        "            if begins == start:\n",
        first=READING,
    ),
    Fault(
        "a page that looked at enough forgets where",
        "falcon_balances/adapters/operation_pages.py",
        "        if looked_at >= MARKS_A_PAGE_MAX:\n            return found, position\n",
        "        if looked_at >= MARKS_A_PAGE_MAX:\n            return found, None\n",
        first=READING,
    ),
    Fault(
        "a page of a statement that ends amid a quarter not checked",
        "falcon_balances/domain/merchant_statements.py",
        "        is_shown = is_new and not self._is_full()\n",
        "        if is_new and self._is_full():\n"
        "            return False\n"
        "        is_shown = is_new and not self._is_full()\n",
        first=READING,
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
        "    found: list[Mark] = []\n",
        "    many = reads.marks(\n"
        "        *wanted.bounds, after=None, newest_first=newest_first, limit=10_000\n"
        "    ).marks\n"
        "    passing = [mark for mark in many if wanted.lets_through(mark)]\n"
        "    end = int(after or 0) + limit\n"
        "    return passing[end - limit : end], str(end) if end < len(passing) else None\n"
        "    found: list[Mark] = []\n",
        first=READING,
    ),
    Fault(
        "a page goes on from its last query instead of its last operation",
        "falcon_balances/adapters/operation_pages.py",
        "                return found, position\n            position, looked_at",
        "                return found, page.marks[-1].order\n            position, looked_at",
        first=READING,
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
