"""Writes the page of one product of the catalogue. Done in a worker process."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from outer.errors import OuterError
from outer.fleet.catalog import filled, graph, own
from outer.fleet.catalog.graph import Node
from outer.fleet.worker import nameless
from outer.model import model
from outer.page import Frame, render
from outer.page.evidence import Evidence, gather
from outer.ports import resolve_outputs
from outer.product import load


def write(
    root: str,
    environment: str,
    as_of: str,
    target: str,
    title: str,
    around: Mapping[str, Any],
    product: str,
    reason: str,
) -> bool:
    """Write the page of the product in `root` to the file `target`: that of `outer page`, with what is around it.

    A product that cannot be understood gets a page that says why. Returns whether it could be understood.
    """
    frame = _frame(title, around)
    now = datetime.fromisoformat(as_of).astimezone(UTC)
    try:
        if reason:
            raise OuterError(reason)
        understood = model(load(Path(root)))
        try:
            evidence = gather(*resolve_outputs(understood, environment))
        except OuterError as error:  # no such environment, or a receipt that nobody can read
            evidence = Evidence({}, None, None, unknown=nameless(error.what, str(understood.source.root)))
        html, fine = render(understood, environment, evidence, now, frame), True
    except OuterError as error:
        html = filled(
            "broken.html.jinja", "", product=product, title=title, frame=frame, as_of=now,
            reason=nameless(error.what, root), todo=error.todo,
        )  # fmt: skip
        fine = False
    Path(target).write_text(html, encoding="utf-8", errors="replace")
    return fine


def _frame(title: str, around: Mapping[str, Any]) -> Frame:
    here = str(around["slug"])
    upstream, downstream = around["upstream"], around["downstream"]
    nodes = {here: Node(here, title, "this product", "here")}
    nodes |= {node["key"]: Node(**node) for node in (*upstream, *downstream)}
    reads = {here: [node["key"] for node in upstream], **{node["key"]: [here] for node in downstream}}
    sentences = tuple(_words(around))
    drawing = graph.draw(
        list(nodes.values()), reads, id="near", title=f"What is around {title}",
        words=" ".join(f"{relation} {name}." for relation, name, _ in sentences[:20]),
    )  # fmt: skip
    return Frame("../index.html", drawing, sentences, own("catalog.css"))


def _words(around: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    for node in around["upstream"]:
        yield f"reads {node['note']} of", node["name"], node["href"]
    for node in around["downstream"]:
        yield f"is read, as {node['note']}, by", node["name"], node["href"]
    if around["more"]:
        yield "and", f"{around['more']} more, see the lineage of all products", "../lineage.html"
