#!/bin/sh
# Bring a backup of containers/backup.sh into an empty lab: a fresh clone of the version that made it, with images, and
# with nothing started. Then: docker compose up -d --wait. usage: sh containers/restore.sh FILE
set -eu
umask 077
case ${1:?usage: sh containers/restore.sh FILE} in /*) file=$1 ;; *) file=$PWD/$1 ;; esac
cd "$(dirname "$0")/.."

fail() {
    echo "restore: $1" >&2
    exit 1
}

work=$(mktemp -d "$(dirname "$file")/.restore.XXXXXX")
trap 'rm -rf "$work"' EXIT
trap 'exit 1' INT TERM HUP
tar -C "$work" -xf "$file" || fail "$file is no backup"
if [ -f "$work/env" ] && [ ! -e .env ]; then env_file=$work/env; fi
. containers/folders.sh
(cd "$work" && $hashes --quiet --check SHA256SUMS) || fail "$file is damaged; nothing has changed"

# usage: same_or_new FOLDER TAR
same_or_new() {
    [ -z "$(ls -A "$1" 2>/dev/null)" ] || tar -C "$1" --compare -f "$2" >/dev/null 2>&1
}
[ -z "$($compose ps --all --quiet)" ] || fail "this lab has containers: restore into a clone of its own, or give it another COMPOSE_PROJECT_NAME"
same_or_new "$secrets" "$work/secrets.tar" || fail "$secrets has other secrets: move them away, or set LAB_SECRETS"
for each in "$data"/*/finetune.csv; do
    if [ -e "$each" ]; then fail "$data has corrections: move them away, or set LAB_DATA"; fi
done
[ "$env_file" = .env ] || cp "$env_file" .env
mkdir -p "$secrets" "$data"
tar -C "$secrets" -xpf "$work/secrets.tar"

$compose up --detach --wait postgres
for database in $databases; do
    tables="SELECT count(*) FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'r'"
    found=$($compose exec -T postgres psql --username=lab --dbname="$database" --tuples-only --no-align --command="$tables")
    [ "$found" = 0 ] || fail "the database $database has tables already: its volume is of another lab, or of a restore that was cut off (docs/backup.md)"
done
for database in $databases; do
    echo "restoring the database $database"
    $compose exec -T postgres pg_restore --username=lab --dbname="$database" --exit-on-error --single-transaction <"$work/$database.dump"
done
# usage: fill SERVICE NAME FOLDER
fill() {
    echo "restoring $2"
    $compose run --rm --no-deps -T --entrypoint tar "$1" -C "$3" -xf - <"$work/$2.tar"
}
fill mlflow artifacts /artifacts
fill monitor exported /lab/exported
fill keys keys /lab/.lab/keys
fill api served /lab/.lab
tar -C "$data" -xf "$work/data.tar"
echo "the backup is restored (commit $(cat "$work/commit")): docker compose up -d --wait"
