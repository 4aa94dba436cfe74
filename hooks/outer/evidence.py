"""Lineage of a run as OpenLineage events: on file always, and to a server where OPENLINEAGE_URL names one.

The job is the data product; its datasets are the declared ports, named by their contracts, so that the events of the
product that writes a port and of those that read it meet. A server that does not answer is a note, never a failure.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit
from uuid import NAMESPACE_URL, uuid5

from outer import __version__
from outer.model import Contract, DataProduct, Port
from outer.receipt import Receipt, instant, moment

if TYPE_CHECKING:
    from openlineage.client.event_v2 import RunEvent

PRODUCER = "https://github.com/data-product-blueprints/data-product-blueprints"
NAMESPACE = "dataproduct"
"""Namespace of the datasets; their names are contract ids."""

PATIENCE = 5.0
"""Seconds that a server may take for one event, and that a run waits for its last one."""


def lineage_run(product: str, run_id: str) -> str:
    """Id of a run in OpenLineage, which wants a UUID: always the same one for the same run."""
    return str(uuid5(NAMESPACE_URL, f"{product}/runs/{run_id}"))


class Lineage:
    """Emits the events of one run. The first goes out in a thread: to import the client alone takes a good while."""

    def __init__(self, product: DataProduct, run: str, started: datetime, file: Path) -> None:
        self._product = product
        self._run = run
        self._started = started
        self._file = file
        self._filed = threading.Event()
        self._thread: threading.Thread | None = None
        self._trouble: list[str] = []

    def start(self) -> None:
        """Say that the run has begun, while it goes on with its work."""

        def work() -> None:
            try:
                event = self._event("START", self._started)
                self._file_event(event)
            finally:
                self._filed.set()
            self._send(event)

        self._in_background(work)

    def final_events(self, receipt: Receipt) -> bytes:
        """All events of a run that ends with `receipt`, one to a line; for the version that it publishes."""
        from openlineage.client.serde import Serde

        events = (self._event("START", self._started), self._end(receipt))
        return "".join(Serde.to_json(event) + "\n" for event in events).encode()

    def finish(self, receipt: Receipt) -> Sequence[str]:
        """Say how the run has ended. Gives what could not be said, and why, for people."""
        event = self._end(receipt)
        if self._thread is not None:
            self._filed.wait()
        self._file_event(event)
        if server := _server():
            if self._has_ended():
                self._in_background(lambda: self._send(event))
            if not self._has_ended():
                self._trouble.append(f"{_called(server)} does not answer; see {self._file}")
        return tuple(dict.fromkeys(self._trouble))

    def _in_background(self, work: Callable[[], None]) -> None:
        # A daemon: a server that never answers must not keep the process alive.
        self._thread = threading.Thread(target=work, name="lineage", daemon=True)
        self._thread.start()

    def _has_ended(self) -> bool:
        if self._thread is not None:
            self._thread.join(PATIENCE + 1)
        return self._thread is None or not self._thread.is_alive()

    # Transports by themselves: the client around them would also read settings of whoever runs it, which could filter
    # events out of the evidence.

    def _file_event(self, event: RunEvent) -> None:
        from openlineage.client.transport.file import FileConfig, FileTransport

        try:
            self._file.parent.mkdir(parents=True, exist_ok=True)
            FileTransport(FileConfig(log_file_path=str(self._file), append=True)).emit(event)
        except (OSError, RuntimeError) as error:
            self._trouble.append(f"lineage was not written: {error}")

    def _send(self, event: RunEvent) -> None:
        if not (server := _server()):
            return
        from openlineage.client.transport.http import HttpConfig, HttpTransport

        options: dict[str, Any] = {"url": server, "timeout": PATIENCE, "retry": {"total": 0}}
        if endpoint := os.environ.get("OPENLINEAGE_ENDPOINT"):
            options["endpoint"] = endpoint
        if key := os.environ.get("OPENLINEAGE_API_KEY"):
            options["auth"] = {"type": "api_key", "apiKey": key}
        try:
            HttpTransport(HttpConfig.from_dict(options)).emit(event)
        except Exception as error:  # whatever a server and the network on the way to it can do
            self._trouble.append(f"{_called(server)} took no event ({type(error).__name__}); see {self._file}")

    # --- Events -----------------------------------------------------------------------------------

    def _event(self, state: str, time: datetime, receipt: Receipt | None = None, failure: str = "") -> RunEvent:
        from openlineage.client.event_v2 import Job, Run, RunEvent, RunState, set_producer
        from openlineage.client.facet_v2 import (
            documentation_job,
            error_message_run,
            job_type_job,
            ownership_job,
            processing_engine_run,
        )

        set_producer(PRODUCER)
        product = self._product
        run_facets: dict[str, Any] = {
            "processing_engine": processing_engine_run.ProcessingEngineRunFacet(version=__version__, name="outer")
        }
        if failure:
            run_facets["errorMessage"] = error_message_run.ErrorMessageRunFacet(failure, "python")
        job_facets: dict[str, Any] = {
            "jobType": job_type_job.JobTypeJobFacet("BATCH", "DATAPRODUCT", "JOB"),
            "ownership": ownership_job.OwnershipJobFacet(
                [ownership_job.Owner(f"team:{product.owner_team}", "OWNER")] if product.owner_team else []
            ),
        }
        if product.purpose:
            job_facets["documentation"] = documentation_job.DocumentationJobFacet(product.purpose)
        return RunEvent(
            eventTime=moment(time),
            eventType=RunState[state],
            run=Run(self._run, run_facets),
            job=Job(product.domain or NAMESPACE, product.name, job_facets),
            inputs=[self._input(p, receipt) for p in product.inputs],
            outputs=[self._output(p, receipt) for p in product.outputs],
            producer=PRODUCER,
        )

    def _end(self, receipt: Receipt) -> RunEvent:
        failed = receipt.outcome == "failed"
        return self._event("FAIL" if failed else "COMPLETE", instant(receipt.finished), receipt, receipt.reason)

    def _input(self, port: Port, receipt: Receipt | None) -> Any:
        from openlineage.client.event_v2 import InputDataset
        from openlineage.client.facet_v2 import input_statistics_input_dataset as statistics

        record = next((r for r in receipt.inputs if r.port == port.name), None) if receipt else None
        facets: dict[str, Any] = {}
        if record:
            facets["inputStatistics"] = statistics.InputStatisticsInputDatasetFacet(record.rows, record.bytes)
        if record and receipt and (assertions := _assertions(receipt.input_audit, port)):
            facets["dataQualityAssertions"] = assertions
        contract = port.contract
        location = record.location if record else ""
        return InputDataset(NAMESPACE, contract.id, facets, facets=_dataset_facets(contract, location))

    def _output(self, port: Port, receipt: Receipt | None) -> Any:
        from openlineage.client.event_v2 import OutputDataset
        from openlineage.client.facet_v2 import dataset_version_dataset
        from openlineage.client.facet_v2 import output_statistics_output_dataset as statistics

        record = next((r for r in receipt.outputs if r.port == port.name), None) if receipt else None
        own: dict[str, Any] = {}
        if record:
            own["outputStatistics"] = statistics.OutputStatisticsOutputDatasetFacet(
                record.rows, record.bytes, record.files
            )
        facets = _dataset_facets(port.contract, record.location if record else "")
        if record and receipt:
            facets["version"] = dataset_version_dataset.DatasetVersionDatasetFacet(receipt.run_id)
        if receipt and (assertions := _assertions(receipt.audit, port)):
            facets["dataQualityAssertions"] = assertions
        return OutputDataset(NAMESPACE, port.contract.id, own, facets=facets)


def _server() -> str:
    disabled = os.environ.get("OPENLINEAGE_DISABLED", "").strip().lower() == "true"
    return "" if disabled else os.environ.get("OPENLINEAGE_URL", "").strip()


def _called(server: str) -> str:
    # Without the rest of the address, which may hold a password.
    host = None
    with suppress(ValueError):  # it is none
        host = urlsplit(server).hostname
    return f"the lineage server {host or 'that OPENLINEAGE_URL names'}"


def _dataset_facets(contract: Contract, location: str) -> dict[str, Any]:
    from openlineage.client.facet_v2 import (
        datasource_dataset,
        documentation_dataset,
        ownership_dataset,
        schema_dataset,
    )

    fields = [
        schema_dataset.SchemaDatasetFacetFields(c.name, c.physical_type or c.logical_type, c.description or None, n)
        for n, c in enumerate(contract.columns, start=1)
    ]
    facets: dict[str, Any] = {"schema": schema_dataset.SchemaDatasetFacet(fields)}
    if contract.description:
        facets["documentation"] = documentation_dataset.DocumentationDatasetFacet(contract.description)
    if team := contract.file.get("team", "name"):
        owner = ownership_dataset.Owner(f"team:{team}", "OWNER")
        facets["ownership"] = ownership_dataset.OwnershipDatasetFacet([owner])
    if location:
        kind, uri = ("postgres", location) if "://" in location else ("file", Path(location).as_uri())
        facets["dataSource"] = datasource_dataset.DatasourceDatasetFacet(kind, uri)
    return facets


def _assertions(audit: Sequence[Mapping[str, Any]], port: Port) -> Any:
    """The results of `port` as a facet; what was not checked is no assertion."""
    from openlineage.client.facet_v2 import data_quality_assertions_dataset as quality

    columns = {c.name for c in port.contract.columns}
    found = []
    for result in audit:
        if result["port"] == port.name and result["outcome"] != "not_checked":
            kind, _, rest = str(result["rule"]).partition(":")
            column = rest.partition(".")[0].partition("#")[0]
            found.append(
                quality.Assertion(
                    assertion=kind,
                    success=result["outcome"] == "passed",
                    column=column if column in columns else None,
                    severity="error" if result["severity"] == "error" else "warn",
                    name=str(result["rule"]),
                    expected=result.get("expected"),
                    actual=result.get("observed") or (str(result["bad_rows"]) if "bad_rows" in result else None),
                )
            )
    return quality.DataQualityAssertionsDatasetFacet(found) if found else None
