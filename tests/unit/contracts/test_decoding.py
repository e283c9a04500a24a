import pytest

from falcon_balances.contracts.decoding import MESSAGE_BYTES_MAX, decode
from falcon_balances.domain.errors import RejectedOperation
from tests.unit.contracts.messages import code_of, message


def refused(raw: bytes) -> str:
    with pytest.raises(RejectedOperation) as caught:
        decode(raw)
    return str(caught.value.code)


def nested(containers: int) -> bytes:
    """An object with arrays in it: so many containers, one in the other."""
    inside = containers - 1
    return b'{"a":' + b"[" * inside + b"]" * inside + b"}"


def test_64_kib_are_accepted_and_one_byte_more_is_not():
    padded = message().ljust(MESSAGE_BYTES_MAX)
    assert code_of(padded) is None
    assert code_of(padded + b" ") == "E_SIZE"


def test_the_size_is_counted_in_bytes_not_characters():
    text = '{"a": "' + "é" * (MESSAGE_BYTES_MAX // 2) + '"}'
    assert len(text) < MESSAGE_BYTES_MAX
    assert refused(text.encode()) == "E_SIZE"


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b" ",
        b"{",
        b"{}x",
        b"{} {}",
        b"null",
        b"true",
        b'"{}"',
        b"[]",
        b"[{}]",
        b"1",
        b"1" * 5000,
        b"1e999999999",
        b"-",
        b"NaN",
        b'{"a": NaN}',
        b'{"a": Infinity}',
        b'{"a": -Infinity}',
        b'{"a": [NaN]}',
        b'{"a": nan}',
        b'{"a": 01}',
        b'{"a": +1}',
        b'{"a": .5}',
        b'{"a": 5.}',
        b'{"a": 0x10}',
        b'{"a": 1_000}',
        b"{'a': 1}",
        b"{a: 1}",
        b'{"a": 1,}',
        b'{"a": undefined}',
        b'{"a": 1 // comment\n}',
        b'{"a": "\x00"}',
        b'{"a": "\n"}',
        b'{"a": "\\x41"}',
        b'{"a": "\\u12"}',
        b"\xef\xbb\xbf{}",  # a byte order mark
        '{"a": 1}'.encode("utf-16"),
        '{"a": 1}'.encode("utf-16-le"),
        b'{"a": "\xff"}',
        b'{"a": "\xc0\x80"}',  # NUL in two bytes
        b'{"a": "\xed\xa0\x80"}',  # half a surrogate pair in UTF-8
        b'{"a": "\\ud800"}',
        b'{"a": "\\udc00\\ud800"}',
        b'{"a": ["x", {"b": "\\uDFFF"}]}',
        b'{"\\ud800": 1}',
        b'{"a": {"\\udfff": 1}}',
        b"\xc2\xa0{}",  # a space that JSON does not know
        b"\x00{}",
        b"{}\x00",
    ],
)
def test_what_is_no_json_object_in_utf_8_is_refused(raw):
    assert refused(raw) == "E_JSON"


@pytest.mark.parametrize(
    "raw",
    [
        b'{"a": 1, "a": 1}',
        b'{"a": 1, "\\u0061": 1}',
        b'{"a": {"b": 1, "b": 2}}',
        b'{"a": [{"b": 1}, {"c": 1, "c": 1}]}',
        b'{"": 1, "": 1}',
        b'{"a": {"b": 1, "b": 2}, "a": 1}',
        b'{"a": [{"b": 1, "b": 2}], "a": [[[[[[[[[[[[]]]]]]]]]]]]}',
    ],
)
def test_a_key_that_comes_twice_is_refused_wherever_it_is(raw):
    assert refused(raw) == "E_DUP_KEY"


def test_the_same_key_in_different_objects_is_no_repeat():
    assert decode(b'{"a": {"a": [{"a": 1}, {"a": 1}]}}')["a"]


# The message itself is the first level.
@pytest.mark.parametrize(("containers", "code"), [(7, None), (8, None), (9, "E_DEPTH")])
def test_a_message_may_be_nested_eight_levels_deep(containers, code):
    if code is None:
        assert decode(nested(containers))
    else:
        assert refused(nested(containers)) == code


@pytest.mark.parametrize("containers", [11, 100, 1000, 5000, 30_000])
def test_however_deep_it_goes_it_is_too_deep(containers):
    assert refused(nested(containers)) == "E_DEPTH"


def test_objects_count_as_levels_like_arrays():
    assert refused(b'{"a":' * 10 + b"1" + b"}" * 10) == "E_DEPTH"


@pytest.mark.parametrize("raw", [b"[" * 65_536, b'{"a":' * 13_107, b'[{"a":' * 10_922])
def test_65536_open_brackets_are_refused_without_a_crash(raw):
    assert refused(raw) in {"E_JSON", "E_DEPTH"}


@pytest.mark.parametrize(
    "raw",
    [
        b'{"a": 1e999999999}',
        b'{"a": -0}',
        b'{"a": ' + b"9" * 5000 + b"}",
        b'{"a": 0.' + b"9" * 5000 + b"}",
        b' \t\r\n{"a": "\\u0000"} \n',
        b'{"a": "\\ud83d\\ude00"}',  # a whole surrogate pair
        '{"a": "日本\U0001f600"}'.encode(),
    ],
)
def test_json_that_is_only_strange_is_left_to_the_contract(raw):
    assert code_of(raw) == "E_VERSION"
    assert decode(raw)


def test_a_number_of_any_length_is_read_beside_an_escape():
    assert decode(b'{"a": ' + b"9" * 5000 + b', "b": "\\u0041"}')["b"] == "A"
