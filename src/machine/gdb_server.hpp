// One debugger's conversation in GDB's remote protocol ("Debugging with GDB", appendix E): all-stop, one thread. Gets
// bytes and gives bytes; who carries them is not known here. vCPU thread only.
#pragma once

#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "machine/gdb_packet.hpp"
#include "machine/gdb_target.hpp"

namespace vellum {

// What the conversation does to the run.
struct GdbActions {
    std::function<void(std::string_view)> send;
    std::function<void()> halt, go;  // either may come twice
    std::function<void()> kill;
};

class GdbServer {
 public:
    GdbServer(GdbTarget& target, GdbActions actions) : target_{target}, actions_{std::move(actions)} {}

    void connected();  // the machine halts
    void receive(std::span<const u8> bytes);
    std::size_t receive_next(std::span<const u8> bytes);  // to the end of the first packet; how much that was
    void disconnected();                                  // all points are forgotten and the machine goes on

    void stopped();               // a run came to Slice::Kind::Debug: the reason is in Cpu::debug
    void ended(int exit_status);  // the machine is off

 private:
    enum class Run : u8 { Halted, Running };
    void reply(std::string_view payload);
    void handle(const GdbEvent& event);
    void handle(std::string_view packet);
    void interrupt();
    void resume(bool step);
    void report_stop(std::string text);
    std::string stop_text(const DebugPoints::Reached& reached);

    // Each returns the reply; none: it comes when the run stops.
    using Answer = std::optional<std::string>;
    Answer query(std::string_view packet);
    std::string supported(std::string_view features);
    std::string features(std::string_view arguments);
    std::string command(std::string_view hex);
    std::string read_registers();
    std::string write_registers(std::string_view hex);
    std::string read_register(std::string_view number);
    std::string write_register(std::string_view arguments);
    std::string read_memory(std::string_view arguments);
    std::string write_memory(std::string_view arguments, bool binary);
    std::string change_point(std::string_view arguments, bool insert);
    Answer resume_at(std::string_view address, bool step);
    Answer resume_actions(std::string_view actions);
    std::string detach();
    std::string kill();

    GdbTarget& target_;
    GdbActions actions_;
    GdbReader reader_;
    Run run_ = Run::Running;
    bool attached_ = false;
    bool acknowledge_ = true, stop_acknowledging_ = false;
    bool tells_break_kinds_ = false;  // the debugger knows swbreak and hwbreak
    std::string last_frame_, last_stop_;
};

}  // namespace vellum
