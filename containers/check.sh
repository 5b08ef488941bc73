#!/usr/bin/env bash
# Build the images, start the whole stack from them with docker compose, and run tests/containers against it.
# `make containers` calls this. Where no Docker engine runs, podman takes its place, as root on Debian.
set -euo pipefail
cd "$(dirname "$0")/.."

if docker info >/dev/null 2>&1; then
    POSTGRES_PASSWORD=unused GRAFANA_ADMIN_PASSWORD=unused docker compose --profile '*' build --quiet
    LAB_COMPOSE="docker compose" LAB_ENGINE=docker exec pytest tests/containers "$@"
elif [ "$(id -u)" = 0 ] && [ -e /etc/debian_version ]; then
    exec bash containers/without-docker/check.sh "$@"
fi
echo "make containers: start Docker first (or be root on Debian, where podman and stand-ins take its place)" >&2
exit 1
