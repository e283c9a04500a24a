"""The reference page: `schemas/openapi.json` as Markdown, for people."""

import json
from collections.abc import Iterator, Mapping
from typing import Any, Final

from reference.openapi import operations

_TITLES: Final = {
    "merchants": "For merchants, with an ID token",
    "systems": "For systems, by IAM",
}
_EXAMPLE_CHARACTERS_MAX: Final = 1_800


def page(said: Mapping[str, Any]) -> str:
    return "\n".join(_lines(said)) + "\n"


def _lines(said: Mapping[str, Any]) -> Iterator[str]:
    yield f"# {said['info']['title']}: the API"
    yield ""
    yield "Made from [schemas/openapi.json](../schemas/openapi.json) by `make schemas`; not edited"
    yield "by hand. What the answers mean, with examples: [api.md](api.md). Problems:"
    yield "[problems/](problems/)."
    for tag, title in _TITLES.items():
        yield from ("", f"## {title}", "")
        for path, method, operation in operations(said):
            if operation["tags"] == [tag]:
                yield from _operation(path, method, operation)


def _operation(path: str, method: str, operation: Mapping[str, Any]) -> Iterator[str]:
    yield from (f"### {method.upper()} {path}", "", f"{operation['summary']}.", "")
    if "description" in operation:
        yield from (operation["description"], "")
    parameters = operation.get("parameters", [])
    if parameters:
        yield from ("| parameter | in | form | |", "|---|---|---|---|")
        for each in parameters:
            needed = "required" if each.get("required") else ""
            text = " ".join([needed, each.get("description", "")]).strip()
            form = _cell(_form(each["schema"]))
            yield f"| `{each['name']}` | {each['in']} | {form} | {_cell(text)} |"
        yield ""
    if "requestBody" in operation:
        content = operation["requestBody"]["content"]["application/json"]
        yield from (f"Body: {_shown(content['schema'])}", "", "```json")
        yield from (json.dumps(content["example"]), "```", "")
    for status, answer in operation["responses"].items():
        yield from _answer(status, answer)
    yield ""


def _answer(status: str, answer: Mapping[str, Any]) -> Iterator[str]:
    shapes = [
        f"`{media}` {_shown(content['schema'])}"
        for media, content in answer.get("content", {}).items()
    ]
    yield f"- **{status}** {answer['description']}{': ' if shapes else ''}{', '.join(shapes)}"
    for content in answer.get("content", {}).values():
        if "example" in content:
            text = json.dumps(content["example"], indent=2)
            if len(text) <= _EXAMPLE_CHARACTERS_MAX:
                yield from ("", "  ```json", *(f"  {line}" for line in text.splitlines()), "  ```")


def _shown(schema: Mapping[str, Any]) -> str:
    if "$ref" in schema:
        return str(schema["$ref"]).rpartition("/")[2]
    if "anyOf" in schema:
        return " or ".join(_shown(each) for each in schema["anyOf"])
    return str(schema.get("type", ""))


def _form(schema: Mapping[str, Any]) -> str:
    if "enum" in schema:
        text = ", ".join(f"`{each}`" for each in schema["enum"])
    elif "pattern" in schema:
        text = f"`{schema['pattern']}`"
    else:
        bounds = [str(schema[name]) for name in ("minimum", "maximum") if name in schema]
        text = f"{schema.get('type', '')} {' to '.join(bounds)}".strip()
    return f"{text}; `{schema['default']}` by default" if "default" in schema else text


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")
