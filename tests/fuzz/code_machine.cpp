// The guest's memory, its modes, and its reset.
#include "code_machine.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "base/archive.hpp"
#include "cpu/fpu.hpp"
#include "support/descriptor.hpp"

namespace vellum::fuzz {

namespace {

using L = CodeLayout;

constexpr u32 present = 1, writable = 2, user = 4, accessed = 0x20, dirty = 0x40, large = 0x80, global = 0x100;
constexpr u32 all = present | writable | user;
constexpr u64 no_execute = u64{1} << 63;

// Selectors of the GDT, each with all four rings for RPL.
constexpr u16 code32 = 0x08, data32 = 0x10, code16 = 0x18, data16 = 0x20, inner_code = 0x28, inner_data = 0x30,
              tss_selector = 0x38, other_tss_selector = 0x40, ldt_selector = 0x48, call_gate = 0x50, task_gate = 0x58,
              conforming = 0x60, expand_down = 0x68, read_only = 0x70, absent = 0x78;
constexpr u32 task_vector = 0x81;

constexpr auto descriptor = test::segment_descriptor;

u64 gate(u16 selector, u32 offset, u8 access, u8 parameters) {
    return u64{offset & 0xFFFF0000} << 32 | u64{access} << 40 | u64{parameters} << 32 | u64{selector} << 16 |
           (offset & 0xFFFF);
}

// One byte of `bits` for the bits of a register, from bit 0 up.
u64 spread(u8 bits, std::span<const u64> places) {
    u64 value = 0;
    for (std::size_t i = 0; i < places.size(); ++i)
        if (bits >> i & 1) value |= places[i];
    return value;
}
constexpr u64 cr0_bits[] = {cr0::wp, cr0::am, cr0::ne, cr0::mp, cr0::em, cr0::ts};
constexpr u64 cr4_bits[] = {cr4::pse, cr4::pge, cr4::osfxsr, cr4::osxmmexcpt, cr4::de, cr4::tsd};

struct Area {
    u32 first, bytes;
};
constexpr Area areas[patch_areas] = {{0, 0},
                                     {L::gdt, 0x400},
                                     {L::idt, 0x800},
                                     {L::ldt, 0x400},
                                     {L::tss, 0x800},
                                     {L::other_tss, 0x800},
                                     {L::directory, page_size},
                                     {L::low_table, page_size},
                                     {L::high_table, page_size},
                                     {L::pae_pointers, 32},
                                     {L::pae_directory, page_size},
                                     {L::pae_low_table, page_size},
                                     {L::pae_high_table, page_size},
                                     {L::code, L::code_bytes},
                                     {L::data, L::data_bytes},
                                     {L::stack_top - page_size, page_size},
                                     {L::handlers, 0x200},
                                     {0, 0x400},
                                     {L::high_pages, L::high_bytes},
                                     {0, L::ram_bytes}};

}  // namespace

// --- what is around the processor

void CodeSurroundings::reset() {
    sum_ = 0;
    apic_base_ = 0xFEE00900;
    pending_ = -1;
    a20_moved_ = ferr_ = false;
}

void CodeSurroundings::note(u64 kind, u64 place, u64 value) {
    for (u64 word : {kind, place, value, state_.instructions}) {
        sum_ = (sum_ ^ word) * 0xD6E8FEB86659FD93;
        sum_ ^= sum_ >> 32;
    }
}

u32 CodeSurroundings::answer(u64 kind, u64 place, u8 size) {
    note(kind, place, size);
    return static_cast<u32>(sum_) >> (32 - 8 * size);
}

void CodeSurroundings::raise_interrupt(u8 vector) {
    pending_ = vector;
    attention->raise(Attention::Interrupt);
}

u8 CodeSurroundings::acknowledge_interrupt() {
    attention->clear(Attention::Interrupt);
    return static_cast<u8>(std::exchange(pending_, -1));
}

void CodeSurroundings::write_port(u16 port, u8 size, u32 value) {
    note(2, port, u64{value} << 8 | size);
    if (port == 0x92) {
        u64 mask = value & 2 ? ~u64{0} : ~(u64{1} << 20);
        if (mask == state_.a20_mask) return;
        state_.a20_mask = mask;
        a20_moved_ = true;
        attention->raise(Attention::Stop);
    } else if (port == 0x21) {
        raise_nmi();
    } else if (port & 1) {
        raise_interrupt(static_cast<u8>(value));
    }
}

// --- memory

CodeMachine::CodeMachine(const EngineFactory& make) : memory_{L::ram_bytes + L::rom_bytes} {
    outside_.attention = &cpu_.attention;
    memory_.map(Physical{0}, L::ram_bytes, 0, true, true);
    memory_.map(Physical{L::rom}, L::rom_bytes, L::ram_bytes, true, false);
    memory_.map(Physical{(u64{1} << 32) - L::rom_bytes}, L::rom_bytes, L::ram_bytes, true, false);
    build_memory();
    auto bytes = memory();
    fresh_memory_.assign(bytes.begin(), bytes.end());
    reset(state_);
    fresh_state_ = state_;
    engine_ = make(cpu_);
}

void CodeMachine::poke(u32 address, std::span<const u8> bytes) {
    if (!bytes.empty()) std::memcpy(memory_.backing().bytes().data() + address, bytes.data(), bytes.size());
}

void CodeMachine::build_memory() {
    constexpr u8 halt = 0xF4, interrupt_return = 0xCF;
    // Who leaves the code is stopped: zeros are instructions, and translating pages of them takes most of the time.
    std::vector<u8> halts(L::ram_bytes, halt);
    poke(0, halts);
    for (u32 page = L::directory; page < L::handlers; page += page_size) poke(page, std::vector<u8>(page_size));
    for (u32 vector = 0; vector < 256; ++vector) {
        poke_value<u32>(vector * 4, L::handlers + vector * 2);
        poke_value<u8>(L::handlers + vector * 2, vector < 32 ? halt : 0x90);
        poke_value<u8>(L::handlers + vector * 2 + 1, interrupt_return);
    }
    for (u32 i = 0; i < L::data_bytes; ++i) poke_value<u8>(L::data + i, static_cast<u8>(i * 37 + (i >> 8)));
    // The reset vector, and something to be fetched from the ROM.
    for (u32 i = 0; i < L::rom_bytes; ++i) poke_value<u8>(L::ram_bytes + i, i % 16 ? 0x90 : halt);
    build_descriptors();
    build_page_tables();
}

void CodeMachine::build_descriptors() {
    auto gdt = [this](u16 selector, u64 value) { poke_value(L::gdt + selector, value); };
    // The rings' own descriptors are written by set_mode; these are what they can be changed for.
    gdt(inner_code, descriptor(0, 0xFFFFFFFF, 0x409B));
    gdt(inner_data, descriptor(0, 0xFFFFFFFF, 0x4093));
    gdt(tss_selector, descriptor(L::tss, 0x7FF, 0x8B));
    gdt(other_tss_selector, descriptor(L::other_tss, 0x7FF, 0x89));
    gdt(ldt_selector, descriptor(L::ldt, 0x3FF, 0x82));
    gdt(call_gate, gate(inner_code, L::handlers + 0x80, 0xEC, 2));
    gdt(task_gate, gate(other_tss_selector, 0, 0xE5, 0));
    gdt(conforming, descriptor(0, 0xFFFFF, 0x409F));
    gdt(expand_down, descriptor(0, 0xFFF, 0x40F7));
    gdt(read_only, descriptor(L::data, 0xFFF, 0x40F1));
    gdt(absent, descriptor(0, 0xFFFFFFFF, 0x4073));
    for (u32 i = 0; i < 8; ++i) poke_value(L::ldt + i * 8, descriptor(i * 0x1000, 0x800 << i, i % 2 ? 0x40FB : 0x40F3));
    for (u32 vector = 0; vector < 256; ++vector) {
        u8 ring = vector == 3 || vector == 4 || vector >= 0x40 ? 0x60 : 0;
        u8 trap_or_interrupt = vector % 8 == 7 ? 0x8F : 0x8E;
        poke_value(L::idt + vector * 8, vector == task_vector
                                            ? gate(other_tss_selector, 0, 0xE5, 0)
                                            : gate(inner_code, L::handlers + vector * 2, trap_or_interrupt | ring, 0));
    }
    for (u32 tss : {L::tss, L::other_tss}) {
        for (u32 ring = 0; ring < 3; ++ring) {
            poke_value<u32>(tss + 4 + ring * 8, L::inner_stack_top - ring * 0x400);
            poke_value<u16>(tss + 8 + ring * 8, static_cast<u16>(inner_data | ring));
        }
        poke_value<u16>(tss + 0x66, 0x70);  // the I/O map: every other group of eight ports is open
        for (u32 i = 0; i < 0x400; ++i) poke_value<u8>(tss + 0x70 + i, i % 2 ? 0xFF : 0);
    }
    poke_value<u32>(L::other_tss + 0x1C, L::directory);
    poke_value<u32>(L::other_tss + 0x20, L::handlers + 0x80);
    poke_value<u32>(L::other_tss + 0x24, 2);
    poke_value<u32>(L::other_tss + 0x38, L::inner_stack_top - 0x800);
    for (u32 i = 0; i < 6; ++i) poke_value<u16>(L::other_tss + 0x48 + i * 4, i == 1 ? inner_code : inner_data);
}

// 4 KiB of tables for 4 MiB (2 MiB under PAE): identity, then pages of all kinds, and large pages above them.
void CodeMachine::build_page_tables() {
    constexpr u32 kinds[] = {all, present | user, present | writable,     present,
                             0,   all | global,   all | accessed | dirty, all | 0x200};
    poke_value<u32>(L::directory, L::low_table | all);
    poke_value<u32>(L::directory + 4, L::high_table | all);
    poke_value<u32>(L::directory + 8, all | large);
    poke_value<u32>(L::directory + 12, present | user | large | global);
    poke_value<u32>(L::directory + 4 * 1023, L::directory | present | writable);  // the tables map themselves
    for (u32 i = 0; i < 1024; ++i) {
        u32 page = L::high_pages + i * page_size % L::high_bytes;
        poke_value<u32>(L::low_table + i * 4, i * page_size | all);
        poke_value<u32>(L::high_table + i * 4, page | kinds[i % std::size(kinds)]);
    }
    for (u32 i = 0; i < 4; ++i) poke_value<u64>(L::pae_pointers + i * 8, L::pae_directory | present);
    poke_value<u64>(L::pae_directory, L::pae_low_table | all);
    poke_value<u64>(L::pae_directory + 8, L::pae_high_table | all);
    poke_value<u64>(L::pae_directory + 16, all | large);
    poke_value<u64>(L::pae_directory + 24, no_execute | present | user | large);
    for (u32 i = 0; i < 512; ++i) {
        u32 page = L::high_pages + i * page_size % L::high_bytes;
        poke_value<u64>(L::pae_low_table + i * 8, i * page_size | all);
        poke_value<u64>(L::pae_high_table + i * 8, page | kinds[i % std::size(kinds)] | (i % 3 ? 0 : no_execute));
    }
}

void CodeMachine::restore_memory() {
    auto now = memory();
    for (std::size_t page = 0; page < now.size(); page += page_size)
        if (std::memcmp(now.data() + page, fresh_memory_.data() + page, page_size) != 0)
            std::memcpy(memory_.backing().bytes().data() + page, fresh_memory_.data() + page, page_size);
}

// --- the processor

void CodeMachine::set_mode(const CodeInput& input) {
    const CodeHeader& header = input.header;
    bool paging = input.paging() != CodePaging::Off;
    bool pae = input.paging() == CodePaging::Pae || input.paging() == CodePaging::PaeLarge;
    bool large_pages = input.paging() == CodePaging::Large || input.paging() == CodePaging::PaeLarge;
    state_.cr0 = cr0::et | spread(header.control, cr0_bits);
    state_.cr4 = spread(header.extensions, cr4_bits) | (pae ? cr4::pae : 0) | (large_pages ? cr4::pse : 0);
    state_.cr3 = pae ? L::pae_pointers : L::directory;
    for (u64& pointer : state_.pdpte) pointer = pae ? L::pae_directory | present : 0;
    if (header.extensions & 0x40 && pae) state_.efer = efer::nxe;
    if (header.control & 0x40) state_.a20_mask = ~(u64{1} << 20);
    state_.gdtr = {L::gdt, 0x7F};
    state_.idtr = {L::idt, 0x7FF};
    u32 allowed = eflags::arithmetic | eflags::tf | eflags::if_ | eflags::df | eflags::iopl | eflags::nt | eflags::rf |
                  eflags::ac | eflags::id;
    state_.eflags = (header.flags & allowed) | eflags::fixed;
    u8 ring = input.ring();
    state_.cpl = ring;
    u16 dpl = static_cast<u16>(ring << 5);
    if (input.mode() == CodeMode::Real || input.mode() == CodeMode::V86) {
        u16 access = input.mode() == CodeMode::Real ? 0x93 : 0xF3;
        for (Segment& segment : state_.seg) segment = {0, access, 0xFFFF, 0};
        if (input.mode() == CodeMode::Real) state_.idtr = {0, 0x3FF};
    } else {
        bool wide = input.mode() != CodeMode::Segmented16, flat = input.mode() == CodeMode::Flat;
        u16 big = wide ? 0x4000 : 0;
        u32 base = flat ? 0 : 0x10, limit = flat ? 0xFFFFFFFF : 0xFFFF;
        u16 granular = flat ? 0x8000 : 0;
        for (Segment& segment : state_.seg)
            segment = {static_cast<u16>(data32 | ring), static_cast<u16>(granular | big | 0x93 | dpl), limit, base};
        state_.segment(Seg::Cs) = {static_cast<u16>(code32 | ring), static_cast<u16>(granular | big | 0x9B | dpl),
                                   limit, base};
        state_.segment(Seg::Fs) = {static_cast<u16>(data16 | 3), 0xF3, 0xFFF, L::data};
        state_.segment(Seg::Gs) = {0, 0, 0, 0};
        poke_value(L::gdt + code32, descriptor(base, limit, static_cast<u16>(big | 0x9B | dpl)));
        poke_value(L::gdt + data32, descriptor(base, limit, static_cast<u16>(big | 0x93 | dpl)));
        poke_value(L::gdt + code16, descriptor(0, 0xFFFF, static_cast<u16>(0x9B | dpl)));
        poke_value(L::gdt + data16, descriptor(L::data, 0xFFF, 0xF3));
    }
    if (input.mode() != CodeMode::Real) {
        state_.cr0 |= cr0::pe | (paging ? cr0::pg : 0);
        state_.tr = {tss_selector, 0x8B, 0x7FF, L::tss};
        state_.ldtr = {ldt_selector, 0x82, 0x3FF, L::ldt};
    }
    if (input.mode() == CodeMode::V86) state_.eflags |= eflags::vm;
    for (u32 i = 0; i < 8; ++i) state_.gpr[i] = header.gpr[i];
    state_.eip = L::code - state_.segment(Seg::Cs).base;
    state_.fpu.control = x87::control_word(state_.fpu.control ^ header.fpu_control);
    state_.fpu.mxcsr ^= header.mxcsr;
}

bool CodeMachine::patch_registers(const CodeInput& input) {
    std::vector<u8> bytes = architectural_state();
    for (const CodePatch& patch : input.patches) {
        if (patch.area != PatchArea::CpuRegisters) continue;
        std::size_t at = patch.offset % bytes.size(), count = std::min(patch.bytes.size(), bytes.size() - at);
        if (count) std::memcpy(bytes.data() + at, patch.bytes.data(), count);
    }
    Archive load = Archive::loader(bytes);
    serialize(state_, load);
    state_.instructions = 0;
    return load.ok();
}

void CodeMachine::apply_patches(const CodeInput& input, u32 slice) {
    for (const CodePatch& patch : input.patches) {
        if (patch.slice != slice || patch.area == PatchArea::CpuRegisters) continue;
        const Area& area = areas[static_cast<u8>(patch.area)];
        u32 offset = patch.area == PatchArea::Anywhere ? patch.offset * 16u : patch.offset;
        offset %= area.bytes;
        u64 count = std::min<u64>(patch.bytes.size(), area.bytes - offset);
        memory_.write(Physical{area.first + offset}, std::span{patch.bytes}.first(count));
    }
}

bool CodeMachine::begin(const CodeInput& input) {
    restore_memory();
    outside_.reset();
    cpu_.attention.clear(Attention::Stop);
    cpu_.attention.clear(Attention::Interrupt);
    cpu_.attention.clear(Attention::Nmi);
    u64 poll = state_.poll;
    u32 attention = state_.attention;
    state_ = fresh_state_;
    state_.poll = poll;
    state_.attention = attention;
    set_mode(input);
    poke(L::code, std::span{input.code}.first(std::min<std::size_t>(input.code.size(), L::code_bytes)));
    bool possible = patch_registers(input);
    cpu_.mmu.flush();
    engine_->state_replaced();
    return possible;
}

void CodeMachine::begin_slice(const CodeInput& input, u32 number) {
    apply_patches(input, number);
    if (input.header.interrupts >> number & 1) outside_.raise_interrupt(static_cast<u8>(0x20 + number));
    if (input.header.nmis >> number & 1) outside_.raise_nmi();
}

Stop CodeMachine::run(u64 instructions) {
    state_.instruction_limit = state_.instructions + instructions;
    for (;;) {
        Stop stop = engine_->run();
        if (stop != Stop::Attention) return stop;
        cpu_.attention.clear(Attention::Stop);
        if (!outside_.a20_moved()) continue;
        cpu_.mmu.flush();
        engine_->state_replaced();
    }
}

std::vector<u8> CodeMachine::architectural_state() {
    Archive archive = Archive::saver();
    serialize(state_, archive);
    return archive.bytes();
}

std::vector<u8> CodeMachine::next_bytes(u32 most) {
    u32 linear = static_cast<u32>(state_.segment(Seg::Cs).base + state_.eip);
    std::vector<u8> bytes;
    for (u32 i = 0; i < most; ++i) {
        auto physical = cpu_.mmu.look_up(Linear{linear + i});
        if (!physical || !memory_.read_pointer(page_of(*physical))) break;
        memory_.read(*physical, {&bytes.emplace_back(), 1});
    }
    return bytes;
}

std::string CodeMachine::next_instruction() {
    return fmt::format("{:6} {:04x}:{:08x} {:02x}", state_.instructions, state_.segment(Seg::Cs).selector, state_.eip,
                       fmt::join(next_bytes(12), " "));
}

}  // namespace vellum::fuzz
