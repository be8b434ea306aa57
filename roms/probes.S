# Tries the ways by which a guest could learn addresses of the host or reach memory that is not its own, as a Multiboot
# kernel. What a probe can judge by itself it does: "wrong NAME VALUE" goes to the debug port. All that it reads it also
# notes in memory, so that tests/machine/probes_test.cpp can compare what two engines, with other addresses of the host,
# have let it see. "probes done" is the end.
#
#   probes_state.inc    what instructions store of the processor's state
#   probes_memory.inc   addresses that are nobody's, and accesses over the ends of the address space
#   probes_control.inc  returns and jumps to where they do not belong
#   probes_devices.inc  buffers of chips that nobody has filled
    .code32
    .intel_syntax noprefix
    .global _start

    no_fault = 0xFF
    ram_end = 0x1000000
    fill = 0xA5A5A5A5           # what buffers hold before something is stored there
    notes_bytes = 1 << 20
    vector_entry_bytes = 8
    code_selector = 0x08
    data_selector = 0x10
    high_selector = 0x18        # base FFFFF000h
    middle_selector = 0x20      # base 80000000h
    small_selector = 0x28       # 16 bytes at address 0

    .text
#include "multiboot.inc"

# From here to the next fault the processor goes on at `label`, with the stack of now; [caught] says which it was.
.macro attempt label
    mov dword ptr [resume_at], offset \label
    mov [safe_stack], esp
    mov dword ptr [caught], no_fault
.endm

# Complains about eax, under the name that is said. Preserves all registers.
.macro complain name
    pushad
    mov esi, offset 8f
    call report
    popad
    jmp 9f
8:  .asciz "\name"
9:
.endm

_start:
    cli
    cld
    mov esp, offset stack_top
    call probe_reset_state      # before anything of ours changes it
    call open_serial
    call load_tables
    mov eax, cr4
    or eax, 0x600               # OSFXSR, OSXMMEXCPT
    mov cr4, eax
    mov eax, cr0
    or eax, 0x20                # NE: x87 errors are exceptions
    mov cr0, eax
    call probe_pointers
    call probe_images
    call probe_system_registers
    call probe_segment_registers
    call probe_model_specific
    call probe_identification
    call probe_unmapped_memory
    call probe_ends
    call probe_strings_over_ends
    call probe_stack_over_ends
    call probe_images_over_ends
    call probe_returns
    call probe_foreign_code
    call probe_devices
    call probe_paging
    mov esi, offset done_text
    call put_text
1:  cli
    hlt
    jmp 1b
done_text:
    .asciz "probes done\n"
wrong_text:
    .asciz "wrong "

# esi: a probe's name, eax: what it has found.
report:
    push esi
    mov esi, offset wrong_text
    call put_text
    pop esi
    call put_text
    push eax
    mov al, 0x20
    call put_character
    pop eax
    mov cl, 8
    call put_hexadecimal
    mov al, 10
    call put_character
    ret

# Notes eax. Preserves all registers.
note:
    push edi
    mov edi, [notes_end]
    mov [edi], eax
    add edi, 4
    cmp edi, offset notes + notes_bytes
    jae 1f
    mov [notes_end], edi
1:  pop edi
    ret

# Notes what was caught and eax.
note_outcome:
    push eax
    mov eax, [caught]
    call note
    pop eax
    jmp note

# Fills 1 KiB at edi.
fill_buffer:
    push edi
    mov ecx, 256
    mov eax, fill
    rep stosd
    pop edi
    ret

# Flat segments of our own, and an IDT whose vectors all go on where `attempt` said.
load_tables:
    lgdt [gdt_pointer]
    .byte 0xEA                  # jmp code_selector:1f
    .long 1f
    .word code_selector
1:  mov eax, data_selector
    mov ds, eax
    mov es, eax
    mov ss, eax
    xor eax, eax
    mov fs, eax
    mov gs, eax
    mov edi, offset idt
    mov ebx, offset vector_entries
    mov ecx, 32
2:  mov eax, ebx
    and eax, 0xFFFF
    or eax, code_selector << 16
    stosd
    mov eax, ebx
    and eax, 0xFFFF0000
    or eax, 0x8E00              # present interrupt gate of 32 bits
    stosd
    add ebx, vector_entry_bytes
    loop 2b
    lidt [idt_pointer]
    mov dword ptr [notes_end], offset notes
    ret

    .balign 8
gdt:
    .quad 0
    .quad 0x00CF9B000000FFFF
    .quad 0x00CF93000000FFFF
    .quad 0xFFCF93FFF000FFFF
    .quad 0x80CF93000000FFFF
    .quad 0x004093000000000F
gdt_pointer:
    .word . - gdt - 1
    .long gdt
idt_pointer:
    .word 32 * 8 - 1
    .long idt

    .balign 8
vector_entries:
    .set vector, 0
    .rept 32
    .balign 8, 0x90
    push vector
    jmp near ptr caught_vector
    .set vector, vector + 1
    .endr

caught_vector:
    pop dword ptr [caught]
    push eax
    mov eax, cr2
    mov [caught_address], eax
    pop eax
    mov esp, [safe_stack]
    cld
    jmp [resume_at]

#include "console.inc"
#include "probes_state.inc"
#include "probes_memory.inc"
#include "probes_control.inc"
#include "probes_devices.inc"
image_end:

    .bss
    .lcomm caught, 4
    .lcomm caught_address, 4
    .lcomm resume_at, 4
    .lcomm safe_stack, 4
    .lcomm notes_end, 4
    .balign 4096
page_directory:
    .skip 4096
    .balign 16
idt:
    .skip 32 * 8
    .balign 64
reset_image:
    .skip 1024
image:
    .skip 1024
second_image:
    .skip 1024
notes:
    .skip notes_bytes + 16
    .skip 65536
stack_top:
