"""`outer swap`: reads what is wished, takes the lock, goes on with or gives up what was interrupted."""

from __future__ import annotations

import argparse
import json
import os
import shutil
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

from outer.errors import UsageError
from outer.lock import locked
from outer.machine import deaf, foreseen, save, stoppable
from outer.product import load
from outer.publish import new_run_id
from outer.swap import journal, scaffold, state
from outer.swap.exchange import Action, Outcome, Swap, Wish
from outer.swap.journal import Move, Step, Write
from outer.swap.state import AREA, NEXT, SWAP
from outer.talk import Talk, put


def main(options: argparse.Namespace, inputs: Mapping[str, Path]) -> int:
    """Do what the command line asks for, say it, and return the exit code."""
    actions: dict[Action, object] = {
        "start": options.to, "compare": options.compare, "switch": options.switch,
        "continue": options.go_on, "abort": options.abort, "back": options.back,
    }  # fmt: skip
    action = next((name for name, wished in actions.items() if wished), None) or "status"
    switching = ("switch",) if options.scaffold else ("start", "switch")
    for option, given, allowed in (
        ("--scaffold", options.scaffold, ("start",)),
        ("--data", options.data, ("start",)),
        ("--accept-differences", options.accept_differences is not None, switching),
        ("--report", options.report, (*switching, "compare")),
        ("--tolerance", options.tolerance, (*switching, "compare")),
    ):
        if given and action not in allowed:
            raise UsageError(
                f"{option} belongs to {' or '.join('--to' if name == 'start' else f'--{name}' for name in allowed)}",
                "Leave it out, or say what to do.",
            )
    outcome = swap(
        options.product,
        Wish(
            action=action,
            blueprint=options.to or "",
            answers=dict(options.data),
            only_scaffold=options.scaffold,
            accept=options.accept_differences,
            tolerance=options.tolerance,
            environment=options.env,
            inputs=inputs,
            since=options.since,
            wait=options.wait,
        ),
        options.talk,
    )
    if options.format == "json":
        put(json.dumps(outcome.as_dict(), indent=2, ensure_ascii=False))
    elif outcome.comparison is not None and options.format == "markdown":
        put(outcome.comparison.markdown())
    else:
        put("\n\n".join(filter(None, [outcome.comparison.text() if outcome.comparison else "", outcome.said])))
    # Last: where it cannot be written, people have been told at least that the inner was switched.
    if options.report and outcome.comparison is not None:
        save(Path(options.report), outcome.comparison.markdown().encode(), todo="Name another file with --report.")
    return outcome.code


def swap(root: Path, wish: Wish, talk: Talk) -> Outcome:
    """Do what `wish` says in the product at `root`.

    Raises `UsageError` where product, machine or arguments do not allow it, `RunFailed` where the living inner fails,
    and `NothingChecked` where both inners wrote no row at all. Then nothing was switched.
    """
    root = load(root).root
    if wish.accept is not None and not wish.accept.strip():
        raise UsageError("--accept-differences needs a reason in words", "It is recorded for those who ask later.")
    if wish.action == "status":
        return Outcome(_status(root))
    with foreseen(root), stoppable():
        area = state.prepare(root)
        with locked(area, new_run_id(datetime.now(UTC)), wish.wait, talk) as lock:
            pending = journal.started_at(area)
            if wish.action in ("continue", "abort"):
                return _go_on(root, area, pending) if wish.action == "continue" else _abort(root, area, pending)
            if pending is not None:
                raise UsageError(
                    f"`outer swap` was interrupted while it moved files ({pending.what})",
                    "Go on: outer swap --continue. Or go back: outer swap --abort.",
                )
            state.tidy(area)
            # Read only now: whoever had the lock before may have changed what the product is.
            return Swap(load(root), area, wish, lock, talk).do()


def _status(root: Path) -> str:
    said = []
    if (root / AREA).is_dir() and (pending := journal.started_at(root / AREA)):
        said.append(f"`outer swap` was interrupted while it moved files ({pending.what}).")
        said.append("  go on: outer swap --continue · go back: outer swap --abort")
    elif going := state.ongoing(root):
        said.append(f"A swap from {going.replaces} to {going.blueprint} is going on; the new inner is in {NEXT}/.")
        said.append("  outer swap --compare · outer swap --switch · outer swap --abort")
    else:
        said.append(f"No swap is going on. Begin one: outer swap --to NAME ({', '.join(scaffold.blueprints())}).")
    said += [f"Kept: {one.folder} ({one.blueprint})" for one in state.kept(root)]
    return "\n".join(said)


def _go_on(root: Path, area: Path, pending: journal.Journal | None) -> Outcome:
    if pending is None:
        raise UsageError("nothing was interrupted", "Compare with `outer swap --compare`, or `outer swap` tells more.")
    deaf()
    journal.finish(root, area, pending)
    return Outcome(f"Done: {pending.what}.\n{_status(root)}", switched=pending.what == "switch" and not pending.back)


def _abort(root: Path, area: Path, pending: journal.Journal | None) -> Outcome:
    deaf()
    if pending is not None and pending.what in ("switch", "back"):
        journal.undo(root, area, pending)
    elif pending is not None:
        # A scaffold may have been worked on since: it is ended first, and then given up like any other.
        journal.finish(root, area, pending)
    going = (root / SWAP).is_file()
    if not going and pending is None:
        raise UsageError("no swap is going on", "There is nothing to give up.")
    where = ""
    if going:
        steps: list[Step] = [Write(SWAP, (root / SWAP).read_bytes(), None)]
        if os.path.lexists(root / NEXT):
            where = f"{AREA}/kept/{new_run_id(datetime.now(UTC))}/{NEXT}"
            steps.insert(0, Move(NEXT, where))
        journal.carry_out(root, area, "abort", steps)
    shutil.rmtree(area / "trial", ignore_errors=True)
    state.tidy(area)
    return Outcome("The swap is given up; inner/ is as it was." + (f" {NEXT}/ is kept in {where}." if where else ""))
