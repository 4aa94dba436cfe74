"""The command line of `outer update`."""

from __future__ import annotations

import argparse


def declare(command: argparse.ArgumentParser) -> None:
    """Give `command` its arguments."""
    what = command.add_mutually_exclusive_group()
    what.add_argument("--dry-run", action="store_true", help="say what would change, write nothing")
    what.add_argument("--undo", action="store_true", help="put back what the last update changed, while not committed")
    command.add_argument("--to", metavar="REF", help="release of the standard (default: the newest)")
    command.add_argument("--prereleases", action="store_true", help="count release candidates among the newest")
    command.add_argument(
        "--suite",
        metavar="SOURCE",
        help="look for releases here (URL or folder) instead of where the product came from",
    )
    command.add_argument("--format", choices=("text", "json"), default="text", help="default: text")
