"""One truth for a mart: the contract of its output port. What dbt enforces is derived from it, and held against it.

`uv run python -m pipeline.contracts MODEL CONTRACT` writes models/marts/MODEL.yml from the file CONTRACT (Open Data
Contract Standard); every run stops when the model and the contract of its port have drifted apart.
"""

import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from pipeline.files import canonical
from pipeline.ports import Column

MARTS = Path(__file__).resolve().parents[1] / "models" / "marts"
HEADER = """\
# The columns of {model} that dbt enforces, with their types, limits and key.
# Derived from the contract of the output port, never edited. Change the contract, then:
#   uv run python -m pipeline.contracts {model} CONTRACT

"""
# What SQL calls these types on every engine but one, by the name that DuckDB has for them.
PORTABLE = {
    "VARCHAR": "string",
    "DOUBLE": '{{ "double" if target.type == "databricks" else "double precision" }}',
}
LIMITS = {"minimum": ">=", "maximum": "<=", "exclusiveMinimum": ">", "exclusiveMaximum": "<"}


class DriftError(Exception):
    """A model and the contract of its port say different things; the message is one line."""


def check(node: Any, columns: Iterable[Column]) -> None:
    """Hold a model (a node of dbt's manifest) against the columns of a contract. Raises DriftError."""
    drift = list(_drift(node, list(columns)))
    if drift:
        raise DriftError(
            f"model {node.name} is not as the contract of its port: {'; '.join(drift)}; change the model, then: "
            f"uv run python -m pipeline.contracts {node.name} CONTRACT"
        )


def _drift(node: Any, columns: list[Column]) -> Iterator[str]:
    if not node.contract.enforced:
        yield "dbt does not enforce its contract"
    names = [column.name for column in columns]
    for name in node.columns:
        if name not in names:
            yield f"column {name} is not in the contract"
    for column in columns:
        if column.name not in node.columns:
            yield f"column {column.name} is missing"
            continue
        found = node.columns[column.name]
        type_ = canonical(found.data_type or "no type")
        if type_ != canonical(column.type):
            yield f"column {column.name} is {type_}, in the contract {column.type}"
        required = any(constraint.type == "not_null" for constraint in found.constraints)
        if required != column.required:
            yield f"column {column.name} may {'not ' if required else ''}be null, unlike in the contract"
    if sorted(node.columns) == sorted(names) and list(node.columns) != names:
        yield f"its columns come in another order than {', '.join(names)}"


def derive(model: str, contract: Mapping[str, Any]) -> str:
    """Give the text of models/marts/<model>.yml, derived from a data contract as its file says it."""
    [table] = contract["schema"]
    columns = table["properties"]
    keys = sorted(
        (c for c in columns if c.get("primaryKey")), key=lambda c: c.get("primaryKeyPosition", 0)
    )
    properties: dict[str, Any] = {"name": model, **_description(table)}
    properties["config"] = {"contract": {"enforced": True}}
    properties["columns"] = [_column(column) for column in columns]
    if keys:
        test = {"arguments": {"columns": [column["name"] for column in keys]}}
        properties["data_tests"] = [{"unique_key": test}]
    text = yaml.dump(
        {"models": [properties]},
        Dumper=_Indented,
        sort_keys=False,
        width=10_000,
        allow_unicode=True,
    )
    return HEADER.format(model=model) + text


def _column(column: Mapping[str, Any]) -> dict[str, Any]:
    name, type_ = column["name"], canonical(column["physicalType"])
    derived: dict[str, Any] = {"name": name}
    derived["data_type"] = PORTABLE.get(type_, type_.lower())
    derived |= _description(column)
    if column.get("required") or column.get("primaryKey"):
        derived["constraints"] = [{"type": "not_null"}]
    options = column.get("logicalTypeOptions") or {}
    limits = [
        f"{name} {sign} {_literal(options[key], type_)}"
        for key, sign in LIMITS.items()
        if key in options
    ]
    if limits:
        derived["data_tests"] = [{"holds": {"arguments": {"condition": " and ".join(limits)}}}]
    return derived


def _description(entry: Mapping[str, Any]) -> dict[str, str]:
    """What a table or column means. A test of the project asks for it, and names what has none."""
    return {"description": entry["description"]} if entry.get("description") else {}


def _literal(value: object, type_: str) -> str:
    """A limit as SQL: bare, 2013-01-01 would be a subtraction."""
    moment = type_.startswith(("DATE", "TIME"))
    return f"cast('{value}' as {type_.lower()})" if moment else str(value)


class _Indented(yaml.SafeDumper):
    """Writes lists indented below their key, as people do."""

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        super().increase_indent(flow, False)


def main(arguments: list[str]) -> int:
    """Derive the file of the model in `arguments` from the contract in `arguments`. Returns the exit code."""
    if len(arguments) != 2:
        print("usage: python -m pipeline.contracts MODEL CONTRACT", file=sys.stderr)
        return 2
    model, contract = arguments
    file = MARTS / f"{model}.yml"
    try:
        text = derive(model, yaml.safe_load(Path(contract).read_text(encoding="utf-8")))
    except (OSError, yaml.YAMLError, LookupError, TypeError, ValueError) as error:
        print(f"error: {contract}: not a data contract: {error!r}", file=sys.stderr)
        return 1
    file.write_text(text, encoding="utf-8")
    print(file)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
