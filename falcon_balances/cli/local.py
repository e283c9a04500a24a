"""`falcon local`: the embedded AWS on this machine."""

from typing import Annotated

import typer

from falcon_balances.cli import output
from falcon_balances.cli.embedded import home as homes
from falcon_balances.cli.embedded import stack
from falcon_balances.cli.errors import EXIT_AWS, AwsError
from falcon_balances.cli.output import JsonFlag

app = typer.Typer(help="The embedded AWS on this machine.", no_args_is_help=True)

_NOTHING = "no embedded AWS is running; nothing to stop"


@app.command()
def up(
    *,
    detach: Annotated[
        bool,
        typer.Option(
            "--detach", help="Return when the embedded AWS is ready, and leave it running."
        ),
    ] = False,
    port: Annotated[
        int, typer.Option(min=1, max=65535, help="Port of 127.0.0.1 to listen on.")
    ] = stack.DEFAULT_PORT,
    as_json: JsonFlag = False,
) -> None:
    """Start the embedded AWS and deploy to it; without --detach, run until Ctrl-C."""
    home = homes.current()
    stack.interruptible()
    with home.lock():
        before = stack.look(home)
        emulator = before.emulator if before.up else stack.bring_up(home, port)
    status = stack.look(home)
    if emulator is None or not status.up:
        raise AwsError(status.problem)
    already = "already " if before.up else ""
    output.note(f"{already}up at {emulator.endpoint_url} (process {emulator.pid}), {home.folder}")
    if as_json:
        output.document(_facts(home, status))
    if not (detach or before.up):
        output.note("Ctrl-C stops it")
        stack.watch(home, emulator)


@app.command()
def down(*, as_json: JsonFlag = False) -> None:
    """Stop the embedded AWS and delete its data."""
    home = homes.current()
    stack.interruptible()
    if not home.folder.exists():
        output.note(_NOTHING)
    else:
        with home.lock():
            before = stack.look(home)
            found = stack.take_down(home)
        gone = f"{before.problem.partition(':')[0]}; its files were removed"
        output.note("stopped" if before.up else gone if found else _NOTHING)
    if as_json:
        output.document(_facts(home, stack.look(home)))


@app.command("status")
def status_command(*, as_json: JsonFlag = False) -> None:
    """Show whether the embedded AWS is up: exit code 0 if it is, 4 if not."""
    home = homes.current()
    status = stack.look(home)
    if not status.up and home.is_locked():
        status = stack.Status(status.emulator, "the embedded AWS is starting or stopping")
    if as_json:
        output.document(_facts(home, status))
    elif status.up:
        output.pairs(_facts(home, status))
    if not status.up:
        output.fail(status.problem)
        raise typer.Exit(EXIT_AWS)


def _facts(home: homes.Home, status: stack.Status) -> dict[str, object]:
    emulator = status.emulator
    facts: dict[str, object] = {
        "up": status.up,
        "pid": emulator.pid if emulator else None,
        "port": emulator.port if emulator else None,
        "endpoint_url": emulator.endpoint_url if emulator else None,
        "home": str(home.folder),
    }
    return facts if status.up else facts | {"problem": status.problem}
