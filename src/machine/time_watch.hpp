// Where the time of one run's vCPU thread goes: for `--stats` from its beginning, for the control socket's `times` from
// the first question on.
#pragma once

#include <optional>
#include <string>

#include "machine/live_table.hpp"
#include "machine/machine.hpp"
#include "machine/time_sampler.hpp"

namespace vellum {

class TimeWatch {
 public:
    struct Wish {
        bool always = false;   // from begin() to end()
        bool counted = false;  // CpuState::instructions is about right
    };
    TimeWatch(Machine& machine, std::string engine_name, Wish wish);

    // --- vCPU thread: its first and its last word
    void begin();
    void end();
    // What the last question left open, and from now on until some seconds after the last one.
    std::string live();

    // vCPU thread, or when that is gone. Nothing unless `always`.
    std::optional<TimeUse> use();

 private:
    void look(Nanoseconds until);
    LiveMoment moment();

    Machine& machine_;
    std::string engine_name_;
    Wish wish_;
    Nanoseconds fault_cost_ = 0;
    std::optional<TimeSampler> sampler_;
    std::optional<LiveMoment> before_;
};

}  // namespace vellum
