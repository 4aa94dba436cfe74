"""The shape of data: columns, types, zones and partitions, which nobody needs to read rows for."""

from __future__ import annotations

from outer.audit import plan
from outer.audit.judge import Judge, listed, missing
from outer.datatypes import fields, fits, kind, physical, same
from outer.quality import Unknown
from outer.result import How, Outcome, Result
from outer.yamlfile import show


class Structure(Judge):
    """Judges what a contract says of the shape of its data."""

    def _columns(self, item: plan.Columns) -> Result:
        wanted, found = list(item.names), list(self.facts.types)
        if item.field is not None:
            held_in = self.sql.found(item.field)
            if held_in is None:
                return self._unsaid(item, missing(item.field))
            if not (found := list(fields(held_in))):
                if item.field in self.wrong:
                    return self._unsaid(item, "the column has another type")
                return self._unsaid(item, f"what is in a {held_in} is not looked into")
        lacking = [c for c in wanted if c not in found]
        extra = [c for c in found if c not in wanted] if item.closed else []
        said = [f"missing: {listed(lacking)}"] if lacking else []
        said += [f"not in the contract: {listed(extra)}"] if extra else []
        # Columns in the names of folders have no place among the others.
        folders = (self.facts.partitions or ()) if item.field is None else ()
        files = [c for c in found if c not in folders]
        if item.closed and not said and [c for c in wanted if c not in folders] != files:
            said.append(f"in another order: {listed(found)}")
        how = f"{len(wanted)} {'columns' if item.field is None else 'fields'}"
        how += ", in this order and no others" if item.closed else ""
        return self._say(item, "failed" if said else "passed", "file metadata", how, "; ".join(said))

    def _typed(self, item: plan.Typed) -> Result:
        found = self.sql.found(item.field)
        if found is None:
            return self._unsaid(item, missing(item.field))
        expected = " as ".join(t for t in (item.logical, item.physical) if t)
        if not expected:
            return self._unsaid(item, "the contract names no type")
        outcome: Outcome = "passed"
        if item.physical:
            wanted = physical(item.physical)
            if wanted is None:
                self.wrong.add(item.field)
                reason = f"unknown rule: nobody can tell which type {show(item.physical)} is"
                return self._say(item, "failed", "could not run", expected, found, reason)
            outcome = "passed" if same(wanted, found) else "failed"
        if outcome == "passed" and item.logical and not fits(item.logical, found):
            outcome = "failed"
        if outcome == "failed":
            self.wrong.add(item.field)
        unfit = (self.facts.unfit or {}).get(item.field.column, 0) if len(item.field.path) == 1 else 0
        if unfit:
            return self._counted(item, expected, int(unfit), lambda: ())
        how: How = "file metadata" if self.facts.unfit is None else "scan"
        return self._say(item, outcome, how, expected, found)

    def _zoned(self, item: plan.Zoned) -> Result:
        found = self.sql.found(item.field)
        if found is None:
            return self._unsaid(item, missing(item.field))
        if kind(found) not in ("timestamp", "time"):
            raise Unknown(f"timezone cannot be held against a column of the type {found}")
        outcome: Outcome = "passed" if ("TIME ZONE" in found) is item.zoned else "failed"
        return self._say(item, outcome, "file metadata", f"{'a' if item.zoned else 'no'} time zone", found)

    def _partitioned(self, item: plan.Partitioned) -> Result:
        if self.facts.partitions is None:
            return self._unsaid(item, "a port is one file, which has no partitions")
        folders, expected = self.facts.partitions, f"folders named {item.field.column}=…"
        found = item.field.column in folders
        if item.position:
            level = self.plan.partitions.index(item.field.column)
            expected += f" at level {level + 1}"
            found = folders[level : level + 1] == (item.field.column,)
        observed = f"folders by {listed(folders)}" if folders and not found else ""
        return self._say(item, "passed" if found else "failed", "file metadata", expected, observed)
