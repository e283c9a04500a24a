"""Collects everything about one operation from the given sources."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Final

from falcon_balances.adapters.balance_store import DynamoBalanceStore
from falcon_balances.audit.inclusion import Inclusion, inclusions
from falcon_balances.audit.log_objects import Selection
from falcon_balances.cli import tracing
from falcon_balances.cli.audit import naming
from falcon_balances.cli.audit.story_contexts import contexts_of
from falcon_balances.cli.audit.story_figures import accounts_of, event_of, standings_of
from falcon_balances.cli.audit.story_relations import related
from falcon_balances.cli.audit.story_sources import Found, Sources
from falcon_balances.contracts.claims import ClaimV1
from falcon_balances.contracts.log_objects import FlawedObjectError, read_strictly
from falcon_balances.contracts.operation_documents import LineV1
from falcon_balances.contracts.operation_story import OperationStory
from falcon_balances.contracts.operation_story_documents import SetAsideV1
from falcon_balances.domain.instants import rfc3339
from falcon_balances.domain.log_keys import merchant_of
from falcon_balances.domain.operations import (
    PSP_STAGES,
    BalanceOperation,
    Stage,
    main_line,
    staged,
)
from falcon_balances.domain.payout_states import PayoutState
from falcon_balances.domain.standing import Standing
from falcon_balances.domain.table_keys import ItemKey, StandingKey, merchant_pk, parse_merchant_pk

ENVIRONMENT: Final = "not checked: requires the environment, without --log FOLDER"
_STAGES: Final = list(Stage)


@dataclass(slots=True)
class Story:
    document: dict[str, Any]
    problems: list[tuple[str, str]]


def tell(sources: Sources, operation_id: str) -> Story | None:
    """The story; None if no source knows the operation."""
    return _Telling(sources, operation_id).tell()


class _Telling:
    def __init__(self, sources: Sources, operation_id: str) -> None:
        self._sources = sources
        self._target = sources.target
        self._id = operation_id
        self._told: OperationStory | None = None
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
        merchants = sorted({each.merchant_id for each in objects})
        if self._target is not None:
            self._told = tracing.read(self._target, self._id, claims, merchants)
        document["stages"] = self._stages(claims, objects)
        document["standings"] = standings_of(objects)
        document["accounts"] = accounts_of(objects)
        document |= self._of_tables(merchants)
        if main is not None:
            document["does_not_fit"] = naming.of_operation(
                self._sources.log,
                self._target,
                main,
                merchants,
                [each.sale.to_part().sale for each in claims if each.sale is not None],
            )
            document |= related(self._sources, objects[0].merchant_id, main, self._told)
        document["problems"] = [{"place": p, "what": w} for p, w in sorted(self._problems)]
        return Story(document, sorted(self._problems))

    def _stages(self, claims: Sequence[ClaimV1], objects: list[Found]) -> list[dict[str, Any]]:
        """The revisions in order. An event's amounts are the sums of all revisions up to it."""
        names = {(each.stage, each.revision) for each in claims}
        names |= {(each.stage, each.revision) for each in objects}
        said = []
        before: dict[Stage, list[BalanceOperation]] = {}
        for stage, revision in sorted(names, key=lambda name: (_STAGES.index(name[0]), name[1])):
            own = [each for each in objects if (each.stage, each.revision) == (stage, revision)]
            so_far = before.setdefault(stage, [])
            so_far += (line for each in own for line in each.lines)
            claim = next((e for e in claims if (e.stage, e.revision) == (stage, revision)), None)
            event = event_of([line for each in own for line in each.lines], so_far)
            said.append(
                {"stage": stage.value, "revision": revision, "event": event}
                | self._claimed(claim, own)
                | {"segments": [self._segment(each) for each in own]}
            )
        return said

    def _objects(self, claims: Sequence[ClaimV1], sealed: Iterable[Inclusion]) -> dict[str, Found]:
        found: dict[str, Found] = {}
        for claim in claims:
            for segment in claim.segments:
                found[segment.log_key] = Found(segment.log_key, claim, segment)
        for each in sealed:
            if merchant_of(each.key) is None:
                self._say(each.key, "sealed, but not a key of the log")
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
        """Selections for objects that no claim names. A folder is searched as a whole."""
        if self._target is None or not claims:
            return [Selection()]
        known = {claim.stage for claim in claims}
        family = PSP_STAGES if known & set(PSP_STAGES) else ()
        missing = [stage for stage in family if stage not in known]
        return [Selection(each, stage) for each in sorted(merchants) for stage in missing]

    def _read(self, found: Found) -> None:
        """Reads the object; from a bucket, its first version, because that version is sealed."""
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
            self._say(found.key, "its bytes differ from the claim")
        if self._target is not None and found.claim is None:
            self._say(found.key, "it is in the log, but no claim names it")
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
        """Reports a missing object. The object of a payout that is not paid may be missing, unless
        it was sealed.
        """
        state = None if found.claim is None else found.claim.state
        if found.sealed is not None or state in (None, PayoutState.PAID):
            self._say(found.key, "it is not in the log")

    def _say(self, place: str, what: str) -> None:
        self._problems.append((place, what))

    def _claimed(self, claim: ClaimV1 | None, objects: list[Found]) -> dict[str, Any]:
        if claim is None:
            nothing = ENVIRONMENT if self._target is None else "none"
            return {"claim": nothing, "contexts": nothing}
        names = ("state", "available", "corrects", "reason", "revised_at", "skipped_by")
        told = {name: value for name in names if (value := getattr(claim, name)) is not None}
        lines = [line for each in objects for line in each.lines]
        if claim.truth is not None:
            # The lines of a later revision are changes, so they do not show whole fees.
            lines = [line for each in claim.whole_truth() for line in each.lines]
        assert self._target is not None  # noqa: S101 - a claim was read from it
        contexts, problems = contexts_of(self._target, claim.context_versions, lines)
        self._problems += problems
        return {
            "claim": {"fingerprint": claim.fingerprint, "received_at": claim.received_at, **told},
            "contexts": contexts,
        }

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
                return "not checked: requires --manifests"
            return "in no manifest yet"
        proof = "does not hold" if sealed.problem else "holds"
        if sealed.is_signed is None:
            proof += "; its signature was not checked: requires --public-key"
        return {
            "manifest": sealed.sequence,
            "root": sealed.root,
            "leaf_index": sealed.leaf_index,
            "sha256": sealed.sha256,
            "version_id": sealed.version_id,
            "proof": proof,
        }

    def _counted(self, found: Found) -> object:
        if self._told is None:
            return ENVIRONMENT
        mark = self._told.mark(found.merchant_id, staged(found.stage, found.revision))
        if mark is None:
            return "not yet"
        if found.lines and mark.lines != found.lines:
            self._say(found.key, "its lines differ from what was counted")
        return {"window": rfc3339(mark.window), "order": mark.order}

    def _of_tables(self, merchants: Sequence[str]) -> dict[str, object]:
        """The parts that only the balances table has: block, corrections, and open amounts."""
        if self._target is None or self._told is None:
            return dict.fromkeys(("blocks", "corrected_by", "open"), ENVIRONMENT)
        store = DynamoBalanceStore(self._target.client("dynamodb"), self._target.balances_table)
        keys = [ItemKey(merchant_pk(each), StandingKey(self._id).sk) for each in merchants]
        found = store.items(keys)
        standings = {key: Standing.from_attributes(key, said) for key, said in found.items()}
        return {
            "blocks": [SetAsideV1.of(each).model_dump(mode="json") for each in self._told.blocks],
            "corrected_by": self._told.corrected_by,
            "open": {
                parse_merchant_pk(key.pk): each.disagreement.value
                for key, each in standings.items()
                if each.disagreement is not None
            },
        }
