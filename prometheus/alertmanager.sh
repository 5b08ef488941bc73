#!/bin/sh
# Start Alertmanager with prometheus/alertmanager.yml and the webhook in ALERT_WEBHOOK_URL, or without a webhook if the
# variable is not set. The address often holds a secret. Alertmanager can read it from a file since 0.26, but Debian 12
# has 0.25.
#
#   prometheus/alertmanager.sh [--flag=value …]      Alertmanager gets the flags
#
# The script writes the complete configuration into a folder below TMPDIR that only its user can read.
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
    # Escape the characters with a special meaning for sed.
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
# An empty address turns the cluster off: there is only one Alertmanager.
exec "$program" --config.file="$config" --cluster.listen-address= "$@"
