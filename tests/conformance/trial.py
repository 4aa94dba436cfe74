"""A blueprint on trial: its products, the runs that checks ask for, and what came of each. A run is made once."""

from __future__ import annotations

import functools
import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import yaml

import suite_repo
from conformance import checks, inputs, product
from conformance.checks import Check, Level, NotRun, Verdict
from conformance.inputs import Input
from conformance.new import link_name
from conformance.product import Product, Ran
from conformance.reference import Day, punctuality
from outer.talk import Talk

T = TypeVar("T")


@dataclass(frozen=True)
class Cell:
    """One combination of answers."""

    name: str
    answers: Mapping[str, Any]
    tested: bool = False
    """Whether the inner's own tests are run on it at the level gold: its ports or its packages are others."""


@dataclass(frozen=True)
class Published:
    """What a run has published: its columns and rows, and what proves that two of them are the same."""

    ran: Ran
    columns: Sequence[str]
    rows: Sequence[Day]
    digest: str
    """Of the file, but for what writers may choose anew in each run; empty for a table in a folder."""
    fingerprint: str
    """Of the rows, in any order."""


def once(method: Callable[[Trial], T]) -> Callable[[Trial], T]:
    """Keep what `method` gave the first time, also when that was `NotRun`."""

    @functools.wraps(method)
    def kept(trial: Trial) -> T:
        name = method.__name__
        if name not in trial.kept:
            try:
                trial.kept[name] = method(trial)
            except NotRun as reason:
                trial.kept[name] = reason
        if isinstance(found := trial.kept[name], NotRun):
            raise NotRun(*found.args)
        return found  # type: ignore[no-any-return]

    return kept


