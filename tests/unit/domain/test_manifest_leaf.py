"""A manifest's leaf of an object: what was sealed, in the one way in which it is written."""

from hashlib import sha256

import pytest

from falcon_balances.domain.errors import IntegrityError
from falcon_balances.domain.log_format import csv_body
from falcon_balances.domain.log_keys import log_key
from falcon_balances.domain.manifests import sealed_in
from falcon_balances.domain.sealed_objects import SealedObject
from falcon_balances.domain.splitting import split
from tests.builders import confirmed, context_of, fee_of, histories_of, operation_of

KEY = "confirmed/merchant_id=m-1/date=2026-11-20/notes.txt"
CONTEXTS = histories_of(context_of(fees=[fee_of("1.00")]))


def test_manifest_leaf_of_an_object_names_its_bytes_and_what_its_lines_add_up_to():
    [segment] = split(operation_of(confirmed(amount="100.00")), CONTEXTS).segments
    key, body = log_key(segment), csv_body(segment).encode()
    shop = segment.lines[0].balance_shop_id
    sums = (
        f'["{shop}","EUR","confirmed","capture","100.00",1],'
        f'["{shop}","EUR","confirmed","psp_fee","-1.00",1]'
    )
    assert SealedObject.of(key, "v-1", body, segment).leaf().decode() == (
        f'{{"key":"{key}","leaf":"object","lines":2,"sha256":"{sha256(body).hexdigest()}",'
        f'"size":{len(body)},"sums":[{sums}],"version_id":"v-1"}}'
    )


def test_manifest_leaf_of_a_flawed_object_has_its_flaw_and_no_sums():
    assert SealedObject.of(KEY, "v-1", b"x", "not a key of the log").leaf().decode() == (
        f'{{"flaw":"not a key of the log","key":"{KEY}","leaf":"object","lines":0,'
        f'"sha256":"{sha256(b"x").hexdigest()}","size":1,"sums":[],"version_id":"v-1"}}'
    )


@pytest.mark.parametrize("leaf", [b'{"leaf":"object"', b'{"leaf":"object"}', b'["leaf":"object"]'])
def test_a_manifest_with_another_leaf_of_an_object_is_refused(leaf):
    with pytest.raises(IntegrityError, match="cannot be parsed"):
        list(sealed_in(b"head\nsignature\n" + leaf))
