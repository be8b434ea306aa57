// One line for each piece of code.
#include "machine/perf_map.hpp"

#include <utility>

#include <fmt/format.h>

namespace vellum {

PerfMap::PerfMap(std::unique_ptr<ByteSink> file, std::function<Nanoseconds()> now)
    : now_{std::move(now)}, output_{std::move(file)} {}

void PerfMap::code_added(const NamedCode& code) {
    std::string line = fmt::format("{:x} {:x} {}\n", code.address, code.bytes.size(), code.name);
    output_.put(line.data(), line.size());
    output_.piece_ends(now_());
}

}  // namespace vellum
