"""Finds settled cases again: something new has a reference that they have.

Hardly any reference comes again after it was settled, so the reconciler looks for many keys at
once: it reads the index of each file, 8 bytes for each key, and only the blocks that have one.
"""

from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from itertools import chain, islice
from typing import Final

from falcon_balances.adapters.comparison_ports import ComparisonFiles
from falcon_balances.contracts.comparison_files import SettledIndex
from falcon_balances.domain.cases import CaseKey
from falcon_balances.domain.comparisons import SettledCases

_FILES_AT_ONCE: Final = 4
_BLOCKS_AT_ONCE: Final = 32


def settled_texts(
    files: ComparisonFiles, settled: Sequence[SettledCases], keys: Iterable[CaseKey]
) -> set[bytes]:
    """The newest text of each settled case that has one of the keys.

    One request for each file, one for each block with a key, and one for each block with the text
    of such a key. Memory: four indexes, and the cases found.
    """
    wanted, found = set(keys), set[bytes]()
    if not wanted:
        return found
    with ThreadPoolExecutor(_BLOCKS_AT_ONCE) as pool:
        for each, index in _indexes(files, settled, pool):
            hits = wanted.intersection(index.keys)
            wanted -= hits
            found.update(_texts(files, each, index, hits, pool))
    return found


def _indexes(
    files: ComparisonFiles, settled: Sequence[SettledCases], pool: Executor
) -> Iterator[tuple[SettledCases, SettledIndex]]:
    """The newest first."""

    def read(each: SettledCases) -> SettledIndex:
        begin = files.read_settled(each.name, 0, SettledIndex.size(each.entries))
        return SettledIndex.read(each.entries, begin)

    newest = reversed(settled)
    while some := list(islice(newest, _FILES_AT_ONCE)):
        yield from zip(some, pool.map(read, some), strict=True)


def _texts(
    files: ComparisonFiles,
    each: SettledCases,
    index: SettledIndex,
    hits: set[CaseKey],
    pool: Executor,
) -> Iterator[bytes]:
    def read(block: int) -> list[bytes | CaseKey]:
        texts = index.texts(block, files.read_settled(each.name, *index.range_of(block)))
        return [texts[key] for key in hits & texts.keys()]

    for _ in range(2):
        blocks = sorted({index.block_of(key) for key in hits})
        found = list(chain.from_iterable(pool.map(read, blocks)))
        yield from (text for text in found if isinstance(text, bytes))
        hits = {home for home in found if isinstance(home, int)}
