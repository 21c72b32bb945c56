"""Processes below one, and what they say of themselves while they are there: any may end between two questions."""

from collections.abc import Callable, Iterator
from typing import TypeVar

import psutil

Answer = TypeVar("Answer")


def below(pid: int | None = None) -> list[psutil.Process]:
    """The processes that ``pid`` (this one, without) has started, and those that they have."""
    return psutil.Process(pid).children(recursive=True)


def asked(
    processes: list[psutil.Process], ask: Callable[[psutil.Process], Answer]
) -> Iterator[tuple[psutil.Process, Answer]]:
    """Each process that is still there with its answer to ``ask``."""
    for process in processes:
        try:
            answer = ask(process)
        except psutil.Error:
            continue
        yield process, answer
