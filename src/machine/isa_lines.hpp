// The ISA interrupt lines: wires that several parts may pull, seen by the PICs and by the IO-APIC.
#pragma once

#include <array>
#include <functional>

#include "devices/irq_line.hpp"

namespace vellum {

// A line is high while any of its sources pulls it. Numbers given to set_irq are source << 4 | ISA line.
class IsaLines final : public IrqSink {
 public:
    enum class Source : u8 { Device, PciRouter, Acpi, Hpet, Count };

    using OnChange = std::function<void(u8 isa_line, bool level)>;
    explicit IsaLines(OnChange on_change) : on_change_{std::move(on_change)} {}

    IrqLine line(u8 isa_line, Source source = Source::Device) {
        return {*this, static_cast<u8>(static_cast<u8>(source) << 4 | isa_line)};
    }

    void set_irq(u8 number, bool level) override {
        u8 line = number & 15;
        u8 bit = static_cast<u8>(1u << (number >> 4));
        bool before = pulled_[line] != 0;
        pulled_[line] = static_cast<u8>(level ? pulled_[line] | bit : pulled_[line] & ~bit);
        bool now = pulled_[line] != 0;
        if (now != before) on_change_(line, now);
    }

    template <typename A>
    void serialize(A& archive) {
        archive(pulled_);
    }

 private:
    OnChange on_change_;
    std::array<u8, 16> pulled_{};
};

// The same lines with one source chosen, for parts that number ISA lines themselves (the PCI router).
class IsaLinesOf final : public IrqSink {
 public:
    IsaLinesOf(IsaLines& lines, IsaLines::Source source) : lines_{lines}, source_{source} {}
    void set_irq(u8 number, bool level) override {
        lines_.set_irq(static_cast<u8>(static_cast<u8>(source_) << 4 | (number & 15)), level);
    }

 private:
    IsaLines& lines_;
    IsaLines::Source source_;
};

}  // namespace vellum
