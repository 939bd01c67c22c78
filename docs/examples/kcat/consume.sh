#!/bin/sh
# Reads verdicts from lean.results with kcat and jq:  ./consume.sh SERVERS COUNT
#
# Only `verified` is proved. `inconclusive` says nothing about the proof.
set -eu
kcat -C -q -u -b "$1" -t lean.results -o beginning -c "$2" |
    jq --unbuffered -r '"\(.custom_id) \(.status) \(.reason)"'
