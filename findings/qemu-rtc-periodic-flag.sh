#!/usr/bin/env bash
# QEMU 7.2 (Debian 1:7.2+dfsg): the real-time clock's periodic flag (register C, bit 6) is never set while periodic
# interrupts are off (register B, bit 6), though a rate is selected in register A.
#
# The MC146818A data sheet has it the other way: "PF is set to a one independent of the state of the PIE bit", so that a
# driver may poll register C. A guest that enables update-ended interrupts only, and compares register C with the whole
# byte, sees 90h here and D0h on the chip. Whoever checks a clock of his own against QEMU takes the right one for wrong.
#
# Seen: with rate 6 (1024 Hz) and B = 12h, polling register C for a second and a half gives the flags 90h; with B = 42h it
# gives D0h, so that the update-ended flag does not depend on its enable bit, and the periodic one does.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
mkdir -p lists/partial archives/partial root
: >status
options=(-q -o Dir::State::status="$folder/status" -o Dir::State::lists="$folder/lists" -o Dir::Cache::archives="$folder/archives"
  -o Debug::NoLocking=true -o APT::Sandbox::User= -o APT::Install-Recommends=false -o APT::Get::Download-Only=true)
apt-get "${options[@]}" update >/dev/null 2>&1 || true
version=$(apt-cache "${options[@]}" madison qemu-system-x86 | awk '$3 ~ /^1:7\.2\+dfsg/ {print $3; exit}')
[ -n "$version" ] || { echo "QEMU 7.2 is not to be had: nothing was looked at" >&2; exit 1; }
apt-get "${options[@]}" -y install "qemu-system-x86=$version" nasm >/dev/null
for package in archives/*.deb; do dpkg-deb -x "$package" root; done
export LD_LIBRARY_PATH=$folder/root/usr/lib/x86_64-linux-gnu:$folder/root/lib/x86_64-linux-gnu:$folder/root/usr/lib/x86_64-linux-gnu/pulseaudio
qemu=$folder/root/usr/bin/qemu-system-i386

# Flags of register C over about a second and a half (28 ticks of the BIOS), as two hexadecimal digits on COM1.
cat >clock.asm <<'ASM'
        org 0x7c00
        xor ax,ax
        mov ds,ax
        mov ss,ax
        mov sp,0x7c00
        mov al,0xff             ; the firmware's handler would read register C too
        out 0xa1,al
        mov bl,0x0a
        mov al,0x26
        call put
        mov bl,0x0b
        mov al,CONTROL
        call put
        mov bl,0x0c
        call get                ; forgets what was before
        sti
        xor ch,ch
        mov si,[0x46c]
        add si,28
again:  call get
        or ch,al
        cmp [0x46c],si
        jb again
        mov al,ch
        shr al,4
        call digit
        mov al,ch
        and al,15
        call digit
        xor al,al
        out 0xf4,al
        hlt
put:    xchg al,bl
        out 0x70,al
        xchg al,bl
        out 0x71,al
        ret
get:    cli
        mov al,bl
        out 0x70,al
        in al,0x71
        sti
        ret
digit:  add al,'0'
        cmp al,'9'
        jbe .out
        add al,7
.out:   mov dx,0x3f8
        out dx,al
        ret
        times 510-($-$$) db 0
        dw 0xaa55
ASM
flags_with() {  # register B
  root/usr/bin/nasm -f bin -DCONTROL="$1" -o disk clock.asm
  timeout 60 "$qemu" -L root/usr/share/qemu -L root/usr/share/seabios -display none -vga none -net none -fda disk -serial stdio -monitor none \
    -device isa-debug-exit,iobase=0xf4,iosize=1 2>/dev/null </dev/null || true
}
echo "qemu-system-x86 $version"
update=$(flags_with 0x12) periodic=$(flags_with 0x42)
echo "B = 12h (update-ended interrupts): register C shows $update; the data sheet's chip: D0"
echo "B = 42h (periodic interrupts): register C shows $periodic"
[ "$update" = 90 ] && [ "$periodic" = D0 ]
