"""The command line of `outer fleet`."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path

Add = Callable[[str, str, Sequence[str]], argparse.ArgumentParser]
"""Adds a command below `outer fleet`: name, summary, examples."""


def declare(add: Add, instant: Callable[[str], object]) -> None:
    """Declare the commands of `outer fleet`; `instant` reads a moment."""
    status = add(
        "status",
        "tell where every product stands: pin, lag, drift, gate, waivers, last run, promises",
        ["outer fleet status ~/products", "outer fleet status products.txt --suite ../suite --html status.html"],
    )
    _common(status, instant)
    _environment(status)
    status.add_argument("--html", type=Path, metavar="FILE", help="also write a page that needs nothing else")

    impact = add(
        "impact",
        "tell whom a policy, a draft of one, or another release of the standard would fail, since when, what mends it",
        [
            "outer fleet impact ~/products --policy CON007",
            "outer fleet impact ~/products --draft our-policy.yaml --as-of 2030-01-31",
            "outer fleet impact ~/products --suite ../suite --standard v0.3.0rc1",
        ],
    )
    _common(impact, instant)
    asked = impact.add_mutually_exclusive_group(required=True)
    asked.add_argument("--policy", metavar="ID", help="a rule, as if it were enforced; drafts and grace included")
    asked.add_argument(
        "--draft", type=Path, metavar="FILE", help="a policy of the organisation that is not released yet"
    )
    asked.add_argument(
        "--standard", metavar="REF", help="a release, branch or commit of the suite, as if all were updated"
    )

    catalog = add(
        "catalog",
        "write a catalogue of all products: a static site with search, ports, contracts, promises and lineage",
        ["outer fleet catalog ~/products --to site"],
    )
    _common(catalog, instant)
    _environment(catalog)
    catalog.add_argument("--to", type=Path, required=True, metavar="DIR", help="folder of the site; made, or replaced")

    mesh = add(
        "mesh",
        "tell which consumers a producer's change would break, and whether pins still fit their producers",
        [
            "outer fleet mesh ~/products",
            "outer fleet mesh ~/products --producer . --base origin/main",
            "outer fleet mesh ~/products --consumer .",
        ],
    )
    _common(mesh, instant)
    side = mesh.add_mutually_exclusive_group()
    side.add_argument("--producer", type=Path, metavar="DIR", help="only what reads this product, as it is on disk")
    side.add_argument("--consumer", type=Path, metavar="DIR", help="only what this product reads")
    mesh.add_argument("--base", metavar="REF", help="with --producer: what was broken at REF already fails nothing")

    update = add(
        "update",
        "bring every product to a release of the standard: one branch with one commit each",
        [
            "outer fleet update ~/products --suite ../suite --to v0.3.0 --dry-run",
            "outer fleet update products.txt --suite URL --to v0.3.0 --push",
        ],
    )
    _common(update, instant)
    update.add_argument("--to", metavar="TAG", help="the release (default: the newest)")
    update.add_argument("--dry-run", action="store_true", help="only plan: change nothing")
    update.add_argument("--push", action="store_true", help="push each branch to `origin`")
    update.add_argument("--branch", metavar="NAME", help="name of the branches (default: standard/<TAG>)")
    update.add_argument("--bodies", type=Path, metavar="DIR", help="write a text for each pull request into DIR")


def _common(command: argparse.ArgumentParser, instant: Callable[[str], object]) -> None:
    command.set_defaults(what=command.prog.rpartition(" ")[2])
    command.add_argument(
        "places",
        type=Path,
        nargs="+",
        metavar="PLACE",
        help="folder of clones, or file with a git address in every line",
    )
    command.add_argument("--suite", metavar="SOURCE", help="repository of the standard, URL or path; its code is run")
    command.add_argument("--format", choices=("text", "json"), default="text", help="default: text")
    command.add_argument("--jobs", type=_count, metavar="N", help="processes (default: one to a processor)")
    command.add_argument("--fresh", action="store_true", help="begin anew instead of going on where a run was stopped")
    command.add_argument(
        "--as-of", type=instant, metavar="TIME", help="judge as at this time (ISO 8601, UTC if not said; default: now)"
    )


def _environment(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--env", default="local", metavar="NAME", help="environment whose runs are told (default: local)"
    )


def _count(text: str) -> int:
    if not text.isascii() or not text.isdigit() or not 0 < int(text) <= 256:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of processes, 1 to 256")
    return int(text)
