"""The catalogue and the page of a fleet: found, filtered, read by keyboard, safe whatever a product is called."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from html import unescape
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

import fleets
from browser import Browser, View, browser, chromium
from fleets import wish
from outer.errors import FINDINGS, PASS, UsageError
from outer.fleet.catalog import catalog
from outer.fleet.catalog.graph import Node, draw
from outer.fleet.lineage import layers
from outer.fleet.status import status
from outer.fleet.statuspage import write
from outer.product import DESCRIPTOR

HOSTILE = '</script><script>window.hit=1</script><img src=x onerror="window.hit=1"> \u202e\'\\"&amp;'

needs_browser = pytest.mark.skipif(chromium() is None, reason="there is no Chromium here")


@pytest.fixture(scope="session")
def site(_fleet: Path, _rendered: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The catalogue of fourteen products: one of them broken, one with a name that wants to be a script."""
    clones = Path(shutil.copytree(_fleet, tmp_path_factory.mktemp("site") / "clones", symlinks=True))
    for number in range(4, 12):
        source = f"source-{number // 10 * 10:04}"
        name = source if number == 10 else f"product-{number:04}"
        fleets.member(clones / name, _rendered, name, "retail" if number >= 10 else "aviation", source)
    hostile = fleets.member(clones / "hostile", _rendered, "product-0099", "retail", "source-0010")
    fleets.edit(hostile / DESCRIPTOR, lambda value: _hostile(value))
    (clones / "product-0005/data/local/receipts/one-that-nobody-can-read.json").mkdir(parents=True)
    (clones / "broken/outer").mkdir(parents=True)
    (clones / "broken" / DESCRIPTOR).write_text("a: [\n")
    target = clones.parent / "site"
    assert catalog(wish(clones), target).exit_code == FINDINGS
    return target


def _hostile(value: dict) -> None:  # type: ignore[type-arg]
    value["description"]["purpose"] = HOSTILE
    for entry in value["customProperties"]:
        if entry["property"] == "title":
            entry["value"] = HOSTILE


@pytest.fixture(scope="module")
def chrome() -> Iterator[Browser]:
    with browser(chromium() or "") as running:
        yield running


def opened(chrome: Browser, page: Path, **more: object) -> View:
    view = chrome.open(page.as_uri(), **{"width": 1280, **more})  # type: ignore[arg-type]
    assert view.requests == [page.as_uri()], "the page asked for something else than itself"
    assert view.complaints == []
    return view


def shown(view: View) -> list[str]:
    """Titles of the cards that are not hidden."""
    return view.evaluate("[...document.querySelectorAll('.card:not([hidden]) h3')].map(e => e.textContent)")  # type: ignore[no-any-return]


def fill(view: View, field: str, value: str) -> None:
    """Type or choose `value` in the field with this id."""
    view.evaluate(
        f"(() => {{ const f = document.getElementById({json.dumps(field)}); f.value = {json.dumps(value)};"
        " f.dispatchEvent(new Event('input')); })()"
    )


def search(view: View, words: str) -> list[str]:
    fill(view, "search", words)
    return shown(view)


def words(page: Path) -> str:
    """What stands on the page, without its tags."""
    return " ".join(re.sub(r"<[^>]*>", "", page.read_text(encoding="utf-8")).split())


def press(chrome: Browser, view: View, key: str, text: str = "") -> None:
    codes = {"ArrowDown": 40, "ArrowUp": 38, "Escape": 27, "/": 191}
    event = {"key": key, "windowsVirtualKeyCode": codes[key], **({"text": text} if text else {})}
    chrome.call("Input.dispatchKeyEvent", {"type": "keyDown", **event}, view.session)
    chrome.call("Input.dispatchKeyEvent", {"type": "keyUp", **event}, view.session)


# --- Without a browser ------------------------------------------------------------------------------------------------


