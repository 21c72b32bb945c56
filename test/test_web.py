"""The page's server and what it shows, without ROS: who is served, what a slow or dead browser costs, how it ends."""

import asyncio
import json
import math
import socket
import struct
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from dataclasses import replace

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

aiohttp = pytest.importorskip("aiohttp", reason="the extra 'web' is not installed")

from browser import Browser  # noqa: E402

from ace_ros.errors import InputError  # noqa: E402
from ace_ros.web.guard import refusal  # noqa: E402
from ace_ros.web.listening import listen  # noqa: E402
from ace_ros.web.options import ServerOptions  # noqa: E402
from ace_ros.web.pictures import jpeg, points_seen_from_above  # noqa: E402
from ace_ros.web.server import Server  # noqa: E402
from ace_ros.web.view import Heard, Localization, Mapping, PlanarPose, Trail, View, heading  # noqa: E402

LOCALIZATION = Localization("localized", inliers=300, candidates=400, confidence=0.9, map_name="office")
MAPPING = Mapping("collecting", "12 frames taken", frames_received=20, frames_taken=12)


def heard(name, said, **changes):
    return Heard(name, True, 0.1, said, **changes)


VIEW = View("rover", heard("localization_node", LOCALIZATION), heard("mapping_node", MAPPING))


# --- the server ---


@pytest.fixture
def server():
    pressed = []

    def do(name):
        pressed.append(name)
        return name != "build", f"{name} was pressed"

    made = Server(ServerOptions(port=0), {"map", "build"}, do)
    made.pressed = pressed
    yield made
    made.close()


def request(server, path, data=None, **headers):
    """Status, text and headers of an answer; data: POST."""
    headers = {name.replace("_", "-"): value for name, value in headers.items()}
    asked = urllib.request.Request(server.address.rstrip("/") + path, data, headers)
    try:
        with urllib.request.urlopen(asked, timeout=20) as answer:
            return answer.status, answer.read().decode(), answer.headers
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode(), error.headers


def until(condition, what, timeout=20.0):
    end = time.monotonic() + timeout
    while not (value := condition()):
        assert time.monotonic() < end, f"waited in vain: {what}"
        time.sleep(0.02)
    return value


def opened(server):
    """A WebSocket by hand, which reads no more than it is told to."""
    port = int(server.address.rsplit(":", 1)[1].strip("/"))
    raw = socket.create_connection(("127.0.0.1", port), timeout=20)
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    raw.sendall(
        b"GET /live HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n\r\n"
    )
    assert raw.recv(12) == b"HTTP/1.1 101"
    return raw


def test_the_page_comes_whole_and_names_nothing_outside(server):
    status, page, headers = request(server, "/")
    assert status == 200 and "default-src 'self'" in headers["Content-Security-Policy"]
    for name in ("page.css", "page.js", "map.js", "icon.svg"):
        status, text, _ = request(server, f"/{name}")
        assert status == 200 and len(text) > 100
        assert "http" not in text.replace("http://www.w3.org/2000/svg", "").replace("/^http/", "")
    assert "http" not in page and "<script>" not in page and "style=" not in page
    for path in ("/server.py", "/../server.py", "/%2e%2e/server.py", "/do/map"):
        assert request(server, path)[0] in (404, 405)


def test_buttons_are_pressed_by_post_and_answered(server):
    status, text, _ = request(server, "/do/map", b"")
    assert (status, json.loads(text)) == (200, {"done": True, "sentence": "map was pressed"})
    assert request(server, "/do/build", b"")[0] == 409
    assert request(server, "/do/eject", b"")[0] == 404
    assert request(server, "/do/map")[0] == 405  # a link can't press it
    assert server.pressed == ["map", "build"]


@pytest.mark.parametrize(
    ("host", "origin", "served"),
    [
        ("localhost:8790", None, True),
        ("127.0.0.1:9999", "http://127.0.0.1:9999", True),  # through a tunnel
        ("[::1]:8790", "http://[::1]:8790", True),
        ("192.168.7.4:8790", "http://192.168.7.4:8790", True),
        ("Rover.Example", "https://rover.example", True),  # behind a proxy
        ("evil.example:8790", None, False),  # a name that was made to point here
        ("localhost.evil.example", "http://localhost.evil.example", False),
        ("", None, False),
        ("[bad", None, False),
        ("localhost:8790", "http://evil.example", False),
        ("localhost:8790", "http://localhost:3000", False),  # another server of this machine
        ("localhost:8790", "null", False),
    ],
)
def test_foreign_hosts_and_origins_are_refused(host, origin, served):
    assert (refusal(host, origin, {"localhost", "rover.example"}) == "") == served


