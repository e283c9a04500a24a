"""Closed days made in AWS: once, whole, and as the journal says, whatever fails or repeats."""

import json
from datetime import date
from types import SimpleNamespace
from typing import Any

import pytest

from falcon_balances.adapters.aws import client
from falcon_balances.adapters.closed_day_files import ClosedDayFiles
from falcon_balances.adapters.closings import DynamoClosings
from falcon_balances.audit.athena_replay import replay_by_athena
from falcon_balances.audit.closed_replay import replay_closed
from falcon_balances.audit.log_objects import Selection
from falcon_balances.audit.replay import replay
from falcon_balances.cli.audit import line_sources, options
from falcon_balances.cli.audit.comparing import Comparison
from falcon_balances.cli.audit.fetching import fetch_closed_days
from falcon_balances.cli.audit.line_sources import closed_days_of, everything_counted
from falcon_balances.cli.audit.options import Lines
from falcon_balances.cli.errors import InvalidInputError
from falcon_balances.contracts.closed_days import ClosedDayV1
from falcon_balances.contracts.making_days import ListRequest
from falcon_balances.domain.errors import IntegrityError
from inprocess.aws import BALANCES_TABLE, JOURNAL_BUCKET, LOG_BUCKET, REGION, create_bucket
from lambdas.closer import handler as closer
from lambdas.day_lister import handler as lister
from lambdas.day_publisher import handler as publisher
from tests.audit.logs import MemoryLog
from tests.builders import confirmed, cut_of, data_of, reconciled, record_of
from tests.component.athena import Athena
from tests.component.lambda_events import SHARD, lambda_context
from tests.component.world import utc

CLOSED = "falcon-closed"
DATABASE = "falcon_balances_test"
DAYS_MAX = 3
DAYS = ("2026-11-20", "2026-11-22")
Listed = dict[str, Any]


class Machine:
    """state_machines/closed_days.asl.json: JSON goes between its steps."""

    def __init__(self, athena: Athena) -> None:
        self.athena = athena
        self.files = ClosedDayFiles(client("s3"), CLOSED)

    def listed(self, run: str) -> Listed:
        said = lister.lambda_handler({"run": run}, lambda_context())
        return dict(json.loads(json.dumps(said)))

    def make(self, listed: Listed) -> list[Any]:
        """What is counted in the run's files."""
        if not listed["has_lines"]:
            return [0, 0, 0]
        self.athena.unload(listed["day"]["unload"])
        return self.athena.count(listed["day"]["count"])

    def publish(self, listed: Listed, counted: list[Any]) -> Listed:
        event = json.loads(json.dumps({"day": listed["day"], "counted": counted}))
        return publisher.lambda_handler(event, lambda_context())

    def run(self, name: str) -> list[str]:
        """The days that the execution made."""
        made: list[str] = []
        while not (listed := self.listed(name))["is_done"]:
            made.append(self.publish(listed, self.make(listed))["day"])
            assert len(made) <= DAYS_MAX
        return made

    def described(self, day: str) -> ClosedDayV1:
        said = self.files.described(date.fromisoformat(day))
        assert said is not None
        return said


@pytest.fixture
def machine(aws, tmp_path, monkeypatch) -> Machine:
    """Before anything is counted."""
    monkeypatch.setenv("CLOSED_BUCKET", CLOSED)
    monkeypatch.setenv("DATABASE", DATABASE)
    create_bucket(client("s3"), CLOSED, REGION)
    (tmp_path / "athena").mkdir()
    monkeypatch.setattr(options, "find_target", lambda _env: deployed())
    return Machine(Athena(tmp_path / "athena", CLOSED, DATABASE))


def count(aws, *days: str) -> dict[str, bytes]:
    """Both stages of an operation on each day; the log's objects."""
    objects = {}
    for day in days:
        for document in (confirmed, reconciled):
            record = record_of(document(external_reference=f"order-{day}"))
            aws.reduce(data_of(record), arrived_at=utc(f"{day}T10:05:00"))
            objects[record.log_key] = record.body.encode()
    return objects


def close(aws, until: str) -> None:
    """A cut passes, and the closer closes the days that are over."""
    aws.reduce(data_of(cut_of(f"{until}Z", SHARD)), arrived_at=utc(until))
    closer.lambda_handler({}, lambda_context(800))


