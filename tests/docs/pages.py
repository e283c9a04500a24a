"""The pages that people read, taken apart: code spans, shell lines, links."""

import re
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Final, NamedTuple

ROOT: Final = Path(__file__).parents[2]
_FENCE: Final = re.compile(r"^```[a-z]*\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_SPAN: Final = re.compile(r"(?<!`)`([^`\n]+)`(?!`)")
_LINK: Final = re.compile(r"\]\(([^)\s]+)\)")
_SHELL: Final = re.compile(r"(?:\$ )?((?:\.venv/bin/)?(?:falcon|make|python3?|git) .*)")


class Said(NamedTuple):
    """Something that a page says, and the page."""

    page: str
    text: str


@cache
def tracked() -> frozenset[str]:
    """Every file of the project, and every folder that holds one."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    files = [each for each in listed.stdout.splitlines() if (ROOT / each).is_file()]
    folders = {str(folder) for each in files for folder in Path(each).parents}
    return frozenset(files) | folders


@cache
def pages() -> dict[str, str]:
    """By path. The reference is made from the code, and the changelog tells of the past."""
    left_out = {"CHANGELOG.md", "docs/api-reference.md"}
    return {
        path: (ROOT / path).read_text(encoding="utf-8")
        for path in sorted(tracked())
        if path.endswith(".md") and path not in left_out
    }


def blocks(page: str) -> list[str]:
    return _FENCE.findall(pages()[page])


def spans() -> Iterator[Said]:
    for page, text in pages().items():
        for span in _SPAN.findall(_FENCE.sub("", text)):
            yield Said(page, span)


def links() -> Iterator[Said]:
    for page, text in pages().items():
        for link in _LINK.findall(_FENCE.sub("", text)):
            yield Said(page, link)


def commands() -> Iterator[Said]:
    """Lines of shell, in blocks and in spans; comments are left out."""
    for page in pages():
        for block in blocks(page):
            for line in block.splitlines():
                found = _SHELL.fullmatch(line.strip())
                if found:
                    yield Said(page, re.sub(r"\s+#\s.*", "", found[1]))
    for page, span in spans():
        found = _SHELL.fullmatch(span)
        if found:
            yield Said(page, found[1])
