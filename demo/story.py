"""Prints the demo's lines, and records which of its statements are true."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass, field

from falcon_balances.cli.output import visible


@dataclass(slots=True)
class Story:
    """Plain text on stdout, flushed line by line."""

    held: int = 0
    broken: list[str] = field(default_factory=list)

    def say(self, text: str = "") -> None:
        sys.stdout.write(visible(text, keep="\n") + "\n")
        sys.stdout.flush()

    def act(self, title: str) -> None:
        self.say(f"\n== {title}")

    def table(self, rows: Sequence[Sequence[str]], *, left: int = 1) -> None:
        """Prints a table; the first row is the header. All but the first `left` columns are aligned
        right.
        """
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        for row in rows:
            cells = [
                f"{cell:<{width}}" if number < left else f"{cell:>{width}}"
                for number, (cell, width) in enumerate(zip(row, widths, strict=True))
            ]
            self.say("   " + "  ".join(cells).rstrip())

    def check(self, statement: str, found: object, expected: object) -> None:
        """Prints a statement, and whether it is true. Every statement of the demo is checked."""
        if found == expected:
            self.held += 1
            self.say(f"   ok  {statement}")
            return
        self.broken.append(statement)
        self.say(f"   NO  {statement}\n       expected {expected}\n       found    {found}")
