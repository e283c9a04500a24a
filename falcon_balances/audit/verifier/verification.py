"""Verifies a whole log: every manifest, every object, every total."""

import gc
import sys
from collections.abc import Callable, Iterable
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from hashlib import sha256
from multiprocessing import get_context
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import ec

from .chain import Chain, ReadManifest, manifests_in
from .events import Events
from .files import NO_LINK, OBJECT_MAX_BYTES, read_plain
from .findings import Discrepancy, NotWrittenSoError, Problems, Verified
from .folders import Found, files_below, found_in
from .hashing import load_public_key, tree_root
from .leaves import CheckedLeaves, Noted, check_leaves, keys_sealed_as
from .sums import StageNets, Tallies, add_all, balances_of, without
from .totals import LINES_BEFORE_LEAVES, Totals
from .versions import wrong_versions

# The beginning of an object's leaf, because its fields are sorted.
OBJECT_LEAF = (b'{"flaw":', b'{"key":')
LEAVES_PER_BLOCK = 2_048


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
    """Verifies everything, on Linux in `jobs` processes. Raises NotWrittenSoError for a key or
    folder that cannot be read, OSError for a manifest that disappears meanwhile.

    `versions` is a listing of the log's bucket or an inventory (`wrong_versions`); `anchor` is
    the `head` of an earlier check, or a published one. Without `log`, only manifests are read.
    """
    if log is not None and not log.is_dir():
        raise NotWrittenSoError(f"{log} is not a folder")
    verification = _Verification(load_public_key(public_key), log)
    if jobs == 1 or sys.platform != "linux":
        return verification.run(manifests, versions, anchor, map, partial(found_in, log), advance)
    # Without garbage collection: the data have no cycles, and a search takes 5 % of the time.
    context = get_context("fork")
    with ProcessPoolExecutor(jobs, mp_context=context, initializer=gc.disable) as pool:
        found = pool.submit(found_in, log).result
        return verification.run(manifests, versions, anchor, pool.map, found, advance)


