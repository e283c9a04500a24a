"""What the pages say of files, commands, names and figures is so in the code."""

import re
import shlex
from collections.abc import Iterator
from fnmatch import fnmatch
from functools import cache
from typing import Any, Final

import pytest
import typer.main

from falcon_balances.cli.main import app
from falcon_balances.domain.errors import RejectionCode
from tests.docs.pages import ROOT, Said, commands, links, pages, spans, tracked

CLI: Final[Any] = typer.main.get_command(app)
# What a page leaves out of a name: `…`, `{env}`, `OURS`.
_ELIDED: Final = re.compile(r"…|\{[^}]*\}|\[[^\]]*\]")
_PATH: Final = re.compile(
    r"\.?[A-Za-z0-9_.*…-]+(?:/[A-Za-z0-9_.*…{},-]*)+|[A-Za-z0-9_-]+\.[a-z]{2,5}"
)
_SUFFIXES: Final = (".py", ".md", ".json", ".jsonl", ".toml", ".txt", ".yml")
_MAKE: Final = re.compile(r"make((?: [a-z]+)+)")
_MODULE: Final = re.compile(r"python3? -m ([a-z0-9_.]+)")


def tops() -> set[str]:
    return {path.partition("/")[0] for path in tracked() if "/" in path}


def is_named_path(span: str) -> bool:
    """A file or folder of the project; not a key in a bucket, an address, or a file of a user's."""
    if not _PATH.fullmatch(span):
        return False
    return span.partition("/")[0] in tops() or (span.endswith(_SUFFIXES) and "_" in span)


def exists(path: str) -> bool:
    """Whole paths, patterns, and names that the text around them gives a folder."""
    pattern = _ELIDED.sub("*", path).rstrip("/")
    short = any(fnmatch(each, f"*/{pattern}") for each in tracked())
    return short or any(fnmatch(each, pattern) for each in tracked())


def test_every_path_that_a_page_names_is_there():
    named = [said for said in spans() if is_named_path(said.text)]
    assert len(named) > 90
    assert [said for said in named if not exists(said.text)] == []


def test_a_path_that_is_not_there_is_noticed():
    assert is_named_path("tests/unit/domain/test_nothing.py")
    assert not exists("tests/unit/domain/test_nothing.py")
    assert is_named_path("test_nothing_at_all.py")
    assert not exists("test_nothing_at_all.py")


@cache
def anchors(path: str) -> frozenset[str]:
    """As GitHub makes them of headings."""
    headings = re.findall(r"^#+ (.*)$", (ROOT / path).read_text(encoding="utf-8"), re.MULTILINE)
    return frozenset(
        re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings
    )


def leads_somewhere(said: Said) -> bool:
    target, _, anchor = said.text.partition("#")
    path = (ROOT / said.page).parent / target if target else ROOT / said.page
    if not path.exists():
        return False
    return not anchor or anchor in anchors(str(path.resolve().relative_to(ROOT.resolve())))


def test_every_link_leads_somewhere():
    inner = [said for said in links() if "://" not in said.text]
    assert len(inner) > 60
    assert [said for said in inner if not leads_somewhere(said)] == []
    assert not leads_somewhere(Said("README.md", "docs/nothing.md"))
    assert not leads_somewhere(Said("README.md", "CONTRIBUTING.md#nothing"))


# Commands


def words_of(command: str) -> list[str]:
    """Without what a page leaves out, alternatives, and what the shell makes of the output."""
    text = re.split(r" [>|&] |…", command)[0]
    return shlex.split(text.replace("[", " ").replace("]", " "))


def command_of(words: list[str]) -> tuple[Any, list[str]]:
    """The command that the words name, and the rest of them. Raises LookupError."""
    command = CLI
    rest = words[1:]
    while hasattr(command, "commands") and rest and not rest[0].startswith("-"):
        name = rest.pop(0)
        if name not in command.commands:
            raise LookupError(f"no command {name}")
        command = command.commands[name]
    return command, rest


