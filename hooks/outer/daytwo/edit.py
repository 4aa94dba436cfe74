"""Inserts into a YAML file and changes nothing else: comments, order, quotes, line ends and spaces stay as they are.

The counterpart of `outer.yamledit`, which replaces values: here entries, keys and whole blocks come in. No YAML is
written anew. Places are found by libyaml's marks, text is spliced in, and what comes out is read again and must say
exactly what was meant. (ruamel.yaml, the usual round-trip library, rewraps long lines, normalises indentation and is
ten times slower; see its documentation, section on round-trip preservation.)
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any

import yaml

from outer.product import lookup
from outer.yamledit import CannotEdit, closed, opened, scalar
from outer.yamlfile import Pointer

_PARSER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@dataclass(frozen=True)
class Node:
    """A value in a file: where its text begins and ends, and what is in it."""

    start: int
    end: int
    """Behind the last character that belongs to it; comments and blank lines after it do not."""
    column: int
    """Of its first character, from 0; of a list in lines, the column of the dashes."""
    kind: str
    """`scalar`, `list` or `mapping`."""
    flow: bool
    """Whether it stands in brackets."""
    keys: tuple[tuple[str, int], ...] = ()
    """Of a mapping: its keys and where each begins."""
    items: tuple[Node, ...] = field(default=(), repr=False)
    """Entries of a list, values of a mapping."""

    def item(self, step: str | int) -> Node | None:
        """The entry at a position, or the value of a key."""
        if isinstance(step, int):
            return self.items[step] if self.kind == "list" and step < len(self.items) else None
        names = [name for name, _ in self.keys]
        return self.items[names.index(step)] if step in names else None


def append(data: bytes, pointer: Pointer, value: Any, *, after: int | None = None, source: str = "") -> bytes:
    """The YAML file `data` with `value` as an entry more in the list at `pointer`.

    It goes behind the entry at position `after`, by default to the end. A list that is not there yet, or is empty, is
    begun. `source` is how a list in lines shall write the entry; it must say the same as `value`.

    Raises `Unreadable` when `data` is no strict YAML, `CannotEdit` when the text does not allow it.
    """
    text = _Text(data)
    node, known = text.node(pointer), text.value(pointer)
    if node is None or known is None:
        return _begin(text, pointer, node, [value])
    if not isinstance(known, list):
        raise CannotEdit(f"{_path(pointer)} is not a list")
    if not known and not node.flow:
        raise CannotEdit(f"{_path(pointer)} cannot be read as a list")
    wanted = deepcopy(known)
    place = len(known) if after is None else after + 1
    wanted.insert(place, value)
    parent = text.node(pointer[:-1])
    if not known and not isinstance(value, str) and parent and parent.kind == "mapping" and not parent.flow:
        return _begin(text, pointer, node, [value])
    if node.flow:
        spliced = _into_flow(text, node, place, text.flow(value))
    else:
        spliced = _into_lines(text, node, place, _entry(text, node, place, value, source))
    return text.result(spliced, {pointer: wanted})


def add(data: bytes, pointer: Pointer, key: str, value: Any, *, after: str = "") -> bytes:
    """The YAML file `data` with `key: value` as a new key of the mapping at `pointer`.

    It goes behind the key `after`, or to the end. Raises as `append`; `CannotEdit` where the key is there already.
    """
    text = _Text(data)
    node, known = text.node(pointer), text.value(pointer)
    if node is None or not isinstance(known, dict) or (not known and not node.flow):
        raise CannotEdit(f"{_path(pointer)} is not a mapping with keys")
    if key in known:
        raise CannotEdit(f"{_path((*pointer, key))} is there already")
    names = [name for name, _ in node.keys]
    place = names.index(after) + 1 if after in names else len(names)
    if node.flow:
        name = json.dumps(key) if text.json else scalar(key)
        spliced = _into_flow(text, node, place, f"{name}: {text.flow(value)}")
    else:
        spliced = _into_lines(text, node, place, _lines({key: value}))
    return text.result(spliced, {pointer: {**known, key: value}})


def set_block(data: bytes, key: str, value: Any, source: str = "", *, after: str = "") -> bytes:
    """The YAML file `data` with the key `key` at its root saying `value`, whatever it said before.

    `source` is the text of the whole block, as `block` gives it, and must say `value`. A key that is not there is added
    behind `after`. Raises as `append`.
    """
    text = _Text(data)
    root = text.root
    node = root.item(key)
    wanted = {**text.value(()), key: value}
    if root.flow or (node is None and not source):
        if node is None:
            return add(data, (), key, value, after=after)
        return text.result(text.text[: node.start] + text.flow(value) + text.text[node.end :], {(): wanted})
    lines = _ended(source, text.eol) if source else "".join(f"{line}{text.eol}" for line in _lines({key: value}))
    if node is None:
        names = [name for name, _ in root.keys]
        place = names.index(after) + 1 if after in names else len(names)
        return text.result(_into_lines(text, root, place, _split(lines)), {(): wanted})
    start, end = text.block(key)
    return text.result(text.text[:start] + lines + text.text[end:], {(): wanted})


def block(data: bytes, key: str) -> str:
    """The lines of the key `key` at the root of a YAML file with the comments in them; empty without it."""
    text = _Text(data)
    if text.root.flow or text.root.item(key) is None:
        return ""
    start, end = text.block(key)
    return text.text[start:end]


def entry(data: bytes, pointer: Pointer) -> str:
    """The text of an entry of a list in lines as `append` takes it: without its dash, at the margin."""
    text = _Text(data)
    node, around = text.node(pointer), text.node(pointer[:-1])
    if node is None or around is None or around.flow or node.flow or node.kind == "scalar":
        return ""
    if text.text[node.start - node.column :][: node.column].strip(" -"):
        return ""
    first, *rest = _split(text.text[node.start : text.line_end(node.end)])
    if any(line[: node.column].strip() for line in rest):
        return ""  # something, a text in several lines perhaps, is not indented as far as the entry
    return "\n".join([first, *(line[node.column :] for line in rest)])


def head(data: bytes, lines: Sequence[str]) -> bytes:
    """The YAML file `data` with these lines, comments, instead of whatever stands before its first key."""
    text = _Text(data)
    start = text.line_start(text.root.start)
    return text.result("".join(f"{line}{text.eol}" for line in lines) + text.text[start:], {})


# --- Reading ------------------------------------------------------------------------------------------------------


class _Text:
    """A YAML file as text, with the nodes in it."""

    def __init__(self, data: bytes) -> None:
        self._value, self.text, self._mark = opened(data)
        self.eol = "\r\n" if "\r\n" in self.text else "\n"
        self.root = _nodes(self.text)
        self.json = self.root.flow

    def value(self, pointer: Pointer) -> Any:
        return lookup(self._value, pointer)

    def node(self, pointer: Pointer) -> Node | None:
        found: Node | None = self.root
        for step in pointer:
            found = found.item(step) if found else None
        return found

    def flow(self, value: Any) -> str:
        """`value` on one line; as JSON where the whole file is."""
        return json.dumps(value, ensure_ascii=False) if self.json else _flow(value)

    def line_start(self, place: int) -> int:
        return self.text.rfind("\n", 0, place) + 1

    def line_end(self, place: int) -> int:
        """Position of the line end, `\\n` or `\\r\\n`, at or behind `place`."""
        end = self.text.find("\n", place)
        if end < 0:
            return len(self.text)
        return end - 1 if end > place and self.text[end - 1] == "\r" else end

    def next_line(self, place: int) -> int:
        end = self.text.find("\n", place)
        return len(self.text) if end < 0 else end + 1

    def column(self, place: int) -> int:
        return place - self.line_start(place)

    def behind(self, node: Node, item: Node, own: int) -> int:
        """Start of the line behind `item` and the comments that belong to it: those further in than column `own`."""
        place = self.next_line(item.end)
        while place < len(self.text):
            line = self.text[place : self.line_end(place)]
            indent = len(line) - len(line.lstrip(" "))
            if not line.strip().startswith("#") or indent <= own:
                break
            place = self.next_line(place)
        return place

    def block(self, key: str) -> tuple[int, int]:
        names = [name for name, _ in self.root.keys]
        index = names.index(key)
        return self.root.keys[index][1], self.behind(self.root, self.root.items[index], self.root.column)

    def result(self, text: str, wanted: dict[Pointer, Any]) -> bytes:
        """`text` as bytes, once it has been read again and says what the file said, but for `wanted`."""
        expected = deepcopy(self._value)
        for pointer, value in wanted.items():
            if pointer:
                lookup(expected, pointer[:-1])[pointer[-1]] = value
            else:
                expected = value
        return closed(text, self._mark, expected)


def _nodes(text: str) -> Node:
    events = yaml.parse(text, Loader=_PARSER)
    for event in events:
        if isinstance(event, yaml.DocumentStartEvent):
            return _node(next(events), events, text)
    raise CannotEdit("the file is empty")


def _node(event: Any, events: Iterator[Any], text: str) -> Node:
    start, column = event.start_mark.index, event.start_mark.column
    if isinstance(event, yaml.ScalarEvent):
        return Node(start, _end(event, text), column, "scalar", flow=False)
    is_list = isinstance(event, yaml.SequenceStartEvent)
    keys: list[tuple[str, int]] = []
    items: list[Node] = []
    while not isinstance(inside := next(events), (yaml.SequenceEndEvent, yaml.MappingEndEvent)):
        if not is_list:
            keys.append((inside.value, inside.start_mark.index))
            inside = next(events)
        items.append(_node(inside, events, text))
    # libyaml ends a block where the next thing begins, comments and blank lines later.
    closing: Any = inside
    end = closing.end_mark.index if event.flow_style or not items else items[-1].end
    return Node(start, end, column, "list" if is_list else "mapping", bool(event.flow_style), tuple(keys), tuple(items))


def _end(event: yaml.ScalarEvent, text: str) -> int:
    start, end = (int(mark.index) if mark else 0 for mark in (event.start_mark, event.end_mark))
    if event.style not in ("|", ">"):
        return end
    if "+" in text[start : start + 3]:
        # Every blank line behind it is part of the value.
        return end - 1 if text[end - 1 : end] == "\n" else end
    return len(text[:end].rstrip())


# --- Splicing -----------------------------------------------------------------------------------------------------


def _begin(text: _Text, pointer: Pointer, node: Node | None, value: list[Any]) -> bytes:
    """Begin a list where there is none: no key, an empty value or empty brackets."""
    parent = text.node(pointer[:-1])
    key = pointer[-1] if pointer else None
    if parent is None or parent.kind != "mapping" or not isinstance(key, str):
        raise CannotEdit(f"{_path(pointer)} does not exist")
    if node is None:
        known = {**text.value(pointer[:-1]), key: value}
        if parent.flow:
            name = json.dumps(key) if text.json else scalar(key)
            spliced = _into_flow(text, parent, len(parent.items), f"{name}: {text.flow(value)}")
        else:
            spliced = _into_lines(text, parent, len(parent.items), _lines({key: value}))
        return text.result(spliced, {pointer[:-1]: known})
    before, behind = text.text[: node.start], text.text[node.end :]
    rest = text.text[node.end : text.line_end(node.end)].strip()
    if parent.flow or (rest and not rest.startswith("#")):
        gap = " " if before.endswith(":") else ""
        return text.result(f"{before}{gap}{text.flow(value)}{behind}", {pointer: value})
    emptied = before.rstrip(" ") + behind
    place = text.next_line(node.end) - (len(text.text) - len(emptied))
    indent = " " * (parent.column + 2)
    lines = [indent + line for line in _lines(value)]
    return text.result(_put(emptied, place, lines, text.eol), {pointer: value})


def _entry(text: _Text, node: Node, place: int, value: Any, source: str) -> list[str]:
    """The lines of a new entry of a list, its dash at the margin, formed as the entry before it."""
    before = node.items[place - 1] if place else node.items[0]
    dash = text.line_start(before.start) + node.column
    gap = before.column - node.column if text.text[dash : dash + 1] == "-" and before.start > dash + 1 else 2
    gap = gap if 2 <= gap <= 8 else 2
    if before.flow and not source:
        return [f"-{' ' * (gap - 1)}{_flow(value)}"]
    first, *rest = _split(source) if source else _lines(value)
    return [f"-{' ' * (gap - 1)}{first}", *(" " * gap + line if line.strip() else "" for line in rest)]


def _into_lines(text: _Text, node: Node, place: int, lines: Sequence[str]) -> str:
    if place:
        at = text.behind(node, node.items[place - 1], node.column)
    else:
        first = node.keys[0][1] if node.kind == "mapping" else node.start
        at = text.line_start(first)
    indent = " " * node.column
    return _put(text.text, at, [indent + line if line.strip() else "" for line in lines], text.eol)


def _put(text: str, at: int, lines: Sequence[str], eol: str) -> str:
    if at >= len(text) and text and not text.endswith("\n"):
        # The last line has no end; neither gets the new one.
        return text + "".join(f"{eol}{line}" for line in lines)
    return text[:at] + "".join(f"{line}{eol}" for line in lines) + text[at:]


def _into_flow(text: _Text, node: Node, place: int, written: str) -> str:
    if not node.items:
        return text.text[: node.start + 1] + written + text.text[node.start + 1 :]
    if not place:
        first = node.keys[0][1] if node.kind == "mapping" else node.items[0].start
        return f"{text.text[:first]}{written}, {text.text[first:]}"
    item = node.items[place - 1]
    start = node.keys[place - 1][1] if node.kind == "mapping" else item.start
    lead = text.text[text.line_start(start) : start]
    comma = _comma(text.text, item.end, node.end - 1)
    if lead.strip() or text.line_start(start) <= node.start:
        # In one line with others.
        at = item.end if comma is None or place < len(node.items) else comma + 1
        sign = "" if at != item.end else ","
        return f"{text.text[:at]}{sign} {written}{text.text[at:]}"
    tail = item.end if comma is None else comma + 1
    line = text.line_end(tail)
    rest = text.text[tail:line].strip()
    own_line = line < node.end and (not rest or rest.startswith("#"))
    if not own_line:
        return f"{text.text[: item.end]},{text.eol}{lead}{written}{text.text[item.end :]}"
    if comma is None:
        return f"{text.text[: item.end]},{text.text[item.end : line]}{text.eol}{lead}{written}{text.text[line:]}"
    return f"{text.text[:line]}{text.eol}{lead}{written},{text.text[line:]}"


def _comma(text: str, place: int, end: int) -> int | None:
    """Position of the comma between `place` and `end`, comments left aside; None without one before the next value."""
    while place < end:
        sign = text[place]
        if sign == ",":
            return place
        if sign == "#":
            place = text.find("\n", place)
            if place < 0:
                return None
        elif not sign.isspace():
            return None
        place += 1
    return None


# --- Writing ------------------------------------------------------------------------------------------------------


def _lines(value: Any) -> list[str]:
    """`value` in lines, at the margin; lists of words and what is empty stand in brackets."""
    if isinstance(value, dict) and value:
        found: list[str] = []
        for key, inside in value.items():
            if isinstance(inside, (dict, list)) and _tall(inside):
                found.append(f"{scalar(key)}:")
                found += [f"  {line}" for line in _lines(inside)]
            else:
                found.append(f"{scalar(key)}: {_flow(inside)}")
        return found
    if isinstance(value, list) and value:
        found = []
        for inside in value:
            first, *rest = _lines(inside) if isinstance(inside, dict) and inside else [_flow(inside)]
            found += [f"- {first}", *(f"  {line}" for line in rest)]
        return found
    return [_flow(value)]


def _tall(value: dict[str, Any] | list[Any]) -> bool:
    return bool(value) and (isinstance(value, dict) or any(isinstance(inside, (dict, list)) for inside in value))


def _flow(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{scalar(key)}: {_flow(inside)}" for key, inside in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(_flow(inside) for inside in value) + "]"
    return scalar(value)


def written(value: Any, indent: int = 0) -> str:
    """`value` as YAML in lines, each ended and `indent` columns in; for files that are written whole."""
    return "".join(f"{' ' * indent}{line}\n" for line in _lines(value))


def _split(text: str) -> list[str]:
    return [line.removesuffix("\r") for line in text.removesuffix("\n").split("\n")]


def _ended(text: str, eol: str) -> str:
    return "".join(f"{line}{eol}" for line in _split(text))


def _path(pointer: Pointer) -> str:
    return ".".join(map(str, pointer)) or "the file"
