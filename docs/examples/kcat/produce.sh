#!/bin/sh
# Puts Lean files on lean.proofs with kcat and jq:  ./produce.sh SERVERS FILE...
#
# kcat sends all records of one key to one partition, so a header that most proofs have keeps one worker busy. For much
# of that kind give TOPIC=lean.proofs.ingest, where `streamverify router` spreads them.
set -eu
. "$(dirname "$0")/key.sh"
servers=$1
shift
for file; do
    # One record a line, as key, tab, value: in JSON neither a tab nor a line feed stands for itself.
    printf '%s\t' "$(key_of "$file")"
    jq -c -n --arg id "$file" --rawfile proof "$file" '{custom_id: $id, proof: $proof}'
done | kcat -P -b "$servers" -t "${TOPIC:-lean.proofs}" -K '\t' -X acks=all -X enable.idempotence=true