def test_every_link_of_the_site_leads_to_something_that_is_there(site: Path) -> None:
    pages = list(site.rglob("*.html"))
    assert len(pages) == 2 + 14
    for page in pages:
        text = page.read_text(encoding="utf-8")
        for address in re.findall(r'href="([^"]+)"', text):
            if address.startswith(("http", "mailto:", "data:", "#")):
                continue
            assert (page.parent / unquote(urlsplit(address).path)).is_file(), (page.name, address)
        assert 'http-equiv="Content-Security-Policy" content="default-src \'none\';' in unescape(text)


def test_machines_find_the_same_in_one_file(site: Path) -> None:
    told = json.loads((site / "catalog.json").read_text(encoding="utf-8"))
    assert told["format"] == 1
    product = {one["product"]: one for one in told["products"]}
    assert len(product) == 14
    one = product["product-0001"]
    assert one["outputs"][0]["columns"][0]["name"] == "flight_date"
    assert {port["contract"]: port["producer"] for port in one["inputs"]} == {
        "urn:dmb:cmp:aviation:source-0000:1:airlines": "urn:dmb:dp:aviation:source-0000:1",
        "urn:dmb:cmp:aviation:nyc-flights:1:flights": None,
    }
    assert "urn:dmb:dp:aviation:product-0001:1" in product["source-0000"]["read_by"]
    assert (site / one["page"]).is_file()
    assert product["broken"]["state"] == "bad"
    assert str(site.parent) not in (site / "catalog.json").read_text(encoding="utf-8").replace('"origin"', "")


def test_a_catalogue_is_replaced_whole_and_nothing_else_is(fleet: Path, tmp_path: Path) -> None:
    target = tmp_path / "site"
    assert catalog(wish(fleet), target).exit_code == PASS
    shutil.rmtree(fleet / "product-0003")
    catalog(wish(fleet), target)
    assert len(list((target / "products").iterdir())) == 3
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".site")] == []
    other = tmp_path / "mine"
    other.mkdir()
    (other / "thesis.txt").write_text("years of work\n")
    with pytest.raises(UsageError, match="is no catalogue"):
        catalog(wish(fleet), other)
    assert (other / "thesis.txt").read_text() == "years of work\n"


def test_a_page_does_not_call_unpublished_what_nobody_can_know(fleet: Path, tmp_path: Path) -> None:
    receipt = fleet / "product-0001/data/local/receipts/20260101T000000Z-000000.json"
    receipt.parent.mkdir(parents=True)
    receipt.write_text("{")
    catalog(wish(fleet), tmp_path / "site")
    pages = {path.stem: path.read_text(encoding="utf-8") for path in (tmp_path / "site/products").iterdir()}
    one, other = pages["aviation-product-0001"], pages["aviation-product-0002"]
    assert "Nobody can say what is published" in one
    assert "data/local/receipts/20260101T000000Z-000000.json: the receipt cannot be read" in one
    for false in ("Not published yet", "not published", "Nothing is published yet", "Nothing has been published here"):
        assert false not in one
        assert false in other
    for path in (tmp_path / "site").rglob("*.*"):
        assert str(fleet) not in path.read_text(encoding="utf-8"), f"{path.name} tells of this machine"
    catalog(wish(fleet, environment="moon"), tmp_path / "site")
    page = (tmp_path / "site/products/aviation-product-0002.html").read_text(encoding="utf-8")
    assert "no server for the environment" in page
    assert "Not published yet" not in page


def test_products_of_one_name_get_a_page_each(fleet: Path, tmp_path: Path) -> None:
    shutil.copytree(fleet / "product-0001", fleet / "again", symlinks=True)
    catalog(wish(fleet), tmp_path / "site")
    assert len(list((tmp_path / "site/products").iterdir())) == 5


