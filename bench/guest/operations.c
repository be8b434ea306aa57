/* A Multiboot kernel that does single operations of a processor many times, each between two marks at port E9h:
     @begin NAME
     @end NAME COUNT
   The list is that of Adams and Agesen, "A Comparison of Software and Hardware Techniques for x86 Virtualization" (2006),
   as far as it makes sense here. Interrupts are off while something is measured; around the marks the processor halts for
   some ticks of the timer, so that it does not matter when exactly the host looks at its clock. */
typedef unsigned char byte;
typedef unsigned short half;
typedef unsigned word;
typedef unsigned long long quad;

enum { pages_linear = 0x40000000, table_entries = 256 * 1024, page = 4096, absent_page = 0x30000000, code_bytes = 1 << 20 };
enum { kernel_code = 0x08, kernel_data = 0x10, user_code = 0x1B, user_data = 0x23, task_state = 0x28 };
enum { present = 1, writable = 2, user = 4 };

__asm__(
    ".balign 4\n"
    ".long 0x1BADB002, 0, -0x1BADB002\n" /* the Multiboot header, in the first 8 KiB of the file */
    ".global _start\n"
    "_start: cld\n"
    "  mov $stack_end, %esp\n"
    "  call kernel\n"
    "1: hlt\n"
    "  jmp 1b\n"
    /* #DE at DIV ECX and #PF at MOV EAX, [EBX], two bytes each: go on behind them. */
    "on_divide_error: addl $2, (%esp)\n"
    "  iretl\n"
    "on_page_fault: add $4, %esp\n"
    "  addl $2, (%esp)\n"
    "  iretl\n"
    "on_timer: push %eax\n"
    "  mov $0x20, %al\n"
    "  out %al, $0x20\n"
    "  pop %eax\n"
    "  iretl\n"
    "on_system_call: iretl\n"
    "on_sysenter: sysexit\n"
    /* user_mode(EIP, count): runs code in ring 3 with the count in ESI until it does INT 30h. IRET empties DS, whose
       descriptor is the kernel's. */
    "user_mode: push %ebx\n"
    "  push %esi\n"
    "  push %edi\n"
    "  push %ebp\n"
    "  mov %esp, kernel_esp\n"
    "  mov 20(%esp), %eax\n"
    "  mov 24(%esp), %esi\n"
    "  push $0x23\n"
    "  push $user_stack_end\n"
    "  push $2\n"
    "  push $0x1B\n"
    "  push %eax\n"
    "  iretl\n"
    "on_leave_user_mode: mov %ss:kernel_esp, %esp\n"
    "  mov $0x10, %eax\n"
    "  mov %eax, %ds\n"
    "  mov %eax, %es\n"
    "  pop %ebp\n"
    "  pop %edi\n"
    "  pop %esi\n"
    "  pop %ebx\n"
    "  ret\n"
    "user_sysenter: mov %esp, %ecx\n"
    "  mov $1f, %edx\n"
    "  sysenter\n"
    "1: dec %esi\n"
    "  jnz user_sysenter\n"
    "  int $0x30\n"
    "user_int80: int $0x80\n"
    "  dec %esi\n"
    "  jnz user_int80\n"
    "  int $0x30\n"
    "nothing: ret\n");

extern byte on_divide_error[], on_page_fault[], on_timer[], on_system_call[], on_sysenter[], on_leave_user_mode[];
extern byte user_sysenter[], user_int80[];
void user_mode(const void* code, word count);

byte stack[16384] __attribute__((aligned(16))), user_stack[4096] __attribute__((aligned(16)));
__asm__(".global stack_end\n.set stack_end, stack + 16384\n.global user_stack_end\n.set user_stack_end, user_stack + 4096\n");
word kernel_esp;

static word directory[1024] __attribute__((aligned(4096))), low_tables[8 * 1024] __attribute__((aligned(4096)));
static word tables[table_entries] __attribute__((aligned(4096)));
static byte some_page[page] __attribute__((aligned(4096)));
static byte generated[code_bytes + 16] __attribute__((aligned(4096)));
static word task[26];
static quad descriptors[6], gates[256];

static void out(half port, byte value) { __asm__ volatile("outb %0, %1" : : "a"(value), "Nd"(port)); }

static void say(const char* text) {
    for (; *text; ++text) out(0xE9, (byte)*text);
}

static void say_number(word value) {
    char digits[11], *at = digits + 10;
    *at = 0;
    do *--at = (char)('0' + value % 10);
    while (value /= 10);
    say(at);
}

