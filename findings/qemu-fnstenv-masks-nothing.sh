#!/usr/bin/env bash
# QEMU 7.2 (Debian 1:7.2+dfsg): FNSTENV leaves the x87 control word as it was.
#
# Once the image is stored all exceptions are to be masked (SDM vol. 2, FSTENV and FNSTENV),
# so that a handler of an exception can go on with x87 instructions. Code that relies on it gets a second
# exception within its handler here, and code whose exceptions must stay unmasked behind an FNSTENV works here only. FNSAVE,
# which begins anew with the control word 037Fh, is right.
#
# Seen: with the control word 0340h (nothing masked), FNSTENV stores 0340h, and FNSTCW behind it gives 0340h under QEMU's
# program for user code and 037Fh on the processor (where the host runs 32-bit programs).
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
mkdir -p lists/partial archives/partial root
: >status
options=(-q -o Dir::State::status="$folder/status" -o Dir::State::lists="$folder/lists" -o Dir::Cache::archives="$folder/archives"
  -o Debug::NoLocking=true -o APT::Sandbox::User= -o APT::Install-Recommends=false -o APT::Get::Download-Only=true)
apt-get "${options[@]}" update >/dev/null 2>&1 || true
version=$(apt-cache "${options[@]}" madison qemu-user | awk '$3 ~ /^1:7\.2\+dfsg/ {print $3; exit}')
[ -n "$version" ] || { echo "QEMU 7.2 is not to be had: nothing was looked at" >&2; exit 1; }
apt-get "${options[@]}" -y install "qemu-user=$version" nasm >/dev/null
for package in archives/*.deb; do dpkg-deb -x "$package" root; done
export LD_LIBRARY_PATH=$folder/root/usr/lib/x86_64-linux-gnu:$folder/root/lib/x86_64-linux-gnu

# A program of one segment: its exit status is the low byte of the control word behind FNSTENV.
cat >program.asm <<'ASM'
        bits 32
        org 0x08048000
start:  db 0x7f,"ELF",1,1,1,0,0,0,0,0,0,0,0,0
        dw 2,3
        dd 1,entry,header-start,0,0
        dw 52,32,1,0,0,0
header: dd 1,0,start,start,end-start,end-start,7,0x1000
entry:  fninit
        fldcw [unmasked]
        fnstenv [environment]
        fnstcw [behind]
        fninit
        movzx ebx,byte [behind]
        mov eax,1
        int 0x80
unmasked: dw 0x340
behind: dw 0
environment: times 28 db 0
end:
ASM
root/usr/bin/nasm -f bin -o program program.asm
chmod +x program
status_of() { local status=0; "$@" || status=$?; printf '%02x' "$status"; }
emulated=$(status_of root/usr/bin/qemu-i386 ./program)
real=$(status_of ./program 2>/dev/null)
echo "QEMU $version: low byte of the control word behind FNSTENV: $emulated; on the processor: $real"
[ "$emulated" = 40 ] || { echo "changed: QEMU masks them" >&2; exit 1; }
[ "$real" = 7f ] || [ "$real" = 7e ] || echo "(the host runs no 32-bit programs)"
