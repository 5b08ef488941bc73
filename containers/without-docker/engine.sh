#!/usr/bin/env bash
# Run a command beside podman's service, in the namespaces of check.sh; all processes end with these namespaces.
# usage: engine.sh COMMAND [ARGUMENT …]
set -euo pipefail
state=$LAB_ENGINE_STATE
# crun would take this empty hierarchy for control groups of version 2, which it cannot use here.
umount /sys/fs/cgroup/unified 2>/dev/null || true
ip link set lo up
echo 1 >/proc/sys/net/ipv4/ip_forward
# With this file, look-ups of names that no container has fail at once, where a real name server would let them time out.
echo "nameserver 127.0.0.1" >"$state/resolv.conf"
mount --bind "$state/resolv.conf" "$(realpath /etc/resolv.conf)"
# An empty run folder, as after a start of the machine, tells podman that all containers of an earlier run have ended.
mkdir -p "$state/run"
mount -t tmpfs tmpfs "$state/run"
# Podman's name server leaves its process id in the machine's run folder. After a run that was cut off, that id would belong
# to another process of this run, and podman would send SIGHUP to it.
mkdir -p /run/containers
mount -t tmpfs tmpfs /run/containers
podman rm --all --force --time 0 >/dev/null
podman volume prune --force >/dev/null
podman network prune --force >/dev/null

# The service leaves a file `oom` in its folder when a container had too little memory.
(cd "$state/run" && exec podman system service --time 0 "unix://$state/run/podman.sock") >"$state/service.log" 2>&1 &
export DOCKER_HOST=unix://$state/run/podman.sock
for _ in $(seq 100); do [ -S "$state/run/podman.sock" ] && break; sleep 0.1; done
# Podman leaves the health checks to systemd, so this loop runs them: every second until the first success, then every ten.
for ((round = 0; ; round++)); do
    sleep 1
    ((round % 10)) && which=(--filter health=starting) || which=()
    for container in $(podman ps --quiet "${which[@]}"); do podman healthcheck run "$container" || true; done
    # A container that has ended counts as ended after its clean-up, which does not always come by itself.
    for container in $(podman ps --all --quiet --filter status=exited); do podman container cleanup "$container" || true; done
done >/dev/null 2>&1 &
"$@"
