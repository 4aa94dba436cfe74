"""Managed files of a release from the answers of a product: what Copier renders, in a fiftieth of its time.

Copier compiles every name and setting anew for every product. Here a template is read and compiled once and rendered
for any number of products. It knows only what the standard uses; for anything else, and whenever its first result of a
release is not Copier's own, byte for byte, Copier renders instead. Nothing but time depends on this module.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path, PurePosixPath
from typing import Any
from unicodedata import normalize

from outer.drift import cache_folder
from outer.errors import UsageError
from outer.product import ANSWERS
from outer.update import by_copier
from outer.update.by_copier import INNER
from outer.update.questions import Answers, Beyond, Questions, read_answers

__all__ = ["Answers", "Managed", "Template", "read_answers"]

_SUFFIX = ".jinja"
_SETTINGS = frozenset(
    ("_subdirectory", "_min_copier_version", "_envops", "_exclude", "_skip_if_exists", "_message_before_copy",
     "_message_after_copy", "_message_before_update", "_message_after_update")
)  # fmt: skip
"""Settings of Copier that change no byte of a managed file, or are understood here."""


@dataclass(frozen=True)
class Managed:
    """A managed file as the standard renders it."""

    content: bytes
    executable: bool = False


@dataclass(frozen=True)
class _Source:
    """A file of the template: its name in parts, each a template of its own, and where it lies."""

    parts: tuple[str, ...]
    path: Path
    name: str
    """From the root of the suite, as Jinja's loader knows it."""
    rendered: bool
    executable: bool


