"""Stacks on the embedded AWS for the end-to-end tests, brought up by the real executable."""

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from falcon_balances.cli.target import Target
from tests.e2e import observed
from tests.e2e.api_world import OWN, Served, serve
from tests.e2e.asking import Asker
from tests.e2e.auditing import DATA, OBJECTS, Auditor, manifests
from tests.e2e.events import Document, jsonl
from tests.e2e.local_stack import LocalStack
from tests.e2e.paid_out import PaidOut, pay_out

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.e2e)
            item.add_marker(pytest.mark.allow_hosts(["127.0.0.1"]))


@pytest.fixture(scope="session")
def local_stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalStack]:
    """The stack that all tests share: what one of them wrote is there for the next."""
    stack = LocalStack(tmp_path_factory.mktemp("shared") / "home")
    try:
        yield stack.up()
    finally:
        stack.down()


@pytest.fixture(scope="session")
def stack(local_stack: LocalStack) -> Target:
    return local_stack.target


@pytest.fixture(scope="session")
def falcon(local_stack: LocalStack) -> Callable[..., subprocess.CompletedProcess[str]]:
    """`falcon("token", "m-100")`: a command against the shared stack."""
    return local_stack.falcon


@pytest.fixture(scope="session")
def served(
    stack: Target,
    falcon: Callable[..., subprocess.CompletedProcess[str]],
    tmp_path_factory: pytest.TempPathFactory,
) -> Served:
    """Ten merchants on the shared stack, and their tokens, for whom asks the API."""

    def load(contexts: list[Document]) -> None:
        file = jsonl(tmp_path_factory.mktemp("served") / "merchants.jsonl", contexts)
        assert falcon("merchants", "load", file).returncode == 0

    return serve(stack, load)


@pytest.fixture(scope="module")
def asker(served: Served) -> Iterator[Asker]:
    """With the token of `OWN`."""
    with Asker(served.target, served.tokens[OWN]) as asker:
        yield asker


@pytest.fixture(scope="session")
def paid(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PaidOut]:
    """A stack with the orders of `olist`, of which everything is paid out."""
    folder = tmp_path_factory.mktemp("paid")
    stack = LocalStack(folder / "home")
    try:
        yield pay_out(stack, folder)
    finally:
        stack.down()


@pytest.fixture
def new_home(tmp_path: Path) -> Iterator[Callable[[], LocalStack]]:
    """Homes in which nothing is up yet; whatever a test starts in them is stopped after it."""
    made: list[LocalStack] = []

    def make() -> LocalStack:
        made.append(LocalStack(tmp_path / f"home-{len(made)}"))
        return made[-1]

    yield make
    for stack in made:
        stack.down()


@pytest.fixture
def fresh_stack(new_home: Callable[[], LocalStack]) -> Callable[[], LocalStack]:
    """A stack of the test's own, empty: `fresh_stack().target`."""
    return lambda: new_home().up()


@pytest.fixture(scope="session")
def audited(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalStack]:
    """A stack with the orders of the demo."""
    stack = LocalStack(tmp_path_factory.mktemp("audited") / "home")
    try:
        stack.up()
        assert stack.falcon("merchants", "load", str(DATA / "merchants.jsonl")).returncode == 0
        for stage in ("confirmed", "reconciled"):
            done = stack.falcon(
                "psp", "send", "--stage", stage, "--wait", str(DATA / f"{stage}.jsonl")
            )
            assert done.returncode == 0, done.stderr
        yield stack
    finally:
        stack.down()


@pytest.fixture(scope="session")
def sealed(audited: LocalStack) -> list[str]:
    """The manifests, when all is sealed: a cut may take a while."""
    audit = Auditor(audited, Path())
    left = OBJECTS

    def seal() -> bool:
        nonlocal left
        left -= int(audit.ask("seal")["objects"])
        return left == 0

    observed.wait_until(seal, what="everything sealed")
    return manifests(audited)


@pytest.fixture(scope="session")
def auditor(
    audited: LocalStack, sealed: list[str], tmp_path_factory: pytest.TempPathFactory
) -> Auditor:
    auditor = Auditor(audited, tmp_path_factory.mktemp("auditor"))
    auditor.fetch()
    return auditor
