"""The functions: what each is told, what is in its zip, what it runs on."""

import json
import re
from pathlib import Path

import pytest

from falcon_balances import settings

SETTINGS: dict[str, type[settings.Settings]] = {
    "confirmed-dispatcher": settings.DispatcherSettings,
    "reconciled-dispatcher": settings.DispatcherSettings,
    "payout-dispatcher": settings.DispatcherSettings,
    "adjustment-dispatcher": settings.DispatcherSettings,
    "payout-decider": settings.PayoutDeciderSettings,
    "payout-logger": settings.PayoutLoggerSettings,
    "payout-announcer": settings.PayoutAnnouncerSettings,
    "expirer": settings.ExpirerSettings,
    "closer": settings.CloserSettings,
    "systems-api": settings.SystemsApiSettings,
    "splitter": settings.SplitterSettings,
    "persister": settings.PersisterSettings,
    "publisher": settings.PublisherSettings,
    "reducer": settings.ReducerSettings,
    "cutter": settings.CutterSettings,
    "balance-api": settings.BalanceApiSettings,
    "sealer": settings.SealerSettings,
    "reconciler": settings.ReconcilerSettings,
}
# Of what the emulator's Athena cannot do.
ONLY_REAL: dict[str, type[settings.Settings]] = {
    "day-lister": settings.DayListerSettings,
    "day-publisher": settings.DayPublisherSettings,
}
# Folders that a function has in common with others, beside its own.
SHARED = {"balance_api": {"api_routes"}, "systems_api": {"api_routes"}}
ROOT = Path(__file__).parents[2]
OBSERVABILITY = {"POWERTOOLS_SERVICE_NAME", "POWERTOOLS_METRICS_NAMESPACE", "LOG_LEVEL"}


def environment(assembly, name):
    function = assembly.properties("AWS::Lambda::Function")[name]
    variables = function["Environment"]["Variables"]
    return {variable: assembly.text(value) for variable, value in variables.items()}


def code(assembly, function):
    """The folder that becomes the function's zip."""
    assets = json.loads(
        (assembly.directory / f"{assembly.settings.prefix}-pipeline.assets.json").read_text()
    )["files"]
    asset = assets[function["Code"]["S3Key"].removesuffix(".zip")]
    return assembly.directory / asset["source"]["path"]


def test_there_are_these_functions_and_no_others(local, real):
    assert set(local.all("AWS::Lambda::Function")) == set(SETTINGS)
    assert set(real.all("AWS::Lambda::Function")) == {*SETTINGS, *ONLY_REAL}


def test_each_function_is_a_folder_with_a_handler(real):
    handlers = {each["Handler"] for each in real.properties("AWS::Lambda::Function").values()}
    folders = {path.parent.name for path in (ROOT / "lambdas").glob("*/handler.py")}
    assert handlers == {f"lambdas.{folder}.handler.lambda_handler" for folder in folders}


@pytest.mark.parametrize("name", [*SETTINGS, *ONLY_REAL])
def test_each_function_is_told_what_its_settings_ask_for_and_nothing_else(assembly, name):
    if name in ONLY_REAL and assembly.settings.emulated:
        return
    variables = environment(assembly, name)
    said = (SETTINGS | ONLY_REAL)[name]
    said.load(variables)
    asked_for = {field.upper() for field in said.model_fields}
    assert set(variables) == asked_for | OBSERVABILITY
    assert variables["POWERTOOLS_SERVICE_NAME"] == name
    assert variables["POWERTOOLS_METRICS_NAMESPACE"] == "FalconBalances"


# Resolved when a function is deployed, so the value is in no template.
CURSOR_SEAL = "{{resolve:secretsmanager:%s:SecretString:::}}"


def test_cursors_are_sealed_with_a_generated_secret_of_256_bits_that_nobody_is_granted(assembly):
    [(name, secret)] = assembly.properties("AWS::SecretsManager::Secret").items()
    assert secret["GenerateSecretString"] == {"ExcludePunctuation": True, "PasswordLength": 43}
    assert 62**43 > 2**256
    for function in ("balance-api", "systems-api"):
        assert environment(assembly, function)["CURSOR_SEAL"] == CURSOR_SEAL % name
    assert "secretsmanager:" not in json.dumps(assembly.properties("AWS::IAM::Policy"))


