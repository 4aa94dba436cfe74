"""Fuzzes the whole gate: mutates the documents of a product, and goes on from what made the gate say something new.

    python tests/fuzz_check.py --minutes 10 --seed 7

A product that makes a rule fail, takes too long, or is judged differently the second time stops the run: exit code 1,
and the documents are written to a folder that is named. The figures at the end say how far it came.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import date
from pathlib import Path
from typing import Any

import mutation
import suite_repo
from outer.check import Report, check
from outer.product import File, Product, load
from outer.report import render
from outer.rules import RULES
from outer.yamlfile import Document, Unreadable, parse

TODAY = date(2030, 1, 1)
SECONDS = 20.0
"""No product of this size may take longer, on whatever machine."""
RULES_HERE = [rule for rule in RULES if rule.id != "INT001"]
"""Without the drift of managed files, which does not depend on what is fuzzed here."""

WORDS: tuple[Any, ...] = (
    None, True, False, 0, -1, 1, 2, 10**30, 0.1, float("nan"), float("inf"), "", " ", "x", "name", "none", "1.0.0",
    "2.0.0", "active", "deprecated", "retired", "draft", "local", "prod", "public", "restricted", "date", "timestamp",
    "array", "object", "VARCHAR[]", "DECIMAL(9,2)", "TIMESTAMP", "percent", "library", "sql", "text", "rowCount",
    "nullValues", "duplicateValues", "mustBe", "mustBeBetween", "endOfSupport", "2020-01-01", "2031-13-01",
    "personalData", "email", "flights", "carrier", "carrier_punctuality", "SELECT count(*) FROM {object} WHERE a > 1",
    "../x", "${X:-y}/current/z", "https://a.b/c", "mailto:a@b.c", "(a|b)*$", "\x00\x1b\n", "\U0010ffff", [], {}, [[]],
    {"name": "x"}, {"to": "a.b"},
)  # fmt: skip


@dataclass
class Figures:
    """How far a run came."""

    products: int = 0
    seconds: float = 0.0
    slowest: float = 0.0
    said: set[frozenset[str]] = field(default_factory=set)
    """Sets of rules that found something in one product."""
    kept: int = 0
    refused: int = 0
    """Documents that the reader refused."""

    def __str__(self) -> str:
        about = {rule.id for rule in mutation.JUDGING}
        rules = {rule for found in self.said for rule in found} & about
        pace = self.products / max(self.seconds, 1e-9)
        return (
            f"{self.products} products in {self.seconds:.0f} s ({pace:.0f} a second), {self.refused} refused by the "
            f"reader; {len(rules)} of {len(about)} rules about these files reached, in {len(self.said)} combinations; "
            f"{self.kept} products kept; slowest {1000 * self.slowest:.0f} ms; no rule failed"
        )


Documents = dict[str, Any]
"""Path -> value of the documents that are mutated."""


def documents(product: Product) -> Documents:
    """What is mutated: every YAML file of the product but the answers."""
    return {file.path: file.value for file in product.files if file.path != ".copier-answers.yml"}


def assembled(product: Product, values: Documents, texts: dict[str, bytes]) -> Product:
    """`product` with these documents. A file in `texts` is read from those bytes; raises `Unreadable`."""

    def made(file: File | None) -> File | None:
        if file is None or file.path not in values:
            return file
        if file.path in texts:
            return File(file.path, parse(texts[file.path]))
        return File(file.path, Document(values[file.path], file.document.places))

    def all_of(files: tuple[File, ...]) -> tuple[File, ...]:
        return tuple(file for known in files if (file := made(known)) is not None)

    return replace(
        product,
        descriptor=made(product.descriptor),
        standard=made(product.standard),
        waivers=made(product.waivers),
        inner=made(product.inner),
        output_contracts=all_of(product.output_contracts),
        input_contracts=all_of(product.input_contracts),
    )


# --- Mutations ------------------------------------------------------------------------------------


def mutated(values: Documents, chance: random.Random) -> Documents:
    """`values` with one to six changes in one to three of the documents."""
    result = dict(values)
    for _ in range(chance.randint(1, 6)):
        path = chance.choice(list(result)[: chance.randint(1, len(result))])
        places = [pointer for pointer, _ in mutation._values(result[path], ())]
        if places:
            result[path] = chance.choice(_CHANGES)(result[path], chance.choice(places), chance, values)
    return result


def _replaced(value: Any, at: mutation.Pointer, chance: random.Random, _: Documents) -> Any:
    return mutation._with(value, at, chance.choice(WORDS))


def _removed(value: Any, at: mutation.Pointer, _: random.Random, __: Documents) -> Any:
    return mutation._with(value, at, mutation._GONE)


def _doubled(value: Any, at: mutation.Pointer, _: random.Random, __: Documents) -> Any:
    return mutation._doubled(value, at) if isinstance(at[-1], int) else value


def _moved(value: Any, at: mutation.Pointer, chance: random.Random, all_of: Documents) -> Any:
    """A part of some document in the place of this one."""
    other = all_of[chance.choice(list(all_of))]
    parts = [below for _, below in mutation._values(other, ())]
    return mutation._with(value, at, chance.choice(parts)) if parts else value


def _broken(value: Any, at: mutation.Pointer, chance: random.Random, _: Documents) -> Any:
    """A defect of the mutation score."""
    found = next((below for pointer, below in mutation._values(value, ()) if pointer == at), None)
    return mutation._with(value, at, chance.choice(list(mutation._defects(found)))[1])


def _added(value: Any, at: mutation.Pointer, chance: random.Random, _: Documents) -> Any:
    """A key of the standards with any value."""
    found = next((below for pointer, below in mutation._values(value, ()) if pointer == at), None)
    if not isinstance(found, dict):
        return value
    return mutation._with(value, at, {**found, chance.choice(_KEYS): chance.choice(WORDS)})


_KEYS = (
    "arguments", "authoritativeDefinitions", "criticalDataElement", "customProperties", "defaultTimezone",
    "deprecated", "driver", "element", "encryptedName", "examples", "format", "from", "id", "items",
    "logicalTypeOptions", "maximum", "members", "metric", "minimum", "mustBe", "mustBeBetween", "pattern",
    "physicalName", "properties", "quality", "query", "relationships", "roles", "storage", "tags", "timezone", "to",
    "unique", "unit", "url", "value",
)  # fmt: skip
_CHANGES: tuple[Callable[[Any, mutation.Pointer, random.Random, Documents], Any], ...] = (
    _replaced, _replaced, _removed, _doubled, _moved, _broken, _added,
)  # fmt: skip


def scrambled(text: bytes, chance: random.Random) -> bytes:
    """Bytes of a file with some of them changed, inserted or lost."""
    data = bytearray(text)
    for _ in range(chance.randint(1, 8)):
        at = chance.randrange(len(data) + 1)
        match chance.randrange(4):
            case 0:
                data[at : at + chance.randint(1, 40)] = b""
            case 1:
                data[at:at] = chance.choice(
                    (b"\n", b"  ", b": ", b"- ", b"[", b"}", b"&a ", b"\t", b'"', b"#", b"\xff", b"\0")
                )
            case 2:
                data[at:at] = data[max(0, at - 60) : at]
            case _:
                data[at : at + 1] = bytes([chance.randrange(256)])
    return bytes(data)


# --- One product ----------------------------------------------------------------------------------


def judged(product: Product) -> tuple[Report, float]:
    """What the gate says of `product`, twice the same, and the seconds that it took. Raises `AssertionError`."""
    start = time.perf_counter()
    result = check(product, TODAY, RULES_HERE)
    seconds = time.perf_counter() - start
    assert result.crashed == (), result.crashed
    assert seconds < SECONDS, f"it took {seconds:.1f} s"
    assert check(product, TODAY, RULES_HERE).findings == result.findings, "the second verdict is another one"
    json.loads(render(result, "json"))
    for finding in result.findings:
        assert finding.place.line >= 1
        assert finding.message.isprintable(), f"{finding.rule}: {finding.message!r}"
        assert len(finding.message) <= 1000, f"{finding.rule}: {len(finding.message)} characters"
    return result, seconds


def attempts(product: Product, chance: random.Random, figures: Figures) -> Iterator[tuple[Documents, dict[str, bytes]]]:
    """Judge one mutated product after the other, for ever; yields each before it is judged."""
    pool = [documents(product)]
    while True:
        values = mutated(chance.choice(pool), chance)
        texts: dict[str, bytes] = {}
        if chance.random() < 0.2:
            path = chance.choice(list(values))
            texts[path] = scrambled(json.dumps(values[path], indent=1, default=str).encode(), chance)
        yield values, texts
        figures.products += 1
        try:
            result, seconds = judged(assembled(product, values, texts))
        except Unreadable:
            figures.refused += 1
            continue
        figures.slowest = max(figures.slowest, seconds)
        said = frozenset(finding.rule for finding in result.findings)
        if said not in figures.said and not texts and len(json.dumps(values, default=str)) < 300_000:
            pool.append(values)
            figures.kept += 1
            if len(pool) > 400:
                del pool[chance.randrange(1, len(pool))]
        figures.said.add(said)


def main(arguments: list[str]) -> int:
    """Fuzz for some minutes, and print the figures. Returns the exit code."""
    options = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    options.add_argument("--minutes", type=float, default=1.0, help="how long (default: 1)")
    options.add_argument("--seed", type=int, default=None, help="start of the chances, to repeat a run")
    chosen = options.parse_args(arguments)
    seed = chosen.seed if chosen.seed is not None else random.SystemRandom().randrange(2**32)
    figures, start = Figures(), time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        suite = suite_repo.clone(Path(folder, "suite"))
        product = load(suite_repo.start(suite_repo.render(Path(folder, "product"), suite)))
        last: tuple[Documents, dict[str, bytes]] = ({}, {})
        try:
            for documents_and_texts in attempts(product, random.Random(seed), figures):  # noqa: S311 (no secret)
                last = documents_and_texts
                figures.seconds = time.monotonic() - start
                if figures.seconds > 60 * chosen.minutes:
                    break
        except AssertionError as failure:
            kept = Path(tempfile.mkdtemp(prefix="fuzz-check-"))
            for path, value in last[0].items():
                target = kept / path
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(last[1].get(path) or json.dumps(value, indent=1, default=str).encode())
            print(f"seed {seed}, product {figures.products}: {failure}\nThe documents are in {kept}", file=sys.stderr)
            return 1
    print(f"seed {seed}: {figures}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
