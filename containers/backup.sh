#!/bin/sh
# Save the lab in containers into one file while it runs: databases, artefacts, exported days, the api's copies, data/,
# secrets, named keys and .env. docs/backup.md says what is not in it. usage: sh containers/backup.sh [FILE]
set -eu
umask 077 # people's data and the lab's secrets are in the file
file=${1:-}
case $file in /* | "") ;; *) file=$PWD/$file ;; esac
cd "$(dirname "$0")/.."
. containers/folders.sh
file=${file:-$PWD/backups/containers-$(date -u +%Y%m%dT%H%M%SZ).tar}
mkdir -p "$(dirname "$file")"
work=$(mktemp -d "$(dirname "$file")/.backup.XXXXXX")
stopped=
finish() {
    rm -rf "$work" "$work.part"
    # shellcheck disable=SC2086 # names of services
    [ -z "$stopped" ] || $compose --profile "*" start $stopped
}
trap finish EXIT
trap 'exit 1' INT TERM HUP

# Without the workers no version and no row of finetune.csv appears meanwhile; corrections wait for them in the store.
stopped=$($compose --profile "*" ps --services --status running | grep '^finetune' || true)
# shellcheck disable=SC2086 # names of services
[ -z "$stopped" ] || $compose --profile "*" stop $stopped

# usage: save SERVICE NAME FOLDER [OPTION]; 1 is tar's code for a file that has changed or gone meanwhile
save() {
    echo "saving $2"
    service=$1 name=$2 folder=$3
    shift 3
    $compose exec -T "$service" tar -C "$folder" "$@" -cf - . >"$work/$name.tar" || [ $? = 1 ]
}
# The spool comes before the store: messages that go into the store meanwhile are then in both, and count once.
save api served /lab/.lab --exclude=./keys
for database in $databases; do
    echo "saving the database $database"
    $compose exec -T postgres pg_dump --username=lab --format=custom "$database" >"$work/$database.dump"
done
save mlflow artifacts /artifacts
save monitor exported /lab/exported
save api keys /lab/.lab/keys
tar -C "$data" -cf "$work/data.tar" .
tar -C "$secrets" -cf "$work/secrets.tar" .
if [ -f .env ]; then cp .env "$work/env"; fi
(git rev-parse HEAD 2>/dev/null || echo unknown) >"$work/commit"
(cd "$work" && $hashes -- * >SHA256SUMS)
tar -C "$work" -cf "$work.part" .
mv "$work.part" "$file"
echo "saved the lab into $file ($(du -h "$file" | cut -f 1)): copy it to another machine"
