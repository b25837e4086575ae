#!/bin/bash
# Builds the Dockerfile for real, with buildah, in a storage of its own that is
# removed afterwards. Nothing is pulled: stand-ins made of this machine's Go and
# a few of its programs take the place of the base images, Docker's and Red
# Hat's. Needs root (or `buildah unshare`) and Linux.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

skip() { echo "SKIPPED: the Dockerfile was not built: $*"; exit 0; }
fail() { echo "FAILED: $*" >&2; exit 1; }
check() { [[ $2 == "$3" ]] || fail "$1: is '$2', want '$3'"; }

[[ $(uname -s) == Linux ]] || skip "this is not Linux"
command -v buildah >/dev/null || skip "there is no buildah (Debian and Fedora have it as a package)"
[[ $(id -u) == 0 ]] || skip "not root; try: buildah unshare $0"

work=$(mktemp -d)
export BUILDAH_ISOLATION=chroot CONTAINERS_STORAGE_CONF=$work/storage.conf
unset STORAGE_DRIVER
trap 'buildah rm --all >/dev/null 2>&1 || true; rm -rf "$work"' EXIT
for driver in overlay vfs; do
  printf '[storage]\ndriver = "%s"\ngraphroot = "%s"\nrunroot = "%s"\n' $driver "$work/$driver" "$work/run" >"$CONTAINERS_STORAGE_CONF"
  if buildah from --name probe scratch >/dev/null 2>"$work/probe" && buildah mount probe >/dev/null 2>>"$work/probe"; then
    buildah rm probe >/dev/null
    driver=
    break
  fi
done
[[ -z $driver ]] || skip "buildah does not work here: $(tail -n 1 "$work/probe")"

# with_programs DIR PROGRAM... copies programs and the libraries they load.
with_programs() {
  local root=$1 program file
  shift
  for program; do
    program=$(command -v "$program")
    for file in "$program" $(ldd "$program" 2>/dev/null | grep -o '/[^ )]*'); do
      install -D "$file" "$root$file"
    done
  done
}

# go_image NAME [CONFIG...] is a builder with Go, a shell and nothing else. Go
# itself is mounted: copying it takes longer than the build.
go_image() {
  local name=$1 root
  shift
  buildah from --name go scratch >/dev/null
  root=$(buildah mount go)
  mkdir -p "$root/usr/local/go"
  install -d -m 1777 "$root/tmp"
  with_programs "$root" /bin/bash /bin/sh
  ln -sfn bash "$root/bin/sh"
  buildah config --env PATH=/usr/local/go/bin:/usr/bin:/bin --env GOTOOLCHAIN=local "$@" go
  buildah commit -q go "localhost/$name" >/dev/null
  buildah rm go >/dev/null
}

# base_image NAME [CONFIG...] has what an image might inherit of its base.
base_image() {
  local name=$1 root
  shift
  buildah from --name base scratch >/dev/null
  root=$(buildah mount base)
  mkdir -p "$root/etc"
  echo 'nonroot:x:65532:65532:nonroot:/home/nonroot:/sbin/nologin' >"$root/etc/passwd"
  buildah config "$@" base
  buildah commit -q base "localhost/$name" >/dev/null
  buildah rm base >/dev/null
}

# build NAME PLATFORM BUILDER BASE [FLAG...] builds offline, with modules from this machine's cache.
build() {
  local name=$1 platform=$2 builder=$3 base=$4
  shift 4
  # BUILDPLATFORM is set by newer builders; --volume is for RUN alone.
  buildah build --quiet --pull-never --platform "$platform" --tag "localhost/$name" \
    --build-arg BUILDPLATFORM="linux/$arch" --build-arg GO_IMAGE="localhost/$builder" --build-arg BASE="$base" --build-arg GOPROXY=file:///proxy \
    --build-arg APP_VERSION=v1.2.3 --build-arg COMMIT=0123456789abcdef --build-arg DATE=2026-01-02T03:04:05Z \
    --volume "$(go env GOROOT):/usr/local/go:ro" --volume "$(go env GOMODCACHE)/cache/download:/proxy:ro" \
    --volume "$(realpath "$work/$builder.cache"):/tmp/go-cache" --volume "$work/$builder.modules:/tmp/go-modules" "$@" \
    . >"$work/$name.log" 2>&1 || { cat "$work/$name.log"; fail "$name does not build"; }
}

inspect() { buildah inspect --type image --format "$2" "localhost/$1"; }

