"""Folds new operations and lines into an account's comparison."""

from collections.abc import Iterable, Iterator, Sequence, Set
from datetime import date
from typing import Final

from falcon_balances.adapters.comparison_ports import ComparisonFiles
from falcon_balances.contracts.case_texts import CaseTexts
from falcon_balances.contracts.comparison_files import write_settled
from falcon_balances.domain.cases import (
    Case,
    CaseKey,
    CaseLine,
    Gathered,
    Member,
    compared,
    keys_of,
    tally_settled,
)
from falcon_balances.domain.comparisons import AccountComparison, SettledCases
from lambdas.reconciler.settled import settled_texts

# Python's objects for a case take ten times its text, so only some of them exist at a time.
_SLICES: Final = 32


def fold(
    said: AccountComparison, members: Sequence[Member], files: ComparisonFiles, today: date
) -> None:
    """Compares the cases of these members anew, with everything that they have had since `recall`.

    Cases that are settled now go to a file, which is written at once: a file that no comparison
    names after a crash does no harm.
    """
    texts = CaseTexts(said.account.stage, said.statements)
    for each in members:
        if isinstance(each, CaseLine):
            said.links.link(each.keys)
    keys = {key for each in members for key in keys_of(each)} - said.open.keys()
    again = _settled_before(said, said.new_settled, keys, files)
    said.new_keys |= keys.difference(*(case.keys for case in again))
    settled: dict[CaseKey, bytes] = {}
    for some in _sliced([*members, *_members_of(again)], said):
        for case in _outcome(said, some, texts):
            settled.update(dict.fromkeys(case.keys, texts.text(case)))
    if settled:
        named, body = write_settled(settled, today)
        files.settle(named.name, body)
        said.new_settled.append(named)


def recall(said: AccountComparison, files: ComparisonFiles, today: date) -> None:
    """Compares what was folded with what had been settled before, of the same references.

    One look for all of them, because each reads the indexes of all files.
    """
    again = _settled_before(said, said.settled, said.new_keys, files)
    fold(said, _members_of(again), files, today)
    said.settled += said.new_settled
    said.new_settled, said.new_keys = [], set()


def _settled_before(
    said: AccountComparison,
    settled: Sequence[SettledCases],
    keys: Set[CaseKey],
    files: ComparisonFiles,
) -> list[Case]:
    """The settled cases with one of the keys; they are settled no more."""
    texts = CaseTexts(said.account.stage, said.statements)
    again = [texts.read(text) for text in settled_texts(files, settled, keys)]
    tally_settled(said.tallies, again, -1)
    for case in again:
        said.links.link(case.keys)
    return again


def _members_of(cases: Iterable[Case]) -> list[Member]:
    return [each for case in cases for each in case.members]


def _sliced(members: Iterable[Member], said: AccountComparison) -> Iterator[list[Member]]:
    """A case's members are in one slice."""
    slices: list[list[Member]] = [[] for _ in range(_SLICES)]
    for each in members:
        slices[said.links.root(keys_of(each)[0]) % _SLICES].append(each)
    return (each for each in slices if each)


def _outcome(
    said: AccountComparison, members: Iterable[Member], texts: CaseTexts
) -> Sequence[Case]:
    """The settled cases; the others are open again."""
    gathered = Gathered(said.links)
    gathered.add(members)
    for case in _taken(said, gathered.keys, texts):
        gathered.add(case.members)
    cases = [each.without_old(said.statements, said.since, said.days) for each in gathered.cases]
    outcome = compared(cases, said.days)
    for case in outcome.open:
        said.open.update(dict.fromkeys(case.keys, texts.text(case)))
    tally_settled(said.tallies, outcome.settled)
    return outcome.settled


def _taken(said: AccountComparison, keys: Set[CaseKey], texts: CaseTexts) -> list[Case]:
    """The open cases with one of the keys, taken out under all of their own."""
    taken = [texts.read(text) for text in {said.open[key] for key in keys & said.open.keys()}]
    for case in taken:
        for key in case.keys:
            del said.open[key]
    return taken
