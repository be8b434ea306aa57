#!/usr/bin/env bash
# Boots Debian's kernel directly to the busybox shell on the serial line, looks around, and switches off.
# Usage: boot_linux.sh ENGINE FLAVOUR
. "$(dirname "$0")/common.sh"
engine=$1 flavour=$2
boot "$engine" "$flavour"

ask "uname -sm"
[ "$answer" = "Linux i686" ] || fail "uname says: $answer"
ask "ls /"
for folder in bin dev etc proc sys; do
  grep -qw "$folder" <<<"$answer" || fail "no /$folder in: $answer"
done
ask "grep -c ^processor /proc/cpuinfo"
[ "$answer" = 1 ] || fail "processors: $answer"
# Instruction sets that the guest is offered where the host has them.
features='grep -m 1 ^flags /proc/cpuinfo | grep -owE "aes|pclmulqdq|sha_ni" | sort | xargs'
ask "$features"
[ "$answer" = "$(eval "$features")" ] || fail "the processor has: $answer"
ask "dmesg | grep -ciE 'oops|call trace|kernel panic|unchecked MSR'"
[ "$answer" = 0 ] || fail "the kernel complained $answer times"
send "poweroff -f"
ends_with 0
grep -q "\"engine\": \"$engine\"" "$work/stats" || fail "no statistics"
