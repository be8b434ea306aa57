// Stubs: encoding, check, memory for them, and the two ways of running one.
#include "cpu/host_stubs.hpp"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <span>

#include "base/host_error.hpp"
#include "cpu/fpu.hpp"

namespace vellum {

namespace {

constexpr u32 slot_bytes = 16;  // two prefixes, three bytes of opcode, ModRM, an immediate and RET need eight
constexpr u32 arena_bytes = 64 * 1024;
constexpr u8 ret = 0xC3;
constexpr u8 memory_form = 7;  // mod 0, rm 7: [edi] and [rdi]

bool has_immediate(const Instruction& in) {
    return std::any_of(in.op.begin(), in.op.end(), [](const Operand& o) { return o.kind == Operand::Kind::Immediate; });
}

u8 host_modrm(const Instruction& in) {
    bool general = std::any_of(in.op.begin(), in.op.end(),
                               [](const Operand& o) { return o.kind == Operand::Kind::Gpr && o.size != 0; });
    bool in_register_field = general && HostStubs::general_in_register_field(in);
    u8 reg = in_register_field ? 0 : (in.modrm >> 3) & 7;
    if (in.has_memory) return static_cast<u8>(reg << 3 | memory_form);
    bool in_rm = general && (!in_register_field || in.mnemonic == ZYDIS_MNEMONIC_CRC32);
    return static_cast<u8>(0xC0 | reg << 3 | (in_rm ? 2 : in.modrm & 7));
}

bool same_operand(const Operand& a, const Operand& b, bool size_matters) {
    if (a.kind != b.kind || a.access != b.access) return false;
    if (a.kind == Operand::Kind::Gpr) return !size_matters || a.size == b.size;
    return a.size == b.size && a.reg == b.reg;
}

// Does the encoded instruction do what the guest's does? Only the general registers and the address may differ.
bool equivalent(const Instruction& guest, const Instruction& host) {
    if (guest.mnemonic != host.mnemonic || guest.opcode_map != host.opcode_map || guest.opcode != host.opcode ||
        guest.has_memory != host.has_memory)
        return false;
    if (has_immediate(guest) && static_cast<u8>(guest.immediate) != static_cast<u8>(host.immediate)) return false;
    if (host.has_memory && (host.memory.base != 7 || host.memory.index != MemoryOperand::none ||
                            host.memory.displacement != 0 || host.address_size != 4))
        return false;
    bool size_matters = guest.mnemonic == ZYDIS_MNEMONIC_CRC32;
    return std::equal(guest.op.begin(), guest.op.end(), host.op.begin(),
                      [&](const Operand& a, const Operand& b) { return same_operand(a, b, size_matters); });
}

// What tells forms apart, in one word. The address does not, and both code sizes share their stubs except where the
// operand size counts.
u64 form_of(const Instruction& in) {
    u64 prefixes = in.operand_size_prefix | in.rep << 1 | in.repne << 2;
    u64 size = std::min<u64>(in.op[1].size, 15);
    return prefixes | size << 4 | u64{in.opcode_map} << 8 | u64{in.has_memory} << 12 | u64{in.opcode} << 16 |
           u64{host_modrm(in)} << 24 | u64{has_immediate(in) ? static_cast<u8>(in.immediate) : u8{0}} << 32;
}

}  // namespace

// ModRM.reg names a general register in these; in all others a general register is named by ModRM.rm.
bool HostStubs::general_in_register_field(const Instruction& in) {
    if (in.opcode_map == 2) return in.opcode == 0xF0 || in.opcode == 0xF1;  // CRC32
    constexpr u8 opcodes[] = {0x2C, 0x2D, 0x50, 0xC3, 0xC5, 0xD7};  // CVT(T)S?2SI MOVMSKP? MOVNTI PEXTRW PMOVMSKB
    return in.opcode_map == 1 && std::find(std::begin(opcodes), std::end(opcodes), in.opcode) != std::end(opcodes);
}

HostStubs::HostStubs(const HostFeatures& features) : decoder_{features} { map_arena(); }

HostStubs::~HostStubs() { unmap_arena(); }

void HostStubs::map_arena() {
    int file = memfd_create("vellum stubs", MFD_CLOEXEC);
    if (file < 0 || ftruncate(file, arena_bytes) != 0) throw HostError{"no memory for host instruction stubs"};
    void* writable = mmap(nullptr, arena_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    void* executable = mmap(nullptr, arena_bytes, PROT_READ | PROT_EXEC, MAP_SHARED, file, 0);
    close(file);
    if (writable == MAP_FAILED || executable == MAP_FAILED) throw HostError{"no memory for host instruction stubs"};
    writable_ = static_cast<u8*>(writable);
    executable_ = static_cast<u8*>(executable);
    used_ = 0;
}

void HostStubs::unmap_arena() {
    munmap(writable_, arena_bytes);
    munmap(executable_, arena_bytes);
}

HostStubs::Code HostStubs::find(const Instruction& in) {
    u64 form = form_of(in);
    if (auto known = stubs_.find(form); known != stubs_.end()) return known->second;
    if (used_ + slot_bytes > arena_bytes) {  // a guest that tries every immediate: begin again on fresh pages
        stubs_.clear();
        unmap_arena();
        map_arena();
    }
    Code code = build(in);
    if (code) stubs_[form] = code;
    return code;
}

HostStubs::Code HostStubs::build(const Instruction& in) {
    // The fewest prefixes that give the guest's meaning: those that it merely ignores are dropped.
    constexpr u8 choices[][2] = {{0, 0}, {0x66, 0}, {0xF3, 0}, {0xF2, 0}, {0x66, 0xF2}};
    constexpr u8 escapes[][2] = {{0, 0}, {0x0F, 0}, {0x0F, 0x38}, {0x0F, 0x3A}};
    for (const auto& prefixes : choices) {
        u8 bytes[slot_bytes];
        u32 length = 0;
        auto put = [&](u8 byte) { bytes[length++] = byte; };
        for (u8 prefix : prefixes)
            if (prefix) put(prefix);
        for (u8 escape : escapes[in.opcode_map & 3])
            if (escape) put(escape);
        put(in.opcode);
        if (in.has_modrm) put(host_modrm(in));
        if (has_immediate(in)) put(static_cast<u8>(in.immediate));
        Instruction host;
        if (decoder_.decode({bytes, length}, true, host) != DecodeStatus::Ok || host.length != length) continue;
        if (!equivalent(in, host)) continue;
        put(ret);
        std::memcpy(writable_ + used_, bytes, length);
        Code code = executable_ + used_;
        used_ += slot_bytes;
        return code;
    }
    return nullptr;
}

// The stack pointer is moved past the red zone before anything is pushed.
void HostStubs::run_vector(HostOperands& operands, Code code) {
    asm volatile(
        "lea -128(%%rsp), %%rsp\n\t"
        "stmxcsr %c[host_mxcsr](%[at])\n\t"
        "ldmxcsr %c[mxcsr](%[at])\n\t"
        ".irp n, 0, 1, 2, 3, 4, 5, 6, 7\n\t"
        "movaps %c[xmm] + 16 * \\n(%[at]), %%xmm\\n\n\t"
        ".endr\n\t"
        "mov %c[eax](%[at]), %%eax\n\t"
        "mov %c[edx](%[at]), %%edx\n\t"
        "xor %%ecx, %%ecx\n\t"
        "call *%[code]\n\t"
        "pushfq\n\t"
        "popq %c[flags](%[at])\n\t"
        "mov %%rax, %c[eax](%[at])\n\t"
        "mov %%rdx, %c[edx](%[at])\n\t"
        "mov %%rcx, %c[ecx](%[at])\n\t"
        ".irp n, 0, 1, 2, 3, 4, 5, 6, 7\n\t"
        "movaps %%xmm\\n, %c[xmm] + 16 * \\n(%[at])\n\t"
        ".endr\n\t"
        "stmxcsr %c[mxcsr](%[at])\n\t"
        "ldmxcsr %c[host_mxcsr](%[at])\n\t"
        "lea 128(%%rsp), %%rsp"
        :
        : [at] "D"(&operands), [code] "S"(code), [host_mxcsr] "i"(offsetof(HostOperands, host_mxcsr)),
          [mxcsr] "i"(offsetof(HostOperands, fpu) + offsetof(FxImage, mxcsr)),
          [xmm] "i"(offsetof(HostOperands, fpu) + offsetof(FxImage, xmm)), [eax] "i"(offsetof(HostOperands, eax)),
          [edx] "i"(offsetof(HostOperands, edx)), [ecx] "i"(offsetof(HostOperands, ecx)),
          [flags] "i"(offsetof(HostOperands, flags))
        : "rax", "rcx", "rdx", "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "memory", "cc");
}

void HostStubs::run_all(HostOperands& operands, Code code) {
    const x87::Pointers before = x87::pointers(operands.fpu);
    operands.flags &= eflags::arithmetic;
    asm volatile(
        "lea -128(%%rsp), %%rsp\n\t"
        "stmxcsr %c[host_mxcsr](%[at])\n\t"
        "fnstcw %c[host_control](%[at])\n\t"
        "fxrstor %c[fpu](%[at])\n\t"
        "mov %c[eax](%[at]), %%eax\n\t"
        "mov %c[edx](%[at]), %%edx\n\t"
        "xor %%ecx, %%ecx\n\t"
        "pushq %c[flags](%[at])\n\t"
        "popfq\n\t"
        "call *%[code]\n\t"
        "pushfq\n\t"
        "popq %c[flags](%[at])\n\t"
        "mov %%rax, %c[eax](%[at])\n\t"
        "mov %%rdx, %c[edx](%[at])\n\t"
        "mov %%rcx, %c[ecx](%[at])\n\t"
        "fxsave %c[fpu](%[at])\n\t"
        "fninit\n\t"
        "fldcw %c[host_control](%[at])\n\t"
        "ldmxcsr %c[host_mxcsr](%[at])\n\t"
        "lea 128(%%rsp), %%rsp"
        :
        : [at] "D"(&operands), [code] "S"(code), [host_mxcsr] "i"(offsetof(HostOperands, host_mxcsr)),
          [host_control] "i"(offsetof(HostOperands, host_control)), [fpu] "i"(offsetof(HostOperands, fpu)),
          [eax] "i"(offsetof(HostOperands, eax)), [edx] "i"(offsetof(HostOperands, edx)),
          [ecx] "i"(offsetof(HostOperands, ecx)), [flags] "i"(offsetof(HostOperands, flags))
        : "rax", "rcx", "rdx", "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10",
          "xmm11", "xmm12", "xmm13", "xmm14", "xmm15", "st", "st(1)", "st(2)", "st(3)", "st(4)", "st(5)", "st(6)",
          "st(7)", "memory", "cc");
    x87::set_pointers(operands.fpu, before);
}

}  // namespace vellum
