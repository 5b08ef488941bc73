# For the scripts of this folder: where the data and the secrets are, from the environment or from .env as compose reads it.
# shellcheck shell=sh disable=SC2034
compose=${LAB_COMPOSE:-docker compose}
databases="lab mlflow prefect"
hashes=$(command -v sha256sum || echo shasum --algorithm 256)
env_file=${env_file:-.env}
# Print the value of a variable in the file, without quotes around it.
from_env() {
    [ -f "$env_file" ] || return 0
    sed -n "s/^$1=//p" "$env_file" | tail -n 1 | sed "s/^\"\(.*\)\"\$/\1/; s/^'\(.*\)'\$/\1/"
}
data=${LAB_DATA:-$(from_env LAB_DATA)}
data=${data:-data}
secrets=${LAB_SECRETS:-$(from_env LAB_SECRETS)}
secrets=${secrets:-containers/secrets}
