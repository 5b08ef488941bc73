#!/usr/bin/env bash
# Make a replacement for the official image of Python: Debian's smallest system with this machine's Python 3.12 in /usr/local.
# usage: base.sh OUT.tar
set -euo pipefail
out=$1
# pyenv keeps all versions in one folder, so a 3.12 may stand beside the Python in use.
beside=$(python -c 'import sys; print(sys.base_prefix)')/..
python=$(ls -d "$beside"/3.12.*/bin/python3.12 /usr/local/bin/python3.12 2>/dev/null | head -n 1 || true)
[ -n "$python" ] || { echo "base.sh: there is no Python 3.12 on this machine to make the image of" >&2; exit 1; }
prefix=$("$python" -c 'import sys; print(sys.base_prefix)')
. /etc/os-release
mirror=$(grep -rhoE 'https?://[^ ]+/debian/?( |$)' /etc/apt/sources.list /etc/apt/sources.list.d 2>/dev/null | head -n 1 | tr -d ' ' || true)
tree=$(mktemp -d)
trap 'rm -rf "$tree"' EXIT

mkdir -p "$tree/usr/local" "$tree/etc/ssl/certs"
(cd "$prefix" && tar --exclude=__pycache__ --exclude='libpython*.a' --exclude=./lib/python3.12/test --exclude=./share -c bin lib include) |
    tar -x -C "$tree/usr/local"
# The first line of programs such as pip holds the path of their interpreter.
grep -lI "^#!.*$prefix" "$tree"/usr/local/bin/* | xargs -r sed -i "1s|$prefix|/usr/local|"
ln -sf python3.12 "$tree/usr/local/bin/python3"
ln -sf python3.12 "$tree/usr/local/bin/python"
# The certificates that this machine trusts; Debian's may be fewer.
cp -L /etc/ssl/certs/ca-certificates.crt "$tree/etc/ssl/certs/"
printf '[global]\ncert = /etc/ssl/certs/ca-certificates.crt\ndisable-pip-version-check = true\nroot-user-action = ignore\n' >"$tree/etc/pip.conf"

mmdebstrap --quiet --variant=minbase --mode=root \
    --include=ca-certificates,libbz2-1.0,libexpat1,libffi8,libgomp1,liblzma5,libncursesw6,libreadline8,libsqlite3-0,libssl3,libuuid1,tzdata \
    --aptopt='APT::Install-Recommends "false"' --dpkgopt=force-unsafe-io \
    --dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/locale/*' \
    --customize-hook="cp -a '$tree/.' \"\$1/\" && chroot \"\$1\" ldconfig" \
    "$VERSION_CODENAME" "$out" "deb ${mirror:-http://deb.debian.org/debian} $VERSION_CODENAME main"
