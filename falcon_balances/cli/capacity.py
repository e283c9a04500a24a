"""`falcon capacity`: what a load needs of AWS, which limit it meets first, and what it costs."""

from typing import Annotated, Any

import typer

from falcon_balances.cli import output
from falcon_balances.cli.errors import InvalidInputError
from falcon_balances.cli.output import JsonFlag


def capacity(
    per_second: Annotated[
        float, typer.Option("--per-second", help="Messages of PSPs per second, both stages.")
    ],
    merchants: Annotated[int, typer.Option("--merchants", help="How many merchants.")] = 100,
    zipf: Annotated[
        float,
        typer.Option(
            "--zipf",
            help="S: the merchant of rank k has a share of messages in proportion to k^-S.",
        ),
    ] = 0.0,
    years: Annotated[
        float, typer.Option("--years", help="How many years everything is kept.")
    ] = 10.0,
    queue_window: Annotated[
        int, typer.Option("--queue-window", help="Batching window of the queues, in seconds.")
    ] = 5,
    stream_window: Annotated[
        int, typer.Option("--stream-window", help="Batching window of the stream, in seconds.")
    ] = 10,
    *,
    as_json: JsonFlag = False,
) -> None:
    """Plan the capacity for a load: needs, limits, bill. Asks nothing of AWS."""
    from falcon_balances.capacity.planning import plan  # noqa: PLC0415 - not for --help
    from falcon_balances.capacity.prices import list_prices  # noqa: PLC0415
    from falcon_balances.capacity.workload import Batching, Workload  # noqa: PLC0415

    try:
        batching = Batching(queue_window_s=queue_window, stream_window_s=stream_window)
        load = Workload(per_second, merchants, zipf, years, batching)
    except ValueError as error:
        raise InvalidInputError(str(error)) from error
    document = plan(load, list_prices())
    if as_json:
        output.document(document)
    else:
        _show(document)


def _show(document: dict[str, Any]) -> None:
    output.pairs({**document["load"], **document["needs"]})
    output.line("")
    output.table(
        ("limit", "needed", "at most", "unit", "share", "fits", "can be raised"),
        [
            (
                each["name"],
                f"{each['needed']:,g}",
                f"{each['at_most']:,g}",
                each["unit"],
                f"{100 * each['share']:.3g} %",
                "yes" if each["fits"] else "NO",
                "yes" if each["can_be_raised"] else "no",
            )
            for each in document["limits"]
        ],
        right=("needed", "at most", "share"),
    )
    for each in document["quotas_to_raise"]:
        output.line(f"raise: {each['name']}: {each['remedy']}")
    output.line(f"first limit: {document['first_limit']['name']}")
    output.line("")
    _show_bill(document)
    _show_kept(document)


def _show_bill(document: dict[str, Any]) -> None:
    ways = document["bill"]
    names = next(iter(ways.values()))["items"]
    rows = [(name, *(f"{way['items'][name]:.2f}" for way in ways.values())) for name in names]
    rows.append(("all", *(f"{way['per_million']:.2f}" for way in ways.values())))
    rows.append(("all, a month", *(f"{way['per_month']:,.0f}" for way in ways.values())))
    currency = document["prices"]["currency"]
    columns = (f"{currency} a million messages", *ways)
    output.table(columns, rows, right=tuple(ways))
    output.line("")


def _show_kept(document: dict[str, Any]) -> None:
    kept = document["kept"]
    columns = ("kept", "bytes a message", "GB in all", "a million", "its backup")
    rows = [
        (
            each["name"],
            f"{each['bytes_a_message']:,.0f}",
            f"{each['bytes'] / 1e9:,.0f}",
            f"{each['usd_a_million']:.2f}",
            f"{each['backup_usd_a_million']:.2f}",
        )
        for each in kept["items"]
    ]
    output.table(columns, rows, right=columns[1:])
    years = document["load"]["years"]
    output.line(
        f"a million messages kept for {years:g} years: {kept['usd_a_million']:.2f}; "
        f"their marks and claims {kept['marks_and_claims_usd_a_million']:.2f}"
    )
    prices = document["prices"]
    output.line(f"prices: {prices['region']}, {prices['date']}. {prices['source']}")
