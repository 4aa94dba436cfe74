"""A change of one file as people read it and `git apply` takes it."""

from __future__ import annotations

from difflib import unified_diff


def unified(before: bytes | None, after: bytes, path: str, moved_from: str = "") -> str:
    """The change from `before` (None: there was no file) to `after` at `path`, which lay at `moved_from` before."""
    old = moved_from or path
    head = f"rename from {old}\nrename to {path}\n" if moved_from else ""
    try:
        sides = [_lines(side or b"") for side in (before, after)]
    except UnicodeDecodeError:
        return f"{head}Binary files a/{old} and b/{path} differ\n"
    found = unified_diff(sides[0], sides[1], "/dev/null" if before is None else f"a/{old}", f"b/{path}")
    # git and patch expect a remark where a file does not end in a line end.
    return head + "".join(line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n" for line in found)


def _lines(data: bytes) -> list[str]:
    """Lines as git counts them: `\\n` ends one, no other sign does."""
    *lines, last = data.decode("utf-8").split("\n")
    return [f"{line}\n" for line in lines] + ([last] if last else [])
