"""web_node with real nodes and a real browser: what the page shows, what its buttons do, what it costs, how it ends."""

import json
import os
import re
import signal
import subprocess
import sys
import time
import urllib.request

import numpy as np
import pytest
from browser import Browser
from drive import BEST_EFFORT, Rover
from localizing import Localizing
from mapping import Mapping
from ros_harness import Probe, Process, own_domain
from std_srvs.srv import SetBool

pytest.importorskip("aiohttp", reason="the extra 'web' is not installed")


@pytest.fixture
def domain():
    with own_domain() as number:
        yield number


class Web:
    """web_node in a process, on a port that is free."""

    def __init__(self, domain, folder, remaps=None, namespace="", **parameters):
        remaps = {"image": "/camera/image"} | (remaps or {})
        log = folder / "web.log"
        self.process = Process("web_node", domain, log, {"port": 0} | parameters, remaps, namespace)

    def __enter__(self):
        end = time.monotonic() + 60
        while not (found := re.search(r"the page is at (\S+)", self.process.text())):
            assert time.monotonic() < end and self.process.process.poll() is None, self.process.text()
            time.sleep(0.05)
        self.address = found[1]
        return self

    def __exit__(self, *failure):
        begin = time.monotonic()
        code = self.process.interrupt()
        if failure[0]:
            print(self.process.text())
        assert failure[0] or (code == 0 and time.monotonic() - begin < 5.0)
        assert failure[0] or not re.search("Traceback|was destroyed|never awaited", self.process.text())


def press(web, deed):
    """By another program than a browser."""
    asked = urllib.request.Request(f"{web.address}do/{deed}", b"")
    try:
        with urllib.request.urlopen(asked, timeout=60) as answer:
            return json.load(answer)
    except urllib.error.HTTPError as error:
        return json.load(error)


def figure(browser, name):
    """Of those in the page's head."""
    found = "[...document.querySelectorAll('#figures div')].find(d => d.firstChild.textContent === %s)"
    return browser.ask(f"{found % json.dumps(name)}?.lastChild.textContent ?? ''")


def state(browser):
    return browser.ask("document.body.dataset.state")


def told(browser):
    return browser.text("#told")


def colours(browser, selector, what):
    """How many pixels of the canvas there are of which the JavaScript over r, g, b holds."""
    return browser.ask(
        f"(() => {{ const c = document.querySelector({selector!r});"
        "const d = c.getContext('2d').getImageData(0, 0, c.width, c.height).data; let n = 0;"
        f"for (let i = 0; i < d.length; i += 4) {{ const [r, g, b] = [d[i], d[i + 1], d[i + 2]]; if ({what}) n++; }}"
        "return n; })()"
    )


def test_the_page_follows_a_robot(mapped_room, domain, tmp_path):
    """Localized, with the pose, the picture and the map; lost where it is; then the node is killed, and is back."""
    with Web(domain, tmp_path) as web, Browser(tmp_path) as browser:
        browser.open(web.address)
        with Localizing(mapped_room, domain, tmp_path, odometry=False, tf_mode="map_to_base") as node:
            index = 0

            def driving(condition, what):
                """Frames come as from a camera meanwhile."""

                def look():
                    nonlocal index
                    node.send(index := (index + 1) % 20)
                    node.probe.spin(0.1)
                    return condition()

                return node.probe.until(look, what)

            driving(lambda: state(browser) == "localized", "the page to say LOCALIZED")
            assert browser.text("#sentence").startswith("the pose can be relied on, in map '")
            driving(lambda: browser.ask("document.querySelector('#picture').naturalWidth") == 640, "a picture")
            driving(lambda: "recognises" in browser.text("#caption"), "the debug image")
            driving(lambda: colours(browser, "#map", "r > 180 && g > 80 && g < 130 && b < 80") > 20, "the robot")
            assert colours(browser, "#map", "r === g && g === b && r > 100 && r < 220") > 500  # landmarks
            assert node.probe.count_subscribers("/localization_node/debug_image") == 1

            def where_the_topic_is():
                """Images that were under way when the robot came to stand are waited for, and what they bring."""
                x, y = map(float, figure(browser, "x, y").split(","))
                last = node.covariances[-1].pose.pose.position
                return (x, y) == pytest.approx((last.x, last.y), abs=0.006)

            node.probe.until(where_the_topic_is, "the page to show the pose that was published last")
            assert re.fullmatch(r"\d+/\d+", figure(browser, "inliers"))

            browser.open(web.address)  # anew: who comes later sees as much
            node.probe.until(
                lambda: colours(browser, "#map", "r === g && g === b && r > 100 && r < 220") > 500, "points"
            )
            node.probe.until(lambda: state(browser) == "localized", "the state")

            browser.click("[data-deed=localize]")
            driving(lambda: "localize: base_link at (" in told(browser), "the answer of ~/localize")
            browser.click("[data-deed=forget]")
            driving(lambda: "forget: forgotten where it was" in told(browser), "the answer of ~/forget")
            assert "asked to forget where the robot is" in node.process.text()

            pixels, camera, _ = mapped_room.queries[0]
            noise = np.random.default_rng(0).integers(0, 256, pixels.shape, dtype=np.uint8)

            def lost():
                node.rover.send(noise, camera, node.next_stamp())
                node.probe.spin(0.1)
                return state(browser) == "lost"

            node.probe.until(lost, "the page to say LOST")
            node.probe.until(lambda: node.statuses[-1].reason, "the reason here too: the page may hear of it first")
            assert "too few inliers" in browser.text("#sentence")
            assert figure(browser, "last known x, y")

            node.process.process.send_signal(signal.SIGKILL)
            node.process.wait()
            node.probe.needed.clear()
            node.probe.until(lambda: state(browser) == "silent", "the page to say that the node is gone")
            assert re.match(r"localization_node (has been silent for \d+ s|is not running)", browser.text("#sentence"))
            assert browser.ask("document.querySelector('[data-deed=localize]').disabled")
            node.process = Process(
                "localization_node", domain, tmp_path / "again.log",
                {"map": str(mapped_room.map), "tf_mode": "map_to_base", "image_transport": "compressed", "max_age": 0.0,
                 "odom_frame": ""},
                {"image": "/camera/image", "camera_info": "/camera/camera_info"},
            )  # fmt: skip
            driving(lambda: state(browser) == "localized", "the page to follow a node that is back")
        assert browser.complaints == []


