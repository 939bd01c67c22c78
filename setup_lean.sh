#!/usr/bin/env bash
# Installs what verifies proofs: a pinned Lean 4, the REPL, and a Lean project with Mathlib and its cache. See --help.
#
# Each step looks whether its work is done already, so the script can be run again at any time: to resume, to repair,
# to check. Its last act is `install.json`, from which `STREAMVERIFY_REPL=auto` starts the REPL; it is written only
# after a true theorem was accepted and a false one rejected.

set -euo pipefail

# The first Lean without a known bug of its kernel, and the REPL's newest tag that it builds.
readonly PINNED_LEAN=v4.34.1
readonly PINNED_REPL=v4.34.0
readonly ELAN_INIT=https://raw.githubusercontent.com/leanprover/elan/master/elan-init.sh
readonly REPL_SOURCE=https://github.com/leanprover-community/repl
readonly MATHLIB_SOURCE=https://github.com/leanprover-community/mathlib4
# What the tiers above `audited` need beside Lean (docs/tiers.md). nanoda has no release on crates.io: its commit.
readonly PINNED_OLEAN_EXPORT=0.4.0
readonly NANODA_SOURCE=https://github.com/ammkrn/nanoda_lib
readonly PINNED_NANODA=f58f2f6d535e189a40fcb02ede8eb95f97a92d37
readonly NETWORK_TROUBLE='resolve (host|proxy)|unable to access|failed to connect|connection (refused|reset)|network is unreachable|ssl connect|timed out'

