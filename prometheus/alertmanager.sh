#!/bin/sh
# Starts Alertmanager with prometheus/alertmanager.yml and the webhook that ALERT_WEBHOOK_URL names; where it is not set,
# with none. The address often holds a secret. Alertmanager from 0.26 on could read it from a file; Debian 12 has 0.25.
#
#   prometheus/alertmanager.sh [--flag=value …]      flags are handed on to Alertmanager
#
# The whole configuration goes to a folder that only its user can read, below TMPDIR.
set -eu

config="$(mktemp -d)/alertmanager.yml"
template="$(dirname "$0")/alertmanager.yml"
case "${ALERT_WEBHOOK_URL:-}" in
"")
    sed '/^ *webhook_configs:/,$d' "$template" >"$config"
    ;;
*"'"* | *[[:space:]]*)
    echo "ALERT_WEBHOOK_URL must have no quotes and no spaces" >&2
    exit 1
    ;;
http://?* | https://?*)
    # What sed would take for something else than itself.
    url=$(printf '%s' "$ALERT_WEBHOOK_URL" | sed 's/[&|\\]/\\&/g')
    sed "s|http://webhook\.invalid/|$url|" "$template" >"$config"
    ;;
*)
    echo "ALERT_WEBHOOK_URL must begin with http:// or https://" >&2
    exit 1
    ;;
esac

program=$(command -v alertmanager || command -v prometheus-alertmanager) || {
    echo "Alertmanager is not installed (Debian: apt-get install prometheus-alertmanager)" >&2
    exit 1
}
# It is alone: there are no peers to listen for.
exec "$program" --config.file="$config" --cluster.listen-address= "$@"
