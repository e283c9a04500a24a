"""What the journal's bucket does, in memory and in S3."""

import pytest

from falcon_balances.domain.errors import TransientError
from falcon_balances.domain.journal import BEGINNING, JournalPosition
from tests.journals import SHARD, append, entry, page_after

OTHER = "shardId-000000000001"


def numbers(journal, after: int = 0, shard_id: str = SHARD) -> list[int]:
    return [name.position.number for name in journal.names(shard_id, after)]


def test_a_page_is_read_as_it_was_written(journal):
    page = page_after(BEGINNING, entry())
    journal.write(page)
    assert journal.read(page.name) == page.body


def test_a_page_can_be_written_again(journal):
    page = page_after(BEGINNING, entry())
    journal.write(page)
    journal.write(page)
    assert numbers(journal) == [1]


def test_nothing_is_written_over_a_page(journal):
    page = page_after(BEGINNING, entry())
    journal.write(page)
    journal.write(page._replace(body=b"other"))
    assert journal.read(page.name) == page.body


def test_pages_are_listed_by_number_from_a_number_on(journal):
    position = BEGINNING
    for n in range(12):
        position = append(journal, position, entry(n))
    assert numbers(journal) == list(range(1, 13))
    assert numbers(journal, 9) == [10, 11, 12]
    assert numbers(journal, 12) == []


def test_pages_of_interrupted_attempts_are_listed_too(journal):
    first = append(journal, BEGINNING, entry(0))
    names = {page_after(first, entry(n)).name for n in (1, 2)}
    for n in (1, 2):
        append(journal, first, entry(n))
    assert set(journal.names(SHARD, 1)) == names


def test_shards_are_listed_apart(journal):
    append(journal, BEGINNING, entry(0))
    append(journal, JournalPosition(6, "0" * 64), entry(1), shard_id=OTHER)
    assert numbers(journal) == [1]
    assert numbers(journal, shard_id=OTHER) == [7]
    assert numbers(journal, shard_id="shardId-00000000000") == []


def test_a_page_that_is_not_there_cannot_be_read(journal):
    with pytest.raises(TransientError, match=SHARD):
        journal.read(page_after(BEGINNING, entry()).name)
