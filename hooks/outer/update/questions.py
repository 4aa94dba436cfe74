"""The questions of a release, and what it makes of the answers that a product has."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from outer.errors import UsageError
from outer.product import ANSWERS

Render = Callable[[str, Mapping[str, Any]], str]
"""Renders a text of the template with these variables."""

_QUESTION = frozenset(
    ("type", "help", "default", "choices", "multiselect", "multiline", "placeholder", "validator", "when")
)
_FALSE = ("n", "no", "f", "false", "off", "~", "null", "none", "")


class Beyond(Exception):
    """The template uses something that only Copier knows."""


@dataclass(frozen=True)
class Answers:
    """The answers that a release goes by, and what became of those that a product had."""

    values: Mapping[str, Any]
    """What templates see."""
    remembered: Mapping[str, Any]
    """What .copier-answers.yml keeps."""
    new: Mapping[str, Any]
    """Questions that the product was never asked, with their defaults."""
    dropped: Mapping[str, Any]
    """Answers that the release has no question for, or does not allow any more."""


class Questions:
    """The questions of a release, in their order."""

    def __init__(self, settings: Mapping[str, Any], render: Render) -> None:
        """`settings`: all that copier.yml says. Raises `Beyond` where only Copier knows the kind of a question."""
        self._render = render
        self._known: dict[str, Mapping[str, Any]] = {}
        for name, entry in settings.items():
            if not name.startswith("_"):
                question = entry if isinstance(entry, dict) else {"default": entry}
                if set(question) - _QUESTION or question.get("type") not in _CASTS:
                    raise Beyond(f"the kind of the question {name}")
                self._known[name] = question

    def default(self, name: str, context: Mapping[str, Any]) -> Any:
        """The default of a question; None where it has none."""
        return self._text(self._known.get(name, {}).get("default"), context)

    def settle(self, given: Mapping[str, Any], *, exact: bool) -> Answers:
        """What the release makes of the answers of a product.

        With `exact` an answer that is not allowed is refused with `UsageError`; otherwise the default takes its place.
        """
        last = {name: value for name, value in given.items() if name in self._known}
        own = {name: value for name, value in given.items() if name in ("_commit", "_src_path")}
        dropped = {name: value for name, value in given.items() if name not in self._known and name not in own}
        settled: dict[str, Any] = {}
        hidden: set[str] = set()
        new: dict[str, Any] = {}
        for name, question in self._known.items():
            known = {**last, **settled}
            context = {**known, "_copier_answers": {**own, **{k: v for k, v in known.items() if k not in hidden}}}
            asked = _bool(self._text(question.get("when", True), context))
            if name in last:
                try:
                    parsed = self._parsed(name, question, last[name], context, validate=True)
                    if not asked:
                        raise ValueError("it is not asked")
                    settled[name] = parsed
                    continue
                except ValueError as error:
                    if exact and asked:
                        raise UsageError(
                            f"{ANSWERS}: the managed files cannot be rendered from these answers: {name}: {error}",
                            "Run `copier update`; it asks for the answer that is missing or no longer allowed.",
                        ) from None
                    if asked:
                        dropped[name] = last[name]
                    del last[name]
                    context.pop(name, None)
                    context["_copier_answers"].pop(name, None)
            if not asked:
                hidden.add(name)
            if "default" not in question:
                if asked:
                    raise UsageError(
                        f"{ANSWERS}: the question {name} has no answer that the release allows, and no default",
                        f"Answer it: `copier update -d {name}=VALUE`.",
                    )
                continue
            try:
                value = self._parsed(name, question, self._text(question["default"], context), context, validate=asked)
            except ValueError as error:
                raise UsageError(
                    f"{ANSWERS}: the default of the question {name} is not allowed here: {error}",
                    f"Answer it: `copier update -d {name}=VALUE`.",
                ) from None
            settled[name] = value
            if asked:
                new[name] = value
        remembered = {**own, **{name: value for name, value in settled.items() if name not in hidden}}
        return Answers({**settled}, remembered, new, dropped)

    def _parsed(
        self, name: str, question: Mapping[str, Any], value: Any, context: Mapping[str, Any], *, validate: bool
    ) -> Any:
        """`value` as an answer of its type. Raises `ValueError` where it is none that the question allows."""
        cast = _CASTS[question["type"]]
        choices = list(self._choices(question.get("choices"), cast, context))
        values = value if question.get("multiselect") else [value]
        if not isinstance(values, list):
            raise Beyond(f"the answer {name} in several parts")
        parsed = []
        try:
            for one in values:
                if one is None:
                    raise ValueError("it is empty")
                parsed.append(cast(one))
        except TypeError as error:
            raise ValueError(str(error)) from None
        for one in parsed if choices else ():
            why = [problem for choice, problem in choices if choice == one]
            if not why or all(why):
                raise ValueError(next(filter(None, why), f"{one!r} is no choice"))
        answer = parsed[0] if not question.get("multiselect") else [c for c, _ in choices if c in parsed]
        if validate and question.get("validator"):
            problem = self._render(question["validator"], {**context, name: answer}).strip()
            if problem:
                raise ValueError(problem)
        return answer

    def _choices(self, choices: Any, cast: Any, context: Mapping[str, Any]) -> Iterator[tuple[Any, str]]:
        """Every choice, and why it is not allowed; empty where it is."""
        if isinstance(choices, str):
            raise Beyond("choices that depend on answers")
        for choice in choices.items() if isinstance(choices, dict) else choices or ():
            value = choice[1] if isinstance(choice, (tuple, list)) else choice
            problem = ""
            if isinstance(value, dict):
                problem = self._text(value.get("validator", ""), context)
                value = value["value"]
            yield cast(self._text(value, context)), problem

    def _text(self, value: Any, context: Mapping[str, Any]) -> Any:
        if isinstance(value, list):
            return [self._text(one, context) for one in value]
        return self._render(value, context) if isinstance(value, str) else value


def _str(value: Any) -> str:
    if isinstance(value, bool) or not isinstance(value, (str, int, float)):
        raise ValueError(f"{value!r} is no text")
    return str(value)


def _bool(value: Any) -> bool:
    """As Copier reads it: numbers, the words of YAML, and whatever is not empty."""
    with suppress(TypeError, ValueError):
        return bool(float(value))
    if isinstance(value, str) and value.strip().lower() in _FALSE:
        return False
    return bool(value)


_CASTS: Mapping[str, Callable[[Any], Any]] = {"str": _str, "int": int, "bool": _bool}


def read_answers(product: Path) -> Mapping[str, Any]:
    """The answers of the product at `product` as Copier reads them. Raises `UsageError` where there are none."""
    import yaml

    try:
        answers = yaml.load((product / ANSWERS).read_bytes(), getattr(yaml, "CSafeLoader", yaml.SafeLoader))  # noqa: S506
    except (OSError, ValueError, yaml.YAMLError) as error:  # ValueError: a date that is none
        mark, why = getattr(error, "problem_mark", None), getattr(error, "problem", None) or error
        where = f"{product / ANSWERS}{f':{mark.line + 1}' if mark else ''}"
        raise UsageError(
            f"{where} cannot be read: {' '.join(str(why).split())[:200]}", "Take the file back from git."
        ) from None
    usable = isinstance(answers, dict) and all(
        isinstance(answers.get(name), str) and answers[name] for name in ("_commit", "_src_path")
    )
    if not usable:
        raise UsageError(
            f"{product / ANSWERS} does not say from which release of which suite the product comes",
            "Take the file back from git. (A product that was copied from a folder outside git cannot be updated.)",
        )
    return answers  # type: ignore[no-any-return]  # the loader is untyped
