"""INN: the seam between outer and inner holds."""

from __future__ import annotations

import re
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter

from outer.product import INNER
from outer.rule import Change, Said, Scope, Subject, rule
from outer.yamlfile import show

_ABSOLUTE = re.compile(r"(?:^|[\s=\"'])(/(?!dev/null\b)[\w.-]+/[\w./-]*|[A-Za-z]:\\[^\s]*|~/[^\s]*)")


def _ports(subject: Subject, key: str) -> set[str]:
    descriptor = subject.product.descriptor
    ports = descriptor.get(key) if descriptor else None
    return {str(p.get("name")) for p in (ports if isinstance(ports, list) else ()) if isinstance(p, dict)}


def _names(value: object) -> list[str]:
    return [str(name) for name in value] if isinstance(value, list) else []


@rule(
    "INN001",
    Scope.INNER,
    title="Workloads read input ports and write output ports of the descriptor, and nothing else.",
    why="A port that only the inner knows has no contract; one that only the outer knows is never filled.",
    todo="Use the names of ports in the descriptor.",
    bad=Change(INNER, "reads: [flights, airlines]", "reads: [flights, airlines, airports]"),
)
def ports(subject: Subject) -> Iterator[Said]:
    for key, side in (("reads", "inputPorts"), ("writes", "outputPorts")):
        known = _ports(subject, side)
        for index, workload in subject.entries("workloads"):
            for position, name in enumerate(_names(workload.get(key))):
                if name not in known:
                    yield Said(
                        f"workload {show(workload.get('name'))} {key} {show(name)}, which is not among the "
                        f"{side} of the descriptor",
                        ("workloads", index, key, position),
                    )


@rule(
    "INN002",
    Scope.INNER,
    title="Every output port is written by exactly one workload, and every input port is read by one at least.",
    why="Two writers overwrite each other; a port without a writer or reader is a promise or a dependency in vain.",
    todo="Correct `writes` and `reads`, or remove the port from the descriptor.",
    bad=Change(INNER, "reads: [flights, airlines]", "reads: [flights]"),
)
def complete(subject: Subject) -> Iterator[Said]:
    workloads = [workload for _, workload in subject.entries("workloads")]
    written = [name for workload in workloads for name in _names(workload.get("writes"))]
    read = {name for workload in workloads for name in _names(workload.get("reads"))}
    for name in sorted(_ports(subject, "outputPorts")):
        if written.count(name) != 1:
            count = "no workload" if name not in written else f"{written.count(name)} workloads"
            yield Said(f"{count} write the output port {show(name)}", ("workloads",))
    for name in sorted(_ports(subject, "inputPorts") - read):
        yield Said(f"no workload reads the input port {show(name)}", ("workloads",))


@rule(
    "INN003",
    Scope.INNER,
    title="Workloads have names of their own and wait for each other in an order that exists.",
    why="A circle never starts, and a missing workload never ends.",
    todo="Correct `name` and `depends_on`.",
    bad=Change(INNER, "depends_on: []", "depends_on: [extract]"),
)
def ordered(subject: Subject) -> Iterator[Said]:
    needs: dict[str, list[str]] = {}
    for index, workload in subject.entries("workloads"):
        name = str(workload.get("name"))
        if name in needs:
            yield Said(f"two workloads are called {show(name)}", ("workloads", index, "name"))
        needs[name] = _names(workload.get("depends_on"))
    for index, workload in subject.entries("workloads"):
        for needed in _names(workload.get("depends_on")):
            if needed not in needs:
                yield Said(
                    f"workload {show(workload.get('name'))} depends on {show(needed)}, which does not exist",
                    ("workloads", index, "depends_on"),
                )
    try:
        TopologicalSorter(needs).prepare()
    except CycleError as error:
        yield Said(f"workloads wait for each other: {' -> '.join(error.args[1])}", ("workloads",))


@rule(
    "INN004",
    Scope.INNER,
    title="Commands of the inner hold no path of one machine.",
    why="Such a command works for its author and for nobody else.",
    todo="Use a path below inner/, or the location that the port's variable holds.",
    bad=Change(INNER, "setup: uv sync", "setup: /opt/tools/uv sync"),
)
def portable(subject: Subject) -> Iterator[Said]:
    commands = [((key,), subject.get(key)) for key in ("setup", "test")]
    commands += [(("workloads", i, "run"), w.get("run")) for i, w in subject.entries("workloads")]  # type: ignore[misc]
    for steps, command in commands:
        match = _ABSOLUTE.search(command) if isinstance(command, str) else None
        if match:
            yield Said(f"the command holds the absolute path {show(match.group(1))}", steps)
