#!/bin/sh
# Start MLflow, with log-ins unless MLFLOW_LOG_INS is "off".
set -eu
set -- mlflow server --host 0.0.0.0 --port 5000 --workers 1 --artifacts-destination /artifacts
if [ "${MLFLOW_LOG_INS:-on}" = off ]; then
    exec "$@"
fi
python /users.py
exec "$@" --app-name basic-auth
