// One wire with a level: all that a device knows of the interrupt world.
#pragma once

#include "base/types.hpp"

namespace vellum {

class IrqSink {
public:
    virtual void set_irq(u8 number, bool level) = 0;

protected:
    ~IrqSink() = default;
};

class IrqLine {
public:
    IrqLine() = default;
    IrqLine(IrqSink& sink, u8 number) : sink_{&sink}, number_{number} {}
    void set(bool level) {
        if (sink_) sink_->set_irq(number_, level);
    }
    void pulse() {
        set(true);
        set(false);
    }

private:
    IrqSink* sink_ = nullptr;
    u8 number_ = 0;
};

}  // namespace vellum
