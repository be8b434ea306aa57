// What QEMU's options mean for this machine, as facts; the translation of command lines is in qemu_words.hpp.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace vellum::qemu {

// Option without dashes, and a property: does it say what this machine is or does anyway, or what no guest can see?
bool is_harmless(std::string_view option, const std::string& property, const std::string& value);

// Options without a value that change nothing here.
bool has_no_effect(std::string_view option);

// Options that have no equivalent: what to do instead, or "" where there is nothing. None: no such option of QEMU's.
std::optional<std::string_view> advice_instead_of(std::string_view option);

}  // namespace vellum::qemu
