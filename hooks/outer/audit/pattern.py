"""Regular expressions as other engines must be told them, so that they find what RE2, the syntax of contracts, finds.

Only what all of them understand is let through: characters, classes, groups, alternatives, repetitions, anchors.
"""

from __future__ import annotations

import re

from outer.quality import Unknown
from outer.yamlfile import show

_CLASSES = {"d": "0-9", "w": "0-9A-Za-z_", "s": "\t\n\f\r "}
_CONTROLS = {"t": "\t", "n": "\n", "r": "\r", "f": "\f"}
_REPEAT = re.compile(r"[*+?]|\{[0-9]+(?:,[0-9]*)?\}")


def portable(pattern: str, end: str = "$") -> str:
    """`pattern` without what engines read differently; `end` is what ties it to the very end of a text.

    Raises `Unknown` for what not all engines have, such as word boundaries, flags and names of character classes.
    """
    written, at = [], 0
    while at < len(pattern):
        character = pattern[at]
        if character == "[":
            text, at = _set(pattern, at)
            written.append(text)
            continue
        if character == "\\":
            written.append(_escape(pattern, at + 1))
            at += 2
        elif pattern.startswith("(?:", at):
            written.append("(")
            at += 3
            continue
        elif pattern.startswith("(?", at):
            raise Unknown(f"{show(pattern)} uses {show(pattern[at : at + 3])}, which not every engine understands")
        else:
            written.append({".": "[^\n]", "$": end}.get(character, character))
            at += 1
        if character in "^$(|":
            continue
        if repeat := _REPEAT.match(pattern, at):
            written.append(repeat[0])
            at = repeat.end()
            if pattern.startswith("?", at):  # to be content with little changes what is found, not whether
                at += 1
    return "".join(written)


def _escape(pattern: str, at: int) -> str:
    character = pattern[at : at + 1]
    if character in _CONTROLS:
        return _CONTROLS[character]
    if character.lower() in _CLASSES and character:
        return f"[{'^' if character.isupper() else ''}{_CLASSES[character.lower()]}]"
    if not character or character.isalnum():
        raise Unknown(f"{show(pattern)} uses {show(chr(92) + character)}, which not every engine understands")
    return f"\\{character}"


def _set(pattern: str, at: int) -> tuple[str, int]:
    """The class of characters that begins at `at`, and where it ends."""
    at += 1
    negated = pattern.startswith("^", at)
    at += negated
    written: list[str] = []
    while at < len(pattern) and (pattern[at] != "]" or not written):
        character = pattern[at]
        if pattern.startswith(("[:", "[.", "[="), at):
            raise Unknown(f"{show(pattern)} names a class of characters, which not every engine understands")
        if character == "\\":
            text = _escape(pattern, at + 1)
            if text.startswith("[^"):
                raise Unknown(f"{show(pattern)} has {show(pattern[at : at + 2])} inside [ ]")
            written.append(text[1:-1] if text.startswith("[") else text)
            at += 2
            continue
        written.append(f"\\{character}" if character in "[]&~^" else character)
        at += 1
    if at >= len(pattern):
        raise Unknown(f"{show(pattern)} is no regular expression")
    text, at = f"[{'^' if negated else ''}{''.join(written)}]", at + 1
    if repeat := _REPEAT.match(pattern, at):
        text, at = text + repeat[0], repeat.end()
        at += pattern.startswith("?", at)
    return text, at
