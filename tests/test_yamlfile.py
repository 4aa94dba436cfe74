"""The loader of the gate: strict, bounded, exact about places, and never a traceback."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from outer.yamlfile import MAX_BYTES, Place, Unreadable, parse, read, show

HOSTILE = {
    "not YAML": (b"a: [1\nb: 2", 2),
    "a tab as indentation": (b"a:\n\tb: 1", 2),
    "a key twice": (b"a: 1\nb: 2\na: 3", 3),
    "a nested key twice": (b"a:\n  b: 1\n  b: 2", 3),
    "another encoding": ("a: \xe4".encode("latin-1"), 1),
    "UTF-16": ("a: b".encode("utf-16"), 1),
    "a NUL byte": (b"a: \x00", 1),
    "a control character": (b"a: 1\nb: \x07", 2),
    "an alias bomb": (b"a: &a [x]\nb: &b [*a, *a]\nc: [*b, *b]", 1),
    "an alias to itself": (b"a: &a [*a]", 1),
    "a merge key": (b"a: {b: 1}\nc:\n  <<: {d: 1}", 3),
    "a tag that makes objects": (b'a: !!python/object/apply:os.system ["true"]', 1),
    "a harmless tag": (b"a: !!str 1", 1),
    "100,000 nested lists": (b"a: " + b"[" * 100_000, 1),
    "two documents": (b"a: 1\n---\nb: 2", 2),
    "a list as its root": (b"- a", 1),
    "a word as its root": (b"hello", 1),
    "nothing": (b"", 1),
    "a list as a key": (b"a: 1\n? [x]\n: 1", 2),
    "more values than a contract has": (b"a: [" + b"1," * 300_000 + b"]", 1),
}


@pytest.mark.parametrize(("data", "line"), HOSTILE.values(), ids=HOSTILE.keys())
def test_hostile_text_is_refused_with_its_line(data: bytes, line: int) -> None:
    with pytest.raises(Unreadable) as caught:
        parse(data)
    assert caught.value.why
    assert caught.value.todo
    assert caught.value.place.line == line


def test_a_large_file_is_refused_before_it_is_parsed(tmp_path: Path) -> None:
    path = tmp_path / "large.yaml"
    with path.open("wb") as file:
        file.truncate(50 * MAX_BYTES)
    with pytest.raises(Unreadable, match="larger than"):
        read(path, tmp_path)


@pytest.mark.parametrize("target", ["/etc/hostname", "/dev/zero", "missing.yaml"])
def test_a_link_out_of_the_product_is_refused(target: str, tmp_path: Path) -> None:
    (tmp_path / "link.yaml").symlink_to(target)
    with pytest.raises(Unreadable):
        read(tmp_path / "link.yaml", tmp_path)


def test_a_folder_or_a_pipe_is_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path, tmp_path / "pipe"):
        with pytest.raises(Unreadable):
            read(path, tmp_path)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("2026-01-01", "2026-01-01"),
        ("NO", "NO"),
        ("on", "on"),
        ("1.10", 1.1),
        ('"1.10"', "1.10"),
        ("1_000", "1_000"),
        ("12:30", "12:30"),
        ("0x1F", 31),
        ("010", 10),
        ("~", None),
        ("", None),
        ("True", True),
        ("1e3", 1000.0),
        ("'true'", "true"),
        ("1" * 400, "1" * 400),
    ],
)
def test_scalars_follow_the_core_schema_of_yaml_1_2(text: str, value: object) -> None:
    assert parse(f"a: {text}".encode()).value == {"a": value}


def test_places_count_from_one_and_point_at_the_key() -> None:
    document = parse(b"a:\n  - b: 1\n    c: 2\n")
    assert document.place(("a", 0, "c")) == Place(3, 5)
    assert document.place(("a", 0, "missing", "deeper")) == Place(2, 5)


def test_a_byte_order_mark_and_windows_line_ends_are_read() -> None:
    assert parse("\ufeffa: 1\r\nb: 2\r\n".encode()).value == {"a": 1, "b": 2}


# PyYAML writes for YAML 1.1, where `0E0` and `0o7` are words; ours is 1.2, where they are numbers.
words = st.text(st.characters(codec="utf-8"), max_size=20).filter(
    lambda word: word[:1] not in "-+.0123456789" or not word
)
plain = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**60), 2**60) | words,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text("abc-_ 1", max_size=6), inner, max_size=4),
    max_leaves=20,
)


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(st.dictionaries(st.text("abcxyz", min_size=1, max_size=5), plain, max_size=5))
def test_what_a_yaml_writer_writes_is_read_back(value: dict[str, object]) -> None:
    text = yaml.safe_dump(value, allow_unicode=False, default_flow_style=None)
    if "&id" not in text:
        assert parse(text.encode()).value == value


@given(st.binary(max_size=200) | st.text(max_size=200).map(str.encode))
def test_any_bytes_are_read_or_refused_but_never_crash(data: bytes) -> None:
    try:
        document = parse(data)
    except Unreadable as error:
        line = error.place.line
    else:
        assert isinstance(document.value, dict)
        line = 1
    assert 1 <= line <= data.count(b"\n") + data.count(b"\r") + 3


def test_hostile_text_in_a_message_is_made_harmless() -> None:
    shown = show("a\n::error::\x1b[31m" + "x" * 500)
    assert "\n" not in shown
    assert "\x1b" not in shown
    assert len(shown) < 100