def test_the_guard_stands_before_everything(server):
    for path in ("/", "/page.js", "/live"):
        assert request(server, path, Host="evil.example")[0] == 403
    status, text, _ = request(server, "/do/map", b"", Origin="http://evil.example")
    assert status == 403 and text == "pages of http://evil.example have nothing to say here\n"
    assert not server.pressed
    upgrade = {"Upgrade": "websocket", "Connection": "Upgrade", "Sec_WebSocket_Version": "13",
               "Sec_WebSocket_Key": "AAAAAAAAAAAAAAAAAAAAAA=="}  # fmt: skip
    assert request(server, "/live", Origin="http://evil.example", **upgrade)[0] == 403


def test_a_page_gets_what_there_is_and_then_what_is_new(server):
    server.show("view", "old")
    server.show("view", "first")
    server.show("image", b"picture")

    async def talk():
        async with aiohttp.ClientSession() as session, session.ws_connect(f"{server.address}live") as page:
            got = [(await page.receive(10)).data for _ in range(2)]
            server.show("view", "second")
            return [*got, (await page.receive(10)).data]

    assert asyncio.run(talk()) == ["first", b"ipicture", "second"]
    until(lambda: server.pages == 0, "the page to be gone")


def test_a_browser_that_takes_nothing_costs_no_memory_and_is_dropped(server, monkeypatch):
    """A thousand pictures for one that never reads: it would have been sent 100 MB, and others are served meanwhile."""
    monkeypatch.setattr("ace_ros.web.server._STUCK", 1.0)
    stuck = opened(server)
    until(lambda: server.pages == 1, "the page")
    before = peak_memory()
    for number in range(1000):
        server.show("image", bytes([number % 256]) * 100_000)
        time.sleep(0.0005)
    assert request(server, "/")[0] == 200
    assert peak_memory() - before < 30e6
    until(lambda: server.pages == 0, "the server to give it up")
    stuck.close()


def peak_memory():
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def test_pages_that_come_and_go_leave_nothing_behind(server):
    """While news is on its way to them: what sends it ends in the middle of that."""
    over = threading.Event()

    def news():
        while not over.wait(0.0002):
            server.show("view", str(time.monotonic()))

    reporting = threading.Thread(target=news)
    reporting.start()
    for _ in range(150):
        page = opened(server)
        until(lambda: server.pages == 1, "the page")
        page.close()  # as a browser that crashed: without a word
        until(lambda: server.pages == 0, "the page to be gone")
    over.set()
    reporting.join()
    until(lambda: len(asyncio.all_tasks(server._loop)) <= 1, "all tasks but the server's own to end")


def test_a_browser_that_is_silent_is_dropped_where_there_is_no_news(server, monkeypatch):
    """As when the radio is gone: it does not say so, and does not answer."""
    monkeypatch.setattr("ace_ros.web.server._HEARTBEAT", 0.5)
    page = opened(server)
    until(lambda: server.pages == 1, "the page")
    until(lambda: server.pages == 0, "the server to give it up")
    page.close()


def test_too_many_pages_are_told_so(server, monkeypatch):
    monkeypatch.setattr("ace_ros.web.server._MOST_PAGES", 2)
    pages = [opened(server), opened(server)]
    until(lambda: server.pages == 2, "the pages")
    assert request(server, "/live")[:2] == (503, "2 pages are open already\n")
    for page in pages:
        page.close()


@pytest.mark.parametrize("stuck", [False, True])
def test_it_ends_at_once_whatever_browsers_do(stuck):
    """Open sockets, one that was stopped in the middle of a picture, a connection kept alive, a button under way."""
    over = threading.Event()
    server = Server(ServerOptions(port=0), {"map"}, lambda name: (over.wait(30), "ended"))
    pages = [opened(server) for _ in range(3)]
    until(lambda: server.pages == 3, "the pages")
    if stuck:
        for _ in range(50):
            server.show("image", bytes(1_000_000))
            time.sleep(0.01)
    pressing = threading.Thread(target=lambda: request(server, "/do/map", b""), daemon=True)
    pressing.start()
    time.sleep(0.2)
    begin = time.monotonic()
    over.set()  # as Deeds.close
    server.close()
    assert time.monotonic() - begin < 3.5 and not server._thread.is_alive()
    port = int(server.address.rsplit(":", 1)[1].strip("/"))
    again = listen("127.0.0.1", port)  # the port is free for who comes next
    again.close()
    if not stuck:
        frame = until(lambda: pages[0].recv(4096), "the last word")
        assert frame[-40:].count(struct.pack("!H", 1001)) == 1  # going away
    for page in pages:
        page.close()


