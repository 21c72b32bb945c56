"""web_node: a page for the browser that shows what mapping_node and localization_node are at, with buttons."""

from __future__ import annotations

import math
import socket
import sys
import threading
import time
from collections import deque

from diagnostic_msgs.msg import DiagnosticStatus
from diagnostic_updater import DiagnosticStatusWrapper
from rclpy.node import Node

from ace_ros.nodes import parameters
from ace_ros.nodes.diagnosing import Diagnosing
from ace_ros.nodes.runtime import run, steady_timer
from ace_ros.nodes.supervised import Supervised
from ace_ros.nodes.web_deeds import Deeds, Refused
from ace_ros.nodes.web_listening import Listening
from ace_ros.options import part
from ace_ros.web import require
from ace_ros.web.options import PageOptions, ServerOptions, WebOptions
from ace_ros.web.view import Button, Heard, View

_PERIOD = 0.1  # s between two looks for news; set by hand
_LINGER = 5.0  # s that it listens on after the last page was closed: it may only be loaded anew; set by hand
_FIRST_WORDS = 2.5  # s for the nodes to say something: their status comes once a second
_TOLD = 8  # sentences that the page keeps


class WebNode(Supervised, Node):
    """Listens to topics that there are anyway, while a page is open and not else, and calls services and an action.

    The server's threads read ``_view``, which is replaced and never changed, and ask for deeds; all else is the
    executor's.
    """

    def __init__(self) -> None:
        super().__init__("web_node")
        parameters.declare(self, WebOptions)
        options = parameters.read(self, WebOptions)
        parameters.guard(self, WebOptions, lambda name: f"{name} is taken at the start: restart the node")
        require()
        from ace_ros.web.server import Server  # only now: it needs what require() asks for

        self._options = part(PageOptions, options)
        self._robot = self.get_namespace().strip("/") or socket.gethostname()
        self._told: deque[tuple[int, bool, str]] = deque(maxlen=_TOLD)
        self._telling = threading.Lock()
        self._number = 0
        self._asked = -math.inf  # when a button was pressed last
        self._listening: Listening | None = None
        self._last_page = self._last_look = -math.inf
        self._view = self._look_at(None)
        self._shown = ""
        self._busy: set[str] = set()
        self._deeds = Deeds(self, self._options, self._tell)
        self._buttons = {name: getattr(self._deeds, name) for name in self._view.buttons}
        self._server = Server(part(ServerOptions, options), set(self._buttons), self._do)
        self._diagnosing = Diagnosing(self, "web", self._diagnose)
        steady_timer(self, _PERIOD, self._look)
        self.get_logger().info(f"the page is at {self._server.address}")
        if not self._server.private:
            self.get_logger().warning(
                "whoever is in the network can open the page and press its buttons, there is no password: with host "
                "127.0.0.1 this machine alone can, and others through ssh -L"
            )

    def close(self) -> None:
        """Stop the server's threads."""
        self._deeds.close()
        self._server.close()

    # --- what is shown ---

    def _look(self) -> None:
        self._server.check()
        now = time.monotonic()
        if self._server.pages or now - self._asked < _LINGER:
            self._last_page = now
        elif self._listening is not None and now - self._last_page > _LINGER:
            self._sleep()
        if self._listening is None and now - self._last_page < _LINGER / 2:
            self._listening = Listening(self, self._options, self._server.show)
        if self._listening is None:
            return
        if now - self._last_look > 1.0:
            self._last_look = now
            self._listening.look_after()
        self._view = self._look_at(self._listening)
        shown = self._view.json()
        if shown != self._shown:
            self._shown = shown
            self._server.show("view", shown)

    def _sleep(self) -> None:
        assert self._listening is not None
        self._listening.close()
        self._listening, self._shown = None, ""
        self._view = self._look_at(None)
        self._server.clear()

    def _look_at(self, listening: Listening | None) -> View:
        if listening is None:
            return View(self._robot, Heard(self._options.localizer), Heard(self._options.mapper))
        return View(
            self._robot, listening.localization(), listening.mapping(), listening.pose, tuple(self._told),
            listening.picture,
        )  # fmt: skip

    def _tell(self, good: bool, sentence: str) -> None:
        """For all pages; from any thread."""
        with self._telling:
            self._number += 1
            self._told.append((self._number, good, sentence))
        if good:
            self.get_logger().info(sentence)
        else:
            self.get_logger().warning(sentence)

    # --- what is done ---

    def _do(self, name: str) -> tuple[bool, str]:
        """Press a button; in a thread of the server's."""
        with self._telling:
            if name in self._busy:
                return False, f"{name} was asked for already, and is under way"
            self._busy.add(name)
        try:
            answer = self.supervisor.run(f"the button {name}", self._press, name)
            good, sentence = answer or (False, self.supervisor.fault(f"the button {name}"))
        finally:
            self._busy.discard(name)
        self._tell(good, f"{name}: {sentence}")
        return good, sentence

    def _press(self, name: str) -> tuple[bool, str]:
        view = self._heard()
        button: Button = view.buttons[name]
        if button.why:
            return False, button.why
        try:
            return True, self._buttons[name](view)
        except Refused as error:
            return False, str(error)

    def _heard(self) -> View:
        """The view, once the nodes that are there have had time to say something; no page need be open."""
        self._asked = begin = time.monotonic()
        while True:
            view, listening = self._view, self._listening
            parties = view.localization, view.mapping
            if listening is not None and all(party.said is not None for party in parties):
                return view
            if time.monotonic() - (listening.since if listening else begin) > _FIRST_WORDS:
                return view
            time.sleep(_PERIOD)

    # --- reports ---

    def _diagnose(self, status: DiagnosticStatusWrapper) -> None:
        if defect := self.supervisor.fault():
            status.summary(DiagnosticStatus.ERROR, defect)
        else:
            status.summary(DiagnosticStatus.OK, f"serving {self._server.address}")
        status.add("defects", str(self.supervisor.count))
        status.add("pages", str(self._server.pages))


def main() -> int:
    """Entry point."""
    return run(WebNode)


if __name__ == "__main__":
    sys.exit(main())
