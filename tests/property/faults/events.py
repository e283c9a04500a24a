"""Faults on an event's way from its queue to the log and the stream."""

from tests.property.faults.fault import Fault

REVISING = ("tests/component/test_revisions.py",)
SPLIT_UP = ("tests/unit/domain/test_splitting.py",)
GRAMMAR = ("tests/audit/test_one_grammar.py",)

EVENTS_FAULTS = (
    Fault(
        "earlier revisions not brought to the stream again",
        "lambdas/publisher/handler.py",
        "    for revision in message.earlier:\n",
        "    for revision in message.earlier[:0]:\n",
        first=REVISING,
    ),
    Fault(
        "earlier revisions read one after the other",
        "lambdas/publisher/handler.py",
        "    return dict(zip(wanted, run(read, wanted), strict=True))\n",
        "    return dict(zip(wanted, map(read, wanted), strict=True))\n",
        first=("tests/component/test_publisher.py",),
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
        "versions=append_claimed(log, decided.claim),",
        'versions=("none",) * len(decided.claim.segments),',
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
        first=("tests/component/test_persister.py",),
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
        "    return logged_version(log, key, logged.body) if version_id is None else version_id\n",
        "    if version_id is None:\n"
        "        raise IntegrityError(f'{key}: there already')\n"
        "    return version_id\n",
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
        "lines numbered by merchant instead of by balance",
        "falcon_balances/domain/splitting.py",
        "        n = numbers.get(number_key, 0)\n        numbers[number_key] = n + 1\n",
        '        of_merchant = (merchant_id, "", line_type)\n'
        "        n = numbers.get(of_merchant, 0)\n"
        "        numbers[of_merchant] = n + 1\n",
        first=("tests/unit/domain/test_identity.py",),
    ),
    Fault(
        "an internal failure of the stream taken as acknowledged",
        "falcon_balances/adapters/balance_stream.py",
        'if record.get("ErrorCode")]\n',
        'if "Throughput" in record.get("ErrorCode", "")]\n',
        first=("tests/component/test_publisher.py",),
    ),
    Fault(
        "a merchant's log read without one of its stages",
        "falcon_balances/adapters/transaction_log.py",
        "        for stage in Stage:\n",
        "        for stage in (Stage.CONFIRMED, Stage.RECONCILED, Stage.PAYOUT):\n",
        first=("tests/component/ports/test_transaction_log.py",),
    ),
    Fault(
        "other bytes in the log under our fingerprint taken as ours",
        "falcon_balances/adapters/transaction_log.py",
        "    if found.body != body:\n",
        "    if not found.body:\n",
        first=("tests/component/test_persister.py",),
    ),
)
