# The service alone: one static binary, the certificates that public authorities are checked by, and nothing else.
#
#   docker build --build-arg VERSION="$(git describe --always)" -t productid .
#   docker run -p 127.0.0.1:8080:8080 -v productid-data:/data -v productid-state:/state productid serve --behind-proxy --base-url https://tap.example.com

FROM golang:1.26-bookworm AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY cmd cmd
COPY host host
COPY pkg pkg
ARG VERSION=unknown
RUN CGO_ENABLED=0 go build -trimpath -ldflags "-s -w -X main.version=${VERSION}" -o /productid ./cmd/productid
RUN mkdir -m 0700 /data /state

FROM scratch
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
COPY --from=build /productid /productid
COPY --from=build --chown=65532:65532 /data /data
COPY --from=build --chown=65532:65532 /state /state
USER 65532:65532
# What remembers the ledger's newest state is a volume of its own: a backup of the data, put back, must not take the memory back too.
ENV PRODUCTID_DATA=/data XDG_STATE_HOME=/state PRODUCTID_LISTEN=:8080
VOLUME ["/data", "/state"]
EXPOSE 8080
STOPSIGNAL SIGTERM
ENTRYPOINT ["/productid"]
CMD ["serve"]
