"""This data product in Dagster: an asset for each output port, on the schedule that its contracts promise.

Reads inner.yaml, the descriptor and the contracts whenever Dagster loads it, so that a change there needs none here.
Owned by the team, like everything in inner/.

All output ports are made by one step, because `run` publishes them together or none of them. It audits them before the
switch; steps of their own would show data that have not been audited, or only half of a version.
"""

import re
import runpy
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import dagster as dg

HERE = Path(__file__).resolve().parent
TIMEZONE = "UTC"  # of the schedule

own = runpy.run_path(str(HERE / "product.py"))
product = own["load"](HERE.parents[1])


def key(urn: str) -> dg.AssetKey:
    """The address of a port as a key: the same in every product, so that Dagster joins those that read this one."""
    return dg.AssetKey(urn.split(":")[3:])


def kind(technology: str) -> str:
    """A technology of inner.yaml as Dagster takes it for a label."""
    return re.sub(r"[^a-z0-9_.-]+", "_", technology.lower())[:60]


inputs = [
    dg.AssetSpec(
        key(port.urn),
        description=port.description,
        metadata={"urn": port.urn},
        group_name="input_ports",
    )
    for port in product.inputs
]
outputs = [
    dg.AssetSpec(
        key(port.urn),
        deps=[spec.key for spec in inputs],
        description=port.description,
        metadata={
            "urn": port.urn,
            "version": port.version,
            "workloads": dg.MetadataValue.md(product.table()),
        },
        group_name="output_ports",
        kinds={kind(workload.technology) for workload in product.workloads if port.name in workload.writes},
    )
    for port in product.outputs
]
checks = [
    dg.AssetCheckSpec(
        "contract",
        asset=spec.key,
        description="Every rule of the port's contract, as the audit found it.",
    )
    for spec in outputs
]


@dg.multi_asset(
    name="run",
    specs=outputs,
    check_specs=checks,
    description=product.purpose,
    op_tags={"data_product": product.name, "domain": product.domain},
    retry_policy=dg.RetryPolicy(max_retries=2, delay=300),
)
def run(context: dg.AssetExecutionContext) -> Iterator[dg.MaterializeResult | dg.AssetCheckResult]:
    """Check the product, run its workloads, audit and publish all output ports or none, verify what is published."""
    try:
        own["command"](product, "check", context.log.info)
        receipt = own["publish"](product, context.log.info)
    except own["BrokenContract"] as broken:
        yield from (audited(port, broken.receipt) for port in product.outputs)
        # The same data would break it again: no retry.
        raise dg.Failure(str(broken), allow_retries=False) from None
    except own["Failed"] as failed:
        raise dg.Failure(str(failed)) from None
    made = {port["port"]: port for port in receipt["outputs"]}
    for port in product.outputs:
        facts = made[port.name]
        yield dg.MaterializeResult(
            asset_key=key(port.urn),
            metadata={
                "run_id": receipt["run_id"],
                "dagster/row_count": facts["rows"],
                "version": facts["version"],
                "location": facts["location"],
            },
            data_version=dg.DataVersion(facts["fingerprint"]),
            check_results=[audited(port, receipt)],
        )
    try:
        own["command"](product, "verify", context.log.info)
    except own["Failed"] as failed:
        raise dg.Failure(str(failed), allow_retries=False) from None  # what is published would be no better then


def audited(port: Any, receipt: Mapping[str, Any]) -> dg.AssetCheckResult:
    """What the audit of the run says of one port."""
    rules = [rule for rule in receipt.get("audit", ()) if rule["port"] == port.name]
    failed = [rule["severity"] for rule in rules if rule["outcome"] == "failed"]
    error = "error" in failed or not rules
    return dg.AssetCheckResult(
        asset_key=key(port.urn),
        check_name="contract",
        passed=bool(rules) and not failed,
        severity=dg.AssetCheckSeverity.ERROR if error else dg.AssetCheckSeverity.WARN,
        metadata={
            "rules": len(rules),
            "results": dg.MetadataValue.table(
                [dg.TableRecord({"rule": str(rule["rule"]), "outcome": str(rule["outcome"])}) for rule in rules]
            ),
        },
    )


job = dg.define_asset_job("publish", selection=[spec.key for spec in outputs])
# Dagster starts no schedule by itself: switch it on in its pages, once, in the environment that is to run it.
schedules = (
    [
        dg.ScheduleDefinition(
            job=job,
            cron_schedule=product.cron,
            execution_timezone=TIMEZONE,
            description=product.why,
        )
    ]
    if product.cron
    else []
)
defs = dg.Definitions(assets=[*inputs, run], jobs=[job], schedules=schedules)
