"""Every path that needs a grant, on the embedded AWS: run again and again until all came about."""

from collections.abc import Callable, Collection
from datetime import datetime
from http import HTTPStatus
from itertools import count
from time import monotonic
from typing import Any

from falcon_balances.adapters.balance_store import DynamoBalanceStore
from falcon_balances.adapters.closings import DynamoClosings
from falcon_balances.adapters.findings import DynamoFindings
from falcon_balances.cli import api
from falcon_balances.cli.target import Target
from falcon_balances.cli.token import merchant_token
from falcon_balances.domain.balances import Balance
from falcon_balances.domain.blocks import BlockStatus, manual_block_id
from falcon_balances.domain.closings import ClosedDay
from falcon_balances.domain.findings import FindingKind
from tests.builders import confirmed, raw, reconciled, shop
from tests.e2e import observed
from tests.e2e.path_events import (
    CONFIRMED,
    EARLY,
    GOOD,
    MERCHANT,
    OWN,
    PAIRED,
    REFUSED,
    REVISED,
    RISKY,
    SEND_AGAIN_S,
    TAKEN_BACK,
    TOO_EARLY,
    UNMADE,
    adjustment,
    block,
    day_before,
    early,
    is_let_go,
    load_merchants,
    payout,
    reads_until,
    returned,
    statement_arrives,
)


