"""The command `outer`: reads the command line, calls one function, turns the outcome into an exit code.

Only what every command needs is imported here; the rest loads with the command that uses it.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import UTC, date, datetime
from pathlib import Path

from outer.arguments import parser
from outer.errors import FINDINGS, INTERNAL, PASS, OuterError, UsageError
from outer.talk import Talk, put


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command that `arguments` (by default those of the process) name; return its exit code."""
    given = sys.argv[1:] if arguments is None else arguments
    options = _parser(given).parse_args(given)
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
        _say(str(error))
        return error.exit_code
    except KeyboardInterrupt:
        _say("interrupted; nothing was published")
        return 130
    except Exception as error:  # the last line of defence: one sentence, and the traceback on demand
        if os.environ.get("OUTER_TRACEBACK"):
            raise
        _say(
            f"internal error: {type(error).__name__}: {error}\n"
            "  This is a defect of the command. Run it again with OUTER_TRACEBACK=1 and report what it prints."
        )
        return INTERNAL


def _say(text: str) -> None:
    """Say on stderr what went wrong. Where nobody listens there, the exit code alone says it."""
    with suppress(OSError):
        print(f"outer: {text}", file=sys.stderr)


def _parser(arguments: Sequence[str] = ()) -> argparse.ArgumentParser:
    return parser(
        {
            "check": _check,
            "policy": _policy,
            "compat": _compat,
            "add": _add,
            "pull": _pull,
            "bump": _bump,
            "update": _update,
            "migrate": _migrate,
            "run": _run,
            "test": _test,
            "verify": _verify,
            "swap": _swap,
            "rollback": _rollback,
            "page": _page,
            "fleet": _fleet,
        },
        arguments,
    )


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


_POLICY = {"list": ("--family", "--stage", "--format"), "explain": ("--format",), "test": ("--family",)}
"""What `outer policy` does, and the options that each takes."""


def _policy(options: argparse.Namespace) -> int:
    from outer import policy

    if (options.what == "explain") != bool(options.id):
        raise UsageError(
            "`outer policy explain` takes the id of a rule, `list` and `test` take none",
            "For example: outer policy explain CON003",
        )
    given = {"--family": options.family, "--stage": options.stage, "--format": options.format != "text"}
    if strange := [name for name, value in given.items() if value and name not in _POLICY[options.what]]:
        raise UsageError(f"`outer policy {options.what}` takes no {' and no '.join(strange)}", "Leave it out.")
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
        as_of=_as_of(options),
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

    receipt = run(
        options.product,
        environment=options.env,
        inputs=_inputs(options),
        since=options.since,
        wait=options.wait,
        setup=not options.no_setup,
        keep=options.keep,
        talk=options.talk,
    )
    for output in receipt.outputs:
        put(output.location)
    return PASS


def _inputs(options: argparse.Namespace) -> dict[str, Path]:
    """Files that `--input` gives instead of what the contracts name: port -> file."""
    given = dict(options.input)
    if len(given) != len(options.input):
        raise UsageError("an input port is given twice with --input", "Give each port once.")
    return given


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
    if options.format == "junit":
        raise UsageError("--prove reports as text or as JSON", "Leave --format out, or use --format json.")
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
        if options.to or options.suite or options.prereleases or options.format != "text":
            raise UsageError(
                "--undo takes back the last update, whatever it was",
                "Leave --to, --suite, --prereleases and --format out.",
            )
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

    return swap(options, _inputs(options))


def _fleet(options: argparse.Namespace) -> int:
    from outer.fleet.command import run

    now = options.as_of or datetime.now(UTC)
    return run(options, now.astimezone(UTC), colour=_colour(sys.stdout), width=_width(sys.stdout))
