#!/usr/bin/env bash
# Both engines side by side over whole guests. scripts/lockstep runs the long ones.
# Usage: lockstep.sh start FLAVOUR           a boot's first 150 million instructions; snapshot, then each engine alone
#        lockstep.sh poweroff FLAVOUR OPTION...   tests/boots/unattended to its poweroff, then each engine alone
#        lockstep.sh typed FLAVOUR OPTION...      a shell on the screen, driven by keys
#        lockstep.sh snapshots FLAVOUR COUNT      snapshots of an unattended run, each continued to poweroff
#        lockstep.sh first COUNT OPTION...        the first COUNT million instructions of any guest
. "$(dirname "$0")/common.sh"
task=$1
shift
memory="-m ${VELLUM_MEMORY:-256}"

# Seconds that a run may take; busy machines are slow.
patience=${VELLUM_PATIENCE:-270}

counted() { start --clock instructions --count --display none "$@"; }

instructions() { control stats 2>/dev/null | sed -n 's/.*"instructions": {"total": \([0-9]*\).*/\1/p'; }
total() { sed -n 's/.*"instructions": {"total": \([0-9]*\).*/\1/p' "$work/stats"; }

# reach COUNT: until so many million instructions have retired.
reach() {
  local until=$((SECONDS + patience)) now
  while :; do
    kill -0 "$vellum_pid" 2>/dev/null || fail "Vellum ended on its way to $1 million instructions"
    now=$(instructions)
    [ "${now:-0}" -ge $(($1 * 1000000)) ] && return
    [ $SECONDS -lt $until ] || fail "only $now instructions in $patience s"
    sleep 0.5
  done
}

need_unattended() {
  need cpio gzip perl
  need_guest "$1"
  mkdir -p "$work/more"
  cp "$PROJECT/tests/boots/unattended" "$work/more/unattended"
  { cat "$initrd"; (cd "$work/more" && echo unattended | cpio -o -H newc --quiet --owner=0:0 | gzip -n); } >"$work/initrd"
  guest="$memory --kernel $kernel --initrd $work/initrd"
  line="rdinit=/unattended quiet console=ttyS0"
}

# to_poweroff ENGINE OPTION...: $count is how many instructions the whole run had, $sum what it printed.
to_poweroff() {
  local engine=$1 began=$SECONDS
  shift
  counted --engine "$engine" "$@"
  ends_with 0
  count=$(total)
  sum=$(md5sum <"$work/serial" | cut -c 1-32)
  echo "$engine: $count instructions in $((SECONDS - began)) s"
}

# equal ENGINE WHAT: this run against the one whose numbers are in $wanted.
equal() { [ "$count" = "$wanted" ] || fail "$1: $count instructions; $2: $wanted"; }

case $task in
  start)
    need_unattended "$1"
    # shellcheck disable=SC2086
    counted --engine lockstep $guest --append "$line" --save "$work/machine"
    reach 150
    control quit | grep -qx ok || fail "quit"
    ends_with 0
    at=$(total)
    for engine in bt interp lockstep; do
      # shellcheck disable=SC2086
      counted --engine $engine $memory --restore "$work/machine"
      reach $((at / 1000000 + 30))
      control quit >/dev/null
      ends_with 0
    done
    ;;
  poweroff)
    need_unattended "$1"
    shift
    # shellcheck disable=SC2086
    to_poweroff lockstep $guest "$@" --append "$line"
    grep -q "unattended run is over" "$work/serial" || fail "the guest did not come to its end"
    wanted=$count text=$sum
    for engine in bt interp; do
      # shellcheck disable=SC2086
      to_poweroff $engine $guest "$@" --snapshot --append "$line"
      equal $engine lockstep
      [ "$sum" = "$text" ] || fail "$engine printed something else"
    done
    ;;
  typed)
    need_guest "$1"
    shift
    # shellcheck disable=SC2086
    counted --engine lockstep $memory --kernel "$kernel" --initrd "$initrd" --append console=ttyS0 "$@"
    expect "/ # "
    # The shell on tty1 answers over the serial line, whose own shell stays idle.
    control 'key ret' >/dev/null
    for words in 'uname -a' 'ls -l /bin | tail -n 3' 'i=0; while [ $i -lt 100 ]; do i=$((i+1)); done; echo $i'; do
      control "type ($words) >/dev/ttyS0; echo do\"\"ne >/dev/ttyS0\\n" >/dev/null
      control 'mouse 3 -4' >/dev/null
      expect "done"
    done
    control 'type poweroff -f\n' >/dev/null
    ends_with 0
    echo "lockstep: $(total) instructions"
    ;;
  snapshots)
    need_unattended "$1"
    # shellcheck disable=SC2086
    to_poweroff bt $guest --append "$line"
    wanted=$count
    # shellcheck disable=SC2086
    counted --engine lockstep $guest --append "$line"
    for number in $(seq "$2"); do
      # Anywhere in the next part of the way.
      reach $(((number - 1) * (wanted / 1000000) / $2 + RANDOM % (wanted / 1000000 / $2)))
      control "save $work/machine$number" | grep -qx ok || fail "save"
      echo "saved at $(instructions) at the latest"
    done
    ends_with 0
    count=$(total)
    equal lockstep bt
    for number in $(seq "$2"); do
      for engine in bt interp lockstep; do
        # shellcheck disable=SC2086
        to_poweroff $engine $memory --restore "$work/machine$number"
        equal "$engine from snapshot $number" bt
      done
      rm "$work/machine$number"
    done
    ;;
  first)
    need perl
    goal=$1
    shift
    counted --engine lockstep "$@"
    reach "$goal"
    control "screenshot $work/screen.png" >/dev/null
    [ -z "${VELLUM_KEEP:-}" ] || cp "$work/screen.png" "$VELLUM_KEEP"
    control quit >/dev/null
    ends_with 0
    echo "lockstep: $(total) instructions"
    ;;
  *) fail "no such task: $task" ;;
esac
echo "no difference"
