"""The changelog that bloom reads is the one that people write."""

import importlib.util
import re
from pathlib import Path

import pytest

import ace_ros

ROOT = Path(__file__).resolve().parents[1]
changelog = pytest.importorskip("catkin_pkg.changelog", reason="reads changelogs as bloom does")


def test_bloom_reads_what_people_wrote():
    written = (ROOT / "CHANGELOG.md").read_text()
    spec = importlib.util.spec_from_file_location("make_changelog", ROOT / "docs" / "make_changelog.py")
    maker = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(maker)
    assert (ROOT / "CHANGELOG.rst").read_text() == maker.as_rst(written), "run: make changelog"
    found = changelog.get_changelog_from_path(str(ROOT), "ace_ros")
    released = re.findall(r"^## \[(\d+\.\d+\.\d+)\] - (\S+)$", written, re.M)
    assert [(version, f"{date:%Y-%m-%d}") for version, date, _ in found.foreach_version()] == released
    for version, _ in released:
        section = written.split(f"## [{version}]")[1].split("\n## ")[0]
        kinds, changes = (re.findall(rule, section, re.M) for rule in (r"^### (\w+)", r"^- (\w+)"))
        text = "".join(map(str, found.get_content_of_version(version)))
        assert re.findall(r"^ *\* ", text, re.M) and text.count("* ") == len(kinds) + len(changes)


def test_the_version_is_the_same_everywhere():
    version = ace_ros.__version__
    assert f"<version>{version}</version>" in (ROOT / "package.xml").read_text()
    assert f"\nversion: {version}\n" in (ROOT / "CITATION.cff").read_text()
    assert f"## [{version}]" in (ROOT / "CHANGELOG.md").read_text()
