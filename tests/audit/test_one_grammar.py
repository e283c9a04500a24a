"""What the writer would not write counts nowhere: every reader of the log gives the same answer.

The stand-alone verifier has a grammar of its own, written apart: it must say the same.
"""

import json
from dataclasses import replace
from itertools import product
from string import ascii_uppercase

import pytest

from falcon_balances.audit.line_grammar import NotAsWrittenError
from falcon_balances.audit.lines import columns_of
from falcon_balances.audit.log_folder import LogFolder
from falcon_balances.audit.log_objects import ObjectBatch, Partition, Selection
from falcon_balances.audit.replay import replay
from falcon_balances.audit.verifier.currencies import DECIMALS
from falcon_balances.audit.verifier.findings import NotWrittenSoError
from falcon_balances.audit.verifier.keys import read_key
from falcon_balances.audit.verifier.objects import lines_of_body
from falcon_balances.contracts.currencies import written_currency
from falcon_balances.contracts.log_objects import FlawedObjectError, read_strictly
from falcon_balances.contracts.stream_records import parse_stream_record
from falcon_balances.domain.errors import RejectedOperation
from falcon_balances.domain.identity import balance_operation_uuid
from falcon_balances.domain.log_keys import is_object_name
from falcon_balances.domain.operations import OperationType
from tests.audit.grammar_samples import (
    GOOD,
    OPERATION,
    WRONG,
)
from tests.audit.logs import MemoryLog


def by_the_stream(key, body):
    named = read_key(key)
    said = named.groupdict() if named else {}
    record = {
        "schema_version": "1",
        "kind": "segment",
        "stage": said.get("stage") or "confirmed",
        "merchant_id": said.get("merchant") or "m-1",
        "part": int(said.get("part") or 1),
        "parts": int(said.get("parts") or 1),
        "revision": int(said.get("revision") or 1),
        "context_version": "",
        "log_key": key,
        "version_id": "v1",
        "fingerprint": "f" * 64,
        "body": body.decode("utf-8"),
    }
    if record["stage"] == "adjustment":
        fields = body.decode().split("\n")[1].split(",")
        record |= {"corrects": fields[11]} if fields[11] else {}
    try:
        parse_stream_record(json.dumps(record).encode()).to_segment()  # type: ignore[union-attr]
    except RejectedOperation:
        return False
    return True


def by_the_strict_reader(key, body):
    try:
        read_strictly(key, body)
    except FlawedObjectError:
        return False
    return True


def by_columns(key, body):
    prefix, _, name = key.rpartition("/")
    partition = Partition.of(prefix)
    if partition is None or not is_object_name(name, partition.stage):
        return False
    try:
        columns_of([ObjectBatch(partition, [name], [body])], [0])
    except NotAsWrittenError:
        return False
    return True


def by_replay(key, body):
    replayed = replay(MemoryLog({key: body}), Selection())
    problems = {each.problem for each in replayed.findings} - {"part_missing"}
    assert bool(replayed.sums) is not bool(problems)
    return not problems


def by_the_verifier(key, body):
    named = read_key(key)
    if named is None:
        return False
    try:
        lines_of_body(named, body)
    except NotWrittenSoError:
        return False
    return True


READERS = [by_the_stream, by_the_strict_reader, by_columns, by_replay, by_the_verifier]


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("name", GOOD)
def test_what_the_writer_writes_is_taken_by_every_reader(reader, name):
    assert reader(*GOOD[name])


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("name", WRONG)
def test_what_the_writer_would_not_write_is_taken_by_none(reader, name):
    assert not reader(*WRONG[name])


def test_the_verifier_knows_the_same_currencies():
    codes = {"".join(each) for each in product(ascii_uppercase, repeat=3)}
    known = {code: each.exponent for code in codes if (each := written_currency(code))}
    assert known == DECIMALS


def test_a_folder_is_replayed_as_its_objects_are(tmp_path):
    good = dict([GOOD["a capture"]])
    for key, body in (GOOD["a revision"], WRONG["key 3-of-2"], *good.items()):
        path = tmp_path / key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(body)
    replayed = replay(LogFolder(tmp_path), Selection())
    assert (replayed.lines, [each.problem for each in replayed.findings]) == (2, ["foreign"])


def test_a_uuid_follows_from_the_stage_with_its_revision():
    made = balance_operation_uuid(OPERATION, "confirmed.2", "m-1", "bs-1", OperationType.CAPTURE, 0)
    key, body = GOOD["a revision"]
    segment = read_strictly(key, body)
    assert segment.lines[0].uuid == made
    assert (segment.revision, replace(segment, revision=1).staged) == (2, "confirmed")
