"""Tables for people on a terminal: columns as wide as what they hold, the last ones cut where there is no room."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from outer.page.evidence import State

MARKS: Mapping[State, str] = {"good": "ok", "warn": "~", "bad": "!!", "none": "-"}
_COLOURS: Mapping[State, str] = {"good": "32", "warn": "33", "bad": "31", "none": "2"}
_MOST = 44


def lines(
    heads: Sequence[str],
    rows: Sequence[Sequence[str]],
    *,
    width: int | None = None,
    colours: Sequence[State] | None = None,
) -> list[str]:
    """The table, one text to a line; `colours` paints the first cell of each row, `width` is that of the terminal."""
    sizes = [
        min(max(len(row[column]) for row in (heads, *rows)), _MOST if width is not None else 400)
        for column in range(len(heads))
    ]
    spare = 0 if width is None else sum(sizes) + 2 * (len(sizes) - 1) - width
    for column in (len(sizes) - 2, 1, len(sizes) - 3, len(sizes) - 1):  # what gives way first
        taken = max(0, min(spare, sizes[column] - 12))
        sizes[column] -= taken
        spare -= taken

    def line(cells: Sequence[str]) -> str:
        return "  ".join(_cut(cell, size).ljust(size) for cell, size in zip(cells, sizes, strict=True)).rstrip()

    found = [line(heads)]
    for number, row in enumerate(rows):
        text = line(row)
        if colours is not None:
            mark = row[0].ljust(sizes[0])
            text = f"\x1b[{_COLOURS[colours[number]]}m{mark}\x1b[0m{text[len(mark) :]}"
        found.append(text)
    return found


def _cut(text: str, size: int) -> str:
    return text if len(text) <= size else f"{text[: max(size - 1, 0)]}…"
