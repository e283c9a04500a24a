"""Balances of every merchant's accounts: by hledger and beancount from a journal, and by replay."""

from typing import Final

from bench.own_programs import REPLAY_CLOSED, REPLAY_OBJECTS
from bench.programs import Program

# Both report from a journal what every merchant's accounts hold; replay does so as balances.
_HELD: Final = """
held = {}
for each, balance in balances.items():
    for name in FIGURES[2:]:
        held[name.replace("_", ""), each.merchant_id] = getattr(balance, name)
"""
_HELD_ROWS: Final = "rows = [(*key, minor) for key, minor in held.items() if minor]"
LEDGERS: Final = {
    "replay of the objects": Program(
        REPLAY_OBJECTS.prepare, REPLAY_OBJECTS.work + _HELD, _HELD_ROWS
    ),
    "replay of their closed days": Program(
        REPLAY_CLOSED.prepare, REPLAY_CLOSED.work + _HELD, _HELD_ROWS
    ),
    "hledger": Program(
        "import subprocess",
        """
done = subprocess.run(
    ["hledger", "-f", folder / "log.journal", "balance", "--flat", "--no-total", "-O", "csv",
     "liabilities"],
    capture_output=True, text=True, check=True,
).stdout
""",
        """
import csv
from decimal import Decimal
held = {}
for account, amount in list(csv.reader(done.splitlines()))[1:]:
    _, kind, *merchant = account.split(":")
    if len(merchant) == 2:
        minor = int(-100 * Decimal(amount.replace(",", "").split()[0]))
        held[kind.replace(" ", ""), merchant[0]] = minor
"""
        + _HELD_ROWS,
        repeats=1,
    ),
    "beancount": Program(
        "from beancount import loader\nfrom beancount.core import realization",
        """
entries, errors, _ = loader.load_file(str(folder / "log.beancount"))
real = realization.realize(entries)
""",
        """
assert not errors, errors[:3]
held = {}
for kind in ("Available", "Pending", "Unapplied", "DebitsUnconfirmed", "DebitsUntraced"):
    for name, merchant in realization.get(real, f"Liabilities:{kind}").items():
        units = realization.compute_balance(merchant).reduce(lambda each: each.units)
        held[kind.lower(), name[1:].replace("-2D-", "-")] = int(
            -100 * sum(each.units.number for each in units)
        )
"""
        + _HELD_ROWS,
        repeats=1,
    ),
}
