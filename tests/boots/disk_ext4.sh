#!/usr/bin/env bash
# A guest writes 50 MiB to an ext4 disk and syncs; then the run ends in one of several ways. The file system must be
# sound and the file complete, or, with --snapshot, the image untouched.
# Usage: disk_ext4.sh ENGINE poweroff|sigterm|window|snapshot
. "$(dirname "$0")/common.sh"
engine=$1 ending=$2
need_guest 686
need mke2fs e2fsck debugfs perl

truncate -s 100M "$work/disk"
mke2fs -q -t ext4 -F "$work/disk" || fail "no file system was made"
image_before=$(md5sum <"$work/disk")
more=
[ "$ending" = snapshot ] && more=--snapshot
if [ "$ending" = window ]; then
  export SDL_VIDEODRIVER=dummy
  display=sdl
fi
# shellcheck disable=SC2086
boot "$engine" 686 --hda "$work/disk" $more

ask "mount -t ext4 /dev/sda /mnt && echo mounted"
[ "$answer" = mounted ] || fail "mount: $answer"
ask "dd if=/dev/urandom of=/mnt/file bs=1M count=50 2>/dev/null; sync; md5sum </mnt/file | cut -c 1-32"
guest_sum=$answer
[ ${#guest_sum} = 32 ] || fail "no checksum: $guest_sum"
case $ending in
  poweroff)
    ask "umount /mnt && echo gone"
    [ "$answer" = gone ] || fail "umount: $answer"
    send "poweroff -f"
    ends_with 0
    ;;
  sigterm)
    kill -TERM "$vellum_pid"
    ends_with 143
    ;;
  window | snapshot)
    control quit >/dev/null
    ends_with 0
    ;;
esac

if [ "$ending" = snapshot ]; then
  [ "$(md5sum <"$work/disk")" = "$image_before" ] || fail "the image changed"
  exit 0
fi
# Where the file system was still mounted, its journal holds what sync wrote: replay it, as the next mount would.
e2fsck -fy -E journal_only "$work/disk" >"$work/messages" 2>&1
e2fsck -fn "$work/disk" >"$work/messages" 2>&1 || fail "the file system is not clean"
debugfs -R "dump /file $work/file" "$work/disk" >"$work/messages" 2>&1
[ "$(stat -c %s "$work/file")" = $((50 * 1024 * 1024)) ] || fail "the file has another size"
[ "$(md5sum <"$work/file" | cut -c 1-32)" = "$guest_sum" ] || fail "the file has other contents"
