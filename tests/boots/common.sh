# Sourced by the boot tests: starts Vellum with a guest, talks to it over the serial line and the control socket.
# VELLUM names the program (default: the release build), guests are in guests/. Exit status 77: skipped.
set -u
PROJECT=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
VELLUM=${VELLUM:-$PROJECT/build/release/vellum}

skip() {
  echo "skipped: $*"
  exit 77
}

fail() {
  echo "FAILED: $*"
  echo "--- the end of the serial line:"
  tail -n 25 "$work/serial" 2>/dev/null
  echo "--- messages:"
  cat "$work/messages" 2>/dev/null
  exit 1
}

need_guest() {  # FLAVOUR
  kernel=$PROJECT/guests/linux/$1/vmlinuz
  initrd=$PROJECT/guests/linux/$1/initrd.gz
  [ -f "$kernel" ] && [ -f "$initrd" ] || skip "no guest in guests/linux/$1; scripts/get-guest $1 makes it"
}

need() {
  local tool
  for tool in "$@"; do command -v "$tool" >/dev/null || skip "$tool is not installed"; done
}

work=$(mktemp -d)
vellum_pid=
clean_up() {
  [ -n "$vellum_pid" ] && kill -KILL "$vellum_pid" 2>/dev/null
  rm -rf "$work"
}
trap clean_up EXIT
PATH=$PATH:/usr/sbin:/sbin
display=none
more_lines=  # options behind those of the first serial line
patience=270  # seconds that one wait may take; the test's own limit is ctest's

# start WORD...: runs Vellum with its first serial line at our hands.
start() {
  rm -f "$work/input" "$work/control"
  mkfifo "$work/input"
  : >"$work/serial"
  # In the background, and without the standard streams of the test, so that a stuck run cannot hold it.
  # shellcheck disable=SC2086
  "$VELLUM" run "$@" --serial stdio $more_lines --control "unix:$work/control" --stats "$work/stats" \
    <"$work/input" >"$work/serial" 2>"$work/messages" &
  vellum_pid=$!
  exec 3>"$work/input"
  seen=0
}

# expect TEXT: waits until TEXT comes over the line, after what was expected before.
expect() {
  local until=$((SECONDS + patience)) at
  while :; do
    at=$(tail -c +$((seen + 1)) "$work/serial" | grep -aboF -m 1 -- "$1" | head -n 1 | cut -d : -f 1)
    if [ -n "$at" ]; then
      seen=$((seen + at + ${#1}))
      return
    fi
    kill -0 "$vellum_pid" 2>/dev/null || fail "Vellum ended while waiting for: $1"
    [ $SECONDS -lt $until ] || fail "nothing for $patience s while waiting for: $1"
    sleep 0.2
  done
}

send() { printf '%s\n' "$1" >&3; }

# ask COMMAND: runs it in the guest's shell; its output is in $answer. The marks do not appear in the echo.
ask() {
  local from
  send "echo mark-\$((40+2))-begin; $1; echo mark-\$((40+2))-end"
  expect "mark-42-begin"
  from=$seen
  expect "mark-42-end"
  answer=$(tail -c +$((from + 1)) "$work/serial" | head -c $((seen - from - 11)) | tr -d '\r' | sed '/^$/d')
}

# control LINE: one command through the control socket, its answer on standard output.
control() {
  perl -MIO::Socket::UNIX -e '
    my $socket;
    for (1 .. 100) {
      $socket = IO::Socket::UNIX->new(Peer => $ARGV[0]) and last;
      select undef, undef, undef, 0.1;
    }
    $socket or die "no control socket\n";
    print $socket "$ARGV[1]\n";
    while (<$socket>) { print; last if /^(ok$|error)/ }' "$work/control" "$1"
}

# ends_with STATUS: waits for the end of the run.
ends_with() {
  local until=$((SECONDS + patience)) status
  while kill -0 "$vellum_pid" 2>/dev/null; do
    [ $SECONDS -lt $until ] || fail "Vellum does not end"
    sleep 0.1
  done
  wait "$vellum_pid"
  status=$?
  vellum_pid=
  exec 3>&-
  [ "$status" = "$1" ] || fail "exit status $status, expected $1"
}

# boot ENGINE FLAVOUR WORD...: the default guest to its shell on the serial line.
boot() {
  local engine=$1 flavour=$2
  shift 2
  need_guest "$flavour"
  start --engine "$engine" --kernel "$kernel" --initrd "$initrd" --append console=ttyS0 --display "$display" "$@"
  expect "/ # "
  send "stty -echo 2>/dev/null; dmesg -n 1"
  expect "/ # "
}
