// The table of MSRs.
#include "cpu/model_specific.hpp"

#include "cpu/control_registers.hpp"

namespace vellum {

namespace {

const Fault gp0 = Fault::exception(vector::gp);

using Read = u64 (*)(Cpu&, u32 index);
using Write = Fault (*)(Cpu&, u32 index, u64 value);

struct MsrRow {
    u32 first, last;
    Read read;
    Write write;
};

constexpr u64 mtrr_capabilities = 8 | 1u << 8 | 1u << 10;  // eight variable ranges, fixed ranges, write combining
constexpr u64 mtrr_address = ((u64{1} << physical_address_bits) - 1) & ~u64{0xFFF};

// Memory types that PAT and MTRRs know: UC, WC, WT, WP, WB and, for PAT only, UC-.
constexpr bool memory_type(u64 type, bool pat) {
    return type == 0 || type == 1 || (type >= 4 && type <= 6) || (pat && type == 7);
}

bool memory_types(u64 eight, bool pat) {
    for (u32 i = 0; i < 8; ++i)
        if (!memory_type(eight >> (8 * i) & 0xFF, pat)) return false;
    return true;
}

u64 zero(Cpu&, u32) { return 0; }
Fault ignore(Cpu&, u32, u64) { return Fault::none(); }
Fault refuse(Cpu&, u32, u64) { return gp0; }

template <u64 CpuState::*field>
u64 get(Cpu& cpu, u32) {
    return cpu.state.*field;
}
template <u64 CpuState::*field>
Fault set32(Cpu& cpu, u32, u64 value) {
    cpu.state.*field = static_cast<u32>(value);
    return Fault::none();
}

u64 read_tsc(Cpu& cpu, u32) { return cpu.outside.guest_time() + cpu.state.tsc_offset; }
Fault write_tsc(Cpu& cpu, u32, u64 value) {
    cpu.state.tsc_offset = value - cpu.outside.guest_time();
    return Fault::none();
}

u64 read_apic_base(Cpu& cpu, u32) { return cpu.outside.apic_base(); }
Fault write_apic_base(Cpu& cpu, u32, u64 value) {
    // 35-12 base | 11 enable | 8 bootstrap processor; there is no x2APIC mode.
    constexpr u64 known = mtrr_address | 0x900;
    if (value & ~known) return gp0;
    cpu.outside.set_apic_base(value);
    return Fault::none();
}

Fault write_pat(Cpu& cpu, u32, u64 value) {
    if (!memory_types(value, true)) return gp0;
    cpu.state.pat = value;
    return Fault::none();
}

Fault write_misc_enable(Cpu& cpu, u32, u64 value) {
    cpu.state.misc_enable = value;
    return Fault::none();
}

Fault write_efer_row(Cpu& cpu, u32, u64 value) { return write_efer(cpu, value); }

u64 read_mtrr_capabilities(Cpu&, u32) { return mtrr_capabilities; }

Fault write_mtrr_default(Cpu& cpu, u32, u64 value) {
    if (value & ~u64{0xCFF} || !memory_type(value & 0xFF, false)) return gp0;
    cpu.state.mtrr_def_type = value;
    return Fault::none();
}

u64 read_mtrr_variable(Cpu& cpu, u32 index) { return cpu.state.mtrr_variable[index - 0x200]; }
Fault write_mtrr_variable(Cpu& cpu, u32 index, u64 value) {
    bool mask = index & 1;
    if (value & ~(mtrr_address | (mask ? 0x800 : 0xFF))) return gp0;
    if (!mask && !memory_type(value & 0xFF, false)) return gp0;
    cpu.state.mtrr_variable[index - 0x200] = value;
    return Fault::none();
}

// 250h; 258h 259h; 268h-26Fh: eleven in all.
u32 fixed_number(u32 index) { return index == 0x250 ? 0 : index < 0x268 ? index - 0x258 + 1 : index - 0x268 + 3; }
u64 read_mtrr_fixed(Cpu& cpu, u32 index) { return cpu.state.mtrr_fixed[fixed_number(index)]; }
Fault write_mtrr_fixed(Cpu& cpu, u32 index, u64 value) {
    if (!memory_types(value, false)) return gp0;
    cpu.state.mtrr_fixed[fixed_number(index)] = value;
    return Fault::none();
}

constexpr MsrRow rows[] = {
    {0x000, 0x001, zero, ignore},  // P5_MC_ADDR, P5_MC_TYPE
    {0x010, 0x010, read_tsc, write_tsc},
    {0x017, 0x017, zero, refuse},  // PLATFORM_ID
    {0x01B, 0x01B, read_apic_base, write_apic_base},
    {0x02A, 0x02A, zero, ignore},  // EBL_CR_POWERON
    {0x079, 0x079, zero, ignore},  // BIOS_UPDT_TRIG: no update changes anything
    {0x08B, 0x08B, zero, ignore},  // BIOS_SIGN_ID: revision 0
    {0x0FE, 0x0FE, read_mtrr_capabilities, refuse},
    {0x174, 0x174, get<&CpuState::sysenter_cs>, set32<&CpuState::sysenter_cs>},
    {0x175, 0x175, get<&CpuState::sysenter_esp>, set32<&CpuState::sysenter_esp>},
    {0x176, 0x176, get<&CpuState::sysenter_eip>, set32<&CpuState::sysenter_eip>},
    {0x179, 0x179, zero, refuse},  // MCG_CAP: no machine-check banks
    {0x17A, 0x17A, zero, ignore},  // MCG_STATUS
    {0x1A0, 0x1A0, get<&CpuState::misc_enable>, write_misc_enable},
    {0x1D9, 0x1D9, zero, ignore},  // DEBUGCTL: no branch records
    {0x200, 0x20F, read_mtrr_variable, write_mtrr_variable},
    {0x250, 0x250, read_mtrr_fixed, write_mtrr_fixed},
    {0x258, 0x259, read_mtrr_fixed, write_mtrr_fixed},
    {0x268, 0x26F, read_mtrr_fixed, write_mtrr_fixed},
    {0x277, 0x277, get<&CpuState::pat>, write_pat},
    {0x2FF, 0x2FF, get<&CpuState::mtrr_def_type>, write_mtrr_default},
    {0xC0000080, 0xC0000080, get<&CpuState::efer>, write_efer_row},
};

const MsrRow* find(u32 index) {
    for (const MsrRow& row : rows)
        if (index >= row.first && index <= row.last) return &row;
    return nullptr;
}

}  // namespace

OrFault<u64> read_msr(Cpu& cpu, u32 index) {
    if (const MsrRow* row = find(index)) return row->read(cpu, index);
    cpu.log.once(Topic::Cpu, "read of unknown MSR {:#x}", index);
    return gp0;
}

Fault write_msr(Cpu& cpu, u32 index, u64 value) {
    const MsrRow* row = find(index);
    if (!row) cpu.log.once(Topic::Cpu, "write of unknown MSR {:#x}", index);
    return row ? row->write(cpu, index, value) : gp0;
}

}  // namespace vellum
