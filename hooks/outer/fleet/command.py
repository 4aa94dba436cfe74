"""Carries out what the command line of `outer fleet` asks for."""

from __future__ import annotations

import argparse
from datetime import datetime

from outer.errors import UsageError
from outer.fleet.wish import Wish
from outer.talk import put


def run(options: argparse.Namespace, now: datetime, *, colour: bool, width: int | None) -> int:
    """Do what `options` name, judging everything for the moment `now`; return the exit code."""
    wish = Wish(
        places=tuple(options.places),
        as_of=now,
        suite=options.suite,
        environment=getattr(options, "env", "local"),
        jobs=options.jobs,
        fresh=options.fresh,
        quiet=options.quiet,
    )
    return _COMMANDS[options.what](options, wish, colour, width)


def _status(options: argparse.Namespace, wish: Wish, colour: bool, width: int | None) -> int:
    from outer.fleet.status import status

    if options.html is not None and (options.html.is_dir() or not options.html.resolve().parent.is_dir()):
        raise UsageError(
            f"--html {options.html}: there is no folder for such a file", "Name a file in a folder that is there."
        )
    found = status(wish)
    if options.html is not None:
        from outer.fleet.statuspage import write

        write(found, options.html)
    _tell(found.as_json() if options.format == "json" else found.text(colour=colour, width=width, quiet=wish.quiet))
    return found.exit_code


def _impact(options: argparse.Namespace, wish: Wish, colour: bool, width: int | None) -> int:
    from outer.fleet.impact import impact

    found = impact(wish, policy=options.policy, draft=options.draft, standard=options.standard)
    _tell(found.as_json() if options.format == "json" else found.text(colour=colour, width=width, quiet=wish.quiet))
    return found.exit_code


def _mesh(options: argparse.Namespace, wish: Wish, colour: bool, width: int | None) -> int:
    from outer.fleet.mesh import mesh

    found = mesh(wish, producer=options.producer, consumer=options.consumer, base=options.base)
    _tell(found.as_json() if options.format == "json" else found.text(colour=colour, width=width, quiet=wish.quiet))
    return found.exit_code


def _catalog(options: argparse.Namespace, wish: Wish, colour: bool, width: int | None) -> int:
    from outer.fleet.catalog import catalog

    found = catalog(wish, options.to)
    _tell(found.as_json() if options.format == "json" else found.text())
    return found.exit_code


def _update(options: argparse.Namespace, wish: Wish, colour: bool, width: int | None) -> int:
    from outer.fleet.update import update

    found = update(
        wish, to=options.to, dry_run=options.dry_run, push=options.push, branch=options.branch, bodies=options.bodies
    )
    _tell(found.as_json() if options.format == "json" else found.text(colour=colour, width=width, quiet=wish.quiet))
    return found.exit_code


def _tell(text: str) -> None:
    if text:
        put(text)


_COMMANDS = {"status": _status, "impact": _impact, "mesh": _mesh, "catalog": _catalog, "update": _update}
