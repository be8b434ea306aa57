// Two-way state: one `serialize` per part serves saving, loading and comparing. Little endian, no padding.
#pragma once

#include <algorithm>
#include <array>
#include <concepts>
#include <cstring>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "base/types.hpp"

namespace vellum {

class Archive {
 public:
    enum class Mode { Save, Load, Compare };

    static Archive saver() { return Archive{Mode::Save, {}}; }
    static Archive loader(std::vector<u8> bytes) { return Archive{Mode::Load, std::move(bytes)}; }
    static Archive comparer(std::vector<u8> bytes) { return Archive{Mode::Compare, std::move(bytes)}; }

    bool loading() const { return mode_ == Mode::Load; }
    bool ok() const { return ok_; }
    // A part that finds a loaded value out of its range says so; the whole load is then refused.
    void refuse() { ok_ = false; }
    const std::vector<u8>& bytes() const { return bytes_; }
    bool at_end() const { return position_ == bytes_.size(); }  // loading: nothing is left over

    template <typename T>
    requires std::integral<T> || std::floating_point<T> || std::is_enum_v<T>
    void operator()(T& value) {
        if constexpr (std::is_same_v<T, bool>) {
            u8 byte = value;  // a damaged file must not leave a bool that is neither true nor false
            transfer(&byte, 1);
            value = byte != 0;
        } else {
            transfer(&value, sizeof value);
        }
    }

    template <typename T, std::size_t N>
    void operator()(std::array<T, N>& values) {
        for (auto& v : values) (*this)(v);
    }

    template <typename T, std::size_t N>
    void operator()(T (&values)[N]) {
        for (auto& v : values) (*this)(v);
    }

    template <typename T>
    requires requires(T& t, Archive& a) { t.serialize(a); }
    void operator()(T& part) { part.serialize(*this); }

    // Variable length: the count comes first; a load refuses counts over `most`.
    template <typename T>
    void sequence(std::vector<T>& values, u32 most) {
        u32 count = static_cast<u32>(values.size());
        (*this)(count);
        if (loading()) {
            if (count > most) return refuse();
            values.resize(count);
        }
        for (auto& v : values) (*this)(v);
    }

    template <typename... T>
    requires(sizeof...(T) > 1) void operator()(T&... values) { ((*this)(values), ...); }

    // Opens a named, versioned part; another name or version on load refuses the whole load.
    void section(std::string_view name, u32 version);
    // Of the first part that was refused for its version.
    struct OtherVersion {
        std::string name;
        u32 stored, expected;
    };
    const std::optional<OtherVersion>& other_version() const { return other_version_; }
    // Raw bytes of known length (RAM pages, screen memory).
    void raw(std::span<u8> bytes) { transfer(bytes.data(), bytes.size()); }

 private:
    Archive(Mode mode, std::vector<u8> bytes) : mode_{mode}, bytes_{std::move(bytes)} {}
    void transfer(void* data, std::size_t size);

    Mode mode_;
    std::vector<u8> bytes_;
    std::size_t position_ = 0;
    bool ok_ = true;
    std::optional<OtherVersion> other_version_;
};

}  // namespace vellum
