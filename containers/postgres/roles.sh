#!/bin/bash
# Give each service a role, a password and rights of its own; none of them is a superuser. PostgreSQL's image runs this
# once, when the volume is new. It may run again: after new passwords, and on a volume of an older version of the lab
# (docs/containers.md): docker compose exec postgres bash /docker-entrypoint-initdb.d/roles.sh
set -euo pipefail

in_database() {
    psql --username="$POSTGRES_USER" --dbname="$1" --set=ON_ERROR_STOP=1 --quiet --no-psqlrc "${@:2}" >/dev/null
}

# usage: role NAME SECRET
role() {
    in_database lab --set=name="$1" --set=password="$(cat "/run/secrets/$2")" <<'SQL'
SELECT format('CREATE ROLE %I', :'name') WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = :'name') \gexec
ALTER ROLE :"name" LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION PASSWORD :'password';
SQL
}

# Only the owner, and whoever gets the right below, can connect. What an older version made gets the owner, too.
# usage: database NAME OWNER
database() {
    in_database lab --set=name="$1" --set=owner="$2" <<'SQL'
SELECT format('CREATE DATABASE %I', :'name') WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = :'name') \gexec
ALTER DATABASE :"name" OWNER TO :"owner";
REVOKE ALL ON DATABASE :"name" FROM PUBLIC;
SQL
    in_database "$1" --set=owner="$2" <<'SQL'
ALTER SCHEMA public OWNER TO :"owner";
SELECT format('ALTER %s %s OWNER TO %I', CASE relkind WHEN 'v' THEN 'VIEW' WHEN 'm' THEN 'MATERIALIZED VIEW' WHEN 'S' THEN 'SEQUENCE' ELSE 'TABLE' END, oid::regclass, :'owner')
FROM pg_class
WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p', 'v', 'm', 'S')
    AND NOT EXISTS (SELECT FROM pg_depend WHERE objid = pg_class.oid AND deptype IN ('a', 'i', 'e')) \gexec
SELECT format('ALTER TYPE %s OWNER TO %I', oid::regtype, :'owner')
FROM pg_type WHERE typnamespace = 'public'::regnamespace AND typtype IN ('e', 'd') \gexec
SELECT format('ALTER ROUTINE %s OWNER TO %I', oid::regprocedure, :'owner')
FROM pg_proc
WHERE pronamespace = 'public'::regnamespace AND NOT EXISTS (SELECT FROM pg_depend WHERE objid = pg_proc.oid AND deptype = 'e') \gexec
SQL
}

for each in owner api worker monitor; do role "lab_$each" "postgres_$each"; done
role mlflow postgres_mlflow
role prefect postgres_prefect
database lab lab_owner
database mlflow mlflow
database prefect prefect

# The owner makes the tables, and gives each service its rights on them, in the service `migrate`: common/store/grants.py
# has the list. An older version gave all rights on each new table.
in_database lab <<'SQL'
GRANT CONNECT ON DATABASE lab TO lab_api, lab_worker, lab_monitor;
GRANT USAGE ON SCHEMA public TO lab_api, lab_worker, lab_monitor;
ALTER DEFAULT PRIVILEGES FOR ROLE lab_owner IN SCHEMA public REVOKE ALL ON TABLES FROM lab_api, lab_worker, lab_monitor;
ALTER DEFAULT PRIVILEGES FOR ROLE lab_owner IN SCHEMA public REVOKE ALL ON SEQUENCES FROM lab_api, lab_worker, lab_monitor;
SQL
