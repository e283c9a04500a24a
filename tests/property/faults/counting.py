"""Faults in how the reducer counts what is on the stream, and in which quarter."""

from tests.property.faults.fault import Fault

# Splitting a shard at just the wrong moment is too rare to wait for: a test does it on purpose.
CUTTING = ("tests/component/test_reducer_cuts.py",)
# Two reducers at one operation, each with another segment of it: records in order never bring that.
COUNTING = ("tests/component/test_reducer_standings.py",)
REVISING = ("tests/component/test_revisions_parked.py",)
QUARTERS = ("tests/component/test_revisions_quarters.py",)

COUNTING_FAULTS = (
    Fault(
        "a revision counted before its predecessor",
        "lambdas/reducer/gate.py",
        "        if not each.is_behind or each.predecessor in held:\n",
        "        if each.predecessor in held:\n",
        first=REVISING,
    ),
    Fault(
        "a revision behind a cut that came after it",
        "lambdas/reducer/batch.py",
        "    counted = counted_windows(set(predecessors(contents)), ports.store)\n",
        "    counted = counted_windows((), ports.store)\n",
        first=QUARTERS,
    ),
    Fault(
        "a revision in an earlier quarter than what it revises",
        "lambdas/reducer/batch_as_read.py",
        "            window = max(window, before)\n",
        "            window = min(window, before)\n",
        first=QUARTERS,
    ),
    Fault(
        "cuts met while records are parked",
        "lambdas/reducer/batch.py",
        "    if not _still_parked(batch, state, ports):\n",
        "    if _still_parked(batch, state, ports) in (True, False):\n",
        first=REVISING,
    ),
    Fault(
        "mark without condition",
        "falcon_balances/domain/table_writes.py",
        "    only_if_absent: bool = True\n",
        "    only_if_absent: bool = False\n",
    ),
    Fault(
        "max for min",
        "falcon_balances/domain/available.py",
        "    counted = min(confirmed, reconciled)\n",
        "    counted = max(confirmed, reconciled)\n",
    ),
    Fault(
        "the standing without its version",
        "falcon_balances/adapters/balance_items.py",
        "    if version == 0:\n        return dict(_ONLY_IF_ABSENT)\n",
        "    if version >= 0:\n        return {}\n",
        first=COUNTING,
    ),
    Fault(
        "a standing removed when the stages agree",
        "falcon_balances/fakes/balance_store.py",
        "                self.marks[write.key] = dict(write.attributes)\n",
        "                self.marks[write.key] = dict(write.attributes)\n"
        '                if isinstance(write, PutStanding) and "open" not in write.attributes:\n'
        "                    del self.marks[write.key]\n",
    ),
    Fault(
        "two stages in one batch not counted upon each other",
        "falcon_balances/domain/transactions.py",
        "        before = now.get(change.key) or seen.get(change.key)\n",
        "        before = seen.get(change.key)\n",
    ),
    Fault(
        "a window that goes back within a shard",
        "lambdas/reducer/batch_as_read.py",
        "        self.floor = window = window_of(",
        "        window = window_of(",
    ),
    Fault(
        "part borders that shift with the blocks there are",
        "falcon_balances/domain/parts.py",
        "    while group := dict(islice(balances, BALANCES_PER_PART)):\n",
        "    room = BALANCES_PER_PART - bool(_block_keys(arrived))\n"
        "    while group := dict(islice(balances, room)):\n",
        first=("tests/unit/domain/test_parts.py",),
    ),
    Fault(
        "two stages that agree taken as open",
        "falcon_balances/domain/standing.py",
        "        if self.disagreement is not None:\n",
        "        if self.version:\n",
    ),
    Fault(
        "a difference between two stages forgotten",
        "falcon_balances/domain/standing.py",
        "        if self.confirmed == self.reconciled:\n",
        "        if self.confirmed and self.reconciled:\n",
    ),
    Fault(
        "an operation not noted as late",
        "falcon_balances/domain/parts.py",
        "        additions |= _late(arrived, mark.key.pk)\n",
        "        pass\n",
    ),
    Fault(
        "what is late not told apart in its day",
        "falcon_balances/domain/parts.py",
        "        for is_late in (False, True) if _is_late(arrived) else (False,):\n",
        "        for is_late in (False,):\n",
    ),
    Fault(
        "cut met before what lies before it is counted",
        "lambdas/reducer/batch.py",
        "    for group in transactions(part for part, _ in batch.parts.values()):\n"
        "        count(group, batch, ports)\n",
        "    for cut in batch.cuts:\n"
        "        if is_complete(cut, ports.store.meet_cut(cut, shard_id, state.journaled)):\n"
        "            ports.store.advance_as_of(cut.cut_at)\n"
        "    for group in transactions(part for part, _ in batch.parts.values()):\n"
        "        count(group, batch, ports)\n",
    ),
    Fault(
        "a closed quarter counted into",
        "falcon_balances/domain/cuts.py",
        "    return window if floor is None else max(window, floor)\n",
        "    return window\n",
    ),
    Fault(
        "the floor of a split shard's parents forgotten",
        "falcon_balances/domain/cuts.py",
        "    pending = list(parents[shard_id])\n",
        "    pending: list[str] = []\n",
        first=CUTTING,
    ),
    Fault(
        "behind a cut of its own batch a record counted in a closed quarter",
        "lambdas/reducer/batch_as_read.py",
        "        self.floor = window = window_of(record.arrived_at, self.floor)\n",
        "        window = window_of(record.arrived_at, None if self.cuts else self.floor)\n"
        "        self.floor = newest([self.floor, window])\n",
        first=CUTTING,
    ),
    Fault(
        "before a cut of its own batch a record counted behind it",
        "lambdas/reducer/batch.py",
        "    for record, content in zip(records, contents, strict=True):\n",
        "    for record, content in sorted(\n"
        "        zip(records, contents), key=lambda each: b'\"cut\"' not in each[0].data\n"
        "    ):\n",
        first=CUTTING,
    ),
    Fault(
        "every record of a batch taken as arrived with its first one",
        "lambdas/reducer/counting.py",
        "    arrived = [batch.record_of(part).arrived_at for part in parts]\n",
        "    arrived = [batch.record_of(parts[0]).arrived_at for _ in parts]\n",
        first=("tests/component/test_batch_order.py",),
    ),
    Fault(
        "other lines under the fingerprint that was counted",
        "lambdas/reducer/batch_as_read.py",
        '_SAID_BY_THE_RECORD: Final = ("fingerprint", "part", "lines", "corrects")\n',
        '_SAID_BY_THE_RECORD: Final = ("fingerprint",)\n',
        first=("tests/component/test_reducer.py",),
    ),
)
