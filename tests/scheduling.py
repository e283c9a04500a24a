"""Which tests of the suite xdist gives to the same worker."""

from xdist.scheduler import LoadScopeScheduling

# The embedded AWS, and the synthesized templates, of which there shall be one of each.
SHARED = ("tests/e2e/", "tests/infra/")


class OneWorkerPerStack(LoadScopeScheduling):
    """One worker runs a whole file, and one alone all files of a folder that shares something."""

    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.partition("::")[0]
        return next((folder for folder in SHARED if file.startswith(folder)), file)
