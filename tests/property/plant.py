"""Plants one fault at a time in a copy of the code and shows that the property test finds it.

    python -m tests.property.plant [NAME ...]

Exit code 0 when every planted fault was found, 1 when one was not.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
COPIED = ("falcon_balances", "lambdas", "inprocess", "state_machines", "tests", "pyproject.toml")
PATH = ("tests/property/test_pipeline.py",)
SPENDING = ("tests/property/test_races.py", "tests/property/test_spending.py")
READING = ("tests/property/test_reading.py",)
# Splitting a shard at just the wrong moment is too rare to wait for: a test does it on purpose.
SPLITTING = ("tests/component/test_reducer_cuts.py",)
# Two reducers at one operation, each with another segment of it: records in order never bring that.
COUNTING = ("tests/component/test_reducer.py",)
REVISING = ("tests/component/test_revisions.py",)
SPLIT_UP = ("tests/unit/domain/test_splitting.py",)
GRAMMAR = ("tests/audit/test_one_grammar.py",)
REFUNDING = ("tests/component/test_blocks_in_reducer.py",)


@dataclass(frozen=True, slots=True)
class Fault:
    name: str
    path: str
    before: str
    after: str
    first: tuple[str, ...] = PATH
    """Which of the tests most likely find it: the others follow."""


FAULTS = (
    Fault(
        "a revision counted before its predecessor",
        "lambdas/reducer/gate.py",
        "        if not is_counted and (not each.is_behind or each.predecessor in held):\n",
        "        if each.predecessor in held:\n",
        first=REVISING,
    ),
    Fault(
        "earlier revisions not brought to the stream again",
        "lambdas/publisher/handler.py",
        "    for revision in message.earlier:\n",
        "    for revision in message.earlier[:0]:\n",
        first=REVISING,
    ),
    Fault(
        "a revision without what was true before",
        "falcon_balances/contracts/claims.py",
        "        segments = revise(said, predecessor.whole_truth(), truth)\n",
        "        segments = revise(said, [], truth)\n",
    ),
    Fault(
        "a revision that overtook taken for the first",
        "lambdas/persister/deciding.py",
        "    raise NotYetError\n",
        "    return ours\n",
    ),
    Fault(
        "cuts met while records are parked",
        "lambdas/reducer/batch.py",
        "    if not _still_parked(batch, state, ports):\n",
        "    if _still_parked(batch, state, ports) in (True, False):\n",
        first=REVISING,
    ),
    Fault(
        "an original's context by the wrong date",
        "falcon_balances/domain/splitting.py",
        "        context = in_force(histories.get(key, ()), operation.contexts_at)\n",
        "        context = in_force(histories.get(key, ()), operation.operation_date)\n",
        first=SPLIT_UP,
    ),
    Fault(
        "a sign allowed in a first revision that its type does not have",
        "falcon_balances/domain/log_format.py",
        "        if is_first_revision and line.amount.minor * SIGN_BY_TYPE[line.type] < 0:\n",
        "        if line.amount.minor * SIGN_BY_TYPE[line.type] < 0 and not is_first_revision:\n",
        first=GRAMMAR,
    ),
    Fault(
        "a random id",
        "falcon_balances/domain/identity.py",
        '    return uuid5_text(f"{operation_id}|{stage}',
        '    import uuid\n    return str(uuid.uuid4()) or (f"{operation_id}|{stage}',
    ),
    Fault(
        "a leg dropped",
        "falcon_balances/domain/splitting.py",
        "    for part in operation.splits:\n        key",
        "    for part in operation.splits[:1]:\n        key",
    ),
    Fault(
        "publish before PUT",
        "lambdas/persister/handler.py",
        "        append_claimed(log, claim)\n",
        "        if claim is not message.claim:\n            append_claimed(log, claim)\n",
    ),
    Fault(
        "publisher before persister in the state machine",
        "state_machines/balance_operations.asl.json",
        '"StartAt": "Splitter"',
        '"StartAt": "Publisher"',
    ),
    Fault(
        "PUT before claim",
        "lambdas/persister/handler.py",
        "    try:\n        decided = decide(claims, message, now)\n",
        "    from falcon_balances.adapters.ports import LogObject\n"
        "    for segment in message.claim.segments:\n"
        "        body = message.claim.body_of(segment).encode()\n"
        "        ours = LogObject(body, message.claim.log_metadata(segment))\n"
        "        log.append(segment.log_key, ours)\n"
        "    try:\n"
        "        decided = decide(claims, message, now)\n",
    ),
    Fault(
        "recomputed instead of claimed lines",
        "lambdas/persister/deciding.py",
        "    return _with_earlier(claims, existing or ours)\n",
        "    return _with_earlier(claims, ours)\n",
    ),
    Fault(
        "refused although claimed",
        "lambdas/persister/deciding.py",
        "        if existing is None or existing.fingerprint != ours.fingerprint:\n",
        "        if ours.fingerprint:\n",
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
        "a block ended for one of two merchants",
        "lambdas/persister/linking.py",
        "    return tuple(each for each in blocks if each.merchant_id not in named)\n",
        "    return tuple(each for each in blocks[:1] if each.merchant_id not in named)\n",
        first=("tests/component/test_authorizations.py",),
    ),
    Fault(
        "two authorizations above the sale",
        "falcon_balances/domain/refund_authorization.py",
        "            at_least=left if authorization.sale_is_known else None,\n",
        "            at_least=None,\n",
        first=("tests/component/test_authorizations.py",),
    ),
    Fault(
        "an authorization although the refund is claimed",
        "falcon_balances/fakes/storage.py",
        "in self.claims for stage in PSP_STAGES):\n",
        "in self.claims for stage in PSP_STAGES[:1]):\n",
        first=("tests/component/test_authorizations.py",),
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
        "swallowed conflict",
        "lambdas/persister/deciding.py",
        "    if existing is not None and existing.fingerprint != ours.fingerprint:\n",
        "    if existing is not None and not existing.fingerprint:\n",
    ),
    Fault(
        "ignored partial failure",
        "lambdas/publisher/handler.py",
        "        entries = [entries[position] for position in stream.publish(entries)]\n",
        "        stream.publish(entries)\n        return\n",
    ),
    Fault(
        "412 taken as failure",
        "falcon_balances/adapters/transaction_log.py",
        "    if not log.append(key, logged) and log.read(key).body != logged.body:\n",
        "    if not log.append(key, logged):\n",
    ),
    Fault(
        "cut met before what lies before it is counted",
        "lambdas/reducer/batch.py",
        "    for group in transactions(part for part, _ in batch.parts.values()):\n"
        "        count(group, batch, ports)\n",
        "    for cut in batch.cuts:\n"
        "        if is_complete(cut, ports.store.meet_cut(cut, shard_id)):\n"
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
        first=SPLITTING,
    ),
    Fault(
        "message acknowledged though its execution failed",
        "lambdas/dispatcher/dispatching.py",
        "    return [message_id for message_id in queued if message_id not in done]\n",
        "    return []\n",
    ),
    Fault(
        "one bad message fails its whole batch",
        "lambdas/dispatcher/dispatching.py",
        "        if len(chunk) > 1:\n",
        "        if len(chunk) > 100:\n",
    ),
    Fault(
        "block expired before its time",
        "lambdas/expirer/handler.py",
        "    for partition in expiry_partitions():\n",
        "    from datetime import timedelta\n"
        "    now += timedelta(minutes=1)\n"
        "    for partition in expiry_partitions():\n",
        first=SPENDING,
    ),
    Fault(
        "payout accepted before the PUT",
        "state_machines/payouts.asl.json",
        '"Next": "PayoutLogger"',
        '"Next": "PayoutAnnouncer"',
        first=SPENDING,
    ),
    Fault(
        "payout given up after logging",
        "falcon_balances/domain/payout_states.py",
        "GIVE_UP: Final = Move(PayoutState.DECIDED,",
        "GIVE_UP: Final = Move(PayoutState.LOGGING,",
        first=SPENDING,
    ),
    Fault(
        "a refund's block left where the bank comes first",
        "falcon_balances/domain/parts.py",
        "    return arrived.blocks\n",
        '    return arrived.blocks if segment.stage.value == "confirmed" else ()\n',
        first=SPENDING,
    ),
    Fault(
        "block settled without its end",
        "falcon_balances/domain/blocks.py",
        "    return replace(part, additions=additions, block_writes=tuple(ends)) "
        "if ends else part\n",
        "    return replace(part, additions=additions, block_writes=()) if ends else part\n",
        first=SPENDING,
    ),
    Fault(
        "block checked, then written",
        "lambdas/systems_api/blocking.py",
        "        outcomes = store.transact(block_writes(block, logged))\n",
        "        (balance,) = store.balances(block.merchant_id)\n"
        "        writes = block_writes(block, logged)\n"
        "        if balance.available >= block.amount:\n"
        "            writes[1] = replace(writes[1], available_min=None)\n"
        "        outcomes = store.transact(writes)\n",
        first=SPENDING,
    ),
    Fault(
        "block settled without the condition that it is active",
        "falcon_balances/domain/table_writes.py",
        '        return there.get("status") == "active" and is_due\n',
        "        return is_due\n",
        first=SPENDING,
    ),
    Fault(
        "payout decided again on a retry",
        "lambdas/payout_decider/handler.py",
        "        if isinstance(found, ClaimV1):\n            return found\n",
        "        if isinstance(found, ClaimV1):\n            return ours\n",
        first=SPENDING,
    ),
    Fault(
        "an outcome not announced",
        "lambdas/payout_announcer/handler.py",
        "        topic.announce(outcome)\n",
        "        if message.rejection is None:\n            topic.announce(outcome)\n",
        first=SPENDING,
    ),
    Fault(
        "returns added up without their limit",
        "falcon_balances/fakes/storage.py",
        "        if payout.returned > paid - amount:\n",
        "        if amount > paid:\n",
        first=SPENDING,
    ),
    Fault(
        "a logged payout taken off twice",
        "falcon_balances/domain/blocks.py",
        "        return self.available + self.payouts - blocked\n",
        "        return self.available - blocked\n",
        first=("tests/component/test_high_risk_payouts.py",),
    ),
    Fault(
        "payout's block expires",
        "falcon_balances/domain/payouts.py",
        "        created_at=now,\n",
        "        created_at=now,\n        expiry=now,\n",
        first=SPENDING,
    ),
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
)


def is_found(fault: Fault) -> bool:
    with tempfile.TemporaryDirectory() as folder:
        for name in COPIED:
            source = ROOT / name
            if source.is_dir():
                ignored = shutil.ignore_patterns("__pycache__")
                shutil.copytree(source, Path(folder) / name, ignore=ignored)
            else:
                shutil.copy(source, folder)
        target = Path(folder) / fault.path
        code = target.read_text()
        if code.count(fault.before) != 1:
            raise SystemExit(f"{fault.name}: its place in {fault.path} is not there, or not once")
        target.write_text(code.replace(fault.before, fault.after))
        # Not both at once: pytest would sort the first ones in where they lie.
        return any(_fails(Path(folder), tests) for tests in (fault.first, ("tests/property",)))


def _fails(folder: Path, tests: Sequence[str]) -> bool:
    tested = subprocess.run(
        [
            *(sys.executable, "-m", "pytest", *tests),
            *("-q", "-x", "--no-header", "-p", "no:cacheprovider"),
            "--hypothesis-profile=planted",
        ],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(folder)},  # noqa: TID251 - passed on
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
    )
    # 1 is pytest's "tests ran and failed"; anything else would say nothing about the fault.
    return tested.returncode == 1


def main(names: Sequence[str]) -> int:
    faults = [fault for fault in FAULTS if not names or fault.name in names]
    missed = 0
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for fault, found in zip(faults, pool.map(is_found, faults), strict=True):
            missed += not found
            sys.stdout.write(f"{'found ' if found else 'MISSED'}  {fault.name}\n")
            sys.stdout.flush()
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
