import json

import pytest
from typer.testing import CliRunner

from falcon_balances.cli.main import app


def run(*words: str):
    return CliRunner().invoke(app, ["capacity", *words])


def test_it_tells_needs_limits_and_bill_and_as_json_the_same():
    told = run("--per-second", "500", "--merchants", "1").stdout
    for words in ("first limit: reducer", "by-window", "a million messages kept for 10 years"):
        assert words in told
    document = json.loads(run("--per-second", "500", "--merchants", "1", "--json").stdout)
    assert list(document) == [
        "load",
        "needs",
        "limits",
        "first_limit",
        "quotas_to_raise",
        "bill",
        "kept",
        "table_classes",
        "prices",
    ]
    assert f"{document['bill']['on demand']['per_million']:.2f}" in told


def test_it_names_what_to_raise():
    assert "raise: Lambda: functions at once" in run("--per-second", "50000").stdout


@pytest.mark.parametrize(
    ("words", "option"),
    [
        (["--per-second", "0"], "--per-second"),
        (["--per-second", "-1"], "--per-second"),
        (["--per-second", "nan"], "--per-second"),
        (["--per-second", "inf"], "--per-second"),
        (["--per-second", "1e30"], "--per-second"),
        (["--per-second", "1", "--merchants", "0"], "--merchants"),
        (["--per-second", "1", "--merchants", "999999999999"], "--merchants"),
        (["--per-second", "1", "--zipf", "nan"], "--zipf"),
        (["--per-second", "1", "--years", "1e9"], "--years"),
        (["--per-second", "1", "--queue-window", "-1"], "--queue-window"),
        (["--per-second", "1", "--stream-window", "301"], "--stream-window"),
    ],
)
def test_a_figure_outside_its_bounds_is_invalid_input(words, option):
    done = run(*words)
    assert done.exit_code == 1
    assert f"{option} must be a number from" in str(done.exception)


@pytest.mark.parametrize("words", [[], ["--per-second", "many"], ["--per-second", "1", "--x"]])
def test_wrong_usage_is_told_as_such(words):
    assert run(*words).exit_code == 2
