"""Semantic versions (semver.org 2.0.0): order, and how large a step is."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import IntEnum

_SEMVER = re.compile(
    r"(0|[1-9][0-9]{0,8})\.(0|[1-9][0-9]{0,8})\.(0|[1-9][0-9]{0,8})"
    r"(?:-([0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*))?(?:\+[0-9A-Za-z.-]+)?\Z"
)


class Bump(IntEnum):
    """The step that a change asks for, or that a version makes."""

    NONE = 0
    PATCH = 1
    MINOR = 2
    MAJOR = 3

    @property
    def word(self) -> str:
        return self.name.lower()


@dataclass(frozen=True)
class Version:
    """A semantic version; what stands after `+` does not count."""

    major: int
    minor: int
    patch: int
    pre: tuple[str, ...] = ()

    def __str__(self) -> str:
        core = f"{self.major}.{self.minor}.{self.patch}"
        return f"{core}-{'.'.join(self.pre)}" if self.pre else core

    @property
    def key(self) -> tuple[object, ...]:
        """For sorting, by the precedence of semver.org, section 11."""
        parts = tuple((0, int(p), "") if p.isdecimal() else (1, 0, p) for p in self.pre)
        return (self.major, self.minor, self.patch, not self.pre, parts)

    @property
    def line(self) -> tuple[int, int]:
        """Versions of one line promise not to break each other: a major, or before 1.0.0 a minor."""
        return (self.major, 0) if self.major else (0, self.minor)

    def step(self, new: Version) -> Bump:
        """How large the step from here to `new` is; NONE where it goes down. Before 1.0.0 a minor acts as a major."""
        if new.key <= self.key:
            return Bump.NONE
        if new.major != self.major:
            return Bump.MAJOR
        if new.minor != self.minor:
            return Bump.MINOR if self.major else Bump.MAJOR
        return Bump.PATCH if self.major else Bump.MINOR

    def after(self, bump: Bump) -> Version:
        """The next version that makes the step `bump`."""
        if bump is Bump.NONE:
            return self
        if self.pre:
            last = self.pre[-1]
            counted = (*self.pre[:-1], str(int(last) + 1)) if last.isdecimal() else (*self.pre, "1")
            return Version(self.major, self.minor, self.patch, counted)
        if not self.major:
            bump = Bump.MINOR if bump is Bump.MAJOR else Bump.PATCH
        match bump:
            case Bump.MAJOR:
                return Version(self.major + 1, 0, 0)
            case Bump.MINOR:
                return Version(self.major, self.minor + 1, 0)
            case _:
                return Version(self.major, self.minor, self.patch + 1)


def version(text: object) -> Version | None:
    """The version that `text` says, or None where it is no semantic version."""
    match = _SEMVER.match(text) if isinstance(text, str) else None
    if match is None:
        return None
    major, minor, patch = (int(part) for part in match.group(1, 2, 3))
    return Version(major, minor, patch, tuple(match[4].split(".")) if match[4] else ())