def test_what_ends_its_thread_is_not_lost(monkeypatch):
    monkeypatch.setattr("ace_ros.web.server.web.AppRunner.setup", lambda self: 1 / 0)
    server = Server(ServerOptions(port=0), set(), lambda name: (True, ""))
    server._thread.join(20)
    with pytest.raises(ZeroDivisionError):
        server.check()
    server.close()


@pytest.mark.parametrize(
    ("host", "port", "said"),
    [
        ("no.such.host.invalid", 0, "parameter host: 'no.such.host.invalid' is no address"),
        ("192.0.2.1", 0, "parameter host: this machine has no address 192.0.2.1"),
        ("", 0, "parameter host: '' is no address"),
    ],
)
def test_where_it_can_not_listen_it_says_why(host, port, said):
    with pytest.raises(InputError, match=said):
        listen(host, port).close()


def test_a_port_in_use_is_named(server):
    port = int(server.address.rsplit(":", 1)[1].strip("/"))
    with pytest.raises(InputError, match=f"parameter port: {port} of 127.0.0.1 is in use by another program"):
        Server(ServerOptions(port=port), set(), lambda name: (True, ""))


def test_without_its_library_one_sentence_says_what_to_install():
    program = (
        "import sys, importlib.util; found = importlib.util.find_spec\n"
        "importlib.util.find_spec = lambda name, *a: None if name == 'aiohttp' else found(name, *a)\n"
        "from ace_ros.web import require\n"
        "try: require()\n"
        "except Exception as error: print(type(error).__name__, error)\n"
        "assert 'aiohttp' not in sys.modules\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stdout.startswith(
        "InputError the web page needs aiohttp, which is not installed; install it with: sudo"
    )
    assert "pip install 'aiohttp>=3.8.1'" in done.stdout and not done.stderr


# --- what it shows ---


def test_the_state_is_the_localizers_and_else_the_mappers():
    assert VIEW.state == ("localized", "the pose can be relied on, in map 'office'")
    lost = replace(LOCALIZATION, state="lost", reason="too few inliers")
    assert replace(VIEW, localization=heard("l", lost)).state == ("lost", "too few inliers")
    alone = replace(VIEW, localization=Heard("localization_node"))
    assert alone.state == ("collecting", "12 frames taken")
    assert replace(alone, mapping=Heard("m")).state == ("absent", "neither m nor localization_node is running")


def test_a_node_that_dies_is_told():
    hung = replace(VIEW, localization=replace(VIEW.localization, age=12.3))
    assert hung.state == ("silent", "localization_node has been silent for 12 s: it hangs, or was killed")
    gone = replace(VIEW, localization=replace(VIEW.localization, there=False, age=12.3))
    assert gone.state == ("silent", "localization_node is not running")
    assert gone.buttons["localize"].why == "localization_node is not running"
    assert not gone.buttons["map"].why


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({}, {}),
        ({"frames_taken": 0}, {"build": "no frame was taken so far: drive the camera around"}),
        ({"state": "training"}, {"map": "a map is being built", "build": "a map is being built already", "cancel": ""}),
    ],
)
def test_buttons_that_can_not_be_pressed_say_why(changes, why):
    view = replace(VIEW, mapping=heard("mapping_node", replace(MAPPING, **changes)))
    for name, button in view.buttons.items():
        expected = {"cancel": "no map is being built"} | why
        assert button.why.startswith(expected.get(name, "")) and bool(button.why) == bool(expected.get(name, "")), name


def test_frames_are_not_forgotten_unasked():
    assert VIEW.buttons["map"].asks == "Forget the 12 frames taken so far, and begin a new drive?"
    fresh = replace(VIEW, mapping=heard("mapping_node", replace(MAPPING, frames_taken=0)))
    assert fresh.buttons["map"].asks == ""


def test_a_localizer_without_a_map_wants_one_first():
    none = heard("localization_node", replace(LOCALIZATION, state="inactive", reason="there is no map x"))
    assert replace(VIEW, localization=none).buttons["localize"].why == "there is no map x; no map was built here either"
    built = heard("mapping_node", replace(MAPPING, built="office"))
    assert not replace(VIEW, localization=none, mapping=built).buttons["localize"].why


