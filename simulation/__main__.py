"""`python -m simulation [--before]`: a year and a peak, in minutes.

Exit code 1 if a limit is broken, or if the cost of a function grows with the age of the log.
"""

import argparse
import sys

from bench.environment import prepare


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m simulation", description=__doc__)
    parser.add_argument(
        "--before", action="store_true", help="with four functions that read the whole log"
    )
    arguments = parser.parse_args()
    prepare()
    from simulation.running import simulate  # noqa: PLC0415 - the functions read the environment

    return simulate(before=arguments.before)


if __name__ == "__main__":
    sys.exit(main())
