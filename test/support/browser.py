"""A real browser, led by its DevTools protocol: opens a page, asks it by JavaScript, presses keys, takes pictures."""

import asyncio
import base64
import shutil
import subprocess
import time
from pathlib import Path

import aiohttp
import pytest

PATIENCE = 60.0  # s; generous, as the machine may be busy
_FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--disable-quic", "--disable-dev-shm-usage", "--hide-scrollbars",
    "--remote-debugging-port=0",
)  # fmt: skip


def chromium():
    """The program; the test is skipped where there is none."""
    names = ("chromium", "chromium-browser", "google-chrome", "chromium-headless-shell")
    return next(filter(None, map(shutil.which, names)), None) or pytest.skip("no Chromium here")


class Browser:
    """One page of it.

    Attributes:
        complaints: errors of the page's scripts, and requests that failed.
    """

    def __init__(self, folder, size=(1280, 860)):
        self._profile = Path(folder) / "profile"
        command = [chromium(), *_FLAGS, f"--user-data-dir={self._profile}", f"--window-size={size[0]},{size[1]}"]
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self._loop, self._number, self.complaints = asyncio.new_event_loop(), 0, []

    def __enter__(self):
        try:
            self._loop.run_until_complete(self._attach())
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *failure):
        if hasattr(self, "_session"):
            self._loop.run_until_complete(self._session.close())
        self._loop.close()
        self.process.terminate()
        self.process.wait(PATIENCE)

    async def _attach(self):
        port, end = self._profile / "DevToolsActivePort", time.monotonic() + PATIENCE
        while not port.exists() or not port.read_text().strip():
            assert time.monotonic() < end and self.process.poll() is None, "the browser does not start"
            await asyncio.sleep(0.05)
        self._session = aiohttp.ClientSession()
        address = f"http://127.0.0.1:{port.read_text().split()[0]}"
        async with self._session.put(f"{address}/json/new?about:blank") as answer:
            target = (await answer.json())["webSocketDebuggerUrl"]
        self._socket = await self._session.ws_connect(target, max_msg_size=0)
        for domain in ("Page", "Runtime", "Log"):
            await self._command(f"{domain}.enable")

    async def _command(self, method, **parameters):
        self._number += 1
        await self._socket.send_json({"id": self._number, "method": method, "params": parameters})
        message = await self._until(lambda message: message.get("id") == self._number)
        assert "error" not in message, message
        return message["result"]

    async def _until(self, wanted):
        """The next message that is wanted; complaints among the others are kept."""
        while True:
            message = await self._socket.receive_json(timeout=PATIENCE)
            if wanted(message):
                return message
            if message.get("method") == "Runtime.exceptionThrown":
                self.complaints.append(str(message["params"]["exceptionDetails"]))
            entry = message.get("params", {}).get("entry", {})
            if entry.get("level") == "error":
                self.complaints.append(f"{entry['text']} {entry.get('url', '')}")

    def command(self, method, **parameters):
        """Any of the protocol."""
        return self._loop.run_until_complete(self._command(method, **parameters))

    def open(self, address):
        """Returns when it is there, scripts and all."""
        self.command("Page.navigate", url=address)
        self._loop.run_until_complete(self._until(lambda message: message.get("method") == "Page.loadEventFired"))

    def ask(self, expression):
        """The value of a JavaScript expression; a promise is waited for."""
        answer = self.command("Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def text(self, selector):
        return self.ask(f"document.querySelector({selector!r})?.innerText ?? ''")

    def click(self, selector):
        """As a hand does: with the mouse, where the element is."""
        box = f"document.querySelector({selector!r}).getBoundingClientRect()"
        x, y = self.ask(f"(b => [b.x + b.width / 2, b.y + b.height / 2])({box})")
        for kind in ("mousePressed", "mouseReleased"):
            self.command("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)

    def screenshot(self, path):
        path.write_bytes(base64.b64decode(self.command("Page.captureScreenshot")["data"]))

    def dark(self, wanted=True):
        feature = {"name": "prefers-color-scheme", "value": "dark" if wanted else "light"}
        self.command("Emulation.setEmulatedMedia", features=[feature])