@pytest.fixture
def closed(aws, machine) -> dict[str, bytes]:
    """Three days, of which the second has no segment. The log's objects."""
    objects = count(aws, *DAYS)
    close(aws, "2026-11-23T00:06:00")
    return objects


def test_every_closed_day_is_made_in_order_and_then_nothing_is_left(machine, closed):
    assert machine.run("run-1") == ["2026-11-20", "2026-11-21", "2026-11-22"]
    said = [machine.described(f"2026-11-2{n}") for n in range(3)]
    assert [(each.segments, each.lines, len(each.files)) for each in said] == [
        (2, 2, 1),
        (0, 0, 0),
        (2, 2, 1),
    ]
    assert said[0].is_first
    assert [each.previous for each in said[1:]] == [each.digest for each in said[:-1]]
    assert machine.run("run-2") == []
    assert machine.athena.unloads == 2


def test_athena_s_table_shows_what_is_published(machine, closed):
    machine.run("run-1")
    assert {(day, key) for day, key in machine.athena.published('"date", log_key')} == {
        (day, key) for key in closed for day in DAYS if f"order-{day}" in closed[key].decode()
    }


def test_the_days_are_the_log(machine, closed, tmp_path):
    machine.run("run-1")
    assert fetch_closed_days(deployed(), tmp_path, lambda _days: None) == 3
    assert fetch_closed_days(deployed(), tmp_path, lambda _days: None) == 0
    made = replay_closed(tmp_path / "closed", Selection())
    log = replay(MemoryLog(dict(sorted(closed.items()))), Selection())
    assert (made.sums, made.agreements, made.findings) == (log.sums, log.agreements, [])


def test_a_day_that_two_runs_make_is_that_of_the_first_to_describe_it(machine, closed):
    first, second = machine.listed("run-1"), machine.listed("run-2")
    counted = [machine.make(each) for each in (first, second)]
    assert machine.publish(second, counted[1])["segments"] == 2
    assert machine.publish(first, counted[0])["segments"] == 2
    assert machine.publish(second, counted[1])["segments"] == 2
    [file] = machine.described("2026-11-20").files
    assert file.name.startswith("run=run-2/")
    assert machine.athena.published("count(*)") == [(2,)]
    assert machine.run("run-3") == ["2026-11-21", "2026-11-22"]


def test_of_two_descriptions_of_a_day_the_first_one_stays(machine, closed):
    """Both runs saw that the day was not described yet."""
    machine.publish(listed := machine.listed("run-1"), machine.make(listed))
    said = machine.described("2026-11-20")
    assert machine.files.publish(said.model_copy(update={"files": ()})) == said
    assert machine.described("2026-11-20") == said


@pytest.mark.parametrize("counted", [[1, 2, 2], [2, 1, 2], [2, 2, 4], [0, 0, 0]])
def test_files_that_are_not_what_the_journal_says_are_not_published(machine, closed, counted):
    listed = machine.listed("run-1")
    assert machine.make(listed) == ["2", "2", "2"]
    with pytest.raises(IntegrityError, match=r"2026-11-20, run run-1: .*\[2, 2, 2\], the files"):
        machine.publish(listed, counted)
    assert machine.athena.keys("days/") == machine.athena.keys("published/") == []
    assert machine.run("run-2")[0] == "2026-11-20", "the next execution makes it in its own folder"


def test_a_run_that_ended_after_the_description_is_finished_by_the_next(machine, closed):
    listed = machine.listed("run-1")
    counted = machine.make(listed)
    machine.publish(listed, counted)
    [shown] = machine.athena.keys("published/")
    client("s3").delete_object(Bucket=CLOSED, Key=shown)
    machine.listed("run-2")
    assert machine.athena.keys("published/") == [shown]


def test_a_day_whose_predecessor_is_not_made_is_not_published(machine, closed):
    first = machine.listed("run-1")
    machine.publish(first, machine.make(first))
    later = json.loads(json.dumps(first).replace("2026-11-20", "2026-11-22"))
    with pytest.raises(IntegrityError, match="the last day that was made is 2026-11-20"):
        machine.publish(later, [2, 2, 2])


