// The parser of a terminal's input.
#include "frontend/terminal_keys.hpp"

#include <array>
#include <charconv>
#include <optional>

namespace vellum {

namespace {

constexpr char escape = 0x1B, quit_character = 0x1D;
constexpr std::size_t longest_sequence = 32;

// Parameters before '~' (VT220, xterm): the key with number n, or 0.
constexpr auto tilde_keys = [] {
    std::array<u8, 25> keys{};
    keys[1] = keys[7] = usage::home;
    keys[2] = usage::insert;
    keys[3] = usage::del;
    keys[4] = keys[8] = usage::end;
    keys[5] = usage::page_up;
    keys[6] = usage::page_down;
    for (u8 i = 0; i < 5; ++i) keys[11 + i] = usage::f1 + i;
    for (u8 i = 0; i < 5; ++i) keys[17 + i] = usage::f1 + 5 + i;
    keys[23] = usage::f1 + 10;
    keys[24] = usage::f1 + 11;
    return keys;
}();

u8 letter_key(char final) {
    switch (final) {
        case 'A': return usage::up;
        case 'B': return usage::down;
        case 'C': return usage::right;
        case 'D': return usage::left;
        case 'F': return usage::end;
        case 'H': return usage::home;
        case 'P':
        case 'Q':
        case 'R':
        case 'S': return static_cast<u8>(usage::f1 + final - 'P');
        default: return 0;
    }
}

// "5;3" gives {5, 3}; missing numbers are 0.
std::array<u32, 2> parameters(std::string_view text) {
    std::array<u32, 2> values{};
    const auto semicolon = text.find(';');
    const auto number = [](std::string_view digits) {
        u32 value = 0;
        std::from_chars(digits.data(), digits.data() + digits.size(), value);
        return value;
    };
    values[0] = number(text.substr(0, semicolon));
    if (semicolon != std::string_view::npos) values[1] = number(text.substr(semicolon + 1));
    return values;
}

std::optional<Keystroke> control_sequence(std::string_view text, char final) {
    if (final == 'Z') return Keystroke{.usage = usage::tab, .shift = true};
    const auto [number, modifiers] = parameters(text);
    Keystroke stroke;
    stroke.usage = final == '~' ? (number < tilde_keys.size() ? tilde_keys[number] : u8{0}) : letter_key(final);
    if (stroke.usage == 0) return std::nullopt;
    const u32 held = modifiers > 0 ? modifiers - 1 : 0;
    stroke.shift = held & 1;
    stroke.alt = held & 2;
    stroke.ctrl = held & 4;
    return stroke;
}

// One unit at the start of the input: how many bytes it takes (0: not complete yet) and what it types, if anything.
struct Unit {
    std::size_t length;
    std::optional<Keystroke> stroke;
};

Unit sequence_after_bracket(std::string_view input) {
    // The Linux console sends ESC [ [ A to E for F1 to F5.
    if (input.size() >= 3 && input[2] == '[') {
        if (input.size() < 4) return {0, {}};
        const bool known = input[3] >= 'A' && input[3] <= 'E';
        return {4, known ? std::optional{Keystroke{static_cast<u8>(usage::f1 + input[3] - 'A')}} : std::nullopt};
    }
    for (std::size_t i = 2; i < input.size(); ++i) {
        if (i >= longest_sequence || static_cast<u8>(input[i]) < 0x20) return {i, {}};
        if (input[i] >= 0x40) return {i + 1, control_sequence(input.substr(2, i - 2), input[i])};
    }
    return {0, {}};
}

Unit next_unit(std::string_view input) {
    if (input[0] != escape) return {1, keystroke_of(input[0])};
    if (input.size() == 1) return {0, {}};
    if (input[1] == '[') return sequence_after_bracket(input);
    if (input[1] == 'O') {
        if (input.size() == 2) return {0, {}};
        if (const u8 key = letter_key(input[2])) return {3, Keystroke{key}};
    }
    // Escape before a character is Alt; Escape twice is the key itself once, and the second begins anew.
    if (input[1] == escape) return {1, Keystroke{usage::escape}};
    auto stroke = keystroke_of(input[1]);
    if (stroke) stroke->alt = true;
    return {2, stroke};
}

}  // namespace

TerminalKeys::Result TerminalKeys::feed(std::string_view bytes) {
    Result result;
    pending_ += bytes;
    std::string_view rest = pending_;
    while (!rest.empty()) {
        if (rest[0] == quit_character) result.quit = true;
        const Unit unit = rest[0] == quit_character ? Unit{1, {}} : next_unit(rest);
        if (unit.length == 0) break;
        if (unit.stroke) append(result.events, *unit.stroke);
        rest.remove_prefix(unit.length);
    }
    pending_ = std::string{rest};
    return result;
}

TerminalKeys::Result TerminalKeys::timeout() {
    Result result;
    if (pending_.empty()) return result;
    const std::string rest = pending_.substr(1);
    append(result.events, Keystroke{usage::escape});
    pending_.clear();
    for (char character : rest)
        if (const auto stroke = keystroke_of(character)) append(result.events, *stroke);
    return result;
}

}  // namespace vellum
