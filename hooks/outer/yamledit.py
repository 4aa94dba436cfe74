"""Changes values in a YAML file and nothing else: comments, order, quotes, line ends and spaces stay as they are.

No YAML is written anew. A value is found by libyaml's marks and its text is replaced; what comes out is read again and
must say exactly what was meant.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from copy import deepcopy
from typing import Any

import yaml

from outer.product import lookup
from outer.yamlfile import Pointer, Unreadable, parse

_PARSER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_PLAIN = re.compile(r"[A-Za-z/$][A-Za-z0-9 _@+/.;()'-]*(:[A-Za-z0-9/_.-]+)*\Z")
_VERSION = re.compile(r"[0-9]+\.[0-9]+\.[0-9]+([-+][0-9A-Za-z.-]+)?\Z")
_WORDS = frozenset(("y", "n", "yes", "no", "on", "off", "true", "false", "null"))

Span = tuple[int, int, str]
"""Where the text of a value begins and ends, and its style: empty for plain, a quote, `[` for a list in brackets."""


class CannotEdit(Exception):
    """The value stands in a form that is not replaced by text: a block, or a place that does not exist."""


def replace(data: bytes, changes: Mapping[Pointer, Any]) -> bytes:
    """The YAML file `data` with the value at each pointer replaced by a text, number, boolean or list of texts.

    Raises `Unreadable` when `data` is no strict YAML, `CannotEdit` when a value cannot be replaced in place.
    """
    before, text, mark = opened(data)
    spans = dict(_spans(text))
    edited, is_json = text, text.lstrip().startswith("{")
    for pointer in sorted(changes, key=lambda p: spans.get(p, (0, 0, ""))[0], reverse=True):
        if pointer not in spans:
            raise CannotEdit(f"there is no value on one line at {'.'.join(map(str, pointer))}")
        start, end, style = spans[pointer]
        gap = " " if start == end and edited[start - 1 : start] == ":" else ""
        value = changes[pointer]
        written = json.dumps(value, ensure_ascii=False) if is_json and style != "'" else _written(value, style)
        edited = edited[:start] + gap + written + edited[end:]
    wanted = deepcopy(before)
    for pointer, value in changes.items():
        lookup(wanted, pointer[:-1])[pointer[-1]] = value
    return closed(edited, mark, wanted)


def source(data: bytes, pointer: Pointer) -> str:
    """The text of the value at `pointer` as it stands in the file; empty where it is no scalar on one line."""
    text = data.decode("utf-8").removeprefix("\ufeff")
    start, end, _ = dict(_spans(text)).get(pointer, (0, 0, ""))
    return text[start:end]


def opened(data: bytes) -> tuple[Any, str, str]:
    """What the YAML file `data` says, its text, and its byte order mark (or nothing). Raises `Unreadable`."""
    value, text = parse(data).value, data.decode("utf-8")
    mark = "\ufeff" if text.startswith("\ufeff") else ""
    return value, text.removeprefix(mark), mark


def closed(text: str, mark: str, wanted: Any) -> bytes:
    """`text` as a file again, once it was read and says `wanted`. Raises `CannotEdit` where it does not."""
    data = (mark + text).encode("utf-8")
    try:
        said = parse(data).value
    except Unreadable:
        said = None
    if said != wanted:
        raise CannotEdit("the text around it does not allow it")
    return data


def scalar(value: Any) -> str:
    """`value`, a text, number, boolean or nothing, as any reader of YAML, 1.1 or 1.2, understands it."""
    if not isinstance(value, str):
        return json.dumps(value)
    plain = _VERSION.match(value) or (_PLAIN.match(value) and value.lower() not in _WORDS and not value.endswith(" "))
    return value if plain else quoted(value)


def quoted(text: str) -> str:
    """`text` in double quotes, on one line whatever it holds."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return '"' + "".join(c if c.isprintable() else f"\\U{ord(c):08x}" for c in escaped) + '"'


def _spans(text: str) -> Iterator[tuple[Pointer, Span]]:
    """The span of every value that stands on one line: scalars, and lists in brackets."""
    events: Iterator[Any] = yaml.parse(text, Loader=_PARSER)

    def value(event: Any, at: Pointer) -> Iterator[tuple[Pointer, Span]]:
        start, end, style = event.start_mark, event.end_mark, getattr(event, "style", None) or ""
        if isinstance(event, yaml.SequenceStartEvent):
            index = 0
            while not isinstance(inside := next(events), yaml.SequenceEndEvent):
                yield from value(inside, (*at, index))
                index += 1
            end, style = inside.end_mark, "[" if event.flow_style else "block"
        elif isinstance(event, yaml.MappingStartEvent):
            while not isinstance(key := next(events), yaml.MappingEndEvent):
                yield from value(next(events), (*at, key.value))
            style = "block"
        if style != "block" and start.line == end.line:
            yield at, (start.index, end.index, style)

    for event in events:
        if isinstance(event, yaml.DocumentStartEvent):
            yield from value(next(events), ())


def _written(value: Any, style: str) -> str:
    if isinstance(value, list):
        return "[" + ", ".join(_written(entry, "") for entry in value) + "]"
    if isinstance(value, str) and style == "'":
        return "'" + value.replace("'", "''") + "'"
    return json.dumps(value, ensure_ascii=False) if style == '"' else scalar(value)
