// What a terminal obeys, and what ends a line, written out. Text is UTF-8, or what claims to be.
#include "base/one_line.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/types.hpp"

namespace vellum {

namespace {

u8 at(std::string_view text, std::size_t i) { return i < text.size() ? static_cast<u8>(text[i]) : 0; }

// The length of the well-formed character that `text` begins with (RFC 3629, section 4); 0: there is none.
std::size_t character_length(std::string_view text) {
    const u8 first = at(text, 0), second = at(text, 1);
    const std::size_t length = first < 0x80   ? 1
                               : first < 0xC2 ? 0
                               : first < 0xE0 ? 2
                               : first < 0xF0 ? 3
                               : first < 0xF5 ? 4
                                              : 0;
    for (std::size_t i = 1; i < length; ++i)
        if ((at(text, i) & 0xC0) != 0x80) return 0;
    const bool too_long = (first == 0xE0 && second < 0xA0) || (first == 0xF0 && second < 0x90);
    const bool no_character = (first == 0xED && second > 0x9F) || (first == 0xF4 && second > 0x8F);
    return too_long || no_character ? 0 : length;
}

// Control characters (C0, DEL, C1), and the separators of lines and of paragraphs.
bool is_obeyed(std::string_view character) {
    if (character.size() == 1) return at(character, 0) < 0x20 || at(character, 0) == 0x7F;
    if (character.size() == 2) return at(character, 0) == 0xC2 && at(character, 1) < 0xA0;
    return character == "\xE2\x80\xA8" || character == "\xE2\x80\xA9";
}

std::string written_out(char c) {
    switch (c) {
        case '\n': return "\\n";
        case '\r': return "\\r";
        case '\t': return "\\t";
        default: return fmt::format("\\x{:02x}", static_cast<u8>(c));
    }
}

}  // namespace

std::string one_line(std::string_view text) {
    std::string line;
    while (!text.empty()) {
        const std::size_t length = character_length(text);
        const std::string_view character = text.substr(0, std::max<std::size_t>(length, 1));
        if (length > 0 && !is_obeyed(character))
            line += character;
        else
            for (char c : character) line += written_out(c);
        text.remove_prefix(character.size());
    }
    return line;
}

}  // namespace vellum
