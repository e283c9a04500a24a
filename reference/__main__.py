"""`python -m reference [--check]`: writes schemas/openapi.json and docs/api-reference.md.

With `--check`, exit code 1 if a file differs from what the code would write.
"""

import json
import sys
from pathlib import Path

from reference import quiet

quiet()

from reference.openapi import document  # noqa: E402 - Powertools reads its variables first
from reference.page import page  # noqa: E402

ROOT = Path(__file__).parents[1]


def main() -> int:
    said = document()
    texts = {
        ROOT / "schemas/openapi.json": json.dumps(said, indent=2) + "\n",
        ROOT / "docs/api-reference.md": page(said),
    }
    if "--check" not in sys.argv[1:]:
        for path, text in texts.items():
            path.write_text(text)
        return 0
    stale = [path for path, text in texts.items() if not path.exists() or path.read_text() != text]
    for path in stale:
        sys.stderr.write(f"{path.relative_to(ROOT)} is not what the code says: make schemas\n")
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main())
