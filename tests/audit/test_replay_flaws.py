"""What is flawed, repeated, missing or foreign counts not at all, or once, and is named."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from falcon_balances.audit import log_folder, log_lines
from falcon_balances.audit.balances import balances_of
from falcon_balances.audit.findings import LogFinding
from falcon_balances.audit.log_folder import LogFolder
from falcon_balances.audit.log_objects import ObjectBatch, Selection
from falcon_balances.audit.repeats import SeenHashes
from falcon_balances.audit.replay import replay
from falcon_balances.domain.log_format import csv_body, expected_uuids
from falcon_balances.domain.log_grammar import HEADER
from generated.logs import objects_of, write
from tests.audit.definition import defined
from tests.audit.logs import MemoryLog, Objects
from tests.audit.replays import CAPTURE, EVERYTHING, SALE
from tests.strategies import few


def row(*changes: tuple[int, str]) -> bytes:
    [segment] = CAPTURE
    header, first, second, _ = csv_body(segment).split("\n")
    fields = first.split(",")
    for place, text in changes:
        fields[place] = text
    return f"{header}\n{','.join(fields)}\n{second}\n".encode()


[KEY] = objects_of(CAPTURE)
BODY = objects_of(CAPTURE)[KEY]

FLAWED = [
    (b"", "the header or the final line end is missing"),
    (BODY[:-1], "the header or the final line end is missing"),
    (BODY[:-20] + b"\n", "line 3: must have 16 columns, has 10"),
    (BODY[: len(HEADER) + 1], "the header or the final line end is missing"),
    (BODY + b"\n", "line 4: must have 16 columns, has 1"),
    (BODY.replace(b"\n", b"\r\n"), "the header or the final line end is missing"),
    (BODY.decode().encode("utf-16"), "line 1: a character that no field may contain"),
    (b"\xef\xbb\xbf" + BODY, "line 1: a character that no field may contain"),
    (row((1, "\xe9")), "line 2: a character that no field may contain"),
    (row((1, '"order-1"')), "line 2: external_reference does not match its required format"),
    (row((1, "a\x1b[2J")), "line 2: external_reference does not match its required format"),
    (row((1, "a,b")), "line 2: must have 16 columns, has 17"),
    (row((2, "100.0")), "line 2: amount is not written with all decimals of its currency"),
    (row((2, "100")), "line 2: amount is not written with all decimals of its currency"),
    (row((2, "1e2")), "line 2: amount does not match its required format"),
    (row((2, "0100.00")), "line 2: amount does not match its required format"),
    (row((2, "-0.00")), "line 2: amount is zero, or has more than 19 digits"),
    (row((2, "+1.00")), "line 2: amount does not match its required format"),
    (row((2, "1.2.3")), "line 2: amount does not match its required format"),
    (row((2, "")), "line 2: amount does not match its required format"),
    (row((3, "XXX")), "line 3: currency differs from line 2"),
    (row((3, "eur")), "line 2: currency does not match its required format"),
    (row((4, "gift")), "line 2: unknown type"),
    (row((0, "not-a-uuid")), "line 2: uuid does not match its required format"),
    (row((0, CAPTURE[0].lines[0].uuid.upper())), "line 2: uuid does not match its required format"),
    (row((5, "0" * 36)), "line 2: falcon_operation_id does not match its required format"),
    (row((6, "2026-11-21T10:15:30Z")), "line 2: its operation or day differs from the key's"),
    (row((6, "2026-11-20")), "line 2: operation_date does not match its required format"),
    (row((6, "2026-11-20T25:00:00Z")), "line 2: operation_date does not match its required format"),
]


@pytest.mark.parametrize(("body", "detail"), FLAWED)
def test_a_flawed_object_counts_not_at_all_and_is_named(body, detail):
    log = objects_of(SALE)
    replayed = replay(MemoryLog(log | {KEY: body}), EVERYTHING)
    assert replayed.findings == [LogFinding(KEY, "flawed", detail)]
    assert balances_of(replayed.sums, replayed.agreements) == defined(SALE)


def test_lines_of_another_operation_or_day_than_the_first_are_flawed():
    [segment] = CAPTURE
    first, second = segment.lines
    for other, detail in (
        (
            replace(second, falcon_operation_id="0" * 8 + second.falcon_operation_id[8:]),
            "falcon_operation_id",
        ),
        (
            replace(second, operation_date=second.operation_date.replace(day=21)),
            "operation_date",
        ),
    ):
        body = csv_body(replace(segment, lines=(first, other))).encode()
        [finding] = replay(MemoryLog({KEY: body}), EVERYTHING).findings
        assert finding.detail == f"line 3: {detail} differs from line 2"


@pytest.mark.parametrize(
    "key",
    [
        "README",
        "confirmed/README",
        "confirmed/merchant_id=m-1/.DS_Store",
        "confirmed/merchant_id=m-1/date=2026-11-20/notes.txt",
        "confirmed/merchant_id=m-1/date=2026-11-20/deeper/" + "0" * 36 + ".csv",
        "confirmed/merchant_id=-m/date=2026-11-20/" + KEY[-40:],
        "refused/merchant_id=m-1/date=2026-11-20/" + KEY[-40:],
        KEY.replace(".csv", f".1-of-{'9' * 200}.csv"),
    ],
)
def test_what_is_no_object_of_the_log_is_named(tmp_path, key):
    root = write(objects_of(CAPTURE) | {key: BODY}, tmp_path / "log")
    replayed = replay(LogFolder(root), EVERYTHING)
    assert [each.problem for each in replayed.findings] == ["foreign"]
    assert key.startswith(replayed.findings[0].key)
    assert balances_of(replayed.sums, replayed.agreements) == defined(CAPTURE)


def test_large_objects_are_read_whole_and_what_is_too_large_is_foreign(tmp_path, monkeypatch):
    [segment] = CAPTURE
    same = segment.lines[:1] * 320
    uuids = expected_uuids("confirmed", segment.merchant_id, same)
    lines = [replace(line, uuid=uuid) for line, uuid in zip(same, uuids, strict=True)]
    root = write({KEY: csv_body(replace(segment, lines=tuple(lines))).encode()}, tmp_path / "log")
    replayed = replay(LogFolder(root), EVERYTHING)
    assert (replayed.lines, replayed.findings) == (320, [])
    monkeypatch.setattr(log_folder, "OBJECT_BYTES_MAX", 1_000)
    assert replay(LogFolder(root), EVERYTHING).findings == [
        LogFinding(KEY, "foreign", "cannot be read: larger than a log object can be")
    ]


def test_a_link_is_not_followed(tmp_path):
    root = write(objects_of(CAPTURE), tmp_path / "log")
    (root / "reconciled").symlink_to(root / "confirmed")
    (root / KEY).with_name("0" * 36 + ".csv").symlink_to(root / KEY)
    assert [each.problem for each in replay(LogFolder(root), EVERYTHING).findings] == [
        "foreign"
    ] * 2


# What is repeated or missing


def again(objects: Objects, merchant_id: str) -> Objects:
    """The same bytes under another merchant: every line has been counted already."""
    return {key.replace("m-5553", merchant_id): body for key, body in objects.items()}


def test_a_line_counts_once_per_uuid_and_the_first_by_key_wins():
    copies = {KEY.replace(".csv", end): BODY for end in (".1-of-2.csv", ".2-of-2.csv")}
    replayed = replay(MemoryLog(copies | objects_of(CAPTURE)), EVERYTHING)
    assert balances_of(replayed.sums, replayed.agreements) == defined(CAPTURE)
    first, *others = sorted([KEY, *copies])
    assert replayed.findings == [
        LogFinding(key, "repeated", f"line {line}: repeats line {line} of {first}")
        for key in others
        for line in (2, 3)
    ]


def test_lines_repeated_within_an_object_are_flawed():
    """The second would bear another uuid."""
    [segment] = CAPTURE
    body = csv_body(replace(segment, lines=(*segment.lines, segment.lines[1]))).encode()
    replayed = replay(MemoryLog({KEY: body}), EVERYTHING)
    detail = "line 4: uuid is not derived from the line"
    assert replayed.findings == [LogFinding(KEY, "flawed", detail)]
    assert not replayed.sums


def test_equal_hashes_of_different_ids_are_no_repeats(monkeypatch):
    monkeypatch.setattr(log_lines, "hash_of", lambda _uuid: 7)
    monkeypatch.setattr(SeenHashes, "repeated", lambda _seen: frozenset({7}))
    replayed = replay(MemoryLog(objects_of([*CAPTURE, *SALE])), EVERYTHING)
    assert replayed.findings == []
    assert balances_of(replayed.sums, replayed.agreements) == defined([*CAPTURE, *SALE])


@given(
    st.lists(st.lists(st.integers(0, 2**64 - 1) | st.sampled_from((0, 1, 2**64 - 1)), max_size=9)),
    st.integers(0, 9),
)
@few
def test_hashes_on_disk_are_as_good_as_in_memory(batches, held_max):
    flat = [each for batch in batches for each in batch]
    with SeenHashes(held_max) as seen:
        for batch in batches:
            seen.add(np.array(batch, dtype=np.uint64))
        assert seen.repeated() == {each for each in flat if flat.count(each) > 1}


@pytest.mark.parametrize("missing", range(3))
def test_an_event_that_lacks_a_part_is_found(missing):
    log = objects_of(SALE)
    lost = sorted(log)[missing]
    del log[lost]
    [finding] = replay(MemoryLog(log), EVERYTHING).findings
    assert (finding.problem, finding.key) == ("part_missing", sorted(log)[0])
    number = lost.rpartition(".csv")[0].rpartition(".")[2].partition("-")[0]
    assert finding.detail == f"missing: part {number} of 3"


def test_parts_that_there_cannot_be_are_foreign():
    log = objects_of(SALE)
    first = sorted(log)[0]
    sound = replay(MemoryLog(log), EVERYTHING).sums
    for name in ("0-of-3", "4-of-3", "1-of-1", "01-of-03", "1-of-0", "1-of-10000"):
        key = first.replace("1-of-3", name)
        replayed = replay(MemoryLog(log | {key: BODY}), EVERYTHING)
        assert replayed.findings == [LogFinding(key, "foreign", "not a key of the log")]
        assert replayed.sums == sound
    other = objects_of([replace(SALE[1], parts=4)])
    for order in (log | other, other | log):
        problems = {each.problem for each in replay(MemoryLog(order), EVERYTHING).findings}
        assert problems == {"part_missing", "repeated"}


# What is refused is refused beside anything else: promise 7
ODD = [
    (row((2, "0x64.00")), "line 2: amount does not match its required format"),
    (row((2, "0x174876E8.00")), "line 2: amount does not match its required format"),
    (row((2, f"{'9' * 18}.00")), "line 2: amount is zero, or has more than 19 digits"),
    (row((4, "withdrawal")), "line 2: type does not exist in this stage"),
    (row((1, "=1+1")), "line 2: external_reference does not match its required format"),
    (row((1, " =1")), "line 2: external_reference does not match its required format"),
    (row((1, "a\\")), "line 2: external_reference does not match its required format"),
    (row((8, "-1")), "line 2: shop_id does not match its required format"),
    (row((9, ".x")), "line 2: balance_shop_id does not match its required format"),
    (row((10, "_x")), "line 2: psp_id does not match its required format"),
    (row((7, ":x")), "line 2: local_merchant_id does not match its required format"),
]


@pytest.mark.parametrize(("body", "detail"), ODD)
def test_the_same_is_refused_whatever_lies_beside_it(body, detail):
    alone = replay(MemoryLog({KEY: body}), EVERYTHING)
    assert alone.findings == [LogFinding(KEY, "flawed", detail)]
    good = objects_of(SALE)
    broken = {sorted(good)[0].replace("date=2026", "date=2025"): b"broken"}
    beside = replay(MemoryLog(good | broken | {KEY: body}), EVERYTHING)
    assert LogFinding(KEY, "flawed", detail) in beside.findings
    assert beside.sums == replay(MemoryLog(good), EVERYTHING).sums


def test_there_is_no_year_0():
    key = KEY.replace("date=2026-11-20", "date=0000-01-01")
    body = row((6, "0000-01-01T00:00:00Z"))
    assert not replay(MemoryLog({key: body}), EVERYTHING).sums


@pytest.mark.parametrize("merchant_id", [None, "m-5553"])
def test_a_folder_that_cannot_be_read_or_is_a_link_is_named(tmp_path, merchant_id):
    root = write(objects_of(CAPTURE), tmp_path / "log")
    (root / "elsewhere").mkdir()
    (root / "confirmed").rename(root / "elsewhere/confirmed")
    (root / "confirmed").symlink_to(root / "elsewhere/confirmed")
    (root / "elsewhere").rename(tmp_path / "elsewhere")
    (root / "confirmed").unlink()
    (root / "confirmed").symlink_to(tmp_path / "elsewhere/confirmed")
    replayed = replay(LogFolder(root), Selection(merchant_id=merchant_id))
    assert (replayed.sums, [each.problem for each in replayed.findings]) == ({}, ["foreign"])


def test_many_bytes_of_one_day_are_not_held_at_once(tmp_path, monkeypatch):
    log = objects_of(CAPTURE)
    monkeypatch.setattr(log_folder, "_BATCH_BYTES", 10)
    day = {KEY.replace("673d679f", f"{n:08x}"): log[KEY] for n in range(5)}
    batches = list(LogFolder(write(day, tmp_path / "log")).batches(EVERYTHING))
    assert [isinstance(each, ObjectBatch) and len(each.names) for each in batches] == [1] * 5
