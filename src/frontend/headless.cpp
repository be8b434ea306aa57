// Waiting is all there is to do.
#include "frontend/headless.hpp"

#include <chrono>
#include <thread>

namespace vellum {

namespace {

class Headless final : public Frontend {
 public:
    void run(MachineControl& control) override {
        while (!control.finished()) std::this_thread::sleep_for(std::chrono::milliseconds{10});
    }
};

}  // namespace

std::unique_ptr<Frontend> make_headless_frontend() { return std::make_unique<Headless>(); }

}  // namespace vellum
