"""The examples run as they stand, and show what they are there to show."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = sorted((Path(__file__).resolve().parents[1] / "examples").glob("*.py"))
SHOWN = {  # in this order
    "01_map.py": [r"room\.safetensors: [12]\.\d\d MB", r"landmarks +\d{4}", r"expected +0\.0"],
    "02_localize.py": [r"one sigma", r"(18|19|20) localized; median error 0\.0"],
    "03_own_encoder.py": [r"SIFT: (18|19|20) of 20 localized; median error 0\.\d\d cm"],
    "04_from_your_slam.py": [
        r"\d+ of 80 frames were worth mapping\. The map of",
        r" 0 LOCALIZED, [\d.]+ cm",
        r"12 UNCERTAIN, ODOMETRY_DISAGREES: .* from where the odometry carries the last pose",
        r"LOCALIZED, [0-4]\.\d cm .* it was KIDNAPPED",
        r"\d\d of 26 frames localized, half of them within [0-3]\.\d cm\n$",
    ],
}


@pytest.fixture(scope="module")
def elsewhere(tmp_path_factory):
    """Where the examples find what those before them left."""
    return {**os.environ, "TMPDIR": str(tmp_path_factory.mktemp("examples"))}


def test_every_example_is_known():
    assert {path.name for path in EXAMPLES} == set(SHOWN)


@pytest.mark.slow
@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)
def test_an_example_runs(path, elsewhere, tmp_path):
    done = subprocess.run(
        [sys.executable, path], cwd=tmp_path, env=elsewhere, capture_output=True, text=True, timeout=600
    )
    assert done.returncode == 0 and done.stdout, done.stderr
    assert re.search(".*".join(SHOWN[path.name]), done.stdout, re.DOTALL), done.stdout
    assert not list(tmp_path.iterdir())  # nothing is left behind
