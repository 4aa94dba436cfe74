"""Who reads whom: the input ports of every product, led back to the products whose output ports they pin."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from outer.fleet.facts import Facts, Input
from outer.fleet.survey import Looked


@dataclass(frozen=True)
class Edge:
    """An input port of a product, and the product that offers it, where the fleet knows one."""

    consumer: Looked
    port: Input
    producer: Looked | None

    @property
    def upstream(self) -> str:
        """A name for what is read, also where nobody in the fleet offers it."""
        return _product(self.port.contract) or self.port.contract or self.port.name


def edges(consumers: Iterable[Looked], producers: Iterable[Looked]) -> Iterator[Edge]:
    """Every input port of `consumers`, with its producer among `producers`.

    The producer is who offers the contract of this id; else who has the name that the id speaks of, for a producer that
    has given the port up is still the one to ask. Where several offer it, as copies of one product do, there is an edge
    to each of them: nobody here can say which one is meant.
    """
    by_contract: dict[str, list[Looked]] = {}
    by_product: dict[str, Looked] = {}
    for producer in producers:
        for port in producer.facts.outputs:
            by_contract.setdefault(port.contract, []).append(producer)
        if name := _own(producer.facts):
            by_product.setdefault(name, producer)
    for consumer in consumers:
        for pinned in consumer.facts.inputs:
            named = by_product.get(_product(pinned.contract))
            found = by_contract.get(pinned.contract) or ([named] if named else [])
            others = [one for one in found if one.member.root != consumer.member.root]
            yield from (Edge(consumer, pinned, other) for other in others or (None,))


def _product(contract: str) -> str:
    """Domain and name of the product in the id of a contract: urn:dmb:cmp:<domain>:<name>:<major>:<port>."""
    parts = contract.split(":")
    return f"{parts[3]}:{parts[4]}" if len(parts) == 7 and parts[:3] == ["urn", "dmb", "cmp"] else ""


def _own(facts: Facts) -> str:
    """The same, from the id of a product: urn:dmb:dp:<domain>:<name>:<major>."""
    parts = facts.id.split(":")
    return f"{parts[3]}:{parts[4]}" if len(parts) == 6 and parts[:3] == ["urn", "dmb", "dp"] else ""


def layers(nodes: Sequence[str], arrows: Mapping[str, Sequence[str]]) -> Mapping[str, int]:
    """Node -> how many steps it is from a source, by the longest way; an arrow that closes a circle does not count.

    `arrows` leads from a node to those that it reads.
    """
    depth: dict[str, int] = {}
    for start in nodes:
        stack: list[tuple[str, Iterator[str]]] = []
        path: set[str] = set()
        if start not in depth:
            stack.append((start, iter(arrows.get(start, ()))))
            path.add(start)
        deepest: dict[str, int] = {start: 0}
        while stack:
            node, rest = stack[-1]
            nxt = next(rest, None)
            if nxt is None:
                depth[node] = deepest[node]
                path.discard(node)
                stack.pop()
                if stack:
                    above = stack[-1][0]
                    deepest[above] = max(deepest[above], depth[node] + 1)
            elif nxt in depth:
                deepest[node] = max(deepest[node], depth[nxt] + 1)
            elif nxt not in path:
                deepest[nxt] = 0
                path.add(nxt)
                stack.append((nxt, iter(arrows.get(nxt, ()))))
    return depth
