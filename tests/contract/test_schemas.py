"""`schemas/` says what the code does, and published samples stay."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from jsonschema import Draft202012Validator

from falcon_balances.contracts.samples import CONTRACT_BY_STAGE
from falcon_balances.contracts.schemas import (
    ACCEPTED,
    CONTRACTS,
    KNOW_NULL,
    SCHEMAS,
    broken_promises,
    drift,
    generated,
    json_schema,
    main,
    on_disk,
)
from tests.strategies import Case, cases, few
from tests.unit.contracts.test_fuzz import CONTEXT, WHOLE

VALIDATORS = {contract.name: Draft202012Validator(json_schema(contract)) for contract in CONTRACTS}


def test_the_committed_files_are_what_the_code_makes():
    wanted, there = generated(), on_disk(SCHEMAS)
    assert broken_promises(wanted, there) == []
    assert drift(wanted, there) == []


def test_the_same_code_makes_the_same_bytes_with_a_newline_at_their_end():
    assert generated() == generated()
    assert all(content.endswith(b"\n") for content in generated().values())


@pytest.mark.parametrize("contract", CONTRACTS, ids=lambda contract: contract.name)
def test_a_schema_is_one_of_draft_2020_12_without_a_host(contract):
    schema = json_schema(contract)
    Draft202012Validator.check_schema(schema)
    assert schema["$id"] == f"urn:falcon:balances:{contract.name}:v1"
    assert "http" not in json.dumps({**schema, "$schema": ""})


def nodes(schema: Any) -> list[dict[str, Any]]:
    if isinstance(schema, list):
        return [node for item in schema for node in nodes(item)]
    if not isinstance(schema, dict):
        return []
    return [schema, *(node for value in schema.values() for node in nodes(value))]


@pytest.mark.parametrize("contract", CONTRACTS, ids=lambda contract: contract.name)
def test_every_object_is_closed_and_only_the_balance_document_knows_null(contract):
    for node in nodes(json_schema(contract)):
        # A claim is read by older code too, which then passes over what it does not know.
        if node.get("type") == "object" and contract.name != "claim":
            assert node["additionalProperties"] is False
        if contract.name not in KNOW_NULL:
            assert node.get("type") != "null"
            assert node.get("default", "") is not None


@few
@given(cases())
def test_what_the_code_accepts_the_schema_accepts(case: Case):
    assert case.operation  # it keeps the contract; whether its merchants are active is no matter
    VALIDATORS[CONTRACT_BY_STAGE[case.stage]].validate(case.document)


SPLIT = WHOLE["splits"][0]


@pytest.mark.parametrize(
    "changes",
    [
        *[{name: None} for name in WHOLE],
        *[{name: 5} for name in WHOLE],
        {"surplus": "x"},
        {"schema_version": "2"},
        {"type": "withdrawal"},
        *[{"amount": text} for text in ("0", "0.00", "-1", "01", "1e3", ".5", "5.", "1" * 16)],
        *[{"psp_id": text} for text in ("", "a b", "a" * 65, "１")],  # noqa: RUF001
        *[{"currency": text} for text in ("eur", "EURO")],
        *[{"operation_date": text} for text in ("2026-03-05", "2026-03-05T10:15:30")],
        {"mode": "production"},
        {"splits": []},
        {"splits": [SPLIT] * 41},
        *[{"splits": [SPLIT | {name: None}]} for name in SPLIT],
        {"splits": [SPLIT | {"amount": "0.0"}]},
        {"splits": [SPLIT | {"surplus": "x"}]},
    ],
)
def test_what_a_schema_can_say_it_refuses(changes):
    validator = VALIDATORS["reconciled-operation"]
    assert validator.is_valid(WHOLE)
    assert not validator.is_valid(WHOLE | changes)


@pytest.mark.parametrize("name", WHOLE)
def test_the_schema_knows_which_fields_may_be_left_out(name):
    document = {key: value for key, value in WHOLE.items() if key != name}
    is_optional = name in {"original_reference", "mode", "splits"}
    assert VALIDATORS["reconciled-operation"].is_valid(document) is is_optional


@pytest.mark.parametrize(
    "changes",
    [
        {"risk": None},
        {"fees": [CONTEXT["fees"][0]] * 6},  # type: ignore[index]
        {"fees": [{"type": "psp_fee", "on": "capture", "percent": "1", "fixed": {"eur": "1"}}]},
        {"fees": [{"type": "psp_fee", "on": "capture", "percent": "1", "max": None}]},
        {"balance_shops": {}},
        {"balance_shops": {"eur": "bs"}},
    ],
)
def test_the_schema_of_a_context_refuses_what_the_code_refuses(changes):
    assert VALIDATORS["merchant-context"].is_valid(CONTEXT)
    assert not VALIDATORS["merchant-context"].is_valid(CONTEXT | changes)


class TestCommand:
    """`python -m falcon_balances.contracts.schemas`."""

    def test_it_writes_and_then_finds_no_drift(self, tmp_path: Path):
        assert main([], tmp_path) == 0
        assert on_disk(tmp_path) == generated()
        assert main(["--check"], tmp_path) == 0

    def test_check_names_each_file_and_writes_nothing(self, tmp_path: Path, capsys):
        main([], tmp_path)
        (tmp_path / "claim.v1.schema.json").unlink()
        (tmp_path / "cut-record.v1.schema.json").write_text("{}\n", encoding="utf-8")
        (tmp_path / "surplus.schema.json").write_text("{}\n", encoding="utf-8")
        before = on_disk(tmp_path)
        assert main(["--check"], tmp_path) == 1
        assert on_disk(tmp_path) == before
        said = capsys.readouterr().err
        assert "/claim.v1.schema.json: missing" in said
        assert "/cut-record.v1.schema.json: differs" in said
        assert "/surplus.schema.json: extra" in said

    def test_what_is_not_its_own_is_left_alone(self, tmp_path: Path):
        (tmp_path / "openapi.json").write_text("{}\n", encoding="utf-8")
        assert main([], tmp_path) == main(["--check"], tmp_path) == 0
        assert (tmp_path / "openapi.json").exists()

    @pytest.mark.parametrize("arguments", [[], ["--check"]])
    @pytest.mark.parametrize(
        ("name", "content"),
        [
            ("confirmed-operation/plain-capture.json", b"{}\n"),  # would be changed
            ("confirmed-operation/of-an-older-version.json", b"{}\n"),  # would go
        ],
    )
    def test_a_published_sample_neither_changes_nor_goes(
        self, tmp_path: Path, capsys, arguments, name, content
    ):
        main([], tmp_path)
        published = tmp_path / ACCEPTED / name
        published.write_bytes(content)
        (tmp_path / "claim.v1.schema.json").write_text("{}\n", encoding="utf-8")
        before = on_disk(tmp_path)
        assert main(arguments, tmp_path) == 1
        assert on_disk(tmp_path) == before
        assert f"{name}: published, so it must neither change nor go" in capsys.readouterr().err

    def test_a_new_sample_may_be_added(self, tmp_path: Path):
        main([], tmp_path)
        (tmp_path / ACCEPTED / "confirmed-operation/plain-capture.json").unlink()
        assert main(["--check"], tmp_path) == 1
        assert main([], tmp_path) == main(["--check"], tmp_path) == 0

    def test_another_argument_is_usage(self, tmp_path: Path):
        assert main(["--force"], tmp_path) == 2
        assert on_disk(tmp_path) == {}
