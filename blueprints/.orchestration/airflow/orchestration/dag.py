"""This data product as a DAG of Airflow 3: check, run, verify, on the schedule that its contracts promise.

Reads inner.yaml, the descriptor and the contracts whenever Airflow loads it, so that a change there needs none here.
Owned by the team, like everything in inner/.

All workloads are one task, because `run` publishes all output ports together or none of them. It audits them before
the switch; tasks of their own would show data that have not been audited, or only half of a version.
"""

from __future__ import annotations

import runpy
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from airflow.sdk import DAG, Asset, CronTriggerTimetable, task
from airflow.sdk.exceptions import AirflowFailException

HERE = Path(__file__).resolve().parent
TIMEZONE = "UTC"  # of the schedule

# By path and not by name: an Airflow with several products has several files of this name.
own = runpy.run_path(str(HERE / "product.py"))
product = own["load"](HERE.parents[1])

# The address of a port is the same in every product. So a product that reads this one can be started by it:
# schedule=[Asset(port.urn) for port in product.inputs]
inputs = [Asset(port.urn) for port in product.inputs]
outputs = {port.name: Asset(port.urn) for port in product.outputs}

with DAG(
    dag_id=product.name,
    description=product.purpose,
    doc_md=f"{product.purpose}\n\nSchedule: `{product.cron}`, {product.why}.\n\n{product.table()}",
    schedule=CronTriggerTimetable(product.cron, timezone=TIMEZONE) if product.cron else None,
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    catchup=False,  # a run makes all of the data; a missed one is made up for by the next
    max_active_runs=1,  # a second one would wait for the first and then give up
    default_args={"owner": product.owner, "retries": 0},
    tags=[product.domain, "data product"],
):

    @task
    def check() -> None:
        """The gate: descriptor, contracts, policies, waivers."""
        own["command"](product, "check", print)

    @task(inlets=inputs, outlets=list(outputs.values()), retries=2, retry_delay=timedelta(minutes=5))
    def run(*, outlet_events: Any = None) -> str:
        """Run the workloads, audit every output against its contract, publish all or nothing."""
        try:
            receipt = own["publish"](product, print)
        except own["BrokenContract"] as broken:
            raise AirflowFailException(str(broken)) from None  # the same data would break it again: no retry
        for port in receipt["outputs"]:
            outlet_events[outputs[port["port"]]].extra = {
                "run_id": receipt["run_id"],
                "version": port["version"],
                "rows": port["rows"],
                "fingerprint": port["fingerprint"],
            }
        return receipt["run_id"]

    @task
    def verify() -> None:
        """Verify the published data and service levels again, as a consumer would find them now."""
        own["command"](product, "verify", print)

    check() >> run() >> verify()
