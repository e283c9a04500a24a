"""Hides the checkout from the emulator's Lambda functions: they find what their zip holds, or fail.

The emulator runs functions with its own interpreter, and an editable install puts the checkout on
that one's path: a file missing from a function's package would be missed on AWS only. Python
imports this module at start-up, because the emulator's PYTHONPATH names this folder.
"""

import sys
from pathlib import Path

sys.path[:] = [entry for entry in sys.path if not Path(entry, "infra", "app.py").is_file()]
