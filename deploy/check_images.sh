#!/usr/bin/env bash
# Builds the images of deploy/Dockerfile without Docker, as far as that goes: `make check-images`, on Debian, as root.
#
# buildah cannot fetch python:3.13-slim where there is no registry. So a small Debian with its own Python (mmdebstrap)
# takes its place, and images FROM scratch with a file in place of Lean that of Lean. Every other instruction is carried
# out as it stands. Then the image is run, in a chroot; and after a change of the code the layer of Lean is looked at.
#
# IMAGES_STORE names the folder for what is built (.images). BUILDAH_FLAGS are further flags for `buildah build`, such
# as -v /etc/pip.conf:/etc/pip.conf:ro.

set -euo pipefail
cd "$(dirname "$0")/.."
store=$(realpath -m "${IMAGES_STORE:-.images}")
mkdir -p "$store"
say() { printf 'check-images: %s\n' "$*" >&2; }
fail() { say "$*"; exit 1; }

for tool in buildah mmdebstrap; do
    command -v "$tool" > /dev/null || { say "$tool is missing: apt-get install buildah mmdebstrap"; exit 2; }
done

container=
scratch=$(mktemp -d)
b() { buildah --storage-driver vfs --root "$store/root" --runroot "$store/run" "$@"; }
clean_up() {
    [ -z "$container" ] || b rm "$container" > /dev/null
    rm -rf "$scratch"
}
trap clean_up EXIT

python=localhost/python-stand-in:bookworm
lean=localhost/lean-stand-in:latest
if ! b inspect --type image "$python" > /dev/null 2>&1; then
    say "making a small Debian"
    mmdebstrap --quiet --variant=minbase --include=ca-certificates,python3,python3-venv bookworm "$store/debian.tar"
    container=$(b from scratch)
    b add --quiet "$container" "$store/debian.tar" / > /dev/null
    b config --env PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin "$container"
    b commit --quiet "$container" "$python" > /dev/null
    b rm "$container" > /dev/null
    container=
    rm "$store/debian.tar"
fi
mkdir -p "$scratch/lean/usr/local/lean"
echo '{}' > "$scratch/lean/usr/local/lean/install.json"
printf 'FROM scratch\nCOPY . /\n' | b bud --quiet --timestamp 0 -t "$lean" -f - "$scratch/lean" > /dev/null

# build CONTEXT TARGET NAME: what it has built before is taken from its cache, as Docker does.
build() {
    # shellcheck disable=SC2086 - flags are words
    b bud --isolation chroot --pull-never --layers --build-arg PYTHON_IMAGE="$python" --build-arg CORE_LEAN="$lean" \
        ${BUILDAH_FLAGS:-} -f "$1/deploy/Dockerfile" --target "$2" -t "$3" "$1" > "$scratch/log" 2>&1 ||
        { cat "$scratch/log" >&2; fail "the target $2 does not build"; }
}
layers() { b inspect --type image --format '{{range .OCIv1.RootFS.DiffIDs}}{{println .}}{{end}}' "$1"; }

say "building the target stand-in"
build . stand-in localhost/streamverify:stand-in
container=$(b from --pull-never localhost/streamverify:stand-in)
version=$(b run --isolation chroot "$container" -- streamverify --version)
[ "$version" = "streamverify $(sed -n 's/^__version__ = "\(.*\)"/\1/p' streamverify/version.py)" ] || fail "it says $version"
[ "$(b run --isolation chroot "$container" -- id -u)" = 10001 ] || fail "it does not run as user 10001"
! b run --isolation chroot "$container" -- sh -c 'touch "$(command -v streamverify)"' 2> /dev/null || fail "its user can change it"
b run --isolation chroot "$container" -- sh -c 'touch "$HOME/.local/state/x"' || fail "its user cannot write what it remembers"
for command in worker gateway router table "topics create"; do
    # shellcheck disable=SC2086 - a command of two words
    b run --isolation chroot "$container" -- streamverify $command --help > /dev/null || fail "no $command in it"
done

say "building the target core, and again after a change of the code"
build . core localhost/streamverify:core
layers localhost/streamverify:core > "$scratch/before"
mkdir "$scratch/changed"
git ls-files -z setup_lean.sh pyproject.toml README.md LICENSE streamverify deploy .dockerignore |
    xargs -0 cp --parents -p -t "$scratch/changed"
echo '# a change' >> "$scratch/changed/streamverify/version.py"
build "$scratch/changed" core localhost/streamverify:changed
layers localhost/streamverify:changed > "$scratch/after"
changed=$(diff "$scratch/before" "$scratch/after" | grep -c '^>' || true)
total=$(grep -c . "$scratch/after")
[ "$changed" -eq 1 ] || fail "$changed of $total layers are others after a change of the code; one should be"
[ "$(sed '/^$/d' "$scratch/before" | head -n -1)" = "$(sed '/^$/d' "$scratch/after" | head -n -1)" ] ||
    fail "another layer than the last one has changed"
say "it runs as it should; a change of the code changes the last of $total layers of core and no other"