def test_only_a_day_that_the_closer_has_closed_is_made(aws, machine):
    assert machine.run("run-1") == [], "before anything is counted"
    count(aws, "2026-11-20")
    aws.reduce(
        data_of(cut_of("2026-11-21T00:06:00Z", SHARD)), arrived_at=utc("2026-11-21T00:06:00")
    )
    assert machine.run("run-2") == []
    closer.lambda_handler({}, lambda_context(800))
    assert DynamoClosings(client("dynamodb"), BALANCES_TABLE).closed_day().day == "2026-11-20"
    assert machine.run("run-3") == ["2026-11-20"]


def test_a_page_that_is_missing_is_named_and_no_day_listed(machine, closed):
    s3 = client("s3")
    [page, *_] = [each["Key"] for each in s3.list_objects_v2(Bucket=JOURNAL_BUCKET)["Contents"]]
    s3.delete_object(Bucket=JOURNAL_BUCKET, Key=page)
    with pytest.raises(IntegrityError, match="is missing"):
        machine.listed("run-1")


@pytest.mark.parametrize("run", ["", "a/b", "it's", "x" * 81, None])
def test_a_run_s_name_cannot_leave_its_folder_or_its_literal(run):
    with pytest.raises(ValueError, match="run"):
        ListRequest.model_validate({"run": run})


def test_another_day_s_description_is_named(machine, closed):
    machine.run("run-1")
    s3 = client("s3")
    body = s3.get_object(Bucket=CLOSED, Key="days/2026-11-20.json")["Body"].read()
    s3.put_object(Bucket=CLOSED, Key="days/2026-11-22.json", Body=body)
    with pytest.raises(IntegrityError, match=r"2026-11-22\.json: it is the description of"):
        machine.files.newest()


def deployed() -> Any:
    """As much of a target as these commands ask for."""
    return SimpleNamespace(
        env="test",
        client=client,
        closed_bucket=CLOSED,
        journal_bucket=JOURNAL_BUCKET,
        log_bucket=LOG_BUCKET,
        balances_table=BALANCES_TABLE,
    )


def compared(lines: Lines | None, merchant_id: str | None = None) -> Any:
    with everything_counted(deployed(), None, lines, merchant_id) as replaying:
        return Comparison(deployed(), replaying, with_api=False).run(merchant_id, 0)


def test_the_environment_s_closed_days_with_its_journal_since_are_the_table(aws, machine, closed):
    machine.run("run-1")
    count(aws, "2026-11-23", "2026-11-24")
    for merchant_id in (None, "m-5553"):
        said = compared(Lines.CLOSED, merchant_id)
        assert (said.balances, said.differing, said.findings) == (1, [], [])
    key = {"pk": {"S": "MERCHANT#m-5553"}, "sk": {"S": "BALANCE#bs-5553-eur#EUR"}}
    client("dynamodb").update_item(
        TableName=BALANCES_TABLE,
        Key=key,
        UpdateExpression="ADD pending :one",
        ExpressionAttributeValues={":one": {"N": "1"}},
    )
    [differing] = compared(Lines.CLOSED).differing
    assert (differing.difference.log, differing.difference.other) == ("0.00", "0.01")


def test_athena_adds_up_what_is_published(machine, closed):
    machine.run("run-1")
    days = closed_days_of(deployed())

    def query(select):
        return [[str(each) for each in row] for row in machine.athena.rows(select)]

    said = replay_by_athena(query, f"{DATABASE}.closed_days", days, Selection())
    with everything_counted(deployed(), None, Lines.CLOSED, None) as replaying:
        assert (said.sums, said.findings) == (replaying(Selection()).sums, [])


@pytest.mark.parametrize(("is_cheaper", "balances"), [(True, 1), (False, 0)])
def test_by_default_the_cheaper_way_is_taken(machine, closed, monkeypatch, is_cheaper, balances):
    """The log's bucket is empty here: whoever reads it finds no balance."""
    machine.run("run-1")
    monkeypatch.setattr(line_sources, "closed_is_cheaper", lambda *_: is_cheaper)
    with everything_counted(deployed(), None, None, None) as replaying:
        assert len(replaying(Selection()).sums) == 2 * balances
    with everything_counted(deployed(), None, Lines.LOG, None) as replaying:
        assert replaying(Selection()).sums == {}


def test_an_environment_without_closed_days_says_so(machine):
    with pytest.raises(InvalidInputError, match="environment test has no closed days"):
        compared(Lines.CLOSED)
    assert compared(None).balances == 0
