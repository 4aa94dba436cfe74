"""Silver: the data are right. Rows are compared with those of the reference, bit by bit, each scenario for itself."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Sequence
from itertools import pairwise

import suite_repo
from conformance import inputs
from conformance.bronze import findings
from conformance.checks import Level, NotRun, check
from conformance.compare import differences, reordered
from conformance.trial import Trial

SILVER = Level.SILVER

EVERYWHERE = {"GZIP", "SNAPPY", "UNCOMPRESSED", "ZSTD"}
"""Compression that readers of Parquet have without a further library: DuckDB, Arrow, Polars and Spark."""

_ELSEWHERE = re.compile(
    rb"(?<![\w.}>*$%-])(?:/(?:home|root|Users|tmp|var/tmp|dev/shm|mnt|private|workspace)/\w[^\s\"')]*|[A-Z]:\\\\?\w)"
)
_HOST = re.compile(rb"\b[a-z][a-z0-9+]{1,9}://(?:[^\s/@\"'<>]*@)?([A-Za-z0-9.-]+)")
_FINE = re.compile(
    rb"(?:.+\.)?(?:example\.(?:com|org|net)|localhost)|127\.0\.0\.1|json-schema\.org|(?:www\.)?w3\.org|host|server"
)
"""This machine, names that belong to nobody, and names of formats."""
_COMMENT = re.compile(rb"^\s*(?:#|--|//|\*|/\*|\{#|<!--)")


@check("samples", "On the samples it makes what the reference makes", SILVER)
def samples(trial: Trial) -> Iterator[str]:
    made = trial.on_samples()
    yield from _shape(made.columns)
    yield from differences(made.rows, trial.wanted(trial.sample()))


def _shape(columns: Sequence[str]) -> Iterator[str]:
    wanted = [
        "flight_date DATE", "carrier VARCHAR", "airline VARCHAR", "flights BIGINT", "cancelled BIGINT",
        "mean_dep_delay_min DOUBLE", "mean_arr_delay_min DOUBLE", "on_time_share DOUBLE", "on_time_share_7d DOUBLE",
    ]  # fmt: skip
    if list(columns) != wanted:
        yield f"the columns are {list(columns)}, not {wanted}"


@check("ports", "It reads its input ports where the run says they are", SILVER)
def ports(trial: Trial) -> Iterator[str]:
    made, wanted = trial.on_edges(), trial.wanted(trial.edge_input())
    if made.fingerprint == trial.on_samples().fingerprint:
        yield "other inputs give the same rows: no input port is read where the run says"
        return
    if not {row[:2] for row in made.rows} & {row[:2] for row in wanted}:
        yield "no row comes from the given flights: the input port `flights` is not read where the run says"
        return
    known = {row.carrier: row.airline for row in wanted}
    wrong = sorted({(r.carrier, r.airline) for r in made.rows if r.carrier in known and r.airline != known[r.carrier]})
    unknown = inputs.SCENARIOS["unknown-carriers"]
    if wrong := [(carrier, name) for carrier, name in wrong if carrier not in unknown]:
        carrier, name = wrong[0]
        yield (
            f"airline of {carrier} is {name!r}, not {known[carrier]!r} as the given airlines say "
            f"({len(wrong)} carriers are wrong): is the input port `airlines` read where the run says?"
        )


def _scenario(trial: Trial, name: str) -> Iterator[str]:
    made, wanted = trial.on_edges(), trial.wanted(trial.edge_input())
    if not {row[:2] for row in made.rows} & {row[:2] for row in wanted}:
        raise NotRun("the rows do not come from the given input")
    # The names of airlines are judged by `ports`, but for those that have none.
    without = "" if name == "unknown-carriers" else "airline"
    yield from differences(made.rows, wanted, carriers=inputs.SCENARIOS[name], without=without)


@check("days", "Days are local ones, at midnight, over the ends of months and years, and when clocks change", SILVER)
def days(trial: Trial) -> Iterator[str]:
    yield from _scenario(trial, "days")
    given = {carrier for carriers in inputs.SCENARIOS.values() for carrier in carriers}
    strange = sorted({row.carrier for row in trial.on_edges().rows} - given)
    if strange:
        yield f"there are rows of carriers that did not fly: {', '.join(strange[:5])}"


@check("duplicates", "A flight that is delivered again counts once, and flights that only look alike all count", SILVER)
def duplicates(trial: Trial) -> Iterator[str]:
    yield from _scenario(trial, "duplicates")


@check("ties", "Of several deliveries the one that tells most stays, never one by chance", SILVER)
def ties(trial: Trial) -> Iterator[str]:
    yield from _scenario(trial, "ties")


@check("unknown-carriers", "A carrier that nobody named keeps its rows, under its code", SILVER)
def unknown_carriers(trial: Trial) -> Iterator[str]:
    yield from _scenario(trial, "unknown-carriers")


@check("nulls", "Flights that were cancelled or diverted count where they should", SILVER)
def nulls(trial: Trial) -> Iterator[str]:
    yield from _scenario(trial, "nulls")


@check("arithmetic", "Means and shares are exact: no rounding, no whole division, no overflow", SILVER)
def arithmetic(trial: Trial) -> Iterator[str]:
    yield from _scenario(trial, "arithmetic")


@check("threshold", "Late is an arrival from 15 minutes on", SILVER)
def threshold(trial: Trial) -> Iterator[str]:
    yield from _scenario(trial, "threshold")


@check("window", "The moving share looks at seven days of the calendar, weighed by flights", SILVER)
def window(trial: Trial) -> Iterator[str]:
    yield from _scenario(trial, "window")


@check("readable", "Any stack can read the files", SILVER)
def readable(trial: Trial) -> Iterator[str]:
    trial.on_samples()
    for codec in sorted(inputs.codecs(trial.product.published) - EVERYWHERE):
        yield f"pages are compressed with {codec}, which not every reader has: take {', '.join(sorted(EVERYWHERE))}"


@check("order", "Rows come in the order of their key", SILVER)
def order(trial: Trial) -> Iterator[str]:
    for name, made in (("samples", trial.on_samples()), ("edges", trial.on_edges())):
        keys = [row[:2] for row in made.rows]
        for before, after in pairwise(keys):
            if before > after:
                yield f"on the {name}, {after[0]} {after[1]} comes after {before[0]} {before[1]}"
                break


@check("repeatable", "A second run on the same input writes the same bytes", SILVER)
def repeatable(trial: Trial) -> Iterator[str]:
    one, two = trial.on_samples(), trial.again()
    if one.fingerprint != two.fingerprint:
        found = list(differences(two.rows, one.rows))
        yield f"the second run made other rows: {'; '.join(found[:2])}"
    elif one.digest != two.digest:
        yield f"the second run made the same rows and another file: {reordered(two.rows, one.rows)}"
    # A second run comes too soon to see these.
    today = {time.strftime("%Y-%m-%d", moment) for moment in (time.gmtime(), time.localtime())}
    for note in inputs.notes(trial.product.published):
        if said := sorted(day for day in today if day in note):
            yield f"the footer of the file holds the day of the run, {said[0]}: tomorrow the same rows are another file"


@check("paths", "No file knows a path of one machine", SILVER)
def paths(trial: Trial) -> Iterator[str]:
    yield from findings(trial, "paths")
    for name, text in _texts(trial):
        for number, line in enumerate(text.splitlines(), start=1):
            if match := _ELSEWHERE.search(line):
                found = match[0].decode("utf-8", "replace")
                yield f"inner/{name}:{number}: {found} is a place on one machine: take it from a variable"


@check("hosts", "No code names a host in the network", SILVER)
def hosts(trial: Trial) -> Iterator[str]:
    for name, text in _texts(trial):
        if name.endswith((".md", ".toml", ".txt")):  # prose and lists of dependencies
            continue
        for number, line in enumerate(text.splitlines(), start=1):
            if _COMMENT.match(line):
                continue
            for match in _HOST.finditer(line):
                if not _FINE.fullmatch(match[1]):
                    yield f"inner/{name}:{number}: {match[1].decode()} is a host: take it from a variable"


def _texts(trial: Trial) -> Iterator[tuple[str, bytes]]:
    """Every text that the blueprint puts into a product, lock files left out: path below inner/ -> text."""
    root = trial.product.root / "inner"
    for name in filter(None, suite_repo.git(root, "ls-files", "-z").split("\0")):
        path = root / name
        if path.is_file() and not path.is_symlink() and not path.name.endswith((".lock", "-lock.json", "-lock.yaml")):
            data = path.read_bytes()
            if b"\0" not in data[:8192]:
                yield name, data