def test_what_is_not_known_is_null_and_browsers_can_read_it():
    unknown = replace(LOCALIZATION, confidence=math.nan, translation_stddev=math.inf)
    pose = PlanarPose(1.23456789, -2.0, 0.0, 0.5, (1e-4, 0.0, 2e-4))
    view = replace(VIEW, localization=heard("l", unknown), pose=pose, told=((1, True, "done"),))
    told = json.loads(view.json(), parse_constant=pytest.fail)
    assert told["localization"]["said"]["confidence"] is told["localization"]["said"]["translation_stddev"] is None
    assert told["pose"]["x"] == 1.23457 and told["told"] == [[1, True, "done"]]
    assert set(told["buttons"]) == {"map", "build", "cancel", "localize", "forget"}


@pytest.mark.parametrize("yaw", [-170, -45, 0, 30, 120])
def test_robots_and_cameras_look_where_they_look(yaw):
    for tilt in (-20, 0, 20):
        robot = Rotation.from_euler("ZYX", [yaw, tilt, 0], degrees=True).as_matrix()
        camera = robot @ np.array([[0.0, 0, 1], [-1, 0, 0], [0, -1, 0]])  # optical axes on its nose
        assert math.degrees(heading(robot)) == pytest.approx(yaw) == pytest.approx(math.degrees(heading(camera)))


def test_a_long_trail_stays_short_and_keeps_its_ends():
    trail = Trail()
    for step in range(20_000):
        trail.add(PlanarPose(float(step), 0.0, 0.0, 0.0))
    points = json.loads(trail.json())["points"]
    assert len(points) <= 4000 and points[0][0] == 0 and points[-1][0] > 19_900


def test_points_are_packed_upper_ones_last():
    points = np.array([[1, 2, 5], [3, 4, 0], [np.nan, 0, 0]], np.float32)
    colours = np.array([[10, 11, 12], [20, 21, 22], [30, 31, 32]], np.uint8)
    data = points_seen_from_above(points, colours)
    assert struct.unpack_from("<I", data, 3) == (2,)
    assert struct.unpack_from("<4f", data, 7) == (3, 4, 1, 2) and data[23:] == bytes([20, 21, 22, 10, 11, 12])
    many = points_seen_from_above(np.ones((90_000, 3), np.float32), np.zeros((90_000, 3), np.uint8))
    assert struct.unpack_from("<I", many, 3) == (30_000,)


def test_pictures_are_made_no_wider_than_wanted():
    import cv2

    pixels = np.zeros((300, 800, 3), np.uint8)
    pixels[..., 0] = 255  # red
    back = cv2.imdecode(np.frombuffer(jpeg(pixels, 400), np.uint8), cv2.IMREAD_COLOR)
    assert back.shape == (150, 400, 3) and back[75, 200, 2] > 240 and back[75, 200, 0] < 15
    assert cv2.imdecode(np.frombuffer(jpeg(pixels[..., 0], 4096), np.uint8), cv2.IMREAD_UNCHANGED).shape == (300, 800)


# --- in a browser ---


def test_each_state_has_its_colour_by_day_and_by_night(server, tmp_path):
    """And the alternatives are on the map, in the colour of doubt."""
    twins = tuple(PlanarPose(x, 0.0, 0.0, 1.0, place=place, probability=0.5) for place, x in enumerate((0.0, 8.0)))
    states = {
        "localized": VIEW,
        "lost": replace(VIEW, localization=heard("l", replace(LOCALIZATION, state="lost", reason="<b>too few</b>"))),
        "uncertain": replace(
            VIEW, localization=heard("l", replace(LOCALIZATION, state="uncertain", alternatives=twins)), pose=None
        ),
        "training": replace(
            VIEW, localization=Heard("l"), mapping=heard("m", replace(MAPPING, state="training", progress=0.4))
        ),
    }
    with Browser(tmp_path) as browser:
        browser.open(server.address)
        seen = set()
        for dark in (False, True):
            browser.dark(dark)
            for state, view in states.items():
                server.show("view", view.json())
                until(lambda state=state: browser.ask("document.body.dataset.state") == state, state)
                time.sleep(0.5)  # colours change by and by
                seen.add(browser.ask("getComputedStyle(document.querySelector('header')).backgroundColor"))
                if state == "lost":
                    assert browser.text("#sentence") == "<b>too few</b>"
                if state == "uncertain":
                    canvas = "const c = document.querySelector('#map'); const d = c.getContext('2d')"
                    data = "const p = d.getImageData(0, 0, c.width, c.height).data"
                    found = "for (let i = 0; i < p.length; i += 4) if (p[i] > 160 && p[i+1] > 90 && p[i+2] < 40) n++"
                    assert browser.ask(f"(() => {{ {canvas}; {data}; let n = 0; {found}; return n; }})()") > 50
        assert len(seen) == 8
        assert browser.ask("document.querySelector('#progress').value") == 0.4
        assert browser.complaints == []
