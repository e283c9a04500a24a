"""No byte that others rely on changes unnoticed."""

import hashlib
import json

import pytest

from falcon_balances.contracts.stream_records import SegmentRecordV1, parse_stream_record
from tests.contract.golden import GOLDEN, golden_files, golden_on_disk

FILES = golden_files()


@pytest.mark.parametrize("name", sorted(FILES))
def test_the_bytes_are_as_they_were(name):
    path = GOLDEN / name
    assert path.is_file(), "new: python -m tests.contract.golden --write"
    assert FILES[name] == path.read_bytes()


def test_nothing_that_was_made_before_is_made_no_longer():
    assert golden_on_disk().keys() <= FILES.keys()


def lines(name: str) -> list[str]:
    return (GOLDEN / name).read_text(encoding="utf-8").splitlines()


def test_each_fingerprint_is_the_sha256_of_its_canonical_text():
    for line in lines("fingerprints.jsonl"):
        said = json.loads(line)
        assert hashlib.sha256(said["canonical"].encode()).hexdigest() == said["fingerprint"]
        assert json.loads(said["canonical"])["schema_version"] == "1"


def test_old_records_still_read_and_say_what_the_log_says():
    for line in lines("records.jsonl"):
        record = parse_stream_record(line.encode())
        if isinstance(record, SegmentRecordV1):
            assert record.to_segment().merchant_id == record.merchant_id
            assert (GOLDEN / "log" / record.log_key).read_bytes() == record.body.encode()


def test_the_sum_of_the_golden_log_is_the_golden_balance():
    """With cents and the header's names only: nothing of the code under test takes part."""
    total = 0
    for path in (GOLDEN / "log").glob("confirmed/merchant_id=m-books/*/*.csv"):
        header, *rows = path.read_text(encoding="utf-8").splitlines()
        amount = header.split(",").index("amount")
        total += sum(int(row.split(",")[amount].replace(".", "")) for row in rows)
    (document,) = (json.loads(line) for line in lines("balance-document.json"))
    assert f"{total / 100:.2f}" == document["balances"][0]["confirmed"]
