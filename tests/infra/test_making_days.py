"""Making closed days: the machine's steps, its queries' limits, and the tables that they read."""

import json
import re
from datetime import date
from string import Template

import jsonata  # type: ignore[import-untyped]
import pytest

from falcon_balances.contracts import athena_sql
from falcon_balances.contracts.closed_day_query import EFFECTS, PAGE_COLUMNS, ROW_COLUMNS
from falcon_balances.contracts.making_days import Listed, ListedDay, PublishRequest
from falcon_balances.domain.log_grammar import COLUMNS
from infra.parts.stage_machine import DEFINITIONS
from tests.infra.test_log_table import every_table
from tests.infra.test_state_machine import AWS_TRANSIENT

TEXT = (DEFINITIONS / "closed_days.asl.json").read_text()
STATES = json.loads(TEXT)["States"]
LAMBDA = "arn:aws:states:::lambda:invoke"
QUERY = "arn:aws:states:::athena:startQueryExecution.sync"
ROOT = "s3://closed-<AccountId>-<Region>/"
DAY, RUN = date(2026, 11, 20), "run-1"


def listed_day(lines):
    return Listed.of(
        ListedDay(
            day=DAY.isoformat(),
            run=RUN,
            journal={},
            segments=lines,
            lines=lines,
            unload="unload …",
            count="select …",
        )
    )


@pytest.fixture
def machine(real):
    return real.properties("AWS::StepFunctions::StateMachine")["closed-days"]


def test_a_day_is_listed_made_counted_published_and_then_the_next_one_is_listed():
    assert json.loads(TEXT)["StartAt"] == "DayLister"
    order = ["DayLister", "Remaining"]
    assert STATES["DayLister"]["Next"] == "Remaining"
    done, with_lines = STATES["Remaining"]["Choices"]
    assert (done["Next"], STATES["Done"]) == ("Done", {"Type": "Succeed"})
    assert STATES["Remaining"]["Default"] == "DayPublisher", "a day without lines has no files"
    order.append(with_lines["Next"])
    while order[-1] != "DayPublisher":
        order.append(STATES[order[-1]]["Next"])
    assert order == ["DayLister", "Remaining", "Make", "Count", "Counted", "DayPublisher"]
    assert STATES["DayPublisher"]["Next"] == "DayLister"
    assert {*order, "Done"} == set(STATES)


def test_it_waits_for_its_queries_and_repeats_none_of_them():
    """A second attempt would write beside what the first one wrote."""
    for name in ("Make", "Count"):
        assert STATES[name]["Resource"] == QUERY
        assert STATES[name]["Arguments"]["WorkGroup"] == "${WorkGroup}"
        assert "Retry" not in STATES[name]
    assert "Catch" not in TEXT
    asked = [STATES[name]["Arguments"]["QueryString"] for name in ("Make", "Count")]
    assert asked == ["{% $listed.day.unload %}", "{% $listed.day.count %}"]


def value_of(expression, **variables):
    parsed = jsonata.Jsonata(expression.removeprefix("{% ").removesuffix(" %}"))
    frame = parsed.create_frame()
    for name, value in variables.items():
        frame.bind(name, value)
    return parsed.evaluate(None, frame)


@pytest.mark.parametrize(
    ("listed", "following"),
    [
        (Listed.of(None), "Done"),
        (listed_day(lines=2), "Make"),
        (listed_day(lines=0), "DayPublisher"),
    ],
)
def test_what_is_listed_decides_on_the_next_step(listed, following):
    said = {"listed": listed.model_dump()}
    choices = STATES["Remaining"]["Choices"]
    taken = [each["Next"] for each in choices if value_of(each["Condition"], **said)]
    assert [*taken, STATES["Remaining"]["Default"]][0] == following
    if listed.day:
        query = STATES["Make"]["Arguments"]["QueryString"]
        assert value_of(query, **said) == listed.day.unload


def test_what_athena_answers_reaches_the_publisher():
    started = {"QueryExecution": {"QueryExecutionId": "an-id"}}
    assert value_of(STATES["Count"]["Output"], states={"result": started}) == "an-id"
    rows = [
        {"Data": [{"VarCharValue": each} for each in row]}
        for row in (athena_sql.COUNTS, ("1", "2", "2"))
    ]
    states = {"result": {"ResultSet": {"Rows": rows}}}
    counted = value_of(STATES["Counted"]["Assign"]["counted"], states=states)
    day = listed_day(lines=2).model_dump()["day"]
    assert PublishRequest.model_validate({"day": day, "counted": counted}).counted == [1, 2, 2]
    nothing = STATES["DayLister"]["Assign"]["counted"]
    assert PublishRequest.model_validate({"day": day, "counted": nothing}).counted == [0, 0, 0]


def test_functions_are_retried_for_what_is_transient_and_outlasted(real, machine):
    assert {key: real.text(each) for key, each in machine["DefinitionSubstitutions"].items()} == {
        "DayListerArn": "day-lister.Arn",
        "DayPublisherArn": "day-publisher.Arn",
        "WorkGroup": "closed-days",
    }
    assert set(re.findall(r"\$\{(\w+)\}", TEXT)) == set(machine["DefinitionSubstitutions"])
    functions = real.properties("AWS::Lambda::Function")
    for state, name in (("DayLister", "day-lister"), ("DayPublisher", "day-publisher")):
        task = STATES[state]
        assert task["Resource"] == LAMBDA
        [retry] = task["Retry"]
        assert set(retry["ErrorEquals"]) == AWS_TRANSIENT | {"TransientError"}
        assert functions[name]["Timeout"] < task["TimeoutSeconds"]


