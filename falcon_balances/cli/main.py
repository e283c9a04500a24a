"""The entry point of `falcon`: its commands, and the exit code of any error."""

import sys
import traceback
from typing import Annotated

import typer

from falcon_balances.cli import (
    balance,
    block,
    capacity,
    environment,
    errors,
    local,
    merchants,
    ops,
    output,
    payout,
    psp,
    token,
)
from falcon_balances.cli.audit import app as audit

app = typer.Typer(
    name="falcon",
    help="Falcon Balances: what every merchant owns, where it came from, what can be paid out.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.add_typer(local.app, name="local")
app.add_typer(merchants.app, name="merchants")
app.add_typer(psp.app, name="psp")
app.command("balance")(balance.balance)
app.add_typer(block.app, name="block")
app.add_typer(payout.app, name="payout")
app.command("token")(token.token)
app.add_typer(ops.app, name="ops")
app.add_typer(audit.app, name="audit")
app.command("capacity")(capacity.capacity)


def _show_version(wanted: bool) -> None:  # noqa: FBT001 - typer hands the flag over like this
    if wanted:
        from importlib.metadata import version  # noqa: PLC0415 - only this option needs it

        output.line(version("falcon-balances"))
        raise typer.Exit


@app.callback()
def falcon(
    *,
    _version: Annotated[
        bool,
        typer.Option("--version", help="Print the version.", callback=_show_version, is_eager=True),
    ] = False,
) -> None:
    """Defines the options that belong to no command."""


def main() -> None:
    """Runs the command line. typer itself handles usage errors, Ctrl-C and a closed pipe."""
    for stream in (sys.stdout, sys.stderr):
        # A terminal that cannot show a character gets an escape sequence, not a traceback.
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    try:
        app(prog_name="falcon")
    except Exception as error:  # noqa: BLE001 - the outermost edge: nothing may leave as a traceback
        if environment.debug():
            traceback.print_exc()
        ending = errors.ending_of(error)
        output.fail(ending.message)
        sys.exit(ending.exit_code)
