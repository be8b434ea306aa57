#!/usr/bin/env bash
# Boots the default guest from a CD: SeaBIOS, GRUB, kernel. Usage: boot_grub.sh ENGINE FLAVOUR
. "$(dirname "$0")/common.sh"
engine=$1 flavour=$2
need_guest "$flavour"
need grub-mkrescue xorriso mformat
[ -d /usr/lib/grub/i386-pc ] || skip "grub-pc-bin is not installed"

mkdir -p "$work/cd/boot/grub"
cp "$kernel" "$work/cd/boot/vmlinuz"
cp "$initrd" "$work/cd/boot/initrd.gz"
cat >"$work/cd/boot/grub/grub.cfg" <<'END'
set timeout=1
menuentry "guest" {
  linux /boot/vmlinuz console=ttyS0 from=grub
  initrd /boot/initrd.gz
}
END
grub-mkrescue -d /usr/lib/grub/i386-pc -o "$work/cd.iso" "$work/cd" >"$work/messages" 2>&1 || fail "no CD was made"
before=$(md5sum <"$work/cd.iso")

start --engine "$engine" --cdrom "$work/cd.iso" --boot d --display none
expect "/ # "
send "stty -echo 2>/dev/null; dmesg -n 1"
expect "/ # "
ask "cat /proc/cmdline"
grep -q "from=grub" <<<"$answer" || fail "the kernel's command line: $answer"
ask "uname -sm"
[ "$answer" = "Linux i686" ] || fail "uname says: $answer"
send "poweroff -f"
ends_with 0
[ "$(md5sum <"$work/cd.iso")" = "$before" ] || fail "the CD image changed"