class Template:
    """The template of one release in `folder`, read and compiled once.

    `_commit` and `_src_path` of a render are the answers' own, so that a product can be rendered at any pin.
    """

    def __init__(self, folder: Path, *, trusted: bool = False) -> None:
        """`trusted` leaves the comparison with Copier out. Raises `UsageError` where there is no template."""
        self.folder = folder.resolve()
        self._compiled: dict[str, Any] = {}
        self._specs: dict[tuple[str, ...], Any] = {}
        self._matched: dict[tuple[int, str], bool] = {}
        self._checked = trusted
        self.only_copier = ""
        """Why Copier renders this release; empty where this module does."""
        try:
            self._load()
        except (Beyond, OSError) as beyond:  # a dangling link, for example, may matter to nobody
            self.only_copier = str(beyond)

    def managed(self, answers: Mapping[str, Any], *, exact: bool = True) -> Mapping[str, Managed]:
        """The managed files of a product with these answers: path -> file.

        `answers` are those of .copier-answers.yml, `_commit` and `_src_path` included. With `exact` an answer that the
        release does not allow is refused with `UsageError`; otherwise the question's default takes its place, as in an
        update.
        """
        if not self.only_copier:
            try:
                result = self._managed(self._questions.settle(answers, exact=exact))
                return result if self._checked else self._compared(result, answers, exact)
            except Beyond:  # with these answers, others may do
                pass
        return self._by_copier(answers, exact=exact)

    def _compared(self, mine: Mapping[str, Managed], answers: Mapping[str, Any], exact: bool) -> Mapping[str, Managed]:
        """`mine`, if it is what Copier renders; else what Copier renders, now and from now on.

        Once a template was found equal, a note in the user's cache says so, under a key of all that it depends on.
        """
        self._checked = True
        note = cache_folder() / "equal" / self._state()
        if note.exists():
            return mine
        theirs = self._by_copier(answers, exact=exact)
        if theirs != mine:
            differing = {path for path in theirs.keys() | mine.keys() if theirs.get(path) != mine.get(path)}
            self.only_copier = f"it renders {', '.join(sorted(differing))} otherwise"
            return theirs
        with suppress(OSError):  # a machine that keeps nothing is slower, not wrong
            note.parent.mkdir(parents=True, exist_ok=True)
            note.touch()
        return mine

    def _state(self) -> str:
        """A name for everything that a render depends on, but the answers."""
        from importlib.metadata import version

        key = sha256(f"{version('copier')} {version('jinja2')}".encode())
        for name in ("render.py", "questions.py"):
            key.update(Path(__file__).with_name(name).read_bytes())
        sources = [source.path for source in self._sources]
        sources += [self.folder / "copier.yml", *self.folder.glob("blueprints/*/questions.yml")]
        sources += self.folder.glob("template/.*/*")
        for path in sorted(sources):
            key.update(os.fsencode(path.relative_to(self.folder)) + b"\0" + sha256(path.read_bytes()).digest())
        return key.hexdigest()

    def excluded(self, path: str, answers: Mapping[str, Any]) -> bool:
        """Whether an update by this release leaves `path` alone, whatever it holds: seeds, and what is no product's."""
        try:
            return self._excluded(path, self._lines(self._context(self._questions.settle(answers, exact=False))))
        except (Beyond, AttributeError):
            return path == "README.md" or (path.startswith(("inner/", "outer/")) and path != "outer/standard.yaml")

    def answers_of(self, given: Mapping[str, Any]) -> Answers:
        """What an update makes of the answers of a product; empty where only Copier knows."""
        try:
            return self._questions.settle(given, exact=False)
        except (Beyond, AttributeError):
            return Answers({}, {}, {}, {})

    # --- Reading ---------------------------------------------------------------------------------

    def _load(self) -> None:
        import yaml

        class Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
            pass

        def include(_: Any, node: Any) -> Mapping[str, Any]:
            merged: dict[str, Any] = {}
            for path in sorted(self.folder.glob(str(node.value))):
                for document in yaml.load_all(path.read_bytes(), Loader):
                    merged |= document or {}
            return merged

        Loader.add_constructor("!include", include)
        settings: dict[str, Any] = {}
        lists: dict[str, list[str]] = {"_exclude": [], "_skip_if_exists": []}
        try:
            documents = list(yaml.load_all((self.folder / "copier.yml").read_bytes(), Loader))
        except (OSError, ValueError, yaml.YAMLError) as error:
            raise UsageError(
                f"{self.folder} holds no template of the standard: {' '.join(str(error).split())[:200]}",
                "Name the repository of the suite.",
            ) from None
        for document in documents:
            settings |= document or {}
            for name, found in lists.items():
                found += (document or {}).get(name, [])
        unknown = {name for name in settings if name.startswith("_")} - _SETTINGS
        if unknown:
            raise Beyond(f"the setting {min(unknown)}")
        self._envops = dict(settings.get("_envops", {}))
        if self._envops.pop("undefined", "") != "jinja2.StrictUndefined":
            raise Beyond("undefined names that are not strict")
        self._exclude = tuple(lists["_exclude"])
        self._questions = Questions(settings, self._render)
        root = self.folder / str(settings.get("_subdirectory", ""))
        if "{" in str(settings.get("_subdirectory", "")) or not root.is_dir():
            raise Beyond("a folder of the template that depends on answers")
        self._sources = tuple(self._walk(root))

    def _walk(self, root: Path) -> Iterator[_Source]:
        for place, folders, names in os.walk(root, followlinks=True):
            folders[:] = sorted(name for name in folders if INNER not in name and name != "__pycache__")
            present = set(names)
            for name in sorted(names):
                if "{% yield" in name:
                    raise Beyond("a name that yields several files")
                if f"{name}{_SUFFIX}" in present:
                    continue
                path = Path(place, name)
                parts = path.relative_to(root).parts
                rendered = name.endswith(_SUFFIX)
                shown = (*parts[:-1], name.removesuffix(_SUFFIX)) if rendered else parts
                executable = bool(path.stat().st_mode & 0o100)
                yield _Source(shown, path, path.relative_to(self.folder).as_posix(), rendered, executable)

    @property
    def _environment(self) -> Any:
        if "" not in self._compiled:
            from jinja2 import FileSystemLoader, StrictUndefined
            from jinja2.sandbox import SandboxedEnvironment

            self._compiled[""] = SandboxedEnvironment(
                loader=FileSystemLoader(str(self.folder)),
                extensions=["jinja2_ansible_filters.AnsibleCoreFiltersExtension"],
                undefined=StrictUndefined,
                auto_reload=False,
                cache_size=-1,
                **self._envops,
            )
        return self._compiled[""]

    # --- Rendering -------------------------------------------------------------------------------

    def _managed(self, answers: Answers) -> Mapping[str, Managed]:
        context = self._context(answers)
        lines = self._lines(context)
        found: dict[str, Managed] = {}
        for source in self._sources:
            parts = [self._render(part, context) if "{" in part else part for part in source.parts]
            if not all(parts):
                continue
            path = str(PurePosixPath(*parts))
            if self._excluded(path, lines):
                continue
            if path in found or path.startswith("../"):
                raise Beyond(f"two files for {path}")
            content = self._file(source, context) if source.rendered else source.path.read_bytes()
            found[path] = Managed(content, source.executable)
        return found

    def _context(self, answers: Answers) -> Mapping[str, Any]:
        conf = {"answers_file": PurePosixPath(ANSWERS), "sep": os.sep}
        return {**answers.values, "_copier_answers": answers.remembered, "_copier_conf": conf}

    def _lines(self, context: Mapping[str, Any]) -> tuple[str, ...]:
        """The patterns of what an update leaves alone."""
        context = {**context, "_copier_operation": "update"}
        return tuple(line for entry in self._exclude for line in re.split(r"\r\n|\r|\n", self._render(entry, context)))

    def _excluded(self, path: str, lines: tuple[str, ...]) -> bool:
        from pathspec import PathSpec
        from pathspec import __version__ as version

        if lines not in self._specs:
            kind = "gitignore" if int(version.partition(".")[0]) >= 1 else "gitwildmatch"
            self._specs[lines] = PathSpec.from_lines(kind, (normalize("NFD", line) for line in lines))
        spec = self._specs[lines]
        key = (id(spec), path)
        if key not in self._matched:
            if len(self._matched) > 100_000:  # paths may hold names of products: memory stays flat
                self._matched.clear()
            self._matched[key] = spec.match_file(path)
        return self._matched[key]

    def _file(self, source: _Source, context: Mapping[str, Any]) -> bytes:
        from jinja2 import TemplateError

        try:
            return str(self._environment.get_template(source.name).render(context)).encode()
        except (TemplateError, UnicodeDecodeError, TypeError, ValueError) as error:
            raise Beyond(f"{source.name}: {error}") from None

    def _render(self, text: str, context: Mapping[str, Any]) -> str:
        if "{" not in text:
            return text
        from jinja2 import TemplateError

        try:
            if text not in self._compiled:
                self._compiled[text] = self._environment.from_string(text)
            return str(self._compiled[text].render(context))
        except (TemplateError, TypeError, ValueError) as error:
            raise Beyond(f"{text[:60]!r}: {error}") from None

    def _by_copier(self, answers: Mapping[str, Any], *, exact: bool) -> Mapping[str, Managed]:
        """The same, by Copier itself."""
        url = source = str(answers.get("_src_path"))
        with suppress(AttributeError, Beyond):  # where the questions were not understood either
            url = str(self._questions.default("suite_url", {"_copier_answers": {"_src_path": source}}) or source)
        found = by_copier.managed(self.folder, answers, url, exact=exact)
        return {path: Managed(*file) for path, file in found.items()}
