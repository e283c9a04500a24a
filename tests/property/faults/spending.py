"""Faults in what sets money aside, pays it out and takes refunds: blocks, payouts, returns."""

from tests.property.faults.fault import Fault

SPENDING = ("tests/property/test_races.py", "tests/property/test_spending.py")
NEGATIVE = ("tests/component/test_negative_since.py",)

SPENDING_FAULTS = (
    Fault(
        "a block ended for one of two merchants",
        "lambdas/persister/linking.py",
        "    return tuple(each for each in blocks if each.merchant_id not in named)\n",
        "    return tuple(each for each in blocks[:1] if each.merchant_id not in named)\n",
        first=("tests/component/test_authorization_ends.py",),
    ),
    Fault(
        "two authorizations above the sale",
        "falcon_balances/domain/refund_authorization.py",
        "            at_least=left if authorization.sale_is_known else None,\n",
        "            at_least=None,\n",
        first=("tests/component/test_authorization_limits.py",),
    ),
    Fault(
        "an authorization although the refund is claimed",
        "falcon_balances/fakes/storage.py",
        "in self.claims for stage in PSP_STAGES):\n",
        "in self.claims for stage in PSP_STAGES[:1]):\n",
        first=("tests/component/test_authorizations.py",),
    ),
    Fault(
        "block expired before its time",
        "lambdas/expirer/handler.py",
        "    for partition in expiry_partitions():\n",
        "    from datetime import timedelta\n"
        "    now += timedelta(minutes=1)\n"
        "    for partition in expiry_partitions():\n",
        first=("tests/component/test_expirer.py",),
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
        first=("tests/component/test_blocks_in_reducer.py",),
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
        first=("tests/component/test_payouts.py",),
    ),
    Fault(
        "returns added up without their limit",
        "falcon_balances/fakes/storage.py",
        "        if payout.returned > paid - amount:\n",
        "        if amount > paid:\n",
        first=("tests/component/ports/test_payout_return_claims.py",),
    ),
    Fault(
        "payout's block expires",
        "falcon_balances/domain/payouts.py",
        "        created_at=now,\n",
        "        created_at=now,\n        expiry=now,\n",
        first=SPENDING,
    ),
    Fault(
        "a balance left negative by the expirer of its block",
        "lambdas/expirer/handler.py",
        "    store.set_negative_since(block.balance_key, None)\n    return True\n",
        "    return True\n",
        first=NEGATIVE,
    ),
    Fault(
        "a balance left negative by the release of its block",
        "lambdas/systems_api/blocking.py",
        "            store.set_negative_since(block.balance_key, None)\n",
        "",
        first=NEGATIVE,
    ),
    Fault(
        "a balance left negative by the end of its authorization",
        "falcon_balances/adapters/authorizing.py",
        "                store.set_negative_since(block.balance_key, None)\n",
        "                pass\n",
        first=NEGATIVE,
    ),
    Fault(
        "a balance left negative by a refund that is counted on another",
        "lambdas/reducer/counting.py",
        "                ports.store.set_negative_since(block.balance_key, None)\n",
        "",
        first=NEGATIVE,
    ),
)
