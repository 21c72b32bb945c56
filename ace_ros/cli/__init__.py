"""The ``ace`` command.

Each subcommand is a module with a dataclass ``Command`` of options, its flags, and a method ``run``.
Only the module of the command that was asked for is imported, so that ``ace --help`` never waits for torch.
"""

from __future__ import annotations

import os
import sys
from io import TextIOWrapper

from ace_ros.cli import interrupt

COMMANDS = {
    "map": "make a map from posed frames",
    "check": "hold a recording's poses and intrinsics against its own images",
    "localize": "say where images were taken",
    "evaluate": "localize a recording and compare with its ground truth",
    "compare": "lay evaluations side by side",
    "info": "show what is in a map file",
    "extend": "let a map learn what a recording shows and it does not know",
    "repair": "bring a map up to date where things were moved",
    "align": "find how a recording with its own origin lies in a map",
    "merge": "lay maps of one frame side by side in one file",
    "prune": "drop places of a map, thin its landmarks",
    "export": "write a map as a coloured point cloud, or as a head that ACE loads",
    "import": "make a map of a head that ACE trained",
    "bag": "write a recording as a rosbag2 bag",
    "doctor": "say what is missing or does not fit here, and what mends it",
}

_INTRODUCTION = """\
usage: ace COMMAND ...

Map a place in minutes; know where a camera is from one image.
"""

_EXAMPLES = """\
examples:
  ace map room/ -o room.safetensors      a recording in, a map out
  ace evaluate room.safetensors room/    how good is it, on frames it never saw?
  ace localize room.safetensors a.jpg --camera 525,525,320,240
  ace evaluate room.safetensors drive.mcap --report out/

A recording is a ROS bag, or a folder in the layout of ACE, nerfstudio, COLMAP,
TUM RGB-D, EuRoC, KITTI and others: docs/recordings.md lists what is read.
'ace COMMAND --help' explains a command."""

USAGE_ERROR = 2


def help_text() -> str:
    commands = "\n".join(f"  {name:<10} {purpose}" for name, purpose in COMMANDS.items())
    return f"{_INTRODUCTION}\ncommands:\n{commands}\n\n{_EXAMPLES}"


def main(arguments: list[str] | None = None) -> int:
    """Run ``ace``; the exit code: 0 done, 1 failed, 2 not understood, 3 some images not localized, 130 stopped."""
    arguments = sys.argv[1:] if arguments is None else arguments
    interrupt.install()
    for stream in (sys.stdout, sys.stderr):  # names of files need not be UTF-8
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="surrogateescape")
    try:
        return _dispatch(arguments)
    except SystemExit as exit:
        return exit.code if isinstance(exit.code, int) else USAGE_ERROR
    except BaseException as error:
        return _explain(error)


def _dispatch(arguments: list[str]) -> int:
    if not arguments or arguments[0] in ("-h", "--help", "help"):
        print(help_text(), file=sys.stdout if arguments else sys.stderr)
        return 0 if arguments else USAGE_ERROR
    if arguments[0] == "--version":
        from ace_ros import __version__

        print(f"ace {__version__}")
        return 0
    name, rest = arguments[0], arguments[1:]
    if name not in COMMANDS:
        print(f"ace: no command '{name}'; there are: {', '.join(COMMANDS)} (see 'ace --help')", file=sys.stderr)
        return USAGE_ERROR
    import importlib

    module = importlib.import_module(f"ace_ros.cli.{name}_command")
    program = f"ace {name}"
    if any(argument in ("-h", "--help") for argument in rest):
        import shutil

        from ace_ros.cli.help import command_help

        columns = shutil.get_terminal_size().columns
        print(command_help(program, module.Command, module.__doc__ or "", getattr(module, "USAGE", ""), columns))
        return 0
    from dataclasses import fields

    if not rest and not fields(module.Command):  # nothing to parse: `ace doctor` runs where tyro is missing, too
        command = module.Command()
    else:
        from ace_ros.cli.flags import parse

        command = parse(module.Command, program, rest)
    code = command.run()
    sys.stdout.flush()
    return int(code)


def _explain(error: BaseException) -> int:
    """One sentence on stderr for whatever ended the command; the exit code."""
    if interrupt.requested() or isinstance(error, KeyboardInterrupt):
        interrupt.leave()
    if isinstance(error, BrokenPipeError):  # `ace localize ... | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    from ace_ros.errors import AceError
    from ace_ros.options import OptionError

    if os.environ.get("ACE_TRACEBACK"):
        raise error
    if isinstance(error, OptionError):
        message = f"--{error.name.replace('_', '-')}: {error.problem}"
    elif isinstance(error, AceError):
        message = str(error)
    elif isinstance(error, ImportError):
        message = f"{error}: 'ace doctor' says what is missing and how to install it"
    elif isinstance(error, MemoryError):
        message = "not enough memory"
    elif isinstance(error, OSError) and error.strerror:
        message = f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    else:
        message = f"unexpected {type(error).__name__}: {error} (a defect of ace; ACE_TRACEBACK=1 shows where)"
    print(f"ace: {message}", file=sys.stderr)
    return 1
