"""Where a producer keeps the contracts of its output ports: a folder, a file, a git repository, an address.

Bounded in size and time, and nothing that comes from there is executed: git runs without hooks, and with no transport
but https, ssh and file.
"""

from __future__ import annotations

import os
import re
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import unquote, urlsplit

from outer.errors import OuterError, UsageError
from outer.git import environment, reason
from outer.product import DESCRIPTOR, OUTPUT_CONTRACTS, File, load, mappings
from outer.rules.reading import major
from outer.schemas import problems
from outer.talk import Talk
from outer.yamlfile import MAX_BYTES, Unreadable, parse, show

SECONDS = 120
"""How long a source may take to answer."""

_URL = re.compile(r"(?:git\+)?([a-z][a-z0-9+.-]+)://", re.IGNORECASE)
_SCP = re.compile(r"[A-Za-z0-9_.-]+@[A-Za-z0-9.-]+:[^\s:][^\s]*\Z")
_REF = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/@+-]{0,200}\Z")
_LOCAL = ("localhost", "127.0.0.1", "::1")


class Unreachable(UsageError):
    """The source cannot be looked at: it is not there, or does not answer."""


@dataclass(frozen=True)
class Offer:
    """One major of an output port of a producer, with its contract."""

    name: str
    id: str
    version: str
    status: str
    data: bytes
    """The contract's file, byte for byte."""
    where: str
    """The file, for messages."""
    root: Path | None
    """The producer's folder, where it is at hand."""

    @property
    def major(self) -> str:
        return major(self.version)

    @cached_property
    def value(self) -> Mapping[str, Any]:
        return parse(self.data).value  # type: ignore[no-any-return]  # a mapping, by `yamlfile.parse`


@dataclass(frozen=True)
class Source:
    """A producer that was looked at."""

    given: str
    recorded: str
    """How a pinned contract says where it came from."""
    revision: str
    """Commit that was looked at; empty where there is no git."""
    offers: tuple[Offer, ...]
    broken: Mapping[str, UsageError]
    """Port -> what is wrong with its contract, where it cannot be taken."""

    @property
    def listed(self) -> str:
        """What there is, as PORT@MAJOR, for a message."""
        there = sorted({f"{offer.name}@{offer.major}" for offer in self.offers})
        return ", ".join(show(one).strip("`") for one in there[:20]) + (", …" if len(there) > 20 else "") or "nothing"

    def offer(self, name: str, number: str = "") -> Offer:
        """The port `name` in its major `number`; without it the newest that is active, else the newest at all.

        Raises `UsageError` that lists what there is.
        """
        same = [offer for offer in self.offers if offer.name == name and number in ("", offer.major)]
        if not same and name in self.broken:
            raise self.broken[name]
        if not same:
            wanted = f"{name}@{number}" if number else name
            raise UsageError(
                f"{self.given} does not offer {show(wanted)}; it offers: {self.listed}", "Name one of these."
            )
        return max(same, key=lambda offer: (offer.status == "active", offer.status != "retired", int(offer.major)))

    def majors(self, name: str) -> tuple[str, ...]:
        """Majors in which the port `name` is offered."""
        return tuple(sorted({offer.major for offer in self.offers if offer.name == name}, key=int))


@contextmanager
def source(given: str, root: Path, beside: Path, talk: Talk) -> Iterator[Source]:
    """Look at the producer that `given` names; what was fetched is gone in the end.

    `root` is the product that asks. A path counts from the folder `beside`, and is recorded from `root`, so that it
    means the same on every machine where both lie side by side.

    Raises `Unreachable` where it is not there or does not answer, `UsageError` for what is no producer.
    """
    given = given.strip()
    if not given or not given.isprintable():
        raise UsageError(f"{show(given)} is neither a path nor an address", "Write it without special characters.")
    scheme = _URL.match(given)
    if scheme is None and not _SCP.match(given):
        path = (beside / given).expanduser()
        yield Source(given, _relative(path, root), "", *_local(path, given))
        return
    url, _, ref = given.partition("#")
    url = url.removeprefix("git+")
    _check_url(given, url, scheme[1].lower() if scheme else "ssh", ref)
    name = PurePosixPath(urlsplit(url).path).name if scheme else ""
    if not name.endswith((".yaml", ".yml")):
        talk.step(f"Looking at {url}")
        with tempfile.TemporaryDirectory() as folder:
            revision = _clone(url, ref or "HEAD", Path(folder))
            talk.done(f"Looking at {url}", revision[:12])
            yield Source(given, given, revision, *_product(Path(folder).resolve(), given))
    elif scheme and scheme[1].lower() == "file":
        yield Source(given, given, "", *_local(Path(unquote(urlsplit(url).path)), given))
    else:
        talk.step(f"Looking at {url}")
        data = _fetch(url)
        talk.done(f"Looking at {url}")
        yield Source(given, given, "", (_offer(data, name, url, None),), {})


