// Layout of the small machine: physical pages by number, and where the supervisor's are in linear memory.
#include "oracle/piece_machine.hpp"

#include <algorithm>
#include <cstring>

#include "support/descriptor.hpp"

namespace vellum::test {

namespace {

using L = OracleLayout;

// Segments of real mode reach past the piece's pages, the last of which is number 30.
constexpr u64 machine_ram(OracleMode mode) { return (mode == OracleMode::Real ? 64 : 32) * page_size; }
constexpr u32 directory = PieceMachine::directory_page * page_size, table = PieceMachine::table_page * page_size,
              tables_page = 4, tasks_page = 5, handlers_page = 6, stack_page = 7;
constexpr u32 present_user_writable = 7, present_user = 5, present_writable = 3;
constexpr u32 supervisor = 0x10100000;  // linear address of physical page 0, as far as it is mapped
constexpr u32 gdt = tables_page * page_size, idt = gdt + 0x800, tss = tasks_page * page_size, ldt = tss + 0x800,
              handlers = handlers_page * page_size, inner_stack_end = (stack_page + 1) * page_size;
constexpr u16 code0 = 0x08, data0 = 0x10, tss_selector = 0x30, ldt_selector = 0x38;

struct MappedPage {
    u32 linear, page;
};
// Neighbours in linear memory are none in physical memory, but in real mode.
constexpr MappedPage piece_pages[] = {
    {L::code, 16},  {L::code + page_size, 19}, {L::data, 20}, {L::data + page_size, 23}, {L::read_only, 25},
    {L::stack, 27}, {L::stack + page_size, 30}};

u32 physical_page(OracleMode mode, const MappedPage& page) {
    return mode == OracleMode::Real ? low_page(page.linear) >> page_shift : page.page;
}

}  // namespace

u32 PieceMachine::linear_of(u32 layout_address) const {
    return is_low(mode_) ? low_page(layout_address) : layout_address;
}

std::optional<Physical> PieceMachine::physical(u32 linear) const {
    u32 page = (linear - linear_of(L::code)) >> page_shift;
    if (page >= pages_of_piece_.size() || !pages_of_piece_[page]) return {};
    return Physical{u64{pages_of_piece_[page]} * page_size + (linear & page_offset_mask)};
}

PieceMachine::PieceMachine(OracleMode mode, u8 cpl, const EngineFactory& make)
    : TestMachine{machine_ram(mode), make}, mode_{mode}, cpl_{cpl}, ram_{memory.backing().bytes().first(ram_bytes)} {
    for (const MappedPage& page : piece_pages)
        pages_of_piece_[(linear_of(page.linear) - linear_of(L::code)) >> page_shift] =
            static_cast<u8>(physical_page(mode, page));
    build_tables();
    if (mode == OracleMode::Real) build_interrupt_vectors();
    state.gdtr = {supervisor + gdt, 0x3F};
    state.idtr = {supervisor + idt, 0x7FF};
    state.tr = {tss_selector, 0x8B, 0x67, supervisor + tss};
    state.ldtr = {ldt_selector, 0x82, 0x2F, supervisor + ldt};
    state.cr3 = directory;
    state.cr0 = cr0::pe | cr0::pg | cr0::wp | cr0::ne | cr0::mp | cr0::et | cr0::am;
    state.cr4 = cr4::osfxsr | cr4::osxmmexcpt;
    if (mode == OracleMode::Real) {
        state.cr0 &= ~(cr0::pe | cr0::pg | cr0::wp | cr0::am);
        state.idtr = {0, 0x3FF};
    }
    if (mode == OracleMode::V86) state.eflags |= eflags::vm;
    OracleSegments segments = oracle_segments(mode);
    if (cpl == 0 && !is_low(mode)) {
        for (Segment* s : {&segments.code, &segments.data, &segments.stack}) s->access &= ~0x60;
        segments.code.selector = code0;
        segments.data.selector = segments.stack.selector = data0;
    }
    state.segment(Seg::Cs) = segments.code;
    state.segment(Seg::Ss) = segments.stack;
    state.segment(Seg::Ds) = state.segment(Seg::Es) = segments.data;
    state.segment(Seg::Fs) = state.segment(Seg::Gs) = is_low(mode) ? segments.data : Segment{0, 0, 0, 0};
    state.cpl = cpl;
    fresh_ = state;
    fresh_ram_.assign(ram_.begin(), ram_.end());
}

void PieceMachine::build_tables() {
    constexpr u16 code = 0x409B, data = 0x4093, user = 0x60;
    poke_value<u32>(directory + (L::code >> 22) * 4, table | present_user_writable);
    auto map = [&](u32 linear, u32 page, u32 flags) {
        poke_value<u32>(table + ((linear >> page_shift) & 0x3FF) * 4, page * page_size | flags);
        mapped_pages_.push_back(page);
    };
    // V86 code has the first 4 MiB, by the same table: what it may not see is there for the supervisor only.
    if (mode_ == OracleMode::V86) poke_value<u32>(directory, table | present_user_writable);
    for (const MappedPage& page : piece_pages)
        map(linear_of(page.linear), physical_page(mode_, page),
            page.linear == L::read_only ? present_user : present_user_writable);
    for (u32 page : {1u, 2u, tables_page, tasks_page, handlers_page, stack_page})
        map(supervisor + page * page_size, page, present_writable);
    memory.write(*physical(linear_of(L::read_only)), read_only_content());

    poke_value(gdt + code0, segment_descriptor(0, 0xFFFFFFFF, code));
    poke_value(gdt + data0, segment_descriptor(0, 0xFFFFFFFF, data));
    poke_value(gdt + 0x20, segment_descriptor(0, 0xFFFFFFFF, code | user));
    poke_value(gdt + 0x28, segment_descriptor(0, 0xFFFFFFFF, data | user));
    poke_value(gdt + tss_selector, segment_descriptor(supervisor + tss, 0x67, 0x8B));
    poke_value(gdt + ldt_selector, segment_descriptor(supervisor + ldt, 0x2F, 0x82));
    for (OracleMode mode : {OracleMode::Segmented16, OracleMode::Segmented32}) {
        OracleSegments s = oracle_segments(mode);
        for (const Segment& segment : {s.code, s.data, s.stack})
            poke_value(ldt + (segment.selector & 0xFFF8),
                       segment_descriptor(static_cast<u32>(segment.base), segment.limit, segment.access));
    }
    poke_value<u32>(tss + 4, supervisor + inner_stack_end);
    poke_value<u16>(tss + 8, data0);
    poke_value<u16>(tss + 0x66, 0x68);  // no I/O map
    for (u32 vector = 0; vector < 256; ++vector) {
        u32 handler = supervisor + handlers + vector;
        u32 dpl = vector >= 3 && vector <= 5 ? 3 : 0;
        poke_value<u32>(idt + vector * 8, u32{code0} << 16 | (handler & 0xFFFF));
        poke_value<u32>(idt + vector * 8 + 4, (handler & 0xFFFF0000) | 0x8E00 | dpl << 13);
        poke(handlers + vector, {0xF4});
    }
}

// Real mode: handlers of one HLT as everywhere.
void PieceMachine::build_interrupt_vectors() {
    for (u32 vector = 0; vector < 256; ++vector) poke_value<u32>(vector * 4, handlers + vector);
}

// Only the lines that differ: what is known of the others, translations above all, remains known. Did any?
bool PieceMachine::poke_changes(Physical at, std::span<const u8> bytes) {
    constexpr std::size_t line = 64;
    const u8* now = ram().data() + raw(at);
    if (std::memcmp(now, bytes.data(), bytes.size()) == 0) return false;
    auto differs = [&](std::size_t from) { return std::memcmp(now + from, &bytes[from], line) != 0; };
    for (std::size_t from = 0, end; from < bytes.size(); from = end + line) {
        for (end = from; end < bytes.size() && differs(end);) end += line;
        if (end != from) memory.write(at + from, bytes.subspan(from, end - from));
    }
    return true;
}

void PieceMachine::put_range(u32 linear, std::span<const u8> bytes) {
    for (u32 at = 0; at < bytes.size(); at += page_size)
        poke_changes(*physical(linear_of(linear + at)), bytes.subspan(at, page_size));
}

std::span<const u8> PieceMachine::piece_page(u32 layout_address) const {
    return page(static_cast<u32>(raw(*physical(linear_of(layout_address))) >> page_shift));
}

// All RAM but the piece's own pages, which are load()'s. Did a page change that no mapping leads to?
bool PieceMachine::restore_tables(std::span<const u8> from) {
    auto is_piece_page = [&](u32 number) {
        return std::ranges::any_of(piece_pages, [&](const MappedPage& p) { return physical_page(mode_, p) == number; });
    };
    bool strayed = false;
    for (u32 number = 0; number < ram_bytes >> page_shift; ++number) {
        u64 at = u64{number} * page_size;
        if (is_piece_page(number)) continue;
        bool changed = poke_changes(Physical{at}, from.subspan(at, page_size));
        strayed |= changed && !is_mapped(number);
    }
    engine->state_replaced();
    return strayed;
}

bool PieceMachine::begin_again() {
    if (is_fresh_) return false;
    is_fresh_ = true;
    u64 instructions = state.instructions;
    state = fresh_;
    state.instructions = instructions;
    return restore_tables(fresh_ram_);
}

bool PieceMachine::take_tables_of(const PieceMachine& other) { return restore_tables(other.ram()); }

void PieceMachine::load(const Piece& piece, std::span<const u8> code, const PieceMemory& content) {
    static const auto constant = read_only_content();
    static const std::array<u8, page_size> zeroes{};
    is_fresh_ = false;
    state = fresh_;
    if (mode_ == OracleMode::Real)  // nothing keeps a piece from writing anywhere
        for (u64 page = 0; page < ram_bytes; page += page_size)
            if (!physical(static_cast<u32>(page)))
                poke_changes(Physical{page}, std::span{fresh_ram_}.subspan(page, page_size));
    put_range(L::code, code);
    put_range(L::data, content.data);
    put_range(L::stack, content.stack);
    put_range(L::read_only, constant);
    poke_changes(Physical{stack_page * page_size}, zeroes);
    for (u32 i = 0; i < 8; ++i) state.gpr[i] = piece.registers.gpr[i];
    state.eflags = piece.registers.eflags | (fresh_.eflags & eflags::vm);
    state.eip = piece.registers.eip;
    state.fpu = piece.registers.fpu;
    state.instructions = 0;
}

bool PieceMachine::control_changed() const {
    return state.cr0 != fresh_.cr0 || state.cr3 != fresh_.cr3 || state.cr4 != fresh_.cr4 || state.efer != fresh_.efer ||
           state.a20_mask != fresh_.a20_mask;
}

std::optional<PieceMachine::End> PieceMachine::end() const {
    u32 vector = static_cast<u32>(state.eip) - 1 - (supervisor + handlers);
    if (state.activity != Activity::Halted || vector >= 256 || cpl_ != 3 || is_low(mode_)) return {};
    u32 at = static_cast<u32>(state.gpr[4]) - supervisor;
    End end;
    end.how.vector = static_cast<u8>(vector);
    bool has_error_code = inner_stack_end - at == 24;
    if (has_error_code) end.how.error_code = peek<u16>(at);
    u32 frame = at + (has_error_code ? 4 : 0);
    end.how.cr2 = static_cast<u32>(state.cr2);
    for (u32 i = 0; i < 8; ++i) end.registers.gpr[i] = static_cast<u32>(state.gpr[i]);
    end.registers.eip = peek<u32>(frame);
    end.registers.eflags = peek<u32>(frame + 8) & ~eflags::rf;
    end.registers.gpr[4] = peek<u32>(frame + 12);
    end.registers.fpu = state.fpu;
    return end;
}

Instruction PieceMachine::next_instruction(Decoder& decoder) {
    std::array<u8, 15> bytes{};
    u32 count = 0, linear = static_cast<u32>(state.segment(Seg::Cs).base + state.eip);
    for (; count < bytes.size(); ++count) {
        auto at = cpu.mmu.look_up(Linear{linear + count});
        if (!at || raw(*at) >= ram_.size()) break;
        bytes[count] = ram_[raw(*at)];
    }
    Instruction in;
    if (decoder.decode(std::span{bytes}.first(count), state.code32(), in) != DecodeStatus::Ok) return {};
    return in;
}

}  // namespace vellum::test
