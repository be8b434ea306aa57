// The bus master of one IDE channel: moves bytes along a table of physical regions in guest memory ("Programming
// Interface for Bus Master IDE Controller", revision 1.0).
#pragma once

#include <functional>

#include "base/archive.hpp"
#include "base/guest_bytes.hpp"

namespace vellum {

class BusMaster {
 public:
    explicit BusMaster(GuestBytes& memory) : memory_{memory} {}
    // Called when the guest starts the engine.
    void on_start(std::function<void()> call) { on_start_ = std::move(call); }

    // Registers 0-7 of the channel, a byte at a time.
    u8 read(u8 index) const;
    void write(u8 index, u8 value);

    // For the drive. A transfer may come in pieces; false: the table ended before `bytes` did.
    bool active() const { return status_ & 1; }
    bool store(std::span<const u8> bytes);
    bool load(std::span<u8> bytes);
    void interrupt_raised() { status_ |= 4; }

    void reset();
    void serialize(Archive&);

 private:
    // The piece of the current region that comes next, at most `most` bytes; none at the end of the table.
    u32 next_piece(u32 most);
    void advance(u32 count);

    GuestBytes& memory_;
    std::function<void()> on_start_;
    u8 command_ = 0, status_ = 0;
    u32 table_ = 0;  // as the guest wrote it
    u32 entry_ = 0;  // where the next entry of the table is
    u32 address_ = 0, left_ = 0;
    bool last_ = false;
};

}  // namespace vellum
