"""`python -m bench [part ...] [--embedded] [--million] [--json]`: measure and judge.

Exit code 1 when a count bound is broken: counts are the same on every machine. Times are only
reported, with something run beside them.
"""

import argparse
import sys
from collections.abc import Callable

from bench.environment import batch_sizes_of, prepare
from bench.results import Result, print_json, print_table

PARTS = ("core", "calls", "spending", "api", "audit", "imports")


def _core() -> list[Result]:
    from bench import core  # noqa: PLC0415 - after the environment is prepared

    return [core.run(batch_sizes_of("live"))]


def _calls() -> list[Result]:
    from bench import calls  # noqa: PLC0415 - as above

    return calls.run({name: batch_sizes_of(name) for name in ("live", "local")})


def _imports() -> list[Result]:
    from bench import imports  # noqa: PLC0415 - as above

    return [imports.run()]


def _embedded() -> list[Result]:
    from bench import audit_bucket, embedded, spending  # noqa: PLC0415 - as above

    return [embedded.run(batch_sizes_of("local")), spending.run_hot(), audit_bucket.run()]


def _spending() -> list[Result]:
    from bench import spending  # noqa: PLC0415 - as above

    return [spending.run(batch_sizes_of("live"))]


def _api() -> list[Result]:
    from bench import api, paging  # noqa: PLC0415 - as above

    return [api.run(batch_sizes_of("live")), paging.run()]


def _audit() -> list[Result]:
    from bench import audit, audit_files  # noqa: PLC0415 - as above

    return [audit.run(), *audit_files.run()]


def _million() -> list[Result]:
    from bench import audit  # noqa: PLC0415 - as above

    return [audit.run_million()]


_MEASURE: dict[str, Callable[[], list[Result]]] = {
    "core": _core,
    "calls": _calls,
    "spending": _spending,
    "api": _api,
    "audit": _audit,
    "million": _million,
    "imports": _imports,
    "embedded": _embedded,
}


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("parts", nargs="*", help=f"of {', '.join(PARTS)}; all by default")
    parser.add_argument(
        "--embedded", action="store_true", help="messages a second, on a stack of its own"
    )
    parser.add_argument(
        "--million", action="store_true", help="replay of a million objects; takes minutes"
    )
    parser.add_argument("--json", action="store_true", help="print the JSON document only")
    arguments = parser.parse_args()
    if unknown := set(arguments.parts) - set(PARTS):
        parser.error(f"no such part: {', '.join(sorted(unknown))}")
    chosen = list(arguments.parts) or (
        [] if arguments.embedded or arguments.million else list(PARTS)
    )
    if arguments.embedded:
        chosen.append("embedded")
    if arguments.million:
        chosen.append("million")
    prepare()
    results: list[Result] = []
    for part in chosen:
        for result in _MEASURE[part]():
            results.append(result)
            if not arguments.json:
                print_table(result)
    print_json(results)
    return 1 if any(result.is_broken for result in results) else 0


if __name__ == "__main__":
    sys.exit(main())
