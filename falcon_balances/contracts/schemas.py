"""Writes `schemas/`: the JSON Schemas of all contracts, and the published samples.

`python -m falcon_balances.contracts.schemas [--check]`. A published accepted sample is a promise:
neither writing nor checking lets one change or disappear.
"""

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final, Literal, NamedTuple

from pydantic import BaseModel

from falcon_balances.contracts.balance_document import BalanceDocumentV1
from falcon_balances.contracts.claims import ClaimV1
from falcon_balances.contracts.direct_operations import (
    AdjustmentV1,
    PayoutRequestV1,
    PayoutReturnV1,
)
from falcon_balances.contracts.formats import AMOUNT_PATTERN
from falcon_balances.contracts.merchant_contexts import MerchantContextV1
from falcon_balances.contracts.payouts import PayoutOutcomeV1
from falcon_balances.contracts.psp_operations import ConfirmedOperationV1, ReconciledOperationV1
from falcon_balances.contracts.refused_samples import (
    SIZE_SAMPLE_BYTES,
    SIZE_SAMPLE_OF,
    RefusedSample,
    refused_samples,
)
from falcon_balances.contracts.samples import accepted_samples, as_json
from falcon_balances.contracts.stream_records import CutRecordV1, SegmentRecordV1
from falcon_balances.contracts.strictness import (
    ABOVE_ZERO,
    ZERO_IN_A_REVISION,
    StrictModel,
)
from falcon_balances.domain.errors import RejectionCode

SCHEMAS: Final = Path(__file__).parents[2] / "schemas"
ACCEPTED: Final = "samples/accepted"
REFUSED: Final = "samples/refused"
REFUSED_INDEX: Final = f"{REFUSED}/index.json"
_NULL: Final = {"type": "null"}


class Contract(NamedTuple):
    name: str
    model: type[BaseModel]
    version: str = "v1"

    @property
    def mode(self) -> Literal["validation", "serialization"]:
        """Documents that others write are described as we read them; documents that we write, as we
        write them.
        """
        return "validation" if issubclass(self.model, StrictModel) else "serialization"


CONTRACTS: Final = (
    Contract("confirmed-operation", ConfirmedOperationV1),
    Contract("reconciled-operation", ReconciledOperationV1),
    Contract("payout-request", PayoutRequestV1),
    Contract("payout-return", PayoutReturnV1),
    Contract("adjustment", AdjustmentV1),
    Contract("payout-outcome", PayoutOutcomeV1),
    Contract("merchant-context", MerchantContextV1),
    Contract("segment-record", SegmentRecordV1),
    Contract("cut-record", CutRecordV1),
    Contract("claim", ClaimV1),
    Contract("balance-document", BalanceDocumentV1),
)
# In all other documents an absent value is left out.
KNOW_NULL: Final = {"balance-document", "payout-outcome"}


def json_schema(contract: Contract) -> dict[str, Any]:
    """The JSON Schema, draft 2020-12. Its patterns are ECMA-262, where `$` is the end of the text,
    not of a line.
    """
    schema = contract.model.model_json_schema(mode=contract.mode)
    described: dict[str, Any] = _tidied(schema, knows_null=contract.name in KNOW_NULL)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"urn:falcon:balances:{contract.name}:{contract.version}",
        **described,
    }


def _tidied(node: Any, *, knows_null: bool) -> Any:  # noqa: ANN401 - whatever JSON holds
    """Adds what pydantic cannot know: strict models accept no null, and keys of maps must match
    their pattern.
    """
    if isinstance(node, list):
        return [_tidied(item, knows_null=knows_null) for item in node]
    if not isinstance(node, dict):
        return node
    tidied = {name: _tidied(value, knows_null=knows_null) for name, value in node.items()}
    if "patternProperties" in tidied:
        tidied["additionalProperties"] = False
    if "properties" in tidied:
        tidied["properties"] = {
            name: _property(name, value, knows_null=knows_null)
            for name, value in tidied["properties"].items()
        }
    return tidied