class _Verification:
    def __init__(self, key: ec.EllipticCurvePublicKey, log: Path | None) -> None:
        self._done = Verified()
        self._problems = self._done.problems
        self._chain = Chain(key, self._problems)
        self._log = log
        self._knows_all = True
        """False after a missing manifest: totals cannot be checked from then on."""
        self._version_ids: dict[str, str] = {}
        """The version of every sealed key."""
        self._paths: list[Path] = []
        """The paths of the manifests, in order."""
        self._totals = Totals(self._problems)
        self._unfound: dict[str, Tallies] = {}
        self._standings = StageNets()
        self._events = Events()
        self._strays: list[tuple[str, str]] = []
        self._missing: list[tuple[str, str]] = []

    def run(
        self,
        manifests: Path,
        versions: Path | None,
        anchor: str | None,
        mapped: Callable[..., Iterable[CheckedLeaves]],
        found: Callable[[], "Found"],
        advance: Callable[[int], None],
    ) -> Verified:
        for number, (sequence, path) in enumerate(manifests_in(manifests, self._problems), start=1):
            manifest = self._chain.read(sequence, path)
            self._knows_all &= number == sequence and manifest is not None
            if manifest is not None:
                self._done.manifests += 1
                self._paths.append(path)
                self._read_leaves(manifest, mapped, advance)
        if self._log is not None:
            self._look_around(self._log, found())
        last = self._chain.last
        if versions is not None:
            bucket = "" if last is None else last["log"]
            self._problems += wrong_versions(versions, self._version_ids, bucket)
        if last is not None:
            self._problems += self._events.problems(last["sealed_until"])
            self._done.head = self._chain.heads[max(self._chain.heads)]
            self._done.sealed_until = last["sealed_until"]
        if anchor is not None and anchor not in self._chain.heads.values():
            self._say(str(manifests), "the manifest that the anchor names is missing")
        nothing: Tallies = {}
        self._done.balances = list(
            balances_of(
                {
                    merchant: without(sums, self._unfound.get(merchant, nothing))
                    for merchant, sums in self._totals.sums.items()
                },
                self._standings,
            )
        )
        self._problems.finish()
        return self._done

    def _say(self, place: str, what: str) -> None:
        self._problems.append(Discrepancy(place, what))

    def _read_leaves(
        self,
        manifest: ReadManifest,
        mapped: Callable[..., Iterable[CheckedLeaves]],
        advance: Callable[[int], None],
    ) -> None:
        """Checks a manifest's leaves: totals first, then objects, sorted.

        Leaves are checked in slices. Each slice has a power of two leaves, so that the root over
        the slices' roots is the root of the whole tree.
        """
        leaves = manifest.leaves
        first = next(
            (n for n, leaf in enumerate(leaves) if leaf.startswith(OBJECT_LEAF)), len(leaves)
        )
        starts = range(0, len(leaves), LEAVES_PER_BLOCK)
        checks = mapped(
            check_leaves,
            [None if self._log is None else str(self._log)] * len(starts),
            [manifest.place] * len(starts),
            [start + LINES_BEFORE_LEAVES for start in starts],
            [leaves[start : start + LEAVES_PER_BLOCK] for start in starts],
            [min(max(first - start, 0), LEAVES_PER_BLOCK) for start in starts],
        )
        roots: list[bytes] = []
        last = ""
        for checked in checks:
            roots.append(checked.root)
            self._merge(checked)
            last = self._note_keys(manifest, checked.noted, last)
            advance(len(checked.noted))
        is_rooted = tree_root(roots).hex() == manifest.head["root"]
        if not is_rooted:
            self._say(manifest.place, "its leaves do not hash to the root that was signed")
        if self._knows_all:
            self._totals.check(manifest, first, is_rooted=is_rooted)

    def _note_keys(self, manifest: ReadManifest, noted: Iterable[Noted], last: str) -> str:
        """Checks that each key is sealed once, and that the keys are sorted, from `last` on.
        Returns the last key.
        """
        version_ids, note = self._version_ids, self._events.note
        place, sealed_until = manifest.place, manifest.head["sealed_until"]
        for number, key, version_id, event in noted:
            if key in version_ids:
                self._say(f"{place}, line {number}", f"{key} was already sealed")
                continue
            if key < last:
                self._say(f"{place}, line {number}", "the keys are not in order")
            version_ids[key] = version_id
            last = key
            if event:
                note(event, key, sealed_until)
        return last

    def _merge(self, checked: CheckedLeaves) -> None:
        self._problems += checked.problems
        self._done.objects += checked.objects
        self._done.lines += checked.lines
        self._strays += checked.strays
        self._missing += checked.missing
        self._totals.add(checked)
        self._knows_all &= not checked.unread
        for merchant, stood in checked.stood.items():
            self._standings.add(merchant, stood)
        for merchant, stood in checked.unstood.items():
            self._standings.add(merchant, stood, -1)
        for merchant, sums in checked.unfound.items():
            add_all(self._unfound.setdefault(merchant, {}), sums)

    def _look_around(self, log: Path, found: "Found") -> None:
        """Reports objects in the log that were never sealed, and misplaced bytes."""
        self._problems += found.problems
        flawed = self._problems or self._strays or self._missing
        # Each leaf has its file, and there are no more files than leaves: so none is foreign.
        if not flawed and found.plain_files == found.files == self._done.objects:
            return
        named = {each.place for each in self._problems}
        strangers = []
        for key, is_plain in files_below(str(log), Problems()):
            if key not in self._version_ids:
                strangers.append(key)
            elif not is_plain and key not in named:
                self._say(key, "unreadable: not a plain file")
        self._name_strangers(log, strangers)
        if self._strays:
            self._name_strays()

    def _name_strangers(self, log: Path, strangers: Iterable[str]) -> None:
        """Reports foreign keys and missing objects, whose bytes may be those of a foreign key."""
        owners = {digest: key for key, digest in self._missing}
        lying: dict[str, str] = {}
        for key in strangers:
            try:
                body = read_plain(f"{log}/{key}", OBJECT_MAX_BYTES, NO_LINK)
            except OSError:
                self._say(key, "in no manifest, and not a plain file")
                continue
            digest = sha256(body).hexdigest()
            lying[digest] = key
            bytes_of = owners.get(digest)
            said = "" if bytes_of is None else f"; its bytes are those of {bytes_of}"
            self._say(key, f"in no manifest{said}")
        for key, digest in self._missing:
            at = lying.get(digest)
            self._say(key, "missing" if at is None else f"missing; its bytes lie at {at}")

    def _name_strays(self) -> None:
        """Reports objects with wrong bytes, and whose they are. Reads the manifests again, because
        the hashes of all objects are not kept in memory.
        """
        sealed = keys_sealed_as({digest for _, digest in self._strays}, self._paths)
        for key, digest in self._strays:
            bytes_of = sealed.get(digest)
            said = "" if bytes_of is None else f": they are those of {bytes_of}"
            self._say(key, f"its bytes are not those that were sealed{said}")
