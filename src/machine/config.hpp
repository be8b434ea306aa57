// What a machine is made of, as plain data: the command line and the tests fill in the same struct.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/types.hpp"
#include "cpu/host_features.hpp"

namespace vellum {

enum class EngineKind : u8 { Bt, Interp, Lockstep };
enum class ClockKind : u8 { Host, Instructions };  // Instructions: one retired instruction is one nanosecond
enum class DisplayKind : u8 { Auto, Sdl, Terminal, None };

// `stdio`, `null`, `file:PATH`, `unix:PATH`
struct Endpoint {
    enum class Kind : u8 { Null, Stdio, File, Unix } kind = Kind::Null;
    std::string path;
};

struct MachineConfig {
    EngineKind engine = EngineKind::Bt;
    ClockKind clock = ClockKind::Host;
    bool count = false;                   // count retired instructions exactly
    bool gauge_speed = false;             // count them roughly, for a window's title
    std::vector<std::string> without;     // optimisations of the translator that are off, by name (jit/switches.hpp)
    std::optional<u64> code_cache_bytes;  // the translator's; none: what it thinks best
    HostFeatures features;                // that the guest is offered
    u64 memory_bytes = u64{256} << 20;
    std::string bios, vga_bios;          // empty: Debian's seabios package
    std::string kernel, initrd, append;  // direct boot when kernel is not empty
    bool embedded_guest = false;         // boot our own demonstration guest
    std::string disks[4];                // hda hdb hdc hdd
    std::string cdrom;                   // takes hdc's place
    std::string floppies[2];
    std::string boot_order;                 // letters a c d; empty: cda
    bool snapshot = false;                  // disk writes are discarded
    std::vector<Endpoint> serial;           // at most two
    std::optional<Endpoint> debug_console;  // ports 402h and E9h
    bool debug_exit = false;                // isa-debug-exit at port F4h
    bool test_device = false;               // register and memory that test programs expect
    bool reboot = true;                     // false: a guest reset ends the run
};

// Where a debugger may connect: a port of 127.0.0.1, or a Unix socket.
struct GdbPlace {
    u16 port = 0;      // 0: `path`
    std::string path;  // of a socket
};

// How Linux's perf learns the names of translated code.
struct PerfNames {
    enum class Kind : u8 { Map, Jitdump } kind = Kind::Map;
    std::string folder;  // for a jitdump; empty: the current one
};

struct RunConfig {
    MachineConfig machine;
    DisplayKind display = DisplayKind::Auto;
    double time_limit = 0;  // wall seconds; 0: none
    std::string stats;      // file, or "-" for standard error; empty: none
    std::string screenshot;
    std::string save, restore;  // snapshot files
    std::string log_topics;
    std::optional<Endpoint> control;
    std::optional<GdbPlace> gdb;
    std::optional<PerfNames> perf;
    bool sandbox = true;         // the running machine cannot open files, start programs, ...
    bool start_stopped = false;  // until a debugger or the control socket says go
};

// The contract of the command line.
namespace exit_status {
constexpr int ok = 0, usage = 2, triple_fault = 4, time_limit = 6, lockstep_difference = 8, host_trouble = 10,
              signal_base = 128;
constexpr int debug_exit(u32 value) { return static_cast<int>((value << 1 | 1) & 0xFF); }
}  // namespace exit_status

}  // namespace vellum
