"""Lay the stand-ins into this Python's environment, each only where the real package is absent."""

import importlib.util
import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

HERE = Path(__file__).resolve().parent
MARK = ".ace_ros_standalone"  # tells our copy of a package from a real one


def is_real(name: str) -> bool:
    """Whether a package of that name is there that did not come from here."""
    spec = importlib.util.find_spec(name)
    places = list(spec.submodule_search_locations or []) if spec else []
    return any(not (Path(place) / MARK).exists() for place in places)


def install_python(source: Path, site: Path) -> None:
    target = site / source.name
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
    (target / MARK).touch()


def install_interfaces(source: Path, site: Path) -> None:
    build = Path(sys.prefix) / "build" / source.name
    build.parent.mkdir(exist_ok=True)
    environment = os.environ | {"CMAKE_PREFIX_PATH": sys.prefix}
    subprocess.run(["bash", HERE / "build.sh", source, build], check=True, env=environment)
    subprocess.run(["bash", HERE / "install_built.sh", build], check=True, env=environment)
    (site / source.name / MARK).touch()


def main() -> None:
    sys.path = [place for place in sys.path if Path(place or ".").resolve() != HERE]  # the sources are not installed
    site = Path(sysconfig.get_path("purelib"))
    packages = [path for path in sorted((HERE / "packages").iterdir()) if (path / "__init__.py").exists()]
    for source in [HERE / "tf2_msgs", HERE / "bond", *packages]:
        if is_real(source.name):
            print(f"setup: {source.name} is there already, it is left as it is")
        elif (source / "CMakeLists.txt").exists():
            install_interfaces(source, site)
        else:
            install_python(source, site)


if __name__ == "__main__":
    main()
