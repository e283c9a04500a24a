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
        "            end = starts[-1] + QUARTER\n"
        "            then = [w for each in balances for w in reads.windows(each, starts[0], end)]\n"
        "            found = found[0], then\n",
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
)
