"""The `ace` command for tests: as a process of its own, or, where there are many cases, within this one."""

import contextlib
import io
import signal
import subprocess
import sys

from ace_ros.cli import main

PROGRAM = "import sys; from ace_ros.cli import main; sys.exit(main())"


def ace(*arguments, **options):
    """Run it as people do."""
    command = [sys.executable, "-c", PROGRAM, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=600, **options)


def ace_here(*arguments):
    """Run it in this process: starting one with torch in it takes seconds."""
    out, err = io.StringIO(), io.StringIO()
    ctrl_c = signal.getsignal(signal.SIGINT)
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            code = main([str(argument) for argument in arguments])
    finally:
        signal.signal(signal.SIGINT, ctrl_c)
    return subprocess.CompletedProcess(arguments, code, out.getvalue(), err.getvalue())


def succeeded(done):
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    return done


def refused(done, *said):
    """A message on stderr that holds all of ``said``, nothing on stdout, exit code 1."""
    text = done.stderr.replace("\n", " ")
    assert done.returncode == 1, done.stdout + done.stderr
    assert "Traceback" not in text and "unexpected" not in text
    for part in said:
        assert part in text, text
    assert not done.stdout
