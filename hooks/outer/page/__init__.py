"""`outer page`: one HTML file on which a consumer finds, understands and learns how far to trust a data product.

The file needs nothing beside itself: no network, no script, no font. It is the same for the same product, the same
published data and the same moment.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from markupsafe import Markup

from outer import __version__
from outer.errors import UsageError
from outer.machine import foreseen, save
from outer.model import DataProduct, model
from outer.page import trust, words
from outer.page.evidence import Evidence, gather
from outer.page.jsonld import dataset
from outer.page.lineage_svg import draw, sentences
from outer.page.port import input_, output
from outer.page.preview import histogram
from outer.ports import resolve_outputs
from outer.product import load
from outer.yamlfile import show

if TYPE_CHECKING:
    from jinja2 import Environment

__all__ = ["Frame", "page", "render"]

_HERE = Path(__file__).parent


class Talk(Protocol):
    """What this command needs of the one who tells people how far it is."""

    def step(self, text: str) -> object: ...
    def done(self, text: str) -> object: ...
    def note(self, text: str) -> object: ...


def page(
    root: Path,
    *,
    environment: str = "local",
    target: Path | None = None,
    as_of: datetime | None = None,
    talk: Talk,
) -> Path:
    """Write the page of the data product in `root`, and return where it is.

    `environment` is the one whose published data are shown, `target` the file to write (by default page.html in the
    folder that publishes), `as_of` (with a time zone) the moment that freshness is stated for, by default now.
    Raises `UsageError` when the product, the environment or a receipt cannot be understood, or the file not written.
    """
    if target is not None and (target.is_dir() or not target.parent.is_dir()):
        raise UsageError(f"--to {target}: there is no folder for such a file", "Name a file in a folder that exists.")
    product = model(load(root))
    publishing, locations = resolve_outputs(product, environment)
    talk.step(f"Drawing the page of {show(product.name)}")
    evidence = gather(publishing, locations)
    html = render(product, environment, evidence, (as_of or datetime.now(UTC)).astimezone(UTC))
    if target is None:
        target = publishing / "page.html"
        with foreseen(publishing):
            publishing.mkdir(parents=True, exist_ok=True)
    data = html.encode("utf-8", "replace")
    save(target, data, todo="Name another file: --to FILE.")
    talk.done(f"one file, {words.size(len(data))}")
    if evidence.receipt is None:
        talk.note(f"Nothing is published in {environment} yet; the page says how to change that.")
    return target


@dataclass(frozen=True)
class Frame:
    """What surrounds a page that is one of many, as in a catalogue."""

    home: str
    """Address of the page that lists all."""
    drawing: Markup
    """The products that this one reads, and those that read it."""
    words: tuple[tuple[str, str, str], ...]
    """The same for readers who do not see it: what it is to this product, its name, and its address or nothing."""
    css: str = ""
    """Style that the drawing needs besides."""


def render(
    product: DataProduct, environment: str, evidence: Evidence, as_of: datetime, frame: Frame | None = None
) -> str:
    """The page as text. Reads the published files that `evidence` names, and nothing else of the product."""
    anchors = _anchors(product)
    outputs = [
        output(product, port, anchors[f"output:{port.name}"], environment, evidence, as_of) for port in product.outputs
    ]
    inputs = [input_(port, anchors[f"input:{port.name}"], evidence) for port in product.inputs]
    css, script = style(), (_HERE / "page.js").read_text(encoding="utf-8").strip()
    if frame and frame.css:
        css += f"\n{frame.css}"
    command = "python3 noxfile.py -s {}" + ("" if environment == "local" else f" -- --env {environment}")
    return (
        templates(_HERE)
        .get_template("page.html.jinja")
        .render(
            product=product,
            environment=environment,
            as_of=as_of,
            css=css,
            script=script,
            policy=content_policy(css, script),
            linked_data=json_for_html(dataset(product, environment, evidence)),
            chips=_chips(product),
            contacts=_contacts(product),
            verdict=trust.judge(evidence, outputs),
            facts=trust.facts(product, evidence, outputs),
            unpublished=evidence.published is None and not evidence.unknown,
            outputs=outputs,
            inputs=inputs,
            lineage=draw(product, anchors),
            lineage_words=sentences(product),
            run_command=command.format("run"),
            page_command=command.format("page"),
            run_id=evidence.receipt.run_id if evidence.receipt else "",
            tool=__version__,
            histogram=histogram,
            frame=frame,
        )
    )


def style() -> str:
    """The style sheet of the page."""
    return (_HERE / "page.css").read_text(encoding="utf-8").strip()


@cache
def templates(folder: Path) -> Environment:
    """The templates in `folder`. What comes from files is text, never markup: everything is escaped unless a template
    says otherwise."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    found = Environment(
        loader=FileSystemLoader(folder), autoescape=True, undefined=StrictUndefined,
        trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    for name in ("moment", "iso", "thousands", "plural", "link"):
        found.filters[name] = getattr(words, name)
    return found


def _anchors(product: DataProduct) -> dict[str, str]:
    """An id on the page for every port: readable, unique, and safe in an address."""
    found: dict[str, str] = {}
    for side, ports in (("output", product.outputs), ("input", product.inputs)):
        for port in ports:
            slug = re.sub(r"[^a-z0-9]+", "-", port.name.lower()).strip("-")[:60] or "port"
            anchor, number = f"{side}-{slug}", 2
            while anchor in found.values():
                anchor, number = f"{side}-{slug}-{number}", number + 1
            found[f"{side}:{port.name}"] = anchor
    return found


def _chips(product: DataProduct) -> list[tuple[str, str]]:
    personal = product.custom("personalData")
    entries = (
        ("Status", product.status),
        ("Version", product.version),
        ("Type", words.spaced(product.type, "-")),
        ("Classification", product.custom("classification")),
        ("Personal data", {True: "yes", False: "none"}.get(personal, "not stated")),
        ("Visibility", product.custom("visibility")),
        ("Licence", product.custom("licence")),
    )
    return [(name, str(value)) for name, value in entries if value not in (None, "")]


def _contacts(product: DataProduct) -> list[tuple[str, str, str]]:
    """Owner and support channels: name, address, remark."""
    descriptor = product.source.descriptor
    owner = product.owner
    found = [(owner, f"mailto:{owner}" if "@" in owner else "", "Owner")] if owner else []
    for entry in (descriptor.get("support") if descriptor else None) or ():
        url, remark = str(entry.get("url") or ""), str(entry.get("description") or "")
        if owner and url == f"mailto:{owner}":  # one line for one address
            found[0] = (owner, url, f"Owner. {remark}".strip())
        else:
            found.append((str(entry.get("channel") or url), url, remark))
    return found


def content_policy(css: str, script: str) -> str:
    """Content Security Policy that allows this page's own style and script by their hash, and nothing else."""

    def allowed(text: str) -> str:
        return "'sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() + "'"

    return (
        f"default-src 'none'; style-src {allowed(css)}; script-src {allowed(script)}; img-src data:; "
        "base-uri 'none'; form-action 'none'"
    )


def json_for_html(value: Any) -> str:
    """JSON that no HTML parser can mistake for markup."""
    text = json.dumps(value, ensure_ascii=False, indent=1)
    return re.sub("[<>&\u2028\u2029]", lambda match: f"\\u{ord(match[0]):04x}", text)
