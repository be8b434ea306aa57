// Operation codes of packets and sense data, as numbers (MMC-3, chapter 6 and annex A).
#pragma once

#include "base/types.hpp"

namespace vellum {

enum class PacketOperation : u8 {
    TestUnitReady = 0x00,
    RequestSense = 0x03,
    Inquiry = 0x12,
    ModeSelect6 = 0x15,
    ModeSense6 = 0x1A,
    StartStopUnit = 0x1B,
    PreventAllow = 0x1E,
    ReadCapacity = 0x25,
    Read10 = 0x28,
    Seek10 = 0x2B,
    SynchronizeCache = 0x35,
    ReadSubchannel = 0x42,
    ReadToc = 0x43,
    ReadHeader = 0x44,
    PlayAudio10 = 0x45,
    GetConfiguration = 0x46,
    PlayAudioMsf = 0x47,
    GetEventStatus = 0x4A,
    PauseResume = 0x4B,
    StopPlay = 0x4E,
    ReadDiscInformation = 0x51,
    ModeSelect10 = 0x55,
    ModeSense10 = 0x5A,
    PlayAudio12 = 0xA5,
    Read12 = 0xA8,
    ReadCdMsf = 0xB9,
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
constexpr PacketSense parameter_list_length{0x05, 0x1A, 0x00}, invalid_parameter{0x05, 0x26, 0x00};
constexpr PacketSense out_of_sequence{0x05, 0x2C, 0x00}, saving_not_supported{0x05, 0x39, 0x00};
constexpr PacketSense removal_prevented{0x05, 0x53, 0x02};
constexpr PacketSense wrong_track_mode{0x05, 0x64, 0x00};
constexpr PacketSense medium_changed{0x06, 0x28, 0x00};

}  // namespace sense

}  // namespace vellum
