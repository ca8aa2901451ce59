# syntax=docker/dockerfile:1

# One static binary per image, nothing else: no shell, no package manager, no
# writable path. Build with `make image`.

FROM --platform=$BUILDPLATFORM golang:1.26.8 AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN --mount=type=cache,target=/go/pkg/mod go mod download
COPY . .
ARG TARGETOS TARGETARCH VERSION=dev
# timetzdata puts the time zones into the binary.
RUN --mount=type=cache,target=/go/pkg/mod --mount=type=cache,target=/root/.cache/go-build \
    CGO_ENABLED=0 GOOS=$TARGETOS GOARCH=$TARGETARCH go build -trimpath -buildvcs=false -tags timetzdata \
    -ldflags "-s -w -X main.version=$VERSION" -o /out/ ./cmd/...

# What every image has: the certificate authorities, and a user that is not root.
FROM scratch AS base
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/
USER 65532:65532

FROM base AS connector
COPY --from=build /out/connector /connector
EXPOSE 8080 9090
ENTRYPOINT ["/connector"]

FROM base AS operator
COPY --from=build /out/operator /operator
EXPOSE 8081 8443
ENTRYPOINT ["/operator"]
