#!/bin/sh
# Runs a reader of result files through the golden suite. The reader is a command
# that gets the name of a result file and prints the condition as JSON, each
# member on a line of its own, as the suite's *.condition.json do.
#
#   testdata/examples/shell/golden.sh my-reader
#   testdata/examples/shell/golden.sh bin/status-reporter validate -o json
set -u
[ $# -gt 0 ] || { echo "usage: $0 READER [ARG ...]" >&2; exit 2; }
suite=$(dirname "$0")/../..

# condition leaves of JSON what makes a condition. What follows "not valid JSON"
# is the JSON library's text, not the contract's.
condition() {
    grep -E '^ *"(type|status|reason|message)": ' |
        sed -e 's/^ *//' -e 's/,$//' -e 's/\(not valid JSON: \).*/\1..."/'
}

cases=0 failures=0
for input in "$suite"/contract/*.input; do
    name=$(basename "$input" .input)
    want=$(condition <"$suite/contract/$name.condition.json")
    got=$("$@" "$input" 2>/dev/null | condition)
    cases=$((cases + 1))
    if [ "$got" != "$want" ]; then
        failures=$((failures + 1))
        printf 'FAIL %s\nwant %s\ngot  %s\n' "$name" "$want" "$got"
    fi
done
echo "$cases cases, $failures failures"
[ "$cases" -gt 100 ] && [ "$failures" -eq 0 ]