def test_layers_follow_the_longest_way_and_circles_end() -> None:
    assert layers(["c", "b", "a"], {"c": ["b", "a"], "b": ["a"]}) == {"a": 0, "b": 1, "c": 2}
    circle = layers(["a", "b"], {"a": ["b"], "b": ["a"]})
    assert sorted(circle.values()) == [0, 1]
    long = {f"n{i}": [f"n{i - 1}"] for i in range(1, 3000)}
    assert layers([f"n{i}" for i in range(3000)], long)["n2999"] == 2999


def test_boxes_of_a_drawing_do_not_overlap_and_arrows_lead_to_the_right() -> None:
    nodes = [Node(f"n{i}", f"product {i}", "domain", group=str(i % 3)) for i in range(40)]
    reads = {f"n{i}": [f"n{i // 2}", f"n{i // 3}"] for i in range(2, 40)}
    svg = str(draw(nodes, reads, id="x", title="<t>", words="&"))
    boxes = [tuple(map(float, found)) for found in re.findall(
        r'<rect x="([\d.]+)" y="([\d.]+)" width="([\d.]+)" height="(\d+)"', svg)]  # fmt: skip
    assert len(boxes) == 40
    for number, (x, y, _, height) in enumerate(boxes):
        for left, top, _, _ in boxes[number + 1 :]:
            assert left != x or abs(top - y) >= height
    for path in re.findall(r' d="(M[^"]+)"', svg)[1:]:
        ends = [float(value) for value in re.findall(r"[\d.]+", path)]
        assert ends[0] < ends[-2]
    assert "<t>" not in svg


# --- In a browser -----------------------------------------------------------------------------------------------------


@needs_browser
def test_search_finds_by_name_owner_port_and_column(site: Path, chrome: Browser) -> None:
    view = opened(chrome, site / "index.html")
    assert len(shown(view)) == 14
    assert search(view, "product-0007") == ["Flight punctuality product-0007"]
    assert search(view, "PRODUCT 0007 punctuality") == ["Flight punctuality product-0007"]
    assert len(search(view, "on_time_share_7d")) == 11
    assert (
        view.evaluate("document.querySelector('.hit').textContent") == "Column on_time_share_7d of carrier_punctuality"
    )
    assert len(search(view, "airlines")) == 2
    assert search(view, "no such thing") == []
    assert view.evaluate("document.getElementById('count').textContent") == "0 of 14 products"
    assert view.complaints == []


@needs_browser
def test_filters_narrow_and_an_address_keeps_them(site: Path, chrome: Browser) -> None:
    view = opened(chrome, site / "index.html")
    fill(view, "domain", "retail")
    assert len(shown(view)) == 3
    address = view.evaluate("location.href")
    assert address.endswith("#domain=retail")
    again = chrome.open(address, width=1280)
    assert len(shown(again)) == 3
    fill(again, "state", "bad")
    assert len(shown(again)) <= 1


@needs_browser
def test_the_keyboard_alone_leads_from_the_search_to_a_product(site: Path, chrome: Browser) -> None:
    view = opened(chrome, site / "index.html")
    view.evaluate("document.activeElement.blur()")
    press(chrome, view, "/", "/")
    assert view.evaluate("document.activeElement.id") == "search"
    assert view.evaluate("document.activeElement.value") == ""
    search(view, "product-0002")
    press(chrome, view, "ArrowDown")
    assert view.evaluate("document.activeElement.textContent") == "Flight punctuality product-0002"
    target = view.evaluate("document.activeElement.href")
    press(chrome, view, "ArrowUp")
    assert view.evaluate("document.activeElement.id") == "search"
    press(chrome, view, "Escape")
    assert len(shown(view)) == 14
    assert "<h1" in Path(unquote(urlsplit(target).path)).read_text(encoding="utf-8")


@needs_browser
def test_a_hostile_name_stays_text_on_every_page(site: Path, chrome: Browser) -> None:
    for page in site.rglob("*.html"):
        view = opened(chrome, page)
        assert view.evaluate("window.hit") is None, page.name
    view = opened(chrome, site / "index.html")
    assert search(view, "onerror") == [HOSTILE]


