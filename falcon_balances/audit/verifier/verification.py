"""The whole: every manifest, every object, every total."""

import json
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from hashlib import sha256
from multiprocessing import get_context
from pathlib import Path
from typing import Any, NamedTuple

from cryptography.hazmat.primitives.asymmetric import ec

from .chain import Chain, Manifest, manifests_in
from .events import Events
from .files import OBJECT_MAX_BYTES, VERSIONS_MAX_BYTES, read_plain
from .findings import NotWrittenSoError, Problem, Verified
from .hashing import canonical, leaf_hash, load_public_key, read_json, tree_root
from .objects import Checked, Noted, check_leaves
from .sums import Sums, Total, add_all, at_scale, balances_of, without

# How the leaf of an object begins, its fields being sorted.
OBJECT_LEAF = (b'{"flaw":', b'{"key":')
LEAVES_PER_TASK = 2_000
KEY_MAX = 1_024  # bytes of a key in S3


def verify(
    log: Path | None,
    manifests: Path,
    public_key: bytes,
    *,
    versions: Path | None = None,
    anchor: str | None = None,
    jobs: int = 1,
    advance: Callable[[int], None] = lambda _objects: None,
) -> Verified:
    """Everything, on Linux with so many processes. Raises NotWrittenSoError for a key that is none,
    and for a folder.

    `versions` is what `aws s3api list-object-versions` printed for the log's bucket; `anchor` the
    `head` of an earlier check, or what was published of it. Without `log` only manifests are read.
    """
    if log is not None and not log.is_dir():
        raise NotWrittenSoError(f"{log} is no folder")
    verification = _Verification(load_public_key(public_key), log)
    if jobs == 1 or sys.platform != "linux":
        return verification.run(manifests, versions, anchor, map, partial(found_in, log), advance)
    with ProcessPoolExecutor(jobs, mp_context=get_context("fork")) as pool:
        found = pool.submit(found_in, log).result
        return verification.run(manifests, versions, anchor, pool.map, found, advance)


