#!/bin/sh
# Renew the certificate of the profile `tls`: the three hooks of certbot (docs/backup.md).
# usage: sh containers/certificate.sh before | take | after; `take` reads the folder of certbot in RENEWED_LINEAGE.
set -eu
cd "$(dirname "$0")/.."
. containers/folders.sh

started() {
    $compose --profile tls ps --all --services | grep -qx tls
}

case ${1:-} in
before)
    # Certbot answers its authority on port 80, where `tls` listens. Before the first start nothing does.
    if started; then $compose --profile tls stop tls; fi
    ;;
take)
    umask 077
    cat "$RENEWED_LINEAGE/fullchain.pem" "$RENEWED_LINEAGE/privkey.pem" >"$secrets/.tls.pem.new"
    chmod 444 "$secrets/.tls.pem.new"
    mv "$secrets/.tls.pem.new" "$secrets/tls.pem"
    ;;
after)
    # A start mounts the file anew; a program that goes on would see the old one.
    if started; then $compose --profile tls restart tls; fi
    ;;
*)
    echo "usage: sh containers/certificate.sh before | take | after" >&2
    exit 2
    ;;
esac
