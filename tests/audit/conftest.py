"""Sealed logs, as the sealer leaves them."""

import pytest

from tests.audit.sealed import SealedLog, objects, sealed_log, split
from tests.audit.tampering import EVENTS, MANIFESTS


@pytest.fixture(scope="session")
def sealed(tmp_path_factory) -> SealedLog:
    """Ten thousand objects, in twelve manifests."""
    return sealed_log(tmp_path_factory.mktemp("sealed") / "s", split(objects(EVENTS), MANIFESTS))


@pytest.fixture(scope="session")
def fewer(tmp_path_factory) -> SealedLog:
    """A thousand objects, in twelve manifests too: for what is checked hundreds of times."""
    some = split(objects(EVENTS // 10), MANIFESTS)
    return sealed_log(tmp_path_factory.mktemp("fewer") / "s", some)


@pytest.fixture
def small(tmp_path) -> SealedLog:
    return sealed_log(tmp_path / "small", split(objects(9, 3), 3))
