"""Begins a swap, compares both inners, and exchanges them: what `outer swap` does when nothing was interrupted."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, Literal

from outer.errors import FINDINGS, PASS, NothingChecked, RunFailed, UsageError
from outer.lock import locked
from outer.machine import deaf, require, stoppable
from outer.model import Port, model
from outer.parquet import Unusable
from outer.ports import resolve, resolve_outputs
from outer.product import ANSWERS, Product
from outer.publish import Area, new_run_id
from outer.swap import journal, record, scaffold, state
from outer.swap.compare import PortComparison, compare
from outer.swap.journal import Move, Step, Write
from outer.swap.report import Comparison
from outer.swap.state import AREA, INNER, NEXT, SWAP, Kept, Ongoing
from outer.swap.trial import Ground, Trial, trial, unchanged
from outer.talk import Talk
from outer.yamlfile import show

Action = Literal["status", "start", "compare", "switch", "continue", "abort", "back"]


@dataclass(frozen=True)
class Wish:
    """What a person asked for."""

    action: Action = "status"
    blueprint: str = ""
    answers: Mapping[str, Any] = field(default_factory=dict)
    only_scaffold: bool = False
    accept: str | None = None
    """Why to switch whatever the comparison says."""
    tolerance: float = 0.0
    environment: str = "local"
    inputs: Mapping[str, Path] = field(default_factory=dict)
    since: date | None = None
    wait: float = 60.0


@dataclass(frozen=True)
class Outcome:
    """What a command did, in words; the comparison, where there was one; the exit code."""

    said: str
    code: int = PASS
    comparison: Comparison | None = None
    switched: bool = False

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            **(self.comparison.as_dict() if self.comparison else {"format": 1}),
            "switched": self.switched,
            "said": self.said,
        }


@dataclass
class Swap:
    """One command that does something: begin, compare, switch, or take back."""

    product: Product
    area: Path
    wish: Wish
    lock: int
    talk: Talk
    held: Path | None = None
    """Folder of the environment whose lock the comparison has."""

    @property
    def root(self) -> Path:
        return self.product.root

    def do(self) -> Outcome:
        state.refuse_merge(self.root)
        _check_folder(self.root, INNER)
        if self.wish.action == "back":
            return self.back()
        going = self.start() if self.wish.action == "start" else self.going()
        if self.wish.only_scaffold:
            return Outcome(
                f"The inner of the blueprint {going.blueprint} is in {NEXT}/, to be worked on. Compare when you like: "
                "outer swap --compare."
            )
        return self.judged(going)

    def going(self) -> Ongoing:
        """The swap that is going on, and can go on."""
        going = state.ongoing(self.root)
        if going is None:
            raise UsageError("no swap is going on", "Begin one: outer swap --to NAME.")
        answers = state.answers(self.product)
        if answers.value["blueprint"] != going.replaces:
            raise UsageError(
                f"{ANSWERS}:{answers.place('blueprint').line}: the product is built with "
                f"{show(answers.value['blueprint'])}, but {SWAP} replaces {show(going.replaces)}",
                "Somebody has switched meanwhile. Give this swap up (outer swap --abort), and begin anew.",
            )
        if going.blueprint not in (known := scaffold.blueprints()):
            raise UsageError(
                f"{SWAP}: there is no blueprint {show(going.blueprint)} (there are: {', '.join(known)})",
                "Take the file back from git. Or give this swap up: outer swap --abort.",
            )
        _check_folder(self.root, NEXT)
        if self.wish.action == "switch":  # what would stand in its way is said before both have run
            scaffold.rewrites(self.root, scaffold.change(answers, going.blueprint, going.answers))
        return going

    def start(self) -> Ongoing:
        """Scaffold the new inner."""
        answers = state.answers(self.product)
        scaffold.check_blueprint(self.wish.blueprint, str(answers.value["blueprint"]))
        if going := state.ongoing(self.root):
            raise UsageError(
                f"a swap to {show(going.blueprint)} is going on",
                "Compare or switch (outer swap --compare, --switch), or give it up first: outer swap --abort.",
            )
        if os.path.lexists(self.root / NEXT):
            raise UsageError(f"{NEXT}/ is there already, and is of no swap", "Rename or remove it.")
        wanted = scaffold.change(answers, self.wish.blueprint, self.wish.answers)
        going = Ongoing(
            new_run_id(datetime.now(UTC)), self.wish.blueprint, str(answers.value["blueprint"]), self.wish.answers
        )
        self.talk.step(f"scaffold {going.blueprint}")
        with scaffold.rendered(self.area, wanted) as folder:
            scaffold.rewrites(self.root, wanted)  # what would stand in the way of the switch is said now
            steps: list[Step] = [Move(folder.relative_to(self.root).as_posix(), NEXT), Write(SWAP, None, going.text())]
            with stoppable():
                deaf()
                journal.carry_out(self.root, self.area, "scaffold", steps)
        self.talk.done(f"scaffold {going.blueprint}", f"{NEXT}/")
        return going

    def judged(self, going: Ongoing) -> Outcome:
        """Compare both inners; switch where that is wished and allowed."""
        with self.compared(going) as comparison:
            proved = comparison.verdict == "equal" and not comparison.empty
            if self.wish.action != "compare" and (proved or self.wish.accept):
                said = self.switch(going, comparison, None if proved else self.wish.accept)
                return Outcome(said, comparison=comparison, switched=True)
        if comparison.verdict == "equal" and comparison.empty:
            raise NothingChecked(
                "both inners wrote no row, so nothing was compared",
                "Compare on input that leads to rows: --input PORT=FILE. Or say why to switch: --accept-differences.",
            )
        if comparison.verdict == "equal":
            within = f" --tolerance {comparison.tolerance:g}" if comparison.tolerance else ""
            return Outcome(f"The data are equal. Switch: outer swap --switch{within}.", comparison=comparison)
        return Outcome(
            f"Not switched. Work in {NEXT}/ and compare again: outer swap --compare. Or say why the differences are "
            'wanted: outer swap --switch --accept-differences "REASON".',
            FINDINGS,
            comparison,
        )

    @contextmanager
    def compared(self, going: Ongoing) -> Iterator[Comparison]:
        """Run both inners on the same inputs and compare; nobody else runs the product until this is left."""
        require("duckdb")
        locations = resolve(model(self.product), self.wish.environment, self.wish.inputs)
        if any(location.format == "delta" for location in locations.outputs):
            require("deltalake", extra="run,delta")  # now, not after the work
        with locked(locations.root, new_run_id(datetime.now(UTC)), self.wish.wait, self.talk) as lock:
            self.held = locations.root
            previous = Area(locations.root).published()
            ground = Ground(
                self.product, locations, self.wish.environment, self.wish.since, previous, (self.lock, lock)
            )
            yield self.comparison(going, ground)

    def comparison(self, going: Ongoing, ground: Ground) -> Comparison:
        head = (going.replaces, going.blueprint, self.wish.environment, self.wish.tolerance)
        inputs = unchanged(ground.locations)
        try:
            # The new one first: it is the one that fails.
            after = trial(ground, NEXT, self.area / "trial" / NEXT, self.talk)
        except (RunFailed, UsageError) as error:
            self.talk.close()
            return Comparison(*head, reason=error.what, todo=error.todo)
        before = trial(ground, INNER, self.area / "trial" / INNER, self.talk)
        if unchanged(ground.locations) != inputs:
            raise RunFailed("an input was replaced between the two runs", "Compare again.")
        self.talk.step("compare")
        broken, worse = self.broken(ground, before, after)
        found = Comparison(
            *head,
            ports=tuple(self.port(location.port, before, after) for location in ground.locations.outputs),
            seconds=(round(before.seconds, 3), round(after.seconds, 3)),
            broken=broken,
            worse=worse,
        )
        self.talk.done("compare", found.verdict)
        return found

    def broken(
        self, ground: Ground, before: Trial, after: Trial
    ) -> tuple[Mapping[str, tuple[str, ...]], tuple[str, ...]]:
        """Rules that the new data break, by output port, and the ports where the data of the living inner keep one."""
        broken: dict[str, tuple[str, ...]] = {}
        worse: list[str] = []
        for location in ground.locations.outputs:
            name = location.port.name
            failures = ground.judged(location.port, after.outputs).failures
            if failures:
                broken[name] = tuple(result.sentence() for result in failures)
                known = {result.rule for result in ground.judged(location.port, before.outputs).failures}
                if not {result.rule for result in failures} <= known:
                    worse.append(name)
        return broken, tuple(worse)

    def port(self, port: Port, before: Trial, after: Trial) -> PortComparison:
        import duckdb

        try:
            return compare(
                port.name, port.contract, before.outputs[port.name], after.outputs[port.name], self.wish.tolerance
            )
        except (duckdb.Error, Unusable) as error:
            # What DuckDB says may quote values of the data.
            why = str(error) if isinstance(error, Unusable) else f"DuckDB stopped with {type(error).__name__}"
            raise RunFailed(
                f"output port {show(port.name)} cannot be compared: {why}", f"Look at what both wrote: {AREA}/trial/."
            ) from None

    def switch(self, going: Ongoing, comparison: Comparison, reason: str | None) -> str:
        """Make inner-next/ the inner, and keep the old one."""
        answers = state.answers(self.product)
        old = self.keep(going.replaces)
        told = record.addition(self.root, NEXT, record.entry(going.replaces, going.blueprint, comparison, reason))
        # Where they lie is written into environments; `setup` makes them anew at the new place.
        aside = [
            Move(path.relative_to(self.root).as_posix(), f"{AREA}/kept/{old.id}/environments/{number}")
            for number, path in enumerate(scaffold.environments(self.root / NEXT))
        ]
        steps: list[Step] = [
            told,
            *aside,
            Move(INNER, old.folder),
            Write(old.note, None, old.text()),
            Move(NEXT, INNER),
            *scaffold.rewrites(self.root, scaffold.change(answers, going.blueprint, going.answers)),
            Write(SWAP, (self.root / SWAP).read_bytes(), None),
        ]
        return self.exchange("switch", steps, going.blueprint, old)

    def back(self) -> Outcome:
        """Take back the inner that was switched away last."""
        if state.ongoing(self.root):
            raise UsageError("a swap is going on", "Give it up first: outer swap --abort.")
        found = state.kept(self.root)
        if not found:
            raise UsageError(
                "no inner is kept here: .swap/kept/ holds none",
                "Where it was committed, git has it: git log -- inner. Begin a swap, and put it into inner-next/.",
            )
        answers, wanted = state.answers(self.product), found[0]
        living = str(answers.value["blueprint"])
        if wanted.blueprint not in scaffold.blueprints():
            raise UsageError(
                f"{wanted.folder} was built with {show(wanted.blueprint)}, which the standard no longer offers",
                f"Begin a swap to another one ({', '.join(scaffold.blueprints())}), and take from it what you need.",
            )
        asked = scaffold.own_questions(wanted.blueprint)
        given = {name: value for name, value in wanted.answers.items() if name in asked}
        old = self.keep(living)
        steps: list[Step] = [
            record.addition(self.root, wanted.folder, record.entry(living, wanted.blueprint, None, "taken back")),
            Move(INNER, old.folder),
            Write(old.note, None, old.text()),
            Write(wanted.note, (self.root / wanted.note).read_bytes(), None),
            Move(wanted.folder, INNER),
            *scaffold.rewrites(self.root, scaffold.change(answers, wanted.blueprint, given)),
        ]
        return Outcome(self.exchange("back", steps, wanted.blueprint, old), switched=True)

    def keep(self, blueprint: str) -> Kept:
        """How the living inner is going to be kept."""
        answers = state.answers(self.product)
        return Kept(new_run_id(datetime.now(UTC)), blueprint, scaffold.own_answers(answers, blueprint))

    def exchange(self, what: str, steps: list[Step], blueprint: str, old: Kept) -> str:
        commit = state.commit(self.root)
        with self.no_runs():
            deaf()
            journal.carry_out(self.root, self.area, what, steps)
        shutil.rmtree(self.area / "trial", ignore_errors=True)
        also = f"; what was committed of it is in git at {commit}" if commit else ""
        return (
            f"inner/ is built with {blueprint} now. The one before is kept whole in {old.folder}{also}.\n"
            f"What is published stays until the next `outer run`. Prove it: outer check, outer test, outer run. Then "
            f"commit all that has changed: git add -A.\nBack again: outer swap --back."
        )

    @contextmanager
    def no_runs(self) -> Iterator[None]:
        """Keep runs out, in every environment that has been published to: none may find half of two inners."""
        with ExitStack() as stack:
            for folder in sorted(folder for folder in _published(self.product) if folder != self.held):
                with suppress(PermissionError):  # whose runs this user has no say in
                    stack.enter_context(locked(folder, new_run_id(datetime.now(UTC)), self.wish.wait, self.talk))
            yield


def _published(product: Product) -> set[Path]:
    """The folders that environments of `product` publish from, as far as they are known and there."""
    found: set[Path] = set()
    with suppress(UsageError):  # what cannot be understood cannot be run either
        known = model(product)
        for environment in {server.environment for port in known.outputs for server in port.contract.servers}:
            with suppress(UsageError):
                folder = resolve_outputs(known, environment)[0]
                found |= {folder} if folder.is_dir() else set()
    return found


def _check_folder(root: Path, name: str) -> None:
    """Raise `UsageError` unless `name` is a folder that can be renamed."""
    if (root / name).is_symlink():
        raise UsageError(f"{name} is a link, which cannot be moved with what it leads to", "Make it a folder.")
    if not (root / name).is_dir():
        why = f"{name} is no folder" if os.path.lexists(root / name) else f"the folder {name}/ does not exist"
        raise UsageError(why, "Take it back from git.")
