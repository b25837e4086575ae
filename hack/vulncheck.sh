#!/bin/bash
# Looks up known vulnerabilities with govulncheck, as given by its arguments:
#
#   hack/vulncheck.sh GOVULNCHECK              fails where the program calls vulnerable code
#   hack/vulncheck.sh GOVULNCHECK PRODUCT FILE writes the same as OpenVEX, about a product (a purl)
#
# Where the database cannot be reached, the first says SKIPPED and does not fail;
# the second fails: nothing may say of a release that it was looked at.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

govulncheck=$1
export GOOS=linux # what the images are for

if (($# == 3)); then
  out=$("$govulncheck" ${VULNDB:+-db "$VULNDB"} -format openvex .)
  [[ $out == *'"@context"'* ]] || { echo "govulncheck writes no OpenVEX: $out" >&2; exit 1; }
  mkdir -p "$(dirname "$3")"
  # Who says it and of what, govulncheck leaves to whoever runs it.
  sed -e 's|"Unknown Author"|"openshift-hyperfleet"|' -e "s|\"Unknown Product\"|\"$2\"|" <<<"$out" >"$3"
  exit
fi

code=0
out=$("$govulncheck" ${VULNDB:+-db "$VULNDB"} . 2>&1) || code=$? # the program: what tests and tools link reaches nobody
if ((code == 1)) && grep -q 'fetching vulnerabilities:' <<<"$out"; then
  echo "SKIPPED: nothing was looked up, the database of vulnerabilities cannot be reached:"
  tail -n 1 <<<"$out"
  exit 0
fi
echo "$out"
exit "$code"
