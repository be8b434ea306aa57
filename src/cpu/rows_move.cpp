// Data movement that is not on the stack: MOV, XCHG, LEA, CMOVcc, SETcc, conversions, XLAT, and what does nothing
// (SDM vol. 1, 7.3.1). MOV with segment, control and debug registers belongs to the system chapter.
#include "cpu/alu.hpp"
#include "cpu/rows_integer.hpp"

namespace vellum {

namespace {

template <typename T, Form form>
Fault move(Cpu& cpu, const Instruction& in) {
    auto value = source<T, form>(cpu, in);
    if (!value) return value.fault();
    if constexpr (form == Form::MemReg || form == Form::MemImm)
        return cpu.write<T>(in.memory.segment, cpu.effective_address(in), *value);
    set<T>(cpu, in.op[0].reg, *value);
    return Fault::none();
}

template <typename T>
Execute move_of_form(Form form) {
    constexpr Execute by_form[] = {move<T, Form::RegReg>, move<T, Form::RegMem>, move<T, Form::RegImm>,
                                   move<T, Form::MemReg>, move<T, Form::MemImm>};
    return by_form[static_cast<u8>(form)];
}

Execute pick_move(const Instruction& in) {
    switch (in.op[0].size) {
        case 1: return move_of_form<u8>(form_of(in));
        case 2: return move_of_form<u16>(form_of(in));
        default: return move_of_form<u32>(form_of(in));
    }
}

// MOVZX and MOVSX: the types carry width and sign.
template <typename To, typename From, Form form>
Fault extend(Cpu& cpu, const Instruction& in) {
    auto value = source<std::make_unsigned_t<From>, form>(cpu, in);
    if (!value) return value.fault();
    set<To>(cpu, in.op[0].reg, static_cast<To>(static_cast<From>(*value)));
    return Fault::none();
}

template <typename From8, typename From16>
Execute pick_extend(const Instruction& in) {
    constexpr auto reg = Form::RegReg, mem = Form::RegMem;
    constexpr Execute by_sizes[2][2][2] = {
        {{extend<u16, From8, reg>, extend<u16, From8, mem>}, {extend<u16, From16, reg>, extend<u16, From16, mem>}},
        {{extend<u32, From8, reg>, extend<u32, From8, mem>}, {extend<u32, From16, reg>, extend<u32, From16, mem>}}};
    return by_sizes[in.op[0].size == 4][in.op[1].size == 2][in_memory(in.op[1])];
}

// XCHG: of two registers, or of one and memory, which either operand may be.
template <typename T>
Fault exchange(Cpu& cpu, const Instruction& in) {
    const Operand& a = in_memory(in.op[1]) ? in.op[1] : in.op[0];
    const Operand& b = in_memory(in.op[1]) ? in.op[0] : in.op[1];
    T replacement = get<T>(cpu, b.reg), old{};
    auto swap = [&](T value) {
        old = value;
        return replacement;
    };
    Fault f = in_memory(a) ? update<T, true>(cpu, in, a, swap) : update<T, false>(cpu, in, a, swap);
    if (!f) set<T>(cpu, b.reg, old);
    return f;
}

Execute pick_exchange(const Instruction& in) {
    constexpr Execute by_size[] = {exchange<u8>, exchange<u16>, exchange<u32>};
    return by_size[size_index(in.op[0].size)];
}

template <typename T>
Fault load_address(Cpu& cpu, const Instruction& in) {
    set<T>(cpu, in.op[0].reg, static_cast<T>(cpu.effective_address(in)));
    return Fault::none();
}

Execute pick_load_address(const Instruction& in) { return in.op[0].size == 2 ? load_address<u16> : load_address<u32>; }

u8 condition_code(const Instruction& in) { return in.opcode & 0xF; }

// The source is read, and may fault, whether or not the condition holds.
template <typename T>
Fault move_if(Cpu& cpu, const Instruction& in) {
    auto value = load<T>(cpu, in, in.op[1]);
    if (!value) return value.fault();
    if (alu::condition(condition_code(in), cpu.state.eflags)) set<T>(cpu, in.op[0].reg, *value);
    return Fault::none();
}

Execute pick_move_if(const Instruction& in) { return in.op[0].size == 2 ? move_if<u16> : move_if<u32>; }

Fault set_if(Cpu& cpu, const Instruction& in) {
    return store<u8>(cpu, in, in.op[0], alu::condition(condition_code(in), cpu.state.eflags));
}

constexpr u8 eax = 0, edx = 2, ebx = 3;

Fault byte_to_word(Cpu& cpu, const Instruction&) {
    cpu.set16(eax, static_cast<u16>(static_cast<i8>(cpu.get8(eax))));
    return Fault::none();
}

Fault word_to_double(Cpu& cpu, const Instruction&) {
    cpu.set32(eax, static_cast<u32>(static_cast<i16>(cpu.get16(eax))));
    return Fault::none();
}

Fault sign_of_ax_to_dx(Cpu& cpu, const Instruction&) {
    cpu.set16(edx, cpu.get16(eax) & 0x8000 ? 0xFFFF : 0);
    return Fault::none();
}

Fault sign_of_eax_to_edx(Cpu& cpu, const Instruction&) {
    cpu.set32(edx, cpu.get32(eax) & 0x80000000 ? 0xFFFFFFFF : 0);
    return Fault::none();
}

Fault translate_byte(Cpu& cpu, const Instruction& in) {
    u32 address = cpu.get32(ebx) + cpu.get8(eax);
    auto value = cpu.read<u8>(in.string_segment(), in.address_size == 2 ? address & 0xFFFF : address);
    if (!value) return value.fault();
    cpu.set8(eax, *value);
    return Fault::none();
}

// Hints never fault and long NOPs do not touch their operand.
Fault do_nothing(Cpu&, const Instruction&) { return Fault::none(); }

Fault pause(Cpu& cpu, const Instruction&) {
    cpu.outside.spin();
    return Fault::none();
}

// BOUND: both limits are signed and inclusive.
template <typename T>
Fault check_bounds(Cpu& cpu, const Instruction& in) {
    u32 address = cpu.effective_address(in), mask = in.address_size == 2 ? 0xFFFF : 0xFFFFFFFF;
    auto lower = cpu.read<std::make_unsigned_t<T>>(in.memory.segment, address);
    if (!lower) return lower.fault();
    auto upper = cpu.read<std::make_unsigned_t<T>>(in.memory.segment, (address + sizeof(T)) & mask);
    if (!upper) return upper.fault();
    auto index = static_cast<T>(get<std::make_unsigned_t<T>>(cpu, in.op[0].reg));
    bool inside = index >= static_cast<T>(*lower) && index <= static_cast<T>(*upper);
    return inside ? Fault::none() : Fault::exception(vector::br);
}

Fault check_bounds_by_size(Cpu& cpu, const Instruction& in) {
    return in.operand_size == 2 ? check_bounds<i16>(cpu, in) : check_bounds<i32>(cpu, in);
}

constexpr Specialisation specialisations[] = {
    {ZYDIS_MNEMONIC_MOV, pick_move},
    {ZYDIS_MNEMONIC_MOVZX, pick_extend<u8, u16>},
    {ZYDIS_MNEMONIC_MOVSX, pick_extend<i8, i16>},
    {ZYDIS_MNEMONIC_LEA, pick_load_address},
    {ZYDIS_MNEMONIC_XCHG, pick_exchange},
};

constexpr Mnemonic conditional_moves[] = {
    ZYDIS_MNEMONIC_CMOVO, ZYDIS_MNEMONIC_CMOVNO, ZYDIS_MNEMONIC_CMOVB,  ZYDIS_MNEMONIC_CMOVNB,
    ZYDIS_MNEMONIC_CMOVZ, ZYDIS_MNEMONIC_CMOVNZ, ZYDIS_MNEMONIC_CMOVBE, ZYDIS_MNEMONIC_CMOVNBE,
    ZYDIS_MNEMONIC_CMOVS, ZYDIS_MNEMONIC_CMOVNS, ZYDIS_MNEMONIC_CMOVP,  ZYDIS_MNEMONIC_CMOVNP,
    ZYDIS_MNEMONIC_CMOVL, ZYDIS_MNEMONIC_CMOVNL, ZYDIS_MNEMONIC_CMOVLE, ZYDIS_MNEMONIC_CMOVNLE,
};
constexpr Mnemonic conditional_sets[] = {
    ZYDIS_MNEMONIC_SETO, ZYDIS_MNEMONIC_SETNO, ZYDIS_MNEMONIC_SETB,  ZYDIS_MNEMONIC_SETNB,
    ZYDIS_MNEMONIC_SETZ, ZYDIS_MNEMONIC_SETNZ, ZYDIS_MNEMONIC_SETBE, ZYDIS_MNEMONIC_SETNBE,
    ZYDIS_MNEMONIC_SETS, ZYDIS_MNEMONIC_SETNS, ZYDIS_MNEMONIC_SETP,  ZYDIS_MNEMONIC_SETNP,
    ZYDIS_MNEMONIC_SETL, ZYDIS_MNEMONIC_SETNL, ZYDIS_MNEMONIC_SETLE, ZYDIS_MNEMONIC_SETNLE,
};
constexpr Mnemonic hints[] = {
    ZYDIS_MNEMONIC_NOP,        ZYDIS_MNEMONIC_ENDBR32,    ZYDIS_MNEMONIC_ENDBR64,
    ZYDIS_MNEMONIC_PREFETCH,   ZYDIS_MNEMONIC_PREFETCHW,  ZYDIS_MNEMONIC_PREFETCHT0,
    ZYDIS_MNEMONIC_PREFETCHT1, ZYDIS_MNEMONIC_PREFETCHT2, ZYDIS_MNEMONIC_PREFETCHNTA,
};
constexpr InstructionRow single_rows[] = {
    {ZYDIS_MNEMONIC_MOV, picked<pick_move>, TranslationClass::Ident},
    {ZYDIS_MNEMONIC_MOVZX, picked<pick_extend<u8, u16>>, TranslationClass::Ident},
    {ZYDIS_MNEMONIC_MOVSX, picked<pick_extend<i8, i16>>, TranslationClass::Ident},
    {ZYDIS_MNEMONIC_XCHG, picked<pick_exchange>, TranslationClass::Ident},
    {ZYDIS_MNEMONIC_LEA, picked<pick_load_address>, TranslationClass::Ident},
    {ZYDIS_MNEMONIC_CBW, byte_to_word, TranslationClass::Ident},
    {ZYDIS_MNEMONIC_CWDE, word_to_double, TranslationClass::Ident},
    {ZYDIS_MNEMONIC_CWD, sign_of_ax_to_dx, TranslationClass::Ident},
    {ZYDIS_MNEMONIC_CDQ, sign_of_eax_to_edx, TranslationClass::Ident},
    {ZYDIS_MNEMONIC_PAUSE, pause, TranslationClass::Ident},
    {ZYDIS_MNEMONIC_XLAT, translate_byte, TranslationClass::Interpret},
    {ZYDIS_MNEMONIC_BOUND, check_bounds_by_size, TranslationClass::Interpret},
};

// The families share one function each.
constexpr auto rows = [] {
    constexpr std::size_t count =
        std::size(single_rows) + std::size(conditional_moves) + std::size(conditional_sets) + std::size(hints);
    std::array<InstructionRow, count> all{};
    std::size_t n = 0;
    for (const auto& row : single_rows) all[n++] = row;
    for (Mnemonic m : conditional_moves) all[n++] = {m, picked<pick_move_if>, TranslationClass::Ident};
    for (Mnemonic m : conditional_sets) all[n++] = {m, set_if, TranslationClass::Ident};
    for (Mnemonic m : hints) all[n++] = {m, do_nothing, TranslationClass::Ident};
    return all;
}();

}  // namespace

std::span<const InstructionRow> move_rows() { return rows; }
std::span<const Specialisation> move_specialisations() { return specialisations; }

}  // namespace vellum
