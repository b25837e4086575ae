#!/bin/bash
# Prints the recipe of SECURITY.md by which a release is verified.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

sed -n '/^<!-- verify: begin -->$/,/^<!-- verify: end -->$/s/^    //p' SECURITY.md
