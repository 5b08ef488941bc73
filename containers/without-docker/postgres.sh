#!/usr/bin/env bash
# Do the same as the official image of PostgreSQL at its start: create the database, run the scripts of the folder, serve.
set -euo pipefail
PATH=$(echo /usr/lib/postgresql/*/bin):$PATH
export PGDATA=/var/lib/postgresql/data
POSTGRES_PASSWORD=$(cat "$POSTGRES_PASSWORD_FILE")
[ -n "$POSTGRES_PASSWORD" ] || { echo "$POSTGRES_PASSWORD_FILE is empty" >&2; exit 1; }
if [ ! -s "$PGDATA/PG_VERSION" ]; then
    initdb --username="$POSTGRES_USER" --pwfile=<(echo "$POSTGRES_PASSWORD") --auth-local=trust --auth-host=scram-sha-256 --encoding=UTF8
    echo "host all all all scram-sha-256" >>"$PGDATA/pg_hba.conf"
    pg_ctl start --wait --options="-c listen_addresses=''"
    createdb --username="$POSTGRES_USER" "$POSTGRES_DB"
    for script in /docker-entrypoint-initdb.d/*.sh; do bash "$script"; done
    pg_ctl stop --wait
fi
exec postgres -c "listen_addresses=*"
