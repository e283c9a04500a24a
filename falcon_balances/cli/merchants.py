"""`falcon merchants`: loads merchant contexts, append-only, and shows them."""

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from falcon_balances.cli import files, output
from falcon_balances.cli.errors import AwsError, InvalidInputError
from falcon_balances.cli.files import FileArgument, WrongLine
from falcon_balances.cli.output import JsonFlag
from falcon_balances.cli.target import LOCAL, EnvOption, find_target

if TYPE_CHECKING:
    from falcon_balances.adapters.merchant_directory import DynamoMerchantDirectory
    from falcon_balances.domain.merchant_context import ContextHistory, ContextKey, MerchantContext

app = typer.Typer(help="Who a PSP's merchants are: load and show.", no_args_is_help=True)

_CONCURRENT = 8
_RACES_MAX = 3
_RACED = "another load was faster with the same key; other keys may have been loaded"


@app.command("load")
def load(file: FileArgument, *, env: EnvOption = LOCAL, as_json: JsonFlag = False) -> None:
    """Add the versions in FILE; all of them, or none when a line is wrong."""
    from falcon_balances.adapters.clock import utc_now  # noqa: PLC0415 - pydantic: not for --help

    contexts = _read(file)
    directory = _directory(env)
    plan = _plan(file, directory, contexts, utc_now())
    added = _write(file, directory, plan)
    summary = {
        "lines": len(contexts),
        "keys": len(plan),
        "added": added,
        "known": len(contexts) - added,
    }
    if as_json:
        output.document(summary)
    else:
        output.pairs(summary)


@app.command("show")
def show(
    merchant_id: Annotated[
        str | None, typer.Argument(help="Only the contexts of this merchant.")
    ] = None,
    *,
    env: EnvOption = LOCAL,
    as_json: JsonFlag = False,
) -> None:
    """Print the versions of all merchants, or of one."""
    from falcon_balances.contracts.merchant_contexts import context_document  # noqa: PLC0415

    versions = [
        version
        for history in _directory(env).all_histories()
        for version in history
        if merchant_id in (None, version.merchant_id)
    ]
    if merchant_id is not None and not versions:
        raise InvalidInputError(f"no merchant context names {merchant_id[:80]}")
    documents = [context_document(version) for version in versions]
    if as_json:
        output.json_lines(documents)
        return
    columns = ("psp_id", "local_merchant_id", "shop_id", "merchant_id", "status", "effective_from")
    output.table(
        (*columns, "balance_shops", "fees"),
        (
            (
                *(document[column] for column in columns),
                " ".join(version.balance_shops.values()),
                len(version.fees),
            )
            for version, document in zip(versions, documents, strict=True)
        ),
        right=("fees",),
    )


def _directory(env: str) -> "DynamoMerchantDirectory":
    from falcon_balances.adapters.merchant_directory import (  # noqa: PLC0415
        DynamoMerchantDirectory,
    )

    target = find_target(env)
    return DynamoMerchantDirectory(target.client("dynamodb"), target.context_table)


def _read(file: Path) -> list[tuple[int, "MerchantContext"]]:
    from falcon_balances.contracts.decoding import decode  # noqa: PLC0415
    from falcon_balances.contracts.merchant_contexts import parse_merchant_context  # noqa: PLC0415

    lines = list(files.lines_of(file))
    contexts, wrong = files.check(lines, lambda raw: parse_merchant_context(decode(raw)))
    files.refuse(file, wrong, "nothing was loaded")
    return [(line.number, context) for line, context in zip(lines, contexts, strict=True)]


Numbered = Sequence[tuple[int, "MerchantContext"]]
Plan = dict["ContextKey", tuple["ContextHistory", list["MerchantContext"], Numbered]]


def _plan(
    file: Path,
    directory: "DynamoMerchantDirectory",
    contexts: Numbered,
    now: datetime,
    consequence: str = "nothing was loaded",
) -> Plan:
    """What each key's history is and will be; raises before any of them is written."""
    from falcon_balances.domain.merchant_context import extended  # noqa: PLC0415

    by_key: dict[ContextKey, list[tuple[int, MerchantContext]]] = {}
    for number, context in contexts:
        by_key.setdefault(context.key, []).append((number, context))
    histories = directory.histories(sorted(by_key))
    plan: Plan = {}
    wrong: list[WrongLine] = []
    for key, numbered in by_key.items():
        seen = histories.get(key, ())
        accepted: list[MerchantContext] = []
        future = list(seen)
        for number, context in numbered:
            try:
                future = extended(seen, [*accepted, context], now)
                accepted.append(context)
            except ValueError as error:
                wrong.append(WrongLine(number, "refused", str(error)))
        plan[key] = (seen, future, numbered)
    files.refuse(file, sorted(wrong, key=lambda line: line.line), consequence)
    return plan


def _write(file: Path, directory: "DynamoMerchantDirectory", plan: Plan) -> int:
    """The number of versions that were not there before."""
    from concurrent.futures import ThreadPoolExecutor  # noqa: PLC0415

    from falcon_balances.adapters.clock import utc_now  # noqa: PLC0415
    from falcon_balances.domain.merchant_context import merchants_of  # noqa: PLC0415

    def replace(key: "ContextKey") -> int:
        seen, history, numbered = plan[key]
        for _ in range(_RACES_MAX):
            if len(history) == len(seen):
                return 0
            if directory.replace(key, seen, history):
                return len(history) - len(seen)
            # Somebody else loaded the same key meanwhile: decide again on what is there now.
            seen, history, _ = _plan(file, directory, numbered, utc_now(), _RACED)[key]
        raise AwsError(f"the contexts of {key} keep changing under this load; run it again")

    # First: a balance without a context does no harm, a context without its balance would refuse.
    named = merchants_of(context for _, _, numbered in plan.values() for _, context in numbered)
    with (
        ThreadPoolExecutor(_CONCURRENT) as pool,
        output.progress("loading merchants", len(plan)) as advance,
    ):
        added = 0
        list(pool.map(directory.name_merchant, named.keys(), named.values()))
        for count in pool.map(replace, plan):
            added += count
            advance(1)
    return added
