"""A headless Chromium for tests, over the DevTools pipe: no driver, no port, no package.

Protocol: https://chromedevtools.github.io/devtools-protocol/
"""

from __future__ import annotations

import base64
import contextlib
import json
import os
import select
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
PATIENCE = 60.0  # seconds for one answer; a slow machine is not a failure
_QUIET = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync",
    "--disable-background-networking", "--disable-component-update", "--hide-scrollbars",
    "--remote-debugging-pipe", "about:blank",
)  # fmt: skip
# Chromium reads commands from descriptor 3 and answers on 4, whatever numbers the pipes have here.
_ON_3_AND_4 = "import os, sys; r, w, *c = sys.argv[1:]; os.dup2(int(r), 3); os.dup2(int(w), 4); os.execv(c[0], c)"


def chromium() -> str | None:
    """Path of the Chromium on this machine, or None. Windows passes no such pipes on, so there is none."""
    if os.name == "nt":
        return None
    return next((found for name in NAMES if (found := shutil.which(name))), None)


@dataclass
class View:
    """One loaded page, and what happened while it loaded."""

    session: str
    browser: Browser
    requests: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)
    """Console errors and warnings, exceptions, violations of the page's own policy."""

    def evaluate(self, expression: str) -> Any:
        """Value of a JavaScript expression in the page; a promise is waited for."""
        answer = self.browser.call(
            "Runtime.evaluate",
            {"expression": expression, "returnByValue": True, "awaitPromise": True},
            self.session,
        )
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def picture(self, target: Path, *, full: bool = True) -> None:
        """Save what the page looks like, as PNG."""
        options = {"format": "png", "captureBeyondViewport": full}
        answer = self.browser.call("Page.captureScreenshot", options, self.session)
        target.write_bytes(base64.b64decode(answer["data"]))


class Browser:
    """A running Chromium."""

    def __init__(self, into: int, out: int) -> None:
        self._into, self._out = into, out
        self._buffer = b""
        self._number = 0
        self._events: list[dict[str, Any]] = []

    def open(
        self,
        address: str,
        *,
        width: int,
        height: int = 900,
        dark: bool = False,
        script: bool = True,
        paper: bool = False,
    ) -> View:
        """Load `address` in a fresh tab of `width` by `height` CSS pixels."""
        target = self.call("Target.createTarget", {"url": "about:blank"})["targetId"]
        session = self.call("Target.attachToTarget", {"targetId": target, "flatten": True})["sessionId"]
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600}
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        for method, options in (
            ("Page.enable", {}), ("Network.enable", {}), ("Runtime.enable", {}), ("Log.enable", {}),
            ("Emulation.setDeviceMetricsOverride", size),
            ("Emulation.setEmulatedMedia", {"media": "print" if paper else "", "features": [scheme]}),
            ("Emulation.setScriptExecutionDisabled", {"value": not script}),
        ):  # fmt: skip
            self.call(method, options, session)
        self._events.clear()
        self.call("Page.navigate", {"url": address}, session)
        view = View(session, self)
        while not self._drain(view):
            self._read()
        # Whatever the page starts late shows up before its next two frames are through.
        if script:
            view.evaluate("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")
        self._drain(view)
        return view

    def call(self, method: str, options: dict[str, Any], session: str | None = None) -> dict[str, Any]:
        """Send one command and return its answer; events that come in between are kept."""
        self._number += 1
        number = self._number
        message: dict[str, Any] = {"id": number, "method": method, "params": options}
        if session:
            message["sessionId"] = session
        os.write(self._into, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._read()
            if answer.get("id") == number:
                assert "error" not in answer, f"{method}: {answer['error']}"
                result: dict[str, Any] = answer["result"]
                return result

    def _drain(self, view: View) -> bool:
        loaded = False
        for event in self._events:
            if event.get("sessionId") != view.session:
                continue
            said = event["params"]
            match event["method"]:
                case "Network.requestWillBeSent":
                    view.requests.append(said["request"]["url"])
                case "Runtime.exceptionThrown":
                    view.complaints.append(said["exceptionDetails"]["text"])
                case "Runtime.consoleAPICalled" if said["type"] in ("error", "warning", "assert"):
                    view.complaints.append(str(said["args"]))
                case "Log.entryAdded" if said["entry"]["level"] in ("error", "warning"):
                    view.complaints.append(said["entry"]["text"])
                case "Page.loadEventFired":
                    loaded = True
        self._events.clear()
        return loaded

    def _read(self) -> dict[str, Any]:
        end = time.monotonic() + PATIENCE
        while b"\0" not in self._buffer:
            ready, _, _ = select.select([self._out], [], [], max(end - time.monotonic(), 0))
            part = os.read(self._out, 1 << 16) if ready else b""
            if not part:
                raise TimeoutError("Chromium does not answer")
            self._buffer += part
        text, _, self._buffer = self._buffer.partition(b"\0")
        message: dict[str, Any] = json.loads(text)
        if "method" in message:
            self._events.append(message)
        return message


@contextlib.contextmanager
def browser(program: str) -> Iterator[Browser]:
    """Start the Chromium `program` with an empty profile, and end it and its children afterwards."""
    import fcntl  # not on Windows, where the other tests of the page still run

    ends: list[int] = []
    for end in (*os.pipe(), *os.pipe()):
        ends.append(fcntl.fcntl(end, fcntl.F_DUPFD_CLOEXEC, 20))  # clear of 3 and 4
        os.close(end)
    theirs_in, ours_in, ours_out, theirs_out = ends
    with tempfile.TemporaryDirectory(prefix="chromium-", ignore_cleanup_errors=True) as profile:
        command = [program, *_QUIET[:-1], f"--user-data-dir={profile}", _QUIET[-1]]
        process = subprocess.Popen(
            [sys.executable, "-c", _ON_3_AND_4, str(theirs_in), str(theirs_out), *command],
            pass_fds=(theirs_in, theirs_out),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(theirs_in)
        os.close(theirs_out)
        found = Browser(ours_in, ours_out)
        try:
            yield found
        finally:
            with contextlib.suppress(OSError, TimeoutError, AssertionError):
                found.call("Browser.close", {})
            os.close(ours_in)
            os.close(ours_out)
            try:
                process.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
