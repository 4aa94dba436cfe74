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
from outer.fleet.arguments import declare as declare_fleet
from outer.migrate.arguments import declare as declare_migrate
from outer.rollback.arguments import declare as declare_rollback
from outer.swap.arguments import declare as declare_swap
from outer.talk import Talk, mute, put
from outer.update.arguments import declare as declare_update

_EXIT_CODES = """\
exit codes: 0 pass, 1 findings, 2 usage or configuration, 3 nothing checked, 4 internal error"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command that `arguments` (by default those of the process) name; return its exit code."""
    options = _parser().parse_args(arguments)
    command: Callable[[argparse.Namespace], int] = options.command
    options.talk = Talk(quiet=options.quiet, verbose=options.verbose)
    try:
        try:
            code = command(options)
            put()  # what is still on its way must not fail unseen at the very end
        finally:
            options.talk.close()  # an error begins on a line of its own
        return code
    except OuterError as error:
        print(f"outer: {error}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        print("outer: interrupted; nothing was published", file=sys.stderr)
        return 130
    except BrokenPipeError:
        # The reader of our output has gone, as `| head` does.
        mute()
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
        name: str,
        function: Callable[[argparse.Namespace], int],
        summary: str,
        examples: Sequence[str],
        under: argparse._SubParsersAction[argparse.ArgumentParser] | None = None,
    ) -> argparse.ArgumentParser:
        command = (under or commands).add_parser(
            name,
            help=summary,
            description=summary[0].upper() + summary[1:] + ".",
            epilog="examples:\n" + "\n".join(f"  {e}" for e in examples) + f"\n\n{_EXIT_CODES}",
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        if under is None:  # what is below another command is about more than one product
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

    def day(command: argparse.ArgumentParser) -> None:
        command.add_argument(
            "--as-of", type=_day, default=None, metavar="DATE", help="judge dates as on this day (default: today, UTC)"
        )

    checking = add(
        "check",
        _check,
        "judge descriptor, contracts and managed files by the standard, without touching data",
        [
            "outer check",
            "outer check --fix --dry-run",
            "outer check --format sarif --output outer.sarif",
            "outer check --family CON --as-of 2030-01-31",
        ],
    )
    formats = ("text", "json", "sarif", "junit", "github", "gitlab", "markdown")
    checking.add_argument("--format", choices=formats, default="text", help="form of the report (default: text)")
    checking.add_argument("--output", type=Path, metavar="FILE", help="write the report to FILE instead of stdout")
    checking.add_argument("--rule", action="append", default=[], metavar="ID", help="judge by this rule; repeatable")
    checking.add_argument(
        "--family", action="append", default=[], metavar="ABC", help="judge by the rules of this family; repeatable"
    )
    checking.add_argument("--drafts", action="store_true", help="judge by drafts of rules too; they fail nothing")
    checking.add_argument("--metrics", action="store_true", help="also measure completeness, AI-readiness, coverage")
    checking.add_argument("--fix", action="store_true", help="mend what has one right answer, and show it as a diff")
    checking.add_argument("--dry-run", action="store_true", help="with --fix: show the diff, write nothing")
    checking.add_argument(
        "--write-baseline", action="store_true",
        help="accept for a time what is wrong now (outer/baseline.yaml); said again, drop what is mended",
    )  # fmt: skip
    day(checking)
    # pre-commit hands over the changed files; the gate always judges the whole product.
    checking.add_argument("files", nargs="*", help=argparse.SUPPRESS)

    judging = add(
        "policy",
        _policy,
        "list the rules, explain one, or try each on its own examples",
        [
            "outer policy list --family CON",
            "outer policy list --stage grace --format json",
            "outer policy explain CON003",
            "outer policy test",
        ],
    )
    judging.add_argument("what", choices=("list", "explain", "test"), help="what to do")
    judging.add_argument("id", nargs="?", help="with explain: id of the rule")
    judging.add_argument(
        "--family", action="append", default=[], metavar="ABC", help="only rules of this family; repeatable"
    )
    judging.add_argument(
        "--stage", action="append", default=[], choices=("draft", "grace", "enforced", "retired"),
        help="with list: only rules in this stage of their life; repeatable",
    )  # fmt: skip
    judging.add_argument("--format", choices=("text", "json"), default="text", help="of list and explain")
    day(judging)

    comparing = add(
        "compat",
        _compat,
        "tell whether the contracts changed so that consumers break, and whether the versions say so",
        [
            "outer compat",
            "outer compat --base v1.2.0",
            "outer compat --against ../the-same-product-elsewhere",
            "outer compat --category schema --category delivery --format json",
        ],
    )
    against = comparing.add_mutually_exclusive_group()
    against.add_argument(
        "--base", metavar="REF", help="git revision to compare with (default: where HEAD left the default branch)"
    )
    against.add_argument("--against", type=Path, metavar="PATH", help="folder of a product, or a contract file")
    comparing.add_argument(
        "--category", action="append", metavar="NAME", help="only this kind of change; may be given again"
    )
    comparing.add_argument("--format", choices=("text", "json"), default="text", help="default: text")
    comparing.add_argument(
        "--as-of", type=_day, default=None, metavar="DATE", help="judge dates as on this day (default: today, UTC)"
    )
    comparing.add_argument(
        "--allow-empty", action="store_true", help="pass when the base holds no contract yet, as in a new product"
    )

    adding = add(
        "add",
        _add,
        "add a port: contract, descriptor, seam and sample, all of them or nothing",
        [
            "outer add output-port daily_orders",
            "outer add input-port --from ../orders daily_orders",
            "outer add input-port --from https://git.example.com/shop/orders.git#v1.4.0 daily_orders@1",
        ],
    )
    adding.add_argument("what", choices=("output-port", "input-port"), help="what to add")
    adding.add_argument("name", help="name of the port; of an input port also PORT@MAJOR")
    adding.add_argument(
        "--from", dest="origin", metavar="SOURCE",
        help="input port: folder of its product, its contract file, or URL#REF of its git repository",
    )  # fmt: skip
    adding.add_argument("--workload", metavar="NAME", help="workload that reads or writes it, where there are several")

    pulling = add(
        "pull",
        _pull,
        "tell whether the pinned contracts of the input ports are still the producer's, and take newer ones",
        ["outer pull", "outer pull daily_orders", "outer pull --write"],
    )
    pulling.add_argument("ports", nargs="*", metavar="PORT", help="input ports (default: all)")
    pulling.add_argument("--write", action="store_true", help="take what is compatible; a break only of a named port")
    pulling.add_argument("--from", dest="origin", metavar="SOURCE", help="look here instead of where it came from")

    bumping = add(
        "bump",
        _bump,
        "give contracts, ports and product the versions that `outer compat` asks for",
        ["outer bump", "outer bump --to major", "outer bump --base v1.2.0 daily_orders"],
    )
    bumping.add_argument("ports", nargs="*", metavar="PORT", help="output ports (default: all that changed)")
    bumping.add_argument("--to", choices=("major", "minor", "patch"), help="raise at least this much")
    bumping.add_argument("--base", metavar="REF", help="git revision to count from (default: as in `outer compat`)")
    bumping.add_argument(
        "--sunset", type=_day, metavar="DATE", help="day on which the old major ends (default: the standard's notice)"
    )

    updating = add(
        "update",
        _update,
        "move to a newer release of the standard: managed files, migrations, gate, and a way back",
        ["outer update --dry-run", "outer update", "outer update --to v0.2.0", "outer update --undo"],
    )
    declare_update(updating)

    migrating = add(
        "migrate",
        _migrate,
        "bring descriptor, contracts, waivers and inner.yaml to the standard of today; shows a diff first",
        ["outer migrate", "outer migrate --write", "outer migrate --check", "outer migrate --list"],
    )
    declare_migrate(migrating)

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
        "--wait", type=_seconds, default=60, metavar="SECONDS", help="wait this long for another run (default: 60)"
    )
    running.add_argument(
        "--keep", type=_positive, metavar="N", help="good versions that stay, with this one (default: as the standard)"
    )
    running.add_argument("--no-setup", action="store_true", help="skip the inner's `setup` command")

    add("test", _test, "run the inner's own tests", ["outer test"])

    verifying = add(
        "verify",
        _verify,
        "audit what is published again: contract, service levels, and that nobody changed it",
        ["outer verify", "outer verify --env prod --format json", "outer verify --prove"],
    )
    environment(verifying)
    verifying.add_argument(
        "--prove", action="store_true",
        help="show for every rule of the contracts that changed data break it (-v: the changes)",
    )  # fmt: skip
    verifying.add_argument("--format", choices=("text", "json", "junit"), default="text", help="default: text")
    verifying.add_argument(
        "--as-of", type=_instant, metavar="TIME", help="judge freshness as at this time (ISO 8601, UTC if not said)"
    )

    swapping = add(
        "swap",
        _swap,
        "replace the inner by that of another blueprint, once both write equal data; nothing is lost",
        [
            "outer swap --to dbt",
            "outer swap --to dbt --scaffold",
            "outer swap --compare --tolerance 1e-9 --input flights=full-year.parquet",
            'outer swap --switch --accept-differences "cancelled flights are counted now"',
            "outer swap --back",
        ],
    )
    declare_swap(swapping)
    environment(swapping)
    swapping.add_argument(
        "--input", action="append", type=_input, default=[], metavar="PORT=FILE",
        help="compare on FILE instead of what the contract's server holds; repeatable",
    )  # fmt: skip
    swapping.add_argument("--since", type=_day, metavar="DATE", help="compare incremental runs from DATE on")
    swapping.add_argument(
        "--wait", type=_seconds, default=60, metavar="SECONDS", help="wait this long for a run (default: 60)"
    )

    returning = add(
        "rollback",
        _rollback,
        "publish a version again that is still kept: one switch, with the reason on record",
        [
            "outer rollback --list",
            "outer rollback --reason 'delays of 20 November are doubled'",
            "outer rollback --env prod --to 20261122T081530Z-3f9a1c --reason 'wrong airline names'",
        ],
    )
    environment(returning)
    declare_rollback(returning, _seconds)

    paging = add(
        "page",
        _page,
        "write the product's page, one HTML file that needs nothing else",
        ["outer page", "outer page --to index.html"],
    )
    environment(paging)
    paging.add_argument("--to", type=Path, metavar="FILE", help="default: data/<env>/page.html")
    paging.add_argument(
        "--as-of", type=_instant, metavar="TIME", help="judge freshness as at this time (ISO 8601, UTC if not said)"
    )

    fleet = commands.add_parser(
        "fleet",
        help="look after many products at once: their state, what a policy would fail, updates, catalogue, mesh",
        description="Look after many products at once.",
        epilog=_EXIT_CODES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    below = fleet.add_subparsers(title="commands", metavar="COMMAND", required=True)
    declare_fleet(lambda name, summary, examples: add(name, _fleet, summary, examples, below), _instant)
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


def _colour(stream: object) -> bool:
    return bool(getattr(stream, "isatty", lambda: False)()) and not os.environ.get("NO_COLOR")


def _check(options: argparse.Namespace) -> int:
    from outer.gate import Wish, gate

    return gate(
        options.product,
        Wish(
            as_of=_as_of(options),
            format=options.format,
            output=options.output,
            rules=tuple(options.rule),
            families=tuple(options.family),
            drafts=options.drafts,
            metrics=options.metrics,
            fix=options.fix,
            dry_run=options.dry_run,
            write_baseline=options.write_baseline,
            colour=_colour(sys.stdout),
            width=_width(sys.stdout),
            quiet=options.quiet,
            verbose=options.verbose,
        ),
    )


def _as_of(options: argparse.Namespace) -> date:
    return options.as_of or datetime.now(UTC).date()


def _width(stream: object) -> int | None:
    """Columns of the terminal behind `stream`; None where there is none."""
    if not getattr(stream, "isatty", lambda: False)():
        return None
    from shutil import get_terminal_size

    return get_terminal_size().columns


def _policy(options: argparse.Namespace) -> int:
    from outer import policy

    if (options.what == "explain") != bool(options.id):
        raise UsageError(
            "`outer policy explain` takes the id of a rule, `list` and `test` take none",
            "For example: outer policy explain CON003",
        )
    if options.what == "explain":
        put(policy.explain(options.id, _as_of(options), options.format))
        return PASS
    if options.what == "list":
        put(policy.listing(options.family, options.stage, _as_of(options), options.format))
        return PASS
    trials = policy.try_out(options.family, _as_of(options))
    put("\n".join(policy.lines(trials, verbose=options.verbose)))
    return FINDINGS if any(trial.wrong for trial in trials) else PASS


def _compat(options: argparse.Namespace) -> int:
    from outer.compat import command

    report = command(
        options.product,
        base=options.base,
        against=options.against,
        categories=options.category,
        as_of=options.as_of or datetime.now(UTC).date(),
        allow_empty=options.allow_empty,
    )
    text = (
        report.as_json() if options.format == "json" else report.text(colour=_colour(sys.stdout), quiet=options.quiet)
    )
    if text:
        put(text)
    return report.exit_code


def _add(options: argparse.Namespace) -> int:
    from outer.daytwo.add import add_input_port, add_output_port

    if options.what == "output-port":
        if options.origin:
            raise UsageError("--from belongs to an input port", "Leave it out, or add an input port.")
        changed = add_output_port(options.product, options.name, talk=options.talk, workload_name=options.workload)
    else:
        if not options.origin:
            raise UsageError("an input port needs its producer", "Name it with --from: a folder, a file or a URL.")
        changed = add_input_port(
            options.product, options.origin, options.name, talk=options.talk, workload_name=options.workload
        )
    put(changed.text())
    return PASS


def _pull(options: argparse.Namespace) -> int:
    from outer.daytwo.pull import pull

    report = pull(
        options.product,
        options.ports,
        talk=options.talk,
        dry_run=not options.write,
        origin=options.origin,
    )
    put(report.text())
    return report.exit_code


def _bump(options: argparse.Namespace) -> int:
    from outer.daytwo.bump import bump

    changed = bump(
        options.product,
        options.ports,
        to=options.to,
        talk=options.talk,
        base=options.base,
        sunset=options.sunset,
    )
    put(changed.text())
    return PASS


def _run(options: argparse.Namespace) -> int:
    from outer.run import run

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
        keep=options.keep,
        talk=options.talk,
    )
    for output in receipt.outputs:
        put(output.location)
    return PASS


