"""The Python packages: there, new enough, built for one NumPy, and each once."""

from __future__ import annotations

import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from importlib import metadata

from ace_ros.dependencies import DEPENDENCIES, Dependency
from ace_ros.doctor.finding import Finding, broken, ok, warning
from ace_ros.doctor.machine import Probe, distro, numpy_requirement, pip, places_of, probe

# What modules say that were compiled for another NumPy than the one that they meet.
_OTHER_NUMPY = ("compiled using NumPy 1.x", "_ARRAY_API not found", "multiarray failed to import", "numpy.dtype size")
_OPENCVS = tuple(f"opencv-{kind}python{end}" for kind in ("", "contrib-") for end in ("", "-headless"))


def libraries() -> Iterator[Finding]:
    """A finding for each package of :data:`DEPENDENCIES`, and one more if OpenCV is there twice."""
    with ThreadPoolExecutor(4) as pool:
        probes = list(pool.map(_look, DEPENDENCIES))
    for needed, seen in zip(DEPENDENCIES, probes, strict=True):
        yield _judge(needed, seen)
    yield from _opencvs()


def _look(needed: Dependency) -> Probe:
    place = "m.__path__[0] if hasattr(m, '__path__') else m.__file__"
    return probe(f"import {needed.module} as m; print({place}, getattr(m, '__version__', ''), sep='\\n')")


def version_of(name: str) -> str:
    """As installed by pip or apt; empty: unknown."""
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return ""


def numbers(version: str) -> tuple[int, ...]:
    """``2.13.0+cpu`` as (2, 13, 0)."""
    return tuple(int(number) for number in re.findall(r"\d+", version.split("+")[0])[:3])


def other_numpy(seen: Probe) -> bool:
    """Whether an import failed, or complained, because its module was built for another NumPy."""
    return any(sign in seen.complaint for sign in _OTHER_NUMPY)


def _judge(needed: Dependency, seen: Probe) -> Finding:
    remedy = pip("install", needed.requirement)
    if other_numpy(seen) and needed.module != "numpy":
        return broken(
            f"{needed.module} is built for another NumPy than {version_of('numpy')}: {seen.reason}",
            pip("install", numpy_requirement()),
        )
    if seen.failed:
        if re.search(rf"No module named '{needed.module.split('.')[0]}\b", seen.reason):
            if needed.module == "cv2" and distro():
                return broken("cv2 (OpenCV) is missing", "sudo apt install python3-opencv")
            return broken(f"{needed.name} is missing", remedy)
        return broken(
            f"{needed.name} can't be imported: {seen.reason}", pip("install", "--force-reinstall", needed.name)
        )
    place, _, stated = seen.printed.partition("\n")
    version = stated or version_of(needed.name)
    told = f"{needed.name} {version or 'of an unknown version'}  {place}"
    if version and numbers(version) < numbers(needed.floor):
        return broken(f"{told}: {needed.floor} is the oldest that is claimed", remedy)
    if version and needed.below and numbers(version) >= numbers(needed.below):
        return broken(f"{told}: must be below {needed.below}", remedy)
    return ok(told)


def _opencvs() -> Iterator[Finding]:
    wheels = [name for name in _OPENCVS if version_of(name)]
    if len(wheels) > 1:
        keep = max(wheels, key=lambda name: name.endswith("headless"))
        remove, again = pip("uninstall", "-y", *wheels), pip("install", f"{keep}<5")
        yield broken(f"{' and '.join(wheels)} lie in one folder and overwrite each other", f"{remove} && {again}")
    elif wheels and len(places := places_of("cv2")) > 1:
        text = f"two OpenCVs: {places[0]} hides the one in {places[1]}, which cv_bridge is built for"
        yield warning(text, pip("uninstall", "-y", *wheels))
