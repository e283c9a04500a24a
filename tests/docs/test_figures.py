"""The figures that pages name are the code's. A figure that changes must change on its page."""

import json
import re
import tomllib
from datetime import timedelta
from typing import Final, NamedTuple

import pytest

from falcon_balances.adapters.merchant_directory import CACHED_S
from falcon_balances.adapters.merchant_reads import INDEX_DELAY
from falcon_balances.adapters.operation_pages import LOOK_AT
from falcon_balances.audit.verifier import files
from falcon_balances.audit.verifier.leaves import COUNT_MAX
from falcon_balances.cli.audit.reconciling import DAYS
from falcon_balances.contracts.decoding import MESSAGE_BYTES_MAX
from falcon_balances.contracts.queries import LIMIT_MAX
from falcon_balances.domain.cuts import CLOSING_DELAY
from falcon_balances.domain.log_grammar import AMOUNT_DIGITS_MAX, COLUMNS
from falcon_balances.domain.merchant_context import NOTICE
from falcon_balances.domain.merged_marks import PARTITIONS
from falcon_balances.domain.payouts import VALID_FOR
from infra.environments import ENVIRONMENTS
from infra.environments.settings import EnvironmentSettings
from infra.parts.stage import CHUNK_BUDGET_BYTES
from infra.parts.stage_queue import RETENTION
from lambdas.api_routes.edge import PATH_CHARACTERS_MAX, QUERY_CHARACTERS_MAX
from lambdas.api_routes.turnover import LATE_SHOWN_MAX
from lambdas.dispatcher.dispatching import EXECUTION_S_MAX
from lambdas.dispatcher.handler import _FIRST_RETURN_S, _LAST_RETURN_S
from lambdas.persister.deciding import WAIT_MAX
from lambdas.reducer.counting import ATTEMPTS
from tests.docs.pages import ROOT, pages

_WORDS: Final = dict(
    zip(
        ("three", "six", "eight", "ten", "sixteen", "a hundred"),
        (3, 6, 8, 10, 16, 100),
        strict=True,
    )
)
_KIB, _MIB, _GIB = 1 << 10, 1 << 20, 1 << 30
TEST, LIVE, LOCAL = (ENVIRONMENTS[name] for name in ("test", "live", "local"))
MACHINE: Final = json.loads((ROOT / "state_machines/balance_operations.asl.json").read_text())
PROJECT: Final = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
ARCHITECTURE, API, MANIFESTS, AUDIT = (
    f"docs/{name}.md" for name in ("architecture", "api", "manifests", "audit")
)


def visibility_s(settings: EnvironmentSettings) -> int:
    return settings.queue.visibility_s(settings.functions["dispatcher"].timeout_s)


