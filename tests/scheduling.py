"""In which order the suite runs, and which tests of it xdist gives to the same worker."""

from typing import Final

# One worker runs a whole file, and one alone all files that share something which takes long to
# make: an embedded AWS, or the synthesized templates.
SHARED_STACK: Final = "the stack of most end-to-end tests"
_SCOPES: Final = {
    **dict.fromkeys(("test_api_orders.py", "test_payouts.py"), "the stack that pays out"),
    **dict.fromkeys(
        ("test_audit.py", "test_audit_accounts.py", "test_audit_explained.py"),
        "the stack of the audit",
    ),
}
_WITH_STACKS_OF_THEIR_OWN: Final = (
    "test_orders.py",
    "test_own_orders.py",
    "test_local_failures.py",
)
_LONGEST: Final = (
    SHARED_STACK,
    "tests/property",
    "tests/e2e",
    "tests/infra",
    "tests/audit",
    "tests/contract",
)


def scope_of(nodeid: str) -> str:
    """What the test shares with those that have to run on the same worker."""
    file = nodeid.partition("::")[0]
    folder, _, name = file.rpartition("/")
    if folder == "tests/infra":
        return folder
    if folder != "tests/e2e" or name in _WITH_STACKS_OF_THEIR_OWN:
        return file
    return _SCOPES.get(name, SHARED_STACK)


def turn_of(nodeid: str) -> int:
    """What takes longest is first: otherwise one worker would still run when the others have ended.
    End-to-end tests wait most of the time, so tests that calculate come between them.
    """
    folder = "/".join(nodeid.split("/", 2)[:2])
    place = SHARED_STACK if scope_of(nodeid) == SHARED_STACK else folder
    return _LONGEST.index(place) if place in _LONGEST else len(_LONGEST)
