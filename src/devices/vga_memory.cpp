// Reads and writes through the graphics controller.
#include "devices/vga_memory.hpp"

#include <array>
#include <cstring>

namespace vellum {

namespace {

// Bit p of the nibble becomes byte p of the word.
constexpr std::array<u32, 16> spread = [] {
    std::array<u32, 16> table{};
    for (u32 nibble = 0; nibble < 16; ++nibble)
        for (u32 plane = 0; plane < 4; ++plane)
            if (nibble >> plane & 1) table[nibble] |= 0xFFu << (8 * plane);
    return table;
}();

constexpr u32 in_all_planes(u8 value) { return value * 0x01010101u; }

// Memory map select of the miscellaneous register, bits 2 and 3.
struct Window {
    u32 first, size;
};
constexpr std::array<Window, 4> windows = {{{0, 0x20000}, {0, 0x10000}, {0x10000, 0x8000}, {0x18000, 0x8000}}};

constexpr u8 memory_mode_chain_4 = 0x08, memory_mode_sequential = 0x04;
constexpr u8 mode_odd_even = 0x10, mode_read_compare = 0x08, mode_write = 0x03;

}  // namespace

// True when a written byte reaches `planes` unchanged and no other plane selected by the address.
bool VgaMemory::plain_writes(u8 planes) const {
    const auto& g = registers_.graphics;
    return (g[Graphics::Mode] & mode_write) == 0 && g[Graphics::BitMask] == 0xFF &&
           (g[Graphics::DataRotate] & 0x1F) == 0 && (g[Graphics::EnableSetReset] & planes) == 0 &&
           (registers_.sequencer[Sequencer::MapMask] & planes) == planes;
}

VgaMemory::Access VgaMemory::read_access() const {
    if (registers_.vbe.packed()) return Access::Linear;
    const auto& g = registers_.graphics;
    const bool compare = g[Graphics::Mode] & mode_read_compare;
    if (registers_.sequencer[Sequencer::MemoryMode] & memory_mode_chain_4)
        return compare || write_access() != Access::Linear ? Access::Chain4 : Access::Linear;
    if (!(g[Graphics::Mode] & mode_odd_even)) return Access::Planar;
    return compare || (g[Graphics::ReadMapSelect] & 2) || registers_.vbe.enabled() ? Access::OddEven : Access::Pairs;
}

VgaMemory::Access VgaMemory::write_access() const {
    if (registers_.vbe.packed()) return Access::Linear;
    const u8 memory_mode = registers_.sequencer[Sequencer::MemoryMode];
    if (memory_mode & memory_mode_chain_4) return plain_writes(0x0F) ? Access::Linear : Access::Chain4;
    if (memory_mode & memory_mode_sequential) return Access::Planar;
    const bool pairs =
        plain_writes(0x03) && !(registers_.sequencer[Sequencer::MapMask] & 0x0C) && !registers_.vbe.enabled();
    return pairs ? Access::Pairs : Access::OddEven;
}

void VgaMemory::choose_access() {
    const bool enabled = registers_.miscellaneous_output & 0x02;
    read_ = enabled ? read_access() : Access::None;
    write_ = enabled ? write_access() : Access::None;
    const Window window =
        registers_.vbe.packed() ? windows[1] : windows[registers_.graphics[Graphics::Miscellaneous] >> 2 & 3];
    window_first_ = window.first;
    window_size_ = window.size;
    linear_base_ = registers_.vbe.bank_start();
}

std::optional<u32> VgaMemory::linear_window() const {
    const bool linear = read_ == Access::Linear && write_ == Access::Linear;
    if (!linear || window_first_ != 0 || linear_base_ + 0x10000 > vram_.size()) return std::nullopt;
    return linear_base_;
}

u32 VgaMemory::load_word(u32 word) const {
    u32 value;
    std::memcpy(&value, &vram_[word * 4], 4);
    return value;
}

void VgaMemory::store_word(u32 word, u32 value) { std::memcpy(&vram_[word * 4], &value, 4); }

std::optional<u32> VgaMemory::index_of(u32 offset) const {
    const u32 index = offset - window_first_;
    if (index >= window_size_) return std::nullopt;
    return index;
}

std::optional<VgaMemory::Place> VgaMemory::place_of(Access access, u32 index) const {
    // Only the planar DISPI mode has more than 64 KiB in a plane.
    const u64 address = u64{index} + registers_.vbe.bank_start();
    Place place{};
    switch (access) {
        case Access::Chain4: place = {static_cast<u32>(address >> 2), static_cast<u8>(1 << (index & 3))}; break;
        case Access::Pairs:
        case Access::OddEven: place = {static_cast<u32>(address >> 1), static_cast<u8>(index & 1 ? 0x0A : 0x05)}; break;
        default: place = {static_cast<u32>(address), 0x0F}; break;
    }
    if (!registers_.vbe.enabled()) place.word &= vga_plane_size - 1;
    if (place.word >= vram_.size() / 4) return std::nullopt;
    return place;
}

u8 VgaMemory::read_logic(u32 index) {
    const auto place = place_of(read_, index);
    if (!place) return 0xFF;
    latch_ = load_word(place->word);
    const auto& g = registers_.graphics;
    if (g[Graphics::Mode] & mode_read_compare) {
        // Read mode 1: a bit is set where every plane that is cared for has the wanted colour.
        const u32 care = spread[g[Graphics::ColorDontCare] & 15];
        const u32 differ = (latch_ ^ spread[g[Graphics::ColorCompare] & 15]) & care;
        return static_cast<u8>(~(differ | differ >> 8 | differ >> 16 | differ >> 24));
    }
    u32 plane = g[Graphics::ReadMapSelect] & 3;
    if (read_ == Access::OddEven) plane = (plane & 2) | (index & 1);
    return static_cast<u8>(latch_ >> (8 * plane));
}

void VgaMemory::write_logic(u32 index, u8 value) {
    const auto place = place_of(write_, index);
    if (!place) return;
    const auto& g = registers_.graphics;
    const u8 rotate = g[Graphics::DataRotate] & 7;
    const u8 rotated = static_cast<u8>(value >> rotate | value << (8 - rotate));
    const u32 set_reset = spread[g[Graphics::SetReset] & 15];
    u32 mask = in_all_planes(g[Graphics::BitMask]);
    u32 data = 0;
    switch (g[Graphics::Mode] & mode_write) {
        case 0: {
            const u32 enable = spread[g[Graphics::EnableSetReset] & 15];
            data = (in_all_planes(rotated) & ~enable) | (set_reset & enable);
            break;
        }
        case 1: data = latch_; break;
        case 2: data = spread[value & 15]; break;
        case 3:
            data = set_reset;
            mask &= in_all_planes(rotated);
            break;
    }
    if ((g[Graphics::Mode] & mode_write) != 1) {
        switch (g[Graphics::DataRotate] >> 3 & 3) {
            case 1: data &= latch_; break;
            case 2: data |= latch_; break;
            case 3: data ^= latch_; break;
        }
        data = (data & mask) | (latch_ & ~mask);
    }
    const u32 planes = spread[place->planes & registers_.sequencer[Sequencer::MapMask] & 15];
    store_word(place->word, (load_word(place->word) & ~planes) | (data & planes));
}

u8 VgaMemory::read_byte(u32 offset) {
    const auto index = index_of(offset);
    if (!index) return 0xFF;
    switch (read_) {
        case Access::None: return 0xFF;
        case Access::Linear: {
            const u32 at = linear_base_ + *index;
            return at < vram_.size() ? vram_[at] : 0xFF;
        }
        case Access::Pairs: {
            const u32 word = *index >> 1;
            latch_ = load_word(word);
            return static_cast<u8>(latch_ >> (8 * (*index & 1)));
        }
        default: return read_logic(*index);
    }
}

void VgaMemory::write_byte(u32 offset, u8 value) {
    const auto index = index_of(offset);
    if (!index) return;
    switch (write_) {
        case Access::None: return;
        case Access::Linear:
            if (linear_base_ + *index < vram_.size()) vram_[linear_base_ + *index] = value;
            return;
        case Access::Pairs: vram_[(*index >> 1) * 4 + (*index & 1)] = value; return;
        default: return write_logic(*index, value);
    }
}

u32 VgaMemory::read(u32 offset, u8 size) {
    u32 value = 0;
    for (u32 i = 0; i < size; ++i) value |= u32{read_byte(offset + i)} << (8 * i);
    return value;
}

void VgaMemory::write(u32 offset, u8 size, u32 value) {
    ++changes_;
    for (u32 i = 0; i < size; ++i) write_byte(offset + i, static_cast<u8>(value >> (8 * i)));
}

}  // namespace vellum
