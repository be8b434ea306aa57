// Port space and memory-mapped space: who answers at which address. An open bus reads as ones.
#pragma once

#include <functional>
#include <map>
#include <string_view>
#include <utility>

#include "base/check.hpp"
#include "base/types.hpp"

namespace vellum {

// One access of 1, 2 or 4 bytes, little endian. `offset` counts from the start of the claimed range.
class BusTarget {
 public:
    virtual u32 read(u32 offset, u8 size) = 0;
    virtual void write(u32 offset, u8 size, u32 value) = 0;

 protected:
    ~BusTarget() = default;
};

constexpr u32 open_bus(u8 size) { return 0xFFFFFFFFu >> (32 - 8 * size); }

// A multi-byte access that begins in one range and runs past its end, or begins on a byte-wide target's port and
// covers its neighbour, is split into bytes, as the ISA bridge does.
class Bus {
 public:
    enum class Width : u8 { Bytes, Any };  // Bytes: the target sees only one-byte accesses
    // Timeless: no answer and no effect of the target depends on the time, or on events that are due by now.
    enum class Timing : u8 { Timed, Timeless };

    // Two devices on one address are a wiring mistake: found when the machine is built, not when it runs.
    void claim(std::string_view owner, u32 first, u32 count, BusTarget& target, Width width = Width::Any,
               Timing timing = Timing::Timed);
    // For ranges a guest can move (PCI BARs): the later claim wins over what it covers, as on a real bus it would
    // be a conflict; release takes exactly what was claimed.
    void claim_movable(std::string_view owner, u32 first, u32 count, BusTarget& target);
    void release_movable(u32 first, const BusTarget& target);

    // Who is told of accesses that nobody answers.
    using OnUnclaimed = std::function<void(u32 address, u8 size, bool write)>;
    void on_unclaimed(OnUnclaimed call) { on_unclaimed_ = std::move(call); }

    bool claimed(u32 address) const { return find(address) != nullptr; }
    // Is nobody concerned but a target for whom time does not matter?
    bool timeless(u32 address, u8 size) const;
    u32 read(u32 address, u8 size) const;
    void write(u32 address, u8 size, u32 value) const;

 private:
    struct Range {
        u32 first, count;
        BusTarget* target;
        std::string_view owner;
        Width width;
        Timing timing;
        bool holds(u32 address) const { return address - first < count; }
    };
    const Range* find(u32 address) const;
    bool nobody_at(u32 address, u8 size) const;
    static const Range* find_in(const std::map<u32, Range>& ranges, u32 address);

    std::map<u32, Range> fixed_;
    mutable const Range* latest_ = nullptr;  // of the fixed ones: guests ask the same one again and again
    std::map<u32, Range> movable_;
    OnUnclaimed on_unclaimed_;
};

}  // namespace vellum
