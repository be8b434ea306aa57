// Operation codes of packets and sense data, as numbers (MMC-3, chapter 6 and annex A).
#pragma once

#include "base/types.hpp"

namespace vellum {

enum class PacketOperation : u8 {
    TestUnitReady = 0x00,
    RequestSense = 0x03,
    Inquiry = 0x12,
    ModeSense6 = 0x1A,
    StartStopUnit = 0x1B,
    PreventAllow = 0x1E,
    ReadCapacity = 0x25,
    Read10 = 0x28,
    Seek10 = 0x2B,
    SynchronizeCache = 0x35,
    ReadToc = 0x43,
    GetConfiguration = 0x46,
    GetEventStatus = 0x4A,
    ReadDiscInformation = 0x51,
    ModeSense10 = 0x5A,
    Read12 = 0xA8,
    SetCdSpeed = 0xBB,
    MechanismStatus = 0xBD,
    ReadCd = 0xBE,
};

struct PacketSense {
    u8 key = 0, code = 0, qualifier = 0;
};

namespace sense {

constexpr PacketSense not_present_tray_closed{0x02, 0x3A, 0x01}, not_present_tray_open{0x02, 0x3A, 0x02};
constexpr PacketSense read_error{0x03, 0x11, 0x00};
constexpr PacketSense unknown_operation{0x05, 0x20, 0x00}, out_of_range{0x05, 0x21, 0x00};
constexpr PacketSense invalid_field{0x05, 0x24, 0x00};
constexpr PacketSense removal_prevented{0x05, 0x53, 0x02};
constexpr PacketSense wrong_track_mode{0x05, 0x64, 0x00};
constexpr PacketSense medium_changed{0x06, 0x28, 0x00};

}  // namespace sense

}  // namespace vellum
