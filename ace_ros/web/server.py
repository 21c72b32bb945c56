"""Serves the page, and what it shows, from a thread of its own. Needs aiohttp: see :func:`ace_ros.web.require`."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from aiohttp import WSCloseCode, web

from ace_ros.web.guard import own_names, refusal
from ace_ros.web.listening import address_of, is_private, listen
from ace_ros.web.options import ServerOptions

_PAGE = Path(__file__).parent / "page"
_TYPES = {".html": "text/html", ".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
_MOST_PAGES = 16  # open at a time: each costs a picture's bandwidth; set by hand
_MOST_DEEDS = 8  # buttons pressed and not answered yet; set by hand
_HEARTBEAT = 10.0  # s: a browser that does not answer by half as long again is gone; set by hand
_STUCK = 10.0  # s: a browser that has not taken what was sent before is gone as well; set by hand
_HEARD = 1024  # bytes that a page may say at once: it has nothing to say
_PATIENCE = 2.0  # s for requests under way when it closes; set by hand
_HEADERS = {
    "Content-Security-Policy": "default-src 'self'; img-src 'self' blob:; frame-ancestors 'none'; base-uri 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-cache",
}
#: does what a button says, in a thread of a pool: whether it was done, and a sentence about it
Do = Callable[[str], tuple[bool, str]]


class Server:
    """The page at ``/``, what it shows at ``/live`` (a WebSocket), and its buttons at ``/do/NAME`` (POST).

    Of each kind of content only the newest is kept: a page that takes it slowly skips what is between.

    Args:
        deeds: names of the buttons. do: see :data:`Do`; it must end soon after :meth:`close` was called.

    Raises:
        InputError: the port can't be had.
    """

    def __init__(self, options: ServerOptions, deeds: set[str], do: Do) -> None:
        self._listener = listen(options.host, options.port)
        self.address, self.private = address_of(self._listener), is_private(self._listener)
        given = {name.strip().lower() for name in options.names.split(",") if name.strip()}
        self._names = own_names() | {options.host.lower()} | given
        self._deeds, self._do = deeds, do
        self._content: dict[str, tuple[int, str | bytes]] = {}  # kind -> number, content; the loop's alone
        self._number = 0
        self._pages: list[_Page] = []
        self._failure: Exception | None = None
        self._loop = asyncio.new_event_loop()
        self._over = asyncio.Event()
        self._thread = threading.Thread(target=self._run, name="web server", daemon=True)
        self._thread.start()

    @property
    def pages(self) -> int:
        """Open now."""
        return len(self._pages)

    def show(self, kind: str, content: str | bytes) -> None:
        """Show this from now on: text goes out as it is, bytes with the kind's first letter before them."""
        self._call(lambda: self._show(kind, content))

    def clear(self) -> None:
        """Forget all that was shown."""
        self._call(self._content.clear)

    def check(self) -> None:
        """Raise what has ended the thread, if anything has."""
        if self._failure is not None:
            raise self._failure

    def close(self) -> None:
        """Tell the pages, and end the thread."""
        self._call(self._over.set)
        self._thread.join(2 * _PATIENCE)

    def _call(self, work: Callable[[], None]) -> None:
        with contextlib.suppress(RuntimeError):  # the loop is closed
            self._loop.call_soon_threadsafe(work)

    # --- in the server's thread ---

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        pool = ThreadPoolExecutor(_MOST_DEEDS, thread_name_prefix="web deed")
        self._loop.set_default_executor(pool)
        try:
            self._loop.run_until_complete(self._serve())
            if left := asyncio.all_tasks(self._loop):
                for task in left:
                    task.cancel()
                self._loop.run_until_complete(asyncio.wait(left, timeout=_PATIENCE / 2))
        except Exception as error:
            self._failure = error
        finally:
            pool.shutdown(wait=False)
            self._loop.close()

    async def _serve(self) -> None:
        application = web.Application(middlewares=[self._guarded], client_max_size=_HEARD)
        application.router.add_get("/live", self._live)
        application.router.add_post("/do/{deed}", self._on_deed)
        for path in _PAGE.iterdir():
            if path.suffix in _TYPES:
                where = "/" if path.name == "index.html" else f"/{path.name}"
                application.router.add_get(where, _file(path.read_bytes(), _TYPES[path.suffix]))
        runner = web.AppRunner(application, access_log=None)
        await runner.setup()
        await web.SockSite(runner, self._listener).start()
        await self._over.wait()
        await asyncio.gather(*(page.bid_farewell() for page in self._pages))
        with contextlib.suppress(asyncio.TimeoutError):  # by itself it waits for a minute
            await asyncio.wait_for(runner.cleanup(), _PATIENCE)

    @web.middleware
    async def _guarded(
        self, request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        if why := refusal(request.headers.get("Host", ""), request.headers.get("Origin"), self._names):
            return web.Response(status=403, text=f"{why}\n", headers=_HEADERS)
        return await handler(request)

    async def _live(self, request: web.Request) -> web.StreamResponse:
        if self._over.is_set() or len(self._pages) >= _MOST_PAGES:
            return web.Response(status=503, text=f"{len(self._pages)} pages are open already\n", headers=_HEADERS)
        page = _Page(self._content)
        await page.socket.prepare(request)
        page.transport = request.transport
        self._pages.append(page)
        sending = asyncio.ensure_future(page.send())
        try:
            async for _ in page.socket:  # it says nothing, but that it goes
                pass
        finally:
            self._pages.remove(page)
            sending.cancel()
            await asyncio.gather(sending, return_exceptions=True)
        return page.socket

    def _show(self, kind: str, content: str | bytes) -> None:
        self._number += 1
        self._content[kind] = self._number, content
        for page in self._pages:
            page.news.set()

    async def _on_deed(self, request: web.Request) -> web.StreamResponse:
        deed = request.match_info["deed"]
        if deed not in self._deeds:
            return web.Response(status=404, text=f"there is no button {deed}\n", headers=_HEADERS)
        done, sentence = await self._loop.run_in_executor(None, self._do, deed)
        return web.json_response({"done": done, "sentence": sentence}, status=200 if done else 409, headers=_HEADERS)


class _Page:
    """A browser's page: sends the newest of ``content``, one after the other, each when the one before has left."""

    def __init__(self, content: dict[str, tuple[int, str | bytes]]) -> None:
        self.socket = web.WebSocketResponse(heartbeat=_HEARTBEAT, max_msg_size=_HEARD, compress=False)
        self.transport: asyncio.Transport | None = None
        self.news = asyncio.Event()  # there may be something new
        self.news.set()
        self._content = content
        self._sent: dict[str, int] = {}

    async def send(self) -> None:
        """Until it is cancelled, or the browser is gone."""
        while True:
            await self.news.wait()
            self.news.clear()
            for kind in list(self._content):  # no wait_for: until Python 3.12 it may swallow that it is cancelled
                stuck = asyncio.get_running_loop().call_later(_STUCK, self._abort)
                try:
                    await self._send_newest(kind)
                finally:
                    stuck.cancel()

    async def _send_newest(self, kind: str) -> None:
        number, content = self._content.get(kind, (0, ""))
        if not content or self._sent.get(kind) == number:
            return
        self._sent[kind] = number
        if isinstance(content, str):
            await self.socket.send_str(content)
        else:
            await self.socket.send_bytes(kind[:1].encode() + content)

    async def bid_farewell(self) -> None:
        """Close, whether the browser takes it or not."""
        with contextlib.suppress(asyncio.TimeoutError, ConnectionError):
            closing = self.socket.close(code=WSCloseCode.GOING_AWAY, message=b"the node ends")
            await asyncio.wait_for(closing, _PATIENCE / 2)
        self._abort()

    def _abort(self) -> None:
        """A transport that is closed would first send what nobody takes."""
        if self.transport is not None:
            self.transport.abort()


def _file(content: bytes, kind: str) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    async def send(_: web.Request) -> web.StreamResponse:
        return web.Response(body=content, content_type=kind, charset="utf-8", headers=_HEADERS)

    return send
