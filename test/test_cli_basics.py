"""The `ace` command where no map is involved: help, usage errors, comparing, Ctrl-C, files written whole."""

import json
import os
import resource
import signal
import subprocess
import sys
import time

import pytest
from ace_command import ace, ace_here

from ace_ros.cli import COMMANDS, console
from ace_ros.errors import InputError


def test_help_names_all_commands_and_shows_examples():
    done = ace("--help")
    assert done.returncode == 0 and not done.stderr
    assert all(f"  {name} " in done.stdout for name in COMMANDS)
    assert "ace map room/ -o room.safetensors" in done.stdout


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_explains_itself_with_examples(name):
    done = ace_here(name, "--help")
    assert done.returncode == 0, done.stderr
    assert f"ace {name} " in done.stdout.split("examples:")[1]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "commands:"),
        (("mapp",), "no command 'mapp'"),
        (("map",), "required"),
        (("map", "room", "-o", "x", "--steps", "many"), "steps"),
        (("map", "room", "-o", "x", "--no-such-flag"), "no-such-flag"),
        (("evaluate",), "a map and a recording"),
        (("evaluate", "room.safetensors"), "a map and a recording"),
    ],
)
def test_what_is_not_understood_is_a_usage_error(arguments, said):
    done = ace_here(*arguments)
    assert done.returncode == 2
    assert said in done.stderr and "Traceback" not in done.stderr
    assert not done.stdout


def evaluation(folder, name, **changes):
    figures = {
        "frames": 100, "localized": 90, "uncertain": 5, "lost": 5, "metric": True, "median_translation": 0.01,
        "median_rotation_deg": 0.3, "recall": {"10cm_5deg": 0.95, "5cm_5deg": 0.9, "2cm_2deg": 0.8, "1cm_1deg": 0.5},
        "query_ms": {"median": 20.0, "p95": 30.0}, "nees_median": 6.1, "false_confident": 0, "scene": "room",
    }  # fmt: skip
    path = folder / f"{name}.json"
    path.write_text(json.dumps(figures | changes))
    return path


@pytest.mark.parametrize("command", [("compare",), ("evaluate", "--compare")])
def test_compare_lays_runs_side_by_side(tmp_path, command):
    a, b = evaluation(tmp_path, "before"), evaluation(tmp_path, "after", median_translation=0.005, nees_median=None)
    done = ace_here(*command, a, b)
    assert done.returncode == 0, done.stderr
    lines = {line.split("│")[1].strip(): line for line in done.stdout.splitlines() if "│" in line}
    assert "1.00 cm" in lines["median position error"] and "0.50 cm" in lines["median position error"]
    assert "95.0%" in lines["within 10 cm, 5 deg"]
    assert "6.1" in lines["NEES, median (honest: 5.3)"] and " - " in lines["NEES, median (honest: 5.3)"]
    assert not done.stderr


def test_compare_shows_what_the_nodes_did_where_they_did(tmp_path):
    live = {"poses_hz": 20.0, "frames_dropped": 7, "latency_ms": {"median": 60.0, "p95": 80.0, "max": 90.0}}
    runs = evaluation(tmp_path, "offline"), evaluation(tmp_path, "played", live=live)
    text = ace_here("compare", *runs).stdout
    assert "live: age of a pose, 95 %" in text and "80 ms" in text
    assert "live" not in ace_here("compare", runs[0], runs[0]).stdout


def test_compare_says_what_cannot_be_compared(tmp_path):
    a = evaluation(tmp_path, "a")
    assert "note" in ace_here("compare", a, evaluation(tmp_path, "other", scene="garden")).stderr
    for wrong, said in (
        (evaluation(tmp_path, "photos", metric=False), "not comparable"),
        (tmp_path / "missing.json", "missing.json"),
        (tmp_path, "can't be read"),
    ):
        done = ace_here("compare", a, wrong)
        assert done.returncode == 1 and said in done.stderr and "Traceback" not in done.stderr
    (tmp_path / "list.json").write_text("[1, 2]")
    assert "list.json: not a file that" in ace_here("compare", a, tmp_path / "list.json").stderr
    assert "two evaluations" in ace_here("compare", a).stderr


def test_a_defect_is_told_without_a_traceback(tmp_path):
    code = "from ace_ros import cli; import sys; cli._dispatch = lambda a: 1 / 0; sys.exit(cli.main(['map']))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.returncode == 1
    assert "unexpected ZeroDivisionError" in done.stderr and "Traceback" not in done.stderr


def interrupted(code):
    """Run ``code`` with Ctrl-C handled as in ``ace``; SIGINT once it prints a line."""
    process = subprocess.Popen(
        [sys.executable, "-c", "from ace_ros.cli import interrupt; interrupt.install()\n" + code],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    first = process.stdout.readline()
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    return process.returncode, first + out, err


def test_ctrl_c_cannot_be_swallowed():
    code, _, said = interrupted(
        "import time\nprint(1, flush=True)\n"
        "while True:\n  try:\n    time.sleep(60)\n  except BaseException:\n    pass\n"
    )
    assert code == 130 and said == "\nstopped; nothing was written\n"


def test_ctrl_c_waits_for_a_file_to_be_whole(tmp_path):
    path = tmp_path / "map"
    code, _, said = interrupted(
        f"import time\nwith interrupt.writing({str(path)!r}):\n  print(1, flush=True)\n  time.sleep(1)\n"
        f"  open({str(path)!r}, 'w').write('whole')\ntime.sleep(60)"
    )
    assert code == 130 and said == f"\nstopped; {path} had been written\n"
    assert path.read_text() == "whole"


def test_ctrl_c_lets_work_clean_up():
    code, out, said = interrupted(
        "import time\nwith interrupt.unwinding():\n  try:\n    print(1, flush=True); time.sleep(60)\n"
        "  finally:\n    print('clean', flush=True)"
    )
    assert code == 130 and "clean" in out and said == "\nstopped; nothing was written\n"


def test_files_are_written_whole_or_not_at_all(tmp_path):
    path = tmp_path / "figures.json"
    console.write_json(path, {"a": 1})
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, hard))  # as on a full disk
    try:
        with pytest.raises(InputError, match="can't be written"):
            console.write_file(path, b"x" * 1000)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, ignored)
    assert json.loads(path.read_text()) == {"a": 1}
    assert os.listdir(tmp_path) == ["figures.json"]


def test_places_that_cannot_be_written_are_found_before_the_work(tmp_path):
    for path, said in ((tmp_path, "is a folder"), (tmp_path / "no" / "map", "make it first")):
        with pytest.raises(InputError, match=said):
            console.check_writable(path)
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError):
        console.check_writable(tmp_path / "file" / "map")
    with pytest.raises(InputError, match="can't make"):
        console.make_folder(tmp_path / "file" / "folder")


@pytest.mark.slow
def test_figures_of_the_process_are_its_own():
    """Time counts from the start of the process, and memory does not count the process that started it."""
    ballast = bytearray(400_000_000)
    started = time.monotonic()
    code = "import time; time.sleep(0.3)\nfrom ace_ros.cli import console as c\n"
    code += "print(c.seconds_since_start(), c.peak_rss_bytes())"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    seconds, memory = map(float, done.stdout.split())
    assert 0.3 <= seconds <= time.monotonic() - started + 0.02
    assert 5e6 < memory < 300e6
    assert len(ballast)