class _Verification:
    def __init__(self, key: ec.EllipticCurvePublicKey, log: Path | None) -> None:
        self._done = Verified()
        self._problems = self._done.problems
        self._chain = Chain(key, self._problems)
        self._log = log
        self._knows_all = True
        """Until a manifest is missing: totals cannot be told from then on."""
        self._noted: dict[str, Noted] = {}
        self._objects: dict[str, int] = {}
        """Of each merchant the objects so far."""
        self._sums: dict[str, Sums] = {}
        self._unfound: dict[str, Sums] = {}
        self._unsummed: set[str] = set()
        """Merchants of whom a leaf cannot be added up: their sums cannot be told from then on."""
        self._events = Events()
        self._strays: list[tuple[str, str]] = []
        self._missing: list[tuple[str, str]] = []

    def run(
        self,
        manifests: Path,
        versions: Path | None,
        anchor: str | None,
        mapped: Callable[..., Iterable[Checked]],
        found: Callable[[], "Found"],
        advance: Callable[[int], None],
    ) -> Verified:
        for number, (sequence, path) in enumerate(manifests_in(manifests, self._problems), start=1):
            manifest = self._chain.read(sequence, path)
            self._knows_all &= number == sequence and manifest is not None
            if manifest is not None:
                self._done.manifests += 1
                self._read_leaves(manifest, mapped, advance)
        last_place = f"{max(self._chain.heads, default=0):08}.jsonl"
        self._problems += self._events.problems(last_place)
        if self._log is not None:
            self._find_strangers(self._log, found())
        if versions is not None:
            self._check_versions(versions)
        last = self._chain.last
        if last is not None:
            self._done.head = self._chain.heads[max(self._chain.heads)]
            self._done.sealed_until = last["sealed_until"]
        if anchor is not None and anchor not in self._chain.heads.values():
            self._say(str(manifests), "the manifest that the anchor names is not there")
        nothing: Sums = {}
        self._done.balances = list(
            balances_of(
                {
                    merchant: without(sums, self._unfound.get(merchant, nothing))
                    for merchant, sums in self._sums.items()
                }
            )
        )
        self._problems.sort()
        return self._done

    def _say(self, place: str, what: str) -> None:
        self._problems.append(Problem(place, what))

    def _read_leaves(
        self,
        manifest: Manifest,
        mapped: Callable[..., Iterable[Checked]],
        advance: Callable[[int], None],
    ) -> None:
        """Its head counts and totals come first, then the objects, sorted."""
        leaves = manifest.leaves
        first = next(
            (n for n, leaf in enumerate(leaves) if leaf.startswith(OBJECT_LEAF)), len(leaves)
        )
        objects = range(first, len(leaves), LEAVES_PER_TASK)
        slices = [leaves[start : start + LEAVES_PER_TASK] for start in objects]
        log = None if self._log is None else str(self._log)
        checks = mapped(
            check_leaves,
            [log] * len(slices),
            [manifest.place] * len(slices),
            [start + 3 for start in objects],  # after head and signature, and lines begin with 1
            slices,
        )
        hashes = [leaf_hash(leaf) for leaf in leaves[:first]]
        for checked in checks:
            hashes += [checked.hashes[at : at + 32] for at in range(0, len(checked.hashes), 32)]
            self._merge(checked)
            self._note_keys(manifest.place, checked.noted)
            advance(sum(checked.merchants.values()))
        if tree_root(hashes).hex() != manifest.head["root"]:
            self._say(manifest.place, "its leaves do not hash to the root that was signed")
        if self._knows_all:
            self._check_totals(manifest, first, len(leaves) - first)

    def _note_keys(self, place: str, noted: Iterable[Noted]) -> None:
        """Sorted within a manifest, and in one manifest only."""
        before = ""
        for each in noted:
            if each.key in self._noted:
                self._say(f"{place}, line {each.number}", f"{each.key} was sealed before")
                continue
            if each.key < before:
                self._say(f"{place}, line {each.number}", "the keys are not in order")
            self._noted[each.key] = each
            before = each.key
            if each.event:
                self._events.note(each.event, each.key, place)

    def _merge(self, checked: Checked) -> None:
        self._problems += checked.problems
        self._done.objects += checked.objects
        self._done.lines += checked.lines
        self._strays += checked.strays
        self._missing += checked.missing
        self._unsummed |= checked.unsummed
        self._knows_all &= not checked.unread
        for merchant, objects in checked.merchants.items():
            self._objects[merchant] = self._objects.get(merchant, 0) + objects
        for ours, theirs in ((self._sums, checked.sums), (self._unfound, checked.unfound)):
            for merchant, sums in theirs.items():
                add_all(ours.setdefault(merchant, {}), sums)

    def _check_totals(self, manifest: Manifest, first: int, new: int) -> None:
        """Summary, totals and merchants are what all objects so far add up to, no more, no less.

        Of merchants whose sums cannot be told only the objects are counted, and nobody's totals.
        """
        expected = {
            self._countable(document)
            for document in expected_totals(new, self._objects, self._sums)
        }
        for number, leaf in enumerate(manifest.leaves[:first], start=3):
            place = f"{manifest.place}, line {number}"
            try:
                document = read_json(leaf)
            except NotWrittenSoError as error:
                self._say(place, str(error))
                continue
            blind = document.pop("blind", None)
            if not isinstance(blind, str):
                self._say(place, "a leaf that is not blinded")
            said = self._countable(document)
            if said in expected:
                # A total that cannot be told may come in many leaves.
                expected.discard(said)
            elif said is not None:
                kind = str(document.get("leaf"))[:20]
                self._say(place, f"the objects do not add up to this {kind}")
        for said in sorted(each for each in expected if each is not None):
            self._say(manifest.place, f"it lacks what the objects add up to: {said.decode()[:200]}")

    def _countable(self, document: dict[str, Any]) -> bytes | None:
        """As it is written, without what cannot be told."""
        if self._unsummed and document.get("leaf") == "total":
            return None
        if (
            document.get("leaf") == "merchant"
            and str(document.get("merchant_id")) in self._unsummed
        ):
            return canonical(document | {"sums": []})
        return canonical(document)

    def _find_strangers(self, log: Path, found: "Found") -> None:
        """What lies in the log and was never sealed; and whose bytes lie where."""
        owners = {digest: key for key, digest in self._missing}
        self._problems += found.problems
        strangers = [each for each in found.paths if each not in self._noted]
        lying: dict[str, str] = {}
        for key in strangers:
            try:
                digest = sha256(
                    read_plain(f"{log}/{key}", OBJECT_MAX_BYTES, flags=os.O_NOFOLLOW)
                ).hexdigest()
            except OSError:
                self._say(key, "in no manifest, and no plain file")
                continue
            lying[digest] = key
            bytes_of = owners.get(digest)
            said = "" if bytes_of is None else f"; its bytes are those of {bytes_of}"
            self._say(key, f"in no manifest{said}")
        for key, digest in self._missing:
            at = lying.get(digest)
            self._say(key, "missing" if at is None else f"missing; its bytes lie at {at}")
        if self._strays:
            self._name_strays()

    def _name_strays(self) -> None:
        wanted = {digest for _, digest in self._strays}
        sealed = {each.digest: each.key for each in self._noted.values() if each.digest in wanted}
        for key, digest in self._strays:
            bytes_of = sealed.get(digest)
            said = "" if bytes_of is None else f": they are those of {bytes_of}"
            self._say(key, f"its bytes are not those that were sealed{said}")

    def _check_versions(self, file: Path) -> None:
        """One version of each sealed key, the one that was sealed, and no delete marker."""
        try:
            listed = json.loads(read_plain(file, VERSIONS_MAX_BYTES))
            versions = [
                (str(each["Key"]), str(each["VersionId"])) for each in listed.get("Versions") or []
            ]
            markers = [str(each["Key"]) for each in listed.get("DeleteMarkers") or []]
        except OSError as error:
            self._say(str(file), f"unreadable: {error.strerror}")
            return
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            self._say(str(file), "no output of aws s3api list-object-versions")
            return
        self._problems += [Problem(key, "it has a delete marker") for key in markers]
        seen = set()
        for key, version_id in versions:
            noted = self._noted.get(key)
            if noted is None:
                self._say(key, f"version {version_id} is in no manifest")
            elif noted.version_id != version_id:
                self._say(key, f"a second version, {version_id}, besides the one that was sealed")
            else:
                seen.add(key)
        for key, noted in self._noted.items():
            if key not in seen:
                self._say(key, f"the sealed version, {noted.version_id}, is not listed")