def _relative(path: Path, root: Path) -> str:
    try:
        return Path(os.path.relpath(path.resolve(), root)).as_posix()
    except ValueError:  # on another drive
        return path.resolve().as_posix()


def _check_url(given: str, url: str, scheme: str, ref: str) -> None:
    try:
        parts = urlsplit(url) if "://" in url else None
    except ValueError as error:
        raise UsageError(f"{show(given)} is no address: {error}", "Correct it.") from None
    host = parts.hostname if parts else None
    if scheme not in ("https", "ssh", "file") and not (scheme == "http" and host in _LOCAL):
        raise UsageError(
            f"{show(given)} has the scheme {show(scheme)}", "Use https, ssh or file, or a path on this machine."
        )
    if parts and (parts.password or (parts.username and scheme != "ssh")):
        raise UsageError(
            "the address holds a user name or password, which would be written into the pinned contract",
            "Leave it out; git asks its credential helper.",
        )
    if ref and not _REF.match(ref):
        raise UsageError(f"{show(ref)} is no branch, tag or commit", "Write URL#REF, for example …/orders.git#v1.2.0.")
    if any(c.isspace() for c in url):
        raise UsageError(f"{show(given)} is no address: it holds a space", "Write %20 for a space.")


# --- A folder or a file -------------------------------------------------------------------------------------------


_Found = tuple[tuple[Offer, ...], Mapping[str, UsageError]]


def _local(path: Path, given: str) -> _Found:
    try:
        if path.is_dir():
            return _product(path.resolve(), given)
        if not path.is_file():
            raise Unreachable(f"{show(given)} is not there", "Check the path.")
        if path.stat().st_size > MAX_BYTES:
            raise UsageError(f"{show(given)} is larger than {MAX_BYTES // 1024} KiB", "Name a contract.")
        data = path.read_bytes()
    except OSError as error:
        raise Unreachable(f"{show(given)} cannot be read: {error.strerror}", "Check its rights.") from None
    parents = path.resolve().parents
    inside = len(parents) > 3 and path.resolve().parent == parents[3] / OUTPUT_CONTRACTS
    return (_offer(data, path.name, given, parents[3] if inside else None),), {}


def _product(root: Path, given: str) -> _Found:
    """Every output port of the data product in the folder `root`, and those that cannot be taken."""
    if not (root / "outer").is_dir():
        raise UsageError(
            f"{given} is not a data product: it has no folder outer/",
            "Name the root of a data product, or the file of a contract.",
        )
    try:
        product = load(root)
    except OuterError as error:
        raise UsageError(f"{given}: {error.what}", error.todo) from None
    descriptor = product.descriptor
    if descriptor is None:
        known = product.unreadable.get(DESCRIPTOR)
        why = f":{known.place.line}: {known.why}" if known else " does not exist"
        raise UsageError(f"{given}: {DESCRIPTOR}{why}", "Ask the producer, or name the contract's file.")
    found: list[Offer] = []
    broken: dict[str, UsageError] = {}
    by_id = {(str(f.get("id")), str(f.get("version"))): f for f in product.output_contracts}
    unreadable = [f"{p}:{e.place.line}: {e.why}" for p, e in sorted(product.unreadable.items()) if "/output/" in p]
    for index, port in mappings(descriptor.get("outputPorts")):
        name = str(port.get("name"))
        contract = by_id.get((str(port.get("contractId")), str(port.get("version"))))
        try:
            if contract is None:
                lost = (
                    f"{DESCRIPTOR}:{descriptor.place('outputPorts', index).line}: the port {show(name)} has no contract"
                )
                raise UsageError(f"{given}: {(unreadable or [lost])[0]}", "Ask the producer to mend it.")
            data = (root / contract.path).read_bytes()
            found.append(_checked(contract, name, data, f"{given}: {contract.path}", root))
        except UsageError as error:
            broken[name] = error
    return tuple(found), broken


