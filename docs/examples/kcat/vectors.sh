#!/bin/sh
# Checks key.sh against the test vectors with plain headers:  ./vectors.sh FOLDER
set -eu
. "$(dirname "$0")/key.sh"
file=$(mktemp)
trap 'rm -f "$file"' EXIT
checked=0
for number in $(jq -r '.headers | to_entries[] | select(.value.plain) | .key' "$1/header.vectors.json"); do
    jq -j ".headers[$number].proof" "$1/header.vectors.json" > "$file"
    expected=$(jq -r ".headers[$number].key" "$1/header.vectors.json")
    found=$(key_of "$file")
    [ "$found" = "$expected" ] || { echo "vector $number: expected $expected, found $found" >&2; exit 1; }
    checked=$((checked + 1))
done
echo "$checked vectors hold"