def test_from_a_drive_to_a_pose_by_the_buttons(mapped_room, domain, tmp_path):
    """Nothing runs; then a mapper: a new drive, its map; then a localizer without a map, which gets this one."""
    with Web(domain, tmp_path) as web, Browser(tmp_path) as browser:
        browser.open(web.address)
        probe = Probe(domain)
        probe.until(lambda: state(browser) == "absent", "the page")
        assert browser.text("#reasons").split("\n") == [
            "Map, Build: mapping_node is not running", "Localize: localization_node is not running",
        ]  # fmt: skip
        probe.close()
        with Mapping(mapped_room, domain, tmp_path, steps=300, landmarks=3000) as node:
            until = node.probe.until
            until(lambda: state(browser) == "collecting", "the page to hear of the mapper")
            node.drive(range(3))
            node.taken(3)
            until(lambda: "3 frames taken" in browser.text("#stage"), "the page to count")
            browser.click("[data-deed=map]")
            assert browser.text("#asked") == "Forget the 3 frames taken so far, and begin a new drive?"
            browser.click("#question [value=no]")
            node.probe.spin(0.5)
            assert node.statuses[-1].frames_taken == 3
            assert node.probe.call(SetBool, "/mapping_node/collect", data=False).success
            browser.click("[data-deed=map]")
            browser.click("#question [value=yes]")
            until(lambda: "map: a new drive begins (3 frames forgotten)" in told(browser), "the new drive")
            until(lambda: "images on /camera/image/compressed" in browser.text("#caption"), "the camera's pictures")
            until(lambda: "no frame was taken so far" in browser.text("#reasons"), "why there is nothing to build")

            node.drive(range(0, 120, 3))  # frames are taken again
            node.taken(40)
            until(lambda: "40 frames taken" in browser.text("#stage"), "the page to count")
            browser.click("[data-deed=build]")
            until(lambda: browser.ask("!document.querySelector('#progress').hidden"), "progress")
            assert "%" in browser.text("#stage") and state(browser) == "training"
            browser.click("[data-deed=cancel]")
            until(lambda: "build: " in told(browser) and "cancel" in told(browser).lower(), "the build to be cancelled")
            until(lambda: state(browser) != "training", "the end of the build")
            until(lambda: browser.ask("!document.querySelector('[data-deed=build]').disabled"), "the button")
            browser.click("[data-deed=build]")
            until(lambda: state(browser) == "ready", "the map", timeout=300)
            until(lambda: "of 40 frames is at" in told(browser), "the build's result")
            coloured = "Math.max(r, g, b) - Math.min(r, g, b) > 40"
            until(lambda: colours(browser, "#map", coloured) > 200, "the map, in the colours of the images")

            with Localizing(
                mapped_room, domain, tmp_path, odometry=False, tf_mode="map_to_camera", autostart=False, map="",
                maps_dir=str(node.maps),
            ):  # fmt: skip
                until(lambda: state(browser) == "inactive", "the page to hear of the localizer")
                browser.click("[data-deed=localize]")

                def localized():
                    node.send(0)
                    node.probe.spin(0.2)
                    return state(browser) in ("localized", "uncertain", "lost")

                until(localized, "the localizer to be at work in the map just made")
                assert "map 'room'" in browser.text("#legend")
                until(lambda: (localized(), "localize: " in told(browser))[1], "the answer")
        assert browser.complaints == []


