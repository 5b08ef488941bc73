#!/bin/sh
# Create the virtual environment $1 and install the pinned requirements into it. usage: sh scripts/install.sh .venv
set -eu
venv=$1

in_range='import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))'
for python in ${PYTHON:-python3 python3.13 python3.12 python3.11}; do
    if "$python" -c "$in_range" 2>/dev/null; then
        break
    fi
    python=
done
if [ -z "$python" ]; then
    echo "install: no Python 3.11, 3.12 or 3.13 found; name one with PYTHON=/path/to/python make install" >&2
    exit 1
fi

echo "Installing into $venv with $("$python" --version) (once; about a minute with a fast network) …"
"$python" -m venv --clear "$venv"
"$venv/bin/pip" install --quiet --disable-pip-version-check --require-hashes -r requirements/install.txt
# Compiled now, because otherwise every process of the first demo would compile what it imports.
# uv takes seconds where pip takes minutes, but does not read pip's configuration: behind a mirror that only pip
# knows, pip does the work.
if ! VIRTUAL_ENV="$venv" "$venv/bin/uv" pip install --quiet --compile-bytecode --system-certs --require-hashes -r requirements/dev.txt; then
    echo "uv could not install; trying again with pip (slower) …" >&2
    "$venv/bin/pip" install --quiet --disable-pip-version-check --require-hashes -r requirements/dev.txt
fi
