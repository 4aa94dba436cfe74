"""The command line of `outer migrate`."""

from __future__ import annotations

import argparse


def declare(command: argparse.ArgumentParser) -> None:
    """Give `command` its arguments."""
    what = command.add_mutually_exclusive_group()
    what.add_argument("--write", action="store_true", help="write what the diff shows, all of it or nothing")
    what.add_argument("--check", action="store_true", help="exit 1 where something is to be migrated, for CI")
    what.add_argument("--list", action="store_true", help="list every migration there is, and why")
    command.add_argument("--format", choices=("text", "json"), default="text", help="default: text")
