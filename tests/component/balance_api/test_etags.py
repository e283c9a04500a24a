"""ETags of balances: 304 for whoever has the same already."""

import pytest

from lambdas.balance_api import handler as balance_api
from tests.builders import confirmed
from tests.component.api_calls import (
    NOT_FOUND,
    get,
    http_event,
    send,
    token_of,
)
from tests.component.balance_api.asking import READS
from tests.component.ledger import MINUTE


@pytest.mark.parametrize("path", ["/balances", "/balances/bs-5553-eur"])
def test_who_has_the_same_balances_already_is_told_so(month, path):
    first = get(path)
    tag = first.headers["ETag"]
    month.now += MINUTE
    for known in (tag, f'"other", {tag}', f'{tag},"other"', "*"):
        for method in ("GET", "HEAD"):
            answer = get(path, "", method, headers={"if-none-match": known})
            assert (answer.status, answer.text) == (304, "")
            assert (answer.headers["ETag"], answer.headers["Cache-Control"]) == (tag, "no-store")
    for unknown in ('"other"', "", 'W/""', tag[:-2] + '"', tag.lower()):
        answer = get(path, headers={"if-none-match": unknown})
        assert (answer.status, answer.headers["ETag"]) == (200, tag)


def test_tags_are_compared_weakly(month):
    """RFC 9110, 13.1.2: with or without `W/` it is the same, as some proxies make it."""
    tag = get().headers["ETag"]
    assert tag.startswith('W/"')
    assert get(headers={"if-none-match": tag.removeprefix("W/")}).status == 304


def test_a_tag_changes_with_what_it_is_of_and_not_with_the_lag(month):
    tags = [get().headers["ETag"]]
    month.now += MINUTE
    assert [get().headers["ETag"]] == tags
    month.cut()
    tags.append(get().headers["ETag"])
    month.count(confirmed(external_reference="new"))
    tags.append(get().headers["ETag"])
    tags.append(get("/balances", "source=log").headers["ETag"])
    assert len(set(tags)) == 4


def test_a_tag_opens_nothing_of_another_merchant_s(month):
    tag = get().headers["ETag"]
    for known in (tag, "*"):
        event = http_event("GET", "/v1/merchants/m-other/balances", "", token_of())
        event["headers"]["if-none-match"] = known
        assert send(balance_api, event).body == NOT_FOUND


@pytest.mark.parametrize("path", sorted(READS.keys() - {"/balances", "/balances/bs-5553-eur"}))
def test_only_balances_have_a_tag(month, path):
    answer = get(path, READS[path], headers={"if-none-match": "*"})
    assert (answer.status, "ETag" in answer.headers) == (200, False)
