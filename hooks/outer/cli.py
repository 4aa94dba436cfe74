"""The command `outer`: reads the command line, calls one function, turns the outcome into an exit code.

Only what every command needs is imported here; the rest loads with the command that uses it.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime
from pathlib import Path

from outer import __version__
from outer.errors import FINDINGS, INTERNAL, PASS, OuterError, UsageError

_EXIT_CODES = """\
exit codes: 0 pass, 1 findings, 2 usage or configuration, 3 nothing checked, 4 internal error"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command that `arguments` (by default those of the process) name; return its exit code."""
    options = _parser().parse_args(arguments)
    command: Callable[[argparse.Namespace], int] = options.command
    try:
        return command(options)
    except OuterError as error:
        print(f"outer: {error}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        print("outer: interrupted; nothing was published", file=sys.stderr)
        return 130
    except BrokenPipeError:
        # The reader of our output has gone, as `| head` does.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return PASS
    except Exception as error:  # the last line of defence: one sentence, and the traceback on demand
        if os.environ.get("OUTER_TRACEBACK"):
            raise
        print(
            f"outer: internal error: {type(error).__name__}: {error}\n"
            "  This is a defect of the command. Run it again with OUTER_TRACEBACK=1 and report what it prints.",
            file=sys.stderr,
        )
        return INTERNAL


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="outer",
        description="Checks, runs, verifies and shows a data product.",
        epilog=_EXIT_CODES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"outer {__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)

    def add(
        name: str, function: Callable[[argparse.Namespace], int], summary: str, examples: Sequence[str]
    ) -> argparse.ArgumentParser:
        command = commands.add_parser(
            name,
            help=summary,
            description=summary[0].upper() + summary[1:] + ".",
            epilog="examples:\n" + "\n".join(f"  {e}" for e in examples) + f"\n\n{_EXIT_CODES}",
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        command.add_argument(
            "--product", type=Path, default=Path(), metavar="DIR", help="root of the data product (default: here)"
        )
        talk = command.add_mutually_exclusive_group()
        talk.add_argument("-q", "--quiet", action="store_true", help="say only what is wrong")
        talk.add_argument("-v", "--verbose", action="store_true", help="say more, and show what workloads print")
        command.set_defaults(command=function)
        return command

    def environment(command: argparse.ArgumentParser) -> None:
        command.add_argument(
            "--env", default="local", metavar="NAME", help="environment of the contracts' servers (default: local)"
        )

    checking = add(
        "check",
        _check,
        "judge descriptor, contracts and managed files by the standard, without touching data",
        ["outer check", "outer check --format json > report.json", "outer check --as-of 2030-01-31"],
    )
    checking.add_argument("--format", choices=("text", "json", "github"), default="text", help="default: text")
    checking.add_argument(
        "--as-of", type=_day, default=None, metavar="DATE", help="judge dates as on this day (default: today, UTC)"
    )
    # pre-commit hands over the changed files; the gate always judges the whole product.
    checking.add_argument("files", nargs="*", help=argparse.SUPPRESS)

    running = add(
        "run",
        _run,
        "run the workloads, audit what they wrote, publish it if it keeps its contract",
        [
            "outer run",
            "outer run --env prod",
            "outer run --input flights=full-year.parquet",
            "outer run --since 2013-01-14",
        ],
    )
    environment(running)
    running.add_argument(
        "--input", action="append", type=_input, default=[], metavar="PORT=FILE",
        help="read this input port from FILE instead of the contract's server",
    )  # fmt: skip
    running.add_argument(
        "--since", type=_day, metavar="DATE", help="compute only days from DATE on, keep published older ones"
    )
    running.add_argument(
        "--wait", type=float, default=60, metavar="SECONDS", help="wait this long for another run (default: 60)"
    )
    running.add_argument("--no-setup", action="store_true", help="skip the inner's `setup` command")

    add("test", _test, "run the inner's own tests", ["outer test"])

    verifying = add(
        "verify",
        _verify,
        "audit what is published again: contract, service levels, and that nobody changed it",
        ["outer verify", "outer verify --env prod --format json"],
    )
    environment(verifying)
    verifying.add_argument("--format", choices=("text", "json"), default="text", help="default: text")
    verifying.add_argument(
        "--as-of", type=_instant, metavar="TIME", help="judge freshness as at this time (ISO 8601, UTC if not said)"
    )

    paging = add(
        "page",
        _page,
        "write the product's page, one HTML file that needs nothing else",
        ["outer page", "outer page --to site/index.html"],
    )
    environment(paging)
    paging.add_argument("--to", type=Path, metavar="FILE", help="default: data/<env>/page.html")
    paging.add_argument(
        "--as-of", type=_instant, metavar="TIME", help="judge freshness as at this time (ISO 8601, UTC if not said)"
    )
    return parser


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


def _input(text: str) -> tuple[str, Path]:
    port, separator, path = text.partition("=")
    if not (port and separator and path):
        raise argparse.ArgumentTypeError(f"{text!r} is not PORT=FILE")
    return port, Path(path)


def _colour(stream: object) -> bool:
    return bool(getattr(stream, "isatty", lambda: False)()) and not os.environ.get("NO_COLOR")


def _check(options: argparse.Namespace) -> int:
    from outer import report
    from outer.check import check
    from outer.errors import NothingChecked
    from outer.product import load

    result = check(load(options.product), options.as_of or datetime.now(UTC).date())
    for rule, reason in result.crashed:
        print(f"outer: internal error: rule {rule} failed: {reason}", file=sys.stderr)
    if result.rules == 0 or result.objects == 0:
        raise NothingChecked("no rule found anything to judge", "Check that this is a data product.")
    output = {
        "text": lambda: report.text(result, colour=_colour(sys.stdout), quiet=options.quiet),
        "json": lambda: report.as_json(result),
        "github": lambda: report.github(result),
    }[options.format]()
    if output:
        print(output)
    if result.crashed:
        return INTERNAL
    return PASS if report.passed(result) else FINDINGS


def _run(options: argparse.Namespace) -> int:
    from outer.run import run
    from outer.talk import Talk

    given = dict(options.input)
    if len(given) != len(options.input):
        raise UsageError("an input port is given twice with --input", "Give each port once.")
    receipt = run(
        options.product,
        environment=options.env,
        inputs=given,
        since=options.since,
        wait=options.wait,
        setup=not options.no_setup,
        talk=Talk(quiet=options.quiet, verbose=options.verbose),
    )
    for output in receipt.outputs:
        print(output.location)
    return PASS


def _test(options: argparse.Namespace) -> int:
    from outer.run import test
    from outer.talk import Talk

    test(options.product, talk=Talk(quiet=options.quiet, verbose=options.verbose))
    return PASS


def _verify(options: argparse.Namespace) -> int:
    from outer.talk import Talk
    from outer.verify import verify

    verdict = verify(
        options.product,
        environment=options.env,
        as_of=options.as_of,
        talk=Talk(quiet=options.quiet, verbose=options.verbose),
    )
    print(verdict.as_json() if options.format == "json" else verdict.text(colour=_colour(sys.stdout)))
    return PASS if verdict.passed else FINDINGS


def _page(options: argparse.Namespace) -> int:
    from outer.page import page
    from outer.talk import Talk

    talk = Talk(quiet=options.quiet, verbose=options.verbose)
    print(page(options.product, environment=options.env, target=options.to, as_of=options.as_of, talk=talk))
    return PASS
