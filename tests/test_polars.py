"""The Polars blueprint: its rules are those of the contracts, bad rows are kept, buckets and tables can be ports.

The object storage is a server of this machine that speaks S3; the test starts and stops it.
"""

from __future__ import annotations

import json
import subprocess
import time
import urllib.request
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import yaml
from polars.testing import assert_frame_equal

import suite_repo
from inners import call, free_port, install, program
from products import outer

SAMPLES = suite_repo.ROOT / "template" / "outer" / "samples"
PORT = "carrier_punctuality"
MOTO = "moto[server]>=5.1,<6"

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def inner(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The blueprint's project, installed from its lock with the library for Delta."""
    return install("polars", tmp_path_factory.mktemp("polars"), "--group", "delta")


def build(inner: Path, folder: Path, inputs: Mapping[str, str], *, form: str = "parquet", **environment: str) -> Path:
    """Run the pipeline on `inputs`, as the outer would, and give what it wrote."""
    output = folder / PORT
    ports = {
        "since": None,
        "inputs": {name: {"location": location, "format": "parquet"} for name, location in inputs.items()},
        "outputs": {PORT: {"location": str(output), "format": form, "previous": None}},
        "quarantine": {},
    }
    (folder / "ports.json").write_text(json.dumps(ports))
    told = {"PORTS_FILE": str(folder / "ports.json"), **environment}
    call([program(inner, "python"), "-m", "pipeline", PORT], inner, **told)
    return output


LOCAL = {name: str(SAMPLES / f"{name}.parquet") for name in ("flights", "airlines")}


@pytest.mark.parametrize("folder", ["plain", "mine und übrige's 100%"])
def test_its_own_tests_pass_with_every_format(inner: Path, tmp_path: Path, folder: str) -> None:
    (tmp_path / folder).mkdir()  # a name that addresses escape: Polars itself does not find the files of a Delta table
    place = ["--basetemp", tmp_path / folder / "made"]
    said = call(["uv", "run", "--no-sync", "pytest", "-q", "-p", "no:cacheprovider", *place], inner)
    assert "passed" in said
    assert "skipped" not in said


# --- Rules of the contracts -----------------------------------------------------------------------

RULES = """
import json
from pipeline.punctuality import Airlines, Flights, Punctuality
def rules(column):
    names = ("min", "max", "regex", "min_length")
    found = {name: getattr(column, name, None) for name in names}
    return {"required": not column.nullable, "key": bool(column.primary_key)} | found
said = {s.__name__: {n: rules(c) for n, c in s.columns().items()} for s in (Airlines, Flights, Punctuality)}
print(json.dumps(said))
"""


def promised(contract: Path) -> dict[str, dict[str, Any]]:
    """What a contract says of each column, in the words of `RULES`."""
    (table,) = yaml.safe_load(contract.read_text())["schema"]
    found = {}
    for column in table["properties"]:
        options = column.get("logicalTypeOptions", {})
        found[column["name"]] = {
            "required": column["required"],
            "key": column.get("primaryKey", False),
            "min": options.get("minimum"),
            "max": options.get("maximum"),
            "regex": options.get("pattern"),
            "min_length": options.get("minLength"),
        }
    return found


def test_its_schemas_have_the_rules_of_the_contracts(inner: Path, product: Path) -> None:
    schemas = json.loads(call([program(inner, "python"), "-c", RULES], inner))
    contracts = product / "outer" / "contracts"
    inputs = {name: promised(contracts / "input" / f"{name}.v1.odcs.yaml") for name in ("flights", "airlines")}
    # Where they differ on purpose: a year that a date can hold; and airlines twice are no matter of rows.
    inputs["flights"]["year"] |= {"min": 1, "max": 9999}
    inputs["airlines"]["carrier"] |= {"key": False}
    for name, schema in (("flights", schemas["Flights"]), ("airlines", schemas["Airlines"])):
        assert schema == {column: inputs[name][column] for column in schema}
    assert schemas["Punctuality"] == promised(contracts / "output" / f"{PORT}.v1.odcs.yaml")


# --- Quarantine -----------------------------------------------------------------------------------


def run(product: Path, flights: pl.DataFrame, folder: Path) -> dict[str, Any]:
    """`outer run` on these flights; the receipt of it."""
    flights.write_parquet(folder / "flights.parquet")
    done = outer(product, "run", "-q", "--input", f"flights={folder / 'flights.parquet'}")
    assert done.returncode == 0, done.stderr
    receipt: dict[str, Any] = json.loads((product / "data/local/current/receipt.json").read_text())
    return receipt


def test_a_run_keeps_and_counts_what_it_sets_aside_and_publishes_the_rest_unchanged(
    product: Path, tmp_path: Path
) -> None:
    good = pl.read_parquet(SAMPLES / "flights.parquet")
    plain = run(product, good, tmp_path)
    assert not plain["quarantine"]
    broken = good.head(3).with_columns(
        carrier=pl.Series(["", None, "UA"]), dep_time=pl.Series([1, 2, 2401], dtype=pl.Int32)
    )
    receipt = run(product, pl.concat([broken, good, broken]), tmp_path)
    assert receipt["outputs"][0]["sha256"] == plain["outputs"][0]["sha256"]
    (kept,) = receipt["quarantine"]
    assert (kept["port"], kept["rows"]) == ("flights", 6)
    assert kept["share"] == pytest.approx(6 / (good.height + 6))
    rows = pl.read_parquet(product / "data/local" / kept["file"])
    assert rows["broken_rules"].to_list() == ["carrier|regex", "carrier|nullability", "dep_time|max"] * 2
    same = rows.drop("broken_rules").columns
    assert_frame_equal(rows.select(same), pl.concat([broken, broken]).select(same))


# --- Formats and places of ports ------------------------------------------------------------------


def test_a_delta_port_holds_the_rows_types_and_order_of_a_parquet_port(inner: Path, tmp_path: Path) -> None:
    (tmp_path / "parquet").mkdir()
    (tmp_path / "delta").mkdir()
    parquet = build(inner, tmp_path / "parquet", LOCAL)
    table = build(inner, tmp_path / "delta", LOCAL, form="delta")
    (data,) = table.glob("*.parquet")
    assert data.read_bytes() == parquet.read_bytes()
    (log,) = (table / "_delta_log").glob("*.json")
    actions = [json.loads(line) for line in log.read_text().splitlines()]
    added = [action["add"]["path"] for action in actions if "add" in action]
    assert added == [data.name]


@pytest.fixture(scope="module")
def bucket(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """A server that speaks S3, with the bucket `deliveries`; the environment that leads there."""
    folder = tmp_path_factory.mktemp("moto")
    port = free_port()
    address = f"http://127.0.0.1:{port}"
    # In an environment of its own: it is a web application with sixty dependencies.
    command = ["uv", "run", "--no-project", "--with", MOTO, "moto_server", "-H", "127.0.0.1", "-p", str(port)]
    with (folder / "log").open("wb") as log:
        server = subprocess.Popen(command, cwd=folder, stdout=log, stderr=subprocess.STDOUT)
        try:
            while True:
                assert server.poll() is None, (folder / "log").read_text()
                try:
                    request = urllib.request.Request(f"{address}/deliveries", method="PUT")  # noqa: S310 (our own)
                    urllib.request.urlopen(request, timeout=60)  # noqa: S310
                    break
                except OSError:
                    time.sleep(0.2)
            yield {
                "AWS_ENDPOINT_URL": address,
                "AWS_ALLOW_HTTP": "true",
                "AWS_REGION": "us-east-1",
                "AWS_ACCESS_KEY_ID": "somebody",
                "AWS_SECRET_ACCESS_KEY": "only for this test",
            }
        finally:
            server.terminate()
            server.wait()


def test_ports_in_object_storage_give_the_same_bytes_as_files(
    inner: Path, bucket: Mapping[str, str], tmp_path: Path
) -> None:
    upload = "import sys, polars as pl; pl.read_parquet(sys.argv[1]).write_parquet(sys.argv[2])"
    inputs = {name: f"s3://deliveries/2013 complete/{name}.parquet" for name in LOCAL}
    for name, file in LOCAL.items():
        call([program(inner, "python"), "-c", upload, file, inputs[name]], inner, **bucket)
    (tmp_path / "files").mkdir()
    (tmp_path / "bucket").mkdir()
    wanted = build(inner, tmp_path / "files", LOCAL).read_bytes()
    assert build(inner, tmp_path / "bucket", inputs, **bucket).read_bytes() == wanted
    with pytest.raises(AssertionError, match=r"port flights: s3://deliveries/none\.parquet: not a readable"):
        build(inner, tmp_path / "bucket", {**inputs, "flights": "s3://deliveries/none.parquet"}, **bucket)
