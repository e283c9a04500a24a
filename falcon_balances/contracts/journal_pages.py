"""The file of a journal's page: JSON lines, a head and then a line for each entry.

A page has only one valid form, byte by byte; readers refuse every other form.
"""

from collections.abc import Collection
from datetime import datetime
from functools import lru_cache, partial
from hashlib import sha256
from typing import Annotated, Final, Literal, NamedTuple, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from falcon_balances.contracts.log_objects import VersionId
from falcon_balances.domain.effects import effect_text, read_effect
from falcon_balances.domain.errors import IntegrityError
from falcon_balances.domain.instants import parse_rfc3339, quarter_of, rfc3339
from falcon_balances.domain.journal import JournalEntry, JournalPage, JournalPosition, PageName
from falcon_balances.domain.log_keys import LogKey
from falcon_balances.domain.operations import Stage

_STRICT: Final = ConfigDict(strict=True, frozen=True, extra="forbid")


@lru_cache(maxsize=1024)  # the entries of a page name the same few quarters
def _quarter(text: str) -> datetime:
    start = parse_rfc3339(text)
    if start != quarter_of(start):
        raise ValueError("not the beginning of a quarter of an hour")
    return start


def _a_quarter(text: str) -> str:
    _quarter(text)
    return text


class _HeadV1(BaseModel):
    model_config = _STRICT

    schema_version: Literal["1"] = "1"
    shard_id: str
    number: Annotated[int, Field(ge=1)]
    previous: str
    entries: Annotated[int, Field(ge=1)]
    floor: Annotated[str, AfterValidator(_a_quarter)]


class _EntryV1(BaseModel):
    model_config = _STRICT

    window: str
    effect: str
    log_key: str
    version_id: VersionId
    body: str

    @classmethod
    def of(cls, entry: JournalEntry) -> Self:
        return cls(
            window=rfc3339(entry.window),
            effect=effect_text(entry.effect),
            log_key=entry.log_key,
            version_id=entry.version_id,
            body=entry.body,
        )

    def to_entry(self) -> JournalEntry:
        """The entry. Raises ValueError if the reducer would not have written it."""
        window = _quarter(self.window)
        LogKey.parse(self.log_key)
        if not self.body.isascii():
            raise ValueError("body: not the bytes of a log object")
        effect = read_effect(self.effect)
        return JournalEntry(window, effect, self.log_key, self.version_id, self.body)


class CountedObject(NamedTuple):
    log_key: str
    body: str


class WrittenPage(NamedTuple):
    """A page as it is stored."""

    name: PageName
    body: bytes


def written(page: JournalPage) -> WrittenPage:
    """The page as it is stored: always the same bytes for the same page."""
    head = _HeadV1(
        shard_id=page.shard_id,
        number=page.number,
        previous=page.previous,
        entries=len(page.entries),
        floor=rfc3339(page.floor),
    )
    lines = [
        head.model_dump_json(),
        *(_EntryV1.of(each).model_dump_json() for each in page.entries),
    ]
    body = "".join(f"{line}\n" for line in lines).encode()
    position = JournalPosition(page.number, sha256(body).hexdigest())
    return WrittenPage(PageName(page.shard_id, position, page.previous), body)


def read_page(name: PageName, body: bytes) -> JournalPage:
    """The page under this name. Raises IntegrityError, naming the key and the line, for bytes that
    the reducer did not write there.
    """
    refused = partial(_refused, name)
    if sha256(body).hexdigest() != name.position.digest:
        raise refused("its bytes have another SHA-256 than its key says")
    head_line, *lines = body.split(b"\n")[:-1] or [b""]
    entries: list[JournalEntry] = []
    for number, line in enumerate(lines, start=2):
        try:
            entries.append(_EntryV1.model_validate_json(line).to_entry())
        except ValueError as error:
            raise refused(f"line {number} is not an entry of a journal") from error
    if len({entry.log_key for entry in entries}) != len(entries):
        raise refused("it has the same log key twice")
    head = _head_of(name, head_line, len(entries))
    page = JournalPage(
        name.shard_id,
        name.position.number,
        name.previous,
        tuple(entries),
        parse_rfc3339(head.floor),
    )
    if written(page).body != body:
        raise refused("its entries are not written in the only form that a page can have")
    return page


def log_objects_in(name: PageName, body: bytes, stages: Collection[Stage]) -> list[CountedObject]:
    """The log objects of a page's entries in these stages; the others cost nearly nothing.

    For a page that its chain names: then the reducer wrote the bytes that have this hash, and
    windows, effects and their form are not checked again. Raises IntegrityError like `read_page`.
    """
    if sha256(body).hexdigest() != name.position.digest:
        raise _refused(name, "its bytes have another SHA-256 than its key says")
    head_line, *lines = body.split(b"\n")[:-1] or [b""]
    _head_of(name, head_line, len(lines))
    # In a body, a quote has a backslash before it: so this is the beginning of the key.
    marks = [f'"log_key":"{stage}/'.encode() for stage in stages]
    found: list[CountedObject] = []
    for number, line in enumerate(lines, start=2):
        if any(mark in line for mark in marks):
            try:
                entry = _EntryV1.model_validate_json(line)
            except ValidationError as error:
                raise _refused(name, f"line {number} is not an entry of a journal") from error
            found.append(CountedObject(entry.log_key, entry.body))
    return found


def _head_of(name: PageName, line: bytes, entries: int) -> _HeadV1:
    try:
        said = _HeadV1.model_validate_json(line)
    except ValidationError as error:
        raise _refused(name, "line 1 is not the head of a journal page") from error
    if said.entries != entries:
        raise _refused(name, f"it has {entries} entries, its head says {said.entries}")
    if (said.shard_id, said.number, said.previous) != (
        name.shard_id,
        name.position.number,
        name.previous,
    ):
        raise _refused(name, "its head names another page than its key")
    return said


def _refused(name: PageName, why: str) -> IntegrityError:
    return IntegrityError(f"{name.key}: {why}")
