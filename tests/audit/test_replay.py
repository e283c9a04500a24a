"""Replay gives what a pencil gives, and names whatever is not as the log writes it."""

from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from falcon_balances.audit import log_folder, log_lines, sums
from falcon_balances.audit import replay as replaying
from falcon_balances.audit.balances import balances_of
from falcon_balances.audit.findings import LogFinding
from falcon_balances.audit.log_folder import LogFolder
from falcon_balances.audit.log_objects import ObjectBatch, Selection
from falcon_balances.audit.repeats import SeenHashes
from falcon_balances.audit.replay import replay
from falcon_balances.audit.standing_rows import BalanceId
from falcon_balances.domain.balances import Balance
from falcon_balances.domain.instants import rfc3339
from falcon_balances.domain.log_format import csv_body, expected_uuids
from falcon_balances.domain.log_grammar import HEADER
from falcon_balances.domain.money import Currency, Money
from falcon_balances.domain.operations import Segment, Stage
from generated.logs import objects_of, write
from tests.audit.definition import defined, world
from tests.audit.logs import MemoryLog, Objects
from tests.builders import claim_of, confirmed, context_of, fee_of, marketplace, reconciled
from tests.strategies import few, journals

EVERYTHING = Selection()


def segments_of(document, *contexts) -> list[Segment]:
    claim = claim_of(document, *contexts)
    return [
        Segment(claim.stage, each.merchant_id, each.part, each.parts, claim.lines_of(each))
        for each in claim.segments
    ]


def balances_in(log, **how) -> dict[BalanceId, Balance]:
    replayed = replay(log, EVERYTHING, **how)
    return balances_of(replayed.sums, replayed.agreements)


ZEROS = "00000000-0000-5000-8000-000000000000"
FEES = context_of(fees=[fee_of("1.00")])
CAPTURE = segments_of(confirmed(), FEES)
SALE = segments_of(
    marketplace(
        [("5553", "60.00", "6.00"), ("5554", "40.00", "4.00")],
        "100.00",
        external_reference="sale-1",
    ),
    context_of("market"),
    context_of(),
    context_of("5554"),
)


@given(journals(), st.randoms(use_true_random=False))
@few
def test_any_order_gives_what_folding_segment_by_segment_gives(segments, rng):
    objects = list(objects_of(segments).items())
    rng.shuffle(objects)
    replayed = replay(MemoryLog(dict(objects)), EVERYTHING)
    assert balances_of(replayed.sums, replayed.agreements) == defined(segments)
    assert (replayed.objects, replayed.findings) == (len(objects), [])
    assert replayed.lines == sum(len(each.lines) for each in segments)


@given(journals())
@few
def test_objects_looked_at_one_by_one_give_the_same_sums(segments):
    objects = objects_of(segments)
    flawed = f"payout/merchant_id=m-9/date=2026-01-01/{ZEROS}.csv"
    alone = replay(MemoryLog(objects | {flawed: b""}), EVERYTHING)
    assert alone.sums == replay(MemoryLog(objects), EVERYTHING).sums
    assert [(each.key, each.problem) for each in alone.findings] == [(flawed, "flawed")]


def test_chunks_change_nothing(monkeypatch):
    segments = [
        each
        for n in range(60)
        for document in (
            confirmed(external_reference=f"o-{n}", amount=f"{7919 * n + 1}.00"),
            reconciled(external_reference=f"o-{n}", amount="7.50"),
        )
        for each in segments_of(document, FEES)
    ]
    log = MemoryLog(objects_of(segments))
    whole = replay(log, EVERYTHING)
    monkeypatch.setattr(replaying, "_CHUNK_BYTES", 700)
    monkeypatch.setattr(sums, "_PARTIAL_SUMS_MAX", 3)
    advanced: list[int] = []
    assert replay(log, EVERYTHING, advance=advanced.append) == whole
    assert sum(advanced) == len(segments) == whole.objects
    assert len(advanced) > 5
    assert balances_of(whole.sums, whole.agreements) == defined(segments)


