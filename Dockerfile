# syntax=docker/dockerfile:1

# One static binary per image, nothing else: no shell, no package manager, no writable path. `make image` builds them;
# `make images` makes the same without Docker.

FROM --platform=$BUILDPLATFORM golang:1.26.8 AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN --mount=type=cache,target=/go/pkg/mod go mod download
COPY . .
ARG TARGETOS TARGETARCH VERSION=dev
RUN --mount=type=cache,target=/go/pkg/mod --mount=type=cache,target=/root/.cache/go-build \
    GOOS=$TARGETOS GOARCH=$TARGETARCH make build BIN=/out VERSION=$VERSION

# What every image has: the certificate authorities, and a user that is not root.
FROM scratch AS base
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/
# So that "kubectl exec … -- connector status" finds the program.
ENV PATH=/
USER 65532:65532
ARG VERSION=dev REVISION
LABEL org.opencontainers.image.vendor="xBot" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="$VERSION" \
      org.opencontainers.image.revision="$REVISION"

FROM base AS connector
LABEL org.opencontainers.image.title="connector" \
      org.opencontainers.image.description="Takes the webhook calls of chat channels and delivers them to bots as CloudEvents"
COPY --from=build /out/connector /connector
EXPOSE 8080 9090
ENTRYPOINT ["/connector"]

FROM base AS operator
LABEL org.opencontainers.image.title="operator" \
      org.opencontainers.image.description="Runs a connector for every ChannelConnector in Kubernetes"
COPY --from=build /out/operator /operator
EXPOSE 8081 8443
ENTRYPOINT ["/operator"]
