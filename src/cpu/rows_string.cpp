// MOVS CMPS SCAS LODS STOS INS OUTS (SDM vol. 1, 7.3.9). The destination is always ES:EDI; the source segment of the
// others can be overridden. Runs inside one page of plain memory are done at once; see string_walk.hpp for repetition.
#include <cstring>

#include "cpu/alu.hpp"
#include "cpu/operands.hpp"
#include "cpu/rows.hpp"
#include "cpu/string_walk.hpp"
#include "cpu/system.hpp"

namespace vellum {

namespace {

using alu::Binary;

template <typename T>
T element(const u8* at) {
    T value;
    std::memcpy(&value, at, sizeof value);
    return value;
}

// Elements one after another in walking direction: what overlapping operands are defined by.
template <typename T>
void copy_elements(u8* to, const u8* from, u64 count, bool backward) {
    u64 bytes = count * sizeof(T);
    bool feeds_itself = backward ? to < from && from < to + bytes : from < to && to < from + bytes;
    if (!feeds_itself) {
        u64 below = backward ? bytes - sizeof(T) : 0;
        std::memmove(to - below, from - below, bytes);
        return;
    }
    std::ptrdiff_t step = backward ? -std::ptrdiff_t{sizeof(T)} : std::ptrdiff_t{sizeof(T)};
    for (; count; --count, to += step, from += step) std::memmove(to, from, sizeof(T));
}

template <typename T>
Fault move_string(Cpu& cpu, const Instruction& in) {
    StringWalk walk{cpu, in, sizeof(T)};
    Seg segment = in.string_segment();
    auto advance = [&](u64 elements) {
        walk.advance(esi_number, static_cast<u32>(elements));
        walk.advance(edi_number, static_cast<u32>(elements));
    };
    auto once = [&](Ended&) {
        auto value = cpu.read<T>(segment, walk.get(esi_number));
        if (!value) return value.fault();
        if (Fault f = cpu.write<T>(Seg::Es, walk.get(edi_number), *value)) return f;
        advance(1);
        return Fault::none();
    };
    auto bulk = [&](u64 count) -> u64 {
        const u8* from = walk.run<Access::Read>(segment, walk.get(esi_number), count);
        u8* to = from ? walk.run<Access::Write>(Seg::Es, walk.get(edi_number), count) : nullptr;
        if (!to) return 0;
        copy_elements<T>(to, from, count, walk.backward());
        advance(count);
        return count;
    };
    return repeat(cpu, in, walk, once, bulk);
}

template <typename T>
Fault store_string(Cpu& cpu, const Instruction& in) {
    StringWalk walk{cpu, in, sizeof(T)};
    T value = get<T>(cpu, 0);
    auto once = [&](Ended&) {
        if (Fault f = cpu.write<T>(Seg::Es, walk.get(edi_number), value)) return f;
        walk.advance(edi_number);
        return Fault::none();
    };
    auto bulk = [&](u64 count) -> u64 {
        u8* to = walk.run<Access::Write>(Seg::Es, walk.get(edi_number), count);
        if (!to) return 0;
        if (walk.backward()) to -= (count - 1) * sizeof(T);
        for (u64 i = 0; i < count; ++i) std::memcpy(to + i * sizeof(T), &value, sizeof value);
        walk.advance(edi_number, static_cast<u32>(count));
        return count;
    };
    return repeat(cpu, in, walk, once, bulk);
}

template <typename T>
Fault load_string(Cpu& cpu, const Instruction& in) {
    StringWalk walk{cpu, in, sizeof(T)};
    auto once = [&](Ended&) {
        auto value = cpu.read<T>(in.string_segment(), walk.get(esi_number));
        if (!value) return value.fault();
        set<T>(cpu, 0, *value);
        walk.advance(esi_number);
        return Fault::none();
    };
    return repeat(cpu, in, walk, once, no_bulk);
}

// REPE goes on while elements are equal, REPNE while they differ; without a prefix it does not matter.
bool goes_on(const Instruction& in, bool equal) { return in.repne ? !equal : equal; }

// How many elements from the beginning let the repetition go on; the flags are those of the last of them.
template <typename T, typename First, typename Second>
u64 compare_run(Cpu& cpu, const Instruction& in, u64 count, First first, Second second) {
    u64 same = 0;
    while (same < count && goes_on(in, first(same) == second(same))) ++same;
    if (same) alu::binary<Binary::Cmp, T>(first(same - 1), second(same - 1), cpu.state.eflags);
    return same;
}

template <typename T>
Fault compare_string(Cpu& cpu, const Instruction& in) {
    StringWalk walk{cpu, in, sizeof(T)};
    Seg segment = in.string_segment();
    std::ptrdiff_t step = walk.backward() ? -std::ptrdiff_t{sizeof(T)} : std::ptrdiff_t{sizeof(T)};
    auto advance = [&](u64 elements) {
        walk.advance(esi_number, static_cast<u32>(elements));
        walk.advance(edi_number, static_cast<u32>(elements));
    };
    auto once = [&](Ended& ended) {
        auto first = cpu.read<T>(segment, walk.get(esi_number));
        if (!first) return first.fault();
        auto second = cpu.read<T>(Seg::Es, walk.get(edi_number));
        if (!second) return second.fault();
        alu::binary<Binary::Cmp, T>(*first, *second, cpu.state.eflags);
        if (!goes_on(in, *first == *second)) ended = Ended::Yes;
        advance(1);
        return Fault::none();
    };
    auto bulk = [&](u64 count) -> u64 {
        const u8* first = walk.run<Access::Read>(segment, walk.get(esi_number), count);
        const u8* second = first ? walk.run<Access::Read>(Seg::Es, walk.get(edi_number), count) : nullptr;
        if (!second) return 0;
        auto at = [step](const u8* base) {
            return [=](u64 i) { return element<T>(base + static_cast<std::ptrdiff_t>(i) * step); };
        };
        u64 done = compare_run<T>(cpu, in, count, at(first), at(second));
        advance(done);
        return done;
    };
    return repeat(cpu, in, walk, once, bulk);
}

template <typename T>
Fault scan_string(Cpu& cpu, const Instruction& in) {
    StringWalk walk{cpu, in, sizeof(T)};
    T wanted = get<T>(cpu, 0);
    std::ptrdiff_t step = walk.backward() ? -std::ptrdiff_t{sizeof(T)} : std::ptrdiff_t{sizeof(T)};
    auto once = [&](Ended& ended) {
        auto value = cpu.read<T>(Seg::Es, walk.get(edi_number));
        if (!value) return value.fault();
        alu::binary<Binary::Cmp, T>(wanted, *value, cpu.state.eflags);
        if (!goes_on(in, wanted == *value)) ended = Ended::Yes;
        walk.advance(edi_number);
        return Fault::none();
    };
    auto bulk = [&](u64 count) -> u64 {
        const u8* base = walk.run<Access::Read>(Seg::Es, walk.get(edi_number), count);
        if (!base) return 0;
        auto at = [=](u64 i) { return element<T>(base + static_cast<std::ptrdiff_t>(i) * step); };
        u64 done = compare_run<T>(
            cpu, in, count, [&](u64) { return wanted; }, at);
        walk.advance(edi_number, static_cast<u32>(done));
        return done;
    };
    return repeat(cpu, in, walk, once, bulk);
}

// --- INS and OUTS: permission first, then memory, then the port; a port is touched only when nothing can fault. The
// repetition ends early when somebody asks for attention, which a port access may well cause.

u16 port_of(const Cpu& cpu) { return cpu.get16(2); }
Ended pause_for_attention(const Cpu& cpu) { return cpu.attention.due() ? Ended::Pause : Ended::No; }

template <typename T>
Fault input_string(Cpu& cpu, const Instruction& in) {
    if (Fault f = check_io_permission(cpu, port_of(cpu), sizeof(T))) return f;
    StringWalk walk{cpu, in, sizeof(T)};
    auto once = [&](Ended& ended) {
        u32 offset = walk.get(edi_number);
        if (Fault f = cpu.check_alignment(Seg::Es, offset, sizeof(T), sizeof(T), Access::Write)) return f;
        if (Fault f = cpu.probe(Seg::Es, offset, sizeof(T), Access::Write)) return f;
        auto value = static_cast<T>(read_port(cpu, port_of(cpu), sizeof(T)));
        if (Fault f = cpu.write<T>(Seg::Es, offset, value)) return f;
        walk.advance(edi_number);
        ended = pause_for_attention(cpu);
        return Fault::none();
    };
    return repeat(cpu, in, walk, once, no_bulk);
}

template <typename T>
Fault output_string(Cpu& cpu, const Instruction& in) {
    if (Fault f = check_io_permission(cpu, port_of(cpu), sizeof(T))) return f;
    StringWalk walk{cpu, in, sizeof(T)};
    auto once = [&](Ended& ended) {
        auto value = cpu.read<T>(in.string_segment(), walk.get(esi_number));
        if (!value) return value.fault();
        write_port(cpu, port_of(cpu), sizeof(T), *value);
        walk.advance(esi_number);
        ended = pause_for_attention(cpu);
        return Fault::none();
    };
    return repeat(cpu, in, walk, once, no_bulk);
}

constexpr InstructionRow rows[] = {
    {ZYDIS_MNEMONIC_MOVSB, move_string<u8>, TranslationClass::String},
    {ZYDIS_MNEMONIC_MOVSW, move_string<u16>, TranslationClass::String},
    {ZYDIS_MNEMONIC_MOVSD, move_string<u32>, TranslationClass::String},
    {ZYDIS_MNEMONIC_CMPSB, compare_string<u8>, TranslationClass::String},
    {ZYDIS_MNEMONIC_CMPSW, compare_string<u16>, TranslationClass::String},
    {ZYDIS_MNEMONIC_CMPSD, compare_string<u32>, TranslationClass::String},
    {ZYDIS_MNEMONIC_SCASB, scan_string<u8>, TranslationClass::String},
    {ZYDIS_MNEMONIC_SCASW, scan_string<u16>, TranslationClass::String},
    {ZYDIS_MNEMONIC_SCASD, scan_string<u32>, TranslationClass::String},
    {ZYDIS_MNEMONIC_LODSB, load_string<u8>, TranslationClass::String},
    {ZYDIS_MNEMONIC_LODSW, load_string<u16>, TranslationClass::String},
    {ZYDIS_MNEMONIC_LODSD, load_string<u32>, TranslationClass::String},
    {ZYDIS_MNEMONIC_STOSB, store_string<u8>, TranslationClass::String},
    {ZYDIS_MNEMONIC_STOSW, store_string<u16>, TranslationClass::String},
    {ZYDIS_MNEMONIC_STOSD, store_string<u32>, TranslationClass::String},
    {ZYDIS_MNEMONIC_INSB, input_string<u8>, TranslationClass::Interpret},
    {ZYDIS_MNEMONIC_INSW, input_string<u16>, TranslationClass::Interpret},
    {ZYDIS_MNEMONIC_INSD, input_string<u32>, TranslationClass::Interpret},
    {ZYDIS_MNEMONIC_OUTSB, output_string<u8>, TranslationClass::Interpret},
    {ZYDIS_MNEMONIC_OUTSW, output_string<u16>, TranslationClass::Interpret},
    {ZYDIS_MNEMONIC_OUTSD, output_string<u32>, TranslationClass::Interpret},
};

}  // namespace

std::span<const InstructionRow> string_rows() { return rows; }

}  // namespace vellum