def test_nobody_looks_and_nothing_is_heard(mapped_room, domain, tmp_path):
    """Without a page there is no subscription, with three there is one each; a hidden page is none."""
    topics = ("/localization_node/status", "/localization_node/debug_image", "/mapping_node/map_cloud")
    probe = Probe(domain)

    def subscribers():
        return [probe.count_subscribers(topic) for topic in topics]

    with Web(domain, tmp_path) as web:
        probe.spin(1.5)
        assert subscribers() == [0, 0, 0]
        with Browser(tmp_path) as browser:
            browser.open(web.address)
            probe.until(lambda: subscribers() == [1, 1, 1], "the page to be served")
            browser.open(web.address)  # loaded anew: as if nothing had been
            probe.spin(1.0)
            assert subscribers() == [1, 1, 1]
            rover = Rover(probe, qos=BEST_EFFORT)  # raw, best effort: a driver of the usual kind
            pixels, camera, _ = mapped_room.queries[0]
            probe.until(
                lambda: (rover.send(pixels, camera, time.time_ns()), probe.spin(0.1),
                         browser.ask("document.querySelector('#picture').naturalWidth"))[2] == 640,
                "the camera's picture",
            )  # fmt: skip
            assert browser.text("#caption") == "images on /camera/image"
            hide = "Object.defineProperty(document, 'hidden', {value: %s, configurable: true});"
            tell = "document.dispatchEvent(new Event('visibilitychange'))"
            browser.ask(hide % "true" + tell)  # as when another tab is looked at
            probe.until(lambda: subscribers() == [0, 0, 0], "the end of listening")
            browser.ask(hide % "false" + tell)
            probe.until(lambda: subscribers() == [1, 1, 1], "the page to be served again")
            assert state(browser) != "gone" and browser.complaints == []
        probe.until(lambda: subscribers() == [0, 0, 0], "the end of listening")
        answer = press(web, "localize")  # by a program, with no page open
        assert answer == {"done": False, "sentence": "localization_node is not running"}
        probe.until(lambda: subscribers() == [0, 0, 0], "the end of listening")
    probe.close()


def test_in_a_namespace_it_listens_there(mapped_room, domain, tmp_path):
    with (
        Web(domain, tmp_path, namespace="/robot1") as web,
        Browser(tmp_path) as browser,
        Localizing(
            mapped_room, domain, tmp_path, namespace="/robot1", odometry=False, tf_mode="map_to_camera", own_tf=True
        ) as node,
    ):
        browser.open(web.address)
        node.probe.until(lambda: (node.frame_if_any(0), state(browser) == "localized")[1], "LOCALIZED")
        assert browser.text("#robot") == "robot1" and browser.ask("document.title") == "localized · robot1"


def test_the_page_outlives_the_node(domain, tmp_path):
    """It says that there is no connection, and goes on by itself when the node is back."""
    with Browser(tmp_path) as browser:
        with Web(domain, tmp_path) as web:
            browser.open(web.address)
            until(lambda: state(browser) == "absent", "the page")
        until(lambda: state(browser) == "gone", "the page to say that the node is gone")
        assert browser.ask("[...document.querySelectorAll('[data-deed]')].every(b => b.disabled)")
        port = int(web.address.rsplit(":", 1)[1].strip("/"))
        with Web(domain, tmp_path, port=port):
            until(lambda: state(browser) == "absent", "the page to be connected again")


def until(condition, what, timeout=60.0):
    end = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < end, f"waited in vain: {what}"
        time.sleep(0.1)


def test_a_port_in_use_is_one_sentence(domain, tmp_path):
    with Web(domain, tmp_path) as web:
        port = int(web.address.rsplit(":", 1)[1].strip("/"))
        second = Process("web_node", domain, tmp_path / "second.log", {"port": port})
        assert second.wait() == 1
        assert f"error: parameter port: {port} of 127.0.0.1 is in use by another program" in second.text()
        assert "Traceback" not in second.text()


def test_whoever_opens_it_to_the_network_is_warned(domain, tmp_path):
    with Web(domain, tmp_path, host="0.0.0.0") as web:
        warning = r"\[WARN\].*whoever is in the network can open the page and press its buttons"
        assert re.search(warning, web.process.text())
        assert not web.address.startswith("http://0.0.0.0")
    with Web(domain, tmp_path) as web:
        assert "[WARN]" not in web.process.text()


def python(program, folder, environment=None):
    """Run in another folder than the sources': there the installed package would be hidden."""
    command = [sys.executable, "-c", program]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, env=environment, cwd=folder)


def test_without_its_library_one_sentence_says_what_to_install(domain, tmp_path):
    program = (
        "import sys; from importlib.machinery import PathFinder; real = PathFinder.find_spec\n"
        "PathFinder.find_spec = lambda name, *a: None if name == 'aiohttp' else real(name, *a)\n"
        "from ace_ros.nodes.web_node import main; sys.exit(main())"
    )
    environment = os.environ | {"ROS_DOMAIN_ID": str(domain)}
    done = python(program, tmp_path, environment)
    assert done.returncode == 1 and "Traceback" not in done.stderr
    assert done.stderr.strip().startswith(
        "error: the web page needs aiohttp, which is not installed; install it with: "
    )
