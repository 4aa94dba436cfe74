"""Gold: it can be trusted, on bad days, at any place, at size. What is expected: docs/reference/conformance.md."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import suite_repo
from conformance import inputs, product
from conformance.bronze import ports_of
from conformance.checks import Level, NotRun, check
from conformance.compare import differences, reordered
from conformance.inputs import Input
from conformance.product import Ran
from conformance.trial import ELSEWHERE, Cell, Published, Trial, once
from outer.ports import variable

GOLD = Level.GOLD

SINCE = date(2013, 1, 10)
COPIES = 40
"""Times that the samples go into the run at size: half a million flights."""
CPU_SECONDS = 150.0
MEMORY_MIB = 3072.0
"""What a run at size may take. So generous that no noise and no start of a virtual machine breaks it, and so small
that a job which is quadratic, or holds everything several times, does."""


# --- Honest on bad days ---------------------------------------------------------------------------


def _refused(trial: Trial, what: str, files: Mapping[str, Path], rest: Input | None = None) -> Iterator[str]:
    """Hold a run on input that cannot be worked with to what it owes: exit code 1, a reason, and nothing changed.

    With a `rest` that can be, the run may also set the other rows aside, for all to see, and publish what that gives.
    """
    trial.on_samples()
    made = trial.product
    before, data = made.version, product.marks(made.root / "data/local/versions")
    ran = made.run(files, offline=trial.offline)
    if ran.code == 0:
        aside = sum(port["rows"] for port in made.receipt["quarantine"])
        rows = inputs.published(made.published)[1]
        if rest is None or not aside:
            yield f"{what}: the run published all the same, {len(rows)} rows" + (", and set none aside" if rest else "")
        else:
            trial.notes["broken-rows"] = "set aside"
            yield from (f"{what}, set aside: {said}" for said in differences(rows, trial.wanted(rest)))
        return
    if ran.code != 1:
        yield f"{what}: exit code {ran.code}, not 1: {ran.last}"
    if not ran.err.strip():
        yield f"{what}: the run failed without a word"
    if made.version != before or product.marks(made.root / "data/local/versions") != data:
        yield f"{what}: what was published before has changed"


def _by_hand(trial: Trial, what: str, files: Mapping[str, Path]) -> Iterator[str]:
    """Start each workload as the outer does, on input that the outer would have refused: it has to fail by itself."""
    trial.on_samples()
    made = trial.product
    told = ports_of(trial)
    place = made.root.parent / "tmp" / "by-hand"
    place.mkdir(parents=True, exist_ok=True)
    variables: dict[str, str] = {}
    for port, file in files.items():
        told["inputs"][port]["location"] = str(file)
    for side in ("inputs", "outputs"):
        for port, entry in told[side].items():
            if side == "outputs":
                entry["location"] = str(place / Path(entry["location"]).name)
            variables[variable(side[:-1].upper(), port)] = entry["location"]
    file = place / "ports.json"
    file.write_text(json.dumps(told), encoding="utf-8")
    codes = [
        made.command(str(workload["run"]), offline=trial.offline, extra={**variables, "PORTS_FILE": str(file)}).code
        for workload in trial.inner()["workloads"]
    ]
    if not any(codes):
        yield f"{what}: the workload hides its failure and ends with exit code 0"


@check("broken-input", "Input that is broken fails the run, aloud, and what was published stays", GOLD)
def broken_input(trial: Trial) -> Iterator[str]:
    folder = trial.folder / "broken"
    folder.mkdir(exist_ok=True)
    good = trial.samples
    cut = folder / "cut.parquet"
    cut.write_bytes(good["flights"].read_bytes()[:5000])
    missing = inputs.reshaped(good["flights"], folder / "missing.parquet", "SELECT * EXCLUDE (arr_delay) FROM rows")
    words = inputs.reshaped(
        good["flights"], folder / "words.parquet", "SELECT * REPLACE ('late' AS arr_delay) FROM rows"
    )
    spoilt = inputs.corrupt(good["flights"], folder / "spoilt.parquet")
    for what, file in (
        ("a file that was cut off", cut), ("a column is missing", missing), ("a column of another type", words),
        ("a footer that is whole over data that are not", spoilt),
    ):  # fmt: skip
        yield from _refused(trial, what, {"flights": file})
    # The outer has caught all but the last of them. Does the inner as well, by itself?
    yield from _by_hand(trial, "by hand, a file that was cut off", {**good, "flights": cut})
    yield from _by_hand(trial, "by hand, a column is missing", {**good, "flights": missing})


@check("empty-input", "No flights at all: nothing is published, and no row is made up", GOLD)
def empty_input(trial: Trial) -> Iterator[str]:
    files = Input((), trial.sample().airlines).files(trial.folder / "empty")
    yield from _refused(trial, "no flights", files)


@check(
    "duplicate-input",
    "All flights twice, in another order, give the same bytes; all airlines twice no row twice",
    GOLD,
)
def duplicate_input(trial: Trial) -> Iterator[str]:
    first = trial.on_samples()
    made = trial.publish(inputs.doubled(trial.sample()).files(trial.folder / "doubled"))
    if made.fingerprint != first.fingerprint:
        yield f"flights delivered twice: {'; '.join(list(differences(made.rows, first.rows))[:2])}"
    elif made.digest != first.digest:
        yield f"flights in another order: the same rows, and another file: {reordered(made.rows, first.rows)}"
    airlines = list(trial.sample().airlines.items())
    twice = inputs.write(trial.folder / "doubled" / "twice.parquet", inputs.AIRLINES, [*airlines, *airlines])
    before = trial.product.version
    ran = trial.product.run({"airlines": twice}, offline=trial.offline)
    if ran.code:
        trial.notes["duplicate-input"] = "an airline that comes twice is refused"
        if trial.product.version != before:
            yield "an airline that comes twice: the run failed and published"
    else:
        rows = inputs.published(trial.product.published)[1]
        yield from (f"airlines delivered twice: {said}" for said in differences(rows, first.rows))


@check("late-input", "When no delivery comes, the promise is seen to be broken, and no day is made up", GOLD)
def late_input(trial: Trial) -> Iterator[str]:
    trial.on_samples()
    made = trial.publish({})
    newest = max(date(f.year, f.month, f.day) for f in trial.sample().flights)
    if late := [row for row in made.rows if row.flight_date > newest]:
        yield f"the flights end on {newest}, and there is a row of {late[0].flight_date}"
    soon = trial.product.outer("verify", "--format", "json")
    if soon.code:
        yield f"`outer verify` is red although the data are fresh: {soon.last}"
    moment = datetime.now(UTC) + timedelta(days=400)
    then = trial.product.outer("verify", "--format", "json", "--as-of", moment.isoformat(timespec="seconds"))
    told = json.loads(then.out or "{}").get("ports", [])
    failed = {result["rule"] for port in told for result in port["results"] if result["outcome"] == "failed"}
    if then.code != 1 or failed != {"sla:freshness"}:
        yield f"400 days later `outer verify` ends with {then.code} and finds {', '.join(sorted(failed)) or 'nothing'}"


# --- Incremental ----------------------------------------------------------------------------------


@once
def _increment(trial: Trial) -> tuple[Published, Published, Input]:
    """What was published before, what a run from SINCE on made of a later delivery, and that delivery."""
    trial.on_samples()
    before = trial.publish({})
    given, _ = inputs.later(trial.sample(), SINCE)
    after = trial.publish(given.files(trial.folder / "later"), "--since", SINCE.isoformat())
    return before, after, given


@check("incremental", "A run from a day on gives, from that day on, what a full run gives", GOLD)
def incremental(trial: Trial) -> Iterator[str]:
    _, after, given = _increment(trial)
    wanted = [row for row in trial.wanted(given) if row.flight_date >= SINCE]
    yield from differences([row for row in after.rows if row.flight_date >= SINCE], wanted)
    keys = [row[:2] for row in after.rows]
    if keys != sorted(keys):
        yield "its rows are not in the order of their key"
    try:
        fresh = _made_of(trial, trial.cells[2], "--since", SINCE.isoformat())
        wrong = list(differences(fresh.rows, trial.wanted(trial.sample())))
    except NotRun as reason:
        wrong = [str(reason)]
    yield from (f"where nothing was published before, so that all days are to be computed: {said}" for said in wrong)


@check("late-rows", "Older days are all as published, or all computed anew, never a mixture", GOLD)
def late_rows(trial: Trial) -> Iterator[str]:
    before, after, given = _increment(trial)
    found, kept, anew = (
        [row for row in rows if row.flight_date < SINCE] for rows in (after.rows, before.rows, trial.wanted(given))
    )
    if list(differences(found, kept)):
        trial.notes["late-rows"] = "computed anew"
        yield from differences(found, anew)
    else:
        trial.notes["late-rows"] = "as published"
        # The full run that follows takes the late rows up.
        full = trial.publish(given.files(trial.folder / "later"))
        yield from (f"a full run afterwards: {said}" for said in differences(full.rows, trial.wanted(given)))


@check("hidden-state", "A run does not remember the runs before it", GOLD)
def hidden_state(trial: Trial) -> Iterator[str]:
    first = trial.on_samples()
    trial.on_edges()
    made = trial.publish({})
    if made.fingerprint != first.fingerprint:
        found = "; ".join(list(differences(made.rows, first.rows))[:2])
        yield f"after a run on other input, the samples give other rows: {found}"


# --- Anywhere, at size ----------------------------------------------------------------------------


def _made_of(trial: Trial, cell: Cell, *options: str) -> Published:
    """What the product of another cell publishes in a run with `options`."""
    trial.on_samples()
    if (done := trial.prepared(cell.name)).code:
        raise NotRun(f"the set-up failed: {done.last}")
    return trial.publish({}, *options, cell=cell.name)


@once
def _other(trial: Trial) -> Published:
    """What the product of the second cell publishes: other answers, another machine."""
    return _made_of(trial, trial.cells[1])


@check("answers", "It runs with other answers too", GOLD)
def answers(trial: Trial) -> Iterator[str]:
    trial.on_samples()
    wanted = trial.wanted(trial.sample())
    for cell in trial.cells[1:]:
        try:
            made = _other(trial) if cell is trial.cells[1] else _made_of(trial, cell)
            wrong = list(differences(made.rows, wanted))
            if cell.tested and (ran := trial.copies()[cell.name].outer("test", offline=trial.offline)).code:
                wrong.append(f"its own tests fail: {ran.last}")
        except NotRun as reason:
            wrong = [str(reason)]
        yield from (f"with the answers “{cell.name}”: {said}" for said in wrong)


@check("elsewhere", "Another place, user, language and time zone change no byte", GOLD)
def elsewhere(trial: Trial) -> Iterator[str]:
    first, other = trial.on_samples(), _other(trial)
    if other.fingerprint != first.fingerprint:
        found = "; ".join(list(differences(other.rows, first.rows))[:2])
        yield f"other rows: {found or other.columns}"
    elif other.digest != first.digest:
        there = ", ".join(f"{name}={ELSEWHERE[name]}" for name in ("TZ", "LC_ALL", "USER"))
        yield f"the same rows, and another file: {reordered(other.rows, first.rows)} (there with {there})"


@once
def _at_size(trial: Trial) -> tuple[Published, Input]:
    trial.on_samples()
    files = inputs.year(trial.samples, trial.folder / "size", COPIES)
    return trial.publish(files), inputs.read(**files)


@check("size", "Half a million flights give what the reference gives", GOLD)
def size(trial: Trial) -> Iterator[str]:
    made, given = _at_size(trial)
    trial.notes["size"] = f"{len(given.flights):,} flights, {made.ran.seconds:.1f} s"
    yield from differences(made.rows, trial.wanted(given))


@check("time", f"They take no more than {CPU_SECONDS:.0f} s of processor time", GOLD)
def time(trial: Trial) -> Iterator[str]:
    ran = _at_size(trial)[0].ran
    trial.notes["time"] = f"{ran.cpu_seconds:.1f} s"
    yield from over(ran, cpu_seconds=CPU_SECONDS)


@check("memory", f"They take no more than {MEMORY_MIB:.0f} MiB in any one process", GOLD)
def memory(trial: Trial) -> Iterator[str]:
    ran = _at_size(trial)[0].ran
    trial.notes["memory"] = f"{ran.peak_mib:.0f} MiB"
    yield from over(ran, peak_mib=MEMORY_MIB)


def over(ran: Ran, *, cpu_seconds: float = float("inf"), peak_mib: float = float("inf")) -> Iterator[str]:
    """In what a run went beyond its budget."""
    if ran.cpu_seconds > cpu_seconds:
        yield f"{ran.cpu_seconds:.0f} s of processor time, more than {cpu_seconds:.0f} s"
    if ran.peak_mib > peak_mib:
        yield f"{ran.peak_mib:.0f} MiB, more than {peak_mib:.0f} MiB"


# --- Rows that nobody can use ---------------------------------------------------------------------


@check("broken-rows", "Rows that break a contract are refused or set aside, never dropped in silence", GOLD)
def broken_rows(trial: Trial) -> Iterator[str]:
    """After all runs whose data are compared: a job that remembers would carry these rows on into them."""
    folder = trial.folder / "broken"
    folder.mkdir(exist_ok=True)
    given = trial.sample()
    number = given.flights[0].flight
    rest = Input(tuple(f for f in given.flights if f.flight != number), given.airlines)
    for column in ("carrier", "day"):  # the contract asks for both, and the outer looks at columns, not at rows
        file = inputs.emptied(trial.samples["flights"], folder / f"no-{column}.parquet", column, number)
        yield from _refused(trial, f"flights without a {column}", {"flights": file}, rest)


# --- Tests that can fail --------------------------------------------------------------------------

_CODE = re.compile(r"\.(?:py|sql|sh|r|R|scala|java|kt|jl|go|rs|[cm]?[jt]s|rb|pl|php|lua|exs?|clj|hs|fs|cs|cc|cpp|c)\Z")
_TEST = re.compile(r"(?:\A|[/_.-])(?:tests?|specs?|conftest)(?=[/_.-])|(?:Test|Spec)s?\.\w+\Z")
"""What tells a file of the tests by its path: a folder, or a word of its name."""


@check("honest-tests", "Its tests fail when the job is gone", GOLD)
def honest_tests(trial: Trial) -> Iterator[str]:
    """Last of all: it empties the code of the product."""
    made = trial.ready()
    names = [n for n in suite_repo.git(made.root, "ls-files", "-z", "inner").split("\0") if _CODE.search(n)]
    code = [name for name in names if not _TEST.search(name)]
    if not code:
        raise NotRun("inner/ holds no code that this kit knows")
    kept = {name: (made.root / name).read_bytes() for name in code}
    try:
        for name in code:
            (made.root / name).write_bytes(b"")
        if made.outer("test", offline=trial.offline).code == 0:
            yield f"with {', '.join(map(shlex.quote, code[:3]))} emptied, its tests still pass"
    finally:
        for name, data in kept.items():
            (made.root / name).write_bytes(data)
