"""`outer fleet catalog`: a static site over all products, read from a file system as well as from a server.

    index.html       search, domains, every product with its ports and how it stands
    lineage.html     who reads whom, drawn
    products/*.html  the page of each product, with what is around it
    catalog.json     the same for machines and agents; docs/reference/fleet.md says what it holds

No page asks a network for anything, and each says in its policy that it may not. What comes from a product is text.
"""

from __future__ import annotations

import json
import secrets
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any

from outer import __version__
from outer.errors import FINDINGS, PASS, UsageError
from outer.fleet.catalog import graph
from outer.fleet.catalog.graph import Node
from outer.fleet.lineage import Edge, edges
from outer.fleet.members import slug
from outer.fleet.pool import Job, work
from outer.fleet.status import Row, entry, row
from outer.fleet.survey import Looked
from outer.fleet.wish import Fleet, Wish, fleet
from outer.machine import foreseen
from outer.page import content_policy, json_for_html, style, templates
from outer.receipt import moment
from outer.report import count

FORMAT = 1
"""Version of catalog.json; new keys alone do not change it."""

INDEX = "catalog.json"
_HERE = Path(__file__).parent
_NEAR = 60
"""Products that are drawn around one; more would be a wall."""


@dataclass(frozen=True)
class Entry:
    """A product of the catalogue."""

    slug: str
    row: Row
    upstream: tuple[Edge, ...]
    downstream: tuple[Edge, ...]

    @property
    def title(self) -> str:
        return self.row.facts.title or self.row.facts.name or self.row.product

    @property
    def domain(self) -> str:
        return self.row.facts.domain or "no domain"


@dataclass(frozen=True)
class Written:
    """The site that was written."""

    folder: Path
    products: int
    red: int

    @property
    def exit_code(self) -> int:
        """Whether every product could be shown as it should be. The site is complete either way."""
        return FINDINGS if self.red else PASS

    def text(self) -> str:
        """For people: where to begin."""
        red = f", {self.red} of them not in order" if self.red else ""
        return f"{self.folder / 'index.html'}: {count(self.products, 'product')}{red}"

    def as_json(self) -> str:
        """For machines."""
        value = {
            "format": 1,
            "outer": __version__,
            "folder": str(self.folder),
            "products": self.products,
            "red": self.red,
        }
        return json.dumps(value, indent=2, ensure_ascii=False)


def catalog(wish: Wish, target: Path) -> Written:
    """Write the catalogue of all products of `wish` to the folder `target`, whole or not at all.

    Raises `UsageError` where `target` holds something else, `NothingChecked` where there is no product.
    """
    target = target.resolve()
    if target.exists() and not (target.is_dir() and ((target / INDEX).is_file() or not any(target.iterdir()))):
        raise UsageError(f"--to {target}: it is there already, and is no catalogue", "Name a folder that is not there.")
    if not target.parent.is_dir():
        raise UsageError(f"--to {target}: there is no folder for it", "Name a folder in one that exists.")
    with fleet(wish) as found:
        entries = _entries(list(found.survey("catalog")), found)
        part = target.with_name(f".{target.name}.{secrets.token_hex(4)}.part")
        with foreseen(target.parent):
            try:
                (part / "products").mkdir(parents=True)
                _write(entries, found, part)
                _switch(part, target)
            finally:
                shutil.rmtree(part, ignore_errors=True)
    return Written(target, len(entries), sum(one.row.state == "bad" for one in entries))


def _switch(part: Path, target: Path) -> None:
    old = target.with_name(f".{target.name}.{secrets.token_hex(4)}.old")
    if target.exists():
        target.rename(old)
    part.rename(target)
    shutil.rmtree(old, ignore_errors=True)


