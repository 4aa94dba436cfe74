"""One process of a fleet command: reads jobs from stdin, one JSON object to a line, and answers each on stdout.

It is run by path, under the `outer` that PYTHONPATH names: the one of this command, or the one of another release of
the suite, whose products only that release may judge. So all that it imports from `outer` is what every release has:
`load`, `check`, `File`, `parse` and the errors. Jobs of this release alone are named `module:function`.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

REVISIONS = 60
"""How far back it is looked since when a finding is there."""

_SEEN = ("outer", "inner/inner.yaml")
"""Where the files are that are taken from git."""


def main() -> None:
    """Answer jobs until stdin ends."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # whatever a rule prints must not stand between the answers
    with tempfile.TemporaryDirectory(prefix="outer-fleet-") as folder:
        os.environ["COPIER_CACHE_DIR"] = folder  # Copier's is not locked against other processes
        for number, line in enumerate(sys.stdin):
            answers.write(json.dumps(_answer(json.loads(line)), default=str) + "\n")
            answers.flush()
            if number == 0:  # what the first product has loaded stays: the collector need not look at it again
                gc.freeze()
                gc.set_threshold(20_000)


def _answer(job: Mapping[str, Any]) -> Mapping[str, Any]:
    from outer.errors import OuterError

    name, arguments = str(job["job"]), dict(job["arguments"])
    try:
        function: Callable[..., Any]
        if ":" in name:
            module, _, attribute = name.partition(":")
            function = getattr(importlib.import_module(module), attribute)
        else:
            function = {"judge": judge}[name]
        return {"value": function(**arguments)}
    except OuterError as error:
        return {"error": nameless(error.what, str(arguments.get("root", ""))), "todo": error.todo}
    except Exception as error:
        if os.environ.get("OUTER_TRACEBACK"):
            raise
        return {"error": f"internal error: {type(error).__name__}: {error}", "todo": "Report this."}


def nameless(words: str, root: str) -> str:
    """`words` without where the product lies on this machine: they are read elsewhere, beside its name."""
    for end in (": ", "/", " "):
        words = words.replace(f"{root}{end}", "") if root else words
    return words


# --- Judging ------------------------------------------------------------------------------------------------------


def judge(
    root: str,
    as_of: str,
    rules: Sequence[str] | None = None,
    policies: str | None = None,
    enforced: bool = False,
    since: bool = False,
    pin: str | None = None,
) -> Mapping[str, Any]:
    """What the gate says of the product in `root` on the day `as_of`.

    `rules` are ids, by default all; `policies` is a folder of further ones, and then `rules` are looked for there as
    well. With `enforced` they are judged as if they were enforced already; with `since` every finding tells since when
    it is there, as far as git knows. With `pin`, that of this release, the parameters of this release count instead of
    those that the product has, also for what it was.
    """
    from outer.product import load

    chosen = _rules(rules, policies)
    if enforced and chosen is not None:
        chosen = tuple(replace(rule, draft=False, enforced_from=None) for rule in chosen)
    product = load(Path(root))
    if pin is not None:
        product = _renewed(product, pin)
    return judged(product, date.fromisoformat(as_of), chosen, since=since, renewed=pin is not None)


def judged(
    product: Any, day: date, chosen: Any = None, *, since: bool = False, renewed: bool = False
) -> Mapping[str, Any]:
    """What the gate says of `product` by the rules `chosen` (None: all), ready to become JSON."""
    from outer.check import check

    report = check(product, day, *([chosen] if chosen is not None else []))
    first = _Since(product, chosen, day, renewed=renewed) if since and report.findings else None
    return {
        "rules": report.rules,
        "objects": report.objects,
        "crashed": [list(entry) for entry in report.crashed],
        "findings": [
            {
                "rule": finding.rule,
                "level": str(finding.level),
                "path": finding.path,
                "line": finding.place.line,
                "message": finding.message,
                "todo": finding.todo,
                "waived": finding.waived,
                **({"since": first.of(finding)} if first else {}),
            }
            for finding in report.findings
        ],
    }


def _renewed(product: Any, pin: str) -> Any:
    """The product with outer/standard.yaml as this release renders it."""
    from outer.drift import managed_files
    from outer.product import STANDARD, File
    from outer.yamlfile import parse

    answers = product.answers
    if answers is None:
        return product
    value = {**answers.value, "_commit": pin}
    content = managed_files(replace(answers, document=replace(answers.document, value=value))).get(STANDARD)
    return product if content is None else replace(product, standard=File(STANDARD, parse(content)))


