"""`python -m bench [part ...] [--embedded] [--million] [--json]`: measure and judge.

Exit code 1 when a count bound is broken: counts are the same on every machine. Times are only
reported, with something run beside them.
"""

import argparse
import sys
from importlib import import_module
from typing import Final

from bench.environment import prepare
from bench.results import Result, print_json, print_table

# What each part runs; imported only when the environment is prepared.
PARTS: Final = {
    "core": ("core.run",),
    "calls": ("calls.run",),
    "units": ("units.run",),
    "spending": ("spending.run",),
    "mornings": ("mornings.run",),
    "api": ("api.run", "paging.run", "past.run"),
    "audit": ("audit.run", "audit_files.run"),
    "imports": ("imports.run",),
}
OPTIONS: Final = {
    "embedded": ("embedded.run", "hot_balance.run", "audit_bucket.run"),
    "million": ("audit.run_million",),
}
_HELP: Final = {
    "embedded": "messages a second, on a stack of its own",
    "million": "replay of a million objects; takes minutes",
}


def _results(part: str) -> list[Result]:
    found: list[Result] = []
    for each in (PARTS | OPTIONS)[part]:
        module, _, function = each.partition(".")
        found += getattr(import_module(f"bench.{module}"), function)()
    return found


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("parts", nargs="*", help=f"of {', '.join(PARTS)}; all by default")
    for option in OPTIONS:
        parser.add_argument(f"--{option}", action="store_true", help=_HELP[option])
    parser.add_argument("--json", action="store_true", help="print the JSON document only")
    arguments = parser.parse_args()
    if unknown := set(arguments.parts) - set(PARTS):
        parser.error(f"no such part: {', '.join(sorted(unknown))}")
    options = [option for option in OPTIONS if getattr(arguments, option)]
    prepare()
    results: list[Result] = []
    for part in [*(arguments.parts or ([] if options else PARTS)), *options]:
        for result in _results(part):
            results.append(result)
            if not arguments.json:
                print_table(result)
    print_json(results)
    return 1 if any(result.is_broken for result in results) else 0


if __name__ == "__main__":
    sys.exit(main())
