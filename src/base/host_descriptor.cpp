// Descriptor on Linux.
#include <unistd.h>

#include "base/descriptor.hpp"

namespace vellum {

Descriptor::~Descriptor() {
    if (number_ >= 0) ::close(number_);
}

}  // namespace vellum