# labels NAME VALUE LABEL... checks that each label has the value.
labels() {
  local name=$1 value=$2 label
  shift 2
  for label; do
    check "$name label $label" "$(inspect "$name" "{{index .OCIv1.Config.Labels \"$label\"}}")" "$value"
  done
}

# verify NAME ARCH LAYERS checks configuration and content of an image.
verify() {
  local name=$1 arch=$2 layers=$3 container root
  check "$name user" "$(inspect "$name" '{{.OCIv1.Config.User}}')" 65532:65532
  check "$name entrypoint" "$(inspect "$name" '{{.OCIv1.Config.Entrypoint}}')" '[/app/status-reporter]'
  check "$name environment" "$(inspect "$name" '{{.OCIv1.Config.Env}}' | grep -o 'GOMAXPROCS=[0-9]*')" GOMAXPROCS=1
  check "$name architecture" "$(inspect "$name" '{{.OCIv1.Architecture}}')" "$arch"
  labels "$name" v1.2.3 org.opencontainers.image.version version release
  labels "$name" 0123456789abcdef org.opencontainers.image.revision vcs-ref
  labels "$name" 2026-01-02T03:04:05Z org.opencontainers.image.created build-date
  labels "$name" status-reporter org.opencontainers.image.title name io.k8s.display-name com.redhat.component
  labels "$name" openshift-hyperfleet vendor maintainer
  labels "$name" "Sidecar for Kubernetes Jobs" summary
  labels "$name" "$(inspect "$name" '{{index .OCIv1.Config.Labels "org.opencontainers.image.description"}}')" description io.k8s.description
  [[ $(inspect "$name" '{{.OCIv1.Config.Labels}}') != *"of the base"* ]] || fail "$name says of itself what its base says"
  check "$name layers" "$(inspect "$name" '{{len .OCIv1.RootFS.DiffIDs}}')" "$layers"
  container=$(buildah from --pull-never "localhost/$name")
  root=$(buildah mount "$container")
  check "$name files of the reporter" "$(cd "$root/app" && find . -mindepth 1 -printf '%P %m %u;')" "status-reporter 755 root;"
  [[ $layers != 1 ]] || check "$name files" "$(cd "$root" && find . -type f -printf '%P;')" "app/status-reporter;"
  check "$name links to libraries" "$(ldd "$root/app/status-reporter" 2>&1 | grep -c '=>' || true)" 0
  if [[ $arch == "$(go env GOHOSTARCH)" ]]; then
    check "$name version" "$("$root/app/status-reporter" version | cut -d, -f1-2)" \
      "status-reporter v1.2.3 (commit 0123456789abcdef, built 2026-01-02T03:04:05Z"
  fi
  make -s binary BINARY="$work/$name.binary" GOOS=linux GOARCH="$arch" GOFIPS140="${4:-off}" VERSION=v1.2.3 COMMIT=0123456789abcdef DATE=2026-01-02T03:04:05Z
  cmp "$root/app/status-reporter" "$work/$name.binary" || fail "$name: make binary makes another binary"
  check "$name FIPS" "$(go version -m "$root/app/status-reporter" | sed -n 's/.*GOFIPS140=//p')" "${4:+$4-$(sed 's/.*-//' <<<"$(cat "$(go env GOROOT)/lib/fips140/$4.txt")")}"
  echo "ok: $name ($arch, $layers layer(s), binary $(stat -c %s "$root/app/status-reporter") bytes)"
  buildah rm "$container" >/dev/null
}

arch=$(go env GOHOSTARCH)
other=$([[ $arch == arm64 ]] && echo amd64 || echo arm64)
# Red Hat's: its go-toolset runs as user 1001 and has its own VERSION, its
# ubi9-micro says who made it. The source folder is root's.
toolset=(--user 1001 --workingdir /opt/app-root/src --env HOME=/opt/app-root/src --env NAME=golang --env VERSION=1.26.8)
micro=()
for label in name vendor version release summary description maintainer url vcs-ref build-date com.redhat.component io.k8s.display-name io.k8s.description; do
  micro+=(--label "$label=of the base")
done

go mod download
mkdir -m 0777 "$work"/{golang,toolset}.modules "$work/toolset.cache"
ln -s "$(go env GOCACHE)" "$work/golang.cache" # which user 1001 could not write to
chmod 0755 "$work"
go_image golang
go_image toolset "${toolset[@]}"
base_image static --user 65532 --workingdir /home/nonroot --env SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt
base_image ubi9-micro "${micro[@]}"
build scratch "linux/$arch" golang scratch && verify scratch "$arch" 1
build distroless "linux/$arch" golang localhost/static && verify distroless "$arch" 2
build cross "linux/$other" golang scratch && verify cross "$other" 1
build ubi "linux/$arch" toolset localhost/ubi9-micro && verify ubi "$arch" 2
build ubi-fips "linux/$arch" toolset localhost/ubi9-micro --build-arg GOFIPS140=v1.0.0 && verify ubi-fips "$arch" 2 v1.0.0
echo "PASSED: the Dockerfile builds (base images were stand-ins)"
