"""What a release says that products will see: its part of the suite's CHANGELOG.md."""

from __future__ import annotations

import re
from pathlib import Path

from outer.update.suite import version

_HEADING = re.compile(r"^## \[?v?([^\]\s]+)\]?.*$", re.MULTILINE)


def between(folder: Path, current: str, target: str) -> str:
    """The sections of CHANGELOG.md in `folder` that are newer than `current` and not newer than `target`.

    Empty where there is no changelog, or where the pins name no versions.
    """
    try:
        text = (folder / "CHANGELOG.md").read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return ""
    low, high = version(current), version(target)
    if low is None or high is None:
        return ""
    headings = list(_HEADING.finditer(text))
    ends = [heading.start() for heading in headings[1:]] + [len(text)]
    sections = [
        text[heading.start() : end].strip()
        for heading, end in zip(headings, ends, strict=True)
        if (number := version(heading.group(1))) is not None and low < number <= high
    ]
    return "\n\n".join(section for section in sections if section.count("\n"))
