"""Files of settled cases: the text of a case with many references is written once."""

from datetime import date

from falcon_balances.contracts.comparison_files import SettledIndex, write_settled

DAY = date(2026, 11, 1)


def test_the_text_of_a_case_is_under_its_first_key_which_the_others_name():
    one = b'[[],["one"]]'
    named, body = write_settled({7: one, 3: one, 5: b"[[],[]]", 300: one}, DAY)
    index = SettledIndex.read(named.entries, body)
    start, end = index.range_of(0)
    assert index.texts(0, body[start:end]) == {3: one, 5: b"[[],[]]", 7: 3, 300: 3}


def test_a_file_grows_with_the_references_of_a_case_and_not_with_their_square():
    sizes = []
    for references in (1_000, 4_000):
        text = b"".join(b"%d" % (n * 7_919) for n in range(references))
        sizes.append(len(write_settled(dict.fromkeys(range(references), b"[" + text), DAY)[1]))
    assert sizes[1] < 6 * sizes[0]
