#!/bin/sh
# Install pinned requirements into /packages, a virtual environment without pip. usage: sh packages.sh UV REQUIREMENTS
set -eu
python -m venv /uv
/uv/bin/pip install --quiet --no-cache-dir --require-hashes -r "$1"
python -m venv --without-pip /packages
# uv takes seconds where pip takes minutes. But uv does not read pip's configuration, so pip tries again if uv fails: it may
# know a mirror that uv does not.
if ! /uv/bin/uv pip install --quiet --python /packages/bin/python --no-cache --compile-bytecode --system-certs --require-hashes -r "$2"; then
    echo "uv could not install; trying again with pip (slower) …" >&2
    /uv/bin/pip --python /packages/bin/python install --quiet --no-cache-dir --require-hashes -r "$2"
fi
