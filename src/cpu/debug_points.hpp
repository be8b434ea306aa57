// What a debugger outside the guest asks of the engines: breakpoints, watchpoints and single steps, by linear address.
// The guest sees none of it (its own debug registers are in breakpoints.hpp). Debugger and engines use this in
// turns, on the vCPU thread: nothing changes while an engine runs.
#pragma once

#include <optional>
#include <vector>

#include "base/types.hpp"

namespace vellum {

struct DebugPoint {
    // In the order of the Z packets of GDB's protocol. Both kinds of breakpoint are the same thing here: engines stop
    // before the instruction, and guest memory is left as it is.
    enum class Kind : u8 { SoftwareBreak, HardwareBreak, WatchWrite, WatchRead, WatchAccess };
    Kind kind;
    u32 address;     // linear
    u32 length = 1;  // in bytes; of no meaning for breakpoints

    bool is_break() const { return kind == Kind::SoftwareBreak || kind == Kind::HardwareBreak; }
    bool watches(bool write) const {
        return kind == Kind::WatchAccess || kind == (write ? Kind::WatchWrite : Kind::WatchRead);
    }
    bool operator==(const DebugPoint&) const = default;
};

// A linear page with watchpoints in it: loads and stores (`reads`), or only stores, must not go past the monitor.
struct WatchedPage {
    u32 address;
    bool reads;
    bool operator==(const WatchedPage&) const = default;
};
// Into a list that is rising, and stays so; each page is in it once.
void add_watched_page(std::vector<WatchedPage>& pages, WatchedPage added);

class DebugPoints {
 public:
    static constexpr u32 longest_watch = 4096, most_points = 1024;

    // False: too long, too many, or over the end of 4 GiB. A point may be added twice; it counts once.
    bool add(DebugPoint point);
    void remove(DebugPoint point);
    void clear();

    const std::vector<u32>& breakpoints() const { return breakpoints_; }  // rising
    bool breakpoint_at(u32 linear) const;
    bool watching() const { return !watched_pages_.empty(); }
    const std::vector<WatchedPage>& watched_pages() const { return watched_pages_; }

    // --- one run. The stop, once there is one, stays until the next `begin_run`.
    struct Reached {
        std::optional<DebugPoint> point;  // none: the single step is done
        u32 address = 0;                  // linear: of the instruction, or of the watched byte that was touched
    };
    // `step`: stop after one instruction (one iteration of a REP).
    void begin_run(bool step);
    bool stepping() const { return stepping_; }
    const std::optional<Reached>& reached() const { return reached_; }
    // Whether engines have to ask between instructions.
    bool engaged() const { return stepping_ || !points_.empty(); }

    // --- what engines tell
    // The instruction at this address is next. True: stop before it. False for the breakpoint that ended the run
    // before, if this one begins there: that instruction is not to be translated either.
    bool stops_before(u32 linear);
    // The same question, or whether there is a stop already; notes nothing.
    bool stops_at(u32 linear) const { return reached_ || breakpoint_at(linear); }
    void step_done();
    // An instruction read or wrote that; the engine stops after it.
    void touched(u32 linear, u32 bytes, bool write);

 private:
    void derive();

    std::vector<DebugPoint> points_;
    std::vector<u32> breakpoints_;
    std::vector<WatchedPage> watched_pages_;
    bool stepping_ = false;
    std::optional<u32> passed_;  // the breakpoint that this run began at
    std::optional<Reached> reached_;
};

}  // namespace vellum
