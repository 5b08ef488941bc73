#!/usr/bin/env bash
# Run a command beside podman's service, in the namespaces that check.sh makes: all that is started ends with them.
# usage: engine.sh COMMAND [ARGUMENT …]
set -euo pipefail
state=$LAB_ENGINE_STATE
# crun takes an empty second hierarchy for version 2 of control groups, which it cannot use here.
umount /sys/fs/cgroup/unified 2>/dev/null || true
ip link set lo up
echo 1 >/proc/sys/net/ipv4/ip_forward
# Names that no container has are refused at once rather than asked for where nobody can be reached.
echo "nameserver 127.0.0.1" >"$state/resolv.conf"
mount --bind "$state/resolv.conf" "$(realpath /etc/resolv.conf)"
# As after a start of the machine: what a run before this one left is known to be over, and goes.
mkdir -p "$state/run"
mount -t tmpfs tmpfs "$state/run"
podman rm --all --force --time 0 >/dev/null
podman volume prune --force >/dev/null
podman network prune --force >/dev/null

podman system service --time 0 "unix://$state/run/podman.sock" >"$state/service.log" 2>&1 &
export DOCKER_HOST=unix://$state/run/podman.sock
for _ in $(seq 100); do [ -S "$state/run/podman.sock" ] && break; sleep 0.1; done
# Podman leaves it to systemd to run the health checks. They are run often until the first success, then seldom.
for ((round = 0; ; round++)); do
    sleep 1
    ((round % 10)) && which=(--filter health=starting) || which=()
    for container in $(podman ps --quiet "${which[@]}"); do podman healthcheck run "$container" || true; done
done >/dev/null 2>&1 &
"$@"
