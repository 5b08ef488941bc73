#!/bin/sh
# Make the secrets of the containers that are missing; those that are there stay as they are. Run it before the first
# `docker compose up`, and again whenever it says so. usage: sh containers/make_secrets.sh
#
# The folder is LAB_SECRETS, or containers/secrets. Its owner alone can open it. Its files can be read by everybody,
# because the programs in the containers run as other users; each container gets only the files that it needs.
set -eu
cd "$(dirname "$0")/.."

. containers/folders.sh
folder=$secrets
mkdir -p "$folder"
chmod 700 "$folder"

# Write a secret, unless there is one. Nobody sees half of it.
keep() {
    # Where a file was missing, the container engine may have made a folder of its name.
    if [ -d "$folder/$1" ]; then
        rmdir "$folder/$1"
    fi
    if [ ! -e "$folder/$1" ]; then
        printf '%s' "$2" >"$folder/.$1.new"
        chmod 444 "$folder/.$1.new"
        mv "$folder/.$1.new" "$folder/$1"
        echo "made $folder/$1${3:+ ($3)}"
    fi
}

random() {
    head -c 24 /dev/urandom | od -An -tx1 | tr -d ' \n'
}

# A version of the lab before had some of them in .env: they move from there.
take_over() {
    found=$(from_env "$2")
    if [ -z "$found" ]; then
        keep "$1" "$3" "${3:+random}"
    elif [ -f "$folder/$1" ] && [ "$found" != "$(cat "$folder/$1")" ]; then
        echo "note: the containers use $folder/$1, and not $2 in .env" >&2
    else
        keep "$1" "$found" "$2 in .env"
    fi
}

take_over postgres_superuser POSTGRES_PASSWORD "$(random)"
for role in owner api worker monitor mlflow prefect; do keep "postgres_$role" "$(random)" random; done
for user in admin api monitor training; do keep "mlflow_$user" "$(random)" random; done
keep mlflow_forms "$(random)" random
keep prefect_password "$(random)" random
keep prefect_log_in "lab:$(cat "$folder/prefect_password")"
take_over grafana_admin GRAFANA_ADMIN_PASSWORD "$(random)"
take_over signing_key SIGNING_KEY "$(random)"
# Empty: nobody needs a key, gets alerts, or exports days to a bucket, until somebody writes a value into the file.
take_over api_key API_KEY ""
take_over review_key REVIEW_KEY ""
take_over alert_webhook_url ALERT_WEBHOOK_URL ""
take_over aws_access_key_id AWS_ACCESS_KEY_ID ""
take_over aws_secret_access_key AWS_SECRET_ACCESS_KEY ""

# The certificate of the profile `tls`. Replace the file by one of your own: certificate, chain and key, one after the other.
if [ ! -f "$folder/tls.pem" ]; then
    if command -v openssl >/dev/null; then
        names=${TLS_NAMES:-$(from_env TLS_NAMES)}
        names=${names:-localhost}
        openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 825 -subj "/CN=${names%%,*}" \
            -addext "subjectAltName=$(echo "$names" | sed 's/[^,]*/DNS:&/g'),IP:127.0.0.1" \
            -keyout "$folder/.key.new" -out "$folder/.certificate.new" 2>/dev/null
        keep tls.pem "$(cat "$folder/.certificate.new" "$folder/.key.new")
" "for $names, 825 days"
        rm "$folder/.key.new" "$folder/.certificate.new"
    else
        echo "note: without openssl there is no $folder/tls.pem, which the profile tls needs" >&2
    fi
fi
