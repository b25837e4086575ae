#!/bin/bash
# Runs the recipe of SECURITY.md by which a release is verified, with a stand-in
# for gh that has a release of two files, and checks that it asks for all that the
# release workflow attests, and ends where something is wrong.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

fail() { echo "FAILED: $*" >&2; exit 1; }

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
hack/verify-recipe.sh >"$work/recipe"
[[ -s $work/recipe ]] || fail "SECURITY.md has no recipe"
cat >"$work/gh" <<'EOF2'
#!/bin/bash
echo "$*" >>"$CALLS"
case $1 in
release)
  mkdir release && cd release && echo binary >reporter && sha256sum reporter >SHA256SUMS
  [[ -z ${SPOILT:-} ]] || echo other >reporter ;;
attestation) [[ -z ${REFUSED:-} || $* != *"$REFUSED"* ]] ;;
esac
EOF2
chmod +x "$work/gh"

# run NAME [VARIABLE=VALUE...] runs the recipe in a directory of its own.
run() {
  local name=$1
  shift
  mkdir "$work/$name"
  (cd "$work/$name" && env PATH="$work:$PATH" CALLS="$work/$name/calls" VERSION=v1.2.3 "$@" bash -euo pipefail "$work/recipe" >"$work/$name/log" 2>&1)
}

image=registry.example.com/team/status-reporter@sha256:0123
run good IMAGE=$image || { cat "$work/good/log"; fail "a good release does not verify"; }
for want in "release download v1.2.3" "verify release/reporter" "verify release/SHA256SUMS" "verify oci://$image --repo"; do
  grep -qF -- "$want" "$work/good/calls" || fail "the recipe does not say: gh … $want"
done
[[ $(grep -c -- '--source-ref refs/tags/v1.2.3' "$work/good/calls") == 5 ]] || fail "not everything is held to the tag"
workflow=.github/workflows/release.yaml
[[ -e $workflow ]] && grep -qF -- "--signer-workflow openshift-hyperfleet/status-reporter/$workflow" "$work/good/calls" || fail "not the workflow that releases"
while read -r type; do
  grep -qF -- "--predicate-type $type" "$work/good/calls" || fail "the recipe does not ask for $type"
done < <(sed -n 's/^ *predicate-type: //p' "$workflow"; echo https://cyclonedx.org/bom)
run files || fail "a release without images does not verify"
! grep -q oci:// "$work/files/calls" || fail "an image is asked for where there is none"
! run spoilt SPOILT=1 || fail "a file that is another one is taken"
for refused in release/reporter oci:// cyclonedx openvex; do
  ! run "refused-${refused//\//-}" IMAGE=$image REFUSED="$refused" || fail "an attestation of $refused that does not verify is taken"
done
echo "PASSED: the recipe in SECURITY.md"
