"""Chromium without a window, driven over its DevTools protocol: just what the tests of the page need."""

from __future__ import annotations

import base64
import contextlib
import itertools
import json
import re
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from websockets.sync.client import ClientConnection, connect

PATIENCE = 60.0
"""Seconds that a condition may take to come true. Generous: the machine may be busy with other things."""
HOW_TO_GET_IT = "no Chromium here: the page is tested with it; get it with 'sudo apt-get install chromium'"
_NAMES = ("chromium", "chromium-browser", "google-chrome")
_FLAGS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--use-fake-device-for-media-stream",
    "--remote-debugging-port=0",
)
_WORKED = (
    "button",
    "textbox",
    "searchbox",
    "slider",
    "checkbox",
    "radio",
    "combobox",
    "link",
    "DisclosureTriangle",
)
_KEYS = {"Escape": 27, "Enter": 13, " ": 32, "Tab": 9}


def find_chromium() -> str | None:
    """Where it is installed."""
    return next(filter(None, map(shutil.which, _NAMES)), None)


@contextlib.contextmanager
def chromium(microphone: Path, *, allow: bool = True) -> Iterator[Browser]:
    """A browser whose microphone hears a recording once, each time that it is opened. `allow`: a page that
    asks for the microphone gets it."""
    program = find_chromium()
    assert program, HOW_TO_GET_IT
    answer = "" if allow else "=deny"
    with TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        process = subprocess.Popen(
            [
                program,
                *_FLAGS,
                f"--use-fake-ui-for-media-stream{answer}",
                f"--use-file-for-fake-audio-capture={microphone}%noloop",
                f"--user-data-dir={profile}",
                "about:blank",
            ],
            stderr=subprocess.PIPE,
            text=True,
        )
        try:
            yield Browser(_address(process))
        finally:
            process.terminate()
            process.communicate(timeout=20)


def _address(process: subprocess.Popen[str]) -> str:
    assert process.stderr is not None
    said = []
    for line in process.stderr:
        said.append(line)
        if found := re.match(r"DevTools listening on (ws://\S+)", line):
            return found[1]
    raise AssertionError(f"Chromium ended before it was ready: {''.join(said)}")


class Browser:
    """A running Chromium."""

    def __init__(self, address: str) -> None:
        self._address = address

    @contextlib.contextmanager
    def page(
        self,
        url: str,
        *,
        width: int = 1280,
        height: int = 800,
        dark: bool = False,
        any_certificate: bool = False,
    ) -> Iterator[Page]:
        """A page of its own, with no memory of others."""
        with connect(self._address, max_size=None, compression=None) as socket:
            wire = _Wire(socket)
            context = wire.call("Target.createBrowserContext")["browserContextId"]
            target = wire.call("Target.createTarget", url="about:blank", browserContextId=context)
            wire.session = wire.call("Target.attachToTarget", targetId=target["targetId"], flatten=True)[
                "sessionId"
            ]
            page = Page(wire, context)
            wire.call("Page.enable")
            wire.call("Runtime.enable")
            wire.call("Log.enable")
            page.look(width=width, height=height, dark=dark)
            if any_certificate:
                wire.call("Security.setIgnoreCertificateErrors", ignore=True)
            page.go(url)
            try:
                yield page
            finally:
                wire.session = None
                wire.call("Target.disposeBrowserContext", browserContextId=context)


class _Wire:
    """Commands out, their answers in; what the page complains of meanwhile is kept."""

    def __init__(self, socket: ClientConnection) -> None:
        self._socket = socket
        self._numbers = itertools.count(1)
        self.session: str | None = None
        self.complaints: list[str] = []

    def call(self, method: str, **params: Any) -> dict[str, Any]:
        number = next(self._numbers)
        message = {"id": number, "method": method, "params": params}
        if self.session:
            message["sessionId"] = self.session
        self._socket.send(json.dumps(message))
        while True:
            answer = json.loads(self._socket.recv(PATIENCE + 10))
            if answer.get("id") == number:
                assert "error" not in answer, (method, answer["error"])
                return answer["result"]
            self._note(answer)

    def _note(self, event: dict[str, Any]) -> None:
        params = event.get("params", {})
        if event.get("method") == "Runtime.exceptionThrown":
            details = params["exceptionDetails"]
            self.complaints.append(details.get("exception", {}).get("description") or details["text"])
        elif event.get("method") == "Log.entryAdded" and params["entry"]["level"] == "error":
            self.complaints.append(f"{params['entry']['text']} {params['entry'].get('url', '')}")
        elif event.get("method") == "Runtime.consoleAPICalled" and params["type"] in ("error", "assert"):
            self.complaints.append(" ".join(str(one.get("value")) for one in params["args"]))


