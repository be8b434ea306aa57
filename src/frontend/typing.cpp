// Tables of the US layout.
#include "frontend/typing.hpp"

#include <algorithm>
#include <array>

namespace vellum {

namespace {

struct NamedKey {
    std::string_view name;
    u8 usage;
};

// Letters, digits and function keys are found by rule; names are those of QEMU's monitor, with some plain ones beside.
constexpr NamedKey named_keys[] = {
    {"ret", 0x28},          {"enter", 0x28},         {"esc", 0x29},         {"escape", 0x29},      {"backspace", 0x2A},
    {"tab", 0x2B},          {"spc", 0x2C},           {"space", 0x2C},       {"minus", 0x2D},       {"equal", 0x2E},
    {"bracket_left", 0x2F}, {"bracket_right", 0x30}, {"backslash", 0x31},   {"semicolon", 0x33},   {"apostrophe", 0x34},
    {"grave_accent", 0x35}, {"comma", 0x36},         {"dot", 0x37},         {"slash", 0x38},       {"caps_lock", 0x39},
    {"print", 0x46},        {"sysrq", 0x46},         {"scroll_lock", 0x47}, {"pause", 0x48},       {"insert", 0x49},
    {"home", 0x4A},         {"pgup", 0x4B},          {"delete", 0x4C},      {"del", 0x4C},         {"end", 0x4D},
    {"pgdn", 0x4E},         {"right", 0x4F},         {"left", 0x50},        {"down", 0x51},        {"up", 0x52},
    {"num_lock", 0x53},     {"kp_divide", 0x54},     {"kp_multiply", 0x55}, {"kp_subtract", 0x56}, {"kp_add", 0x57},
    {"kp_enter", 0x58},     {"kp_1", 0x59},          {"kp_2", 0x5A},        {"kp_3", 0x5B},        {"kp_4", 0x5C},
    {"kp_5", 0x5D},         {"kp_6", 0x5E},          {"kp_7", 0x5F},        {"kp_8", 0x60},        {"kp_9", 0x61},
    {"kp_0", 0x62},         {"kp_decimal", 0x63},    {"less", 0x64},        {"menu", 0x65},        {"ctrl", 0xE0},
    {"shift", 0xE1},        {"alt", 0xE2},           {"meta_l", 0xE3},      {"ctrl_r", 0xE4},      {"shift_r", 0xE5},
    {"alt_r", 0xE6},        {"meta_r", 0xE7},
};

struct CharacterKey {
    char plain, shifted;
    u8 usage;
};

constexpr CharacterKey character_keys[] = {
    {'1', '!', 0x1E}, {'2', '@', 0x1F}, {'3', '#', 0x20},  {'4', '$', 0x21}, {'5', '%', 0x22},  {'6', '^', 0x23},
    {'7', '&', 0x24}, {'8', '*', 0x25}, {'9', '(', 0x26},  {'0', ')', 0x27}, {'-', '_', 0x2D},  {'=', '+', 0x2E},
    {'[', '{', 0x2F}, {']', '}', 0x30}, {'\\', '|', 0x31}, {';', ':', 0x33}, {'\'', '"', 0x34}, {'`', '~', 0x35},
    {',', '<', 0x36}, {'.', '>', 0x37}, {'/', '?', 0x38},
};

std::optional<u8> usage_of(std::string_view name) {
    if (name.size() == 1) {
        const auto stroke = keystroke_of(name[0]);
        if (stroke && !stroke->shift && !stroke->ctrl) return stroke->usage;
        return std::nullopt;
    }
    if (name.size() >= 2 && name.size() <= 3 && name[0] == 'f' && name[1] >= '1' && name[1] <= '9') {
        const u32 number = name.size() == 2 ? name[1] - '0' : (name[1] - '0') * 10 + (name[2] - '0');
        if (number >= 1 && number <= 12 && name.back() >= '0' && name.back() <= '9')
            return static_cast<u8>(usage::f1 + number - 1);
    }
    const auto at = std::ranges::find(named_keys, name, &NamedKey::name);
    if (at == std::end(named_keys)) return std::nullopt;
    return at->usage;
}

std::optional<Keystroke> control_character(char character) {
    switch (character) {
        case '\n':
        case '\r': return Keystroke{usage::enter};
        case '\t': return Keystroke{usage::tab};
        case '\b':
        case 0x7F: return Keystroke{usage::backspace};
        case 0x1B: return Keystroke{usage::escape};
        case 0x00: return Keystroke{.usage = usage::space, .ctrl = true};
        default: break;
    }
    // The rest are Ctrl with the character of the same low five bits: letters, and \ ] ^ _ above them.
    auto stroke = keystroke_of(static_cast<char>(character <= 26 ? character + 'a' - 1 : character + '@'));
    if (stroke) stroke->ctrl = true;
    return stroke;
}

}  // namespace

std::optional<Keystroke> keystroke_of(char character) {
    if (static_cast<u8>(character) > 0x7F) return std::nullopt;
    if (character >= 'a' && character <= 'z') return Keystroke{static_cast<u8>(usage::a + character - 'a')};
    if (character >= 'A' && character <= 'Z')
        return Keystroke{.usage = static_cast<u8>(usage::a + character - 'A'), .shift = true};
    if (character == ' ') return Keystroke{usage::space};
    if (character < ' ' || character == 0x7F) return control_character(character);
    for (const CharacterKey& key : character_keys)
        if (key.plain == character || key.shifted == character)
            return Keystroke{.usage = key.usage, .shift = key.shifted == character};
    return std::nullopt;
}

void append(std::vector<KeyEvent>& events, const Keystroke& stroke) {
    const std::array<std::pair<bool, u8>, 3> modifiers = {
        {{stroke.ctrl, usage::left_ctrl}, {stroke.alt, usage::left_alt}, {stroke.shift, usage::left_shift}}};
    for (const auto& [held, key] : modifiers)
        if (held) events.push_back({key, true});
    events.push_back({stroke.usage, true});
    events.push_back({stroke.usage, false});
    for (auto modifier = modifiers.rbegin(); modifier != modifiers.rend(); ++modifier)
        if (modifier->first) events.push_back({modifier->second, false});
}

std::vector<KeyEvent> keys_for_text(std::string_view text) {
    std::vector<KeyEvent> events;
    for (char character : text)
        if (const auto stroke = keystroke_of(character)) append(events, *stroke);
    return events;
}

std::optional<std::vector<KeyEvent>> keys_for_names(std::string_view names) {
    std::vector<KeyEvent> events;
    for (;;) {
        const auto dash = names.find('-');
        const auto key = usage_of(names.substr(0, dash));
        if (!key) return std::nullopt;
        events.push_back({*key, true});
        if (dash == std::string_view::npos) break;
        names.remove_prefix(dash + 1);
    }
    for (std::size_t i = events.size(); i-- > 0;) events.push_back({events[i].usage, false});
    return events;
}

}  // namespace vellum
