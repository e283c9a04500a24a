"""Which tests of the suite xdist gives to the same worker."""

from xdist.scheduler import LoadScopeScheduling


class OneWorkerPerStack(LoadScopeScheduling):
    """One worker runs a whole file, and one worker alone all files that share the embedded AWS."""

    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.partition("::")[0]
        return "e2e" if file.startswith("tests/e2e/") else file