@dataclass
class Trial:
    """The trial of the blueprint `name` of `suite`, a repository at its tag; all that is made lies below `folder`."""

    name: str
    suite: Path
    folder: Path
    notes: dict[str, str] = field(default_factory=dict)
    """Id of a check -> how it was found out."""
    kept: dict[str, Any] = field(default_factory=dict)

    @property
    def home(self) -> Path:
        return self.suite / "blueprints" / self.name

    @functools.cached_property
    def card(self) -> Mapping[str, Any]:
        """blueprint.yml; empty where it cannot be read."""
        try:
            found = yaml.safe_load((self.home / "blueprint.yml").read_text(encoding="utf-8"))
        except (OSError, yaml.YAMLError):
            return {}
        return found if isinstance(found, dict) else {}

    @functools.cached_property
    def cells(self) -> tuple[Cell, ...]:
        """The answers to try: those by default first, then others, and what only some blueprints can do."""
        cells = [
            Cell("default", {}),
            Cell(
                "other names",
                {
                    "product_name": "late-flights", "title": "Late: flights & more #1", "domain": "travel",
                    "output_port": "daily_share", "ci_host": "gitlab", "environments": ["test"],
                    "product_type": "aggregate", "classification": "public", "visibility": "public",
                },
                tested=True,
            ),
            Cell("personal data", {"personal_data": True, "classification": "restricted", "visibility": "domain"}),
        ]  # fmt: skip
        for name, question in suite_repo.questions(self.suite).items():
            values = [value for value in suite_repo.choices(question) if value != question.get("default")]
            if name == "port_format":
                values = [value for value in values if value in (self.card.get("writes") or ())]
            elif name != "orchestration" and not name.startswith(f"{self.name}_"):
                continue
            tested = name != "orchestration"  # which has packages of its own, apart from those of the pipeline
            cells += [Cell(f"{name.replace('_', ' ')} {value}", {name: value}, tested) for value in values]
        return tuple(cells)

    # --- Products ---------------------------------------------------------------------------------

    @once
    def copies(self) -> Mapping[str, Product]:
        """A product of each cell. Raises `NotRun` when one cannot be made."""
        made = {}
        for number, cell in enumerate(self.cells):
            # The second place tells a product that knows where it lies: its path holds a blank.
            folder = self.folder / ("product 2" if number == 1 else f"product{number}")
            variables = ELSEWHERE if number == 1 else {}
            try:
                made[cell.name] = product.make(folder, self.suite, self.name, cell.answers, **variables)
            except Exception as error:  # whatever Copier and Jinja raise
                said = " ".join(str(error).split()) or type(error).__name__
                raise NotRun(f"no product could be made with the answers “{cell.name}”: {said[:300]}") from None
            if not (made[cell.name].root / "inner").is_dir():
                link = f"template/{link_name(self.name)}"
                raise NotRun(f"the product has no inner/: {link} has to lead to blueprints/{self.name}/inner")
        return made

    @property
    def product(self) -> Product:
        """The product with the answers by default."""
        return self.copies()["default"]

    @once
    def gate(self) -> Mapping[str, Mapping[str, Any]]:
        """What `outer check` says of the product of each cell."""
        told = {}
        for name, made in self.copies().items():
            ran = made.outer("check", "--format", "json")
            try:
                told[name] = json.loads(ran.out)
            except ValueError:
                raise NotRun(f"`outer check` did not judge the product “{name}”: {ran.last}") from None
        return told

    @once
    def inner(self) -> Mapping[str, Any]:
        """inner.yaml of the product."""
        return seam(self.product)

    def prepared(self, cell: str) -> Ran:
        """Set the product of `cell` up, with the network, as the first `outer run` would."""
        made = self.copies()[cell]
        return made.command(str(seam(made).get("setup") or "true"), offline=False)

    @once
    def setup(self) -> Ran:
        """The set-up of the product, and before it the state in which it was copied."""
        self.kept["copied"] = product.marks(self.product.root, ["inner", "data"])
        return self.prepared("default")

    def ready(self) -> Product:
        """The product, set up; raises `NotRun` when it cannot be."""
        if self.setup().code:
            raise NotRun("the set-up failed")
        return self.product

    # --- Runs -------------------------------------------------------------------------------------

    @property
    def samples(self) -> Mapping[str, Path]:
        folder = self.product.root / "outer" / "samples"
        return {"flights": folder / "flights.parquet", "airlines": folder / "airlines.parquet"}

    @once
    def sample(self) -> Input:
        """What the samples of the input ports hold."""
        return inputs.read(**self.samples)

    @once
    def first(self) -> Ran:
        """The first run, on the samples and without a network."""
        made = self.ready()
        before = product.marks(made.home), product.marks(made.tmp)
        ran = made.run(offline=True, setup=True)
        self.kept["homes"] = before, (product.marks(made.home), product.marks(made.tmp))
        return ran

    @property
    def offline(self) -> bool:
        """Whether later runs go without a network: not where the first one could not, so that they show something."""
        return self.first().code == 0

    @once
    def online(self) -> Ran:
        """The first run once more with a network; only asked for when it failed without one."""
        return self.ready().run(offline=False)

    @once
    def on_samples(self) -> Published:
        """What the first good run has published."""
        ran = self.first() if self.offline else self.online()
        if ran.code:
            raise NotRun("the run on the samples published nothing")
        return self._published(self.product, ran)

    @once
    def again(self) -> Published:
        """The same run once more."""
        self.on_samples()
        return self.publish({})

    @once
    def edge_input(self) -> Input:
        return inputs.edges()

    @once
    def on_edges(self) -> Published:
        """What a run on the edges publishes."""
        self.on_samples()
        return self.publish(self.edge_input().files(self.folder / "edges"))

    def publish(self, files: Mapping[str, Path], *options: str, cell: str = "default") -> Published:
        """A run on `files` that has to publish. Raises `NotRun` when it does not."""
        made = self.copies()[cell]
        ran = made.run(files, *options, offline=self.offline)
        if ran.code:
            raise NotRun(f"the run published nothing: {ran.last}")
        return self._published(made, ran)

    def wanted(self, given: Input) -> list[Day]:
        """What the reference makes of `given`."""
        return punctuality(given.flights, given.airlines)

    def _published(self, made: Product, ran: Ran) -> Published:
        (entry,) = (output for output in made.receipt["outputs"] if output["port"] == made.output)
        columns, rows = inputs.published(made.published)
        return Published(ran, columns, rows, inputs.digest(made.published), entry["fingerprint"])

    # --- The trial --------------------------------------------------------------------------------

    def judge(self, highest: Level, talk: Talk) -> list[Verdict]:
        """Run every check up to the level `highest`."""
        verdicts = []
        for entry in checks.checks(highest):
            talk.step(f"{self.name}: {entry.id}")
            verdict = self._judge(entry)
            verdicts.append(verdict)
            if verdict.status == "passed":
                talk.done(f"{self.name}: {entry.id}", verdict.note)
            elif verdict.status == "failed":
                talk.fail(f"{entry.id}: {verdict.reasons[0]}")
            else:
                talk.note(f"{entry.id} was not run: {verdict.reasons[0]}")
        return verdicts

    def _judge(self, entry: Check) -> Verdict:
        start = time.monotonic()
        try:
            reasons = tuple(entry.judge(self))
            status, defect = ("failed" if reasons else "passed"), False
        except NotRun as missing:
            reasons, status, defect = (str(missing),), "not run", False
        except Exception as error:
            reasons, status, defect = (f"the check itself failed: {type(error).__name__}: {error}",), "not run", True
        took = time.monotonic() - start
        return Verdict(entry, status, reasons, took, self.notes.get(entry.id, ""), defect)  # type: ignore[arg-type]


def seam(made: Product) -> Mapping[str, Any]:
    """inner.yaml of the product `made`. Raises `NotRun` when it cannot be read."""
    try:
        found = yaml.safe_load((made.root / "inner/inner.yaml").read_text(encoding="utf-8"))
    except (OSError, yaml.YAMLError) as error:
        raise NotRun(f"inner.yaml cannot be read: {getattr(error, 'strerror', None) or error}") from None
    if not isinstance(found, dict):
        raise NotRun("inner.yaml holds no keys")
    return found


ELSEWHERE = {
    "TZ": "Pacific/Kiritimati",
    "LANG": "de_DE.UTF-8",
    "LC_ALL": "da_DK",  # without UTF-8, and a language in which AA comes after Z
    "PYTHONHASHSEED": "12345",
    "USER": "somebody",
    "LOGNAME": "somebody",
    "USERNAME": "somebody",
    "HOSTNAME": "another-machine",
    "CI": "true",
    "EDITOR": "ed",
    "SHLVL": "7",
}
"""How the environment of another machine differs, besides its paths."""
