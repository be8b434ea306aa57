// The latch of line 13.
#include "devices/coprocessor_error.hpp"

namespace vellum {

// Reads go on to the ISA bus, where nobody answers.
CoprocessorError::CoprocessorError(Bus& ports, IrqLine line)
    : line_{line}, port_{[](u32, u8 size) { return open_bus(size); }, [this](u32, u8, u32) { acknowledge(); }} {
    ports.claim("coprocessor error", 0xF0, 1, port_);
}

void CoprocessorError::reset() {
    ferr_ = ignne_ = false;
    line_.set(false);
}

void CoprocessorError::serialize(Archive& archive) {
    archive.section("coprocessor error", 1);
    archive(ferr_, ignne_);
}

void CoprocessorError::set_ferr(bool asserted) {
    if (asserted && !ferr_) line_.set(true);
    if (!asserted) ignne_ = false;
    ferr_ = asserted;
}

void CoprocessorError::acknowledge() {
    line_.set(false);
    ignne_ = ferr_;
}

}  // namespace vellum