def _entries(looked: Sequence[Looked], found: Fleet) -> list[Entry]:
    known = list(edges(looked, looked))
    reads: dict[Path, list[Edge]] = {}
    read_by: dict[Path, list[Edge]] = {}
    for edge in known:
        reads.setdefault(edge.consumer.member.root, []).append(edge)
        if edge.producer is not None:
            read_by.setdefault(edge.producer.member.root, []).append(edge)
    slugs: set[str] = set()
    entries: list[Entry] = []
    for one in sorted(looked, key=lambda one: (one.facts.domain, one.facts.title.casefold(), one.member.name)):
        root = one.member.root
        name = slug(f"{one.facts.domain}-{one.facts.name}" if one.facts.name else one.member.name, slugs)
        entries.append(Entry(name, row(one, found.standard), tuple(reads.get(root, ())), tuple(read_by.get(root, ()))))
    return entries


# --- Writing ------------------------------------------------------------------------------------------------------


def _write(entries: Sequence[Entry], found: Fleet, part: Path) -> None:
    by_root = {one.row.root: one for one in entries}
    when = found.wish.as_of
    shown = [_machine(one, by_root) for one in entries]
    about = {"format": FORMAT, "outer": __version__, "as_of": moment(when), "environment": found.wish.environment}
    text = json.dumps({**about, "products": shown}, indent=1, ensure_ascii=False)
    (part / INDEX).write_text(text + "\n", encoding="utf-8", errors="replace")
    page = filled("index.html.jinja", "catalog.js", entries=entries, index=_index(entries), domains=_domains(entries),
                  as_of=when, environment=found.wish.environment, newest=found.standard.newest)  # fmt: skip
    (part / "index.html").write_text(page, encoding="utf-8", errors="replace")
    nodes, reads = _whole(entries, by_root)
    drawing = graph.draw(nodes, reads, id="mesh", title="Lineage of all products", words=_sum(nodes, reads))
    closed = [one for one in entries if _unreadable(one.row)]
    lone = [one for one in entries if not one.upstream and not one.downstream and one not in closed]
    page = filled("lineage.html.jinja", "lineage.js", entries=entries, drawing=drawing, lone=lone, closed=closed,
                  as_of=when, domains=_domains(entries), counted=_sum(nodes, reads))  # fmt: skip
    (part / "lineage.html").write_text(page, encoding="utf-8", errors="replace")
    jobs = [
        Job("outer.fleet.catalog.product:write", {
            "root": str(one.row.root), "environment": found.wish.environment, "as_of": when.isoformat(),
            "target": str(part / "products" / f"{one.slug}.html"), "title": one.title, "around": _around(one, by_root),
            "product": one.row.product, "reason": _unreadable(one.row),
        })
        for one in entries
    ]  # fmt: skip
    found.progress.begin("writing pages", len(jobs))
    for number, answer in work(jobs, found.processes):
        if answer.error:
            raise UsageError(
                f"the page of {entries[number].row.product} cannot be written: {answer.error}", answer.todo
            )
        found.progress.advance(entries[number].row.product)
    found.progress.end()


def filled(template: str, script: str, **values: Any) -> str:
    """The page that the template of this name makes of `values`; `script` is the name of its script, or nothing."""
    css, code = f"{style()}\n{own('catalog.css')}", own(script) if script else ""
    policy = content_policy(css, code)
    found = templates(_HERE).get_template(template)
    return found.render(css=css, script=code, policy=policy, tool=__version__, **values)


@cache
def own(name: str) -> str:
    """The style sheet or script of this name."""
    return (_HERE / name).read_text(encoding="utf-8").strip()


def _domains(entries: Iterable[Entry]) -> list[tuple[str, int]]:
    counts: dict[str, int] = {}
    for one in entries:
        counts[one.domain] = counts.get(one.domain, 0) + 1
    return sorted(counts.items())


def _index(entries: Sequence[Entry]) -> str:
    """What the search looks at: for each product its words, its ports and their columns."""
    value = [
        {
            "title": one.title,
            "words": " ".join(filter(None, (
                one.row.facts.name, one.row.facts.id, one.domain, one.row.facts.owner_team, one.row.facts.owner,
                one.row.facts.purpose, *one.row.facts.technologies,
            ))),
            "ports": [[port.name, [column.name for column in port.columns]] for port in one.row.facts.outputs],
        }
        for one in entries
    ]  # fmt: skip
    return json_for_html(value)


