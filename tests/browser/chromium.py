"""A headless Chromium, driven by its debugging protocol over a pipe.

No library: commands and answers are JSON texts that end with a zero byte.
"""

import base64
import itertools
import json
import os
import select
import subprocess
import tempfile
import time
from pathlib import Path
from types import TracebackType
from typing import Any

from tests.browser.obtain import Tools

_FLAGS = (
    "--headless",
    "--no-sandbox",  # the suite may run as root, and opens its own pages alone
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--hide-scrollbars",
    "--no-first-run",
    "--disable-extensions",
    "--disable-background-networking",
    "--font-render-hinting=none",
    "--force-color-profile=srgb",
    "--remote-debugging-pipe",
)
_SECONDS = 60.0


class Chromium:
    """A running browser; use it as a context manager."""

    def __init__(self, tools: Tools) -> None:
        self.axe = tools.axe.read_text(encoding="utf-8")
        self._folder = tempfile.TemporaryDirectory(prefix="gpt4rec-browser-")
        there, self._out = os.pipe()
        self._in, here = os.pipe()
        # The browser reads commands from descriptor 3 and writes answers to 4.
        shell = f'exec "$0" "$@" 3<&{there} 4>&{here}'
        self._process = subprocess.Popen(
            [
                "/bin/bash",
                "-c",
                shell,
                tools.program,
                *_FLAGS,
                f"--user-data-dir={self._folder.name}",
            ],
            pass_fds=(there, here),
            env={**os.environ, "HOME": self._folder.name, **tools.environment},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(there)
        os.close(here)
        self._numbers = itertools.count(1)
        self._rest = b""
        self.events: list[dict[str, Any]] = []

    def __enter__(self) -> "Chromium":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._process.terminate()
        self._process.wait(10)
        os.close(self._in)
        os.close(self._out)
        self._folder.cleanup()

    def call(self, method: str, session: str | None = None, **parameters: Any) -> Any:
        """Return the result of a command; an error of the browser fails the test."""
        number = next(self._numbers)
        command: dict[str, Any] = {"id": number, "method": method, "params": parameters}
        if session:
            command["sessionId"] = session
        os.write(self._out, json.dumps(command).encode() + b"\0")
        while (message := self._read()).get("id") != number:
            self.events.append(message)
        assert "error" not in message, (method, message["error"])
        return message["result"]

    def wait_for(self, event: str, session: str) -> None:
        """Wait for an event of a page."""
        while not any(
            one.get("method") == event and one.get("sessionId") == session for one in self.events
        ):
            self.events.append(self._read())

    def _read(self) -> dict[str, Any]:
        deadline = time.monotonic() + _SECONDS
        while b"\0" not in self._rest:
            ready, _, _ = select.select([self._in], [], [], max(deadline - time.monotonic(), 0))
            assert ready, "the browser does not answer"
            part = os.read(self._in, 1 << 20)
            assert part, "the browser has ended"
            self._rest += part
        text, _, self._rest = self._rest.partition(b"\0")
        found: dict[str, Any] = json.loads(text)
        return found

    def open(self, path: Path) -> "Page":
        """Return a page that shows a file."""
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        page = Page(self, session, target)
        page.call("Page.enable")
        page.call("Runtime.enable")
        page.go(path)
        return page


class Page:
    """One page of a browser."""

    def __init__(self, browser: Chromium, session: str, target: str) -> None:
        self._browser, self._session, self._target = browser, session, target

    def call(self, method: str, **parameters: Any) -> Any:
        return self._browser.call(method, self._session, **parameters)

    def go(self, path: Path) -> None:
        """Show another file."""
        self._browser.events.clear()
        self.call("Page.navigate", url=path.resolve().as_uri())
        self._browser.wait_for("Page.loadEventFired", self._session)

    def look(self, width: int, *, dark: bool = False, printed: bool = False) -> None:
        """Show the page as wide as ``width`` pixels, in light or dark colours, or as on paper."""
        self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=800,
            deviceScaleFactor=1,
            mobile=False,
        )
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        media = "print" if printed else ""
        self.call("Emulation.setEmulatedMedia", media=media, features=[scheme])

    def evaluate(self, expression: str) -> Any:
        """Return the value of an expression, awaited."""
        found = self.call(
            "Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True
        )
        assert "exceptionDetails" not in found, found["exceptionDetails"]
        return found["result"].get("value")

    def violations(self) -> list[str]:
        """Return what axe-core finds serious or critical: rule and first elements."""
        self.evaluate(self._browser.axe + ";0")
        return list(
            self.evaluate(
                "axe.run({resultTypes: ['violations']}).then(found => found.violations"
                ".filter(one => ['serious', 'critical'].includes(one.impact))"
                ".map(one => one.id + ': ' + one.nodes.slice(0, 3)"
                ".map(node => node.html.slice(0, 120) + ' ' + node.failureSummary).join(' | ')))"
            )
        )

    def picture(self, top: int, height: int) -> bytes:
        """Return a PNG of the page from ``top`` on, ``height`` pixels."""
        width = self.evaluate("innerWidth")
        clip = {"x": 0, "y": top, "width": width, "height": height, "scale": 1}
        found = self.call("Page.captureScreenshot", clip=clip, captureBeyondViewport=True)
        return base64.b64decode(found["data"])

    def pdf(self) -> bytes:
        """Return the page printed on A4."""
        found = self.call(
            "Page.printToPDF", printBackground=True, paperWidth=8.27, paperHeight=11.69
        )
        return base64.b64decode(found["data"])

    def close(self) -> None:
        self._browser.call("Target.closeTarget", targetId=self._target)
