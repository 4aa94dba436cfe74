"""`outer policy`: which rules there are, what one of them asks for and why, and whether each does what it says."""

from __future__ import annotations

import json
import shutil
import tempfile
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from outer import __version__, suite
from outer.check import check
from outer.errors import NothingChecked, OuterError, UsageError
from outer.product import load
from outer.rule import FAMILIES, Change, Rule, Stage
from outer.rules import BY_ID, RULES


def select(rules: Iterable[str] = (), families: Iterable[str] = ()) -> tuple[Rule, ...] | None:
    """The rules with these ids and of these families, in either case of letters; None where nothing is named.

    Raises `UsageError` for a rule or a family that does not exist: a gate that judged nothing must not pass.
    """
    names = [name.upper() for name in rules]
    letters = [family.upper() for family in families]
    for name in names:
        if name not in BY_ID:
            raise UsageError(f"there is no rule {name!r}", _meant(name, BY_ID) or "`outer policy list` names all.")
    for family in letters:
        if family not in FAMILIES:
            raise UsageError(f"there is no family {family!r}", f"Name one of: {', '.join(FAMILIES)}.")
    if not names and not letters:
        return None
    return tuple(rule for rule in RULES if rule.id in names or rule.id[:3] in letters)


def _meant(name: str, known: Iterable[str]) -> str:
    close = get_close_matches(name, known, n=3)
    return f"Did you mean {' or '.join(close)}?" if close else ""
