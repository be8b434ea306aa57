#!/usr/bin/env bash
# CD and floppy images read back equal inside the guest, a floppy takes what is written, and media can be changed.
# Usage: media.sh ENGINE
. "$(dirname "$0")/common.sh"
engine=$1
need_guest 686
need xorriso perl
sum() { md5sum | cut -c 1-32; }

mkdir "$work/cd"
head -c 5000000 /dev/urandom >"$work/cd/file"
xorriso -as mkisofs -quiet -R -o "$work/cd.iso" "$work/cd" >"$work/messages" 2>&1 || fail "no CD was made"
head -c 2048000 /dev/urandom >"$work/other.iso"
head -c 1474560 /dev/urandom >"$work/floppy"
head -c 1474560 /dev/urandom >"$work/other-floppy"
boot "$engine" 686 --cdrom "$work/cd.iso" --fda "$work/floppy"

ask "mount -t iso9660 -o ro /dev/sr0 /mnt && md5sum </mnt/file | cut -c 1-32; umount /mnt"
[ "$answer" = "$(sum <"$work/cd/file")" ] || fail "the file on the CD: $answer"
size=$(stat -c %s "$work/cd.iso")
ask "head -c $size /dev/sr0 | md5sum | cut -c 1-32"
[ "$answer" = "$(sum <"$work/cd.iso")" ] || fail "the CD: $answer"
[ "$(control "change-cd $work/other.iso")" = ok ] || fail "change-cd"
ask "head -c 2048000 /dev/sr0 | md5sum | cut -c 1-32"
[ "$answer" = "$(sum <"$work/other.iso")" ] || fail "the other CD: $answer"

ask "modprobe floppy; sleep 1; md5sum </dev/fd0 | cut -c 1-32"
[ "$answer" = "$(sum <"$work/floppy")" ] || fail "the floppy: $answer"
send "dd if=/dev/urandom of=/tmp/part bs=512 count=100 2>/dev/null"
ask "dd if=/tmp/part of=/dev/fd0 bs=512 seek=7 2>/dev/null; sync; md5sum </tmp/part | cut -c 1-32"
[ "$answer" = "$(dd if="$work/floppy" bs=512 skip=7 count=100 2>/dev/null | sum)" ] || fail "written to the floppy: $answer"
[ "$(control "change-floppy a $work/other-floppy")" = ok ] || fail "change-floppy"
# In the first five minutes a 32-bit Linux looks at the change line only after a request has failed: its driver asks for
# a check "at time 0", and its clock starts five minutes before that.
send "md5sum </dev/fd0 >/dev/null 2>&1"
ask "md5sum </dev/fd0 | cut -c 1-32"
[ "$answer" = "$(sum <"$work/other-floppy")" ] || fail "the other floppy: $answer"
send "poweroff -f"
ends_with 0
