"""A journal or a closed day that is not as it was written is named, and nothing is built on it."""

import json
import shutil
from hashlib import sha256

import pyarrow as pa
import pytest
from pyarrow import parquet

from falcon_balances.audit.closed_replay import replay_closed
from falcon_balances.audit.closed_sums import COUNTED_OTHERWISE
from falcon_balances.audit.log_objects import Selection
from falcon_balances.contracts.closed_days import DESCRIPTION, ClosedDayV1
from falcon_balances.domain.available import Joint
from falcon_balances.domain.errors import IntegrityError
from tests.audit.closed import closed, closed_days_of, written_pages
from tests.audit.definition import world
from tests.audit.test_closed_days import DAY
from tests.journals import BALANCE, SHARD, entry

EVERYTHING = Selection()
FIRST, SECOND, THIRD = (f"date=2026-11-2{n}" for n in range(3))


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    return closed_days_of(tmp_path_factory.mktemp("days"), world(20, 5))


@pytest.fixture
def days(whole, tmp_path):
    return shutil.copytree(whole, tmp_path / "closed")


def refused(days, why):
    with pytest.raises(IntegrityError, match=why):
        replay_closed(days, EVERYTHING)


def described_anew(days, name, **changes):
    """The day's description with other words, and those of the days after it as if all were well:
    whoever edits a file can edit its description too.
    """
    previous = None
    for folder in sorted(each for each in days.iterdir() if each.name >= name):
        path = folder / DESCRIPTION
        said = ClosedDayV1.read(folder.name, path.read_bytes())
        if previous is None:
            said = ClosedDayV1.model_validate(said.model_dump() | changes)
        else:
            said = said.model_copy(update={"previous": previous})
        path.write_bytes(said.bytes_written)
        previous = said.digest


def edited(days, name, change):
    """The day's Parquet with another table, and descriptions that say so."""
    path = days / name / "lines.parquet"
    parquet.write_table(change(parquet.read_table(path)), path)
    body = path.read_bytes()
    file = {"name": path.name, "sha256": sha256(body).hexdigest(), "size": len(body)}
    described_anew(days, name, files=(file,))


def test_what_was_closed_has_no_flaws(days):
    assert replay_closed(days, EVERYTHING).findings == []


@pytest.mark.parametrize("place", [0, 4, 1000, -1])
def test_an_edited_byte_is_named(days, place):
    path = days / SECOND / "lines.parquet"
    body = bytearray(path.read_bytes())
    body[place] ^= 1
    path.write_bytes(body)
    refused(days, f"{SECOND}/lines.parquet: was changed: its bytes")


def test_a_file_that_was_cut_is_named(days):
    path = days / SECOND / "lines.parquet"
    path.write_bytes(path.read_bytes()[:-1])
    refused(days, f"{SECOND}/lines.parquet: was changed: it has another size")


def test_a_file_that_is_missing_is_named(days):
    (days / SECOND / "lines.parquet").unlink()
    refused(days, f"{SECOND}/lines.parquet: is missing")


def test_a_link_is_no_file(days, whole):
    path = days / SECOND / "lines.parquet"
    path.unlink()
    path.symlink_to(whole / SECOND / "lines.parquet")
    refused(days, f"{SECOND}/lines.parquet: is not a plain file")


def test_a_day_that_was_closed_twice_is_named(days):
    path = days / SECOND / "lines.parquet"
    shutil.copy(path, path.with_name("20261122_000000_again.parquet"))
    refused(days, f"{SECOND}/20261122_000000_again.parquet: the day does not name this file")


def test_a_missing_day_is_named(days):
    shutil.rmtree(days / SECOND)
    refused(days, f"{SECOND}: is missing")


def test_missing_first_days_are_named(days):
    shutil.rmtree(days / FIRST)
    refused(days, f"{SECOND}: the days before it are missing")


def test_a_day_of_another_journal_is_named(days, tmp_path):
    other = closed_days_of(tmp_path / "other", world(20, 6))
    shutil.rmtree(days / SECOND)
    shutil.copytree(other / SECOND, days / SECOND)
    refused(days, f"{SECOND}: does not continue {FIRST}")


def test_a_day_under_another_date_is_named(days):
    shutil.rmtree(days / SECOND)
    shutil.copytree(days / FIRST, days / SECOND)
    refused(days, f"{SECOND}: its description is that of 2026-11-20")


@pytest.mark.parametrize(
    "body", [b"", b"{}", b"[]", b"\xff", b'{"schema_version": "2"}', b'{"date": "2026-11-21"}']
)
def test_a_description_of_another_form_is_named(days, body):
    (days / SECOND / DESCRIPTION).write_bytes(body)
    refused(days, f"{SECOND}/{DESCRIPTION}: does not match its contract")