def _test(options: argparse.Namespace) -> int:
    from outer.run import test

    test(options.product, talk=options.talk)
    return PASS


def _verify(options: argparse.Namespace) -> int:
    if options.prove:
        return _prove(options)
    from outer.verify import verify

    verdict = verify(
        options.product,
        environment=options.env,
        as_of=options.as_of,
        talk=options.talk,
    )
    if options.format == "text":
        put(verdict.text(colour=_colour(sys.stdout)))
    else:
        put(verdict.as_json() if options.format == "json" else verdict.as_junit())
    return PASS if verdict.passed else FINDINGS


def _prove(options: argparse.Namespace) -> int:
    from outer import prove

    if options.as_of:
        raise UsageError("--prove judges as of the data, not of another time", "Leave --as-of out.")
    proofs = prove.prove(options.product, environment=options.env, talk=options.talk)
    text = prove.as_json(proofs) if options.format == "json" else prove.text(
        proofs, colour=_colour(sys.stdout), verbose=options.verbose
    )  # fmt: skip
    put(text)
    return PASS if all(trial.proved for proof in proofs for trial in proof.trials) else FINDINGS


def _rollback(options: argparse.Namespace) -> int:
    from outer.rollback import command

    if options.list:
        put(command.listing(command.kept(options.product, environment=options.env), options.format))
        return PASS
    receipt = command.rollback(
        options.product,
        environment=options.env,
        to=options.to,
        reason=options.reason or "",
        wait=options.wait,
        talk=options.talk,
    )
    put(str(receipt.restored))
    return PASS


def _page(options: argparse.Namespace) -> int:
    from outer.page import page

    put(page(options.product, environment=options.env, target=options.to, as_of=options.as_of, talk=options.talk))
    return PASS


def _update(options: argparse.Namespace) -> int:
    from outer.update.command import Wish, undo, update

    if options.undo:
        return undo(options.product, options.talk)
    wish = Wish(options.to, options.suite, options.prereleases, options.dry_run, options.format)
    return update(options.product, wish, options.talk)


def _migrate(options: argparse.Namespace) -> int:
    from outer.migrate.command import listing, migrate

    if options.list:
        put(listing(options.format))
        return PASS
    return migrate(options.product, options.talk, to_write=options.write, check=options.check, format=options.format)


def _swap(options: argparse.Namespace) -> int:
    from outer.swap.command import main as swap

    given = dict(options.input)
    if len(given) != len(options.input):
        raise UsageError("an input port is given twice with --input", "Give each port once.")
    return swap(options, given)


def _fleet(options: argparse.Namespace) -> int:
    from outer.fleet.command import run

    now = options.as_of or datetime.now(UTC)
    return run(options, now.astimezone(UTC), colour=_colour(sys.stdout), width=_width(sys.stdout))
