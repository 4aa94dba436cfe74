"""The result of a comparison: for people in the terminal, in Markdown for a pull request, in JSON for machines."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

from outer.swap.compare import ColumnDifference, Example, PortComparison
from outer.talk import counted

Verdict = Literal["equal", "different", "failed"]


@dataclass(frozen=True)
class Comparison:
    """Both inners on the same inputs. `failed`: the new inner did not get as far as data, `reason` says why."""

    replaces: str
    blueprint: str
    environment: str
    tolerance: float
    ports: tuple[PortComparison, ...] = ()
    reason: str = ""
    todo: str = ""
    """What to do about it."""
    seconds: tuple[float, float] | None = None
    """Wall time of the workloads of the living inner and of the new one."""
    broken: Mapping[str, tuple[str, ...]] | None = None
    """Output port -> rules of its contract that the data of the new inner break, for people."""
    worse: tuple[str, ...] = ()
    """Output ports among them whose data of the living inner keep one of these rules."""

    @property
    def verdict(self) -> Verdict:
        if self.reason:
            return "failed"
        # Equal rows are not enough: the order of columns, for one, is part of a contract and of no row.
        return "equal" if self.ports and all(p.equal for p in self.ports) and not self.worse else "different"

    @property
    def empty(self) -> bool:
        """Whether neither inner wrote a row, so that nothing was compared."""
        return not any(port.rows_before or port.rows_after for port in self.ports)

    def as_dict(self) -> dict[str, Any]:
        """For JSON; fields as above."""
        ports = [{**asdict(port), "equal": port.equal} for port in self.ports]
        return {
            "format": 1,
            "verdict": self.verdict,
            "from": self.replaces,
            "to": self.blueprint,
            "environment": self.environment,
            "tolerance": self.tolerance,
            "reason": self.reason,
            "todo": self.todo,
            "seconds": self.seconds,
            "broken": {port: list(rules) for port, rules in (self.broken or {}).items()},
            "ports": ports,
        }

    def text(self) -> str:
        """For the terminal."""
        if self.reason:
            return "\n  ".join(filter(None, [f"not compared: {self.reason}", self.todo]))
        how = f"(floating-point numbers are equal within a tolerance of {self.tolerance:g})" if self.tolerance else ""
        parts = ["\n".join(_text(port, self._broken(port.port))) for port in self.ports]
        return "\n\n".join(filter(None, [*parts, how]))

    def markdown(self) -> str:
        """For a pull request."""
        head = f"## Swap of the inner: {self.replaces} to {self.blueprint}: {self.verdict}"
        how = "exactly" if not self.tolerance else f"floating-point numbers with a tolerance of {self.tolerance:g}"
        under = f"Environment `{self.environment}`, both inners on the same inputs, compared {how}."
        if self.reason:
            why = filter(None, [f"Not compared: {_cell(self.reason)}", _cell(self.todo)])
            return "\n\n".join([head, under, *why]) + "\n"
        parts = [head, under, *("\n".join(_markdown(p, self._broken(p.port))) for p in self.ports)]
        return "\n\n".join(parts) + "\n"

    def _broken(self, port: str) -> Sequence[str]:
        """What to say of the rules that a port breaks."""
        also = "" if port in self.worse else ", as the data of the living inner do"
        return [f"breaks its contract{also}: {rule}" for rule in (self.broken or {}).get(port, ())]


# --- For the terminal -----------------------------------------------------------------------------


def _text(port: PortComparison, broken: Sequence[str]) -> Iterator[str]:
    yield f"{port.port}: {said(port)}"
    for line, examples in _findings(port):
        yield f"  {line}"
        yield from (f"    {_row(example)}" for example in examples)
    yield from (f"  {line}" for line in broken)
    if port.note:
        yield f"  ({port.note})"


def said(port: PortComparison) -> str:
    """How the port compares, in a few words."""
    if not (port.rows_before or port.rows_after):
        return "no rows on either side" + ("" if port.equal else ", and other columns")
    if port.equal:
        by = f", compared by {', '.join(port.key)}" if port.key else ""
        return f"equal, {counted(port.rows_before, 'row')}{by}"
    return f"different, {counted(port.rows_before, 'row')} before and {port.rows_after:,} after"


def _findings(port: PortComparison) -> Iterator[tuple[str, tuple[Example, ...]]]:
    """Each difference: one line, and examples of it."""
    for name, (before, after) in port.types.items():
        if before and after:
            yield f"column {name}: {before} before, {after} after", ()
        else:
            yield f"column {name}: only the {'living' if before else 'new'} inner writes it ({before or after})", ()
    for rows, side in ((port.missing, "living"), (port.extra, "new")):
        if rows.rows:
            yield f"{counted(rows.rows, 'row')} that only the {side} inner writes", rows.examples
    both = port.rows_before - port.missing.rows
    for column in port.columns:
        share = f" of {both:,}" if both else ""
        facts = [f"{counted(column.rows, 'row')}{share} with another value"]
        facts += [fact for fact in (_delta(column), _within(column)) if fact]
        yield f"column {column.name}: {'; '.join(facts)}", column.examples


def _delta(column: ColumnDifference) -> str:
    if column.delta is None:
        return ""
    low, high = column.delta
    return f"new minus old is always {low}" if low == high else f"new minus old from {low} to {high}"


def _within(column: ColumnDifference) -> str:
    """Where these rows are, as far as the key tells it."""
    return ", ".join(
        f"{name} is always {low}" if low == high else f"{name} from {low} to {high}"
        for name, (low, high) in column.within.items()
    )


def _row(example: Example) -> str:
    return ", ".join(f"{name} {value}" for name, value in example.items())


# --- In Markdown ----------------------------------------------------------------------------------


def _markdown(port: PortComparison, broken: Sequence[str]) -> Iterator[str]:
    yield f"### `{_cell(port.port)}`: {said(port)}"
    yield ""
    for line, examples in _findings(port):
        yield f"- {_cell(line)}"
        yield from (f"  - {_cell(_row(example))}" for example in examples)
    yield from (f"- {_cell(line)}" for line in broken)
    if port.note:
        yield f"\n{port.note[0].upper()}{port.note[1:]}."


def _cell(text: str) -> str:
    """`text` as it is, whatever it holds."""
    return "".join(f"\\{c}" if c in "\\`*_{}[]<>#|~&" else c for c in text)


# --- For the record -------------------------------------------------------------------------------


def summary(comparison: Comparison) -> list[dict[str, Any]]:
    """What the record of a switch keeps of the comparison: counts, no values."""

    return [
        {
            "port": port.port,
            "equal": port.equal,
            "rows_before": port.rows_before,
            "rows_after": port.rows_after,
            "missing": port.missing.rows,
            "extra": port.extra.rows,
            "columns": {column.name: column.rows for column in port.columns},
            "types": sorted(port.types),
            "broken": len((comparison.broken or {}).get(port.port, ())),
        }
        for port in comparison.ports
    ]
