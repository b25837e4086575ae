# --build-arg BASE=scratch leaves out even distroless: the binary needs nothing of it.
# Names are whole ones: podman knows no other registry than those it is told of.
ARG GO_IMAGE=docker.io/library/golang:1.26
ARG BASE=gcr.io/distroless/static:nonroot

# Compiled on the builder's own architecture for the target's.
FROM --platform=$BUILDPLATFORM ${GO_IMAGE} AS build
ARG GOPROXY
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
ARG TARGETOS TARGETARCH VERSION=dev COMMIT= DATE=
RUN GOOS=$TARGETOS GOARCH=$TARGETARCH \
    make binary BINARY=/out/status-reporter VERSION="$VERSION" COMMIT="$COMMIT" DATE="$DATE"

FROM ${BASE}
ARG VERSION=dev COMMIT= DATE=
LABEL org.opencontainers.image.title="status-reporter" \
      org.opencontainers.image.description="Sets a condition on a Kubernetes Job from the result of the adapter beside it" \
      org.opencontainers.image.source="https://github.com/openshift-hyperfleet/status-reporter" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="$VERSION" \
      org.opencontainers.image.revision="$COMMIT" \
      org.opencontainers.image.created="$DATE"
# main sets it too, but by then Go has made what another one needs: 0.5 MB.
ENV GOMAXPROCS=1
# The path that deployments name in their command.
COPY --from=build /out/status-reporter /app/status-reporter
# Numeric, or the kubelet cannot tell that it is not root.
USER 65532:65532
ENTRYPOINT ["/app/status-reporter"]
