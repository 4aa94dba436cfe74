"""`outer check` as a whole: choose the rules, mend or record what was asked for, judge, report."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from outer import baseline, report
from outer.check import Report, check
from outer.errors import FINDINGS, INTERNAL, PASS, NothingChecked, UsageError
from outer.machine import save
from outer.metrics import metrics
from outer.product import Product, load
from outer.selection import select
from outer.talk import put


@dataclass(frozen=True)
class Wish:
    """What `outer check` was asked for."""

    as_of: date
    format: str = "text"
    output: Path | None = None
    """File that takes the report; None: stdout."""
    rules: tuple[str, ...] = ()
    families: tuple[str, ...] = ()
    drafts: bool = False
    metrics: bool = False
    fix: bool = False
    dry_run: bool = False
    write_baseline: bool = False
    colour: bool = False
    width: int | None = None
    quiet: bool = False
    verbose: bool = False


def gate(root: Path, wish: Wish) -> int:
    """Judge the product in the folder `root`. Returns the exit code.

    Raises `UsageError` for a wish that makes no sense, `NothingChecked` when no rule found an object.
    """
    _sensible(wish)
    product = load(root)
    if wish.fix:
        product = _fixed(product, wish)
    result = _judged(product, wish)
    if wish.write_baseline:
        held = baseline.write(product, result.findings, wish.as_of)
        holds = f"holds {report.count(held, 'finding')}" if held else "was empty and is deleted"
        _say(f"{baseline.BASELINE} {holds}", wish)
        product = load(root)
        result = _judged(product, wish)
    for rule, reason in result.crashed:
        print(f"outer: internal error: rule {rule} failed: {report.plain(reason)}", file=sys.stderr)
    if result.rules == 0 or result.objects == 0:
        raise NothingChecked("no rule found anything to judge", "Check that this is a data product.")
    _write(result, product, wish)
    if result.crashed:
        return INTERNAL
    return PASS if result.passed else FINDINGS


def _sensible(wish: Wish) -> None:
    chosen = select(wish.rules, wish.families)  # an unknown name stops the command before it writes anything
    if wish.dry_run and not wish.fix:
        raise UsageError("--dry-run shows what --fix would do, and --fix was not given", "Give both, or neither.")
    if wish.fix and (wish.format != "text" or wish.write_baseline):
        raise UsageError("--fix shows a diff and then the findings, as text", "Mend first, then check in that form.")
    if wish.write_baseline and (chosen is not None or wish.drafts):
        raise UsageError("a baseline holds what all rules find", "Leave --rule, --family and --drafts out.")


def _judged(product: Product, wish: Wish) -> Report:
    chosen = select(wish.rules, wish.families)
    if chosen is None:
        return check(product, wish.as_of, drafts=wish.drafts)
    # Whoever names a draft asks for it.
    return check(product, wish.as_of, chosen, drafts=wish.drafts or bool(wish.rules))


def _fixed(product: Product, wish: Wish) -> Product:
    """Show what can be mended, and mend it unless this is a dry run. Returns the product as it stands then."""
    from outer.fix import plan, write

    fixes = plan(product)
    for fix in fixes:
        put(_coloured(fix.diff.rstrip("\n"), wish.colour))
    if not fixes:
        _say("there is nothing that a machine could mend", wish)
    elif wish.dry_run:
        _say(f"{report.count(len(fixes), 'file')} would change; nothing was written", wish)
    else:
        kept = write(product, fixes)
        where = f"; what they were before is in {kept}/" if kept else ""
        _say(f"{report.count(len(fixes), 'file')} changed{where}", wish)
        product = load(product.root)
    if fixes and not wish.quiet:
        put("")
    return product


def _coloured(diff: str, colour: bool) -> str:
    if not colour:
        return diff
    paints = {"+": "32", "-": "31", "@": "36"}
    return "\n".join(
        f"\x1b[{paints[line[0]]}m{words}\x1b[0m" if line[:1] in paints and line else words
        for line in diff.split("\n")
        for words in (report.plain(line.replace("\t", "    ")),)
    )


def _write(result: Report, product: Product, wish: Wish) -> None:
    view = report.View(
        prefix=report.prefix(product.root) if wish.format not in ("text", "json") else "",
        metrics=metrics(product) if wish.metrics else (),
        colour=wish.colour and wish.output is None,
        quiet=wish.quiet,
        verbose=wish.verbose,
        width=wish.width if wish.output is None else None,
    )
    text = report.render(result, wish.format, view)
    if wish.output is not None:
        _save(wish.output, text, product)
    elif text:
        put(text)
    if (wish.output is not None or wish.format != "text") and not wish.quiet:
        print(f"outer: {report.summary(result)}", file=sys.stderr)


def _save(path: Path, text: str, product: Product) -> None:
    """Write the report to `path`, whole or not at all; never over a file that the product is made of."""
    target = path.resolve()
    if target.is_dir() or not target.parent.is_dir():
        raise UsageError(f"--output {path}: there is no folder for such a file", "Name a file in a folder that exists.")
    for folder in ("outer", "inner"):
        if target.is_relative_to(product.root / folder):
            raise UsageError(f"--output {path}: {folder}/ holds the product, not reports", "Name a file elsewhere.")
    data = f"{text}\n" if text else ""
    save(target, data.encode(), todo="Name another file: --output FILE.")


def _say(words: str, wish: Wish) -> None:
    if not wish.quiet:
        print(f"outer: {words}", file=sys.stderr)