def test_a_description_that_was_formatted_anew_is_named(days):
    path = days / SECOND / DESCRIPTION
    path.write_text(json.dumps(json.loads(path.read_text())))
    refused(days, f"{SECOND}/{DESCRIPTION}: is not written in the only form")


def test_a_folder_without_a_description_is_named(days):
    (days / SECOND / DESCRIPTION).unlink()
    refused(days, f"{SECOND}: is not a closed day")


def test_rows_of_another_day_are_named_whatever_descriptions_say(days):
    other = parquet.read_table(days / FIRST / "lines.parquet")
    edited(days, SECOND, lambda table: other)
    refused(days, f"{SECOND}/lines.parquet: has rows of another day")


def test_rows_that_are_missing_are_named(days):
    edited(days, SECOND, lambda table: table.slice(1))
    refused(days, f"{SECOND}: has other lines than its description says")


def test_a_line_that_is_there_twice_is_named(days):
    first = parquet.read_table(days / SECOND / "lines.parquet").slice(0, 1)
    key = first.column("log_key")[0].as_py()

    def twice(table):
        return pa.concat_tables([table.slice(0, len(table) - 1), first])

    edited(days, SECOND, twice)
    refused(days, f"{key}, counted in 2026-11-21")


def test_rows_without_a_column_are_refused(days):
    edited(days, SECOND, lambda table: table.drop_columns(["quarter"]))
    refused(days, "its rows cannot be read")


def test_effects_that_do_not_follow_from_the_lines_are_a_finding(tmp_path):
    wrong = entry(0, effect={BALANCE: Joint(pending=9_999)})
    end = written_pages(tmp_path, [wrong])
    closed(tmp_path, {SHARD: end}, wrong.window + DAY)
    [finding] = replay_closed(tmp_path / "closed", EVERYTHING).findings
    assert finding.problem == COUNTED_OTHERWISE
    assert finding.key == "m-5553/bs-5553-eur/EUR"
    assert finding.detail == "pending: effects add up to 99.99, lines to 100.00"


class TestJournal:
    @pytest.fixture
    def pages(self, tmp_path):
        """Four pages of three days; a page each."""
        entries = [entry(n, window=entry(0).window + n * DAY) for n in range(4)]
        self.end = written_pages(tmp_path, entries)
        self.until = entry(0).window + 3 * DAY
        return sorted((tmp_path / "journal" / SHARD).iterdir())

    def refused(self, tmp_path, why):
        with pytest.raises(IntegrityError, match=why):
            closed(tmp_path, {SHARD: self.end}, self.until)
        return sorted(each.name for each in (tmp_path / "closed").iterdir())

    def test_a_missing_page_is_named_and_no_day_closed(self, pages, tmp_path):
        pages[1].unlink()
        assert self.refused(tmp_path, "page .* is missing") == []

    def test_a_page_that_was_edited_is_named_and_no_day_closed(self, pages, tmp_path):
        pages[3].write_bytes(pages[3].read_bytes().replace(b"100.00", b"900.00"))
        assert self.refused(tmp_path, pages[3].name) == []

    def test_days_that_end_before_the_edited_page_is_fetched_stay_closed(self, tmp_path):
        """Sixteen pages are fetched at once, and a day ends with a look at the page behind it."""
        entries = [entry(n, window=entry(0).window + n * DAY / 4) for n in range(20)]
        self.end, self.until = written_pages(tmp_path, entries), entry(0).window + 5 * DAY
        edited = sorted((tmp_path / "journal" / SHARD).iterdir())[18]
        edited.write_bytes(edited.read_bytes().replace(b"100.00", b"900.00"))
        made = self.refused(tmp_path, edited.name)
        assert made[0] == FIRST
        assert 3 <= len(made) <= 4

    def test_a_page_that_was_cut_is_named(self, pages, tmp_path):
        pages[0].write_bytes(pages[0].read_bytes()[:-30])
        assert self.refused(tmp_path, pages[0].name) == []

    def test_a_strange_file_is_named(self, pages, tmp_path):
        (pages[0].parent / "notes.txt").write_text("-")
        assert self.refused(tmp_path, "notes.txt: not a key of the journal") == []

    def test_a_folder_that_was_interrupted_is_passed_over(self, pages, tmp_path):
        (tmp_path / "closed" / ".closing-1").mkdir(parents=True)
        assert len(closed(tmp_path, {SHARD: self.end}, self.until)) == 3
