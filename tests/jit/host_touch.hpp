// May this process read or write that byte of its own memory? Asked without a signal.
#pragma once

#include "base/types.hpp"

namespace vellum::test {

bool host_readable(const u8* at);
bool host_writable(u8* at);  // leaves the byte as it was

}  // namespace vellum::test
