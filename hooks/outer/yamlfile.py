"""Reads YAML as a gate must: bounded, strict, and with the place of every value.

One pass over libyaml's events refuses what makes loaders hang, lie or run code (size, depth, aliases, tags, duplicate
keys, other encodings) before anything is built. Scalars follow the YAML 1.2 core schema, so `NO` is a word and
`2026-01-01` is text; contracts mean both that way.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

MAX_BYTES = 1024 * 1024
MAX_DEPTH = 64
MAX_NODES = 20_000
"""Most values, and most lines and commas, of a file: ten times what a contract of 200 columns has."""

Pointer = tuple[str | int, ...]
"""Way to a value from the root of a document: keys and list positions."""

_Parser: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_INT = re.compile(r"[-+]?[0-9]{1,300}\Z|0x[0-9a-fA-F]{1,300}\Z|0o[0-7]{1,300}\Z")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]{1,300}\.[0-9]*|[0-9]{1,300}(?=[eE]))([eE][-+]?[0-9]{1,3})?\Z")
_WORDS: Mapping[str, object] = {
    "": None, "~": None, "null": None, "Null": None, "NULL": None,
    "true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False,
    ".inf": float("inf"), "+.inf": float("inf"), "-.inf": float("-inf"), ".nan": float("nan"),
}  # fmt: skip


@dataclass(frozen=True)
class Place:
    """Where something stands in a file; line and column count from 1."""

    line: int = 1
    column: int = 1


class Unreadable(Exception):
    """A file that cannot be read as strict YAML: why, what to do, and where."""

    def __init__(self, why: str, todo: str, place: Place = Place()) -> None:
        super().__init__(why)
        self.why = why
        self.todo = todo
        self.place = place


@dataclass(frozen=True)
class Document:
    """The value of a YAML file and the place of everything in it."""

    value: Any
    places: Mapping[Pointer, Any]
    """Way to a value -> mark of its start, as libyaml gives it; `place` makes a `Place` of those that are asked for."""

    def place(self, pointer: Pointer) -> Place:
        """Place of the value at `pointer`, or of the nearest parent that exists."""
        for end in range(len(pointer), -1, -1):
            found = self.places.get(pointer[:end])
            if found is not None:
                return Place(found.line + 1, found.column + 1)
        return Place()


def read(path: Path, root: Path) -> Document:
    """Read the file at `path`, which must be a regular file inside `root`.

    Raises `Unreadable` for everything that is not bounded, strict, UTF-8 YAML with one mapping as its root.
    """
    return parse(_bytes(path, root))


def _bytes(path: Path, root: Path) -> bytes:
    try:
        resolved = path.resolve(strict=True)
        if not resolved.is_relative_to(root.resolve()):
            raise Unreadable(
                "the file is a link to a place outside the product",
                "Replace the link by a file of its own.",
            )
        if not resolved.is_file():
            raise Unreadable("it is not a regular file", "Put a YAML file in its place.")
        with resolved.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except (OSError, RuntimeError) as error:  # before Python 3.13 a link to itself is a RuntimeError
        why = getattr(error, "strerror", None) or "a link that leads to itself"
        raise Unreadable(f"the file cannot be opened ({why})", "Check that it exists and may be read.") from None
    if len(data) > MAX_BYTES:
        raise Unreadable(f"the file is larger than {MAX_BYTES >> 20} MiB", "Split it, or remove what is not YAML.")
    return data


def parse(data: bytes) -> Document:
    """Build the document that `data` holds; see `read`."""
    # Every value but the first follows a line end, a comma or its key, so this refuses a flood without parsing it.
    if data.count(b"\n") + data.count(b",") > MAX_NODES:
        raise Unreadable(f"it holds more than {MAX_NODES} values", "Split the file.")
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise Unreadable("it is not UTF-8 text", "Save it with the encoding UTF-8.", Place(line)) from None
    try:
        builder = _Builder(iter(_Parser(text.removeprefix("\ufeff")).get_event, None))
        value = builder.document()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = Place(mark.line + 1, mark.column + 1) if mark else Place()
        why = " ".join(str(error.problem or error.context or "broken YAML").split())
        raise Unreadable(f"it is not YAML: {why}", "Mend the syntax at this place.", place) from None
    except yaml.YAMLError as error:
        position = getattr(error, "position", 0)
        place = Place(text.count("\n", 0, position) + 1) if isinstance(position, int) else Place()
        raise Unreadable("it holds a character that YAML does not allow", "Remove the character.", place) from None
    if not isinstance(value, dict):
        raise Unreadable("it does not hold a mapping of keys and values", "Write `key: value` lines.")
    return Document(value, builder.places)


class _Builder:
    """Turns libyaml's events into plain values, noting the place of each."""

    def __init__(self, events: Iterator[Any]) -> None:
        self._next = events.__next__
        self._events = events
        self._nodes = 0
        self.places: dict[Pointer, Any] = {}

    def document(self) -> Any:
        value: Any = None
        documents = 0
        for event in self._events:
            if isinstance(event, yaml.DocumentStartEvent):
                documents += 1
                if documents > 1:
                    raise Unreadable(
                        "it holds more than one document",
                        "Keep one document to a file: remove the line `---`.",
                        _place(event),
                    )
                root = self._next()
                self.places[()] = root.start_mark
                value = self._value(root, ())
        return value

    def _value(self, event: Any, at: Pointer) -> Any:
        self._nodes += 1
        if self._nodes > MAX_NODES:
            raise Unreadable(f"it holds more than {MAX_NODES} values", "Split the file.", _place(event))
        if len(at) > MAX_DEPTH:
            raise Unreadable(f"it nests deeper than {MAX_DEPTH} levels", "Flatten it.", _place(event))
        if event.anchor is not None:  # an alias names its anchor
            raise Unreadable(
                "anchors and aliases (`&`, `*`) are not allowed",
                "Write the value out; a contract is read by people and by simple tools.",
                _place(event),
            )
        if event.tag is not None and event.tag != "!":
            raise Unreadable("tags (`!`) are not allowed", "Write a plain value.", _place(event))
        kind = type(event)
        if kind is yaml.ScalarEvent:
            return _scalar(event.value) if event.implicit[0] else event.value
        return self._sequence(at) if kind is yaml.SequenceStartEvent else self._mapping(at)

    def _sequence(self, at: Pointer) -> list[Any]:
        values: list[Any] = []
        while type(event := self._next()) is not yaml.SequenceEndEvent:
            item = (*at, len(values))
            self.places[item] = event.start_mark
            values.append(self._value(event, item))
        return values

    def _mapping(self, at: Pointer) -> dict[str, Any]:
        values: dict[str, Any] = {}
        while type(event := self._next()) is not yaml.MappingEndEvent:
            if type(event) is not yaml.ScalarEvent:
                raise Unreadable("a key is not plain text", "Use a word as key.", _place(event))
            key = event.value
            if key == "<<" and event.implicit[0]:
                raise Unreadable("merge keys (`<<`) are not allowed", "Write the keys out.", _place(event))
            if key in values:
                raise Unreadable(
                    f"the key {show(key)} stands twice",
                    "Keep one of the two; YAML would drop one.",
                    _place(event),
                )
            item = (*at, key)
            self.places[item] = event.start_mark
            values[key] = self._value(self._next(), item)
        return values


def _place(event: Any) -> Place:
    return Place(event.start_mark.line + 1, event.start_mark.column + 1)


def _scalar(text: str) -> object:
    if text in _WORDS:
        return _WORDS[text]
    if _INT.match(text):
        return int(text, 0) if text[:2] in ("0x", "0o") else int(text)
    if _FLOAT.match(text):
        return float(text)
    return text


def show(value: object, limit: int = 60) -> str:
    """`value` for a message: on one line, printable, short. Keeps terminals and CI logs safe from hostile text."""
    text = value if isinstance(value, str) else repr(value)
    if not text.isprintable():
        text = "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)
    return f"`{text}`" if len(text) <= limit else f"`{text[:limit]}…`"
