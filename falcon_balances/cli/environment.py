"""Reads the process environment; no other module of the command line does."""

import os
from collections.abc import Mapping
from pathlib import Path

DEFAULT_REGION = "eu-central-1"

# The variables that any program needs. The emulator and the synthesis get no others: an
# AWS_PROFILE, a proxy or a CDK switch of the shell must not change the deployed stack.
_PASSED_ON = ("PATH", "HOME", "USER", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "SSL_CERT_FILE")


def _environment() -> Mapping[str, str]:
    return os.environ  # noqa: TID251 - the one place


def falcon_home() -> Path:
    """`.falcon/` of the current directory, or FALCON_HOME (design §11)."""
    return Path(_environment().get("FALCON_HOME") or ".falcon").absolute()


def debug() -> bool:
    return _environment().get("FALCON_DEBUG", "") not in {"", "0"}


def local_region() -> str:
    return _environment().get("AWS_REGION") or DEFAULT_REGION


def child_environment(**added: str) -> dict[str, str]:
    """The environment of a child process: the variables above, and `added`."""
    ours = _environment()
    return {name: ours[name] for name in _PASSED_ON if name in ours} | added
