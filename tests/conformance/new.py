"""`nox -s new_blueprint -- NAME`: a runnable starting point in blueprints/NAME, with its link and its choice.

What it copies stands in tests/conformance/start: a job in DuckDB SQL that a plain shell command runs. It needs no code
around it, so what has to be replaced is in sight; a product made from it is at bronze at once.
"""

from __future__ import annotations

import argparse
import re
import shutil
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import yaml

import suite_repo
from outer.errors import PASS, OuterError, UsageError
from outer.talk import put

START = Path(__file__).with_name("start")
_NAME = re.compile(r"[a-z][a-z0-9]*(?:_[a-z0-9]+)*\Z")
_RESERVED = re.compile(r"(?:con|prn|aux|nul|com[0-9]|lpt[0-9]|y|n|yes|no|on|off|true|false|null)\Z")
"""What Windows does not allow as the name of a folder, or YAML reads as a value."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Make the blueprint that `arguments` name; returns the exit code."""
    parser = argparse.ArgumentParser(
        prog="nox -s new_blueprint --", description="Make a runnable starting point for a blueprint."
    )
    parser.add_argument("name", metavar="NAME", help="lower-case words joined by underscores")
    parser.add_argument("--title", default="", help="what people choose it by (default: made from the name)")
    options = parser.parse_args(arguments)
    try:
        made = create(suite_repo.ROOT, options.name, options.title)
    except OuterError as error:
        print(f"new_blueprint: {error}", file=sys.stderr)
        return error.exit_code
    put(*made)
    print(f"next: python3 noxfile.py -s conformance -- {options.name} --level quick", file=sys.stderr)
    return PASS


def create(suite: Path, name: str, title: str = "") -> list[str]:
    """Make folder, link and choice of the blueprint `name` in `suite`, and give what was made, one line for each.

    Raises `UsageError` when the name cannot be used, one of the three is there already, or no link can be made. Nothing
    is changed then.
    """
    title = title or name.replace("_", " ").capitalize()
    for problem in _problems(suite, name, title):
        raise problem
    copier = suite / "copier.yml"
    text = copier.read_text(encoding="utf-8")
    offered = offer(text, name, title)
    folder, link = suite / "blueprints" / name, suite / "template" / link_name(name)
    # The choice comes last: until then nobody is offered what is not yet there.
    with tempfile.TemporaryDirectory(dir=suite / "blueprints", prefix=".new-") as place:
        made = shutil.copytree(START, Path(place) / name)
        for path in (made / "blueprint.yml", made / "questions.yml", made / "README.md"):
            path.write_text(path.read_text("utf-8").replace("NAME", name).replace("TITLE", title), encoding="utf-8")
        try:
            link.symlink_to(f"../blueprints/{name}/inner")
        except OSError as error:
            todo = "Git has to keep links (core.symlinks), and on Windows Developer Mode lets it make them."
            raise UsageError(f"template/{link.name}: the link cannot be made: {error.strerror}", todo) from None
        made.rename(folder)
    copier.write_text(offered, encoding="utf-8")
    return [f"blueprints/{name}/", f"template/{link.name}", f"copier.yml: {title}"]


def link_name(name: str) -> str:
    """Name of the link in template/ that leads to the inner of the blueprint `name`."""
    return f"{{% if blueprint == '{name}' %}}inner{{% endif %}}"


def offer(text: str, name: str, title: str) -> str:
    """`text` of copier.yml with one line more: the choice of the blueprint `name`, after those that are there.

    Raises `UsageError` when the place cannot be found.
    """
    lines = text.splitlines(keepends=True)
    for number in _choices(lines):
        last = number
    line = f"    {title}: {name}\n"
    made = "".join([*lines[: last + 1], line, *lines[last + 1 :]])
    before, after = (next(yaml.load_all(t, _Loader)) for t in (text, made))
    before["blueprint"]["choices"][title] = name
    if before != after:
        raise UsageError("copier.yml: the choice cannot be added in one line", f"Add it by hand: {line.strip()}")
    return made


def _choices(lines: list[str]) -> Iterator[int]:
    """Numbers of the lines that hold the choices of the question `blueprint`, what belongs to one of them included."""
    inside, found = False, False
    for number, line in enumerate(lines):
        if re.match(r"\S", line):
            inside = line.startswith("blueprint:")
            if found:
                return
        elif inside and line.strip() == "choices:":
            found = True
        elif found and re.match(r" {4,}\S", line):
            yield number
        elif found and line.strip():
            return
    if not found:
        raise UsageError("copier.yml: the question `blueprint` with its `choices` was not found", "Mend copier.yml.")


def _problems(suite: Path, name: str, title: str) -> Iterator[UsageError]:
    if not _NAME.match(name) or len(name) > 40:
        yield UsageError(
            f"{name!r} is no name for a blueprint", "Take lower-case words joined by underscores, as in duckdb_sql."
        )
    if _RESERVED.match(name):
        yield UsageError(f"{name!r} means something else to YAML or to Windows", "Take another one.")
    if not re.match(r"[A-Za-z0-9][\w ,.()+-]{1,99}\Z", title):
        yield UsageError(f"the title {title!r} cannot stand in a line of YAML", "Take letters, digits and , . ( ) + -")
    taken = [
        what
        for what, there in (
            (f"blueprints/{name}", (suite / "blueprints" / name).exists()),
            (f"template/{link_name(name)}", (suite / "template" / link_name(name)).is_symlink()),
            ("a choice in copier.yml", name in values(suite)),
        )
        if there
    ]
    if taken:
        yield UsageError(f"{name} is taken: there is {', '.join(taken)}", "Take another name, or remove all three.")
    titles = suite_repo.questions(suite)["blueprint"]["choices"]
    if title in titles:
        yield UsageError(f"the title {title!r} is taken", "Give another one: --title.")
    # No managed file may hold a word of a stack, and from now on this is one.
    for path in sorted((suite / "template").rglob("*")):
        if not path.is_file() or "if blueprint ==" in str(path) or path.suffix == ".parquet":
            continue
        if name in re.findall(r"[a-z]+", path.read_text(encoding="utf-8").lower()):
            yield UsageError(
                f"the outer half uses the word {name!r} ({path.relative_to(suite)})",
                f"Take a name that says more, as in {name}_sql.",
            )


def values(suite: Path) -> list[str]:
    """The blueprints that `copier.yml` of `suite` offers."""
    return suite_repo.choices(suite_repo.questions(suite)["blueprint"])


class _Loader(yaml.SafeLoader):
    """Reads copier.yml; what it includes is left as it is."""


_Loader.add_constructor("!include", lambda _, node: str(node.value))

if __name__ == "__main__":
    sys.exit(main())
