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

# Print what is being done, do it, and print how many packages there are after that and how long it took.
step() {
    printf '  %s … ' "$1"
    shift
    begun=$(date +%s)
    "$@"
    packages=$(find "$venv"/lib/python*/site-packages -maxdepth 1 -name '*.dist-info' | wc -l | tr -d ' ')
    echo "$packages packages, $(($(date +%s) - begun)) s"
}

# uv takes seconds where pip takes minutes, but does not read pip's configuration: behind a mirror that only pip
# knows, pip does the work.
installer=uv
options=
packages() {
    if [ $installer = uv ]; then
        VIRTUAL_ENV="$venv" "$venv/bin/uv" pip install --quiet $options --system-certs --require-hashes -r "$1" && return
        printf 'uv could not install; trying again with pip (slower) … ' >&2
        installer=pip
    fi
    "$venv/bin/pip" install --quiet --disable-pip-version-check --require-hashes -r "$1"
}

echo "Installing into $venv with $("$python" --version) (once; about a minute with a fast network)"
step "1 of 6: an empty environment" "$python" -m venv --clear "$venv"
step "2 of 6: uv, which installs the rest" "$venv/bin/pip" install --quiet --disable-pip-version-check --require-hashes -r requirements/install.txt
# The first three are parts of the last one, and come before it so that one sees how far it is.
step "3 of 6: for the api" packages api/requirements.txt
step "4 of 6: for training, and Prefect" packages finetune/requirements.txt
step "5 of 6: MLflow" packages containers/mlflow/requirements.txt
# Compiled now, because otherwise every process of the first demo would compile what it imports.
options=--compile-bytecode
step "6 of 6: DVC, the monitor and the tests; compile all" packages requirements/dev.txt
