"""The command line: what each command of `outer` is called, which arguments it takes, and what it shows as examples.

To declare all of them takes longer than many a command works, so only that of the command in question is declared.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path

from outer import __version__

EXIT_CODES = """\
exit codes: 0 pass, 1 findings, 2 usage or configuration, 3 nothing checked, 4 internal error"""

Run = Callable[[argparse.Namespace], int]
"""Runs a command with its options; gives the exit code."""


@dataclass(frozen=True)
class Command:
    """One command: its summary in a sentence without a full stop, examples, and what declares its arguments."""

    name: str
    summary: str
    examples: Sequence[str]
    declare: Callable[[argparse.ArgumentParser], None]


def parser(runs: Mapping[str, Run], arguments: Sequence[str] = ()) -> argparse.ArgumentParser:
    """A parser of the command line; `runs` says what to call for each command.

    Where `arguments` begin with the name of a command, it knows this one alone.
    """
    found = argparse.ArgumentParser(
        prog="outer",
        description="Checks, runs, verifies and shows a data product.",
        epilog=EXIT_CODES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    found.add_argument("--version", action="version", version=f"outer {__version__}")
    commands = found.add_subparsers(title="commands", metavar="COMMAND", required=True)
    named = arguments[0] if arguments and arguments[0] in runs else None
    for command in COMMANDS:
        if named in (None, command.name):
            one = _added(commands, command, product=True)
            command.declare(one)
            one.set_defaults(command=runs[command.name])
    if named in (None, "fleet"):
        _fleet(commands, runs["fleet"])
    return found


def _added(
    commands: argparse._SubParsersAction[argparse.ArgumentParser], command: Command, *, product: bool
) -> argparse.ArgumentParser:
    added = commands.add_parser(
        command.name,
        help=command.summary,
        description=command.summary[0].upper() + command.summary[1:] + ".",
        epilog="examples:\n" + "\n".join(f"  {e}" for e in command.examples) + f"\n\n{EXIT_CODES}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    if product:
        added.add_argument(
            "--product", type=Path, default=Path(), metavar="DIR", help="root of the data product (default: here)"
        )
    talk = added.add_mutually_exclusive_group()
    talk.add_argument("-q", "--quiet", action="store_true", help="say only what is wrong")
    talk.add_argument("-v", "--verbose", action="store_true", help="say more, and show what workloads print")
    return added


def _fleet(commands: argparse._SubParsersAction[argparse.ArgumentParser], run: Run) -> None:
    """`outer fleet` has commands below it, which are about more than one product."""
    from outer.fleet.arguments import declare

    fleet = commands.add_parser(
        "fleet",
        help="look after many products at once: their state, what a policy would fail, updates, catalogue, mesh",
        description="Look after many products at once.",
        epilog=EXIT_CODES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    below = fleet.add_subparsers(title="commands", metavar="COMMAND", required=True)

    def add(name: str, summary: str, examples: Sequence[str]) -> argparse.ArgumentParser:
        added = _added(below, Command(name, summary, examples, _nothing), product=False)
        added.set_defaults(command=run)
        return added

    declare(add, _instant)


def _nothing(command: argparse.ArgumentParser) -> None:
    """No arguments of its own."""


def _environment(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--env", default="local", metavar="NAME", help="environment of the contracts' servers (default: local)"
    )


def _as_of(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--as-of", type=_day, default=None, metavar="DATE", help="judge dates as on this day (default: today, UTC)"
    )


def _check(command: argparse.ArgumentParser) -> None:
    formats = ("text", "json", "sarif", "junit", "github", "gitlab", "markdown")
    command.add_argument("--format", choices=formats, default="text", help="form of the report (default: text)")
    command.add_argument("--output", type=Path, metavar="FILE", help="write the report to FILE instead of stdout")
    command.add_argument("--rule", action="append", default=[], metavar="ID", help="judge by this rule; repeatable")
    command.add_argument(
        "--family", action="append", default=[], metavar="ABC", help="judge by the rules of this family; repeatable"
    )
    command.add_argument("--drafts", action="store_true", help="judge by drafts of rules too; they fail nothing")
    command.add_argument("--metrics", action="store_true", help="also measure completeness, AI-readiness, coverage")
    command.add_argument("--fix", action="store_true", help="mend what has one right answer, and show it as a diff")
    command.add_argument("--dry-run", action="store_true", help="with --fix: show the diff, write nothing")
    command.add_argument(
        "--write-baseline", action="store_true",
        help="accept for a time what is wrong now (outer/baseline.yaml); said again, drop what is mended",
    )  # fmt: skip
    _as_of(command)


def _policy(command: argparse.ArgumentParser) -> None:
    command.add_argument("what", choices=("list", "explain", "test"), help="what to do")
    command.add_argument("id", nargs="?", help="with explain: id of the rule")
    command.add_argument(
        "--family", action="append", default=[], metavar="ABC",
        help="with list and test: only rules of this family; repeatable",
    )  # fmt: skip
    command.add_argument(
        "--stage", action="append", default=[], choices=("draft", "grace", "enforced", "retired"),
        help="with list: only rules in this stage of their life; repeatable",
    )  # fmt: skip
    command.add_argument("--format", choices=("text", "json"), default="text", help="of list and explain")
    _as_of(command)


def _compat(command: argparse.ArgumentParser) -> None:
    against = command.add_mutually_exclusive_group()
    against.add_argument(
        "--base", metavar="REF", help="git revision to compare with (default: where HEAD left the default branch)"
    )
    against.add_argument("--against", type=Path, metavar="PATH", help="folder of a product, or a contract file")
    command.add_argument(
        "--category", action="append", metavar="NAME", help="only this kind of change; may be given again"
    )
    command.add_argument("--format", choices=("text", "json"), default="text", help="default: text")
    _as_of(command)
    command.add_argument(
        "--allow-empty", action="store_true", help="pass when the base holds no contract yet, as in a new product"
    )


def _add(command: argparse.ArgumentParser) -> None:
    command.add_argument("what", choices=("output-port", "input-port"), help="what to add")
    command.add_argument("name", help="name of the port; of an input port also PORT@MAJOR")
    command.add_argument(
        "--from", dest="origin", metavar="SOURCE",
        help="input port: folder of its product, its contract file, or URL#REF of its git repository",
    )  # fmt: skip
    command.add_argument("--workload", metavar="NAME", help="workload that reads or writes it, where there are several")


def _pull(command: argparse.ArgumentParser) -> None:
    command.add_argument("ports", nargs="*", metavar="PORT", help="input ports (default: all)")
    command.add_argument("--write", action="store_true", help="take what is compatible; a break only of a named port")
    command.add_argument("--from", dest="origin", metavar="SOURCE", help="look here instead of where it came from")


def _bump(command: argparse.ArgumentParser) -> None:
    command.add_argument("ports", nargs="*", metavar="PORT", help="output ports (default: all that changed)")
    command.add_argument("--to", choices=("major", "minor", "patch"), help="raise at least this much")
    command.add_argument("--base", metavar="REF", help="git revision to count from (default: as in `outer compat`)")
    command.add_argument(
        "--sunset", type=_day, metavar="DATE", help="day on which the old major ends (default: the standard's notice)"
    )


def _update(command: argparse.ArgumentParser) -> None:
    from outer.update.arguments import declare

    declare(command)


def _migrate(command: argparse.ArgumentParser) -> None:
    from outer.migrate.arguments import declare

    declare(command)


def _run(command: argparse.ArgumentParser) -> None:
    _environment(command)
    command.add_argument(
        "--input", action="append", type=_input, default=[], metavar="PORT=FILE",
        help="read this input port from FILE instead of the contract's server",
    )  # fmt: skip
    command.add_argument(
        "--since", type=_day, metavar="DATE", help="compute only days from DATE on, keep published older ones"
    )
    command.add_argument(
        "--wait", type=_seconds, default=60, metavar="SECONDS", help="wait this long for another run (default: 60)"
    )
    command.add_argument(
        "--keep", type=_positive, metavar="N", help="good versions that stay, with this one (default: as the standard)"
    )
    command.add_argument("--no-setup", action="store_true", help="skip the inner's `setup` command")


def _verify(command: argparse.ArgumentParser) -> None:
    _environment(command)
    command.add_argument(
        "--prove", action="store_true",
        help="show for every rule of the contracts that changed data break it (-v: the changes)",
    )  # fmt: skip
    command.add_argument("--format", choices=("text", "json", "junit"), default="text", help="default: text")
    command.add_argument(
        "--as-of", type=_instant, metavar="TIME", help="judge freshness as at this time (ISO 8601, UTC if not said)"
    )


def _swap(command: argparse.ArgumentParser) -> None:
    from outer.swap.arguments import declare

    declare(command)
    _environment(command)
    command.add_argument(
        "--input", action="append", type=_input, default=[], metavar="PORT=FILE",
        help="compare on FILE instead of what the contract's server holds; repeatable",
    )  # fmt: skip
    command.add_argument("--since", type=_day, metavar="DATE", help="compare incremental runs from DATE on")
    command.add_argument(
        "--wait", type=_seconds, default=60, metavar="SECONDS", help="wait this long for a run (default: 60)"
    )


def _rollback(command: argparse.ArgumentParser) -> None:
    _environment(command)
    from outer.rollback.arguments import declare

    declare(command, _seconds)


def _page(command: argparse.ArgumentParser) -> None:
    _environment(command)
    command.add_argument("--to", type=Path, metavar="FILE", help="default: data/<env>/page.html")
    command.add_argument(
        "--as-of", type=_instant, metavar="TIME", help="judge freshness as at this time (ISO 8601, UTC if not said)"
    )


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a date like 2030-01-31") from None


def _instant(text: str) -> datetime:
    try:
        value = datetime.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a time like 2030-01-31T08:00") from None
    return value if value.tzinfo else value.replace(tzinfo=UTC)


def _seconds(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value < float("inf"):  # nor is "nan" a time
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of seconds, 0 or more")
    return value


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number, 1 or more")
    return int(text)


def _input(text: str) -> tuple[str, Path]:
    port, separator, path = text.partition("=")
    if not (port and separator and path):
        raise argparse.ArgumentTypeError(f"{text!r} is not PORT=FILE")
    return port, Path(path)


COMMANDS: tuple[Command, ...] = (
    Command(
        "check",
        "judge descriptor, contracts and managed files by the standard, without touching data",
        [
            "outer check",
            "outer check --fix --dry-run",
            "outer check --format sarif --output outer.sarif",
            "outer check --family CON --as-of 2030-01-31",
        ],
        _check,
    ),
    Command(
        "policy",
        "list the rules, explain one, or try each on its own examples",
        [
            "outer policy list --family CON",
            "outer policy list --stage grace --format json",
            "outer policy explain CON003",
            "outer policy test",
        ],
        _policy,
    ),
    Command(
        "compat",
        "tell whether the contracts changed so that consumers break, and whether the versions say so",
        [
            "outer compat",
            "outer compat --base v1.2.0",
            "outer compat --against ../the-same-product-elsewhere",
            "outer compat --category schema --category delivery --format json",
        ],
        _compat,
    ),
    Command(
        "add",
        "add a port: contract, descriptor, seam and sample, all of them or nothing",
        [
            "outer add output-port daily_orders",
            "outer add input-port --from ../orders daily_orders",
            "outer add input-port --from https://git.example.com/shop/orders.git#v1.4.0 daily_orders@1",
        ],
        _add,
    ),
    Command(
        "pull",
        "tell whether the pinned contracts of the input ports are still the producer's, and take newer ones",
        ["outer pull", "outer pull daily_orders", "outer pull --write"],
        _pull,
    ),
    Command(
        "bump",
        "give contracts, ports and product the versions that `outer compat` asks for",
        ["outer bump", "outer bump --to major", "outer bump --base v1.2.0 daily_orders"],
        _bump,
    ),
    Command(
        "update",
        "move to a newer release of the standard: managed files, migrations, gate, and a way back",
        ["outer update --dry-run", "outer update", "outer update --to v0.2.0", "outer update --undo"],
        _update,
    ),
    Command(
        "migrate",
        "bring descriptor, contracts, waivers and inner.yaml to the standard of today; shows a diff first",
        ["outer migrate", "outer migrate --write", "outer migrate --check", "outer migrate --list"],
        _migrate,
    ),
    Command(
        "run",
        "run the workloads, audit what they wrote, publish it if it keeps its contract",
        [
            "outer run",
            "outer run --env prod",
            "outer run --input flights=full-year.parquet",
            "outer run --since 2013-01-14",
        ],
        _run,
    ),
    Command(
        "test",
        "run the inner's own tests",
        ["outer test"],
        _nothing,
    ),
    Command(
        "verify",
        "audit what is published again: contract, service levels, and that nobody changed it",
        ["outer verify", "outer verify --env prod --format json", "outer verify --prove"],
        _verify,
    ),
    Command(
        "swap",
        "replace the inner by that of another blueprint, once both write equal data; nothing is lost",
        [
            "outer swap --to dbt",
            "outer swap --to dbt --scaffold",
            "outer swap --compare --tolerance 1e-9 --input flights=full-year.parquet",
            'outer swap --switch --accept-differences "cancelled flights are counted now"',
            "outer swap --back",
        ],
        _swap,
    ),
    Command(
        "rollback",
        "publish a version again that is still kept: one switch, with the reason on record",
        [
            "outer rollback --list",
            "outer rollback --reason 'delays of 20 November are doubled'",
            "outer rollback --env prod --to 20261122T081530Z-3f9a1c --reason 'wrong airline names'",
        ],
        _rollback,
    ),
    Command(
        "page",
        "write the product's page, one HTML file that needs nothing else",
        ["outer page", "outer page --to index.html"],
        _page,
    ),
)
"""All commands about one product, in the order in which a product lives."""
