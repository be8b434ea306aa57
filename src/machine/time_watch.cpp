// When the sampler runs, and what it is asked.
#include "machine/time_watch.hpp"

#include <utility>

#include "jit/host_fault_cost.hpp"

namespace vellum {

namespace {
constexpr Nanoseconds patience = 10 * second;  // from one question to the next
}

TimeWatch::TimeWatch(Machine& machine, std::string engine_name, Wish wish)
    : machine_{machine}, engine_name_{std::move(engine_name)}, wish_{wish} {}

void TimeWatch::begin() {
    if (wish_.always) look(TimeSampler::for_ever);
}

void TimeWatch::end() {
    if (sampler_) sampler_->stop();
}

void TimeWatch::look(Nanoseconds until) {
    fault_cost_ = measure_host_fault();
    sampler_.emplace(machine_.board().cpu().occupation, until);
}

LiveMoment TimeWatch::moment() {
    LiveMoment now{host_monotonic_time(), sampler_->use(), machine_.engine().statistics(), {}};
    if (wish_.counted) now.instructions = machine_.board().state().instructions;
    return now;
}

std::string TimeWatch::live() {
    Nanoseconds until = host_monotonic_time() + patience;
    if (!sampler_)
        look(until);
    else if (!sampler_->want(until))
        before_.reset();
    LiveMoment now = moment();
    std::string text = before_ ? live_table(engine_name_, *before_, now, fault_cost_)
                               : engine_name_ + ": looking from now on; ask again\n";
    before_ = std::move(now);
    return text;
}

std::optional<TimeUse> TimeWatch::use() {
    if (!wish_.always || !sampler_) return std::nullopt;
    TimeUse use = sampler_->use();
    move_delivery(use, machine_.engine().statistics().host_faults, fault_cost_);
    return use;
}

}  // namespace vellum
