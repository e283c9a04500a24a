"""Lines of earlier manifests are read by ranges, several at once where they are near."""

from random import Random

import pytest

from falcon_balances.adapters.manifests import spans_of
from falcon_balances.domain.errors import IntegrityError
from falcon_balances.domain.manifests import manifest_key
from falcon_balances.domain.merchant_branch import SealedLine
from tests.component.buckets import MANIFESTS

SIZE = 40


def at(sequence: int, offset: int, size: int = SIZE) -> SealedLine:
    return SealedLine(bytes(32), sequence, offset, size)


def test_lines_are_found_whatever_the_length_of_head_and_signature(buckets):
    lines = [b"%040d" % n for n in range(2_000)]
    for number in range(1, 4):
        body = b"\n".join([b"h" * 30 * number, b"s" * number, *lines, b""])
        buckets.s3.put_object(Bucket=MANIFESTS, Key=manifest_key(number), Body=body)
    rng = Random(1)
    places = [rng.randrange(len(lines)) for _ in range(300)]
    wanted = [at(rng.randrange(1, 4), place * (SIZE + 1)) for place in places]
    assert buckets.manifests.lines(wanted) == [lines[place] for place in places]
    assert buckets.manifests.lines([]) == []


def test_near_lines_are_read_at_once_and_no_span_is_large():
    far = 1 << 20
    assert [len(each) for each in spans_of([at(1, far), at(1, 0), at(2, 0), at(1, 50)])] == [
        2,
        1,
        1,
    ]
    assert len(list(spans_of([at(1, n * 10_000, 9_000) for n in range(1_000)]))) == 3
    assert list(spans_of([at(1, 0)] * 3)) == [[at(1, 0)]]


@pytest.mark.parametrize("body", [b"", b"x\ny", b"x\ny\n"])
def test_a_manifest_without_leaves_is_refused(buckets, body):
    buckets.s3.put_object(Bucket=MANIFESTS, Key=manifest_key(1), Body=body)
    with pytest.raises(IntegrityError, match=r"00000001\.jsonl (has no leaves|is too short)"):
        buckets.manifests.lines([at(1, 0)])
