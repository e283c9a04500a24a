"""`falcon merchants`: loads merchant contexts, append-only, and shows them."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from falcon_balances.cli import files, output
from falcon_balances.cli.errors import AwsError, InvalidInputError
from falcon_balances.cli.files import FileArgument, WrongLine
from falcon_balances.cli.output import JsonFlag
from falcon_balances.cli.target import LOCAL, EnvOption, Target, find_target
from falcon_balances.domain.errors import RejectedOperation

if TYPE_CHECKING:
    from falcon_balances.adapters.merchant_directory import DynamoMerchantDirectory
    from falcon_balances.domain.merchant_context import (
        ContextHistory,
        ContextKey,
        Handover,
        MerchantContext,
    )

app = typer.Typer(help="Merchant contexts: load, show.", no_args_is_help=True)

_CONCURRENT = 8
_RACES_MAX = 3
_RACED = "another load changed the same key at the same time; other keys may have been loaded"
_SAYABLE: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,63}\Z")
_KEY_FIELDS: Final = ("psp_id", "local_merchant_id", "shop_id")
_NO_MONEY: Final = frozenset({"balance_shop_id", "currency", "operations_count", "negative_since"})


@dataclass(frozen=True, slots=True)
class Added:
    """The numbers of new versions, and of known versions that a load gave more currencies."""

    versions: int = 0
    widened: int = 0

    @classmethod
    def between(cls, seen: "ContextHistory", history: "ContextHistory") -> "Added":
        moments = len({each.effective_from for each in history})
        versions = moments - len({each.effective_from for each in seen})
        return cls(versions, len(history) - len(seen) - versions)

    def __add__(self, other: "Added") -> "Added":
        return Added(self.versions + other.versions, self.widened + other.widened)


@app.command("load")
def load(file: FileArgument, *, env: EnvOption = LOCAL, as_json: JsonFlag = False) -> None:
    """Add the context versions in FILE: all of them, or none if a line is wrong."""
    from falcon_balances.adapters.clock import utc_now  # noqa: PLC0415 - pydantic: not for --help

    contexts = _read(file)
    target = find_target(env)
    directory = _directory(target)
    plan = _plan(file, directory, contexts, utc_now())
    moved = _moved(target, plan)
    added = _write(file, directory, plan)
    for each in moved:
        output.warn(_said_of(each))
    if added.widened:
        output.note(
            "an event in an added currency may still be refused (E_NO_BALANCE_SHOP) for 60 s:"
            " contexts are cached that long"
        )
    summary = {
        "lines": len(contexts),
        "keys": len(plan),
        "added": added.versions,
        "widened": added.widened,
        "known": len(contexts) - added.versions - added.widened,
    }
    if as_json:
        output.document(summary | {"moved": moved})
    else:
        output.pairs(summary | {"moved": len(moved)})


@app.command("show")
def show(
    merchant_id: Annotated[
        str | None, typer.Argument(help="Only contexts of this merchant.")
    ] = None,
    *,
    env: EnvOption = LOCAL,
    as_json: JsonFlag = False,
) -> None:
    """Print the versions of all merchants, or of one."""
    from falcon_balances.contracts.merchant_contexts import context_document  # noqa: PLC0415

    versions = [
        version
        for history in _directory(find_target(env)).all_histories()
        for version in history
        if merchant_id in (None, version.merchant_id)
    ]
    if merchant_id is not None and not versions:
        raise InvalidInputError(f"no merchant context belongs to merchant {merchant_id[:80]}")
    documents = [context_document(version) for version in versions]
    if as_json:
        output.json_lines(documents)
        return
    columns = (*_KEY_FIELDS, "merchant_id", "status", "effective_from")
    output.table(
        (*columns, "balance_shops", "fees", "hash"),
        (
            (
                *(document[column] for column in columns),
                " ".join(version.balance_shops.values()),
                len(version.fees),
                version.content_hash,
            )
            for version, document in zip(versions, documents, strict=True)
        ),
        right=("fees",),
    )


def _directory(target: Target) -> "DynamoMerchantDirectory":
    from falcon_balances.adapters.merchant_directory import (  # noqa: PLC0415
        DynamoMerchantDirectory,
    )

    return DynamoMerchantDirectory(target.client("dynamodb"), target.context_table)


def _read(file: Path) -> list[tuple[int, "MerchantContext"]]:
    lines = list(files.lines_of(file))
    contexts, wrong = files.check(lines, _parse)
    files.refuse(file, wrong, "nothing was loaded")
    return [(line.number, context) for line, context in zip(lines, contexts, strict=True)]


def _parse(raw: bytes) -> "MerchantContext":
    """The context in a line. Raises RejectedOperation, whose reason names the context's key as far
    as it is safe to print.
    """
    from falcon_balances.contracts.decoding import decode  # noqa: PLC0415
    from falcon_balances.contracts.merchant_contexts import parse_merchant_context  # noqa: PLC0415

    document = decode(raw)
    try:
        return parse_merchant_context(document)
    except RejectedOperation as rejected:
        named = [f"{name} {_sayable(document.get(name))}" for name in _KEY_FIELDS]
        reason = f"{rejected.reason} ({', '.join(named)})"
        raise RejectedOperation(rejected.code, reason) from rejected


def _sayable(said: object) -> str:
    return said if isinstance(said, str) and _SAYABLE.match(said) else "?"


def _moved(target: Target, plan: "Plan") -> list[dict[str, Any]]:
    """The keys that move to another merchant, each with the balances that stay with the old one."""
    from falcon_balances.adapters.balance_store import DynamoBalanceStore  # noqa: PLC0415
    from falcon_balances.contracts.balance_document import BalanceV1  # noqa: PLC0415
    from falcon_balances.domain.instants import rfc3339  # noqa: PLC0415
    from falcon_balances.domain.merchant_context import handovers  # noqa: PLC0415

    store = DynamoBalanceStore(target.client("dynamodb"), target.balances_table)

    def moved(handover: "Handover") -> dict[str, Any]:
        balances = [
            BalanceV1.of(balance).model_dump()
            for balance in store.balances(handover.old_merchant_id)
            if (balance.balance_shop_id, balance.currency.code) in handover.left_behind
        ]
        return {
            **handover.key._asdict(),
            "old_merchant_id": handover.old_merchant_id,
            "new_merchant_id": handover.new_merchant_id,
            "effective_from": rfc3339(handover.effective_from),
            "old_balances": balances,
        }

    return [
        moved(handover)
        for seen, history, _ in plan.values()
        for handover in handovers(seen, history)
    ]


def _said_of(moved: Mapping[str, Any]) -> str:
    balances = [
        f"{balance['balance_shop_id']}: {_figures(balance)}" for balance in moved["old_balances"]
    ]
    key = ", ".join(f"{name} {moved[name]}" for name in _KEY_FIELDS)
    return (
        f"{key}: belongs to {moved['new_merchant_id']} from {moved['effective_from']} on;"
        f" {moved['old_merchant_id']} keeps what was counted before: "
        + ("; ".join(balances) or "nothing was counted yet")
    )


def _figures(balance: Mapping[str, Any]) -> str:
    """The figures of a balance as a text: `available`, and all others that are not zero."""
    shown = [f"available {balance['available']} {balance['currency']}"]
    shown += [
        f"{name} {amount}"
        for name, amount in balance.items()
        if name != "available" and name not in _NO_MONEY and amount.strip("-0.")
    ]
    return ", ".join(shown)


Numbered = Sequence[tuple[int, "MerchantContext"]]
Plan = dict["ContextKey", tuple["ContextHistory", list["MerchantContext"], Numbered]]


def _plan(
    file: Path,
    directory: "DynamoMerchantDirectory",
    contexts: Numbered,
    now: datetime,
    consequence: str = "nothing was loaded",
) -> Plan:
    """Each key's present and future history, and its lines. Raises InvalidInputError, before
    anything is written, if a line is wrong.
    """
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
                named = ", ".join(f"{name} {said}" for name, said in key._asdict().items())
                wrong.append(WrongLine(number, "refused", f"{error} ({named})"))
        plan[key] = (seen, future, numbered)
    files.refuse(file, sorted(wrong, key=lambda line: line.line), consequence)
    return plan


def _write(file: Path, directory: "DynamoMerchantDirectory", plan: Plan) -> Added:
    from concurrent.futures import ThreadPoolExecutor  # noqa: PLC0415

    from falcon_balances.adapters.clock import utc_now  # noqa: PLC0415
    from falcon_balances.domain.merchant_context import merchants_of  # noqa: PLC0415

    def replace(key: "ContextKey") -> Added:
        seen, history, numbered = plan[key]
        for _ in range(_RACES_MAX):
            if len(history) == len(seen):
                return Added()
            if directory.replace(key, seen, history):
                return Added.between(seen, history)
            # Another load has changed the same key meanwhile: decide again on its new history.
            seen, history, _ = _plan(file, directory, numbered, utc_now(), _RACED)[key]
        raise AwsError(f"other loads keep changing the contexts of {key}; run this load again")

    # Merchants get their balances first: a balance without a context does no harm, but a context
    # without its balance makes events fail.
    named = merchants_of(context for _, _, numbered in plan.values() for _, context in numbered)
    with (
        ThreadPoolExecutor(_CONCURRENT) as pool,
        output.progress("loading merchants", len(plan)) as advance,
    ):
        added = Added()
        list(pool.map(directory.name_merchant, named.keys(), named.values()))
        for count in pool.map(replace, plan):
            added += count
            advance(1)
    return added
