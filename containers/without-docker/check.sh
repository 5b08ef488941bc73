#!/usr/bin/env bash
# The same check as ../check.sh, without a Docker engine and without a registry. podman builds the images from a base image
# of Debian and this machine's Python. The real docker compose runs on podman's socket, in namespaces that end with it.
# The images stay in a folder of the user's cache, so that the second check builds them within seconds.
set -euo pipefail
cd "$(dirname "$0")/../.."
here=containers/without-docker
state=${XDG_CACHE_HOME:-$HOME/.cache}/closed-loop-lab/containers
mkdir -p "$state"
exec 9>"$state/lock"
flock 9

PACKAGES=(podman buildah crun conmon uidmap catatonit netavark aardvark-dns iptables iproute2 mmdebstrap)
if ! dpkg --status "${PACKAGES[@]}" >/dev/null 2>&1; then
    apt-get update -q
    DEBIAN_FRONTEND=noninteractive apt-get install -qy --no-install-recommends "${PACKAGES[@]}"
fi >"$state/apt.log"

cat >"$state/storage.conf" <<X1
[storage]
driver = "overlay"
graphroot = "$state/storage"
runroot = "$state/run"
X1
cat >"$state/containers.conf" <<X1
[containers]
cgroups = "enabled"
default_ulimits = ["nofile=4096:4096", "nproc=4096:4096"]
[engine]
cgroup_manager = "cgroupfs"
compat_api_enforce_docker_hub = false
events_logger = "file"
runtime = "crun"
tmp_dir = "$state/run/engine"
[network]
network_backend = "netavark"
network_config_dir = "$state/networks"
X1
export CONTAINERS_STORAGE_CONF=$state/storage.conf CONTAINERS_CONF=$state/containers.conf
export BUILDAH_ISOLATION=chroot BUILDAH_FORMAT=docker LAB_ENGINE_STATE=$state

base=closed-loop-lab/base:$(sha256sum $here/base.sh | cut -c1-12)
if ! podman image exists "localhost/$base"; then
    echo "making a base image …"
    bash $here/base.sh "$state/base.tar"
    podman import --quiet --change 'ENV PATH=/usr/local/bin:/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin' \
        --change 'CMD ["python3"]' "$state/base.tar" "localhost/$base" >/dev/null
    rm "$state/base.tar"
fi

echo "building images …"
build() {
    sed "s|^FROM python:[^ ]*|FROM localhost/$base|" "$2" |
        podman build --quiet --network host --pull=never --tag "docker.io/closed-loop-lab/$1" --file - . >"$state/build-$1.log" 2>&1 ||
        { cat "$state/build-$1.log" >&2; return 1; }
}
# Two builds at a time: while one waits for the network or the disk, the other computes.
{ build finetune finetune/Dockerfile && build stand-ins $here/Dockerfile; } &
large=$!
{ build api api/Dockerfile && build monitor monitor/Dockerfile && build mlflow containers/mlflow/Dockerfile; } &
wait $!
wait $large

echo "starting the stack …"
export COMPOSE_FILE=docker-compose.yaml:tests/compose.stand-ins.yaml LAB_COMPOSE=docker-compose LAB_ENGINE=podman
exec unshare --mount --net --pid --fork --mount-proc --kill-child bash $here/engine.sh pytest tests/containers "$@"
