"""What the directory of merchant contexts does, in memory and in DynamoDB."""

from tests.builders import context_of, fee_of

KEY = context_of().key
FIRST = context_of()
SECOND = context_of(
    effective_from="2026-06-01T00:00:00Z",
    status="inactive",
    risk="high",
    fees=[
        fee_of("1.234567", fixed={"EUR": "0.05", "JPY": "3"}, min={"EUR": "0.10"}),
        fee_of("0", on="refund", fixed={"EUR": "1.00"}, max={"EUR": "1.00"}),
    ],
)
THIRD = context_of(effective_from="2026-09-01T00:00:00Z")


def test_a_history_is_found_as_it_was_put_oldest_first(directory):
    assert directory.replace(KEY, (), [FIRST, SECOND]) is True
    assert directory.histories([KEY]) == {KEY: [FIRST, SECOND]}


def test_unknown_keys_are_missing_from_the_answer(directory):
    directory.replace(KEY, (), [FIRST])
    unknown = context_of("unknown").key
    assert directory.histories([unknown, KEY]) == {KEY: [FIRST]}
    assert directory.histories([]) == {}


def test_a_longer_history_replaces_the_one_that_was_seen(directory):
    directory.replace(KEY, (), [FIRST])
    assert directory.replace(KEY, [FIRST], [FIRST, SECOND]) is True
    assert directory.histories([KEY])[KEY] == [FIRST, SECOND]


def test_who_was_slower_changes_nothing(directory):
    directory.replace(KEY, (), [FIRST])
    directory.replace(KEY, [FIRST], [FIRST, SECOND])
    assert directory.replace(KEY, [FIRST], [FIRST, THIRD]) is False
    assert directory.replace(KEY, (), [THIRD]) is False
    assert directory.histories([KEY])[KEY] == [FIRST, SECOND]


def test_a_wider_form_of_a_version_is_a_change_that_who_was_slower_must_see(directory):
    wider, other = (
        context_of(balance_shops={**FIRST.balance_shops, code: "bs-new"}) for code in ("USD", "BHD")
    )
    directory.replace(KEY, (), [FIRST, SECOND])
    assert directory.replace(KEY, [FIRST, SECOND], [FIRST, wider, SECOND]) is True
    assert directory.replace(KEY, [FIRST, SECOND], [FIRST, other, SECOND]) is False
    assert directory.histories([KEY])[KEY] == [FIRST, wider, SECOND]


def test_what_was_seen_must_be_there(directory):
    assert directory.replace(KEY, [FIRST], [FIRST, SECOND]) is False
    assert directory.histories([KEY]) == {}


def test_keys_are_kept_apart_and_more_than_one_call_takes_are_answered_in_one(directory):
    contexts = [context_of(str(n)) for n in range(105)]
    for context in contexts:
        directory.replace(context.key, (), [context])
    found = directory.histories([context.key for context in contexts])
    assert found == {context.key: [context] for context in contexts}
