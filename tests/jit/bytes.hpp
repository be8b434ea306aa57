// Machine code as tests put it together.
#pragma once

#include <vector>

#include "base/types.hpp"

namespace vellum::test {

using Bytes = std::vector<u8>;

inline Bytes operator+(Bytes a, const Bytes& b) {
    a.insert(a.end(), b.begin(), b.end());
    return a;
}

}  // namespace vellum::test
