#!/usr/bin/env bash
# Boots Linux while every other thread has something to do: a script that asks and looks at the screen, a debugger that
# comes, stops the guest, lets it go on and leaves, both serial lines, statistics, snapshots by signal. Then SIGTERM. It is
# there for the build with the thread sanitizer (docs/manual.md), whose reports are messages; so is anything else that is told.
# Usage: threads.sh ENGINE
. "$(dirname "$0")/common.sh"
need perl
more_lines="--serial unix:$work/line --gdb unix:$work/gdb --save $work/machine --count"

# Says something to a socket, waits until TIMES answers have come, and hangs up: talk SOCKET TEXT ANSWER TIMES
talk() {
  perl -MIO::Socket::UNIX -e '
    my ($path, $text, $answer, $times) = @ARGV;
    my $socket = IO::Socket::UNIX->new(Peer => $path) or exit 1;
    print $socket $text;
    $socket->flush;
    my $all = "";
    while (scalar(() = $all =~ /\Q$answer\E/g) < $times) { sysread $socket, $all, 4096, length $all or exit 1 }' "$@" &&
    echo "$(basename "$1")" >>"$work/talked"
  sleep 0.1
}

packets() {  # PAYLOAD...: as a debugger sends them
  perl -e 'printf "\$%s#%02x", $_, unpack "%8C*", $_ for @ARGV' -- "$@"
}

others=
with_others() {
  local debugger
  # Where it stands, registers, memory, a breakpoint that is never met; then it lets the guest go on.
  debugger=+$(packets "?" g m1000,40 Z0,fff0,1 z0,fff0,1 D)
  while :; do talk "$work/control" "stats
times
screenshot $work/now.png
key shift
mouse 1 1
" ok 5; done &
  others="$others $!"
  while :; do talk "$work/gdb" "$debugger" '$OK#9a' 3; done &
  others="$others $!"
  while :; do talk "$work/line" "typed ahead" "" 0; done &
  others="$others $!"
  while sleep 2; do kill -USR1 "$vellum_pid"; done 2>/dev/null &
  others="$others $!"
}
trap 'kill $others 2>/dev/null; clean_up' EXIT

need_guest 686
start --engine "$1" --kernel "$kernel" --initrd "$initrd" --append console=ttyS0 --display none
with_others
expect "/ # "
send "echo \$((40+2)) processes; cat /proc/interrupts >/dev/ttyS1"
expect "42 processes"
for who in control gdb line; do grep -q "^$who$" "$work/talked" || fail "$who has not been talked to"; done
kill -TERM "$vellum_pid"
ends_with 143
[ -s "$work/messages" ] && fail "something was told"
[ -s "$work/machine" ] || fail "nothing was saved"
exit 0
