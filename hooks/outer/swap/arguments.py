"""The command line of `outer swap`."""

from __future__ import annotations

import argparse


def declare(command: argparse.ArgumentParser) -> None:
    """Add the options of `outer swap`."""
    doing = command.add_mutually_exclusive_group()
    doing.add_argument(
        "--to", metavar="BLUEPRINT", help="begin: scaffold it in inner-next/, compare, switch if the data are equal"
    )
    doing.add_argument("--compare", action="store_true", help="run both inners and compare; changes nothing")
    doing.add_argument("--switch", action="store_true", help="compare, and make inner-next/ the inner if equal")
    doing.add_argument("--continue", dest="go_on", action="store_true", help="end a switch that was interrupted")
    doing.add_argument("--abort", action="store_true", help="give the swap up; inner-next/ is kept in .swap/")
    doing.add_argument("--back", action="store_true", help="take back the inner that the last switch replaced")
    command.add_argument("--scaffold", action="store_true", help="with --to: only scaffold, compare later")
    command.add_argument(
        "-d", "--data", action="append", type=_answer, default=[], metavar="NAME=VALUE",
        help="with --to: answer a question that only this blueprint asks; repeatable",
    )  # fmt: skip
    command.add_argument(
        "--accept-differences", metavar="REASON", help="switch whatever the comparison says; the reason is recorded"
    )
    command.add_argument(
        "--tolerance", type=_tolerance, default=0.0, metavar="X",
        help="let floating-point numbers differ by X, relative above 1 (default: 0, exactly equal)",
    )  # fmt: skip
    command.add_argument("--format", choices=("text", "json", "markdown"), default="text", help="default: text")
    command.add_argument("--report", metavar="FILE", help="also write the comparison to FILE, as Markdown")


def _answer(text: str) -> tuple[str, str]:
    name, separator, value = text.partition("=")
    if not (name and separator):
        raise argparse.ArgumentTypeError(f"{text!r} is not NAME=VALUE")
    return name, value


def _tolerance(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from 0 to below 1")
    return value
