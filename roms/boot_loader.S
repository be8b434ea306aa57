# Option ROM that starts a kernel given on the command line (--kernel), after SeaBIOS has set up E820, ACPI and VGA.
#
# SeaBIOS finds the PnP header and calls the bootstrap entry vector. The host has left a plan in fw_cfg under key
# plan_key (layout: src/machine/boot_plan.hpp): which fw_cfg items go to which guest addresses, and how to enter the
# kernel. Items travel by fw_cfg DMA, so no protected mode is needed for addresses above 1 MiB.
#
#   Linux      jump to the real-mode set-up code at its segment + 20h   (Documentation/x86/boot.rst)
#   Multiboot  build the memory map from E820, enter 32-bit protected mode, EAX = 2BADB002h, EBX = information
    .code16
    .intel_syntax noprefix
    .global _start

    plan_key = 0x8100
    fw_cfg_select = 0x510
    fw_cfg_data = 0x511
    fw_cfg_dma_high = 0x514
    fw_cfg_dma_low = 0x518
    dma_error = 1
    dma_read = 2
    dma_select = 8
    work_segment = 0x9000       # free while the loader runs: 576 KiB to 580 KiB
    plan = 0x0000               # in the work segment
    dma_block = 0x0800
    map_buffer = 0x0900

    # plan fields
    plan_count = 0
    plan_kind = 2               # 0 Linux, 1 Multiboot
    plan_segment = 4            # Linux: segment of the set-up code
    plan_entry = 8              # Multiboot: entry point
    plan_information = 12       # Multiboot: address of the information structure (below 640 KiB)
    plan_map = 16               # Multiboot: address of the memory map to fill
    plan_items = 20             # {u32 key, u32 address, u32 bytes} each
    plan_bytes = 20 + 16 * 12

_start:
    .byte 0x55, 0xAA
    .byte 2                     # 1 KiB; the host sets the checksum in the last byte
    jmp initialise
    .org 0x1A
    .word pnp_header
    .org 0x20
pnp_header:
    .ascii "$PnP"
    .byte 1, 2                  # revision, length / 16
    .word 0                     # next header
    .byte 0, 0                  # reserved, checksum (the host sets it)
    .long 0                     # device id
    .word manufacturer, product
    .byte 2, 0, 0               # device type: mass storage, so that SeaBIOS lists it
    .byte 0                     # device indicators
    .word 0, 0                  # boot connection, disconnect
    .word bootstrap             # bootstrap entry
    .word 0, 0
manufacturer:
    .asciz "Vellum"
product:
    .asciz "Vellum direct kernel boot"

initialise:
    mov ax, 0x20                # PnP: an IPL device is attached
    retf

bootstrap:
    cli
    cld
    mov ax, work_segment
    mov ds, ax
    mov es, ax
    mov ss, ax
    mov sp, 0x0FF0
    # read the plan byte by byte
    mov dx, fw_cfg_select
    mov ax, plan_key
    out dx, ax
    mov dx, fw_cfg_data
    mov di, plan
    mov cx, plan_bytes
    rep insb
    # transfer each item
    mov cx, [plan + plan_count]
    mov si, plan + plan_items
next_item:
    jcxz loaded
    call transfer
    add si, 12
    dec cx
    jmp next_item

# Fills the DMA block (big endian) for the item at [si] and waits for it.
transfer:
    movzx eax, word ptr [si]
    shl eax, 16
    or eax, dma_select | dma_read
    bswap eax
    mov [dma_block], eax
    mov eax, [si + 8]
    bswap eax
    mov [dma_block + 4], eax
    mov dword ptr [dma_block + 8], 0
    mov eax, [si + 4]
    bswap eax
    mov [dma_block + 12], eax
    xor eax, eax
    mov dx, fw_cfg_dma_high
    out dx, eax
    mov eax, (work_segment << 4) + dma_block
    bswap eax
    mov dx, fw_cfg_dma_low
    out dx, eax
wait_dma:
    mov eax, [dma_block]
    bswap eax
    test eax, ~dma_error
    jnz wait_dma
    test eax, dma_error
    jnz stop
    ret
stop:
    hlt
    jmp stop

loaded:
    cmp word ptr [plan + plan_kind], 1
    je multiboot

linux:
    mov bx, [plan + plan_segment]
    mov ds, bx
    mov es, bx
    mov fs, bx
    mov gs, bx
    mov ss, bx
    mov sp, 0xFFF0
    add bx, 0x20
    push bx
    push 0
    xor eax, eax
    xor ebx, ebx
    xor ecx, ecx
    xor edx, edx
    xor esi, esi
    xor edi, edi
    xor ebp, ebp
    retf

# E820 entries of 20 bytes become Multiboot ones: a size field of 20 before each.
multiboot:
    mov eax, [plan + plan_map]
    shr eax, 4
    mov fs, ax
    xor bp, bp                  # bytes written
    xor ebx, ebx
next_range:
    mov eax, 0xE820
    mov edx, 0x534D4150
    mov ecx, 20
    mov di, map_buffer
    int 0x15
    jc map_done
    cmp eax, 0x534D4150
    jne map_done
    mov dword ptr fs:[bp], 20
    add bp, 4
    push si
    mov si, map_buffer
    mov cx, 5
copy_range:
    lodsd
    mov fs:[bp], eax
    add bp, 4
    loop copy_range
    pop si
    cmp bp, 24 * 64
    jae map_done
    test ebx, ebx
    jnz next_range
map_done:
    mov eax, [plan + plan_information]
    mov edx, eax
    shr eax, 4
    mov fs, ax
    and edx, 15
    movzx ebp, bp
    mov di, dx
    mov fs:[di + 44], ebp       # mmap_length
    mov eax, [plan + plan_map]
    mov fs:[di + 48], eax       # mmap_addr
    int 0x12
    movzx eax, ax
    mov fs:[di + 4], eax        # mem_lower in KiB
    mov ax, 0xE801
    xor cx, cx
    xor dx, dx
    int 0x15
    movzx eax, cx
    movzx edx, dx
    shl edx, 6
    add eax, edx
    mov fs:[di + 8], eax        # mem_upper in KiB
    # A20 is open: SeaBIOS leaves it so. Enter protected mode with a flat table.
    cli
    xor ebx, ebx
    mov bx, cs
    shl ebx, 4
    lea eax, [ebx + descriptor_table]
    mov [map_buffer + 2], eax
    mov word ptr [map_buffer], 23
    mov ecx, [plan + plan_entry]
    mov edi, [plan + plan_information]
    lea eax, [ebx + protected_entry]
    mov [map_buffer + 8], eax
    mov word ptr [map_buffer + 12], 8
    lgdtd [map_buffer]
    mov eax, cr0
    or al, 1
    mov cr0, eax
    jmp fword ptr [map_buffer + 8]
    .code32
protected_entry:
    mov ax, 16
    mov ds, ax
    mov es, ax
    mov fs, ax
    mov gs, ax
    mov ss, ax
    mov esp, (work_segment << 4) + 0xFF0
    mov ebx, edi
    mov eax, 0x2BADB002
    jmp ecx
    .balign 8
descriptor_table:
    .quad 0
    .quad 0x00CF9A000000FFFF
    .quad 0x00CF92000000FFFF
    .org 1024
