"""The product in the words of search engines: one schema.org and DCAT `Dataset`, with one part for each output port.

Sources: https://schema.org/Dataset and W3C DCAT 3, https://www.w3.org/TR/vocab-dcat-3/.
"""

from __future__ import annotations

from typing import Any

from outer.model import Column, DataProduct, Port
from outer.page.evidence import Evidence
from outer.page.words import iso
from outer.product import custom
from outer.receipt import OutputRecord

_MEDIA = {"parquet": "application/vnd.apache.parquet", "csv": "text/csv", "json": "application/json"}
_LICENCES = {
    "CC0-1.0": "https://creativecommons.org/publicdomain/zero/1.0/",
    "CC-BY-4.0": "https://creativecommons.org/licenses/by/4.0/",
    "ODbL-1.0": "https://opendatacommons.org/licenses/odbl/1-0/",
}


def dataset(product: DataProduct, environment: str, evidence: Evidence) -> dict[str, Any]:
    """`product` as JSON-LD, with time and size of what is published in `environment`. No value of the data is in it."""
    published = iso(evidence.published) if evidence.published else None
    return _filled(
        {
            "@context": {"@vocab": "https://schema.org/", "dcat": "http://www.w3.org/ns/dcat#"},
            "@type": ["Dataset", "dcat:Dataset"],
            "@id": product.id,
            "identifier": product.id,
            "name": product.title,
            "alternateName": product.name,
            "description": "\n\n".join(filter(None, (product.purpose, product.usage, product.limitations))),
            "version": product.version,
            "creativeWorkStatus": product.status,
            "keywords": list(filter(None, (product.domain, product.type))),
            "license": _licence(product.custom("licence")),
            "conditionsOfAccess": _access(product),
            "dateModified": published,
            "creator": _filled(
                {
                    "@type": "Organization",
                    "name": product.owner_team,
                    "email": product.owner if "@" in product.owner else None,
                }
            ),
            "isBasedOn": [port.contract.id for port in product.inputs],
            "hasPart": [_part(p, environment, published, evidence.output(p)) for p in product.outputs],
        }
    )


def _part(port: Port, environment: str, published: str | None, record: OutputRecord | None) -> dict[str, Any]:
    contract = port.contract
    description = contract.file.get("schema", 0, "description") or contract.file.get("description", "purpose")
    return _filled(
        {
            "@type": ["Dataset", "dcat:Dataset"],
            "@id": contract.id,
            "identifier": contract.id,
            "name": port.name,
            "description": str(description or ""),
            "version": contract.version,
            "license": _licence(custom(contract.file, "licence")),
            "dateModified": published,
            "isBasedOn": list(port.made_from),
            "variableMeasured": [_variable(column) for column in contract.columns],
            "distribution": [
                _filled(
                    {
                        "@type": ["DataDownload", "dcat:Distribution"],
                        "name": server.environment,
                        "contentUrl": server.path,
                        "encodingFormat": _MEDIA.get(server.format, server.format),
                        "contentSize": f"{record.bytes} B" if record and server.environment == environment else None,
                    }
                )
                for server in contract.servers
            ],
        }
    )


def _variable(column: Column) -> dict[str, Any]:
    return _filled(
        {
            "@type": "PropertyValue",
            "name": column.name,
            "description": column.description,
            "additionalType": column.logical_type,
            "valueRequired": column.required,
        }
    )


def _access(product: DataProduct) -> str:
    said = (("visibility", product.custom("visibility")), ("classification", product.custom("classification")))
    return ", ".join(f"{name}: {value}" for name, value in said if value)


def _licence(name: Any) -> str | None:
    return _LICENCES.get(str(name), str(name)) if name else None


def _filled(entries: dict[str, Any]) -> dict[str, Any]:
    """`entries` without those that say nothing."""
    return {key: value for key, value in entries.items() if value not in (None, "", [], {})}
