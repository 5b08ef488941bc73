#!/bin/sh
# Run a program with each file of /run/secrets whose name is that of a variable, such as API_KEY, as this variable.
# So neither `docker inspect` nor docker-compose.yaml shows a secret. usage: sh with_secrets.sh PROGRAM [ARGUMENT …]
set -eu
for file in /run/secrets/*; do
    case ${file##*/} in
    *[!A-Z0-9_]*) continue ;;
    esac
    if [ -f "$file" ]; then
        value=$(cat "$file") || { echo "with_secrets: $file cannot be read: run containers/make_secrets.sh" >&2; exit 1; }
        # An empty file is a secret that nobody has set.
        [ -z "$value" ] || export "${file##*/}=$value"
    fi
done
exec "$@"
