# --build-arg BASE=scratch leaves out even distroless: the binary needs nothing of
# it. Red Hat's images do as well: GO_IMAGE=registry.access.redhat.com/ubi9/go-toolset:1.26
# and BASE=registry.access.redhat.com/ubi9-micro. With GOFIPS140=v1.0.0 the binary
# has Go's certified FIPS 140-3 module, and uses it.
# Names are whole ones: podman knows no other registry than those it is told of.
ARG GO_IMAGE=docker.io/library/golang:1.26
ARG BASE=gcr.io/distroless/static:nonroot

# Compiled on the builder's own architecture for the target's, by whichever user
# the builder has: only /tmp is written to. Neither make nor git need be there.
FROM --platform=$BUILDPLATFORM ${GO_IMAGE} AS build
ARG GOPROXY
ENV GOCACHE=/tmp/go-cache GOMODCACHE=/tmp/go-modules
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
# Not VERSION: builder images have one in their environment, which would win.
ARG TARGETOS TARGETARCH GOFIPS140=off APP_VERSION=dev COMMIT= DATE=
# As `make binary` does it; hack/dockerfile-test.sh holds the two together.
RUN umask 022 && CGO_ENABLED=0 GOOS=$TARGETOS GOARCH=$TARGETARCH GOFIPS140=$GOFIPS140 GOFLAGS= \
    go build -trimpath -buildvcs=false -o /tmp/status-reporter \
    -gcflags='k8s.io/...=-l -d=wrapglobalmapctl=2' -gcflags='sigs.k8s.io/...=-l -d=wrapglobalmapctl=2' \
    -gcflags='github.com/fxamacker/...=-l -d=wrapglobalmapctl=2' -gcflags='github.com/json-iterator/...=-l -d=wrapglobalmapctl=2' \
    -ldflags "-s -w -X main.version=$APP_VERSION -X main.commit=$COMMIT -X main.date=$DATE" .

FROM ${BASE}
ARG APP_VERSION=dev COMMIT= DATE=
# Those without a prefix are Red Hat's; a base of theirs has each, about itself.
LABEL org.opencontainers.image.title="status-reporter" \
      org.opencontainers.image.description="Sets a condition on a Kubernetes Job from the result of the adapter beside it" \
      org.opencontainers.image.source="https://github.com/openshift-hyperfleet/status-reporter" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="$APP_VERSION" \
      org.opencontainers.image.revision="$COMMIT" \
      org.opencontainers.image.created="$DATE" \
      name="status-reporter" \
      vendor="openshift-hyperfleet" \
      version="$APP_VERSION" \
      release="$APP_VERSION" \
      summary="Sidecar for Kubernetes Jobs" \
      description="Sets a condition on a Kubernetes Job from the result of the adapter beside it" \
      maintainer="openshift-hyperfleet" \
      url="https://github.com/openshift-hyperfleet/status-reporter" \
      vcs-ref="$COMMIT" \
      build-date="$DATE" \
      com.redhat.component="status-reporter" \
      io.k8s.display-name="status-reporter" \
      io.k8s.description="Sets a condition on a Kubernetes Job from the result of the adapter beside it"
# main sets it too, but by then Go has made what another one needs: 0.5 MB.
ENV GOMAXPROCS=1
# The path that deployments name in their command.
COPY --from=build --chown=0:0 /tmp/status-reporter /app/status-reporter
# Numeric, or the kubelet cannot tell that it is not root.
USER 65532:65532
ENTRYPOINT ["/app/status-reporter"]
