#!/bin/bash
# Builds the Dockerfile for real, with buildah, in a storage of its own that is
# removed afterwards. Nothing is pulled: stand-ins made of this machine's Go and
# a few of its programs take the place of the base images. Needs root (or
# `buildah unshare`) and Linux.
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

# The builder has what golang:1.26 has, as far as the build uses it. Go itself
# is mounted: copying it takes longer than the build.
go_image() {
  local root
  buildah from --name go scratch >/dev/null
  root=$(buildah mount go)
  mkdir -p "$root/usr/local/go" "$root/tmp"
  with_programs "$root" /bin/bash /bin/sh make awk git mkdir rm
  ln -sfn bash "$root/bin/sh"
  buildah config --env PATH=/usr/local/go/bin:/usr/bin:/bin --env GOTOOLCHAIN=local \
    --env GOMODCACHE=/modcache --env GOCACHE=/gocache go
  buildah commit -q go localhost/golang >/dev/null
  buildah rm go >/dev/null
}

# The base has what of distroless' configuration the image might inherit.
base_image() {
  local root
  buildah from --name base scratch >/dev/null
  root=$(buildah mount base)
  mkdir -p "$root/etc"
  echo 'nonroot:x:65532:65532:nonroot:/home/nonroot:/sbin/nologin' >"$root/etc/passwd"
  buildah config --user 65532 --workingdir /home/nonroot --env SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt base
  buildah commit -q base localhost/static >/dev/null
  buildah rm base >/dev/null
}

# build NAME PLATFORM BASE builds offline, with this machine's module cache and build cache.
build() {
  # BUILDPLATFORM is set by newer builders; --volume is for RUN alone.
  buildah build --quiet --pull-never --platform "$2" --tag "localhost/$1" \
    --build-arg BUILDPLATFORM="linux/$arch" --build-arg GO_IMAGE=localhost/golang --build-arg BASE="$3" --build-arg GOPROXY=off \
    --build-arg VERSION=v1.2.3 --build-arg COMMIT=0123456789abcdef --build-arg DATE=2026-01-02T03:04:05Z \
    --volume "$(go env GOROOT):/usr/local/go:ro" --volume "$(go env GOMODCACHE):/modcache" \
    --volume "$(go env GOCACHE):/gocache" \
    . >"$work/$1.log" 2>&1 || { cat "$work/$1.log"; fail "$1 does not build"; }
}

inspect() { buildah inspect --type image --format "$2" "localhost/$1"; }

# verify NAME ARCH LAYERS checks configuration and content of an image.
verify() {
  local name=$1 arch=$2 layers=$3 container root
  check "$name user" "$(inspect "$name" '{{.OCIv1.Config.User}}')" 65532:65532
  check "$name entrypoint" "$(inspect "$name" '{{.OCIv1.Config.Entrypoint}}')" '[/app/status-reporter]'
  check "$name environment" "$(inspect "$name" '{{.OCIv1.Config.Env}}' | grep -o 'GOMAXPROCS=[0-9]*')" GOMAXPROCS=1
  check "$name architecture" "$(inspect "$name" '{{.OCIv1.Architecture}}')" "$arch"
  check "$name version label" "$(inspect "$name" '{{index .OCIv1.Config.Labels "org.opencontainers.image.version"}}')" v1.2.3
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
  echo "ok: $name ($arch, $layers layer(s), binary $(stat -c %s "$root/app/status-reporter") bytes)"
  buildah rm "$container" >/dev/null
}

arch=$(go env GOHOSTARCH)
other=$([[ $arch == arm64 ]] && echo amd64 || echo arm64)
go mod download
go_image
base_image
build scratch "linux/$arch" scratch && verify scratch "$arch" 1
build distroless "linux/$arch" localhost/static && verify distroless "$arch" 2
build cross "linux/$other" scratch && verify cross "$other" 1
echo "PASSED: the Dockerfile builds (base images were stand-ins)"
