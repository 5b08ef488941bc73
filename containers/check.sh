#!/usr/bin/env bash
# Build the images, start the whole stack with docker compose, and run tests/containers on it. `make containers` calls this.
# Without a Docker engine, podman takes its place (root on Debian only).
set -euo pipefail
cd "$(dirname "$0")/.."

if docker info >/dev/null 2>&1; then
    docker compose --profile '*' build --quiet
    LAB_COMPOSE="docker compose" LAB_ENGINE=docker exec pytest tests/containers "$@"
elif [ "$(id -u)" = 0 ] && [ -e /etc/debian_version ]; then
    exec bash containers/without-docker/check.sh "$@"
fi
echo "make containers: start Docker first (or be root on Debian, where podman and stand-ins take its place)" >&2
exit 1
