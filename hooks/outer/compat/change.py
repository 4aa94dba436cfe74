"""What differs between two documents: one change for each clause, its elements matched by name, and never silence."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Any

from outer.compat import grammar, units
from outer.compat.grammar import Bundle, Listed
from outer.compat.versions import Bump
from outer.yamlfile import Pointer
from outer.yamlfile import show as printable

Element = Mapping[str, Any]


@dataclass(frozen=True)
class Past:
    """A column as it stood in an earlier release, under a name that may since be gone."""

    release: str
    column: Element


@dataclass(frozen=True)
class Scene:
    """What a rule may know besides the change itself."""

    old: Element = field(default_factory=dict)
    """The whole older document; empty where there is none."""
    new: Element = field(default_factory=dict)
    as_of: date = date.min
    classifications: Sequence[str] = ()
    """From open to closed (outer/standard.yaml)."""
    visibilities: Sequence[str] = ()
    """From few readers to many."""
    statuses: Sequence[str] = ()
    """The states of the life cycle, in order."""
    notice_days: int = 90
    """Least time between the announcement of an end and the end."""
    past: Mapping[str, tuple[Past, ...]] = field(default_factory=dict)
    """Column path -> how released versions of the port, of whatever major, described it."""
    successor: bool = False
    """Whether a newer major of the same port stands beside the contract."""
    overwritten: str = ""
    """File in which a newer major took the place of the older contract."""
    ended: frozenset[tuple[str, str]] = frozenset()
    """Output ports (name, version) whose contract had come to its end, or promised nothing yet."""
    release: str = ""
    """Tag of the release that holds another content under the same version."""
    need: Bump = Bump.NONE
    """What all changes together ask for."""
    next_version: str = ""
    pinned: tuple[str, ...] = ()
    """Changes of a pinned contract in one direction, in words."""


@dataclass(frozen=True, eq=False)
class Change:
    """One clause that is not as it was. `old` or `new` is None where it stands on one side only."""

    clause: str
    """Kind of element and key: `column.required`; a whole element that came or went is `column`."""
    name: str
    """The element in question, as a path where it is nested: `address.zip`, `items[].sku`."""
    old: Any
    new: Any
    old_at: Pointer
    new_at: Pointer
    owner: Change | None
    """The element that holds the clause, as it stands on both sides."""
    scene: Scene

    @property
    def key(self) -> str:
        """The key as it is written in the file."""
        at = self.new_at or self.old_at
        return str(at[-1]) if at else ""

    @property
    def before(self) -> Element:
        """The older element: itself, or the one that holds the clause."""
        return _side(self.old if self.owner is None or "." not in self.clause else self.owner.old)

    @property
    def after(self) -> Element:
        return _side(self.new if self.owner is None or "." not in self.clause else self.owner.new)

    @property
    def around(self) -> Change:
        """The element that holds the clause; of a whole element, the one that holds it."""
        return self.owner or self

    @property
    def label(self) -> str:
        """The element for a message, as in: column `amount`."""
        kind = self.clause.partition(".")[0]
        if kind not in NOUNS and self.owner is not None:
            return self.owner.label
        noun = NOUNS.get(kind, kind)
        return f"{noun} {show(self.name)}" if self.name else f"the {noun}"

    def enclosing(self, kind: str) -> Change | None:
        """The nearest element of `kind` around the clause."""
        here: Change | None = self
        while here is not None and here.clause != kind:
            here = here.owner
        return here


NOUNS: Mapping[str, str] = {
    "contract": "contract", "descriptor": "product", "table": "table", "column": "column", "quality": "quality rule",
    "sla": "service level", "server": "server", "role": "role", "support": "support channel", "member": "member",
    "relationship": "relationship", "definition": "definition", "inputPort": "input port", "outputPort": "output port",
    "managementPort": "management port", "lineage": "input contract", "team": "team", "sbom": "bill of materials",
    "synonym": "synonym",
}  # fmt: skip

_NAMES: Mapping[str, tuple[str, ...]] = {
    "sla": ("property",), "server": ("server", "environment"), "role": ("role",), "support": ("channel",),
    "member": ("username",), "relationship": ("to",), "definition": ("type", "url"), "lineage": ("id",),
    "quality": ("name", "metric", "rule", "type"), "sbom": ("url",), "synonym": ("synonym",),
}  # fmt: skip


def show(value: Any) -> str:
    """`value` for a message: on one line, printable, short, and the same in whatever order its keys stand."""
    return printable(word(value))


def word(value: Any) -> str:
    """`value` as text: itself, or as JSON."""
    return value if isinstance(value, str) else grammar.text(value)


def listing(side: Mapping[str, Any]) -> str:
    """Keys and values for a message, as in `minimum 0, maximum 5`; `none` where there are none."""
    return ", ".join(f"{k} {word(v)}" for k, v in side.items()) or "none"


def _side(value: Any) -> Element:
    return value if isinstance(value, dict) else {}


def changes(scene: Scene, kind: str) -> list[Change]:
    """Every change between `scene.old` and `scene.new`, which are of `kind` contract or descriptor.

    Empty exactly where `grammar.equal` finds nothing. What is written otherwise and means the same is a change of the
    clause `notation`; prose that differs in blanks and marks only is one of the clause `wording`.
    """
    name = word(scene.new.get("name") or scene.old.get("name") or "")
    root = Change(kind, name, scene.old, scene.new, (), (), None, scene)
    return list(_element(root)) if not grammar.equal(kind, scene.old, scene.new) else []


def _element(here: Change) -> Iterator[Change]:
    old, new = _side(here.old), _side(here.new)
    taken = set(grammar.KEY_FLAGS) if here.clause == "column" else set()
    for bundle in grammar.BUNDLES.get(here.clause, ()):
        taken.update(bundle.keys)
        yield from _bundle(here, bundle, old, new)
    for key in dict.fromkeys((*old, *new)):
        clause = f"{here.clause}.{key}"
        if key in taken or clause in grammar.SKIPPED:
            continue
        part = _part(here, clause, key, old.get(key), new.get(key))
        if not grammar.equal(clause, part.old, part.new):
            yield from _clause(part)


def _part(here: Change, clause: str, key: str, old: Any, new: Any) -> Change:
    return Change(clause, here.name, old, new, (*here.old_at, key), (*here.new_at, key), here, here.scene)


def _bundle(here: Change, bundle: Bundle, old: Element, new: Element) -> Iterator[Change]:
    seen, now = bundle.view(old), bundle.view(new)
    rewritten = any(not grammar.equal("", old.get(key), new.get(key)) for key in bundle.keys)
    if rewritten or not grammar.equal("", seen, now):
        key = next((k for k in bundle.keys if k in new), next((k for k in bundle.keys if k in old), bundle.keys[0]))
        yield from _leaf(_part(here, bundle.clause, key, seen, now))


def _clause(part: Change) -> Iterator[Change]:
    here = grammar.listed(part.clause)
    if part.clause.endswith(".team"):
        part = replace(part, old=grammar.team(part.old), new=grammar.team(part.new))
    if here is not None:
        yield from _misshapen(part, list)
        yield from _listed(part, here)
    elif part.clause in grammar.OBJECTS:
        yield from _misshapen(part, dict)
        yield from _element(replace(part, clause=grammar.OBJECTS[part.clause]))
    elif part.clause in grammar.NESTED:
        suffix = "[]" if part.clause == "column.items" else f"[{part.key}]"
        nested = replace(part, clause="column", name=part.name + suffix)
        yield from _element(nested) if part.old is not None and part.new is not None else iter((nested,))
    else:
        yield from _leaf(part)


def _misshapen(part: Change, kind: type) -> Iterator[Change]:
    """A list or object that is something else counts as empty, and is reported besides."""
    if any(value is not None and not isinstance(value, kind) for value in (part.old, part.new)):
        yield part


def _leaf(part: Change) -> Iterator[Change]:
    if grammar.same(part.clause, part.old, part.new, part.before, part.after):
        yield replace(part, clause="notation")
    elif grammar.same_words(part.clause, part.old, part.new):
        yield replace(part, clause="wording")
    else:
        yield part


# --- Lists --------------------------------------------------------------------------------------------------------

_Pair = tuple[int | None, int | None]


def _listed(part: Change, here: Listed) -> Iterator[Change]:
    old = part.old if isinstance(part.old, list) else []
    new = part.new if isinstance(part.new, list) else []
    pairs = match(old, new, here)
    if here.element == "column":
        yield from _key(part, old, new, pairs)
        yield from _order(part, old, new, pairs)
    for i, j in pairs:
        before, after = (None if i is None else old[i]), (None if j is None else new[j])
        if i is not None and j is not None and grammar.equal(here.element, before, after):
            continue
        name = _name(here.element, part, after if j is not None else before)
        old_at = (*part.old_at, i) if i is not None else part.old_at
        new_at = (*part.new_at, j) if j is not None else part.new_at
        entry = Change(here.element, name, before, after, old_at, new_at, part.owner, part.scene)
        if here.element == "custom":
            yield from _custom(entry)
        elif i is None or j is None or not (isinstance(before, dict) and isinstance(after, dict)):
            yield entry
        else:
            yield from _element(entry)


def match(old: Sequence[Any], new: Sequence[Any], here: Listed) -> list[_Pair]:
    """Positions of the entries that are the same on both sides, then of those that went, then of those that came."""
    left, right = dict(enumerate(old)), dict(enumerate(new))
    pairs: list[_Pair] = []

    for identity in (grammar.exact, *here.identities):
        waiting: dict[Hashable, list[int]] = {}
        for j, element in right.items():
            key = identity(element) if isinstance(element, dict) or identity is grammar.exact else None
            if key is not None:
                waiting.setdefault(key, []).append(j)
        for i, element in list(left.items()):
            key = identity(element) if isinstance(element, dict) or identity is grammar.exact else None
            if key is not None and waiting.get(key):
                j = waiting[key].pop(0)
                pairs.append((i, j))
                del left[i], right[j]
    gone: list[_Pair] = [(i, None) for i in left]
    return sorted(pairs, key=lambda p: p[1] or 0) + gone + [(None, j) for j in right]


def _name(kind: str, part: Change, element: Any) -> str:
    if not isinstance(element, dict):
        return word(element)
    keys = _NAMES.get(kind, ("name",))
    name = next((word(element[key]) for key in keys if element.get(key) is not None), "")
    if kind != "column":
        return name
    parent = part.around
    return f"{parent.name}.{name}" if parent.clause == "column" else name


def _custom(entry: Change) -> Iterator[Change]:
    old, new = _side(entry.old), _side(entry.new)
    name = (new or old).get("property")
    if name is None:
        yield replace(entry, clause="custom.nameless")
        return
    clause = grammar.CUSTOMS.get(units.plain(name), "custom")
    value = replace(
        entry, clause=clause, name=word(name), old=old.get("value"), new=new.get("value"),
        old_at=(*entry.old_at, "value") if old else entry.old_at,
        new_at=(*entry.new_at, "value") if new else entry.new_at,
    )  # fmt: skip
    if not grammar.equal(clause, value.old, value.new) or not (old and new):
        yield from _leaf(value)
    if old and new:
        rest = [{k: v for k, v in side.items() if k != "value"} for side in (old, new)]
        if not grammar.equal("custom", *rest):
            yield replace(entry, clause="custom.note", name=word(name))


def _key(part: Change, old: Sequence[Any], new: Sequence[Any], pairs: Sequence[_Pair]) -> Iterator[Change]:
    """The primary key of a table is one clause: which columns, in which order, whatever the positions are called."""
    partner = {i: j for i, j in pairs if i is not None and j is not None}
    before, after = _positions(old), _positions(new)
    flags = [[{k: c.get(k) for k in grammar.KEY_FLAGS} for c in map(_side, side)] for side in (old, new)]
    clause = f"{part.around.clause}.key"
    change = replace(
        part, clause=clause, owner=part.owner, old=[_text(old[i]) for i in before], new=[_text(new[j]) for j in after]
    )
    if [partner.get(i, -1) for i in before] != after:
        yield change
    elif any(not grammar.equal("", flags[0][i], flags[1][j]) for i, j in partner.items()):
        yield replace(change, clause="notation")


def _positions(columns: Sequence[Any]) -> list[int]:
    keyed = [(i, c.get("primaryKeyPosition")) for i, c in enumerate(map(_side, columns)) if c.get("primaryKey") is True]
    return [i for i, position in sorted(keyed, key=lambda k: (k[1] if _whole(k[1]) else 1, k[0]))]


def _whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value > 0


def _text(column: Any) -> str:
    return word(_side(column).get("name"))


def _order(part: Change, old: Sequence[Any], new: Sequence[Any], pairs: Sequence[_Pair]) -> Iterator[Change]:
    common = [(i, j) for i, j in pairs if i is not None and j is not None]
    by_old = [j for _, j in sorted(common)]
    if by_old != sorted(by_old):
        yield replace(
            part,
            clause=f"{part.around.clause}.order",
            old=[_text(old[i]) for i, _ in sorted(common)],
            new=[_text(new[j]) for _, j in sorted(common, key=lambda p: p[1])],
        )
