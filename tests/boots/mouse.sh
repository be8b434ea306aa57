#!/usr/bin/env bash
# Motion and buttons reach /dev/input/mice, and keys the console. Usage: mouse.sh ENGINE
. "$(dirname "$0")/common.sh"
engine=$1
need perl
boot "$engine" 686

send "cat /dev/input/mice >/tmp/mice & sleep 1"
expect "/ # "
[ "$(control "mouse 5 -3")" = ok ] || fail "mouse"
[ "$(control "mouse 0 0 0 1")" = ok ] || fail "mouse with a button"
[ "$(control "mouse 0 0 0 0")" = ok ] || fail "mouse without a button"
# Three bytes for each event: buttons and signs, x, y upwards.
ask "sleep 2; hexdump -v -e '3/1 \"%02x\" \" \"' /tmp/mice"
case $answer in
  *"080503"*"09"*"08"*) ;;
  *) fail "bytes of the mouse: $answer" ;;
esac

[ "$(control 'type echo typed-$((6*7)) >/tmp/typed\n')" = ok ] || fail "type"
ask "sleep 3; cat /tmp/typed"
[ "$answer" = typed-42 ] || fail "typed on the console: $answer"
[ "$(control "screenshot $work/screen.png")" = ok ] || fail "screenshot"
[ -s "$work/screen.png" ] || fail "no screenshot"
[ "$(control powerdown)" = ok ] || fail "powerdown"
[ "$(control quit)" = ok ] || fail "quit"
ends_with 0