def expected_totals(
    new: int, objects: Mapping[str, int], sealed: Mapping[str, Sums]
) -> list[dict[str, Any]]:
    """The leaves before those of objects, without their blinds."""
    totals: dict[tuple[str, str, str], Total] = {}
    merchants = []
    for merchant in sorted(objects):
        sums = sealed.get(merchant, {})
        merchants.append(merchant_leaf(merchant, objects[merchant], sums))
        for (_, currency, stage, kind), total in sums.items():
            before = totals.get((currency, stage, kind), Total(0, 0, 0))
            totals[currency, stage, kind] = Total(
                before.minor + total.minor,
                max(before.decimals, total.decimals),
                before.lines + total.lines,
            )
    summary: dict[str, Any] = {
        "leaf": "summary",
        "objects": new,
        "objects_total": sum(objects.values()),
    }
    said: list[dict[str, Any]] = [
        {
            "leaf": "total",
            "currency": currency,
            "stage": stage,
            "type": kind,
            "amount": at_scale(total),
            "lines": total.lines,
        }
        for (currency, stage, kind), total in totals.items()
    ]
    return [summary, *said, *merchants]


def merchant_leaf(merchant: str, objects: int, sums: Sums) -> dict[str, Any]:
    written = [[*key, at_scale(total), total.lines] for key, total in sorted(sums.items())]
    return {"leaf": "merchant", "merchant_id": merchant, "objects": objects, "sums": written}


class Found(NamedTuple):
    """Everything in a folder that is no folder, by its path from there; and what is unreadable."""

    paths: list[str]
    problems: list[Problem]


def found_in(log: Path | None) -> Found:
    """Links are not followed. A folder that cannot be looked into is a problem: strangers could
    lie in it.
    """
    problems: list[Problem] = []
    return Found([] if log is None else list(_walk(str(log), problems)), problems)


def _walk(root: str, problems: list[Problem]) -> Iterator[str]:
    folders = [""]
    while folders:
        inner = folders.pop()
        try:
            with os.scandir(f"{root}/{inner}") as found:
                entries = [(each.name, each.is_dir(follow_symlinks=False)) for each in found]
        except OSError as error:
            problems.append(Problem(inner[-KEY_MAX:] or root, f"unreadable: {error.strerror}"))
            continue
        for name, is_folder in entries:
            path = f"{inner}/{name}" if inner else name
            if is_folder:
                folders.append(path)
            else:
                yield path
