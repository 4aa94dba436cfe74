"""What every command over a fleet is asked for, and the places that it keeps things in."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from outer import drift
from outer.fleet.journal import Journal
from outer.fleet.members import Member, members
from outer.fleet.pool import processes
from outer.fleet.progress import Progress
from outer.fleet.survey import Looked, Standard, survey


@dataclass(frozen=True)
class Wish:
    """What the caller named."""

    places: tuple[Path, ...]
    as_of: datetime
    """The moment that everything is judged for, with a time zone."""
    suite: str | None = None
    environment: str = "local"
    jobs: int | None = None
    fresh: bool = False
    quiet: bool = False


@dataclass(frozen=True)
class Fleet:
    """The products of a wish, and what is needed to look at them."""

    wish: Wish
    members: tuple[Member, ...]
    standard: Standard
    progress: Progress
    processes: int

    def survey(self, command: str, *, judged: bool = True, **more: Any) -> Iterator[Looked]:
        """Look at every product; a run of `command` with the same arguments that was stopped is gone on with."""
        wish = self.wish
        arguments = {
            "places": [str(place.resolve()) for place in wish.places],
            "day": wish.as_of.date(),
            "environment": wish.environment,
            "suite": wish.suite,
            **more,
        }
        journal = Journal(cache_folder(), command, arguments, fresh=wish.fresh)
        yield from survey(
            self.members,
            self.standard,
            environment=wish.environment,
            as_of=wish.as_of,
            jobs=self.processes,
            journal=journal,
            progress=self.progress,
            judged=judged,
        )
        journal.close()


@contextmanager
def fleet(wish: Wish, *, needs_suite: bool = False) -> Iterator[Fleet]:
    """Find the products and open the suite. Raises `NothingChecked` where there is no product."""
    with ExitStack() as stack:
        progress, count = Progress(quiet=wish.quiet), processes(wish.jobs)
        found = members(wish.places, cache_folder(), progress, jobs=count)
        standard = Standard(wish.suite, stack)
        if needs_suite:
            _ = standard.suite
        yield Fleet(wish, found, standard, progress, count)


def cache_folder() -> Path:
    """Where clones of listed addresses and the state of unfinished runs are kept."""
    return drift.cache_folder() / "fleet"
