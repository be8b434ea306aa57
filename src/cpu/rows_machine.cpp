// Control and debug registers, descriptor-table registers, caches, ports, MSRs, CPUID, RDTSC (SDM 2; SDM 3A 2.8).
#include "cpu/breakpoints.hpp"
#include "cpu/control_registers.hpp"
#include "cpu/cpuid.hpp"
#include "cpu/memory_access.hpp"
#include "cpu/model_specific.hpp"
#include "cpu/segments.hpp"
#include "cpu/system.hpp"
#include "cpu/system_operands.hpp"

namespace vellum {

using namespace system_operands;

namespace {

template <DescriptorTable CpuState::*table>
Fault load_table(Cpu& cpu, const Instruction& in) {
    if (cpu.state.cpl != 0) return gp0;
    u8 bytes[6];
    if (Fault f = cpu.read_bytes(in.memory.segment, cpu.effective_address(in), bytes)) return f;
    u16 limit;
    u32 base;
    std::memcpy(&limit, bytes, sizeof limit);
    std::memcpy(&base, bytes + 2, sizeof base);
    cpu.state.*table = {in.operand_size == 2 ? base & 0xFFFFFF : base, limit};
    return Fault::none();
}

// Both operand sizes store the whole base; any privilege may look.
template <DescriptorTable CpuState::*table>
Fault store_table(Cpu& cpu, const Instruction& in) {
    const DescriptorTable& value = cpu.state.*table;
    auto base = static_cast<u32>(value.base);
    u8 bytes[6];
    std::memcpy(bytes, &value.limit, 2);
    std::memcpy(bytes + 2, &base, 4);
    u32 offset = cpu.effective_address(in);
    if (Fault f = cpu.check_alignment(in.memory.segment, offset, sizeof bytes, 4, Access::Write)) return f;
    return cpu.write_bytes(in.memory.segment, offset, bytes);
}

Fault smsw(Cpu& cpu, const Instruction& in) { return write_word_operand(cpu, in, static_cast<u32>(cpu.state.cr0)); }

// Sets PE but never clears it.
Fault lmsw(Cpu& cpu, const Instruction& in) {
    if (cpu.state.cpl != 0) return gp0;
    OrFault<u16> word = read_word_operand(cpu, in, 0);
    if (!word) return word.fault();
    auto kept = static_cast<u32>(cpu.state.cr0 & ~(cr0::mp | cr0::em | cr0::ts));
    if (Fault f = write_cr0(cpu, kept | (*word & 0xF))) return f;
    return retire(cpu, in);
}

Fault clts(Cpu& cpu, const Instruction& in) {
    if (cpu.state.cpl != 0) return gp0;
    cpu.state.cr0 &= ~cr0::ts;
    return retire(cpu, in);
}

Fault invlpg(Cpu& cpu, const Instruction& in) {
    if (cpu.state.cpl != 0) return gp0;
    u32 base = static_cast<u32>(cpu.state.segment(in.memory.segment).base);
    cpu.mmu.flush_page(Linear{static_cast<u32>(base + cpu.effective_address(in))});
    return retire(cpu, in);
}

// Caches are not modelled.
Fault flush_caches(Cpu& cpu, const Instruction&) { return cpu.state.cpl == 0 ? Fault::none() : gp0; }

u16 port_of(const Cpu& cpu, const Instruction& in, const Operand& operand) {
    return operand.kind == Operand::Kind::Immediate ? in.immediate & 0xFF : cpu.get16(2);
}

Fault in_port(Cpu& cpu, const Instruction& in) {
    u16 port = port_of(cpu, in, in.op[1]);
    u8 size = in.op[0].size;
    if (Fault f = check_io_permission(cpu, port, size)) return f;
    u32 value = read_port(cpu, port, size);
    if (size == 1)
        cpu.set8(0, static_cast<u8>(value));
    else
        write_register(cpu, 0, size, value);
    return Fault::none();
}

Fault out_port(Cpu& cpu, const Instruction& in) {
    u16 port = port_of(cpu, in, in.op[0]);
    u8 size = in.op[1].size;
    if (Fault f = check_io_permission(cpu, port, size)) return f;
    u32 value = size == 1 ? cpu.get8(0) : size == 2 ? cpu.get16(0) : cpu.get32(0);
    write_port(cpu, port, size, value);
    return Fault::none();
}

Fault cpuid(Cpu& cpu, const Instruction&) {
    CpuidAnswer a = cpuid_answer(cpu.get32(0), cpu.get32(1), cpu.features);
    bool apic_enabled = cpu.outside.apic_base() & 0x800;
    if (cpu.get32(0) == 1 && !apic_enabled) a.edx &= ~cpuid_apic;
    cpu.set32(0, a.eax);
    cpu.set32(1, a.ecx);
    cpu.set32(2, a.edx);
    cpu.set32(3, a.ebx);
    return Fault::none();
}

void set_edx_eax(Cpu& cpu, u64 value) {
    cpu.set32(0, static_cast<u32>(value));
    cpu.set32(2, static_cast<u32>(value >> 32));
}

Fault rdtsc(Cpu& cpu, const Instruction&) {
    if (cpu.state.cr4 & cr4::tsd && cpu.state.cpl != 0) return gp0;
    set_edx_eax(cpu, cpu.outside.guest_time() + cpu.state.tsc_offset);
    return Fault::none();
}

Fault rdpmc(Cpu&, const Instruction&) { return gp0; }  // there are no counters

Fault rdmsr(Cpu& cpu, const Instruction&) {
    if (cpu.state.cpl != 0) return gp0;
    OrFault<u64> value = read_msr(cpu, cpu.get32(1));
    if (!value) return value.fault();
    set_edx_eax(cpu, *value);
    return Fault::none();
}

Fault wrmsr(Cpu& cpu, const Instruction& in) {
    if (cpu.state.cpl != 0) return gp0;
    if (Fault f = write_msr(cpu, cpu.get32(1), u64{cpu.get32(2)} << 32 | cpu.get32(0))) return f;
    return retire(cpu, in);
}

constexpr InstructionRow rows[] = {
    {ZYDIS_MNEMONIC_LGDT, load_table<&CpuState::gdtr>, TranslationClass::Callout},
    {ZYDIS_MNEMONIC_LIDT, load_table<&CpuState::idtr>, TranslationClass::Callout},
    {ZYDIS_MNEMONIC_SGDT, store_table<&CpuState::gdtr>, TranslationClass::Inline},
    {ZYDIS_MNEMONIC_SIDT, store_table<&CpuState::idtr>, TranslationClass::Inline},
    {ZYDIS_MNEMONIC_SMSW, smsw, TranslationClass::Inline},
    {ZYDIS_MNEMONIC_LMSW, lmsw, TranslationClass::Callout},
    {ZYDIS_MNEMONIC_CLTS, clts, TranslationClass::Callout},
    {ZYDIS_MNEMONIC_INVLPG, invlpg, TranslationClass::Callout},
    {ZYDIS_MNEMONIC_INVD, flush_caches, TranslationClass::Interpret},
    {ZYDIS_MNEMONIC_WBINVD, flush_caches, TranslationClass::Callout},
    {ZYDIS_MNEMONIC_IN, in_port, TranslationClass::Callout},
    {ZYDIS_MNEMONIC_OUT, out_port, TranslationClass::Callout},
    {ZYDIS_MNEMONIC_CPUID, cpuid, TranslationClass::Callout},
    {ZYDIS_MNEMONIC_RDTSC, rdtsc, TranslationClass::Inline},
    {ZYDIS_MNEMONIC_RDPMC, rdpmc, TranslationClass::Interpret},
    {ZYDIS_MNEMONIC_RDMSR, rdmsr, TranslationClass::Callout},
    {ZYDIS_MNEMONIC_WRMSR, wrmsr, TranslationClass::Callout},
};

u32 debug_value(u8 number, u32 value) {
    if (number == 6) return (value & dr6::writable) | dr6::fixed;
    return number == 7 ? (value & dr7::writable) | dr7::fixed : value;
}

}  // namespace

Fault mov_control(Cpu& cpu, const Instruction& in) {
    CpuState& state = cpu.state;
    bool reads = in.op[1].kind == Operand::Kind::Control;
    u8 number = in.op[reads ? 1 : 0].reg;
    if (number == 1 || number > 4) return Fault::exception(vector::ud);
    if (state.cpl != 0) return gp0;
    if (reads) {
        const u64 values[] = {state.cr0, 0, state.cr2, state.cr3, state.cr4};
        cpu.set32(in.op[0].reg, static_cast<u32>(values[number]));
        return Fault::none();
    }
    u32 value = cpu.get32(in.op[1].reg);
    Fault f{};
    switch (number) {
        case 0: f = write_cr0(cpu, value); break;
        case 2: state.cr2 = value; break;
        case 3: f = write_cr3(cpu, value); break;
        default: f = write_cr4(cpu, value); break;
    }
    return f ? f : retire(cpu, in);
}

// Engines look for enabled breakpoints between blocks, so a write ends one.
Fault mov_debug(Cpu& cpu, const Instruction& in) {
    CpuState& state = cpu.state;
    bool reads = in.op[1].kind == Operand::Kind::Debug;
    u8 number = in.op[reads ? 1 : 0].reg;
    if (number == 4 || number == 5) {
        if (state.cr4 & cr4::de) return Fault::exception(vector::ud);
        number += 2;
    }
    if (state.cpl != 0) return gp0;
    if (state.dr[7] & dr7::general_detect) {
        state.debug_traps |= dr6::general_detect;
        state.eflags |= eflags::rf;  // a fault, of which RF is saved as 1
        return Fault::exception(vector::db);
    }
    if (reads) {
        cpu.set32(in.op[0].reg, static_cast<u32>(state.dr[number]));
        return Fault::none();
    }
    state.dr[number] = debug_value(number, cpu.get32(in.op[1].reg));
    withhold_watched_pages(cpu);
    return retire(cpu, in);
}

Fault check_io_permission(Cpu& cpu, u16 port, u8 size) {
    const CpuState& state = cpu.state;
    if (!state.protected_mode() || (!state.v86() && state.cpl <= state.iopl())) return Fault::none();
    const Segment& tss = state.tr;
    constexpr u32 map_base = 0x66;
    bool has_map = tss.present() && (tss.type() & 0xD) == system_type::tss32 && tss.limit > map_base;
    if (!has_map) return gp0;
    OrFault<u16> start = cpu.read_linear<u16>(Linear{tss.base} + map_base, Privilege::Supervisor);
    if (!start) return start.fault();
    u32 byte = *start + port / 8u;
    if (byte + 1 > tss.limit) return gp0;  // two bytes are read, for accesses over a byte's end
    OrFault<u16> bits = cpu.read_linear<u16>(Linear{tss.base} + byte, Privilege::Supervisor);
    if (!bits) return bits.fault();
    u32 wanted = ((1u << size) - 1) << (port % 8);
    return *bits & wanted ? gp0 : Fault::none();
}

u32 read_port(Cpu& cpu, u16 port, u8 size) {
    note_port(cpu.state, port, size);
    return cpu.outside.read_port(port, size);
}

void write_port(Cpu& cpu, u16 port, u8 size, u32 value) {
    note_port(cpu.state, port, size);
    cpu.outside.write_port(port, size, value);
}

std::span<const InstructionRow> machine_rows() { return rows; }

}  // namespace vellum