def fault_of(command: str) -> str | None:
    """Why `falcon …` could not be typed so; None where it could."""
    try:
        found, rest = command_of(words_of(command))
    except LookupError as error:
        return str(error)
    known = {option for each in found.params for option in (*each.opts, *each.secondary_opts)}
    known |= {"--help", "-h"}
    unknown = [word for word in rest if word.startswith("--") and word.split("=")[0] not in known]
    return f"no option {unknown}" if unknown else None


def falcon_commands() -> Iterator[Said]:
    for page, text in commands():
        command = text.removeprefix(".venv/bin/")
        if command.startswith("falcon "):
            yield Said(page, command)


def test_every_falcon_command_can_be_typed():
    said = list(falcon_commands())
    assert len(said) > 50
    assert [(each, fault) for each in said if (fault := fault_of(each.text))] == []


@pytest.mark.parametrize(
    "command", ["falcon audit rewind", "falcon psp send --quickly", "falcon x"]
)
def test_a_command_that_there_is_not_is_noticed(command):
    assert fault_of(command)


def options_in_tables() -> Iterator[Said]:
    """`--name` alone in a span: an option of some command."""
    for said in spans():
        if re.fullmatch(r"--[a-z][a-z-]+(?: [A-Z=a-z0-9_.:-]+)?", said.text):
            yield said


@cache
def every_option() -> frozenset[str]:
    found: set[str] = {"--help"}
    open_commands: list[Any] = [CLI]
    while open_commands:
        command = open_commands.pop()
        found |= {option for each in command.params for option in each.opts}
        if hasattr(command, "commands"):
            open_commands += command.commands.values()
    return frozenset(found)


def test_every_option_that_a_page_names_is_one():
    # Of the benchmark, the golden files and pip, which are not falcon's.
    others = {"--million", "--write", "--require-hashes"}
    known = every_option() | others
    named = list(options_in_tables())
    assert len(named) > 30
    assert [said for said in named if said.text.split()[0] not in known] == []


def make_targets() -> set[str]:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    return set(re.findall(r"^([a-z]+):", makefile, re.MULTILINE))


def test_every_make_target_is_one():
    named = [
        (page, target)
        for page, text in commands()
        if (found := _MAKE.fullmatch(text.strip()))
        for target in found[1].split()
    ]
    assert len(named) > 12
    assert [each for each in named if each[1] not in make_targets()] == []


def test_every_module_that_is_run_is_there():
    named = [
        (page, module)
        for page, text in commands()
        for module in _MODULE.findall(text)
        if module not in {"pytest", "venv"}
    ]
    assert len(named) > 4
    assert [each for each in named if not is_module(each[1])] == []
    assert not is_module("tests.property.nothing")


def is_module(name: str) -> bool:
    path = ROOT / name.replace(".", "/")
    return path.with_suffix(".py").is_file() or (path / "__main__.py").is_file()


# Names of the code


_CODE: Final = re.compile(r"\bE_[A-Z_]+\b")
_IDENTIFIER: Final = re.compile(
    r"[A-Za-z][A-Za-z0-9]*(?:_[A-Za-z0-9]+)+|[A-Z][a-z]+(?:[A-Z][a-z]+)+"
)


def test_every_error_code_is_one():
    known = {code.value for code in RejectionCode}
    named = {(page, code) for page, text in pages().items() for code in _CODE.findall(text)}
    assert len({code for _, code in named}) > 10
    assert [each for each in sorted(named) if each[1] not in known] == []


@cache
def words_of_the_code() -> frozenset[str]:
    """All of them, in whatever is no page: code, schemas, templates, settings."""
    suffixes = (".py", ".json", ".jsonl", ".toml", ".txt", "Makefile")
    return frozenset(
        word
        for path in tracked()
        if path.endswith(suffixes) and (ROOT / path).is_file() and not path.startswith("tests/docs")
        for word in re.findall(r"\w+", (ROOT / path).read_text(encoding="utf-8"))
    )


def test_every_name_of_the_code_is_in_the_code():
    made_up = {"EUR_sold"}  # of a currency's code and a field's name
    named = [said for said in spans() if _IDENTIFIER.fullmatch(said.text)]
    assert len(named) > 150
    unknown = [said for said in named if said.text not in words_of_the_code() | made_up]
    assert unknown == []
    assert "no_such_name_at_all" not in words_of_the_code()