def test_variables_name_the_real_thing(assembly):
    quarantine = "quarantine-<AccountId>-<Region>"
    [seal] = assembly.all("AWS::SecretsManager::Secret")
    read_by_apis = {
        "BALANCES_TABLE": "balances",
        "CLAIMS_TABLE": "event-claims",
        "LOG_BUCKET": "log-<AccountId>-<Region>",
        "LOG_OBJECTS_MAX": "2000",
        "CURSOR_SEAL": CURSOR_SEAL % seal,
    }
    expected = {
        "splitter": {"CONTEXT_TABLE": "merchant-contexts"},
        "persister": {
            "CLAIMS_TABLE": "event-claims",
            "BALANCES_TABLE": "balances",
            "LOG_BUCKET": "log-<AccountId>-<Region>",
        },
        "publisher": {
            "STREAM": "balance-operations",
            "CLAIMS_TABLE": "event-claims",
            "LOG_BUCKET": "log-<AccountId>-<Region>",
        },
        "reducer": {
            "BALANCES_TABLE": "balances",
            "JOURNAL_BUCKET": "journal-<AccountId>-<Region>",
            "QUARANTINE_BUCKET": quarantine,
            "STREAM": "balance-operations",
        },
        "cutter": {"STREAM": "balance-operations"},
        "balance-api": read_by_apis,
    } | {
        f"{stage}-dispatcher": {
            "STAGE": stage,
            "MODE": assembly.settings.mode,
            "STATE_MACHINE_ARN": stage,
            "QUARANTINE_BUCKET": quarantine,
            "QUEUE_URL": stage,
            "CHUNK_BUDGET_BYTES": "180000",
        }
        for stage in ("confirmed", "reconciled")
    }
    for name, variables in expected.items():
        told = environment(assembly, name)
        assert {v: told[v] for v in set(told) - OBSERVABILITY} == variables
    told = environment(assembly, "systems-api")
    assert {v: told[v] for v in read_by_apis} == read_by_apis
    assert told["CONTEXT_TABLE"] == "merchant-contexts"


def test_systems_are_told_of_each_stages_queue_and_its_dead_letters(assembly):
    told = json.loads(environment(assembly, "systems-api")["QUEUE_URLS"])
    stages = ("confirmed", "reconciled", "payout", "adjustment")
    assert told == {stage: [stage, f"{stage}-dlq"] for stage in stages}


def test_an_answer_comes_before_the_gateway_gives_up(assembly):
    functions = assembly.properties("AWS::Lambda::Function")
    assert {functions[name]["Timeout"] < 30 for name in ("balance-api", "systems-api")} == {True}


def test_live_data_is_for_live_only(assemblies):
    assert {name: assembly.settings.mode for name, assembly in assemblies.items()} == {
        "local": "test",
        "test": "test",
        "live": "live",
    }


def test_no_function_gets_static_credentials(assembly):
    for name in SETTINGS:
        for variable, value in environment(assembly, name).items():
            assert not re.search(r"KEY|SECRET|TOKEN|PASSWORD|CREDENTIAL|AWS_", variable)
            assert not re.search(r"\b(AKIA|ASIA)[A-Z0-9]{16}\b", value)


def test_functions_run_python_3_13_on_arm_with_a_log_group_of_their_own(assembly):
    for name, function in assembly.properties("AWS::Lambda::Function").items():
        assert function["Runtime"] == "python3.13"
        assert function["Architectures"] == ["arm64"]
        assert assembly.text(function["LoggingConfig"]["LogGroup"]) == f"/aws/lambda/{name}"
    for group in assembly.properties("AWS::Logs::LogGroup").values():
        assert group["RetentionInDays"] > 0


def test_dependencies_come_in_one_layer_except_locally(assembly):
    functions = assembly.properties("AWS::Lambda::Function").values()
    layers = {assembly.text(layer) for f in functions for layer in f.get("Layers", [])}
    assert layers == (set() if assembly.settings.emulated else {"dependencies"})
    for layer in assembly.properties("AWS::Lambda::LayerVersion").values():
        assert layer["CompatibleArchitectures"] == ["arm64"]
        assert layer["CompatibleRuntimes"] == ["python3.13"]


def test_a_zip_holds_the_handler_the_shared_package_and_nothing_of_others(assembly):
    for function in assembly.properties("AWS::Lambda::Function").values():
        package = function["Handler"].split(".")[1]
        root = code(assembly, function)
        handler = root.joinpath(*function["Handler"].split(".")[:-1]).with_suffix(".py")
        assert f"def {function['Handler'].rsplit('.', 1)[-1]}(" in handler.read_text()
        assert {path.name for path in root.iterdir()} == {"falcon_balances", "lambdas"}
        folders = {package} | SHARED.get(package, set())
        assert {path.name for path in (root / "lambdas").iterdir()} == {"__init__.py"} | folders
        shared = {path.name for path in (root / "falcon_balances").iterdir()}
        assert shared >= {"adapters", "contracts", "domain", "settings.py"}
        assert not shared & {"cli", "fakes", "__pycache__"}
        assert not list(root.rglob("*.pyc"))
