"""`outer verify --prove`: shows that the rules of a contract bite.

Published data are good data. For every rule they are changed so that this rule, and if possible no other, is broken;
the audit then has to find it. And where a rule has an edge, data that stand on the good side of it must pass.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal

from outer.audit import plan
from outer.audit.compile import compiled
from outer.audit.duck import duck
from outer.audit.engine import Past
from outer.audit.execute import Circumstances, execute
from outer.audit.levels import local
from outer.audit.plan import Item, Plan
from outer.audit.sql import Sql, instant
from outer.dataset import Dataset, Unlisted
from outer.datatypes import kind
from outer.errors import NothingChecked, UsageError
from outer.machine import require
from outer.model import Contract, model
from outer.parquet import Unusable, bind, files_of, identifier, literal, said
from outer.ports import Location, resolve, resolve_outputs
from outer.product import load
from outer.prove.examples import Base, Example, examples
from outer.publish import Area
from outer.quality import Unknown
from outer.result import Result
from outer.servicelevel import clock
from outer.surroundings import related
from outer.talk import Talk
from outer.yamlfile import show

ROWS = 5_000
"""Rows of the published data that are changed and audited: every example costs an audit of all of them."""

MOST = 1_000_000
"""Rows where a rule does not hold for so few: one that asks for a number of rows, or for others of the same table."""

TRIES = 200
"""Examples that are tried for one rule, at most."""

MORE = 25
"""Examples that are tried for the sake of one that breaks no other rule, when one that does was found."""

Outcome = Literal["bites", "bites with others", "survives", "cannot be tried"]


@dataclass(frozen=True)
class Trial:
    """What the examples showed of one rule."""

    rule: str
    outcome: Outcome
    example: str = ""
    """The change that broke it."""
    others: tuple[str, ...] = ()
    """Rules that this change broke as well, where none was found that breaks the one alone."""
    edge: str = ""
    """A change that stands on the good side of the rule and passed, where there is one."""
    refused: str = ""
    """A change that stands on the good side of the rule and was refused: the audit is stricter than the contract."""
    reason: str = ""
    """Why it could not be tried, or what was tried in vain."""

    @property
    def proved(self) -> bool:
        """Whether the rule bites, and only where it has to."""
        return self.outcome in ("bites", "bites with others") and not self.refused


@dataclass(frozen=True)
class Proof:
    """The trials of all rules of one port; what is only declared is no rule about data, and not among them."""

    port: str
    trials: tuple[Trial, ...]
    declared: int
    """Clauses that no data could break."""

    @property
    def share(self) -> float:
        """Share of the rules that bite, from 0 to 1."""
        return sum(trial.proved for trial in self.trials) / len(self.trials) if self.trials else 0.0


def prove(root: Path, *, environment: str = "local", talk: Talk) -> tuple[Proof, ...]:
    """Try every rule of every output port of the product in `root` on what is published in `environment`.

    Publishes and changes nothing. Raises `NothingChecked` when nothing is published that can be read, or no contract
    holds a rule; `UsageError` when product or environment cannot be understood.
    """
    require("duckdb")
    product = model(load(root))
    folder, locations = resolve_outputs(product, environment)
    version = Area(folder).require(environment)  # good data, to be changed
    beside = [(location.port.contract, location.inside(version)) for location in locations]
    with suppress(UsageError):  # inputs need not be there any more
        beside += [(i.port.contract, i.dataset) for i in resolve(product, environment, {}).inputs]
    proofs = tuple(_port(location, version, beside, talk) for location in locations)
    if not any(proof.trials for proof in proofs):
        raise NothingChecked("no contract holds a rule that data could break", "Write down what consumers may rely on.")
    return proofs


def text(proofs: Sequence[Proof], *, colour: bool = False, verbose: bool = False) -> str:
    """The proofs for people: every rule that could not be shown to bite, and one line for each port."""
    green, red, plain = ("\x1b[32m", "\x1b[31m", "\x1b[0m") if colour else ("", "", "")
    lines = []
    for proof in proofs:
        bites = sum(trial.proved for trial in proof.trials)
        mark = f"{green}proved{plain}" if bites == len(proof.trials) else f"{red}not proved{plain}"
        lines.append(
            f"{mark}  {proof.port}: {bites} of {len(proof.trials)} rules bite ({proof.share:.0%}); "
            f"{proof.declared} clauses are no rules about data"
        )
        for trial in proof.trials:
            if verbose or not trial.proved:
                lines.append(f"  {trial.rule}: {_sentence(trial)}")
    return "\n".join(lines)


def as_json(proofs: Sequence[Proof]) -> str:
    """The proofs for machines."""
    ports = [
        {
            "port": proof.port,
            "share": round(proof.share, 4),
            "declared": proof.declared,
            "rules": [{k: v for k, v in asdict(trial).items() if v} for trial in proof.trials],
        }
        for proof in proofs
    ]
    passed = all(trial.proved for proof in proofs for trial in proof.trials)
    return json.dumps({"format": 1, "passed": passed, "ports": ports}, indent=2, ensure_ascii=False)


def _sentence(trial: Trial) -> str:
    said = trial.reason or f"broken by {trial.example}"
    if trial.others:
        said += f", which also breaks {', '.join(trial.others[:4])}" + (" …" if len(trial.others) > 4 else "")
    if trial.edge:
        said += f"; kept by {trial.edge}"
    return said + (f"; but {trial.refused} is good, and was refused" if trial.refused else "")


def _port(location: Location, version: Path, beside: Sequence[tuple[Contract, Dataset]], talk: Talk) -> Proof:
    contract, name = location.port.contract, location.port.name
    demands = compiled(contract)
    talk.step(f"prove {name}")
    trials: list[Trial] = []
    rules = [item for item in demands.items if not isinstance(item, plan.Declared)]
    try:
        with _Laboratory.over(location.inside(version), demands, related(contract, beside)) as laboratory:
            for item in rules:
                if talk.verbose:
                    talk.step(item.rule)
                trials.append(laboratory.trial(item))
    except (Unusable, Unlisted) as error:
        raise NothingChecked(
            f"what is published of {show(name)} cannot be read, so there are no good data to change: {error}",
            "`outer verify` says what is wrong with it; `outer run` publishes again.",
        ) from None
    proof = Proof(name, tuple(trials), len(demands.items) - len(rules))
    talk.done(f"prove {name}", f"{proof.share:.0%} of {len(trials)} rules bite")
    return proof


class _Laboratory:
    """A copy of good data in memory, and a folder for the changed ones."""

    def __init__(self, base: Base, connection: Any, folder: Path, others: Mapping[str, Dataset]) -> None:
        self._base, self._connection, self._folder, self._others = base, connection, folder, others
        self._good = self._judged(Example("nothing changed"), ask=True)

    @classmethod
    @contextmanager
    def over(cls, data: Dataset, demands: Plan, others: Mapping[str, Dataset]) -> Iterator[_Laboratory]:
        import duckdb

        with TemporaryDirectory(prefix="outer-") as folder, duckdb.connect() as connection:
            connection.execute("SET TimeZone = 'UTC'; SET autoinstall_known_extensions = false")
            for most in (ROWS, MOST):
                base = _base(demands, connection, data, most)
                laboratory = cls(base, connection, Path(folder), others)
                if base.rows < most or all(result.outcome != "failed" for result in laboratory._good.values()):
                    break
            yield laboratory

    def trial(self, item: Item) -> Trial:
        """Hold examples for `item` against the plan, until one breaks it and nothing else."""
        before = self._good.get(item.rule)
        if before is None or before.outcome != "passed":
            why = before.sentence() if before else "the audit says nothing of it"
            return Trial(item.rule, "cannot be tried", reason=f"the published data do not pass it: {why}")
        best: Trial | None = None
        edge = refused = ""
        tries, most = 0, TRIES
        for example in examples(item, self._base):
            if (example.keeps and edge) or tries >= most:
                continue
            tries += 1
            try:
                judged = self._judged(example, ask=isinstance(item, plan.Custom))
            except _Impossible:
                continue
            if item.rule in judged and judged[item.rule].how == "could not run":
                continue  # it has seen nothing
            outcome = judged[item.rule].outcome if item.rule in judged else "failed"
            if example.keeps:
                # A good value may be no good for another rule; this one must not complain.
                edge, refused = (example.said, refused) if outcome == "passed" else (edge, example.said)
            elif outcome == "failed":
                others = tuple(
                    rule
                    for rule, result in judged.items()
                    if rule != item.rule and result.outcome == "failed" and self._good[rule].outcome != "failed"
                )
                if not others:
                    best = Trial(item.rule, "bites", example.said)
                    break
                if best is None:
                    most = min(most, tries + MORE)
                if best is None or len(others) < len(best.others):
                    best = Trial(item.rule, "bites with others", example.said, others)
        if best is None:
            best = Trial(item.rule, "survives", reason=f"none of {tries} changes of the data broke it")
        return replace(best, edge=edge, refused="" if edge else refused)

    def _judged(self, example: Example, *, ask: bool) -> Mapping[str, Result]:
        """What the audit says of an example, by rule; engines of custom rules are only asked where `ask` says so.

        Raises `_Impossible` where there are no such data.
        """
        base = self._base
        try:
            with TemporaryDirectory(dir=self._folder) as place:
                data = self._written(example, Path(place))
                now = replace(example.now or base.now, data=data if ask else None)
                with duck(data, base.plan.table, base.plan.types, self._others) as engine:
                    _, results = execute(base.plan, engine, now)
        except Unusable as error:
            return {"readable": Result("readable", "failed", "file metadata", reason=str(error))}
        return {result.rule: result for result in results}

    def _written(self, example: Example, folder: Path) -> Dataset:
        import duckdb

        by = self._base.plan.partitions if example.folders is None else example.folders
        # An engine of a custom rule may go by the name.
        target = folder / ("example" if by else "example.parquet")
        if example.unreadable:
            target.write_bytes(b"this is no Parquet file")
            return Dataset(target)
        layout = f", PARTITION_BY ({', '.join(map(identifier, by))})" if by else ""
        try:
            self._connection.execute(f"COPY ({example.rows}) TO {literal(str(target))} (FORMAT parquet{layout})")
        except duckdb.Error:  # no such value for this type, no such column any more
            raise _Impossible from None
        return Dataset(target)


class _Impossible(Exception):
    """An example that data of these types cannot be made into."""


def _base(demands: Plan, connection: Any, data: Dataset, most: int) -> Base:
    """A copy of the first rows of `data`, `most` of them at most. Raises `Unusable` and `Unlisted`."""
    import duckdb

    try:
        connection.execute("DROP VIEW IF EXISTS published")
        bind(connection, "published", files_of(data), demands.types)
        connection.execute(f"CREATE OR REPLACE TABLE base AS SELECT * FROM published LIMIT {most}")  # noqa: S608
    except (duckdb.Error, OSError) as error:
        raise Unusable(said(error)) from None
    types = {str(name): str(found) for name, found, *_ in connection.execute("DESCRIBE base").fetchall()}
    sql = Sql(types)
    zones = {
        i.field.column: i.field.zone for i in demands.items if isinstance(i, (plan.Age, plan.Retention)) and i.field
    }
    times = {c: types[c] for c in sorted(zones.keys() & types.keys()) if kind(types[c]) in ("date", "timestamp")}

    def ends(function: str) -> Mapping[str, datetime]:
        ends = {}
        for column, found in times.items():
            # Like the audit: what lies in the future is passed over, and a date stands for its whole day.
            try:
                zone = clock(zones[column], found)
            except Unknown:  # the audit says so
                continue
            own, now = identifier(column), sql.constant(local(datetime.now(UTC), found, zone), found)
            query = f"SELECT CAST({function}({own}) FILTER ({own} <= {now}) AS VARCHAR) FROM base"  # noqa: S608
            (value,) = connection.execute(query).fetchone()
            with suppress(ValueError, OverflowError):  # nothing there, or before the calendar
                ends[column] = instant(str(value), zone) + timedelta(days=found == "DATE")
        return ends

    (rows,) = connection.execute("SELECT count(*) FROM base").fetchone()
    newest = ends("max")
    # Judged when the data were new: samples are old, and service levels have to hold to begin with.
    as_of = max(newest.values(), default=datetime.now(UTC))
    gaps = [item.allowed for item in demands.items if isinstance(item, plan.Frequency)]
    earlier = Past(as_of - min(gaps, default=timedelta(hours=2)) / 2, published=True, rows=rows)
    now = Circumstances(as_of, as_of, (earlier,))
    return Base(demands, rows, sql, now, newest, ends("min"))
