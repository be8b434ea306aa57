// The VGA's memory as the CPU sees it at A0000h-BFFFFh: planes, latches and write modes
// (IBM VGA Technical Reference, "Graphics Controller"; Bochs DISPI banks).
//
// Layout of the screen memory: the byte of plane p at plane address n is vram[4 n + p]. Chain-4 spreads consecutive
// bytes over the planes and so is linear in vram; odd/even puts pairs of bytes at plane addresses without gaps.
// The display counts plane addresses in the same way, whether the CRTC is in byte, word or doubleword mode.
#pragma once

#include <optional>
#include <span>

#include "base/log.hpp"
#include "devices/bus.hpp"
#include "devices/vga_registers.hpp"

namespace vellum {

constexpr u32 vga_window_first = 0xA0000, vga_window_size = 0x20000;
constexpr u32 vga_plane_size = 0x10000, vga_legacy_memory = 4 * vga_plane_size;

class VgaMemory final : public BusTarget {
 public:
    // `changes` is counted up at every write that may alter the picture.
    VgaMemory(const VgaRegisters& registers, std::span<u8> vram, u64& changes)
        : registers_{registers}, vram_{vram}, changes_{changes} {}

    u32 read(u32 offset, u8 size) override;
    void write(u32 offset, u8 size, u32 value) override;

    // To be called after every register change that has to do with memory: chooses how accesses are done.
    void choose_access();
    void reset() { latch_ = 0; }
    void serialize(Archive& a) { a(latch_); }

    // When A0000h-AFFFFh is plain memory: the offset into vram of its first byte.
    std::optional<u32> linear_window() const;

 private:
    enum class Access : u8 {
        None,     // memory disabled
        Linear,   // index + linear_base_ in vram: DISPI banks, chain-4 without write logic
        Pairs,    // odd/even as text modes use it, without write logic
        Planar,   // all the logic, one plane address per byte
        OddEven,  // all the logic, two bytes per plane address
        Chain4,   // all the logic, four bytes per plane address
    };
    // A byte's place: the word of four planes, and which of them the address selects.
    struct Place {
        u32 word;
        u8 planes;
    };

    Access read_access() const;
    Access write_access() const;
    bool plain_writes(u8 planes) const;
    std::optional<u32> index_of(u32 offset) const;
    std::optional<Place> place_of(Access access, u32 index) const;
    u8 read_byte(u32 offset);
    void write_byte(u32 offset, u8 value);
    u8 read_logic(u32 index);
    void write_logic(u32 index, u8 value);
    u32 load_word(u32 word) const;
    void store_word(u32 word, u32 value);

    const VgaRegisters& registers_;
    std::span<u8> vram_;
    u64& changes_;
    u32 latch_ = 0;  // the four planes' bytes of the last read, plane 0 lowest

    Access read_ = Access::None, write_ = Access::None;
    u32 window_first_ = 0, window_size_ = 0;  // within the 128 KiB
    u32 linear_base_ = 0;
};

}  // namespace vellum