static void rest(void) {
    for (int ticks = 0; ticks < 2; ++ticks) __asm__ volatile("sti; hlt; cli");
}

/* Each of these does its operation COUNT times. */

static void empty_loop(word count) { __asm__ volatile("1: dec %0; jnz 1b" : "+r"(count) : : "cc"); }

static void call_and_return(word count) { __asm__ volatile("1: call nothing; dec %0; jnz 1b" : "+r"(count) : : "cc"); }

static void sysenter_sysexit(word count) { user_mode(user_sysenter, count); }

static void int80_iret(word count) { user_mode(user_int80, count); }

static void in_port_80(word count) { __asm__ volatile("1: in $0x80, %%al; dec %0; jnz 1b" : "+r"(count) : : "eax", "cc"); }

static void write_cr2(word count) { __asm__ volatile("1: mov %0, %%cr2; dec %0; jnz 1b" : "+r"(count) : : "cc"); }

static void write_cr3(word count) {
    __asm__ volatile("1: mov %1, %%cr3; dec %0; jnz 1b" : "+r"(count) : "r"(directory) : "cc", "memory");
}

static void write_cr4(word count) {
    word value;
    __asm__ volatile("mov %%cr4, %1; 1: mov %1, %%cr4; dec %0; jnz 1b" : "+r"(count), "=&r"(value) : : "cc", "memory");
}

static void cli_sti(word count) { __asm__ volatile("1: cli; sti; dec %0; jnz 1b; cli" : "+r"(count) : : "cc"); }

static void read_tsc(word count) { __asm__ volatile("1: rdtsc; dec %0; jnz 1b" : "+r"(count) : : "eax", "edx", "cc"); }

static void page_fault(word count) {
    __asm__ volatile("1: mov (%%ebx), %%eax; dec %0; jnz 1b" : "+r"(count) : "b"(absent_page) : "eax", "cc");
}

static void divide_by_zero(word count) {
    word zero = 0;
    __asm__ volatile("1: div %%ecx; dec %0; jnz 1b" : "+S"(count), "+c"(zero) : : "eax", "edx", "cc");
}

static void write_entries(word count, word value) {
    volatile word* entries = tables;
    for (word i = 0; i < count; ++i) entries[i % table_entries] = value;
}

static word entry(void) { return (word)some_page | present | writable; }
static void entry_unchanged(word count) { write_entries(count, entry()); }
static void entry_to_absent(word count) { write_entries(count, 0); }
static void entry_to_present(word count) { write_entries(count, entry()); }

/* What a kernel does for each fresh page: enter it, use it, take it out, flush. */
static void map_touch_unmap(word count) {
    volatile word* entries = tables;
    for (word i = 0; i < count; ++i) {
        volatile byte* linear = (volatile byte*)(pages_linear + i % table_entries * page);
        entries[i % table_entries] = entry();
        *linear = 1;
        entries[i % table_entries] = 0;
        __asm__ volatile("invlpg %0" : : "m"(*linear) : "memory");
    }
}

/* Straight code that runs once. COUNT is in instructions; every ninth is a jump. */
static void fresh_code(word count) { __asm__ volatile("call *%1" : "+a"(count) : "r"(generated) : "ecx", "edx", "cc"); }

static void generate(word count) {
    static const byte two[] = {0x01, 0xC8}, three[] = {0x8D, 0x14, 0x08}, other[] = {0x83, 0xC1, 0x05};
    byte* at = generated;
    for (word i = 0; i < count; ++i) {
        const byte* from = i % 4 == 0 ? other : i % 4 == 1 ? three : two;
        word length = i % 4 < 2 ? 3 : 2; /* add ecx, 5; lea edx, [eax+ecx]; add eax, ecx */
        for (word k = 0; k < length; ++k) *at++ = from[k];
        if (i % 8 == 7) *at++ = 0x74, *at++ = 0x00; /* jz to the next instruction: ends a block */
    }
    *at = 0xC3;
}

struct operation {
    const char* name;
    void (*run)(word count);
    word count;
};

static const struct operation operations[] = {
    {"loop", empty_loop, 100000000},        {"call_ret", call_and_return, 20000000}, {"sysenter", sysenter_sysexit, 200000},
    {"int80", int80_iret, 200000},          {"in_port_80", in_port_80, 1000000},     {"write_cr2", write_cr2, 1000000},
    {"write_cr3", write_cr3, 50000},        {"write_cr4", write_cr4, 100000},        {"cli_sti", cli_sti, 2000000},
    {"rdtsc", read_tsc, 2000000},           {"page_fault", page_fault, 50000},       {"divide_by_zero", divide_by_zero, 50000},
    {"pte_unchanged", entry_unchanged, table_entries},
    {"pte_to_absent", entry_to_absent, table_entries},
    {"pte_to_present", entry_to_present, table_entries},
    {"map_touch_unmap", map_touch_unmap, 20000},
    {"fresh_code", fresh_code, 200000},
};