@pytest.mark.parametrize("seed", range(5))
def test_stages_that_contradict_are_joined_as_the_definition_says(seed, tmp_path):
    """Two thousand events, and every figure of every balance."""
    segments = world(2_000, seed)
    log = LogFolder(write(objects_of(segments), tmp_path / "log"))
    balances = balances_in(log, processes=2)
    assert balances == defined(segments)
    for figure in ("pending", "unapplied", "debits_unconfirmed", "debits_untraced"):
        assert sum(getattr(each, figure) > 0 for each in balances.values()) > 9


def test_of_a_moment_only_what_is_dated_before_is_joined():
    segments = world(300, 9)
    log = MemoryLog(objects_of(segments))
    for moment in (datetime(2026, 10, 8, tzinfo=UTC), datetime(2026, 11, 8, 3, tzinfo=UTC)):
        before = [each for each in segments if each.booked_at < moment]
        assert balances_in(log, before=rfc3339(moment)) == defined(before)


def test_a_stage_alone_is_joined_with_nothing():
    segments = world(300, 8)
    replayed = replay(MemoryLog(objects_of(segments)), Selection(stage=Stage.CONFIRMED))
    confirmed_alone = [each for each in segments if each.stage is Stage.CONFIRMED]
    assert balances_of(replayed.sums, replayed.agreements) == defined(confirmed_alone)


def test_a_repeated_line_leaves_its_standing():
    segments = world(40, 5)
    log = objects_of(segments)
    key = next(key for key in log if key.startswith("confirmed/") and "-of-" not in key)
    again = key.replace(".csv", ".2-of-2.csv")
    assert balances_in(MemoryLog(log | {again: log[key]})) == defined(segments)
    assert replay(MemoryLog(log | {again: log[key]}), EVERYTHING).left_out


def test_a_folder_and_its_selections(tmp_path):
    later = segments_of(confirmed(external_reference="o-2", operation_date="2026-11-21T00:00:00Z"))
    root = write(objects_of([*CAPTURE, *SALE, *later]), tmp_path / "log")
    log = LogFolder(root)
    assert balances_in(log) == defined([*CAPTURE, *SALE, *later])
    of_one = replay(log, Selection(merchant_id="m-5554"))
    assert balances_of(of_one.sums, of_one.agreements) == defined([SALE[1]])
    assert of_one.findings == []
    assert replay(log, Selection(stage=Stage.RECONCILED)).objects == 0
    assert replay(log, Selection(since="2026-11-21")).objects == 1
    assert replay(log, Selection(until="2026-11-21")).objects == 4
    assert replay(log, Selection(merchant_id="../confirmed")).objects == 0


def test_what_is_dated_at_the_instant_or_later_is_left_out():
    later = segments_of(confirmed(external_reference="o-2", operation_date="2026-11-20T10:15:31Z"))
    log = MemoryLog(objects_of([*CAPTURE, *later]))
    replayed = replay(log, EVERYTHING, before="2026-11-20T10:15:31Z")
    assert balances_of(replayed.sums, replayed.agreements) == defined(CAPTURE)
    assert replay(log, EVERYTHING, before="2026-11-20T10:15:30Z").sums == {}


def test_amounts_that_64_bits_cannot_add_up_are_exact():
    [segment] = CAPTURE
    largest = Money(10**15 * 10**4 - 1, Currency("CLF", 4))
    segments = []
    for n in range(3):
        line = replace(
            segment.lines[0],
            amount=largest,
            falcon_operation_id=f"0000000{n}" + segment.falcon_operation_id[8:],
        )
        [uuid] = expected_uuids("confirmed", segment.merchant_id, (line,))
        line = replace(line, uuid=uuid)
        segments.append(replace(segment, lines=(line,)))
    log = MemoryLog(objects_of(segments))
    [total] = replay(log, EVERYTHING).sums.values()
    assert total == (3 * largest.minor, 3)
    assert balances_in(log) == defined(segments)


# What is flawed


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
        LogFinding(key, "repeated", f"line {line}: already in {first}, line {line}")
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
