"""What the documents point at is there."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]


def anchors(page):
    """Of the headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.*)$", re.sub(r"^    .*$", "", page.read_text(), flags=re.M), flags=re.M)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page):
    for link in re.findall(r"\]\(([^)\s]+)\)", page.read_text()):
        if "://" in link:
            continue
        name, _, anchor = link.partition("#")
        target = (page.parent / name).resolve() if name else page
        assert target.exists(), link
        assert not anchor or anchor in anchors(target), f"{link}: {sorted(anchors(target))}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_launch_files_have_the_arguments_that_the_documents_give(page):
    """Told by the text of the launch files, so that no launch is needed."""
    shared = (ROOT / "ace_ros" / "nodes" / "launching.py").read_text()
    text = page.read_text().replace("\\\n", " ")
    for name, arguments in re.findall(r"ros2 launch ace_ros (\w+)\.launch\.py([^\n`#]*)", text):
        file = ROOT / "launch" / f"{name}.launch.py"
        known = set(re.findall(r'^    "(\w+)": ', shared + file.read_text(), flags=re.M)) | {"params_file"}
        given = set(re.findall(r"(\w+):=", arguments))
        assert given <= known, f"{name}.launch.py has no {given - known}"