usage() {
    cat << TEXT
Usage: ./setup_lean.sh [--core] [--tiers] [--dir DIR] [--lean VERSION] [--repl TAG] [--mathlib TAG]

Installs elan, Lean, the REPL (leanprover-community/repl) and a Lean project with Mathlib and its cache, and ends by
having a proof verified. Run it again to resume after an interruption; what is there is kept. Nothing outside DIR is
changed, but for Lean versions that an elan you already have installs, and Mathlib's download cache (~/.cache/mathlib).

  --core          no Mathlib: Lean's own library only (2 GB instead of 12)
  --tiers         also what \`replayed\` and \`cross_checked\` need beside Lean: olean-export $PINNED_OLEAN_EXPORT and the
                  kernel nanoda, built by Rust's cargo, which must be there
  --dir DIR       where to install; default: \$STREAMVERIFY_LEAN_HOME, else
                  \${XDG_DATA_HOME:-~/.local/share}/streamverify/lean, which is where streamverify looks
  --lean VERSION  the Lean to install; default: \$LEAN_VERSION, else $PINNED_LEAN
  --repl TAG      tag of the REPL; default: \$REPL_VERSION, else $PINNED_REPL for Lean $PINNED_LEAN; for another Lean
                  the tag named like it or its first release, and where there is none the REPL's newest source,
                  built with that Lean
  --mathlib TAG   tag of Mathlib; default: \$MATHLIB_VERSION, else the tag named like the Lean version
  --help          this text

Needs git, curl, tar and python3. Other versions of REPL and Mathlib in DIR are left alone: remove them by hand.
TEXT
}

# --- messages -------------------------------------------------------------------------------------------------------

step_name="start"
step_log=""
# What a step that fails may mean, where the network is not to blame.
if_it_fails=""

say() { printf 'setup_lean: %s\n' "$*"; }

die() {
    printf 'setup_lean: %s\n' "$*" >&2
    exit 1
}

begin() {
    step_name=$1
    if_it_fails=""
    say "$1 ..."
}

resume_hint() { say "Run the same command again to go on: what is done is kept." >&2; }

trap 'say "interrupted in the step \"$step_name\"." >&2; resume_hint; exit 130' INT TERM

# Runs a command of the current step with its output shown and kept, and ends the script where it fails.
must() {
    local status=0
    "$@" 2>&1 | tee "$step_log" || status=${PIPESTATUS[0]}
    [ "$status" -eq 0 ] && return
    say "the step \"$step_name\" failed: \`$*\` ended with status $status." >&2
    if grep -qiE "$NETWORK_TROUBLE" "$step_log"; then
        say "The network seems to be the cause: the machine must reach github.com and Mathlib's cache." >&2
    elif [ -n "$if_it_fails" ]; then
        say "$if_it_fails" >&2
        grep -m 3 -E '(^|[ :])error' "$step_log" | sed 's/^/setup_lean:   /' >&2 || true
    fi
    resume_hint
    exit 1
}

# --- arguments ------------------------------------------------------------------------------------------------------

core=
tiers=
dir=
lean=${LEAN_VERSION:-$PINNED_LEAN}
repl=${REPL_VERSION:-}
mathlib=${MATHLIB_VERSION:-}

wrong_usage() {
    printf 'setup_lean: %s\n\n' "$1" >&2
    usage >&2
    exit 2
}

while [ $# -gt 0 ]; do
    case $1 in
        --core) core=yes ;;
        --tiers) tiers=yes ;;
        --dir | --lean | --repl | --mathlib)
            [ $# -ge 2 ] && [ -n "$2" ] || wrong_usage "$1 needs a value"
            printf -v "${1#--}" '%s' "$2"
            shift
            ;;
        -h | --help)
            usage
            exit 0
            ;;
        *) wrong_usage "there is no option $1" ;;
    esac
    shift
done

where_streamverify_looks=${STREAMVERIFY_LEAN_HOME:-${XDG_DATA_HOME:-${HOME:-}/.local/share}/streamverify/lean}
[ -n "$dir" ] || dir=$where_streamverify_looks
lean=v${lean#v}
mathlib=${mathlib:-$lean}
[ -z "$core" ] || mathlib=
toolchain=leanprover/lean4:$lean

# --- steps ----------------------------------------------------------------------------------------------------------

check_tools() {
    local tool missing=()
    for tool in git curl tar python3; do
        command -v "$tool" > /dev/null || missing+=("$tool")
    done
    [ -z "$tiers" ] || command -v cargo > /dev/null || die "--tiers needs Rust's cargo (https://rustup.rs, or apt-get install cargo)"
    [ ${#missing[@]} -eq 0 ] || die "these tools are missing: ${missing[*]}. On Debian or Ubuntu: apt-get install ${missing[*]}"
}

prepare_folder() {
    mkdir -p "$dir" || die "cannot make the folder $dir: choose another with --dir"
    dir=$(cd "$dir" && pwd)
    step_log=$dir/last-step.log
    command -v flock > /dev/null || return 0
    exec 9> "$dir/.lock"
    flock -n 9 || die "another setup_lean.sh is at work in $dir"
}

# An elan that is there already is used, so that its Lean versions are shared; else one of our own, inside the folder.
install_elan() {
    local home
    for home in "${ELAN_HOME:-}" "${HOME:+$HOME/.elan}" "$dir/elan"; do
        if [ -n "$home" ] && [ -x "$home/bin/elan" ]; then
            export ELAN_HOME=$home PATH=$home/bin:$PATH
            return
        fi
    done
    command -v elan > /dev/null && return
    begin "install elan"
    must curl --proto '=https' --tlsv1.2 -sSfL --retry 3 -o "$dir/elan-init.sh.part" "$ELAN_INIT"
    mv "$dir/elan-init.sh.part" "$dir/elan-init.sh"
    export ELAN_HOME=$dir/elan PATH=$dir/elan/bin:$PATH
    must sh "$dir/elan-init.sh" -y --no-modify-path --default-toolchain none
    command -v elan > /dev/null || die "elan-init.sh ended well, but there is no $dir/elan/bin/elan"
}

install_lean() {
    # Over every lean-toolchain file: REPL and project must be of one Lean.
    export ELAN_TOOLCHAIN=$toolchain
    if ! elan toolchain list 2> /dev/null | grep -E "^$toolchain( |\$)" > /dev/null; then
        begin "install Lean $lean"
        must elan toolchain install "$toolchain"
    fi
    local says
    says=$(lean --version 2>&1) || die "Lean $lean is installed and does not run: $says"
    lean_version=$(sed -n 's/.*version \([^,) ]*\).*/\1/p' <<< "$says")
    [ "v$lean_version" = "$lean" ] || die "asked for Lean $lean, but \`lean --version\` says: $says"
}

# The REPL has a tag for each release of Lean, hardly ever one for a patch release, and none for a Lean that is newer.
choose_repl() {
    [ -z "$repl" ] || return 0
    if [ "$lean" = "$PINNED_LEAN" ]; then
        repl=$PINNED_REPL
        return
    fi
    begin "look for a REPL for Lean $lean"
    local tag status
    for tag in "$lean" "${lean%.*}.0"; do
        status=0
        git ls-remote --exit-code --tags "$REPL_SOURCE" "refs/tags/$tag" > "$step_log" 2>&1 || status=$?
        if [ "$status" -eq 0 ]; then
            repl=$tag
            return
        fi
        # 2: it answered that there is none.
        [ "$status" -eq 2 ] || must git ls-remote --exit-code --tags "$REPL_SOURCE" "refs/tags/$tag"
    done
    repl=newest-for-$lean
    say "the REPL has no tag for Lean $lean: its newest source is tried"
}

fetch_repl() {
    repl_source=$dir/repl-$repl
    if [ ! -d "$repl_source" ]; then
        begin "fetch the REPL $repl"
        rm -rf "$repl_source.part"
        local branch=()
        [ "$repl" = "newest-for-$lean" ] || branch=(--branch "$repl")
        must git clone --quiet --depth 1 "${branch[@]}" "$REPL_SOURCE" "$repl_source.part"
        mv "$repl_source.part" "$repl_source"
    fi
    # Whatever Lean its source asks for: one built by another Lean than the project's cannot read its modules.
    printf '%s\n' "$toolchain" > "$repl_source/lean-toolchain"
}

build_repl() {
    repl_exe=$repl_source/.lake/build/bin/repl
    local stamp=$repl_source/.built-with-$lean
    [ -x "$repl_exe" ] && [ -e "$stamp" ] && return
    begin "build the REPL $repl"
    if_it_fails="The REPL $repl does not compile with Lean $lean. Lean $PINNED_LEAN with the REPL $PINNED_REPL is known to work:
leave --lean and --repl out, or name with --repl a tag of $REPL_SOURCE that is made for Lean $lean. The first errors:"
    rm -f "$repl_source"/.built-with-*
    (cd "$repl_source" && must lake build repl) || exit
    [ -x "$repl_exe" ] || die "\`lake build repl\` ended well, but there is no $repl_exe"
    touch "$stamp"
}

make_project() {
    project=$dir/project-lean-$lean
    [ -z "$mathlib" ] || project=$project-mathlib-$mathlib
    mkdir -p "$project"
    [ -e "$project/.made" ] && return
    begin "make the Lean project"
    drop_half_cloned_packages
    printf '%s\n' "$toolchain" > "$project/lean-toolchain"
    {
        printf 'name = "proofs"\n'
        [ -z "$mathlib" ] || printf '\n[[require]]\nname = "mathlib"\ngit = "%s"\nrev = "%s"\n' "$MATHLIB_SOURCE" "$mathlib"
    } > "$project/lakefile.toml"
    # Mathlib would fetch its cache within this step, where a failure could not be told from one of git.
    (cd "$project" && must env MATHLIB_NO_CACHE_ON_UPDATE=1 lake update) || exit
    # Mathlib's own update hook writes the Lean that it is made for.
    local wanted
    wanted=$(< "$project/lean-toolchain")
    [ "$wanted" = "$toolchain" ] || die "Mathlib $mathlib is made for $wanted: use --lean ${wanted#*:}, or another --mathlib"
    touch "$project/.made"
}

# A clone that was killed leaves a folder that lake takes for a package.
drop_half_cloned_packages() {
    local package
    for package in "$project"/.lake/packages/*/; do
        [ -d "$package" ] || continue
        git --git-dir="$package.git" rev-parse --quiet --verify HEAD > /dev/null 2>&1 || rm -rf "$package"
    done
}

fetch_mathlib_cache() {
    [ -n "$mathlib" ] || return 0
    [ -e "$project/.cached" ] && return
    begin "fetch Mathlib's cache (several gigabytes)"
    (cd "$project" && must lake exe cache get) || exit
    touch "$project/.cached"
}

# Into a folder of their own, where streamverify looks for them: $dir/tiers/bin.
install_tiers() {
    [ -n "$tiers" ] || return 0
    local stamp=$dir/tiers/.made-$PINNED_OLEAN_EXPORT-$PINNED_NANODA
    [ -e "$stamp" ] && return
    begin "build olean-export and nanoda"
    if_it_fails="cargo cannot build them; a newer Rust may be needed: rustup update. The first errors:"
    must cargo install --quiet --locked --root "$dir/tiers" "olean-export@$PINNED_OLEAN_EXPORT"
    must cargo install --quiet --locked --root "$dir/tiers" --git "$NANODA_SOURCE" --rev "$PINNED_NANODA"
    local tool
    for tool in olean-export nanoda_bin; do
        [ -x "$dir/tiers/bin/$tool" ] || die "cargo ended well, but there is no $dir/tiers/bin/$tool"
    done
    touch "$stamp"
}

# `lake env` takes a second each time; what it sets is kept, so that the worker starts the REPL directly.
record() {
    python3 - "$dir/install.json.part" "$repl_exe" "$project" "$lean_version" "$repl" "$mathlib" << 'PYTHON'
import json
import os
import subprocess
import sys

target, repl, project, lean, repl_version, mathlib = sys.argv[1:]
# Without what describes another Lean, so that all of it is new below.
base = {name: value for name, value in os.environ.items() if not name.startswith(("ELAN_", "LEAN_", "LAKE"))}
elan = {name: value for name, value in os.environ.items() if name in ("ELAN_HOME", "ELAN_TOOLCHAIN")}
lake_env = subprocess.run(["lake", "env", "env", "-0"], cwd=project, env=base | elan, check=True, stdout=subprocess.PIPE)
variables = dict(line.split("=", 1) for line in os.fsdecode(lake_env.stdout).split("\0") if "=" in line)
# The REPL starts nothing, and the worker's PATH is its own.
no_part_of_it = {"_", "PATH", "PWD", "OLDPWD", "SHLVL"}
env = {name: value for name, value in variables.items() if base.get(name) != value and name not in no_part_of_it}
install = {
    "repl": repl,
    "project": project,
    "env": dict(sorted(env.items())),
    "lean_version": lean,
    "repl_version": repl_version,
    "mathlib_version": mathlib or None,
}
with open(target, "w", encoding="utf-8") as file:
    json.dump(install, file, indent=2, ensure_ascii=False)
    file.write("\n")
PYTHON
}

# As the worker does it: header first, then the bodies in its environment.
verify() {
    python3 - "$dir/install.json.part" << 'PYTHON'
import json
import os
import subprocess
import sys

TIMEOUT_S = 900
with open(sys.argv[1], encoding="utf-8") as file:
    install = json.load(file)
if install["mathlib_version"]:
    header = "import Mathlib"
    true = "theorem sum_comm (a b : ℝ) : a + b = b + a := by ring"
    false = "theorem wrong : (2 : ℝ) + 2 = 5 := by norm_num"
else:
    header = ""
    true = "theorem two : 1 + 1 = 2 := rfl"
    false = "theorem wrong : 1 + 1 = 3 := rfl"
commands = [{"cmd": header}, {"cmd": true, "env": 0}, {"cmd": false, "env": 0}]
session = "".join(json.dumps(command) + "\n\n" for command in commands)
environment = {name: value for name, value in os.environ.items() if not name.startswith(("ELAN_", "LEAN_", "LAKE"))}
try:
    run = subprocess.run(
        [install["repl"]], cwd=install["project"], env=environment | install["env"], timeout=TIMEOUT_S,
        input=session.encode(), stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )
    answers = [json.loads(block) for block in run.stdout.decode().split("\n\n") if block.strip()]
except (OSError, ValueError, subprocess.TimeoutExpired) as error:
    sys.exit(f"the REPL gave no answer: {error}")
errors = [[m["data"] for m in answer.get("messages", []) if m["severity"] == "error"] for answer in answers]
if len(answers) != 3 or any("env" not in answer for answer in answers):
    sys.exit(f"the REPL answered {run.stdout.decode()!r}, and on stderr {run.stderr.decode(errors='replace')[-2000:]!r}")
if errors[0] or errors[1]:
    sys.exit(f"Lean rejected a true theorem: {errors[0] + errors[1]}")
if not errors[2]:
    sys.exit("Lean accepted a false theorem")
print(f"setup_lean: verified: {true}")
print(f"setup_lean: rejected: {false}")
PYTHON
}

finish() {
    begin "verify a proof"
    rm -f "$dir/install.json.part"
    must record
    must verify
    mv "$dir/install.json.part" "$dir/install.json"
    rm -f "$step_log"
}

check_tools
prepare_folder
install_elan
install_lean
choose_repl
fetch_repl
build_repl
make_project
fetch_mathlib_cache
install_tiers
finish
say "Lean $lean_version, REPL $repl ${mathlib:+with Mathlib $mathlib }in $dir"
[ "$dir" = "$where_streamverify_looks" ] ||
    say "streamverify finds it with: export STREAMVERIFY_LEAN_HOME=$(printf %q "$dir")"