def _machine(one: Entry, by_root: Mapping[Path, Entry]) -> dict[str, Any]:
    """A product for machines. Says nothing of the machine that wrote it."""
    facts = one.row.facts
    told = entry(one.row)
    told.pop("root")
    return {
        **told,
        "page": f"products/{one.slug}.html",
        "name": facts.name,
        "type": facts.type,
        "status": facts.status,
        "version": facts.version,
        "purpose": facts.purpose,
        "classification": facts.classification,
        "personal_data": facts.personal_data,
        "visibility": facts.visibility,
        "licence": facts.licence,
        "technologies": list(facts.technologies),
        "outputs": [asdict(port) for port in facts.outputs],
        "inputs": [
            {
                **asdict(edge.port),
                "producer": by_root[edge.producer.member.root].row.facts.id if edge.producer else None,
            }
            for edge in one.upstream
        ],
        "read_by": sorted({edge.consumer.facts.id for edge in one.downstream}),
    }


def _unreadable(row: Row) -> str:
    """Why there is no page like that of other products; empty where there is one."""
    return row.facts.broken or (row.reason if row.gate == "unreadable" else "")


# --- Lineage ------------------------------------------------------------------------------------------------------


def _whole(entries: Sequence[Entry], by_root: Mapping[Path, Entry]) -> tuple[list[Node], dict[str, list[str]]]:
    """Every product that reads or is read, and what nobody in the catalogue offers."""
    nodes: dict[str, Node] = {}
    reads: dict[str, list[str]] = {}
    for one in entries:
        if one.upstream or one.downstream:
            href = f"products/{one.slug}.html"
            nodes[one.slug] = Node(one.slug, one.title, one.domain, href=href, group=one.domain)
        for edge in one.upstream:
            key = _key(edge, by_root)
            if edge.producer is None:
                key = f"{key} {one.domain}"  # once for each domain: an arrow across the whole drawing helps nobody
                nodes[key] = Node(key, edge.upstream, "not in this catalogue", "unknown", group=one.domain)
            reads.setdefault(one.slug, []).append(key)
    return list(nodes.values()), reads


def _key(edge: Edge, by_root: Mapping[Path, Entry]) -> str:
    return by_root[edge.producer.member.root].slug if edge.producer else f"?{edge.upstream}"


def _sum(nodes: Sequence[Node], reads: Mapping[str, Sequence[str]]) -> str:
    unknown = len({node.name for node in nodes if node.kind == "unknown"})
    products = sum(node.kind != "unknown" for node in nodes)
    arrows = sum(len(set(sources)) for sources in reads.values())
    outside = f"{count(unknown, 'source')} outside of this catalogue"
    return f"{count(products, 'product')}, {outside}, {count(arrows, 'arrow')}."


def _around(one: Entry, by_root: Mapping[Path, Entry]) -> dict[str, Any]:
    """What a page needs to draw what is around its product."""
    near = {_key(edge, by_root): edge for edge in one.upstream}
    after = {by_root[edge.consumer.member.root].slug: edge for edge in one.downstream}

    def node(key: str, edge: Edge, other: Looked | None, ports: str) -> dict[str, Any]:
        if other is None:
            return {"key": key, "name": edge.upstream, "note": ports, "kind": "unknown", "href": ""}
        there = by_root[other.member.root]
        return {"key": key, "name": there.title, "note": ports, "kind": "product", "href": f"{there.slug}.html"}

    upstream = [node(key, edge, edge.producer, _ports(one.upstream, edge.producer, edge)) for key, edge in near.items()]
    downstream = [node(key, edge, edge.consumer, edge.port.name) for key, edge in after.items()]
    return {
        "slug": one.slug,
        "upstream": upstream[:_NEAR],
        "downstream": downstream[:_NEAR],
        "more": max(len(upstream) - _NEAR, 0) + max(len(downstream) - _NEAR, 0),
    }


def _ports(all_edges: Iterable[Edge], producer: Looked | None, edge: Edge) -> str:
    """Names of all input ports that come from the same place as `edge`."""

    def same() -> Iterator[str]:
        for other in all_edges:
            if other.producer is producer and (producer is not None or other.upstream == edge.upstream):
                yield other.port.name

    return ", ".join(dict.fromkeys(same()))
