#!/bin/sh
# Runs the examples: run.sh PATH-OF-STATUS-REPORTER. What the machine lacks is
# skipped, and said so.
set -eu
reporter=$1
here=$(dirname "$0")

echo "shell: $here/shell"
"$here/shell/golden.sh" "$reporter" validate -o json

if python3 -c 'import sys; sys.exit(sys.version_info < (3, 9))' 2>/dev/null; then
    echo "python: $here/python"
    PYTHONDONTWRITEBYTECODE=1 python3 -m unittest discover -s "$here/python"
else
    echo "python: SKIPPED: there is no python3 of version 3.9 or later"
fi
