"""The standard as a git repository: its releases, each unpacked once and asked often."""

from __future__ import annotations

import re
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

from outer.errors import UsageError
from outer.git import public
from outer.update.render import Managed, Template
from outer.update.repository import git
from outer.update.successor import Migrated, Successor
from outer.yamlfile import show

if TYPE_CHECKING:
    from packaging.version import Version

_AFTER_TAG = re.compile(r".+-[0-9]+-g([0-9a-f]{7,40})\Z")


class Release:
    """One release of the standard, unpacked in `folder`."""

    def __init__(self, tag: str, commit: str, folder: Path) -> None:
        self.tag = tag
        """As it becomes the pin: what `git describe --tags` says of the commit."""
        self.commit = commit
        self.folder = folder
        self.template = Template(folder)
        self._successor: Successor | None = None

    @property
    def version(self) -> Version | None:
        """The version that the tag names; None where it names none."""
        return version(self.tag)

    def managed(self, answers: Mapping[str, Any], *, exact: bool = True) -> Mapping[str, Managed]:
        """The managed files, at this release, of a product with these answers (those of .copier-answers.yml).

        With `exact` an answer that the release does not allow is refused; otherwise its default takes its place. Raises
        `UsageError` where the answers do not fit the questions.
        """
        return self.template.managed({**answers, "_commit": self.tag}, exact=exact)

    def migrate(
        self, product: Path, *, dry_run: bool = False, check: bool = True, as_of: date | None = None
    ) -> Migrated:
        """Migrate the seeds of `product`, and judge it as on the day `as_of`, both by the `outer` of this release.

        It runs in a process of its own, which is started once and serves any number of products. Raises `UsageError`
        where a seed cannot be read or the command of the release does not start; nothing is written then.
        """
        if self._successor is None:
            self._successor = Successor(self.tag, self.folder)
        return self._successor.migrate(product, dry_run=dry_run, check=check, as_of=as_of)

    def close(self) -> None:
        """End the process that `migrate` started."""
        if self._successor is not None:
            self._successor.close()
            self._successor = None


class Suite:
    """The repository of the standard. Releases are unpacked on first use and shared by all products."""

    def __init__(self, source: str, repository: Path, space: Path) -> None:
        self.source = public(source)
        """Where it came from, for people."""
        self.repository = repository
        """Its git folder on this machine; another process may open it with `at`."""
        self._space = space
        self._releases: dict[str, Release] = {}
        self._commits: dict[str, str] = {}
        self._tags: tuple[str, ...] | None = None

    @classmethod
    @contextmanager
    def at(cls, source: str | Path) -> Iterator[Suite]:
        """The suite at a URL or path. A path is read where it is; a URL is mirrored once, while the block lasts.

        Raises `UsageError` where it cannot be reached.
        """
        name = str(source).removeprefix("git+")
        with tempfile.TemporaryDirectory(prefix="outer-suite-") as folder:
            space = Path(folder)
            local = Path(name).expanduser()
            if "://" not in name and local.is_dir():
                place, _, below = git(local, "rev-parse", "--absolute-git-dir", "--show-prefix").partition("\n")
                if below.strip():
                    raise UsageError(
                        f"{show(name, 200)} is a folder in a repository, not a suite of its own",
                        "Name the folder that holds copier.yml.",
                    )
                repository = Path(place)
            else:
                repository = space / "mirror.git"
                try:
                    git(space, "clone", "--quiet", "--mirror", "--", name, str(repository))
                except UsageError as error:
                    raise UsageError(
                        f"the suite {show(public(name), 200)} cannot be reached: {error.what.partition(': ')[2]}",
                        "Check the address (`_src_path` in .copier-answers.yml), the network and your access.",
                    ) from None
            suite = cls(name, repository, space)
            try:
                yield suite
            finally:
                for release in suite._releases.values():
                    release.close()

    def tags(self, *, candidates: bool = False) -> tuple[str, ...]:
        """Tags that are versions (PEP 440), the newest first; release candidates only when asked for."""
        if self._tags is None:
            listed = git(self.repository, "tag", "--list").split()
            known = [(number, tag) for tag in listed if (number := version(tag)) is not None]
            self._tags = tuple(tag for _, tag in sorted(known, reverse=True))
        return tuple(t for t in self._tags if candidates or not getattr(version(t), "is_prerelease", False))

    def release(self, ref: str | None = None, *, candidates: bool = False) -> Release:
        """The release at a tag or commit; by default the newest tag. Raises `UsageError` where there is none."""
        if ref is None:
            known = self.tags(candidates=candidates)
            if not known:
                raise UsageError(f"{show(self.source, 200)} has no release yet", "Name a tag or commit: --to REF.")
            ref = known[0]
        commit = self._commit(ref)
        if commit not in self._releases:
            tag = git(self.repository, "describe", "--tags", "--always", commit).strip()
            folder = self._space / commit
            folder.mkdir()
            variables = {"GIT_INDEX_FILE": str(self._space / f"{commit}.index")}
            git(self.repository, f"--work-tree={folder}", "checkout", "--quiet", "--force", commit, "--", ".",
                variables=variables)  # fmt: skip
            self._releases[commit] = Release(tag, commit, folder)
        return self._releases[commit]

    def follows(self, later: Release, earlier: Release) -> bool:
        """Whether `later` is `earlier` or comes after it: by version, or by history where one has no version."""
        if later.commit == earlier.commit:
            return True
        if later.version is not None and earlier.version is not None:
            return later.version > earlier.version
        base = git(self.repository, "merge-base", later.commit, earlier.commit, fine=(0, 1)).strip()
        return base == earlier.commit

    def drop(self, release: Release) -> None:
        """Forget a release that is not needed any more, and free its space."""
        release.close()
        self._releases.pop(release.commit, None)
        with suppress(OSError):
            shutil.rmtree(release.folder)

    def _commit(self, ref: str) -> str:
        if ref not in self._commits:
            described = _AFTER_TAG.match(ref)
            for name in (f"refs/tags/{ref}", described.group(1) if described else ref):
                found = git(self.repository, "rev-parse", "--verify", "--quiet", "--end-of-options",
                            f"{name}^{{commit}}", fine=(0, 1, 128)).strip()  # fmt: skip
                if found:
                    self._commits[ref] = found.splitlines()[-1]
                    break
            else:
                newest = ", ".join(self.tags(candidates=True)[:3]) or "no release"
                raise UsageError(
                    f"{show(self.source, 200)} has no release {show(ref)}; the newest: {newest}",
                    "Name one of its tags. A pin that is not there any more can be set by the platform team alone.",
                )
        return self._commits[ref]


def version(tag: str) -> Version | None:
    """The version (PEP 440) that a tag names; None where it names none."""
    from packaging.version import InvalidVersion, Version

    try:
        return Version(tag)
    except InvalidVersion:
        return None