def hours(span: timedelta) -> int:
    return int(span.total_seconds() // 3600)


class Figure(NamedTuple):
    """A page, the words around its figure, and what the code has."""

    page: str
    said: str
    value: int


VALIDITY: Final = "docs/decisions/0033-until-when-a-payout-request-is-valid.md"
FIGURES: Final = [
    Figure(ARCHITECTURE, r"([\d,]+) bytes of 256 KiB", CHUNK_BUDGET_BYTES),
    Figure(ARCHITECTURE, r"`E_REVISION` after (\d+) hours", hours(WAIT_MAX)),
    Figure(ARCHITECTURE, r"comes back after (\d+) s", _FIRST_RETURN_S),
    Figure(ARCHITECTURE, r"retried (\w+) times, after up to 1, 2 and 4 s", 3),
    Figure(ARCHITECTURE, r"machine ends after (\d+) s", MACHINE["TimeoutSeconds"]),
    Figure(ARCHITECTURE, r"no execution with less than (\d+) s left", EXECUTION_S_MAX),
    Figure(ARCHITECTURE, r"([\d,]+) s in `test` and `live`", visibility_s(LIVE)),
    Figure(ARCHITECTURE, r"([\d,]+) s in `test` and `live`", visibility_s(TEST)),
    Figure(ARCHITECTURE, r"([\d,]+) s in `local`", visibility_s(LOCAL)),
    Figure(ARCHITECTURE, r"keep messages for (\d+) days", int(RETENTION.to_days())),
    Figure(ARCHITECTURE, r"tries a transaction (\w+) times", ATTEMPTS),
    Figure(ARCHITECTURE, r"starts at least (\d+) minutes after", NOTICE.seconds // 60),
    Figure(ARCHITECTURE, r"remember contexts for up to (\d+) s", CACHED_S),
    Figure(ARCHITECTURE, r"ended at least (\d+) s before", CLOSING_DELAY.seconds),
    Figure(API, r"pages of up to (\d+) operations", LIMIT_MAX),
    Figure(API, r"looks at ([\d,]+) to [\d,]+ operations", LOOK_AT),
    Figure(API, r"looks at [\d,]+ to ([\d,]+) operations", PARTITIONS * LOOK_AT),
    Figure(API, r"[Mm]ore than ([\d,]+) objects", LIVE.api.log_objects_max),
    Figure(API, r"(\w+) seconds ago", INDEX_DELAY.seconds),
    Figure(API, r"`late_operations` lists its first (\d+) operations", LATE_SHOWN_MAX),
    Figure("docs/problems/log-too-large.md", r"more than (\d+) objects", LIVE.api.log_objects_max),
    Figure(
        "docs/problems/malformed-request.md", r"larger than (\d+) KiB", MESSAGE_BYTES_MAX // _KIB
    ),
    Figure("docs/problems/too-large.md", r"path has more than ([\d,]+)", PATH_CHARACTERS_MAX),
    Figure("docs/problems/too-large.md", r"query string more than ([\d,]+)", QUERY_CHARACTERS_MAX),
    Figure(MANIFESTS, r"Amounts have (\d+) digits at most", AMOUNT_DIGITS_MAX),
    Figure(MANIFESTS, r"from 0 to 10(¹⁵)", len(str(COUNT_MAX)) - 1),
    Figure(MANIFESTS, r"a proof of (\d+) MiB at most", files.PROOF_MAX_BYTES // _MIB),
    Figure(MANIFESTS, r"a proof of (\d+) MiB at most", files.MANIFEST_MAX_BYTES // _MIB),
    Figure(MANIFESTS, r"an object of (\d+) MiB", files.OBJECT_MAX_BYTES // _MIB),
    Figure(MANIFESTS, r"versions of (\d+) GiB", files.VERSIONS_MAX_BYTES // _GIB),
    Figure(MANIFESTS, r"(\w+) columns", len(COLUMNS)),
    Figure(AUDIT, r"`--days (\d+)` \(the default\)", DAYS),
    Figure(AUDIT, r"last (\d+) days", LIVE.reconciling.look_back_days),
    Figure(VALIDITY, r"without `valid_until` (three) days", VALID_FOR.days),
    Figure(
        "CONTRIBUTING.md", r"at least (\d+) %", PROJECT["tool"]["coverage"]["report"]["fail_under"]
    ),
]


def number(text: str) -> int:
    if text.lower() in _WORDS:
        return _WORDS[text.lower()]
    return int(text.translate(str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹", "0123456789", ",")))


@pytest.mark.parametrize("figure", FIGURES, ids=lambda each: f"{each.page}: {each.said}")
def test_a_figure_on_a_page_is_the_code_s(figure):
    found = re.findall(figure.said, pages()[figure.page])
    assert found, f"{figure.page} no longer says {figure.said}"
    assert {number(each) for each in found} == {figure.value}


def test_the_environments_of_the_table_are_those_of_the_settings():
    rows = {
        cells[0]: cells[1:]
        for line in pages()[ARCHITECTURE].splitlines()
        if line.startswith("|")
        and len(cells := [each.strip() for each in line.split("|")[1:-1]]) == 4
    }
    locks = next(cells for name, cells in rows.items() if name.startswith("Object Lock"))
    assert locks == [
        f"{_span(each.log_lock.days)}, {each.log_lock.mode}" for each in _environments()
    ]
    streams = [_shards(each.stream.shards) for each in _environments()]
    assert rows["stream"] == streams
    assert rows["data outlives the stack"] == [
        "yes" if each.keeps_data else "no" for each in _environments()
    ]


def _environments() -> tuple[EnvironmentSettings, ...]:
    return LOCAL, TEST, LIVE


def _span(days: int) -> str:
    if days > 365:
        return f"{days // 365} years"
    return "1 day" if days == 1 else f"{days} days"


def _shards(count: int | None) -> str:
    return "on demand" if count is None else "1 shard" if count == 1 else f"{count} shards"


def test_messages_come_back_when_the_page_says():
    """30 s, 2 min, 8 min, then every half hour."""
    delays = [min(_FIRST_RETURN_S << 2 * n, _LAST_RETURN_S) for n in range(5)]
    assert delays == [30, 120, 480, 1_800, 1_800]
    assert "30 s, 2 min, 8 min, then every half hour" in pages()[ARCHITECTURE]


def test_decisions_are_short_and_numbered_without_a_gap():
    decisions = sorted(each for each in pages() if each.startswith("docs/decisions/"))
    assert [int(each.split("/")[-1][:4]) for each in decisions] == list(
        range(1, len(decisions) + 1)
    )
    assert [each for each in decisions if pages()[each].count("\n") >= 40] == []


def test_the_readme_is_one_screen():
    assert len(pages()["README.md"].split()) <= 700
