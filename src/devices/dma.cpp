// Registers and transfers of the DMA controllers.
#include "devices/dma.hpp"

#include <algorithm>

namespace vellum {

namespace {

constexpr u8 controller_disabled = 0x04;                            // command
constexpr u8 autoinitialize = 0x10, decrement = 0x20;               // mode
constexpr std::array<u8, 8> page_ports{7, 3, 1, 2, 15, 11, 9, 10};  // of channels 0-7, from 80h

}  // namespace

Dma::Dma(Bus& ports, GuestBytes& memory, Log& log) : memory_{memory}, bytes_{1, log}, words_{2, log} {
    ports.claim("dma 0-3", 0x00, 16, bytes_, Bus::Width::Bytes);
    ports.claim("dma 4-7", 0xC0, 32, words_, Bus::Width::Bytes);
    ports.claim("dma pages", 0x81, 15, pages_, Bus::Width::Bytes);
}

// Registers 0-7 are the channels' addresses and counts, low byte first; 8-15 control.
u32 Dma::Controller::read(u32 offset, u8) {
    u32 index = offset / spacing;
    if (index < 8) {
        const Channel& channel = channels[index / 2];
        u16 value = index % 2 ? channel.count : channel.address;
        high_byte_next = !high_byte_next;
        return high_byte_next ? value & 0xFF : value >> 8;
    }
    if (index == 8) {
        u8 value = status;
        status &= 0xF0;
        return value;
    }
    if (index == 15) {  // masks, as later chips give them
        u8 value = 0xF0;
        for (u32 i = 0; i < 4; ++i) value |= channels[i].masked << i;
        return value;
    }
    return 0;
}

void Dma::Controller::write(u32 offset, u8, u32 value) {
    u32 index = offset / spacing;
    if (index >= 8) return write_control(index, static_cast<u8>(value));
    Channel& channel = channels[index / 2];
    u16& base = index % 2 ? channel.base_count : channel.base_address;
    base = static_cast<u16>(high_byte_next ? (base & 0x00FF) | (value & 0xFF) << 8 : (base & 0xFF00) | (value & 0xFF));
    (index % 2 ? channel.count : channel.address) = base;
    high_byte_next = !high_byte_next;
}

void Dma::Controller::write_control(u32 index, u8 value) {
    switch (index) {
        case 8:
            command = value;
            if (value & 0x01) log.once(Topic::Ports, "dma: memory to memory transfers do nothing");
            break;
        case 9: request = static_cast<u8>((request & ~(1 << (value & 3))) | ((value >> 2) & 1) << (value & 3)); break;
        case 10: channels[value & 3].masked = value & 4; break;
        case 11: channels[value & 3].mode = value; break;
        case 12: high_byte_next = false; break;
        case 13: clear(); break;
        case 14:
            for (Channel& channel : channels) channel.masked = false;
            break;
        default:
            for (u32 i = 0; i < 4; ++i) channels[i].masked = (value >> i) & 1;
            break;
    }
}

void Dma::Controller::clear() {
    command = status = request = 0;
    high_byte_next = false;
    for (Channel& channel : channels) channel.masked = true;
}

template <typename Move>
Dma::Moved Dma::transfer(u8 number, u32 size, Kind kind, Move move) {
    bool wide = number >= 4;
    Controller& controller = wide ? words_ : bytes_;
    Channel& channel = controller.channels[number & 3];
    if (channel.masked || (controller.command & controller_disabled)) return {0, false};
    u32 unit = wide ? 2 : 1, page = pages_.values[page_ports[number & 7]];
    // A verify counts and moves nothing, and so does a channel that was set up for the other direction.
    bool moves = Kind{static_cast<u8>((channel.mode >> 2) & 3)} == kind;
    u32 total = std::min(size / unit, channel.count + 1u), done = 0;
    while (done < total) {
        bool down = channel.mode & decrement;
        u32 run = down ? 1 : std::min(total - done, 0x10000u - channel.address);
        u32 address = wide ? (page & 0xFE) << 16 | channel.address << 1 : page << 16 | channel.address;
        if (moves) move(Physical{address}, done * unit, run * unit);
        channel.address = static_cast<u16>(down ? channel.address - 1 : channel.address + run);
        done += run;
    }
    channel.count = static_cast<u16>(channel.count - total);
    bool ended = total > 0 && channel.count == 0xFFFF;
    if (ended) {
        controller.status |= 1 << (number & 3);
        if (channel.mode & autoinitialize) {
            channel.address = channel.base_address;
            channel.count = channel.base_count;
        } else {
            channel.masked = true;
        }
    }
    return {total * unit, ended};
}

Dma::Moved Dma::to_memory(u8 channel, std::span<const u8> bytes) {
    return transfer(channel, static_cast<u32>(bytes.size()), Kind::ToMemory,
                    [&](Physical at, u32 offset, u32 count) { memory_.write(at, bytes.subspan(offset, count)); });
}

Dma::Moved Dma::from_memory(u8 channel, std::span<u8> bytes) {
    std::fill(bytes.begin(), bytes.end(), 0xFF);
    return transfer(channel, static_cast<u32>(bytes.size()), Kind::FromMemory,
                    [&](Physical at, u32 offset, u32 count) { memory_.read(at, bytes.subspan(offset, count)); });
}

void Dma::reset() {
    bytes_.clear();
    words_.clear();
    pages_.values = {};
}

void Dma::Controller::serialize(Archive& a) {
    for (Channel& c : channels) a(c.base_address, c.base_count, c.address, c.count, c.mode, c.masked);
    a(command, status, request, high_byte_next);
}

void Dma::serialize(Archive& a) {
    a.section(name(), 1);
    a(bytes_, words_, pages_.values);
}

}  // namespace vellum