def _offer(data: bytes, name: str, where: str, root: Path | None) -> Offer:
    """The offer of a contract that came alone."""
    try:
        contract = File(name, parse(data))
    except Unreadable as error:
        raise UsageError(f"{where}:{error.place.line}: {error.why}", "Name the file of a contract.") from None
    if contract.get("kind") != "DataContract":
        raise UsageError(f"{where} is no contract: `kind` is {show(contract.get('kind'))}", "Name a Bitol ODCS file.")
    return _checked(contract, str(contract.get("name")), data, where, root)


def _checked(contract: File, name: str, data: bytes, where: str, root: Path | None) -> Offer:
    for problem in problems(contract, "odcs"):
        line = contract.place(*problem.pointer).line
        raise UsageError(f"{where}:{line}: {problem.message}", "Ask the producer to mend the contract.")
    version = str(contract.get("version"))
    if not major(version):
        raise UsageError(
            f"{where}:{contract.place('version').line}: {show(version)} is no semantic version",
            "Ask the producer to give the contract one.",
        )
    return Offer(name, str(contract.get("id")), version, str(contract.get("status")), data, where, root)


# --- git ----------------------------------------------------------------------------------------------------------


def _clone(url: str, ref: str, folder: Path) -> str:
    """Fetch one commit of a repository and put its folder outer/ into `folder`; return the commit."""
    own = environment() | {
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_ALLOW_PROTOCOL": "file:https:ssh:http",
        "GIT_LFS_SKIP_SMUDGE": "1",
        "LC_ALL": "C",
    }
    until = time.monotonic() + SECONDS

    def git(*arguments: str) -> str:
        command = ["git", "-c", "core.hooksPath=/dev/null", "-c", "core.symlinks=false", *arguments]
        try:
            done = subprocess.run(
                command, cwd=folder, env=own, stdin=subprocess.DEVNULL, capture_output=True,
                timeout=max(1.0, until - time.monotonic()), check=False,
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            raise Unreachable(f"{url} has not answered within {SECONDS} seconds", "Try again later.") from None
        except OSError as error:
            raise Unreachable(f"git cannot be started: {error.strerror}", "Install git.") from None
        if done.returncode:
            raise Unreachable(f"{url} cannot be read: {reason(done.stderr)}", "Check address, reference and access.")
        return done.stdout.decode("utf-8", "replace").strip()

    git("init", "--quiet")
    git("fetch", "--quiet", "--depth=1", "--no-tags", "--no-recurse-submodules", "--", url, ref)
    revision = git("rev-parse", "FETCH_HEAD")
    if not git("ls-tree", "-d", "--name-only", "FETCH_HEAD", "outer"):
        raise UsageError(f"{url} is not a data product: it has no folder outer/", "Name the repository of a product.")
    git("checkout", "--quiet", "FETCH_HEAD", "--", "outer")
    return revision


# --- An address ---------------------------------------------------------------------------------------------------


class _Redirects(urllib.request.HTTPRedirectHandler):
    """Follows a redirection to an address that could have been named in the first place."""

    def redirect_request(
        self, req: urllib.request.Request, fp: Any, code: int, msg: str, headers: Any, newurl: str
    ) -> urllib.request.Request | None:
        parts = urlsplit(newurl)
        if parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in _LOCAL):
            raise Unreachable(f"{req.full_url} leads to {show(newurl)}", "Name an https address.")
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _fetch(url: str) -> bytes:
    until = time.monotonic() + SECONDS
    opener = urllib.request.build_opener(_Redirects)
    opener.addheaders = [("User-Agent", "outer"), ("Accept", "application/yaml, text/plain, */*")]
    data = bytearray()
    try:
        with opener.open(url, timeout=20) as answer:
            while chunk := answer.read(64 * 1024):
                data += chunk
                if len(data) > MAX_BYTES:
                    raise UsageError(f"{url} is larger than {MAX_BYTES // 1024} KiB", "Name a contract.")
                if time.monotonic() > until:
                    raise Unreachable(f"{url} has not answered within {SECONDS} seconds", "Try again later.")
    except urllib.error.HTTPError as error:
        raise Unreachable(f"{url} answers {error.code} {error.reason}", "Check the address and the access.") from None
    except (OSError, ValueError) as error:
        why = getattr(error, "reason", None) or error
        raise Unreachable(f"{url} cannot be read: {show(str(why))}", "Check address and network.") from None
    return bytes(data)
