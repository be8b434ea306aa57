// Adds up where the time of the vCPU thread goes, from samples of what it does (cpu/occupation.hpp). Knows no clock.
#pragma once

#include <array>
#include <map>
#include <string>

#include "base/types.hpp"
#include "cpu/occupation.hpp"

namespace vellum {

// In seconds of the thread's CPU time, but for idle and waiting, in which it used none.
struct TimeUse {
    std::array<double, Occupation::kinds> of{};  // Callout and WindowFault: all of them
    std::map<std::string, double> callouts;      // by mnemonic, or "fault"
    std::map<std::string, double> window_faults;
    double waiting = 0;  // something was to be done, and the host had other things to do

    double& operator[](Occupation::Kind kind) { return of[static_cast<std::size_t>(kind)]; }
    double operator[](Occupation::Kind kind) const { return of[static_cast<std::size_t>(kind)]; }
    double cpu() const;  // the sum of all but idle and waiting
    double all() const { return cpu() + (*this)[Occupation::Kind::Idle] + waiting; }
};

// What was used since `before`, which was asked of the same account.
TimeUse operator-(const TimeUse& now, const TimeUse& before);

// The host's way to the handler of a fault and back cannot be seen from within: samples take it for translated code.
// Moves what `faults` of them have cost, at `each`, to the window faults, as "delivery".
void move_delivery(TimeUse& use, u64 faults, Nanoseconds each);

// "translated": 1.25, ..., "callouts": {"iretd": 0.1, ...}, ...: what the braces of an object in JSON hold.
std::string to_json_fields(const TimeUse& use);

class TimeAccount {
 public:
    // Counting (goes on) from here: the thread's CPU time, and the host's monotonic clock.
    void start(Nanoseconds cpu, Nanoseconds wall);
    // At these times the thread was seen `doing`. CPU time since the sample before goes there; if the thread is idle,
    // it was something between two sleeps, and goes to what is seen at work next.
    void sample(Occupation::Doing doing, Nanoseconds cpu, Nanoseconds wall);
    TimeUse use() const;

 private:
    std::map<Occupation::Doing, Nanoseconds> by_doing_;  // Idle: of the wall
    Nanoseconds waiting_ = 0, owed_ = 0;
    Nanoseconds cpu_ = 0, wall_ = 0;
};

}  // namespace vellum
