"""Images read ahead in a thread while the one before is worked on."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice

from ace_ros.errors import InputError
from ace_ros.image import Pixels
from ace_ros.recordings.posed_frame import PosedFrame


def prefetched(frames: Iterable[PosedFrame], ahead: int = 3) -> Iterator[tuple[PosedFrame, Pixels | InputError]]:
    """Each frame with its image, in order; with the error instead where the image can't be read."""
    remaining = iter(frames)
    queue: deque[tuple[PosedFrame, Future[Pixels | InputError]]] = deque()
    pool = ThreadPoolExecutor(1, thread_name_prefix="read")
    try:
        for frame in islice(remaining, ahead):
            queue.append((frame, pool.submit(_read, frame)))
        while queue:
            frame, image = queue.popleft()
            for following in islice(remaining, 1):
                queue.append((following, pool.submit(_read, following)))
            yield frame, image.result()
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def _read(frame: PosedFrame) -> Pixels | InputError:
    try:
        return frame.read()
    except InputError as error:
        return error
