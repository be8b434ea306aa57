// What a machine offers to a debugger: registers (gdb_registers.hpp), memory by linear address, points, and commands
// for people (`monitor` in GDB). vCPU thread only.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "machine/machine.hpp"

namespace vellum {

class GdbTarget {
 public:
    // `may_write` is false where a change would not reach all there is (lockstep).
    GdbTarget(Machine& machine, bool may_write) : machine_{machine}, may_write_{may_write} {}

    Cpu& cpu() { return machine_.board().cpu(); }
    bool may_write() const { return may_write_; }

    // Through the guest's tables, whatever their rights, without changing them. Plain memory only: chips would notice.
    // Fewer bytes when the rest cannot be read; none when nothing can.
    std::vector<u8> read_memory(u32 address, u32 bytes);
    // All or nothing. ROM cannot be written.
    bool write_memory(u32 address, std::span<const u8> bytes);

    bool insert(const DebugPoint& point) { return points().add(point); }
    void remove(const DebugPoint& point) { points().remove(point); }
    void remove_all() { points().clear(); }
    void prepare_run(bool step) { points().begin_run(step); }
    void show_shutdowns(bool wanted) { machine_.show_shutdowns(wanted); }
    bool shut_down() { return cpu().state.activity == Activity::Shutdown; }
    const std::optional<DebugPoints::Reached>& reached() { return points().reached(); }

    std::string monitor(std::string_view command);  // the answer, of whole lines

 private:
    DebugPoints& points() { return cpu().debug; }
    std::string registers();
    std::string describe(std::string_view address);

    Machine& machine_;
    bool may_write_;
};

}  // namespace vellum
