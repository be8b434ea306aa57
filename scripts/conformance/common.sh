# Sourced by the scripts beside it, which run suites that others wrote. They take the path of the user's own copy of a
# suite, leave the project's folders alone, and print one line of a table for each program and engine.
# VELLUM names the program (default: the release build), ENGINES the engines (default: "interp bt"). The exit status is 0
# when nothing failed.
set -eu
PROJECT=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
VELLUM=${VELLUM:-$PROJECT/build/release/vellum}
read -r -a engines <<<"${ENGINES:-interp bt}"
failures=0
vellum_pid=
work=$(mktemp -d)

clean_up() {
  [ -z "$vellum_pid" ] || kill -KILL "$vellum_pid" 2>/dev/null || true
  rm -rf "$work"
}
trap clean_up EXIT

stop_with() {
  echo "$(basename "$0"): $*" >&2
  exit 2
}

need() {
  local tool
  for tool in "$@"; do command -v "$tool" >/dev/null || stop_with "needs $tool, which is not installed"; done
  [ -x "$VELLUM" ] || stop_with "$VELLUM is not there: build it, or name another with VELLUM="
}

# suite_directory PATH FILE: fails unless FILE is in the user's copy of the suite.
suite_directory() {
  [ -n "$1" ] || stop_with "usage: $(basename "$0") DIRECTORY (your own copy of the suite)"
  [ -e "$1/$2" ] || stop_with "$1/$2 is not there: name the top folder of the suite"
  suite=$(cd "$1" && pwd)
}

# version: the commit of the suite's checkout, when it is one.
version() { git -C "$suite" log -1 --format='%h of %cs' 2>/dev/null || echo "no version control"; }

# row NAME ENGINE pass|skip|FAIL DETAIL
row() {
  printf '| %-14s | %-8s | %-4s | %s |\n' "$1" "$2" "$3" "$4"
  [ "$3" != FAIL ] || failures=$((failures + 1))
}

# run_to_end SECONDS OPTION...: runs the machine until it ends by itself; its exit status is in $status.
run_to_end() {
  local limit=$1
  shift
  status=0
  "$VELLUM" run --display none --time-limit "$limit" "$@" </dev/null >"$work/messages" 2>&1 || status=$?
}

# start OPTION...: runs the machine in the background, for those that only halt when they are done.
start() {
  "$VELLUM" run --display none "$@" </dev/null >"$work/messages" 2>&1 &
  vellum_pid=$!
}

running() { kill -0 "$vellum_pid" 2>/dev/null; }

stop() {
  kill -TERM "$vellum_pid" 2>/dev/null || true
  wait "$vellum_pid" || true
  vellum_pid=
}

finish() {
  echo "suite: $(version); failures: $failures"
  [ "$failures" -eq 0 ]
}
