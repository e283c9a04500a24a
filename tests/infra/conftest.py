import pytest

from infra.app import main
from infra.environments import ENVIRONMENTS
from tests.infra.assembly import Assembly


@pytest.fixture(scope="session")
def assemblies(tmp_path_factory) -> dict[str, Assembly]:
    """Every environment, synthesized once; without the layer's wheels, which need the network."""
    root = tmp_path_factory.mktemp("cdk")
    for name in ENVIRONMENTS:
        main(str(root / name), {"env": name, "aws:cdk:bundling-stacks": []})
    return {name: Assembly.read(settings, root / name) for name, settings in ENVIRONMENTS.items()}


@pytest.fixture(params=sorted(ENVIRONMENTS))
def assembly(request, assemblies):
    return assemblies[request.param]


@pytest.fixture(params=["live", "test"])
def real(request, assemblies):
    """Those that run on real AWS."""
    return assemblies[request.param]


@pytest.fixture
def local(assemblies):
    return assemblies["local"]
