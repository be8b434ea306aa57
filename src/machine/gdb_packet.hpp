// The outermost layer of GDB's remote protocol: `$payload#checksum`, acknowledgements, the interrupt byte, escapes.
// "Debugging with GDB", appendix E.1. Pure text; no socket, no machine.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/types.hpp"

namespace vellum {

struct GdbEvent {
    enum class Kind : u8 {
        Packet,         // a good one: `payload`, escapes undone
        Damaged,        // a wrong checksum, or too long
        Interrupt,      // Ctrl+C between packets
        Acknowledged,   // +
        NotUnderstood,  // -: send again
    };
    Kind kind;
    std::string payload;
    bool operator==(const GdbEvent&) const = default;
};

// Whether a debugger may begin with that byte: an acknowledgement, a packet or the interrupt. A web page can have its
// browser send what it likes to any port of this host, but the browser's own words (a method, a handshake) come first.
bool begins_gdb_conversation(u8 byte);

// Takes bytes as they come, in pieces of any size.
class GdbReader {
 public:
    static constexpr std::size_t longest_packet = 0x4000;

    std::vector<GdbEvent> feed(std::span<const u8> bytes);
    std::optional<GdbEvent> take(u8 byte);

 private:
    enum class State : u8 { Between, Payload, FirstDigit, SecondDigit };
    GdbEvent finish();

    State state_ = State::Between;
    std::string raw_;  // escapes still in it: the checksum is over these
    char digits_[2] = {};
    bool too_long_ = false;
};

std::string frame_gdb_packet(std::string_view payload);  // escapes what has to be

// --- the numbers and bytes in packets
std::string to_hex(std::span<const u8> bytes);
std::string to_hex(std::string_view text);
// nullopt: an odd number of digits, or something else than digits.
std::optional<std::vector<u8>> from_hex(std::string_view text);
std::optional<u64> parse_hex_number(std::string_view text);  // big endian, 1 to 16 digits

}  // namespace vellum