static quad descriptor(word base, word limit, word access, word flags) {
    return (quad)(base >> 24) << 56 | (quad)flags << 52 | (quad)(limit >> 16) << 48 | (quad)access << 40 |
           (quad)(base & 0xFFFFFF) << 16 | (limit & 0xFFFF);
}

static void set_gate(int vector, const void* handler, word privilege) {
    word offset = (word)handler;
    gates[vector] = (quad)(offset >> 16) << 48 | (quad)(0x8E | privilege << 5) << 40 | (quad)kernel_code << 16 | (offset & 0xFFFF);
}

static void write_msr(word index, word value) { __asm__ volatile("wrmsr" : : "c"(index), "a"(value), "d"(0)); }

static void set_up_segments(void) {
    struct {
        half limit;
        word base;
    } __attribute__((packed)) gdt = {sizeof descriptors - 1, (word)descriptors}, idt = {sizeof gates - 1, (word)gates};
    for (int i = 0; i < 4; ++i) descriptors[1 + i] = descriptor(0, 0xFFFFF, (i % 2 ? 0x93 : 0x9B) | (i / 2) * 0x60, 0xC);
    descriptors[5] = descriptor((word)task, sizeof task - 1, 0x89, 0);
    task[1] = (word)(stack + 8192); /* ESP0: below it is free while ring 3 runs, above it kernel() waits */
    task[2] = kernel_data;
    set_gate(0, on_divide_error, 0);
    set_gate(14, on_page_fault, 0);
    set_gate(0x20, on_timer, 0);
    set_gate(0x30, on_leave_user_mode, 3);
    set_gate(0x80, on_system_call, 3);
    __asm__ volatile(
        "lgdt %0; lidt %1; ljmp %2, $1f; 1: mov %3, %%ds; mov %3, %%es; mov %3, %%ss; mov %3, %%fs; mov %3, %%gs; ltr %w4"
        : : "m"(gdt), "m"(idt), "i"(kernel_code), "r"(kernel_data), "r"(task_state) : "memory");
    write_msr(0x174, kernel_code); /* IA32_SYSENTER_CS, _ESP, _EIP */
    write_msr(0x175, (word)(stack + 8192));
    write_msr(0x176, (word)on_sysenter);
}

static void set_up_paging(void) {
    for (word i = 0; i < 8 * 1024; ++i) low_tables[i] = i * page | present | writable | user;
    for (word i = 0; i < 8; ++i) directory[i] = (word)(low_tables + i * 1024) | present | writable | user;
    for (word i = 0; i < table_entries / 1024; ++i)
        directory[(pages_linear >> 22) + i] = (word)(tables + i * 1024) | present | writable;
    write_entries(table_entries, entry());
    __asm__ volatile("mov %0, %%cr3; mov %%cr0, %%eax; or $0x80000000, %%eax; mov %%eax, %%cr0"
                     : : "r"(directory) : "eax", "memory");
}

static void set_up_timer(void) {
    static const byte words[][2] = {{0x20, 0x11}, {0xA0, 0x11}, {0x21, 0x20}, {0xA1, 0x28}, {0x21, 4}, {0xA1, 2},
                                    {0x21, 1},    {0xA1, 1},    {0x21, 0xFE}, {0xA1, 0xFF}};
    for (word i = 0; i < sizeof words / 2; ++i) out(words[i][0], words[i][1]);
    out(0x43, 0x34); /* counter 0, mode 2, some 50 Hz */
    out(0x40, 0x00);
    out(0x40, 0x5D);
}

void kernel(void) {
    set_up_segments();
    set_up_paging();
    set_up_timer();
    for (word i = 0; i < sizeof operations / sizeof *operations; ++i) {
        const struct operation* operation = &operations[i];
        if (operation->run == fresh_code) generate(operation->count);
        say("@begin ");
        say(operation->name);
        say("\n");
        rest();
        operation->run(operation->count);
        say("@end ");
        say(operation->name);
        say(" ");
        say_number(operation->count);
        say("\n");
        rest();
    }
    say("@done\n");
}
