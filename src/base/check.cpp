// What happens when an assumption of ours does not hold.
#include "base/check.hpp"

#include <cstdio>
#include <cstdlib>

namespace vellum {

void check_failed(const char* sentence, const std::source_location& where) {
    std::fprintf(stderr, "vellum: internal error: %s (%s:%u)\n", sentence, where.file_name(),
                 static_cast<unsigned>(where.line()));
    std::abort();
}

}  // namespace vellum
