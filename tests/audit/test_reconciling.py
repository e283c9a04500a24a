"""`falcon audit reconcile` on a folder, as its user runs it."""

import csv
import json

import pytest

from falcon_balances.cli import main
from falcon_balances.contracts.currencies import scaled
from falcon_balances.domain.log_format import logged_segment
from falcon_balances.domain.logged_operations import logged_operations
from falcon_balances.domain.operations import Stage
from generated.logs import write
from tests.audit.sealed import objects

ORDERS = 40


@pytest.fixture(scope="module")
def log():
    return objects(ORDERS, 7)


@pytest.fixture
def settled(log):
    """A PSP's file of everything that is reconciled, as rows."""
    segments = [logged_segment(key, body.decode()) for key, body in log.items()]
    return [
        {
            "reference": each.reference,
            "amount": scaled(each.minor, each.currency),
            "currency": each.currency,
            "date": each.day.isoformat(),
            "psp_id": each.psp_id,
        }
        for each in sorted(logged_operations(segments))
        if each.stage is Stage.RECONCILED
    ]


@pytest.fixture
def falcon(monkeypatch, capsys, tmp_path, log):
    """Exit code, document and messages of `audit reconcile --json`."""
    folder = write(log, tmp_path / "log")

    def run(rows, *options):
        path = tmp_path / "settlement.csv"
        with path.open("w", newline="") as file:
            writer = csv.DictWriter(file, list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)
        arguments = ["audit", "reconcile", "--statement", str(path), "--log", str(folder)]
        monkeypatch.setattr("sys.argv", ["falcon", *arguments, *options, "--json"])
        with pytest.raises(SystemExit) as ended:
            main.main()
        said = capsys.readouterr()
        assert "Traceback" not in said.err
        return ended.value.code or 0, json.loads(said.out) if said.out else None, said.err

    return run


def differences(document):
    return [(each["difference"], each["reference"]) for each in document["open"]]


def test_a_file_made_of_what_was_reconciled_matches_wholly(falcon, settled):
    code, said, messages = falcon(settled)
    assert (code, said["matched"], said["open"]) == (0, ORDERS, [])
    assert f"{ORDERS} lines matched" in messages
    total = sum(int(each["amount"].replace(".", "")) for each in settled)
    assert said["matched_amounts"] == {"EUR": scaled(total, "EUR")}


@pytest.mark.parametrize("place", [0, ORDERS // 2, ORDERS - 1])
def test_a_changed_cent_a_missing_line_and_an_extra_line_are_each_reported(falcon, settled, place):
    row = settled[place]
    cent = {**row, "amount": row["amount"][:-1] + ("1" if row["amount"][-1] != "1" else "2")}
    changed = [*settled[:place], cent, *settled[place + 1 :]]
    missing = settled[:place] + settled[place + 1 :]
    extra = [*settled[:place], {**row, "reference": "nobody-knows"}, *settled[place:]]
    for rows, expected in (
        (changed, ("different_amount", row["reference"])),
        (missing, ("ours_only", row["reference"])),
        (extra, ("theirs_only", "nobody-knows")),
        ([*settled, row], ("theirs_only", row["reference"])),
        ([*settled[:place], {**row, "amount": f"-{row['amount']}"}, *settled[place + 1 :]],
         ("different_sign", row["reference"])),
        ([*settled[:place], {**row, "currency": "USD"}, *settled[place + 1 :]],
         ("different_currency", row["reference"])),
    ):  # fmt: skip
        code, said, messages = falcon(rows)
        assert code == 3
        assert differences(said) == [expected]
        assert "1 open" in messages
        assert said["ages"][0]["items"] == 1


def test_days_of_the_statement_bound_what_is_expected_in_it(falcon, settled):
    day = settled[0]["date"]
    some = [row for row in settled if row["date"] == day]
    until = max(row["date"] for row in settled)
    code, said, _ = falcon(some, "--since", day, "--until", until, "--days", "0")
    assert code == 3
    assert {each["difference"] for each in said["open"]} == {"ours_only"}
    of_day = falcon(some, "--since", day, "--until", day[:-2] + f"{int(day[-2:]) + 1:02}")
    assert (of_day[0], of_day[1]["open"]) == (0, [])


def test_a_psp_is_asked_for_its_own_only(falcon, settled):
    code, said, _ = falcon(settled, "--psp", "psp-2")
    assert code == 3
    assert {each["difference"] for each in said["open"]} == {"theirs_only"}
    assert falcon(settled, "--psp", "psp-1")[0] == 0


def test_other_names_for_columns(falcon, settled):
    rows = [
        {"Ref": each["reference"], "date": each["date"], "Net": each["amount"]} for each in settled
    ]
    options = ("--column", "reference=Ref", "--column", "amount=Net", "--currency", "EUR")
    assert falcon(rows, *options)[0] == 0


def test_the_log_of_another_stage(falcon, settled):
    code, said, _ = falcon(settled, "--stage", "payout")
    assert code == 3
    assert len(said["open"]) == ORDERS


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--stage", "settled"), "--stage"),
        (("--column", "reference"), "--column"),
        (("--column", "id=Ref"), "--column"),
        (("--currency", "EURO"), "--currency"),
        (("--delimiter", ";;"), "--delimiter"),
        (("--since", "2026-02-30"), "--since"),
        (("--statement", "nowhere.csv"), "nowhere.csv"),
        (("--statement", "."), "--statement"),
        (("--log", "nowhere"), "is not a folder"),
    ],
)
def test_wrong_options_are_said(falcon, settled, options, said):
    code, document, messages = falcon(settled, *options)
    assert (code, document) == (1, None)
    assert said in messages


def test_nothing_is_compared_with_half_a_statement(falcon, settled):
    settled[3]["amount"] = "1,00"
    settled[5]["date"] = "yesterday"
    code, document, messages = falcon(settled)
    assert (code, document) == (1, None)
    assert "settlement.csv:5: amount" in messages
    assert "settlement.csv:7: date" in messages
    assert "nothing was compared" in messages
