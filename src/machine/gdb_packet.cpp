// Framing and hexadecimal.
#include "machine/gdb_packet.hpp"

#include <fmt/format.h>

namespace vellum {

namespace {

constexpr char escape = '}';
constexpr char escape_flip = 0x20;
constexpr u8 interrupt_byte = 3;

int digit_value(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

u8 sum_of(std::string_view text) {
    u8 sum = 0;
    for (char c : text) sum = static_cast<u8>(sum + static_cast<u8>(c));
    return sum;
}

std::string without_escapes(std::string_view raw) {
    std::string text;
    for (std::size_t i = 0; i < raw.size(); ++i) {
        bool escaped = raw[i] == escape && i + 1 < raw.size();
        text += escaped ? static_cast<char>(raw[++i] ^ escape_flip) : raw[i];
    }
    return text;
}

}  // namespace

bool begins_gdb_conversation(u8 byte) { return byte == '+' || byte == '-' || byte == '$' || byte == interrupt_byte; }

std::vector<GdbEvent> GdbReader::feed(std::span<const u8> bytes) {
    std::vector<GdbEvent> events;
    for (u8 byte : bytes)
        if (auto event = take(byte)) events.push_back(std::move(*event));
    return events;
}

std::optional<GdbEvent> GdbReader::take(u8 byte) {
    auto c = static_cast<char>(byte);
    switch (state_) {
        case State::Between:
            if (c == '+') return GdbEvent{GdbEvent::Kind::Acknowledged, {}};
            if (c == '-') return GdbEvent{GdbEvent::Kind::NotUnderstood, {}};
            if (byte == interrupt_byte) return GdbEvent{GdbEvent::Kind::Interrupt, {}};
            if (c != '$') return std::nullopt;
            raw_.clear();
            too_long_ = false;
            state_ = State::Payload;
            return std::nullopt;
        case State::Payload:
            if (c == '#') {
                state_ = State::FirstDigit;
            } else if (c == '$') {  // the end of the one before was lost
                raw_.clear();
                too_long_ = false;
            } else if (raw_.size() == longest_packet) {
                too_long_ = true;
            } else {
                raw_ += c;
            }
            return std::nullopt;
        case State::FirstDigit:
            digits_[0] = c;
            state_ = State::SecondDigit;
            return std::nullopt;
        case State::SecondDigit:
            digits_[1] = c;
            state_ = State::Between;
            return finish();
    }
    return std::nullopt;
}

GdbEvent GdbReader::finish() {
    int high = digit_value(digits_[0]), low = digit_value(digits_[1]);
    bool good = !too_long_ && high >= 0 && low >= 0 && sum_of(raw_) == high * 16 + low;
    if (!good) return {GdbEvent::Kind::Damaged, {}};
    return {GdbEvent::Kind::Packet, without_escapes(raw_)};
}

std::string frame_gdb_packet(std::string_view payload) {
    std::string body;
    for (char c : payload) {
        if (c == '$' || c == '#' || c == '*' || c == escape) {
            body += escape;
            c ^= escape_flip;
        }
        body += c;
    }
    return fmt::format("${}#{:02x}", body, sum_of(body));
}

std::string to_hex(std::span<const u8> bytes) {
    constexpr char digits[] = "0123456789abcdef";
    std::string text;
    text.reserve(2 * bytes.size());
    for (u8 byte : bytes) {
        text += digits[byte >> 4];
        text += digits[byte & 15];
    }
    return text;
}

std::string to_hex(std::string_view text) { return to_hex({reinterpret_cast<const u8*>(text.data()), text.size()}); }

std::optional<std::vector<u8>> from_hex(std::string_view text) {
    if (text.size() % 2) return std::nullopt;
    std::vector<u8> bytes;
    for (std::size_t i = 0; i < text.size(); i += 2) {
        int high = digit_value(text[i]), low = digit_value(text[i + 1]);
        if (high < 0 || low < 0) return std::nullopt;
        bytes.push_back(static_cast<u8>(high * 16 + low));
    }
    return bytes;
}

std::optional<u64> parse_hex_number(std::string_view text) {
    if (text.empty() || text.size() > 16) return std::nullopt;
    u64 value = 0;
    for (char c : text) {
        int digit = digit_value(c);
        if (digit < 0) return std::nullopt;
        value = value << 4 | static_cast<u64>(digit);
    }
    return value;
}

}  // namespace vellum