class EveryPath:
    """Good, repeated, revised, unknown and broken messages in all stages, records that are not ours
    or come too early, what does not fit until its sale comes, cuts, a merchant who asks, and
    systems that ask and set money aside. All may be repeated at will.
    """

    def __init__(self, target: Target) -> None:
        self.target = target
        self.token = merchant_token(target, MERCHANT)
        self._store = DynamoBalanceStore(target.client("dynamodb"), target.balances_table)
        self._closings = DynamoClosings(target.client("dynamodb"), target.balances_table)
        self._findings = DynamoFindings(target.client("dynamodb"), target.balances_table)
        self._systems: dict[str, int] = {}
        self._numbers = count()
        self._sent_at = 0.0
        self._sealed_again = False
        self._sealed_to: datetime | None = None
        self._early = "early"
        self._was_found = False
        self._reconciled = False
        load_merchants(target)

    def _send(self, stage: str, *bodies: bytes) -> None:
        observed.send(self.target, stage, [body.decode() for body in bodies])

    def bring_money(self) -> None:
        good = raw(confirmed(external_reference="good"))
        self._send("confirmed", good, b"broken", raw(confirmed(local_merchant_id="nobody")))
        self._send("confirmed", good, raw(confirmed(external_reference="other")))
        risky = {"external_reference": "risky", **shop("risky")}
        self._send("confirmed", raw(confirmed(**risky)))
        good = raw(reconciled(external_reference="good"))
        self._send("reconciled", good, raw(reconciled(**risky)), b"broken")
        self._send("adjustment", adjustment("1.00"), b"broken")
        self._send("payout", b"broken")

    def _spend(self) -> None:
        paid = payout("paid", "10.00")
        self._send("payout", paid, paid, payout("too-much", "1000.00"))
        self._send("payout", payout("risky", "10.00", "risky"))
        self._send("confirmed", raw(confirmed(external_reference="back", **TAKEN_BACK)))

    def _to_stream(self, *records: bytes) -> None:
        for record in records:
            self.target.client("kinesis").put_record(
                StreamName=self.target.stream, Data=record, PartitionKey=MERCHANT
            )

    def _ask_systems(self) -> None:
        own, risky = f"{OWN}/blocks", f"merchants/{RISKY.merchant_id}"
        self._ask("freshness", "GET", "freshness")
        for name, path in reads_until(self._store.as_of()).items():
            self._ask(name, "GET", path)
        self._ask("block", "POST", own, block("1.00"))
        self._ask("expiring", "POST", own, block("1.00", expires_in_seconds=1))
        self._ask("too much", "POST", own, block("1000.00"), wanted={409})
        self._ask("risky", "POST", f"{risky}/blocks", block("1.00", "risky"))
        refund = {"psp_id": RISKY.key.psp_id, "external_reference": "refund", **shop("risky")}
        refund |= {"amount": "1.00", "currency": "EUR"}
        self._ask("refund", "POST", f"{risky}/refund-authorizations", refund)
        # Of a sale, so that something is set aside of that as well; and nobody makes it.
        refund |= {**shop("5553"), **UNMADE, "expires_in_seconds": 1}
        self._ask("unmade", "POST", f"{OWN}/refund-authorizations", refund)
        block_id = manual_block_id(MERCHANT, "block")
        self._ask("shown", "GET", f"{own}/{block_id}")
        self._ask("listed", "GET", own)
        self._ask("released", "POST", f"{own}/{block_id}/release")

    def stir(self) -> None:
        """Everything that is asked for of several resources, once more, and what comes of it."""
        number = next(self._numbers)
        self._to_stream(*early(self._early)[::-1])  # no cut passes what waits
        self._early = f"early-{number}"
        self._sealed_to = self._store.as_of()
        self._invoke("cutter")
        more = returned("paid", "0.01", return_id=f"again-{number}")
        self._send("payout", payout(f"again-{number}", "0.01"), more)
        self._send("payout", payout(f"risky-{number}", "0.01", "risky"))
        # A refusal looks for its claim, a refund for what was set aside for it.
        self._send("confirmed", raw(confirmed(local_merchant_id=f"nobody-{number}")))
        self._send("confirmed", raw(confirmed(external_reference="back", **TAKEN_BACK)))
        self._to_stream(f"not ours {number}".encode())
        reads = reads_until(self._store.as_of()).values()
        for path in reads:
            observed.ask(self.target, path, self.token)
        block_id = manual_block_id(MERCHANT, "block")
        # Nobody by that name: known merchants are remembered for a while.
        nobody = f"merchants/nobody-{number}/blocks"
        for path in (*reads, "freshness", f"{OWN}/blocks/{block_id}", nobody):
            api.call(self.target, "GET", f"systems/{path}")

    def seal_once_cut(self) -> None:
        """Seals and reconciles what lies before the cut, once a cut is complete after `stir`: the
        sealer reads up to one. Nobody waits a minute for it. No cut of a batch with a record that
        waits is met, so that comes last.
        """
        if self._sealed_to is None:
            return
        if self._store.as_of() == self._sealed_to:
            self._invoke("cutter")
            return
        self._sealed_to = None
        self._invoke("sealer")
        self._reconcile()
        self._to_stream(early(self._early)[0])

    def _ask(
        self,
        name: str,
        method: str,
        path: str,
        body: dict[str, Any] | None = None,
        wanted: Collection[int] = (HTTPStatus.OK, HTTPStatus.CREATED),
    ) -> None:
        """A key decides once, so asking again does no harm; it ends when it is answered well."""
        if self._systems.get(name) in wanted:
            return
        headers = {"Idempotency-Key": name.replace(" ", "-")}
        answer = api.call(self.target, method, f"systems/{path}", body=body, headers=headers)
        self._systems[name] = answer.status

    def _invoke(self, function: str) -> bool:
        """Whether it came to its end."""
        name = f"falcon-balances-local-{function}"
        return "FunctionError" not in self.target.client("lambda").invoke(FunctionName=name)

    def _seal(self) -> None:
        """The first run of the sealer finds no manifest to go on from, the second one does."""
        manifests = self.target.client("s3").list_objects_v2(Bucket=self.target.manifest_bucket)
        self._invoke("cutter")
        self._sealed_again = self._invoke("sealer") and manifests["KeyCount"] > 0

    def _reconcile(self) -> None:
        """What was replaced is compared anew, and settles; what is new is looked for in that."""
        statement_arrives(self.target, "bank", "good,100.00", next(self._numbers))
        self._invoke("reconciler")
        settled = self.target.client("s3").list_objects_v2(
            Bucket=self.target.bank_statement_bucket, Prefix="settled/"
        )
        number = next(self._numbers)
        statement_arrives(self.target, f"again-{number}", f"nobody-{number},1.00", number)
        self._reconciled = self._invoke("reconciler") and settled["KeyCount"] > 0

    def _close(self) -> None:
        """As if the day before yesterday had been closed: no path waits for midnight."""
        self._closings.advance(None, ClosedDay(day_before(2)))
        self._invoke("closer")

    def go_on(self) -> list[str]:
        """Whatever can be done now; the names of what did not come about yet."""
        missing = [name for name, came_about in self._checks().items() if not came_about()]
        has_money = not {"confirmed", "adjusted"} & set(missing)
        if has_money:
            self._ask_systems()
        if monotonic() - self._sent_at > SEND_AGAIN_S:
            self._sent_at = monotonic()
            self._send_for(missing, has_money=has_money)
        if "as_of" in missing:
            self._invoke("cutter")
        elif "closed" in missing:
            self._close()
        if {"expired", "let go"} & set(missing):
            self._invoke("expirer")
        if has_money and "sealed" in missing:
            self._seal()
        if "sealed" not in missing and "reconciled" in missing:
            self._reconcile()
        return missing

    def _send_for(self, missing: list[str], *, has_money: bool) -> None:
        if not has_money or "refused" in missing:
            self.bring_money()
            self._to_stream(b"not ours", early("early")[0])
        elif "payouts" in missing:
            self._spend()
        elif "returned" in missing:
            # Its payout as well: counted already, it may have been denied to say that it is paid.
            self._send("payout", payout("paid", "10.00"), returned("paid", "10.00"))
        if has_money and "paired" in missing:
            # What is awaited is there by now, and goes.
            self._send("reconciled", raw(reconciled(external_reference="other")))
        if has_money and "revised" in missing:
            less = confirmed(external_reference="good", amount="99.00", **REVISED)
            self._send("confirmed", raw(less))
        if has_money and "fits" in missing:
            fits = TOO_EARLY if not self._is_found() else confirmed(external_reference="late")
            self._send("confirmed", raw(fits))
        if "refused" not in missing and "caught up" in missing:
            self._to_stream(*early("early")[::-1])

    def _checks(self) -> dict[str, Callable[[], bool]]:
        return {
            "confirmed": lambda: self._counted(*CONFIRMED) and self._risky().available > 0,
            "paired": lambda: self._counted(f"{PAIRED}#reconciled"),
            "revised": lambda: self._counted(f"{GOOD}#confirmed.2"),
            "caught up": lambda: self._counted(f"{EARLY}#confirmed.2"),
            "fits": self._fits,
            "adjusted": lambda: self._balance(MERCHANT).adjusted > 0,
            "refused": self._are_refused,
            "payouts": lambda: self._risky().withdrawn > 0 and self._is_paid(),
            "returned": lambda: self._is_paid() and self._balance(MERCHANT).withdrawn == 0,
            "systems": self._are_answered,
            "expired": lambda: self._blocks().get("expiring") == BlockStatus.EXPIRED,
            "let go": lambda: is_let_go(self._store),
            "sealed": lambda: self._sealed_again,
            "reconciled": lambda: self._reconciled,
            "as_of": lambda: self._store.as_of() is not None,
            "closed": lambda: (self._closings.closed_day().day or "") >= day_before(1),
            "api": lambda: self._statuses() == {HTTPStatus.OK},
        }

    def _statuses(self) -> set[int]:
        paths = reads_until(self._store.as_of()).values()
        return {observed.ask(self.target, path, self.token)[0] for path in paths}

    def _counted(self, *operations: str) -> bool:
        return {(MERCHANT, each) for each in operations} <= observed.marks(self.target)

    def _risky(self) -> Balance:
        return self._balance(RISKY.merchant_id)

    def _balance(self, merchant_id: str) -> Balance:
        return next(iter(self._store.balances(merchant_id)), Balance("", observed.EUR))

    def _blocks(self) -> dict[str, str]:
        return {block.reference: block.status for block in self._store.blocks_of(MERCHANT)}

    def _is_found(self) -> bool:
        """From then on for ever: its sale comes, and it goes."""
        self._was_found = self._was_found or not self._fits_now()
        return self._was_found

    def _fits(self) -> bool:
        return self._is_found() and self._fits_now()

    def _fits_now(self) -> bool:
        found = self._findings.of(MERCHANT)
        return all(each.kind is not FindingKind.UNKNOWN_SALE for each in found)

    def _is_paid(self) -> bool:
        return self._blocks().get("paid") == BlockStatus.SETTLED

    def _are_refused(self) -> bool:
        """By key: what was sent again is refused again, under the same."""
        keys = {each.key for each in observed.quarantined(self.target)}
        found = [key.partition("/")[0] for key in keys]
        return {source: found.count(source) for source in REFUSED} == REFUSED

    def _are_answered(self) -> bool:
        good = {HTTPStatus.OK, HTTPStatus.CREATED}
        bad = {name for name, status in self._systems.items() if status not in good}
        return bool(self._systems) and bad == {"too much"}
