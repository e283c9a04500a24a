"""Which tests of the suite xdist gives to the same worker."""

from typing import Final

from xdist.scheduler import LoadScopeScheduling

# One worker runs a whole file, and one alone all files that share something which takes long to
# make: an embedded AWS, or the synthesized templates.
SHARED_BY: Final = {
    **dict.fromkeys(("test_api_orders.py", "test_payouts.py"), "the stack that pays out"),
    **dict.fromkeys(
        ("test_audit.py", "test_audit_accounts.py", "test_audit_explained.py"),
        "the stack of the audit",
    ),
}
WITH_STACKS_OF_THEIR_OWN: Final = ("test_orders.py", "test_own_orders.py", "test_local_failures.py")


class OneWorkerPerStack(LoadScopeScheduling):
    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.partition("::")[0]
        folder, _, name = file.rpartition("/")
        if folder == "tests/infra":
            return folder
        if folder != "tests/e2e" or name in WITH_STACKS_OF_THEIR_OWN:
            return file
        return SHARED_BY.get(name, "the stack of most end-to-end tests")
