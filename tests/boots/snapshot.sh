#!/usr/bin/env bash
# Saves Linux at its shell, with an ext4 disk mounted and written under --snapshot, and goes on in another process: the
# shell still knows its variable, and the file that was written is there, from memory and from the disk.
# Usage: snapshot.sh ENGINE_THAT_SAVES ENGINE_THAT_RESTORES
. "$(dirname "$0")/common.sh"
need_guest 686
need mke2fs perl

truncate -s 32M "$work/disk"
mke2fs -q -t ext4 -F "$work/disk" || fail "no file system was made"
boot "$1" 686 -m 64M --hda "$work/disk" --snapshot --save "$work/machine"
ask "word=kept; mount -t ext4 /dev/sda /mnt && echo mounted"
[ "$answer" = mounted ] || fail "mount: $answer"
ask "dd if=/dev/urandom of=/mnt/file bs=64k count=80 2>/dev/null; sync; md5sum </mnt/file | cut -c 1-32"
sum=$answer
[ ${#sum} = 32 ] || fail "no checksum: $sum"
kill -TERM "$vellum_pid"
ends_with 143

start --engine "$2" -m 64M --hda "$work/disk" --snapshot --restore "$work/machine" --display none
ask 'echo $word; md5sum </mnt/file | cut -c 1-32'
[ "$answer" = "kept
$sum" ] || fail "after going on: $answer"
ask "echo 3 >/proc/sys/vm/drop_caches; md5sum </mnt/file | cut -c 1-32"
[ "$answer" = "$sum" ] || fail "from the disk: $answer"
send "poweroff -f"
ends_with 0