def _property(name: str, schema: dict[str, Any], *, knows_null: bool) -> dict[str, Any]:
    described = {key: value for key, value in schema.items() if key != "title"}
    if knows_null:
        return described
    if described.get("default", ...) is None:
        del described["default"]
    alternatives = described.pop("anyOf", [])
    for alternative in alternatives:
        described |= {} if alternative == _NULL else alternative
    may_be_zero = described.get("description") == ZERO_IN_A_REVISION
    if name == "amount" and described.get("pattern") == AMOUNT_PATTERN and not may_be_zero:
        described |= ABOVE_ZERO
    return described


def generated() -> dict[str, bytes]:
    """Every file by its path below `schemas/`. The same code gives the same bytes."""
    files = {
        f"{contract.name}.{contract.version}.schema.json": _sorted_json(json_schema(contract))
        for contract in CONTRACTS
    }
    files |= {
        f"{ACCEPTED}/{contract}/{name}.json": as_json(document)
        for contract, name, document in accepted_samples()
    }
    refused = refused_samples()
    files |= {
        _path_of(sample): sample.raw for sample in refused if sample.code != RejectionCode.SIZE
    }
    files[REFUSED_INDEX] = _sorted_json([_index_entry(sample) for sample in refused])
    return files


def _path_of(sample: RefusedSample) -> str:
    name = f"{sample.code}-{sample.name}" if sample.name else sample.code
    return f"{REFUSED}/{sample.contract}/{name}.json"


def _index_entry(sample: RefusedSample) -> dict[str, object]:
    entry: dict[str, object] = {"code": sample.code, "contract": sample.contract}
    if sample.code != RejectionCode.SIZE:
        return entry | {"file": _path_of(sample)}
    # Not stored, only described: it is 64 KiB of spaces.
    source = f"{ACCEPTED}/{sample.contract}/{SIZE_SAMPLE_OF}.json"
    return entry | {"file": source, "padded_with_spaces_to_bytes": SIZE_SAMPLE_BYTES}


def _sorted_json(document: object) -> bytes:
    text = json.dumps(document, indent=2, sort_keys=True, ensure_ascii=False)
    return text.encode() + b"\n"


def on_disk(directory: Path) -> dict[str, bytes]:
    """The files of this generator: schemas and samples. `schemas/` may hold others."""
    paths = [*directory.glob("*.schema.json"), *(directory / "samples").rglob("*")]
    return {
        path.relative_to(directory).as_posix(): path.read_bytes()
        for path in paths
        if path.is_file()
    }


def broken_promises(wanted: Mapping[str, bytes], there: Mapping[str, bytes]) -> list[str]:
    """Published accepted samples that would change or disappear."""
    return [
        f"{name}: published, so it must neither change nor go; add another sample instead"
        for name in sorted(there)
        if name.startswith(f"{ACCEPTED}/") and wanted.get(name) != there[name]
    ]


def drift(wanted: Mapping[str, bytes], there: Mapping[str, bytes]) -> list[str]:
    """One line for each file that is missing, different or extra."""
    return sorted(
        [f"{name}: missing" for name in wanted.keys() - there.keys()]
        + [f"{name}: extra" for name in there.keys() - wanted.keys()]
        + [
            f"{name}: differs"
            for name in wanted.keys() & there.keys()
            if wanted[name] != there[name]
        ]
    )


def main(arguments: Sequence[str], directory: Path = SCHEMAS) -> int:
    """Exit code. 0: written, or no difference. 1: a difference, or a broken promise. 2: wrong
    usage.
    """
    if list(arguments) not in ([], ["--check"]):
        _say("usage: python -m falcon_balances.contracts.schemas [--check]")
        return 2
    wanted, there = generated(), on_disk(directory)
    problems = broken_promises(wanted, there)
    if arguments:
        problems += drift(wanted, there)
    if problems:
        for problem in problems:
            _say(f"{directory.name}/{problem}")
        return 1
    if not arguments:
        _write(wanted, there, directory)
    return 0


def _write(wanted: Mapping[str, bytes], there: Mapping[str, bytes], directory: Path) -> None:
    for name in there.keys() - wanted.keys():
        (directory / name).unlink()
    for name, content in wanted.items():
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


def _say(line: str) -> None:
    sys.stderr.write(f"{line}\n")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