class Page:
    """One tab."""

    def __init__(self, wire: _Wire, context: str) -> None:
        self._wire = wire
        self._context = context

    def go(self, url: str) -> None:
        """Open an address, all of it."""
        self._wire.call("Page.navigate", url=url)
        self.until("document.readyState === 'complete'")

    def allow(self, *permissions: str) -> None:
        """Grant these and no others, by their names in the DevTools protocol."""
        self._wire.call("Browser.grantPermissions", permissions=permissions, browserContextId=self._context)

    def accessible(self) -> list[tuple[str, str]]:
        """Role and name of everything that can be worked, as a screen reader is told."""
        nodes = self._wire.call("Accessibility.getFullAXTree")["nodes"]
        worked = [node for node in nodes if not node["ignored"] and node["role"]["value"] in _WORKED]
        return [(node["role"]["value"], node.get("name", {}).get("value", "")) for node in worked]

    @property
    def complaints(self) -> list[str]:
        """Errors that the page left in its console: exceptions, refused requests, broken rules of its CSP."""
        self.run("0")
        return self._wire.complaints

    def run(self, script: str) -> Any:
        """The value of an expression, awaited if it is a promise; counts as a gesture of the user's."""
        answer = self._wire.call(
            "Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True, userGesture=True
        )
        if failed := answer.get("exceptionDetails"):
            raise AssertionError(failed.get("exception", {}).get("description") or failed["text"])
        return answer["result"].get("value")

    def until(self, condition: str) -> Any:
        """Wait until an expression, awaited if it is a promise, is true; its value (true for an element)."""
        deadline = time.monotonic() + PATIENCE
        while True:
            # Asked often from within the page, so that a short state is not missed.
            value = self.run(f"""new Promise(done => {{
                const end = performance.now() + 500;
                const ask = async () => {{
                    let value = null;
                    try {{ value = await ({condition}); }} catch {{ /* Not yet. */ }}
                    if (value || performance.now() > end) done(value instanceof Node ? true : value);
                    else setTimeout(ask, 10);
                }};
                ask();
            }})""")
            if value:
                return value
            if time.monotonic() > deadline:
                seen = self.run("document.body?.innerText")
                raise AssertionError(f"never came true: {condition}\n{self._wire.complaints}\n{seen}")

    def click(self, selector: str) -> None:
        """Press with the mouse, at the middle of what is there."""
        found = json.dumps(selector)
        self.until(f"document.querySelector({found})?.checkVisibility()")
        x, y = self.run(f"""(() => {{
            const one = document.querySelector({found});
            one.scrollIntoView({{block: 'center', behavior: 'instant'}});
            const box = one.getBoundingClientRect();
            return [box.x + box.width / 2, box.y + box.height / 2];
        }})()""")
        for kind in ("mousePressed", "mouseReleased"):
            self._wire.call("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)

    def type(self, text: str) -> None:
        """Into what has the focus."""
        self._wire.call("Input.insertText", text=text)

    def press(self, key: str, *, kinds: tuple[str, ...] = ("keyDown", "keyUp")) -> None:
        """A key, by its name in KeyboardEvent."""
        code = _KEYS.get(key, ord(key[0].upper()))
        text = {"Enter": "\r"}.get(key, key if len(key) == 1 else "")
        for kind in kinds:
            extra = {"text": text} if kind == "keyDown" and text else {}
            self._wire.call("Input.dispatchKeyEvent", type=kind, key=key, windowsVirtualKeyCode=code, **extra)

    def choose_file(self, selector: str, file: Path) -> None:
        """As a person does in the file dialog."""
        root = self._wire.call("DOM.getDocument")["root"]["nodeId"]
        node = self._wire.call("DOM.querySelector", nodeId=root, selector=selector)["nodeId"]
        self._wire.call("DOM.setFileInputFiles", nodeId=node, files=[str(file)])

    def look(self, *, width: int, height: int, dark: bool = False, scale: float = 1) -> None:
        """The window's size, and what the system says of light and dark."""
        self._wire.call(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=scale,
            mobile=width < 600,
        )
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self._wire.call("Emulation.setEmulatedMedia", features=[scheme])

    def picture(self, path: Path) -> None:
        """A screenshot of what can be seen."""
        path.write_bytes(base64.b64decode(self._wire.call("Page.captureScreenshot", format="png")["data"]))
