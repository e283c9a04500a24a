"""What the demo says, line by line, and whether everything it said was true."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass, field

from falcon_balances.cli.output import visible


@dataclass(slots=True)
class Story:
    """Plain text on stdout, flushed line by line for whoever watches a pipe."""

    held: int = 0
    broken: list[str] = field(default_factory=list)

    def say(self, text: str = "") -> None:
        sys.stdout.write(visible(text, keep="\n") + "\n")
        sys.stdout.flush()

    def act(self, title: str) -> None:
        self.say(f"\n== {title}")

    def table(self, rows: Sequence[Sequence[str]], *, left: int = 1) -> None:
        """The first row is the header; all but the first `left` columns are set flush right."""
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        for row in rows:
            cells = [
                f"{cell:<{width}}" if number < left else f"{cell:>{width}}"
                for number, (cell, width) in enumerate(zip(row, widths, strict=True))
            ]
            self.say("   " + "  ".join(cells).rstrip())

    def check(self, statement: str, found: object, expected: object) -> None:
        """Everything that is claimed goes through here, so nothing is claimed in vain."""
        if found == expected:
            self.held += 1
            self.say(f"   ok  {statement}")
            return
        self.broken.append(statement)
        self.say(f"   NO  {statement}\n       expected {expected}\n       found    {found}")
