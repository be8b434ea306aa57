// The MOO container of SingleStepTests: single instructions with the state before and after, and their RAM.
#pragma once

#include <zlib.h>

#include <array>
#include <cstring>
#include <filesystem>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/types.hpp"

namespace vellum::test {

struct MooState {
    // ax bx cx dx cs ss ds es sp bp si di ip flags; only what is listed in the file.
    std::array<std::optional<u16>, 14> registers;
    std::vector<std::pair<u32, u8>> ram;
};

struct MooTest {
    u32 index = 0;
    std::string name;
    std::vector<u8> bytes;
    MooState initial, final;
    std::optional<u8> exception;
};

namespace moo_detail {

inline u32 word_at(std::span<const u8> bytes, std::size_t at) {
    u32 value = 0;
    if (at + 4 <= bytes.size()) std::memcpy(&value, bytes.data() + at, 4);
    return value;
}

// Calls `each(type, payload)` for the chunks in `bytes`.
template <typename Each>
void for_chunks(std::span<const u8> bytes, Each each) {
    while (bytes.size() >= 8) {
        std::string type(bytes.begin(), bytes.begin() + 4);
        std::size_t length = std::min<std::size_t>(word_at(bytes, 4), bytes.size() - 8);
        each(type, bytes.subspan(8, length));
        bytes = bytes.subspan(8 + length);
    }
}

inline MooState read_state(std::span<const u8> bytes) {
    MooState state;
    for_chunks(bytes, [&](const std::string& type, std::span<const u8> payload) {
        if (type == "REGS") {
            u32 mask = word_at(payload, 0) & 0xFFFF, at = 2;
            for (u32 i = 0; i < state.registers.size(); ++i)
                if (mask >> i & 1) {
                    state.registers[i] = static_cast<u16>(payload[at] | payload[at + 1] << 8);
                    at += 2;
                }
        } else if (type == "RAM ") {
            for (std::size_t i = 4; i + 5 <= payload.size(); i += 5)
                state.ram.push_back({word_at(payload, i), payload[i + 4]});
        }
    });
    return state;
}

inline MooTest read_test(std::span<const u8> bytes) {
    MooTest test;
    test.index = word_at(bytes, 0);
    for_chunks(bytes.subspan(4), [&](const std::string& type, std::span<const u8> payload) {
        if (type == "NAME") test.name.assign(payload.begin() + 4, payload.end());
        if (type == "BYTS") test.bytes.assign(payload.begin() + 4, payload.end());
        if (type == "INIT") test.initial = read_state(payload);
        if (type == "FINA") test.final = read_state(payload);
        if (type == "EXCP") test.exception = payload[0];
    });
    return test;
}

}  // namespace moo_detail

inline std::vector<u8> read_gzip(const std::filesystem::path& path) {
    std::vector<u8> bytes;
    gzFile file = gzopen(path.c_str(), "rb");
    if (!file) return bytes;
    std::array<u8, 65536> part;
    for (int got; (got = gzread(file, part.data(), part.size())) > 0;)
        bytes.insert(bytes.end(), part.begin(), part.begin() + got);
    gzclose(file);
    return bytes;
}

inline std::vector<MooTest> read_moo(const std::filesystem::path& path) {
    std::vector<MooTest> tests;
    std::vector<u8> bytes = read_gzip(path);
    moo_detail::for_chunks(bytes, [&](const std::string& type, std::span<const u8> payload) {
        if (type == "TEST") tests.push_back(moo_detail::read_test(payload));
    });
    return tests;
}

// All numbers called `name` in a JSON text, by the path of keys above them ("opcodes.F6.reg.4").
inline std::map<std::string, u32> numbers_in_json(const std::string& text, const std::string& name) {
    std::map<std::string, u32> numbers;
    std::vector<std::string> path;
    std::string key;
    for (std::size_t i = 0; i < text.size(); ++i) {
        char c = text[i];
        if (c == '{') path.push_back(key);
        if (c == '}') path.pop_back();
        if (c != '"') continue;
        std::size_t end = text.find('"', i + 1);
        std::string word = text.substr(i + 1, end - i - 1);
        i = end;
        if (text[text.find_first_not_of(" \n", end + 1)] != ':') continue;
        key = word;
        if (key != name) continue;
        std::string joined;
        for (const std::string& part : path) joined += part.empty() ? "" : (joined.empty() ? "" : ".") + part;
        numbers[joined] = static_cast<u32>(std::stoul(text.substr(text.find(':', end) + 1)));
    }
    return numbers;
}

}  // namespace vellum::test
