# The key of a Lean file's record, for sh: `key_of FILE`. To be read with `.`.
#
# It reads plain headers: one `import` a line, blank lines and line comments between. Of others it may find less; the
# verdict is the same, a worker only has to import a header more often. All rules: schemas/partitioner.md.

canonical_header() {
    awk '
        { sub(/\r$/, "") }
        /^ *(--.*)?$/ { next }
        /^ *import +[^ ]+ *(--.*)?$/ { if (!seen[$2]++) print "import " $2; next }
        { exit }
    ' "$1"
}

# The first 16 bytes of SHA-256, as hexadecimal digits.
key_of() {
    canonical_header "$1" | sha256sum | cut -c 1-32
}
