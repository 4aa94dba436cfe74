"""Engines of custom quality rules, which Python packages bring along.

They are entry points of the group `outer.quality_engines`. Nothing is loaded before a contract asks for it, and then
only the engine of this name.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import redirect_stdout
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from outer.dataset import Dataset
from outer.parquet import Unusable
from outer.quality import Unknown
from outer.result import Result
from outer.yamlfile import show

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

GROUP = "outer.quality_engines"


@dataclass(frozen=True)
class ServerTable:
    """A table where it is: an entry of `servers` of its contract, and its name there."""

    server: Mapping[str, Any]
    name: str


CustomEngine = Callable[[Mapping[str, Any], Dataset | ServerTable], Result]
"""Executes a quality rule of the type `custom`: takes the clause and where the data are, gives what it found.

Of the result, outcome, expected, observed, bad rows, share, examples and reason count; the contract says the rest.
"""


class Registered(Mapping[str, CustomEngine]):
    """The engines that are installed beside this program, by the name that contracts call them (`engine`)."""

    @cached_property
    def _found(self) -> Mapping[str, tuple[EntryPoint, ...]]:
        from importlib.metadata import entry_points  # most contracts have no such rule

        points = entry_points(group=GROUP)
        return {name: tuple(points.select(name=name)) for name in sorted(points.names)}

    def __getitem__(self, name: str) -> CustomEngine:
        """Raises `Unknown` where the engine cannot be loaded, or where two packages bring one of this name."""
        found = self._found[name]
        if len({point.value for point in found}) > 1:
            raise Unknown(f"the engine {show(name)} is registered twice: {_packages(found)}")
        try:
            with redirect_stdout(sys.stderr):  # stdout is for results
                engine: CustomEngine = found[0].load()
        except (Exception, SystemExit) as error:  # whatever happens when a stranger's module is imported
            raise Unknown(f"the engine {show(name)} of {_packages(found)} cannot be loaded "
                          f"({type(error).__name__})") from None  # fmt: skip
        if not callable(engine):
            raise Unknown(f"the engine {show(name)} of {_packages(found)} cannot be called")
        return engine

    def __contains__(self, name: object) -> bool:
        return name in self._found

    def __iter__(self) -> Iterator[str]:
        return iter(self._found)

    def __len__(self) -> int:
        return len(self._found)


def unregistered(name: str, engines: Mapping[str, CustomEngine]) -> str:
    """Why none of `engines` is called `name`; empty where one is."""
    known = ", ".join(map(show, sorted(engines))) or "none"
    return "" if name in engines else f"no engine {show(name)} is registered (registered: {known})"


def asked(engine: CustomEngine, clause: Mapping[str, Any], data: Dataset | ServerTable) -> Result:
    """What `engine` says of `data`, by the types that a result has. Raises `Unusable` where it says nothing."""
    try:
        with redirect_stdout(sys.stderr):
            said = engine(clause, data)
        bad_rows = None if said.bad_rows is None else int(said.bad_rows)
        share = None if said.share is None else float(said.share)
        examples = tuple({str(k): str(v) for k, v in row.items()} for row in said.examples)
        result = Result("", said.outcome, "inner", str(said.expected), str(said.observed), bad_rows=bad_rows,
                        share=share, examples=examples, reason=str(said.reason))  # fmt: skip
    except (Exception, SystemExit) as error:  # an engine is a stranger, and its message may quote the data
        raise Unusable(f"the engine stopped with {type(error).__name__}") from None
    if result.outcome not in ("passed", "failed"):
        raise Unusable(f"the engine has not checked it: {show(result.reason)}")
    return result


def _packages(points: tuple[EntryPoint, ...]) -> str:
    return " and ".join(sorted({show(point.dist.name if point.dist else point.value) for point in points}))
