"""A headless Chromium spoken to over its own debugging socket: open a page, await a condition, take a picture."""

from __future__ import annotations

import base64
import json
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from websockets.sync.client import ClientConnection, connect

ANSWER_SECONDS = 20.0
ANSWER_LIMIT_BYTES = 2**26
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")

# Resolves once `condition` holds, looked at with every frame.
_AWAIT = """new Promise((done) => {{
  const look = () => ({condition}) ? done(true) : requestAnimationFrame(look);
  look();
}})"""


class Page:
    """One tab. `errors` is what its console and its policy complained about."""

    def __init__(self, socket: ClientConnection) -> None:
        self._socket = socket
        self._number = 0
        self.errors: list[str] = []
        self._trace: list[dict[str, Any]] | None = None  # where nobody traces

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        self._number += 1
        self._socket.send(json.dumps({"id": self._number, "method": method, "params": parameters}))
        while True:
            said = json.loads(self._socket.recv(ANSWER_SECONDS))
            if said.get("id") == self._number:
                assert "error" not in said, said
                return dict(said["result"])
            self._note(said)

    def _note(self, said: dict[str, Any]) -> None:
        if said.get("method") == "Runtime.exceptionThrown":
            self.errors.append(str(said["params"]["exceptionDetails"]))
        if said.get("method") == "Log.entryAdded" and said["params"]["entry"]["level"] == "error":
            self.errors.append(said["params"]["entry"]["text"])
        if said.get("method") == "Tracing.dataCollected" and self._trace is not None:
            self._trace += said["params"]["value"]
        if said.get("method") == "Tracing.tracingComplete":
            self._is_traced = True

    @contextmanager
    def traced(self, *categories: str) -> Iterator[list[dict[str, Any]]]:
        """What Chromium itself records within; the events are there behind it."""
        found: list[dict[str, Any]] = []
        self._trace = found
        self._is_traced = False
        self.call("Tracing.start", traceConfig={"includedCategories": list(categories)})
        yield found
        self.call("Tracing.end")
        while not self._is_traced:
            self._note(json.loads(self._socket.recv(ANSWER_SECONDS)))
        self._trace = None

    def open(self, url: str, condition: str) -> None:
        """`condition` is a JavaScript expression awaited on the new page."""
        self.call("Page.navigate", url=url)
        self.until(f"location.href === {json.dumps(url)} && document.readyState === 'complete' && ({condition})")

    def log_in(self, url: str, name: str, password: str) -> None:
        """Open a page of the centre, having said who it is; a click would end the page that is being asked."""
        self.open(url.split("/beds", maxsplit=1)[0] + "/login", "document.querySelector('#password')")
        said = f"new URLSearchParams({json.dumps({'name': name, 'password': password})})"
        self.ask(f"fetch('/login', {{method: 'POST', body: {said}}}).then((answer) => answer.status)")
        self.open(url, "true")

    def until(self, condition: str) -> None:
        self.ask(_AWAIT.format(condition=condition))

    def ask(self, expression: str) -> Any:
        said = self.call("Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in said, said["exceptionDetails"]
        return said["result"].get("value")

    def look(self, width: int, height: int, path: Path, scheme: str = "light", ratio: float = 1) -> None:
        self.size(width, height, scheme, ratio)
        self.ask("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => done(1))))")
        shot = self.call("Page.captureScreenshot", format="png", captureBeyondViewport=False)
        path.write_bytes(base64.b64decode(shot["data"]))

    def size(self, width: int, height: int, scheme: str = "light", ratio: float = 1) -> None:
        self.call(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=ratio, mobile=False
        )
        self.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])


@contextmanager
def browser() -> Iterator[Page]:
    """A Chromium of our own, with an empty profile."""
    assert CHROMIUM, "chromium is missing: apt-get install chromium"
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        command = [CHROMIUM, "--headless=new", "--no-sandbox", "--disable-gpu", "--remote-debugging-port=0"]
        started = subprocess.Popen(
            [*command, f"--user-data-dir={profile}", "--hide-scrollbars", "about:blank"],
            stderr=subprocess.PIPE,
            text=True,
        )
        try:
            yield from _tab(started)
        finally:
            started.terminate()
            started.wait(10)


def _tab(started: subprocess.Popen[str]) -> Iterator[Page]:
    assert started.stderr
    for line in started.stderr:
        found = re.search(r"ws://(\S+?)/devtools/browser/\S+", line)
        if found:
            break
    else:
        raise AssertionError("chromium did not start")
    with connect(found.group(0)) as socket:
        target = Page(socket).call("Target.createTarget", url="about:blank")["targetId"]
        with connect(f"ws://{found.group(1)}/devtools/page/{target}", max_size=ANSWER_LIMIT_BYTES) as own:
            page = Page(own)
            for domain in ("Page", "Runtime", "Log"):
                page.call(f"{domain}.enable")
            yield page
