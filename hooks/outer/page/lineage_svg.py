"""Draws a product's lineage as one inline SVG: input ports, the workloads inside, output ports.

Colours come from the page's style sheet by class, so one drawing serves light, dark and paper.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from outer.model import DataProduct, Workload

LABEL = 28
"""Cells of a label that are drawn; the whole label is in the tooltip."""
_CELL = 7.9  # width of one cell of the 13 px monospace face; the widest in use is 0.605 em
_HEIGHT, _GAP = 46, 14
_BETWEEN = 64  # room between two columns, enough for a curve that can be followed
_MARGIN, _HEAD, _PAD = 20, 34, 24
_LINE = 20  # one storage area
_SCREEN = 520  # height that is seen at once


_Join = Callable[[float, float, float, float, int], str]
"""Draws the way from one place to another; the number is a lane to keep to."""


@dataclass(frozen=True)
class Box:
    """One node of the drawing: where it stands, in pixels, and what it says."""

    kind: str
    name: str
    note: str
    column: int
    x: float
    y: float
    width: float

    @property
    def left(self) -> tuple[float, float]:
        return self.x, self.y + _HEIGHT / 2

    @property
    def right(self) -> tuple[float, float]:
        return self.x + self.width, self.y + _HEIGHT / 2


def draw(product: DataProduct, anchors: Mapping[str, str] | None = None) -> Markup:
    """The lineage of `product` as an `<svg>` element.

    `anchors` gives ids on the page for boxes, by `input:NAME` and `output:NAME`. Everything drawn is escaped.
    """
    inner = product.inner
    layers = _layers(inner.workloads)
    inputs = [(p.name, f"v{p.contract.version}") for p in product.inputs]
    outputs = [(p.name, f"v{p.contract.version}") for p in product.outputs]
    columns: list[tuple[str, list[tuple[str, str]]]] = [
        ("input", inputs),
        *(("workload", [(w.name, w.technology) for w in layer]) for layer in layers),
        ("output", outputs),
    ]
    body = max(_tall(items) for _, items in columns)
    # Short columns stand in the middle, but where the drawing is taller than a screen, at its top.
    centred = body <= _SCREEN
    inside = body if centred else max(_tall(items) for kind, items in columns if kind == "workload")
    storage = [cut(f"{area.get('name')} · {area.get('technology')}") for area in inner.storage]
    below = 30 + len(storage) * _LINE if storage else 0
    top = _MARGIN + _HEAD * 2
    boxes: dict[str, Box] = {}
    stacks: list[list[Box]] = []
    x: float = _MARGIN + _PAD
    inside_left = inside_right = 0.0
    for index, (kind, items) in enumerate(columns):
        width = _width(items)
        if kind == "workload":
            width = max(width, 124.0, *(cells(text) * _CELL + 20 for text in storage))
            inside_left = inside_left or x - _PAD
            inside_right = x + width + _PAD
        y = top + ((body - _tall(items)) / 2 if centred else 0)
        stacks.append([])
        for name, note in items:
            box = boxes[f"{kind}:{name}"] = Box(kind, name, note, len(stacks) - 1, x, y, width)
            stacks[-1].append(box)
            y += _HEIGHT + _GAP
        # The boundary takes room of its own on both of its sides.
        following = columns[index + 1][0] if index + 1 < len(columns) else kind
        x += width + (_BETWEEN if items else 0) + (_PAD if following != kind else 0)
    right = max((b.x + b.width for b in boxes.values()), default=x)
    total_width, total_height = right + _PAD + _MARGIN, top + max(body, inside + below) + _PAD * 2 + _MARGIN / 2

    parts = [
        _frame("outer", _MARGIN / 2, _MARGIN / 2, total_width - _MARGIN, total_height - _MARGIN),
        _words("boundary", _MARGIN + 4, _MARGIN + 18, "Outer: ports and contracts, what others rely on"),
    ]
    inner_top = top - _PAD - 14
    parts += [
        _frame("inner", inside_left, inner_top, inside_right - inside_left, inside + below + _PAD * 2 + 14),
        _words("boundary", inside_left + 14, inner_top + 20, "Inner: how it is made"),
    ]
    if storage:
        # What workloads keep between runs, below them and inside the same boundary.
        x, y = inside_left + _PAD, top + inside + 34
        parts.append(_words("boundary", x, y, "Storage"))
        for text in storage:
            y += _LINE
            parts += [_drum(x, y - 10), _words("note", x + 18, y, text)]
    join = _curve if centred else _elbow
    parts += [_edge(boxes[a], boxes[b], stacks, join) for a, b in _edges(product)]
    parts += [_box(box, (anchors or {}).get(key)) for key, box in boxes.items()]
    return Markup(
        '<svg class="lineage" xmlns="http://www.w3.org/2000/svg" role="group" width="{w:.0f}" height="{h:.0f}" '
        'viewBox="0 0 {w:.0f} {h:.0f}" aria-labelledby="lineage-title lineage-desc">'
        '<title id="lineage-title">Lineage of {title}</title><desc id="lineage-desc">{desc}</desc>'
        '<defs><marker id="lineage-tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" '
        'orient="auto"><path class="tip" d="M0 .5 7.5 4 0 7.5z"/></marker></defs>{parts}</svg>'
    ).format(
        w=total_width,
        h=total_height,
        title=product.title[:200],
        desc=" ".join(sentences(product)),
        parts=Markup("").join(parts),
    )


def sentences(product: DataProduct) -> tuple[str, ...]:
    """The same lineage in words, one sentence to a workload, for readers who do not see the drawing."""
    return tuple(
        f"{w.name} ({w.technology}) reads {_list(w.reads)} and writes {_list(w.writes)}"
        + (f", after {_list(w.depends_on)}." if w.depends_on else ".")
        for w in product.inner.workloads
    )


def _list(names: Sequence[str]) -> str:
    return ", ".join(names) or "no port"


def _layers(workloads: Sequence[Workload]) -> list[list[Workload]]:
    """Workloads by the longest chain that they wait for; `workloads` are in an order that keeps `depends_on`."""
    depth: dict[str, int] = {}
    for workload in workloads:
        depth[workload.name] = 1 + max((depth[d] for d in workload.depends_on), default=-1)
    found: list[list[Workload]] = [[] for _ in range(max(depth.values()) + 1)]
    for workload in workloads:
        found[depth[workload.name]].append(workload)
    return found


def _edges(product: DataProduct) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    for w in product.inner.workloads:
        found += [(f"input:{port}", f"workload:{w.name}") for port in w.reads]
        found += [(f"workload:{before}", f"workload:{w.name}") for before in w.depends_on]
        found += [(f"workload:{w.name}", f"output:{port}") for port in w.writes]
    return found


def _tall(items: Sequence[tuple[str, str]]) -> float:
    return max(len(items) * (_HEIGHT + _GAP) - _GAP, 0)


def _width(items: Sequence[tuple[str, str]]) -> float:
    widest = max((cells(cut(text)) for item in items for text in item), default=0)
    return max(widest * _CELL + 30, 110) if items else 0


def cells(text: str) -> int:
    """Width of `text` in cells of a monospace face; East Asian wide characters and emoji take two."""
    return sum(0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text)


def cut(text: str) -> str:
    """`text` on one line, with its middle left out where it is too long: names differ at both ends."""
    text = " ".join(text.split())
    if cells(text) <= LABEL:
        return text
    head, tail = "", ""
    while cells(head) < LABEL * 2 // 3 and len(head) < len(text):
        head = text[: len(head) + 1]
    while cells(tail) < LABEL - 1 - LABEL * 2 // 3 and len(tail) < len(text):
        tail = text[-(len(tail) + 1) :]
    return f"{head}…{tail}"


def _frame(kind: str, x: float, y: float, width: float, height: float) -> Markup:
    return Markup('<rect class="frame {}" x="{:.1f}" y="{:.1f}" width="{:.1f}" height="{:.1f}" rx="{}"/>').format(
        kind, x, y, width, height, 14 if kind == "outer" else 10
    )


def _words(kind: str, x: float, y: float, text: str) -> Markup:
    return Markup('<text class="{}" x="{:.1f}" y="{:.1f}">{}</text>').format(kind, x, y, text)


def _drum(x: float, y: float) -> Markup:
    return Markup('<path class="drum" d="M{0:.1f} {1:.1f}v7c0 3 11 3 11 0v-7c0-3-11-3-11 0c0 3 11 3 11 0"/>').format(
        x, y + 2
    )


def _edge(start: Box, end: Box, stacks: Sequence[Sequence[Box]], join: _Join) -> Markup:
    """An arrow that keeps clear of the boxes on its way: one that went behind a box would seem to lead into it."""
    (x, y), (last_x, last_y) = start.right, end.left
    workload = start if start.kind == "workload" else end
    lane = stacks[workload.column].index(workload) % 5
    path = f"M{x:.1f} {y:.1f}"
    for stack in stacks[start.column + 1 : end.column]:
        left, right = stack[0].x, stack[0].x + stack[0].width
        straight = y + (last_y - y) * (left - x) / (last_x - x)
        free = [stack[0].y - _GAP, *(box.y + _HEIGHT + _GAP / 2 for box in stack)]
        inside = any(box.y - _GAP / 2 < straight < box.y + _HEIGHT + _GAP / 2 for box in stack)
        through = min(free, key=lambda place: abs(place - straight)) if inside else straight
        path += join(x, y, left, through, lane) + f"H{right:.1f}"
        x, y = right, through
    path += join(x, y, last_x - 1, last_y, lane)
    return Markup('<path class="edge" marker-end="url(#lineage-tip)" d="{}"/>').format(path)


def _curve(x1: float, y1: float, x2: float, y2: float, lane: int) -> str:
    bend = (x2 - x1) / 2
    return f"C{x1 + bend:.1f} {y1:.1f} {x2 - bend:.1f} {y2:.1f} {x2:.1f} {y2:.1f}"


def _elbow(x1: float, y1: float, x2: float, y2: float, lane: int) -> str:
    """Across, down, across: many of them share a trunk, where curves would melt into a blot. Each lane has its own."""
    middle, radius = (x1 + x2) / 2 + lane * 4, min(8.0, abs(y2 - y1) / 2)
    down = radius if y2 > y1 else -radius
    return (
        f"H{middle - radius:.1f}Q{middle:.1f} {y1:.1f} {middle:.1f} {y1 + down:.1f}"
        f"V{y2 - down:.1f}Q{middle:.1f} {y2:.1f} {middle + radius:.1f} {y2:.1f}H{x2:.1f}"
    )


def _box(box: Box, anchor: str | None) -> Markup:
    drawn = Markup(
        '<g class="box {kind}"><title>{name} · {note}</title>'
        '<rect x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height}" rx="6"/>'
        '<text class="name" x="{tx:.1f}" y="{y1:.1f}">{label}</text>'
        '<text class="note" x="{tx:.1f}" y="{y2:.1f}">{small}</text></g>'
    ).format(
        kind=box.kind, name=box.name, note=box.note, x=box.x, y=box.y, width=box.width, height=_HEIGHT,
        tx=box.x + 15, y1=box.y + 20, y2=box.y + 36, label=cut(box.name), small=cut(box.note),
    )  # fmt: skip
    return Markup('<a href="#{}">{}</a>').format(anchor, drawn) if anchor else drawn
