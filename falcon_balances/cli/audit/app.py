"""The commands of `falcon audit`."""

import typer

from falcon_balances.cli.audit import (
    closing,
    explaining,
    exporting,
    reconciling,
    replaying,
    sealing,
)

app = typer.Typer(
    help="For auditors: replay, explain, reconcile, seal, close days, verify, prove, export.",
    no_args_is_help=True,
)
app.command()(replaying.replay)
app.command()(replaying.compare)
app.command()(explaining.explain)
app.command()(exporting.trial_balance)
app.command()(exporting.export)
app.command()(reconciling.reconcile)
app.command()(sealing.seal)
app.command()(sealing.fetch)
app.command()(closing.close_days)
app.command()(sealing.verify)
app.command()(sealing.prove)
app.command()(sealing.check_proof)
app.command()(sealing.verifier)
