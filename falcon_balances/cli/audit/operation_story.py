"""One operation's whole story, as far as the sources at hand can tell it."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Final

from falcon_balances.adapters.balance_store import DynamoBalanceStore
from falcon_balances.adapters.merchant_directory import DynamoMerchantDirectory
from falcon_balances.adapters.merchant_reads import DynamoMerchantReads
from falcon_balances.audit.applied_fees import applied_fees
from falcon_balances.audit.inclusion import Inclusion, inclusions
from falcon_balances.audit.log_objects import Selection
from falcon_balances.cli import tracing
from falcon_balances.cli.audit.story_figures import accounts_of, event_of, standings_of
from falcon_balances.cli.audit.story_sources import Found, Sources
from falcon_balances.cli.target import Target
from falcon_balances.contracts.claims import ClaimV1
from falcon_balances.contracts.log_objects import FlawedObjectError, read_strictly
from falcon_balances.contracts.merchant_contexts import context_document
from falcon_balances.contracts.operation_documents import LineV1, SetAsideV1
from falcon_balances.domain.counting import ItemKey, merchant_pk, standing_sk
from falcon_balances.domain.history import block_ids
from falcon_balances.domain.identity import (
    operation_id_of_reference,
    payout_operation_id,
    payout_return_id,
)
from falcon_balances.domain.instants import rfc3339
from falcon_balances.domain.log_format import merchant_of
from falcon_balances.domain.merchant_context import ContextKey
from falcon_balances.domain.operations import (
    PSP_STAGES,
    PSP_TYPES,
    BalanceOperation,
    OperationType,
    Stage,
    main_line,
)
from falcon_balances.domain.standing import Standing

ENVIRONMENT: Final = "not looked at: needs the environment, without --log FOLDER"
_ORIGINAL: Final = (
    "not looked at: needs the PSP's event; claim and log hold of original_reference no more than"
    " the fingerprint that it is part of"
)
_STAGES: Final = list(Stage)


@dataclass(slots=True)
class Story:
    document: dict[str, Any]
    problems: list[tuple[str, str]]


def tell(sources: Sources, operation_id: str) -> Story | None:
    """None where no source knows the operation."""
    return _Telling(sources, operation_id).tell()


class _Telling:
    def __init__(self, sources: Sources, operation_id: str) -> None:
        self._sources = sources
        self._target = sources.target
        self._id = operation_id
        self._problems: list[tuple[str, str]] = []

    def tell(self) -> Story | None:
        claims = [] if self._target is None else tracing.claims_of(self._target, self._id)
        sealed, problems = inclusions(self._sources.all_manifests(), self._id, self._sources.key())
        self._problems += problems
        found = self._objects(claims, sealed)
        if not claims and not found:
            return None
        for each in found.values():
            self._read(each)
            self._compare(each)
        objects = sorted(found.values(), key=lambda each: (_STAGES.index(each.stage), each.key))
        lines = [line for each in objects for line in each.lines]
        main = main_line(lines) if lines else None
        document: dict[str, Any] = {"falcon_operation_id": self._id}
        if main is not None:
            document |= {
                "type": main.type.value,
                "psp_id": main.psp_id,
                "external_reference": main.external_reference,
            }
        stages = sorted(
            {each.stage for each in objects} | {claim.stage for claim in claims}, key=_STAGES.index
        )
        document["stages"] = [
            self._stage(
                stage,
                next((claim for claim in claims if claim.stage is stage), None),
                [each for each in objects if each.stage is stage],
            )
            for stage in stages
        ]
        document["standings"] = standings_of(objects)
        document["accounts"] = accounts_of(objects)
        document |= self._of_tables(sorted({each.merchant_id for each in objects}))
        if main is not None:
            document |= self._related(objects[0].merchant_id, main)
        document["problems"] = [{"place": p, "what": w} for p, w in sorted(self._problems)]
        return Story(document, sorted(self._problems))

    def _objects(self, claims: Sequence[ClaimV1], sealed: Iterable[Inclusion]) -> dict[str, Found]:
        found: dict[str, Found] = {}
        for claim in claims:
            for segment in claim.segments:
                found[segment.log_key] = Found(segment.log_key, claim, segment)
        for each in sealed:
            if merchant_of(each.key) is None:
                self._say(each.key, "sealed, and no key of the log")
                continue
            known = found.setdefault(each.key, Found(each.key))
            if known.sealed is not None:
                self._say(each.key, "it was sealed more than once")
            known.sealed = known.sealed or each
        merchants = {each.merchant_id for each in found.values()}
        for selection in self._searched(claims, merchants):
            for key in self._sources.log.keys_of(selection, self._id):
                found.setdefault(key, Found(key))
        return found

    def _searched(self, claims: Sequence[ClaimV1], merchants: Iterable[str]) -> list[Selection]:
        """Where objects may lie that no claim names. A folder is looked through as a whole."""
        if self._target is None or not claims:
            return [Selection()]
        known = {claim.stage for claim in claims}
        family = PSP_STAGES if known & set(PSP_STAGES) else ()
        missing = [stage for stage in family if stage not in known]
        return [Selection(each, stage) for each in sorted(merchants) for stage in missing]

    def _read(self, found: Found) -> None:
        """The first version, for that is the one that was sealed."""
        versions = self._sources.versions
        if versions is None:
            try:
                found.body = self._sources.log.read(found.key)
            except OSError:
                return
        else:
            listing = versions.of(found.key)
            if listing.odd:
                self._say(found.key, "it has more than one version, or a delete marker")
            for version in listing.new:
                body = versions.read(version)
                found.body, found.version_id = body, version.version_id

    def _compare(self, found: Found) -> None:
        claimed = None
        if found.claim is not None and found.claimed is not None:
            claimed = found.claim.body_of(found.claimed).encode()
            found.lines = found.claim.lines_of(found.claimed)
        if found.body is None:
            self._say_missing(found)
            return
        try:
            found.lines = read_strictly(found.key, found.body).lines
        except FlawedObjectError as flaw:
            self._say(found.key, f"flawed: {flaw}")
        if claimed is not None and found.body != claimed:
            self._say(found.key, "its bytes are not those that were claimed")
        if self._target is not None and found.claim is None:
            self._say(found.key, "it is in the log, and no claim says so")
        self._compare_sealed(found, found.body)

    def _compare_sealed(self, found: Found, body: bytes) -> None:
        if found.sealed is None:
            return
        if sha256(body).hexdigest() != found.sealed.sha256:
            self._say(found.key, "its bytes are not those that were sealed")
        if found.version_id not in (None, found.sealed.version_id):
            self._say(found.key, "its version is not the one that was sealed")
        if found.sealed.problem is not None:
            self._say(found.key, f"{found.sealed.manifest}: {found.sealed.problem}")

    def _say_missing(self, found: Found) -> None:
        """What is only decided, or on its way, is not logged yet; what was sealed was there."""
        state = None if found.claim is None else found.claim.state
        if found.sealed is not None or state in (None, "paid"):
            self._say(found.key, "it is not in the log")

    def _say(self, place: str, what: str) -> None:
        self._problems.append((place, what))

    def _stage(self, stage: Stage, claim: ClaimV1 | None, objects: list[Found]) -> dict[str, Any]:
        lines = [line for each in objects for line in each.lines]
        said: dict[str, Any] = {"stage": stage.value, "event": event_of(lines)}
        if claim is None:
            said["claim"] = ENVIRONMENT if self._target is None else "there is none"
            said["contexts"] = said["claim"]
        else:
            said["claim"] = {
                "fingerprint": claim.fingerprint,
                "received_at": claim.received_at,
                **{
                    name: value
                    for name in ("state", "available", "corrects")
                    if (value := getattr(claim, name)) is not None
                },
            }
            said["contexts"] = [self._context(version, lines) for version in claim.context_versions]
        said["segments"] = [self._segment(each) for each in objects]
        return said

    def _context(self, version: str, lines: Sequence[BalanceOperation]) -> dict[str, Any]:
        """`fees_expected` beside `fees_charged`: worked out again from the context in force."""
        assert self._target is not None  # noqa: S101 - a claim was read from it
        key = ContextKey(*version.partition("@")[0].split("|"))
        directory = DynamoMerchantDirectory(
            self._target.client("dynamodb"), self._target.context_table
        )
        history = directory.histories([key]).get(key, ())
        context = next((each for each in history if each.claimed_as == version), None)
        said: dict[str, Any] = {"version": version}
        if context is None:
            self._say(version, "the context table has no such version")
            return said
        said["merchant_id"] = context.merchant_id
        applied = applied_fees(context, lines)
        if applied is None:
            return said
        if applied.expected != applied.charged:
            self._say(version, "the fee is not the one that its context charges")
        documents: Any = context_document(context)["fees"]
        fees = [
            document
            for fee, document in zip(context.fees, documents, strict=True)
            if fee in applied.fees
        ]
        charged = {"fees_expected": str(applied.expected), "fees_charged": str(applied.charged)}
        return said | {"fees": fees, **charged}

    def _segment(self, found: Found) -> dict[str, Any]:
        body = found.body
        in_log = "no" if body is None else {"sha256": sha256(body).hexdigest(), "size": len(body)}
        if isinstance(in_log, dict) and found.version_id is not None:
            in_log["version_id"] = found.version_id
        return {
            "merchant_id": found.merchant_id,
            "log_key": found.key,
            "in_log": in_log,
            "sealed": self._sealed(found.sealed),
            "counted": self._counted(found),
            "lines": [LineV1.of(line).model_dump(mode="json") for line in found.lines],
        }

    def _sealed(self, sealed: Inclusion | None) -> object:
        if sealed is None:
            if self._target is None and self._sources.manifests is None:
                return "not looked at: needs --manifests"
            return "in no manifest yet"
        proof = "does not hold" if sealed.problem else "holds"
        if sealed.is_signed is None:
            proof += "; its signature was not looked at: needs --public-key"
        return {
            "manifest": sealed.sequence,
            "root": sealed.root,
            "leaf_index": sealed.leaf_index,
            "sha256": sealed.sha256,
            "version_id": sealed.version_id,
            "proof": proof,
        }

    def _counted(self, found: Found) -> object:
        if self._target is None:
            return ENVIRONMENT
        marks = self._reads(self._target, found.merchant_id).marks_of(self._id)
        mark = next((each for each in marks if each.stage is found.stage), None)
        if mark is None:
            return "not yet"
        if found.lines and mark.lines != found.lines:
            self._say(found.key, "what was counted is not what it says")
        return {"window": rfc3339(mark.window), "order": mark.order}

    def _reads(self, target: Target, merchant_id: str) -> DynamoMerchantReads:
        return DynamoMerchantReads(
            target.client("dynamodb"), target.balances_table, target.claims_table, merchant_id
        )

    def _of_tables(self, merchants: Sequence[str]) -> dict[str, object]:
        """What only the table of balances knows: block, corrections, and what is awaited."""
        if self._target is None:
            return dict.fromkeys(("blocks", "corrected_by", "pairing"), ENVIRONMENT)
        store = DynamoBalanceStore(self._target.client("dynamodb"), self._target.balances_table)
        reads = [self._reads(self._target, each) for each in merchants]
        keys = [ItemKey(merchant_pk(each), standing_sk(self._id)) for each in merchants]
        found = store.items(keys)
        standings = {key: Standing.from_attributes(key, said) for key, said in found.items()}
        blocks = [
            block
            for each in reads
            for name in block_ids(self._id, each.marks_of(self._id))
            if (block := each.block(name)) is not None
        ]
        return {
            "blocks": [SetAsideV1.of(each).model_dump(mode="json") for each in blocks],
            "corrected_by": sorted({id_ for each in reads for id_ in each.corrections(self._id)}),
            "pairing": {
                key.pk.removeprefix(merchant_pk("")): each.disagreement.value
                for key, each in standings.items()
                if each.disagreement is not None
            }
            or "nothing is awaited",
        }

    def _related(self, merchant_id: str, main: BalanceOperation) -> dict[str, object]:
        reference = main.external_reference
        if main.type is OperationType.WITHDRAWAL:
            returned = payout_return_id(merchant_id, reference)
            return {"returned_by": returned if self._knows(returned) else None}
        if main.type is OperationType.WITHDRAWAL_REVERSAL:
            return {"returns": payout_operation_id(merchant_id, reference)}
        if main.type not in PSP_TYPES:
            return {}
        others = {
            kind: operation_id_of_reference(main.psp_id, kind, reference)
            for kind in OperationType
            if kind in PSP_TYPES and kind is not main.type
        }
        said: dict[str, object] = {
            "same_reference": {
                kind.value: other for kind, other in others.items() if self._knows(other)
            }
        }
        return said if main.type is OperationType.CAPTURE else said | {"original": _ORIGINAL}

    def _knows(self, operation_id: str) -> bool:
        if self._target is not None:
            return bool(tracing.claims_of(self._target, operation_id))
        return any(True for _ in self._sources.log.keys_of(Selection(), operation_id))
