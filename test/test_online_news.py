"""What goes into the log, and how often."""

from ace_ros.online import news
from ace_ros.online.news import News


class Clock:
    def __init__(self, monkeypatch):
        self.now = 1000.0
        monkeypatch.setattr(news.time, "monotonic", lambda: self.now)


def test_states_are_told_when_they_change_and_flapping_ones_now_and_then(monkeypatch):
    clock, told = Clock(monkeypatch), []
    log = News(lambda text: told.append(("info", text)), lambda text: told.append(("warn", text)))
    for _ in range(100):  # ten seconds, ten times a second, in turn
        log.state("localized", True)
        log.state("lost: 3 of 100 inliers", False)
        clock.now += 0.05
        log.state("lost: 4 of 120 inliers", False)
        clock.now += 0.05
    assert told[:2] == [("info", "localized"), ("warn", "lost: 3 of 100 inliers")] and len(told) <= 4
    told.clear()
    for _ in range(300):  # what it comes down to in the end is told
        log.state("localized", True)
        clock.now += 0.1
    assert told == [("info", "localized")]
    told.clear()
    for _ in range(1300):  # and a fault that stays is not forgotten
        log.state("waiting: no image for 3.2 s", False)
        clock.now += 0.1
    assert told == [("warn", "waiting: no image for 3.2 s")] * 3


def test_conditions_are_told_once_a_minute(monkeypatch):
    clock, told = Clock(monkeypatch), []
    log = News(told.append, told.append)
    for count in range(700):
        log.conditions([f"{count} images got no pose", "max_frames is reached"])
        clock.now += 0.1
    assert told[::2] in (["0 images got no pose", f"{count} images got no pose"] for count in (600, 601))
    assert told[1::2] == ["max_frames is reached"] * 2
