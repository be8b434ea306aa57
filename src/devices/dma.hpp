// Two 8237A DMA controllers and the page registers of a PC (Intel 8237A datasheet; IBM AT Technical Reference).
// Channels 0-3 move bytes, 5-7 words, each within its 64 KiB (128 KiB) page. Port 80h is not ours.
#pragma once

#include <array>
#include <span>

#include "base/guest_bytes.hpp"
#include "base/log.hpp"
#include "devices/bus.hpp"
#include "devices/device.hpp"

namespace vellum {

class Dma final : public Device {
 public:
    Dma(Bus& ports, GuestBytes& memory, Log& log);

    struct Moved {
        u32 bytes;            // less than asked for at terminal count, or 0 when the channel is off
        bool terminal_count;  // the count has run out: the last transfer was the channel's last
    };
    // For the device on `channel` (0-3, 5-7): it has bytes for memory, or wants some. Channels 5-7 take an even number.
    Moved to_memory(u8 channel, std::span<const u8> bytes);
    Moved from_memory(u8 channel, std::span<u8> bytes);

    std::string_view name() const override { return "dma"; }
    void reset() override;
    void serialize(Archive&) override;

 private:
    struct Channel {
        u16 base_address = 0, base_count = 0, address = 0, count = 0;
        u8 mode = 0;
        bool masked = true;
    };
    // One chip; its registers are one port apart (8-bit channels) or two.
    struct Controller final : BusTarget {
        std::array<Channel, 4> channels{};
        u8 command = 0, status = 0, request = 0;
        bool high_byte_next = false;
        u8 spacing;
        Log& log;
        Controller(u8 s, Log& l) : spacing{s}, log{l} {}
        u32 read(u32 offset, u8 size) override;
        void write(u32 offset, u8 size, u32 value) override;
        void write_control(u32 index, u8 value);
        void clear();
        void serialize(Archive&);
    };
    struct Pages final : BusTarget {
        std::array<u8, 16> values{};  // by port - 80h
        u32 read(u32 offset, u8) override { return values[offset + 1]; }
        void write(u32 offset, u8, u32 value) override { values[offset + 1] = static_cast<u8>(value); }
    };
    enum class Kind : u8 { Verify, ToMemory, FromMemory, Invalid };

    // Calls move(address, offset, count) for each run of bytes in one direction within a page.
    template <typename Move>
    Moved transfer(u8 channel, u32 size, Kind kind, Move move);

    GuestBytes& memory_;
    Controller bytes_, words_;
    Pages pages_;
};

}  // namespace vellum
