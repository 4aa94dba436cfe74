"""Renames a key and removes an entry of a YAML file, and changes nothing else in it.

The counterpart of `outer.yamledit` (replaces values) and `outer.daytwo.edit` (adds them): text is cut at libyaml's
marks, and what comes out is read again and must say exactly what was meant.
"""

from __future__ import annotations

import json
import re
from copy import deepcopy
from typing import Any

import yaml

from outer.product import lookup
from outer.yamledit import CannotEdit, closed, opened
from outer.yamlfile import Pointer

_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_PLAIN = re.compile(r"[A-Za-z][A-Za-z0-9_-]*\Z")


def rename(data: bytes, pointer: Pointer, name: str) -> bytes:
    """The YAML file `data` with the key at `pointer` called `name`; its value, place and comments stay.

    Raises `Unreadable` when `data` is no strict YAML, `CannotEdit` where there is no such key, or one of that name.
    """
    before, text, mark = opened(data)
    around = lookup(before, pointer[:-1])
    if not pointer or not isinstance(around, dict) or pointer[-1] not in around or name in around:
        raise CannotEdit(f"there is no key {_way(pointer)}, or one called {name}")
    key, _ = _entry(_root(text), pointer)
    quote = text[key.start_mark.index]
    word = name if quote not in "\"'" and _PLAIN.match(name) else json.dumps(name, ensure_ascii=False)
    if quote == "'" and "'" not in name:
        word = f"'{name}'"
    wanted = deepcopy(before)
    target = lookup(wanted, pointer[:-1])
    target[name] = target.pop(pointer[-1])
    return closed(text[: key.start_mark.index] + word + text[key.end_mark.index :], mark, wanted)


def remove(data: bytes, pointer: Pointer) -> bytes:
    """The YAML file `data` without the key or list entry at `pointer`; a comment on lines of its own stays.

    Raises `Unreadable` when `data` is no strict YAML, `CannotEdit` where there is none, or it is the only one left.
    """
    before, text, mark = opened(data)
    around = lookup(before, pointer[:-1]) if pointer else None
    there = pointer[-1] in around if isinstance(around, dict) else lookup(before, pointer) is not None
    if around is None or not there or len(around) < 2:
        raise CannotEdit(f"{_way(pointer)} is not there, or nothing would be left around it")
    node = _root(text)
    for step in pointer[:-1]:
        node = _value(node, step)
    key, value = _entry(_root(text), pointer)
    if node.flow_style:
        start, end = _in_brackets(node, key, value)
    else:
        start = text.rfind("\n", 0, key.start_mark.index) + 1
        if text[start : key.start_mark.index].strip(" -" if isinstance(node, yaml.SequenceNode) else " "):
            raise CannotEdit(f"{_way(pointer)} shares its line with something else")
        end = text.find("\n", _end(value, text)) + 1 or len(text)
    wanted = deepcopy(before)
    del lookup(wanted, pointer[:-1])[pointer[-1]]
    return closed(text[:start] + text[end:], mark, wanted)


def _root(text: str) -> Any:
    return yaml.compose(text, Loader=_LOADER)


def _value(node: Any, step: str | int) -> Any:
    return node.value[step] if isinstance(step, int) else next(v for k, v in node.value if k.value == step)


def _entry(node: Any, pointer: Pointer) -> tuple[Any, Any]:
    """Node of the key (of a list: of the entry) at `pointer`, and of its value."""
    for step in pointer[:-1]:
        node = _value(node, step)
    last = pointer[-1]
    if isinstance(last, int):
        return node.value[last], node.value[last]
    return next((k, v) for k, v in node.value if k.value == last)


def _in_brackets(node: Any, key: Any, value: Any) -> tuple[int, int]:
    """What goes with an entry in brackets: the comma before it, or behind it where it is the first."""
    pairs = [one if isinstance(one, tuple) else (one, one) for one in node.value]
    index = [pair[0] is key or pair[0].start_mark.index == key.start_mark.index for pair in pairs].index(True)
    if index:
        return pairs[index - 1][1].end_mark.index, value.end_mark.index
    return key.start_mark.index, pairs[1][0].start_mark.index


def _end(node: Any, text: str) -> int:
    """Behind the last character of a value; libyaml ends a block where the next thing begins."""
    if isinstance(node, yaml.ScalarNode) or node.flow_style or not node.value:
        start, end = int(node.start_mark.index), int(node.end_mark.index)
        return start + len(text[start:end].rstrip())
    last = node.value[-1]
    return _end(last[1] if isinstance(last, tuple) else last, text)


def _way(pointer: Pointer) -> str:
    return ".".join(map(str, pointer)) or "the whole file"
