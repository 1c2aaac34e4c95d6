"""A small client of Chromium's DevTools protocol over its pipe (file descriptors 3 and 4), on the standard library.

`Browser` starts a headless Chromium; `Browser.open` opens a page and gives back what it said and asked for: messages
of level warning or error, uncaught exceptions, and every address requested beyond the page itself.

Protocol: https://chromedevtools.github.io/devtools-protocol/ (messages are JSON, each ended by a NUL byte).
"""

import base64
import contextlib
import json
import os
import select
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-dev-shm-usage", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-default-apps",
    "--disable-extensions", "--disable-breakpad", "--hide-scrollbars", "--remote-debugging-pipe",
)  # fmt: skip
# The browser wants its ends of the pipes at 3 and 4; a process of its own moves them there, safely beside threads.
TRAMPOLINE = """
import fcntl, os, sys
read, write = (fcntl.fcntl(int(n), fcntl.F_DUPFD, 10) for n in sys.argv[1:3])
os.dup2(read, 3); os.dup2(write, 4)
os.execvp(sys.argv[3], sys.argv[3:])
"""
LOCAL = ("file:", "data:", "about:", "blob:")
PATIENCE = 60.0  # seconds without a word from the browser until it is given up


def find_browser() -> str | None:
    """The path of a Chromium, or None."""
    return next((path for path in map(shutil.which, NAMES) if path), None)


@dataclass
class Visit:
    """What a page did while it was open."""

    messages: list[str] = field(default_factory=list)
    exceptions: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)

    @property
    def outside(self) -> list[str]:
        """Requests that leave the page: neither its own file nor data inside it."""
        return [url for url in self.requests if not url.startswith(LOCAL)]


class Browser:
    """A headless Chromium. Use it in a `with` statement."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.next_id = 0
        self.buffer = b""
        self.events: list[dict[str, Any]] = []

    def __enter__(self) -> "Browser":
        self.profile = tempfile.mkdtemp(prefix="osler-browser-")
        theirs_in, self.write_end = os.pipe()
        self.read_end, theirs_out = os.pipe()
        start = [sys.executable, "-c", TRAMPOLINE, str(theirs_in), str(theirs_out), self.path, *FLAGS]
        self.process = subprocess.Popen(
            [*start, f"--user-data-dir={self.profile}", "about:blank"], pass_fds=(theirs_in, theirs_out),
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        os.close(theirs_in)
        os.close(theirs_out)
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(OSError, RuntimeError):
            self.call("Browser.close")
        os.close(self.write_end)
        os.close(self.read_end)
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        shutil.rmtree(self.profile, ignore_errors=True)

    def call(self, method: str, session: str | None = None, **parameters: Any) -> dict[str, Any]:
        """Sends a command and waits for its answer; events that come meanwhile are kept."""
        self.next_id += 1
        message = {"id": self.next_id, "method": method, "params": parameters} | (
            {"sessionId": session} if session else {}
        )
        os.write(self.write_end, json.dumps(message).encode() + b"\0")
        while (answer := self.receive()).get("id") != self.next_id:
            self.events.append(answer)
        if "error" in answer:
            raise RuntimeError(f"{method}: {answer['error']['message']}")
        return answer["result"]

    def receive(self) -> dict[str, Any]:
        """The next message from the browser."""
        while b"\0" not in self.buffer:
            if not select.select([self.read_end], [], [], PATIENCE)[0]:
                raise RuntimeError(f"The browser said nothing for {PATIENCE:g} s.")
            data = os.read(self.read_end, 1 << 20)
            if not data:
                raise RuntimeError("The browser closed its pipe.")
            self.buffer += data
        message, self.buffer = self.buffer.split(b"\0", 1)
        return json.loads(message)

    def open(
        self, page: Path, *, width: int = 1280, dark: bool = False, screenshot: Path | None = None, script: str = ""
    ) -> tuple[Visit, Any]:
        """Opens a file, waits until it has loaded and is painted, and tells what it did.

        Args:
            page: the HTML file.
            width: of the window, in CSS pixels.
            dark: whether the reader's system prefers dark pages.
            screenshot: where to write the whole page as PNG.
            script: an expression whose value is given back as the second result.
        """
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Network", "Log", "Runtime"):
            self.call(f"{domain}.enable", session)
        self.call(
            "Emulation.setDeviceMetricsOverride",
            session,
            width=width,
            height=900,
            deviceScaleFactor=1,
            mobile=width < 600,
        )
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.call("Emulation.setEmulatedMedia", session, features=[scheme])
        self.events.clear()
        self.call("Page.navigate", session, url=page.resolve().as_uri())
        while not any(e.get("method") == "Page.loadEventFired" for e in self.events):
            self.events.append(self.receive())
        painted = "new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))"
        self.call("Runtime.evaluate", session, expression=painted, awaitPromise=True)
        value = self.call("Runtime.evaluate", session, expression=script or "0", returnByValue=True)["result"].get(
            "value"
        )
        if screenshot is not None:
            shot = self.call("Page.captureScreenshot", session, captureBeyondViewport=True)
            screenshot.write_bytes(base64.b64decode(shot["data"]))
        self.call("Target.closeTarget", targetId=target)
        return visit_of([e for e in self.events if e.get("sessionId") == session]), value


def visit_of(events: list[dict[str, Any]]) -> Visit:
    """What the events of a page's session tell."""
    visit = Visit()
    for event in events:
        told = event.get("params", {})
        match event.get("method"):
            case "Network.requestWillBeSent":
                visit.requests.append(told["request"]["url"])
            case "Runtime.exceptionThrown":
                visit.exceptions.append(json.dumps(told["exceptionDetails"]))
            case "Runtime.consoleAPICalled" if told["type"] in {"error", "warning", "assert"}:
                visit.messages.append(" ".join(str(a.get("value", a.get("description"))) for a in told["args"]))
            case "Log.entryAdded" if told["entry"]["level"] in {"error", "warning"}:
                visit.messages.append(told["entry"]["text"])
    return visit
