"""Hides the checkout from the emulator's Lambda functions, so that they find only their own zip.

The emulator runs functions with its own interpreter, and an editable install puts the checkout on
that interpreter's path: a file that a function's zip lacks would be missed only on AWS. Python
imports this module at start-up, because the emulator's PYTHONPATH names this folder.
"""

import sys
from pathlib import Path

sys.path[:] = [entry for entry in sys.path if not Path(entry, "infra", "app.py").is_file()]
