// Waiting is all there is to do.
#include "frontend/headless.hpp"

namespace vellum {

namespace {

class Headless final : public Frontend {
 public:
    void run(MachineControl& control) override { control.wait_until_finished(); }
};

}  // namespace

std::unique_ptr<Frontend> make_headless_frontend() { return std::make_unique<Headless>(); }

}  // namespace vellum
