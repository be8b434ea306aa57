// Nanoseconds by what was done, and seconds by name.
#include "machine/time_account.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>
#include <utility>

namespace vellum {

namespace {

using Kind = Occupation::Kind;
using ByName = std::map<std::string, double>;

double seconds(Nanoseconds time) { return static_cast<double>(time) * 1e-9; }

ByName difference(const ByName& now, const ByName& before) {
    ByName result = now;
    for (const auto& [name, value] : before) result[name] -= value;
    return result;
}

std::string to_json(const ByName& values) {
    std::string text;
    for (const auto& [name, value] : values)
        text += fmt::format("{}\"{}\": {:.6f}", text.empty() ? "" : ", ", name, value);
    return "{" + text + "}";
}

}  // namespace

double TimeUse::cpu() const { return std::accumulate(of.begin(), of.end(), 0.0) - (*this)[Kind::Idle]; }

TimeUse operator-(const TimeUse& now, const TimeUse& before) {
    TimeUse result = now;
    for (std::size_t i = 0; i < result.of.size(); ++i) result.of[i] -= before.of[i];
    result.callouts = difference(now.callouts, before.callouts);
    result.window_faults = difference(now.window_faults, before.window_faults);
    result.waiting -= before.waiting;
    return result;
}

void move_delivery(TimeUse& use, u64 faults, Nanoseconds each) {
    double moved = std::min(seconds(faults * each), use[Kind::Translated]);
    if (moved <= 0) return;
    use[Kind::Translated] -= moved;
    use[Kind::WindowFault] += moved;
    use.window_faults["delivery"] += moved;
}

std::string to_json_fields(const TimeUse& use) {
    std::string text;
    for (std::size_t i = 0; i < use.of.size(); ++i) {
        Kind kind = static_cast<Kind>(i);
        std::string value = kind == Kind::Callout       ? to_json(use.callouts)
                            : kind == Kind::WindowFault ? to_json(use.window_faults)
                                                        : fmt::format("{:.6f}", use.of[i]);
        text += fmt::format("\"{}\": {}, ", name_of(kind), value);
    }
    return text + fmt::format("\"waiting\": {:.6f}", use.waiting);
}

void TimeAccount::start(Nanoseconds cpu, Nanoseconds wall) {
    cpu_ = cpu;
    wall_ = wall;
}

void TimeAccount::sample(Occupation::Doing doing, Nanoseconds cpu, Nanoseconds wall) {
    Nanoseconds used = cpu - cpu_, passed = wall - wall_;
    Nanoseconds unused = passed - std::min(used, passed);  // the two clocks are read one after the other
    start(cpu, wall);
    owed_ += used;
    if (doing.kind == Kind::Idle) {
        by_doing_[doing] += unused;
    } else {
        waiting_ += unused;
        by_doing_[doing] += std::exchange(owed_, 0);
    }
}

TimeUse TimeAccount::use() const {
    TimeUse use;
    for (const auto& [doing, time] : by_doing_) {
        use[doing.kind] += seconds(time);
        if (doing.kind == Kind::Callout) use.callouts[name_of_detail(doing)] += seconds(time);
        if (doing.kind == Kind::WindowFault) use.window_faults[name_of_detail(doing)] += seconds(time);
    }
    use[Kind::Other] += seconds(owed_);
    use.waiting = seconds(waiting_);
    return use;
}

}  // namespace vellum
