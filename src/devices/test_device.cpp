// Two memories behind a bus.
#include "devices/test_device.hpp"

#include <cstring>
#include <span>

namespace vellum {

namespace {

// A bus never asks beyond the range that was claimed.
BusWindow plain_memory(std::span<u8> bytes) {
    return {[bytes](u32 offset, u8 size) {
                u32 value = 0;
                std::memcpy(&value, &bytes[offset], size);
                return value;
            },
            [bytes](u32 offset, u8 size, u32 value) { std::memcpy(&bytes[offset], &value, size); }};
}

}  // namespace

TestDevice::TestDevice(Bus& ports, Bus& mmio)
    : register_port_{plain_memory(register_)},
      flush_port_{[](u32, u8 size) { return open_bus(size); }, [](u32, u8, u32) {}},
      window_{plain_memory(memory_)} {
    ports.claim("test device", first_port, 4, register_port_);
    ports.claim("test device flush", flush_port, 4, flush_port_);
    mmio.claim("test device memory", memory_address, memory_bytes, window_);
}

void TestDevice::serialize(Archive& a) {
    a.section("test device", 1);
    a(register_);
    a.raw(memory_);
}

}  // namespace vellum