@needs_browser
def test_lineage_lights_up_what_a_product_is_made_from(site: Path, chrome: Browser) -> None:
    view = opened(chrome, site / "lineage.html")
    assert view.evaluate("document.querySelectorAll('#mesh .box.unknown').length") == 2
    fill(view, "search", "product-0001")
    lit = view.evaluate("[...document.querySelectorAll('#mesh .box.lit')].map(b => b.dataset.key).sort()")
    assert lit == ["?aviation:nyc-flights aviation", "aviation-product-0001", "aviation-source-0000"]
    assert view.evaluate("document.querySelectorAll('#mesh .edge.lit').length") == 3


@needs_browser
def test_a_product_page_shows_its_neighbours_and_leads_back(site: Path, chrome: Browser) -> None:
    view = opened(chrome, site / "products/aviation-source-0000.html")
    assert view.evaluate("document.querySelectorAll('#near .box').length") == 1 + 1 + 9
    assert view.evaluate("document.querySelector('header a').getAttribute('href')") == "../index.html"
    assert "What 1 product reads nobody can say: broken." in words(site / "lineage.html")
    assert "is read by none" not in words(site / "lineage.html")
    broken = opened(chrome, site / "products/broken.html")
    assert "it is not YAML" in broken.evaluate("document.body.textContent")


@needs_browser
def test_without_scripts_and_on_a_phone_everything_is_there(site: Path, chrome: Browser) -> None:
    view = opened(chrome, site / "index.html", script=False)
    assert len(shown(view)) == 14
    assert view.evaluate("document.getElementById('tools').offsetParent") is None
    view = opened(chrome, site / "lineage.html", script=False)
    assert view.evaluate("document.querySelectorAll('#mesh .box').length") == 13 + 2
    view = opened(chrome, site / "index.html", width=390)
    assert view.evaluate("document.documentElement.scrollWidth") <= 390


@needs_browser
def test_everything_that_can_be_operated_has_a_name(site: Path, chrome: Browser) -> None:
    for page in ("index.html", "lineage.html"):
        view = opened(chrome, site / page)
        nameless = view.evaluate(
            "[...document.querySelectorAll('input, select, button, a')].filter(e => !e.hidden"
            " && !(e.labels && e.labels.length) && !e.textContent.trim() && !e.getAttribute('aria-label')).length"
        )
        assert nameless == 0
        assert view.evaluate("document.querySelectorAll('h1').length") == 1
        ids = view.evaluate("[...document.querySelectorAll('[id]')].map(e => e.id)")
        assert len(ids) == len(set(ids))


@needs_browser
def test_the_status_page_sorts_and_filters(fleet: Path, tmp_path: Path, chrome: Browser) -> None:
    with (fleet / "product-0002/AGENTS.md").open("a") as file:
        file.write("mine\n")
    (fleet / "product-0003").rename(fleet / "<img src=x onerror=hit=1>")
    write(status(wish(fleet)), tmp_path / "status.html")
    view = opened(chrome, tmp_path / "status.html")
    products = "[...document.querySelectorAll('tbody tr:not([hidden]) th > bdi')].map(e => e.textContent)"
    assert len(view.evaluate(products)) == 4
    view.evaluate("document.querySelector('th[data-sort=\"0\"] button').click()")
    assert view.evaluate(products)[0] == "product-0002"
    assert view.evaluate("document.querySelector('th[data-sort=\"0\"]').getAttribute('aria-sort')") == "ascending"
    view.evaluate("document.querySelector('th[data-sort=\"0\"] button').click()")
    assert view.evaluate(products)[-1] == "product-0002"
    fill(view, "search", "onerror")
    assert view.evaluate(products) == ["<img src=x onerror=hit=1>"]
    assert view.evaluate("window.hit") is None
