// All that a CPU asks of the machine around it. The board implements it; tests implement it in twenty lines.
#pragma once

#include "base/types.hpp"

namespace vellum {

class Outside {
 public:
    // size is 1, 2 or 4 bytes. EIP and `instructions` of CpuState are up to date when these are called.
    virtual u32 read_port(u16 port, u8 size) = 0;
    virtual void write_port(u16 port, u8 size, u32 value) = 0;
    virtual u32 read_mmio(Physical address, u8 size) = 0;
    virtual void write_mmio(Physical address, u8 size, u32 value) = 0;
    // The INTR line, and the INTA cycle that answers with a vector.
    virtual bool interrupt_pending() const = 0;
    virtual u8 acknowledge_interrupt() = 0;
    virtual Nanoseconds guest_time() = 0;  // for RDTSC
    virtual void spin() {}                 // PAUSE: the guest waits for something
    virtual u64 apic_base() const = 0;     // MSR 1Bh belongs to the local APIC
    virtual void set_apic_base(u64 value) = 0;
    // While CR0.NE is clear: FERR#, which is IRQ 13 on a PC, and the pin IGNNE#, which lets x87 instructions go on.
    virtual void set_ferr(bool asserted) = 0;
    virtual bool ignne() const = 0;

 protected:
    ~Outside() = default;
};

}  // namespace vellum
