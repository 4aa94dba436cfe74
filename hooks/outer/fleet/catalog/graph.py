"""Draws which product reads which, as one inline SVG: sources on the left, who reads them to their right.

Layered as by Sugiyama, Tagawa and Toda (1981): layers by the longest way, neighbours near each other, and an arrow that
passes a layer gets a lane of its own there. Colours come from the style sheet by class.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Literal

from markupsafe import Markup

from outer.fleet.lineage import layers
from outer.page.lineage_svg import cells, cut

_CELL = 7.9  # width of one cell of the 13 px monospace face
_HEIGHT, _GAP, _LANE = 44, 12, 10
_BETWEEN, _MARGIN = 84, 16
_SWEEPS = 6


@dataclass(frozen=True)
class Node:
    """A product in the drawing."""

    key: str
    name: str
    note: str = ""
    kind: Literal["product", "here", "unknown"] = "product"
    """`here` is the one that the drawing is about; nobody in the catalogue answers for an unknown one."""
    href: str = ""
    group: str = ""
    """What it belongs to, such as its domain; for scripts."""


@dataclass
class _Place:
    """A node, or where an arrow passes a layer."""

    key: str
    layer: int
    height: float
    before: list[str] = field(default_factory=list)
    after: list[str] = field(default_factory=list)
    y: float = 0.0


def draw(nodes: Sequence[Node], reads: Mapping[str, Sequence[str]], *, id: str, title: str, words: str) -> Markup:  # noqa: A002
    """`nodes` as an `<svg>` element with the id `id`; `reads` leads from a node to those that it reads.

    Everything drawn is escaped. Arrows are `path` elements with data-from and data-to, for scripts.
    """
    by_key = {node.key: node for node in nodes}
    arrows = {key: [one for one in dict.fromkeys(reads.get(key, ())) if one in by_key and one != key] for key in by_key}
    depth = layers(list(by_key), arrows)
    places = {key: _Place(key, depth[key], _HEIGHT) for key in by_key}
    ways = _ways(arrows, places)
    order = _ordered(places, [node.key for node in sorted(nodes, key=lambda node: (node.group, node.name))])
    for column in order:
        _pack(column)
    for column in [*order[1:], *reversed(order[:-1]), *order[1:]]:
        _settle(column, places)
    top = min((place.y for place in places.values()), default=0.0)
    widths = [
        max([120.0, *(max(cells(cut(by_key[p.key].name)), cells(cut(by_key[p.key].note))) * _CELL + 30
                      for p in column if p.key in by_key)])
        for column in order
    ]  # fmt: skip
    lefts = [_MARGIN + sum(widths[:number]) + number * _BETWEEN for number in range(len(order))]
    for place in places.values():
        place.y += _MARGIN - top
    height = max((place.y + place.height for place in places.values()), default=0.0) + _MARGIN
    width = (lefts[-1] + widths[-1] if order else 0) + _MARGIN
    parts = [_arrow(way, places, lefts, widths, f"{id}-tip") for way in ways]
    parts += [_box(node, places[node.key], lefts, widths) for node in nodes]
    return Markup(
        '<svg class="lineage" id="{id}" xmlns="http://www.w3.org/2000/svg" role="group" '
        'width="{w:.0f}" height="{h:.0f}" viewBox="0 0 {w:.0f} {h:.0f}" aria-labelledby="{id}-title {id}-desc">'
        '<title id="{id}-title">{title}</title><desc id="{id}-desc">{words}</desc>'
        '<defs><marker id="{id}-tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="10" markerHeight="10" '
        'markerUnits="userSpaceOnUse" orient="auto"><path class="tip" d="M0 .5 7.5 4 0 7.5z"/></marker></defs>'
        "{parts}</svg>"
    ).format(id=id, w=width, h=height, title=title[:200], words=words, parts=Markup("").join(parts))


def _ways(arrows: Mapping[str, Sequence[str]], places: dict[str, _Place]) -> list[list[str]]:
    """Every arrow as the places that it passes, its source first; lanes in layers between are added to `places`."""
    found: list[list[str]] = []
    for reader, sources in arrows.items():
        for source in sources:
            way = [source]
            for layer in range(places[source].layer + 1, places[reader].layer):
                lane = f"{source}\0{reader}\0{layer}"
                places[lane] = _Place(lane, layer, _LANE)
                way.append(lane)
            way.append(reader)
            found.append(way)
            for left, right in pairwise(way):
                places[left].after.append(right)
                places[right].before.append(left)
    return found


def _ordered(places: Mapping[str, _Place], first: Sequence[str]) -> list[list[_Place]]:
    """The places of each layer, so that arrows cross little: each near the middle of its neighbours."""
    count = max((place.layer for place in places.values()), default=-1) + 1
    order: list[list[_Place]] = [[] for _ in range(count)]
    rank = {key: number for number, key in enumerate(first)}
    for place in sorted(places.values(), key=lambda place: rank.get(place.key.split("\0")[0], 0)):
        order[place.layer].append(place)
    for sweep in range(_SWEEPS):
        forward = sweep % 2 == 0
        for layer in range(1, count) if forward else range(count - 2, -1, -1):
            beside = order[layer - 1 if forward else layer + 1]
            at = {place.key: number for number, place in enumerate(beside)}
            middle: dict[str, float] = {}
            for number, place in enumerate(order[layer]):
                near = [at[key] for key in (place.before if forward else place.after) if key in at]
                middle[place.key] = sum(near) / len(near) if near else number * len(beside) / max(len(order[layer]), 1)
            order[layer].sort(key=lambda place: middle[place.key])
    return order


def _pack(column: Sequence[_Place]) -> None:
    y = 0.0
    for place in column:
        place.y = y
        y += place.height + _GAP


def _settle(column: Sequence[_Place], places: Mapping[str, _Place]) -> None:
    """Move each place towards the middle of its neighbours, in its order and without touching the next.

    Least squares by pooling adjacent violators (Ayer and others, 1955).
    """
    blocks: list[list[float]] = []  # sum of wishes, how many
    offset = 0.0
    offsets: list[float] = []
    for place in column:
        near = [places[key].y + places[key].height / 2 for key in (*place.before, *place.after)]
        wish = (sum(near) / len(near) - place.height / 2 if near else place.y) - offset
        offsets.append(offset)
        offset += place.height + _GAP
        blocks.append([wish, 1.0])
        while len(blocks) > 1 and blocks[-2][0] / blocks[-2][1] > blocks[-1][0] / blocks[-1][1]:
            total, number = blocks.pop()
            blocks[-1][0] += total
            blocks[-1][1] += number
    position = 0
    for total, number in blocks:
        for _ in range(int(number)):
            column[position].y = total / number + offsets[position]
            position += 1


def _arrow(
    way: Sequence[str], places: Mapping[str, _Place], lefts: Sequence[float], widths: Sequence[float], tip: str
) -> Markup:
    start = places[way[0]]
    x, y = lefts[start.layer] + widths[start.layer], start.y + start.height / 2
    path = f"M{x:.1f} {y:.1f}"
    for number, key in enumerate(way[1:], start=1):
        place = places[key]
        left, middle = lefts[place.layer] - (1 if number == len(way) - 1 else 0), place.y + place.height / 2
        bend = (left - x) / 2
        path += f"C{x + bend:.1f} {y:.1f} {left - bend:.1f} {middle:.1f} {left:.1f} {middle:.1f}"
        x, y = left, middle
        if number < len(way) - 1:
            x = lefts[place.layer] + widths[place.layer]
            path += f"H{x:.1f}"
    return Markup('<path class="edge" marker-end="url(#{})" data-from="{}" data-to="{}" d="{}"/>').format(
        tip, way[0], way[-1], path
    )


def _box(node: Node, place: _Place, lefts: Sequence[float], widths: Sequence[float]) -> Markup:
    x, y = lefts[place.layer], place.y
    drawn = Markup(
        '<g class="box {kind}" data-key="{key}" data-group="{group}"><title>{name}{dot}{note}</title>'
        '<rect x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height}" rx="6"/>'
        '<text class="name" x="{tx:.1f}" y="{y1:.1f}">{label}</text>'
        '<text class="note" x="{tx:.1f}" y="{y2:.1f}">{small}</text></g>'
    ).format(
        kind=node.kind, key=node.key, group=node.group, name=node.name, dot=" · " if node.note else "", note=node.note,
        x=x, y=y, width=widths[place.layer], height=_HEIGHT, tx=x + 15, y1=y + 19, y2=y + 35, label=cut(node.name),
        small=cut(node.note),
    )  # fmt: skip
    return Markup('<a href="{}">{}</a>').format(node.href, drawn) if node.href else drawn
