"""The command line of `outer rollback`."""

from __future__ import annotations

import argparse
from collections.abc import Callable


def declare(command: argparse.ArgumentParser, seconds: Callable[[str], float]) -> None:
    """Declare the arguments; `seconds` reads a number of seconds."""
    command.add_argument("--to", metavar="RUN_ID", help="version to publish again (default: the one before this one)")
    command.add_argument("--reason", metavar="TEXT", help="why, in one line: it stands in the receipt and on the page")
    command.add_argument("--list", action="store_true", help="list the versions that are kept; change nothing")
    command.add_argument("--format", choices=("text", "json"), default="text", help="of the list (default: text)")
    command.add_argument(
        "--wait", type=seconds, default=60, metavar="SECONDS", help="wait this long for a run (default: 60)"
    )
