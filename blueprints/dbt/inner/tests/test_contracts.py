"""One truth: what dbt enforces is what the contract of the output port says."""

import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml

from pipeline import contracts
from pipeline.contracts import MARTS, DriftError, check, derive
from pipeline.ports import Column
from pipeline.project import ROOT

PROPERTIES = [
    {
        "name": "day",
        "physicalType": "DATE",
        "description": "A day.",
        "logicalTypeOptions": {"minimum": "2013-01-01", "exclusiveMaximum": "2014-01-01"},
        "primaryKey": True,
        "primaryKeyPosition": 1,
    },
    {"name": "word", "physicalType": "VARCHAR", "description": "A word."},
    {
        "name": "share",
        "physicalType": "DOUBLE",
        "description": "A share.",
        "required": True,
        "logicalTypeOptions": {"minimum": 0, "maximum": 1},
    },
]
COLUMNS = [
    Column("day", "DATE", True),
    Column("word", "VARCHAR", False),
    Column("share", "DOUBLE", True),
]


def node(*columns: tuple[str, str, bool], enforced: bool = True) -> Any:
    """A model as dbt's manifest has it: (name, type, not null) of each column."""
    return SimpleNamespace(
        name="fct_words",
        contract=SimpleNamespace(enforced=enforced),
        columns={
            name: SimpleNamespace(
                data_type=type_, constraints=[SimpleNamespace(type="not_null")] * required
            )
            for name, type_, required in columns
        },
    )


DAY, WORD, SHARE = (
    ("day", "date", True),
    ("word", "string", False),
    ("share", "double precision", True),
)


def test_a_model_like_its_contract_passes_whatever_the_types_are_called() -> None:
    check(node(DAY, WORD, SHARE), COLUMNS)


@pytest.mark.parametrize(
    ("model", "said"),
    [
        (node(DAY, WORD), "column share is missing"),
        (node(DAY, WORD, SHARE, ("more", "date", False)), "column more is not in the contract"),
        (node(DAY, ("word", "integer", False), SHARE), "column word is INTEGER, in the contract VARCHAR"),
        (node(DAY, ("word", "string", True), SHARE), "column word may not be null, unlike in the contract"),
        (node(("day", "date", False), WORD, SHARE), "column day may be null, unlike in the contract"),
        (node(WORD, DAY, SHARE), "in another order than day, word, share"),
        (node(DAY, WORD, SHARE, enforced=False), "dbt does not enforce"),
    ],
)  # fmt: skip
def test_each_drift_is_named_with_what_to_do(model: Any, said: str) -> None:
    with pytest.raises(DriftError, match=said) as error:
        check(model, COLUMNS)
    assert "python -m pipeline.contracts fct_words" in str(error.value)


def test_types_nulls_key_and_limits_are_derived() -> None:
    contract = {"schema": [{"description": "Words of a day.", "properties": PROPERTIES}]}
    [model] = yaml.safe_load(derive("fct_words", contract))["models"]
    assert (model["name"], model["description"]) == ("fct_words", "Words of a day.")
    assert model["config"] == {"contract": {"enforced": True}}
    day, word, share = model["columns"]
    assert day["data_type"] == "date"
    assert word == {"name": "word", "data_type": "string", "description": "A word."}
    assert "double precision" in share["data_type"]
    assert day["data_tests"] == [
        {
            "holds": {
                "arguments": {
                    "condition": "day >= cast('2013-01-01' as date) and day < cast('2014-01-01' as date)"
                }
            }
        }
    ]
    assert share["constraints"] == day["constraints"] == [{"type": "not_null"}]
    assert share["data_tests"] == [
        {"holds": {"arguments": {"condition": "share >= 0 and share <= 1"}}}
    ]
    assert model["data_tests"] == [{"unique_key": {"arguments": {"columns": ["day"]}}}]


def test_a_column_without_a_description_or_a_place_in_the_key_is_derived_all_the_same() -> None:
    day = {"name": "day", "physicalType": "DATE", "primaryKey": True}
    [model] = yaml.safe_load(derive("fct_words", {"schema": [{"properties": [day]}]}))["models"]
    assert model["columns"] == [
        {"name": "day", "data_type": "date", "constraints": [{"type": "not_null"}]}
    ]


def test_a_file_that_is_no_contract_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "contract.yaml"
    file.write_text("schema: []\n", encoding="utf-8")
    assert contracts.main(["fct_words", str(file)]) == 1
    assert "contract.yaml: not a data contract" in capsys.readouterr().err


def test_the_marts_say_what_the_contracts_of_this_product_say() -> None:
    inner, folder = ROOT / "inner.yaml", ROOT.parent / "outer" / "contracts" / "output"
    if not inner.exists():
        pytest.skip("not inside a data product")
    commands = [w["run"] for w in yaml.safe_load(inner.read_text(encoding="utf-8"))["workloads"]]
    fills = [pair for command in commands for pair in re.findall(r"(\w+)=(\w+)", command)]
    assert fills
    for model, port in fills:
        versions = [
            yaml.safe_load(file.read_text(encoding="utf-8")) for file in folder.glob("*.odcs.yaml")
        ]
        of_port = [contract for contract in versions if contract["name"] == port]
        newest = max(of_port, key=lambda c: [int(number) for number in c["version"].split(".")])
        text = (MARTS / f"{model}.yml").read_text(encoding="utf-8")
        assert text == derive(model, newest), (
            f"derive it: python -m pipeline.contracts {model} CONTRACT"
        )
