# The guest that runs when no other is given: a Multiboot kernel with its own descriptor tables, paging, a timer tick
# of 100 Hz and the keyboard, drawing on the VGA. F1 shows help, Esc switches the machine off.
#
#   demo_processor.inc  descriptor tables, paging, interrupts
#   demo_scene.inc      the night sky, the hills and the moving lights
#   demo_title.inc      the word, from strokes
#   demo_panel.inc      text, the panel, keys
    .code32
    .intel_syntax noprefix
    .global _start

    width = 640
    height = 480
    pitch = width * 4
    ticks_per_second = 100
    ticks_per_frame = 4
    power_function = 0x71138086

    .text
#include "multiboot.inc"

_start:
    cli
    cld
    mov esp, offset stack_top
    call open_serial
    call find_framebuffer
    jc no_display
    mov [framebuffer], eax
    call load_tables
    call enable_paging
    call enable_vectors
    call copy_font
    mov ecx, width
    mov edx, height
    call set_display_mode
    call make_sines
    call make_scene
    call make_lights
    call make_title
    call make_panel
    call show_canvas
    call draw_footer
    mov byte ptr [panel_changed], 1
    call start_interrupts
    mov esi, offset ready_text
    call put_text
    sti

# Sleeps until an interrupt left something to do. Interrupts are off between the question and the HLT.
main_loop:
    cli
    call take_scan_code
    jc 1f
    sti
    call handle_scan_code
    jmp main_loop
1:  mov eax, [ticks]
    sub eax, [next_frame]
    js 2f
    sti
    call draw_frame
    jmp main_loop
2:  sti
    hlt
    jmp main_loop

# Draws what the moment `ticks` looks like; a machine that is too slow for each frame leaves some out.
draw_frame:
    mov eax, [ticks]
    mov [frame_tick], eax
    add eax, ticks_per_frame
    mov [next_frame], eax
    call draw_lights
    call draw_title
    call show_band
    jmp draw_panel_text

no_display:
    mov esi, offset no_display_text
    call put_text
stop:
    cli
    hlt
    jmp stop

# ACPI soft off: SLP_EN with sleep type 0 in PM1a_CNT, whose place the power-management function of the PIIX tells
# (82371AB datasheet, 7.1.26 and 7.2.3; the sleep type is what the firmware's \_S5 says).
power_off:
    cli
    mov esi, offset goodbye_text
    call put_text
    mov esi, power_function
    call find_function
    jc stop
    mov al, 0x40
    call read_configuration
    and eax, 0xFFC0
    lea edx, [eax + 4]
    mov ax, 0x2000
    out dx, ax
    jmp stop


ready_text:
    .asciz "vellum demo: ready\n"
goodbye_text:
    .asciz "vellum demo: power off\n"
no_display_text:
    .asciz "vellum demo: there is no display with Bochs VBE extensions\n"

#include "console.inc"
#include "pci.inc"
#include "display.inc"
#include "demo_processor.inc"
#include "demo_scene.inc"
#include "demo_title.inc"
#include "demo_panel.inc"
image_end:

    .bss
    .balign 4096
    .lcomm framebuffer, 4
    .lcomm ticks, 4
    .lcomm next_frame, 4
    .lcomm frame_tick, 4
