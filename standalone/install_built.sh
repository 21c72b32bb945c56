#!/bin/bash
# Install what was built in the folder $1, and remove what an earlier installation left that is no longer part of it.
set -euo pipefail
manifest=$1/install_manifest.txt
old=$(mktemp)
trap 'rm -f "$old"' EXIT
[ ! -f "$manifest" ] || cp "$manifest" "$old"
cmake --install "$1" > "$1.install.log" 2>&1 || { cat "$1.install.log" >&2; exit 1; }
comm -23 <(LC_ALL=C sort -u "$old") <(LC_ALL=C sort -u "$manifest") | xargs -r -d '\n' rm -f --
