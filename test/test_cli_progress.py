"""Progress: count and time left are there in 60 columns, and a log file gets plain lines."""

import io
import re

import pytest
from rich.console import Console

from ace_ros.cli.progress import progress

FIGURES = ["held-back views 1.2 cm off", "loss 5.05", "inliers 40%"]


class Clock:
    now = 0.0

    def __call__(self):
        return self.now


def in_terminal(width, work):
    """Last line that a terminal of so many columns shows after ``work``, without its control characters."""
    console = Console(file=io.StringIO(), force_terminal=True, width=width, color_system=None, legacy_windows=False)
    clock = Clock()
    with progress(console, clock) as stages:
        work(stages, clock)
        console.file.seek(0)
        console.file.truncate()
        stages._bars.refresh()
        shown = console.file.getvalue()
    return re.sub(r"\x1b\[[\d?;]*[A-Za-z]", "", shown).replace("\r", "").splitlines()[-1]


def training(stages, clock):
    stages.begin("training", 1000)
    clock.now = 8.0
    stages.update(250, figures=FIGURES, seconds_left=24.0)


@pytest.mark.parametrize(
    ("width", "shown", "left_out"),
    [
        (60, ["loss 5.05"], ["held-back", "inliers"]),
        (80, ["held-back views 1.2 cm off"], ["loss", "inliers"]),
        (100, ["held-back views 1.2 cm off", "loss 5.05"], ["inliers"]),
        (120, FIGURES, []),
    ],
)
def test_a_terminal_shows_bar_count_and_time_left_and_the_figures_that_fit(width, shown, left_out):
    line = in_terminal(width, training)
    assert len(line) <= width and "…" not in line
    bar = re.search(r"training {6}(━+\S* +)250/1000 0:24 left", line).group(1)
    assert len(bar) > 8
    assert all(figure in line for figure in shown) and not any(figure in line for figure in left_out)


def test_in_a_terminal_stages_stay_with_the_time_that_they_took():
    def work(stages, clock):
        stages.begin("reading", 2)
        stages.advance()
        clock.now = 65.0
        stages.advance(["1 skipped"])
        stages.end()

    assert re.search(r"reading +━+ 2/2 in 1:05 1 skipped", in_terminal(80, work))


def in_log(work):
    console, clock = Console(file=io.StringIO(), width=40), Clock()
    with progress(console, clock) as stages:
        work(stages, clock)
    text = console.file.getvalue()
    assert re.fullmatch(r"[\x20-\x7e\n]*", text), text
    return text.splitlines()


def test_a_log_gets_a_line_a_stage_and_a_tenth():
    def work(stages, clock):
        stages.begin("reading", 3)
        for _ in range(3):
            stages.advance()
            clock.now += 0.1
        stages.begin("training", 1000)
        for done in range(20, 999, 20):
            clock.now += 0.4
            stages.update(done, figures=FIGURES if done > 500 else [])

    reading, *lines = in_log(work)
    assert reading == "reading 3/3, in 0:00"
    assert lines[0] == "training 100/1000, 0:18 left"
    assert lines[-1] == "training 1000/1000, in 0:20, held-back views 1.2 cm off, loss 5.05, inliers 40%"
    assert len(lines) == 10


def test_a_log_shows_that_slow_work_goes_on():
    def work(stages, clock):
        stages.begin("localizing", 1000)
        for _ in range(3):
            clock.now += 10.0
            stages.advance()
        clock.now += 1.0
        stages.update(3)

    lines = in_log(work)
    assert lines[0] == "localizing 1/1000, 166:30 left" and len(lines) == 4


def test_a_stage_of_unknown_length_is_told_when_it_begins():
    def work(stages, clock):
        stages.begin("starting", None, ["the nodes and the map"])
        clock.now = 4.0
        stages.begin("playing", 5)
        stages.update(4, figures=["4 localized"])
        stages.end(whole=False)

    assert in_log(work) == [
        "starting, the nodes and the map",
        "starting, in 0:04, the nodes and the map",
        "playing 4/5, in 0:00, 4 localized",
    ]


def test_a_stage_that_failed_is_not_told_as_done():
    console = Console(file=io.StringIO(), width=80)
    with pytest.raises(KeyError), progress(console, Clock()) as stages:
        stages.begin("training", 10)
        raise KeyError
    assert not console.file.getvalue()
