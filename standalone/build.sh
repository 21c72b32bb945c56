#!/bin/bash
# Configure and build the ament package in $1 in the folder $2, for installation into the active prefix.
set -euo pipefail
cmake -S "$1" -B "$2" -G Ninja -Wno-dev -DBUILD_TESTING=OFF -DCMAKE_BUILD_TYPE=Release \
    -DCMAKE_INSTALL_PREFIX="$CMAKE_PREFIX_PATH" -DPython3_EXECUTABLE="$CMAKE_PREFIX_PATH/bin/python" > "$2.log" 2>&1 &&
    nice cmake --build "$2" >> "$2.log" 2>&1 || { cat "$2.log" >&2; exit 1; }
