// Which files are images in a format of their own, and no raw ones: a guest that was given one as its disk would read
// nonsense and, writing, destroy it. They are told by magic numbers.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "base/types.hpp"

namespace vellum {

// How a file is named that is to be taken as raw whatever its bytes look like: a guest may write any magic number to
// its own disk. `raw:FILE`, or just FILE.
struct ImageName {
    std::string path;
    bool raw;
    ImageName(std::string p, bool r = false) : path{std::move(p)}, raw{r} {}
};
ImageName image_name(std::string_view text);

// Enough of a file's two ends for its format to be told.
constexpr std::size_t format_head = 512, format_tail = 512;

// What a person calls the format, for a message; none: a raw image. `tail` is the end of the file, `head` its
// beginning; both are shorter where the file is.
std::optional<std::string_view> recognised_format(std::span<const u8> head, std::span<const u8> tail);

}  // namespace vellum
