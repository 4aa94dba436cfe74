"""Writes down what a check found: for people, for machines, for the host of the repository.

One module to a format; only the one that is asked for is loaded.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

from outer import __version__
from outer.check import Report
from outer.finding import Finding, Level
from outer.metrics import Metric

HOME = "https://github.com/data-product-blueprints/data-product-blueprints"
"""Where the suite lives, and with it the reference of the rules. A fork says here where its own is."""

FORMATS = ("text", "json", "sarif", "junit", "github", "gitlab", "markdown")
"""What `render` can write."""


@dataclass(frozen=True)
class View:
    """What a format needs to know besides the report."""

    prefix: str = ""
    """Path of the product inside its repository, with a slash at the end; empty where both are one."""
    metrics: tuple[Metric, ...] = ()
    colour: bool = False
    quiet: bool = False
    verbose: bool = False
    width: int | None = None
    """Columns of the terminal to fold lines for; None: do not fold."""


def render(report: Report, format: str, view: View = View()) -> str:  # noqa: A002 (a word of the field)
    """`report` in one of `FORMATS`, without a line end at its end; empty where there is nothing to say."""
    modules = {"text": "terminal", "json": "data", "github": "hosts", "gitlab": "hosts"}
    module = import_module(f"outer.report.{modules.get(format, format)}")
    write: Callable[[Report, View], str] = getattr(module, f"as_{format}")
    return write(report, view)


def text(report: Report, *, colour: bool, quiet: bool = False, verbose: bool = False) -> str:
    """`report` for people."""
    return render(report, "text", View(colour=colour, quiet=quiet, verbose=verbose))


def passed(report: Report) -> bool:
    """Whether nothing is left that fails the gate, and every rule could be asked."""
    return report.passed


def summary(report: Report) -> str:
    """The outcome in one line, which says how much was judged."""
    verdict = "pass" if report.passed else "fail"
    said = [count(len(report.at(Level.ERROR)), "error")]
    said += [count(len(found), word) for word, found in (
        ("warning", report.at(Level.WARNING)), ("note", report.at(Level.INFO)),
    ) if found]  # fmt: skip
    said += [f"{len(report.waived)} waived"] if report.waived else []
    said += [f"{len(report.baselined)} in the baseline"] if report.baselined else []
    said += [f"{count(len(report.crashed), 'rule')} failed"] if report.crashed else []
    judged = f"{count(report.rules, 'rule')} on {count(report.objects, 'object')}"
    return f"{verdict}: {', '.join(said)} ({judged}, as of {report.as_of})"


def reference(rule: str) -> str:
    """Address of the page that explains `rule`, as it was in this version of the suite."""
    return f"{HOME}/blob/v{__version__}/docs/reference/rules.md#{rule.lower()}"


def prefix(product: Path) -> str:
    """Path of `product` inside the git repository around it, for `View.prefix`; empty where there is none."""
    product = product.resolve()
    for folder in (product, *product.parents):
        if (folder / ".git").exists():
            inside = product.relative_to(folder).as_posix()
            return "" if inside == "." else f"{inside}/"
    return ""


def open_findings(report: Report) -> tuple[Finding, ...]:
    """Findings that nothing accepts, errors first."""
    return tuple(finding for level in Level for finding in report.at(level))


def plain(words: str) -> str:
    """`words` on one line and printable: no text of a file may steer a terminal or begin a line of a log.

    A line that begins with two colons is a command to GitHub, so they are kept from its start.
    """
    text = "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in words)
    return f"./{text}" if text.lstrip().startswith("::") else text


def sentence(words: str) -> str:
    """`words` with a full stop, unless they end in a mark of their own."""
    return words if words.endswith((".", "!", "?", "…")) else f"{words}."


def lines(paragraphs: Iterable[str]) -> str:
    """`paragraphs` joined by line ends, none at the end."""
    return "\n".join(paragraphs).rstrip("\n")


def count(number: int, word: str) -> str:
    return f"{number} {word}{'s' * (number != 1)}"
