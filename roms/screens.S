# Screens for tests of pictures, as a Multiboot kernel. The last word of the command line names one:
#
#   text      mode 3: all characters, 16 by 16 colours, no blinking, the cursor as a block
#   mode12h   640x480 in 16 colours: all four write modes, set/reset, bit mask, rotation, functions
#   mode13h   320x200 in 256 colours, all entries of the palette set
#   vbe       1024x768x32 by the Bochs display interface
#
# What each pixel must be is said by tests/machine/screens_expected.cpp. When a screen is complete, "drawn NAME" goes to
# the debug port and the processor halts for good. Only the cursor of `text` then still changes with time. The font of
# `text` is the VGA BIOS's; all else is set here.
    .code32
    .intel_syntax noprefix
    .global _start

    .text
#include "multiboot.inc"

_start:
    cli
    cld
    mov esp, offset stack_top
    call open_serial
    mov esi, [ebx + 16]         # Multiboot information: command line
    call find_last_word
    mov ebp, offset screens
1:  mov esi, [ebp]
    test esi, esi
    jz unknown
    mov edi, [last_word]
    call same_text
    je 2f
    add ebp, 8
    jmp 1b
2:  mov eax, 4                  # the Bochs interface off: the VGA's own registers count
    mov edx, dispi_index
    out dx, ax
    inc edx
    xor eax, eax
    out dx, ax
    push ebp
    call [ebp + 4]
    pop ebp
    mov esi, offset drawn_text
    call put_text
    mov esi, [ebp]
    call put_text
    mov al, 10
    call put_character
stop:
    cli
    hlt
    jmp stop

unknown:
    mov esi, offset unknown_text
    call put_text
    jmp stop

# esi: text. Leaves where its last word begins in [last_word].
find_last_word:
    mov [last_word], esi
1:  lodsb
    test al, al
    jz 2f
    cmp al, 0x20
    jne 1b
    jmp find_last_word
2:  ret

# Zero flag: the texts at esi and edi are equal.
same_text:
    lodsb
    cmp al, [edi]
    jne 1f
    inc edi
    test al, al
    jnz same_text
1:  ret

screens:
    .long text_name, draw_text_screen, mode12h_name, draw_mode12h, mode13h_name, draw_mode13h, vbe_name, draw_vbe, 0
text_name:
    .asciz "text"
mode12h_name:
    .asciz "mode12h"
mode13h_name:
    .asciz "mode13h"
vbe_name:
    .asciz "vbe"
drawn_text:
    .asciz "drawn "
unknown_text:
    .asciz "screens: the last word of the command line names none\n"

#include "console.inc"
#include "pci.inc"
#include "display.inc"
#include "screens_modes.inc"
#include "screens_mode12h.inc"

# Cell n of 80 x 25 has character n mod 256, background (row mod 16), foreground (column mod 16).
draw_text_screen:
    mov esi, offset mode3
    call set_mode
    call load_sixteen_colors
    mov edi, 0xB8000
    xor ebx, ebx                # row
    xor ebp, ebp                # cell
1:  xor ecx, ecx                # column
2:  mov eax, ebp
    mov ah, bl
    shl ah, 4
    mov dl, cl
    and dl, 15
    or ah, dl
    stosw
    inc ebp
    inc ecx
    cmp ecx, 80
    jb 2b
    inc ebx
    cmp ebx, 25
    jb 1b
    ret

# Colour (x + y) in the upper half, (x xor y) in the lower; entry i is red i/4, green (255 - i)/4, blue 5i mod 64.
draw_mode13h:
    mov esi, offset mode13
    call set_mode
    mov edx, 0x3C8
    xor eax, eax
    out dx, al
    inc edx
    xor ecx, ecx
1:  mov eax, ecx
    shr eax, 2
    out dx, al
    mov eax, 255
    sub eax, ecx
    shr eax, 2
    out dx, al
    lea eax, [ecx + ecx * 4]
    and eax, 63
    out dx, al
    inc ecx
    cmp ecx, 256
    jb 1b
    mov edi, 0xA0000
    xor ebx, ebx                # y
2:  xor ecx, ecx                # x
3:  lea eax, [ebx + ecx]
    cmp ebx, 100
    jb 4f
    mov eax, ebx
    xor eax, ecx
4:  stosb
    inc ecx
    cmp ecx, 320
    jb 3b
    inc ebx
    cmp ebx, 200
    jb 2b
    ret

# Red x, green y, blue (x xor y), each modulo 256; white at the edges and where x = y.
draw_vbe:
    call find_framebuffer
    jc stop
    mov edi, eax
    mov ecx, 1024
    mov edx, 768
    call set_display_mode
    xor ebx, ebx                # y
1:  xor ecx, ecx                # x
2:  movzx eax, cl
    shl eax, 16
    mov ah, bl
    mov al, bl
    xor al, cl
    cmp ebx, ecx
    je 3f
    test ecx, ecx
    jz 3f
    test ebx, ebx
    jz 3f
    cmp ecx, 1023
    je 3f
    cmp ebx, 767
    jne 4f
3:  mov eax, 0xFFFFFF
4:  stosd
    inc ecx
    cmp ecx, 1024
    jb 2b
    inc ebx
    cmp ebx, 768
    jb 1b
    ret
image_end:

    .bss
    .lcomm last_word, 4
    .balign 16
    .skip 4096
stack_top:
