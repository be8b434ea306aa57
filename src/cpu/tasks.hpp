// Task-state segments: switching tasks, and the stacks of inner privilege levels (SDM 3A chapter 7).
#pragma once

#include "cpu/segments.hpp"

namespace vellum {

struct StackPointer {
    u32 esp = 0;
    u16 ss = 0;
};

// SS:ESP for privilege level `cpl` from the current TSS; #TS of TR when it has no room for them.
OrFault<StackPointer> inner_stack_pointer(Cpu& cpu, u8 cpl, u16 ext);

enum class TaskSwitch : u8 {
    Jump,
    Call,  // CALL and interrupts: nested, NT and the back link are set
    Return,
};

// To the task of a TSS selector from a far transfer, a task gate or an interrupt. Checks that it names an available TSS
// (#GP, #NP), then switches; `next_eip` is saved in the old task. Faults after the switch belong to the new task: the
// state is then the new task's. Among them is the #DB of a task with the T bit, after a switch that is complete.
Fault switch_to_available_task(Cpu& cpu, u16 tss_selector, TaskSwitch kind, u32 next_eip, u16 ext);

// IRET with NT set: back along the link.
Fault return_to_previous_task(Cpu& cpu, u32 next_eip);

}  // namespace vellum
