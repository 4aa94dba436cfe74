"""TOOL: what the tool cannot judge. It says so instead of being silent."""

from __future__ import annotations

from functools import partial

from outer.compat.change import Change, show
from outer.compat.rule import Category, Grade, column, contract, rule

risky = partial(rule, category=Category.TOOL, grade=Grade.RISKY)


@risky(
    "TOOL001",
    "*",
    title="A clause changed that no rule knows.",
    why="It may promise something to readers, and nobody has judged it.",
    todo="Say what the clause means and whether readers rely on it; ask the platform team for a rule.",
    bad=column("", "colour: red"),
    good=column("", "examples: [1]"),
)
def unknown(change: Change) -> str | None:
    if change.old is None:
        said = f"{show(change.new)} was added"
    elif change.new is None:
        said = f"{show(change.old)} was removed"
    else:
        said = f"{show(change.old)} to {show(change.new)}"
    name = change.name if change.clause.startswith("custom") else change.key
    return f"no rule knows `{name}` of {change.label}: {said}" if name else f"no rule knows {change.label}: {said}"


@risky(
    "TOOL002",
    "contract.apiVersion",
    "descriptor.apiVersion",
    title="The version of the standard changed.",
    why="Tools that read the old one may refuse the new one, and some clauses mean something else.",
    todo="Find out that all readers of the file know the new version, and write it down.",
    bad=contract("apiVersion: v3.1.0", "apiVersion: v3.2.0"),
    good=contract("apiVersion: v3.1.0", "apiVersion: v3.1.0\ntags: [x]"),
)
def standard(change: Change) -> str | None:
    return f"{change.label} is written for {show(change.new)}, before for {show(change.old)}"


@risky(
    "TOOL003",
    "shallow",
    title="The clone is shallow, so that earlier releases are not seen.",
    why="A break against a version that is still supported would stay unseen.",
    todo="Fetch the whole history and the tags: `git fetch --unshallow --tags` (in CI: fetch-depth 0).",
    bad=contract("", "", shallow=True),
    good=contract("", ""),
)
def shallow(change: Change) -> str | None:
    return "the clone is shallow: releases before its border were not compared"


@risky(
    "TOOL004",
    "unreadable",
    title="A contract of an earlier release cannot be read.",
    why="A break against it would stay unseen.",
    todo="Compare by hand; a contract cannot be mended in a release.",
    bad=contract("", "", released="apiVersion: v9.9.9"),
    good=contract("", "", released="apiVersion: v3.1.0"),
)
def unreadable(change: Change) -> str | None:
    return f"{change.name} of release {change.scene.release} was not compared: {change.new}"