def test_an_execution_is_durable_and_ends_before_the_next_night(machine):
    assert "StateMachineType" not in machine or machine["StateMachineType"] == "STANDARD"
    assert json.loads(TEXT)["TimeoutSeconds"] < 21 * 3600
    assert machine["LoggingConfiguration"]["IncludeExecutionData"] is False


def test_its_queries_have_a_workgroup_with_a_limit_and_results_that_expire(real):
    [group] = real.properties("AWS::Athena::WorkGroup").values()
    said = group["WorkGroupConfiguration"]
    assert said["EnforceWorkGroupConfiguration"] is True
    assert said["BytesScannedCutoffPerQuery"] == 1 << 36
    result = said["ResultConfiguration"]
    assert real.text(result["OutputLocation"]) == f"{ROOT}results/"
    assert result["EncryptionConfiguration"] == {"EncryptionOption": "SSE_S3"}


def test_an_alarm_tells_a_failed_execution_and_a_night_without_its_day(real):
    alarms = real.properties("AWS::CloudWatch::Alarm").values()
    by_metric = {each["MetricName"]: each for each in alarms}
    failed, age = by_metric["ExecutionsFailed"], by_metric["MadeDayAge"]
    assert (failed["Namespace"], failed["Threshold"]) == ("AWS/States", 1)
    assert failed["TreatMissingData"] == "notBreaching"
    assert (age["Statistic"], age["Threshold"], age["Period"]) == ("Minimum", 36 * 3600, 86_400)
    assert age["TreatMissingData"] == "breaching"


def test_the_emulator_makes_no_days(local):
    assert not local.all("AWS::Athena::WorkGroup")
    assert set(every_table(local)) == {"transaction_log", "transaction_log_all", "journal"}


def test_the_journal_is_a_table_of_its_pages_lines(assembly):
    table = every_table(assembly)["journal"]
    storage = table["StorageDescriptor"]
    assert storage["Columns"] == [{"Name": name, "Type": "string"} for name in PAGE_COLUMNS]
    assert assembly.text(storage["Location"]) == "s3://journal-<AccountId>-<Region>/journal/"
    assert storage["SerdeInfo"]["SerializationLibrary"] == "org.openx.data.jsonserde.JsonSerDe"
    assert table.get("PartitionKeys", []) == []


def types_of(table):
    return {each["Name"]: each["Type"] for each in table["StorageDescriptor"]["Columns"]}


@pytest.mark.parametrize("name", ["closed_days", athena_sql.ROWS_OF_A_RUN])
def test_closed_days_have_the_columns_that_the_select_makes(real, name):
    types = types_of(every_table(real)[name])
    assert tuple(types) == ROW_COLUMNS
    numbers = ("revision", "part", "parts", "line")
    assert {types.pop(each) for each in numbers} == {"smallint"}
    assert {types.pop(each) for each in EFFECTS} == {"decimal(38,0)"}
    assert types.pop("amount") == "decimal(23,4)"
    assert set(types.values()) == {"string"}
    assert set(COLUMNS) < set(types) | {"amount"}


@pytest.mark.parametrize(
    ("name", "folder", "listed"),
    [
        ("closed_days", "published/date=2026-11-20/", True),
        (athena_sql.PAGES_OF_A_RUN, "pages/date=2026-11-20/run=run-1/", True),
        (athena_sql.ROWS_OF_A_RUN, "closed/date=2026-11-20/run=run-1/", False),
    ],
)
def test_tables_look_where_the_functions_write(real, name, folder, listed):
    """Of lists, the table is what the listed objects hold (tests/component/test_making_days.py)."""
    table = every_table(real)[name]
    template = real.text(table["Parameters"]["storage.location.template"])
    place = Template(template).substitute({"date": DAY.isoformat(), "run": RUN})
    assert place == f"{ROOT}{folder}"
    reader = table["StorageDescriptor"]["InputFormat"]
    assert (reader == "org.apache.hadoop.hive.ql.io.SymlinkTextInputFormat") is listed
    keys = [each["Name"] for each in table["PartitionKeys"]]
    for key in keys:
        kind = table["Parameters"][f"projection.{key}.type"]
        assert kind == ("date" if name == "closed_days" else "injected")


def test_queries_name_tables_that_there_are_and_every_injected_key(real):
    database = f"falcon_balances_{real.settings.name}"
    for query in (
        athena_sql.unload(database, DAY, RUN, f"{ROOT}closed/"),
        athena_sql.count(database, DAY, RUN),
    ):
        [name] = re.findall(rf"from {database}\.(\w+)", query)
        keys = every_table(real)[name]["PartitionKeys"]
        assert [each["Name"] for each in keys] == ["date", "run"]
        assert "\"date\" = '2026-11-20' and run = 'run-1'" in query
    told = real.properties("AWS::Lambda::Function")["day-lister"]["Environment"]["Variables"]
    assert told["DATABASE"] == database