def _rules(names: Sequence[str] | None, policies: str | None) -> Any:
    """The rules of these names, those of the folder `policies` before this release's own; None for all of these."""
    from outer.errors import UsageError
    from outer.rules import RULES

    further: tuple[Any, ...] = ()
    if policies is not None:
        from outer.declared import policies as declared

        further = declared(Path(policies))
    if names is None:
        return further or None
    known = {rule.id: rule for rule in (*RULES, *further)}
    missing = [name for name in names if name not in known]
    if missing:
        raise UsageError(f"there is no rule {missing[0]!r}", "`outer policy list` names all.")
    return tuple(known[name] for name in names)


# --- Since when ----------------------------------------------------------------------------------------------------


class _Since:
    """Tells since which commit a finding is there, by judging the product as it was, the newest revision first.

    Descriptor, contracts, waivers, the standard and inner.yaml are taken from git; whatever else a rule looks at is as
    it is now.
    """

    def __init__(self, product: Any, rules: Any, day: date, *, renewed: bool) -> None:
        self._product, self._rules, self._day, self._renewed = product, rules, day, renewed
        self._found: dict[str, set[tuple[str, str, str]]] = {}
        told = self._git("log", f"-{REVISIONS}", "--format=%H %cI", "--", *_SEEN)
        self._log = [tuple(line.split(" ", 1)) for line in told.decode("ascii", "replace").splitlines()]

    def of(self, finding: Any) -> str:
        """When the commit was made, as git writes it; empty where what is found was not committed, or git is not there.

        In a history that is longer than what is looked at, the finding may be older.
        """
        since = ""
        for commit, time in self._log:
            if (finding.rule, finding.path, finding.key or finding.message) not in self._at(commit):
                break
            since = time
        return since

    def _at(self, commit: str) -> set[tuple[str, str, str]]:
        if commit not in self._found:
            from outer.check import check

            report = check(self._then(commit), self._day, *([self._rules] if self._rules is not None else []))
            self._found[commit] = {(f.rule, f.path, f.key or f.message) for f in report.findings}
        return self._found[commit]

    def _then(self, commit: str) -> Any:
        """The product with the YAML files that it had at `commit`."""
        from outer import product as names
        from outer.yamlfile import Unreadable, parse

        unreadable: dict[str, Any] = {}
        files: dict[str, Any] = {}
        for path, content in self._contents(commit):
            try:
                files[path] = names.File(path, parse(content))
            except Unreadable as error:
                unreadable[path] = error

        def contracts(folder: str) -> tuple[Any, ...]:
            return tuple(f for path, f in sorted(files.items()) if path.startswith(f"{folder}/") and ".odcs." in path)

        return replace(
            self._product,
            descriptor=files.get(names.DESCRIPTOR),
            standard=self._product.standard if self._renewed else files.get(names.STANDARD),
            waivers=files.get(names.WAIVERS),
            inner=files.get(names.INNER),
            output_contracts=contracts(names.OUTPUT_CONTRACTS),
            input_contracts=contracts(names.INPUT_CONTRACTS),
            unreadable=unreadable,
        )

    def _contents(self, commit: str) -> Iterator[tuple[str, bytes]]:
        """The YAML files of the product at `commit`."""
        listed = self._git("ls-tree", "-r", "-z", commit, "--", *_SEEN).decode("utf-8", "replace").split("\0")
        entries = [(name, path) for line in listed if line for head, _, path in [line.partition("\t")]
                   for mode, kind, name in [head.split(" ")] if kind == "blob" and mode != "120000"]  # fmt: skip
        entries = [(name, path) for name, path in entries if path.endswith((".yaml", ".yml"))]
        told = self._git("cat-file", "--batch", data="".join(f"{name}\n" for name, _ in entries).encode())
        at = 0
        for _, path in entries:
            end = told.find(b"\n", at)
            size = int(told[at:end].rpartition(b" ")[2] or b"0") if end >= 0 else 0
            yield path, told[end + 1 : end + 1 + size]
            at = end + 2 + size

    def _git(self, *arguments: str, data: bytes = b"") -> bytes:
        own = {name: value for name, value in os.environ.items() if not name.startswith("GIT_") or "CONFIG" in name}
        safe = ("-c", "safe.directory=*", "-c", "core.fsmonitor=false", "-c", "core.hooksPath=/dev/null")
        command = ["git", *safe, "-c", "log.showSignature=false", *arguments]
        try:
            done = subprocess.run(
                command, cwd=self._product.root, env=own | {"LC_ALL": "C", "GIT_OPTIONAL_LOCKS": "0"},
                input=data, capture_output=True, check=False, timeout=60,
            )  # fmt: skip
        except (OSError, subprocess.TimeoutExpired):
            return b""
        return done.stdout if done.returncode == 0 else b""


if __name__ == "__main__":
    main()
