// Framing of GDB's remote protocol.
#include "machine/gdb_packet.hpp"

#include <catch2/catch.hpp>

using namespace vellum;
using Kind = GdbEvent::Kind;

namespace {

std::vector<GdbEvent> feed(GdbReader& reader, std::string_view text) {
    return reader.feed({reinterpret_cast<const u8*>(text.data()), text.size()});
}

}  // namespace

TEST_CASE("gdb packet: a framed payload is read back, whatever bytes are in it") {
    std::string every_byte;
    for (int i = 0; i < 256; ++i) every_byte += static_cast<char>(i);
    GdbReader reader;
    std::string frame = frame_gdb_packet(every_byte);
    CHECK(feed(reader, frame) == std::vector<GdbEvent>{{Kind::Packet, every_byte}});
    CHECK(frame.find_first_of("$#*", 1) == frame.size() - 3);  // nothing but the end mark
}

TEST_CASE("gdb packet: the checksum is the sum of the bytes, in two digits") {
    CHECK(frame_gdb_packet("OK") == "$OK#9a");
    CHECK(frame_gdb_packet("") == "$#00");
}

TEST_CASE("gdb packet: bytes may come one by one, with acknowledgements and Ctrl+C between packets") {
    GdbReader reader;
    std::vector<GdbEvent> events;
    for (char c : std::string{"+$g#67-\x03$m0,4#FD"})
        for (GdbEvent& event : feed(reader, {&c, 1})) events.push_back(event);
    CHECK(events == std::vector<GdbEvent>{{Kind::Acknowledged, ""},
                                          {Kind::Packet, "g"},
                                          {Kind::NotUnderstood, ""},
                                          {Kind::Interrupt, ""},
                                          {Kind::Packet, "m0,4"}});
}

TEST_CASE("gdb packet: a wrong checksum is damage, and the next packet is read") {
    GdbReader reader;
    CHECK(feed(reader, "$g#68$g#67") == std::vector<GdbEvent>{{Kind::Damaged, ""}, {Kind::Packet, "g"}});
    CHECK(feed(reader, "$g#xy") == std::vector<GdbEvent>{{Kind::Damaged, ""}});
}

TEST_CASE("gdb packet: a packet whose end was lost gives way to the next one") {
    GdbReader reader;
    CHECK(feed(reader, "$m1000,$g#67") == std::vector<GdbEvent>{{Kind::Packet, "g"}});
}

TEST_CASE("gdb packet: more than the longest packet is damage, not memory") {
    GdbReader reader;
    std::string longest(GdbReader::longest_packet, '\0');
    CHECK(feed(reader, "$" + longest + "#00").front().kind == Kind::Packet);
    CHECK(feed(reader, "$" + longest + std::string(1, '\0') + "#00").front().kind == Kind::Damaged);
    CHECK(feed(reader, "$g#67").front().payload == "g");
}

TEST_CASE("gdb packet: hexadecimal takes both cases, and nothing but whole bytes") {
    CHECK(from_hex("00fFa5") == std::vector<u8>{0x00, 0xFF, 0xA5});
    CHECK(from_hex("").has_value());
    CHECK_FALSE(from_hex("abc").has_value());
    CHECK_FALSE(from_hex("0g").has_value());
    CHECK(to_hex(std::string_view{"\x01\xAB"}) == "01ab");
    CHECK(parse_hex_number("fffffffffffffff0") == 0xFFFFFFFFFFFFFFF0);
    CHECK_FALSE(parse_hex_number("").has_value());
    CHECK_FALSE(parse_hex_number("10000000000000000").has_value());
    CHECK_FALSE(parse_hex_number("-1").has_value());
}
