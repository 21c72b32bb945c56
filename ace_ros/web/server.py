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
        self._pages: dict[web.WebSocketResponse, asyncio.Event] = {}  # event: there is something new
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
        site = web.SockSite(runner, self._listener)
        await site.start()
        await self._over.wait()
        await site.stop()
        sockets = [socket.close(code=WSCloseCode.GOING_AWAY, message=b"the node ends") for socket in list(self._pages)]
        with contextlib.suppress(asyncio.TimeoutError):
            await asyncio.wait_for(asyncio.gather(*sockets, return_exceptions=True), _PATIENCE / 2)
        with contextlib.suppress(asyncio.TimeoutError):  # by itself it waits a minute
            await asyncio.wait_for(runner.cleanup(), _PATIENCE)

    @web.middleware
    async def _guarded(
        self, request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        if why := refusal(request.headers.get("Host", ""), request.headers.get("Origin"), self._names):
            return web.Response(status=403, text=f"{why}\n", headers=_HEADERS)
        return await handler(request)

    async def _live(self, request: web.Request) -> web.StreamResponse:
        if len(self._pages) >= _MOST_PAGES:
            return web.Response(status=503, text=f"{_MOST_PAGES} pages are open already\n", headers=_HEADERS)
        socket = web.WebSocketResponse(heartbeat=_HEARTBEAT, max_msg_size=_HEARD, compress=False)
        await socket.prepare(request)
        self._pages[socket] = news = asyncio.Event()
        news.set()
        sending = asyncio.ensure_future(self._send(socket, news))
        try:
            async for _ in socket:  # it says nothing, but that it goes
                pass
        finally:
            del self._pages[socket]
            sending.cancel()
            await asyncio.gather(sending, return_exceptions=True)
        return socket

    async def _send(self, socket: web.WebSocketResponse, news: asyncio.Event) -> None:
        """Send what is new, one after the other: each waits until the one before has left."""
        sent: dict[str, int] = {}
        while True:
            await news.wait()
            news.clear()
            for kind in list(self._content):
                number, content = self._content.get(kind, (0, ""))
                if not content or sent.get(kind) == number:
                    continue
                sent[kind] = number
                if isinstance(content, str):
                    await socket.send_str(content)
                else:
                    await socket.send_bytes(kind[:1].encode() + content)

    def _show(self, kind: str, content: str | bytes) -> None:
        self._number += 1
        self._content[kind] = self._number, content
        for news in self._pages.values():
            news.set()

    async def _on_deed(self, request: web.Request) -> web.StreamResponse:
        deed = request.match_info["deed"]
        if deed not in self._deeds:
            return web.Response(status=404, text=f"there is no button {deed}\n", headers=_HEADERS)
        done, sentence = await self._loop.run_in_executor(None, self._do, deed)
        return web.json_response({"done": done, "sentence": sentence}, status=200 if done else 409, headers=_HEADERS)


def _file(content: bytes, kind: str) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    async def send(_: web.Request) -> web.StreamResponse:
        return web.Response(body=content, content_type=kind, charset="utf-8", headers=_HEADERS)

    return send
