"""How far the work is: a bar in a terminal, plain lines in a log file, on standard error."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from rich.console import Console, ConsoleOptions, RenderResult
from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, Task, TaskID, TextColumn
from rich.table import Column
from rich.text import Text

from ace_ros.cli.console import stderr
from ace_ros.cli.texts import clock_text, time_left

Clock = Callable[[], float]

_BETWEEN = 10.0  # s without a line in a log after which there is one
_SHARE, _LEAST = 0.1, 1.0  # a line in a log for so much of the stage, but not sooner than this, s


@dataclass
class _Stage:
    name: str
    total: int | None
    began: float
    done: int = 0
    figures: Sequence[str] = ()
    seconds_left: float | None = None

    def times(self, now: float, ended: bool) -> str:
        """'1:05 left'; after the end 'in 1:05'; empty where nothing is known."""
        if ended:
            return f"in {clock_text(now - self.began)}"
        if self.total is None or not 0 < self.done < self.total:
            return ""
        by_steps = (now - self.began) / self.done * (self.total - self.done)
        return time_left(by_steps if self.seconds_left is None else self.seconds_left)


class Stages:
    """Work in stages, one after the other. Told by ``_draw``, in one of two ways."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._stage: _Stage | None = None

    def begin(self, name: str, total: int | None, figures: Sequence[str] = ()) -> None:
        """The next stage, of so many steps (None: not known); the one before has ended."""
        self.end()
        self._stage = _Stage(name, total, self._clock(), figures=figures)
        self._start(self._stage)

    def update(
        self, done: int, *, total: int | None = None, figures: Sequence[str] = (), seconds_left: float | None = None
    ) -> None:
        """So many steps of the stage are done.

        Args:
            total: where it is another than at the beginning.
            figures: what else there is to tell, most important first: where there is little room some are left out.
            seconds_left: None: by the time that the steps so far took.
        """
        stage = self._stage
        assert stage is not None, "a stage begins before it goes on"
        stage.done, stage.total, stage.figures = done, total or stage.total, figures
        stage.seconds_left = seconds_left
        self._draw(stage, ended=False)

    def advance(self, figures: Sequence[str] = ()) -> None:
        """One step more."""
        assert self._stage is not None, "a stage begins before it goes on"
        self.update(self._stage.done + 1, figures=figures)

    def end(self, whole: bool = True) -> None:
        """The stage is done, with all its steps, told or not; if not ``whole``, with those that were told."""
        if self._stage is not None:
            if whole and self._stage.total is not None:
                self._stage.done = self._stage.total
            self._draw(self._stage, ended=True)
            self._stage = None

    def _start(self, stage: _Stage) -> None:
        raise NotImplementedError

    def _draw(self, stage: _Stage, ended: bool) -> None:
        raise NotImplementedError


@contextmanager
def progress(console: Console = stderr, clock: Clock = time.monotonic) -> Iterator[Stages]:
    """Stages of work for the user to watch: bars where ``console`` is a terminal, else a line now and then."""
    if not console.is_terminal or console.is_dumb_terminal:
        lines = _Lines(console, clock)
        yield lines
        lines.end()
        return
    with _bars(console) as bars:
        stages = _Bars(bars, clock)
        yield stages
        stages.end()


class _Lines(Stages):
    """For log files: a line at the end of each stage, and on the way often enough to see that it goes on."""

    def __init__(self, console: Console, clock: Clock) -> None:
        super().__init__(clock)
        self._console = console
        self._told_at, self._told_done = clock(), 0

    def _start(self, stage: _Stage) -> None:
        self._told_at, self._told_done = stage.began, 0
        if stage.total is None:
            self._print(stage, "")

    def _draw(self, stage: _Stage, ended: bool) -> None:
        now = self._clock()
        since, steps = now - self._told_at, stage.done - self._told_done
        enough = stage.total is not None and steps >= _SHARE * stage.total and since >= _LEAST
        if ended or (stage.done != stage.total and (enough or since >= _BETWEEN)):  # the end is told once
            self._print(stage, stage.times(now, ended))
            self._told_at, self._told_done = now, stage.done

    def _print(self, stage: _Stage, times: str) -> None:
        count = "" if stage.total is None else f" {stage.done}/{stage.total}"
        self._console.print(
            ", ".join(filter(None, (f"{stage.name}{count}", times, *stage.figures))), markup=False, soft_wrap=True
        )


class _Bars(Stages):
    """For terminals."""

    def __init__(self, bars: Progress, clock: Clock) -> None:
        super().__init__(clock)
        self._bars, self._task = bars, TaskID(0)

    def _start(self, stage: _Stage) -> None:
        self._task = self._bars.add_task(stage.name, total=stage.total, figures=stage.figures, times="")

    def _draw(self, stage: _Stage, ended: bool) -> None:
        times = stage.times(self._clock(), ended)
        if ended and stage.total is None:
            stage.done = stage.total = 1
        self._bars.update(self._task, completed=stage.done, total=stage.total, figures=stage.figures, times=times)


def _bars(console: Console) -> Progress:
    """Name, bar, count and times have their room in 60 columns; the figures get what is left."""
    return Progress(
        TextColumn("{task.description:<13}"),
        _Bar(console),
        MofNCompleteColumn(),
        TextColumn("{task.fields[times]}", style="dim"),
        _Figures(table_column=Column(ratio=1)),
        console=console,
        expand=True,
    )


class _Bar(BarColumn):
    """A bar in the width that the terminal has for it."""

    def __init__(self, console: Console) -> None:
        super().__init__()
        self._console = console

    def render(self, task: Task):  # type: ignore[no-untyped-def]
        width = self._console.width
        self.bar_width = 20 if width >= 100 else 14 if width >= 80 else 8
        return super().render(task)


class _Figures(ProgressColumn):
    """The figures that there is room for."""

    def render(self, task: Task) -> _Fitting:
        return _Fitting(task.fields["figures"])


@dataclass
class _Fitting:
    figures: Sequence[str]

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        text = ""
        for figure in self.figures:
            longer = f"{text}  {figure}".lstrip()
            text = longer if len(longer) <= options.max_width else text
        yield Text(text, style="cyan", no_wrap=True)
