// Far ends of serial lines, the debug console, the control socket and the debugger: standard input and output, files,
// Unix sockets.
#pragma once

#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "devices/byte_sink.hpp"
#include "machine/client_pace.hpp"
#include "machine/config.hpp"
#include "machine/end_wanted.hpp"
#include "machine/event_loop.hpp"
#include "machine/file_access.hpp"

namespace vellum {

// Throws the UsageError that opening `endpoint` would end in, as far as that can be told without making anything.
void check_endpoint(const std::string& option, const Endpoint& endpoint);

// Opens `endpoint` for output, and for input when it has any: `on_input` is then called on the event loop's thread, as
// long as `wants_input` (if given) says true; EventLoop::look_again() after it has changed. Output that nobody takes
// for some seconds is lost, as on a line without flow control; at once when `ending` says that the machine is to end.
// Standard input is put into raw mode when it is a terminal, and restored when the sink goes. A Unix socket listens
// and serves one connection at a time; output while nobody is connected is dropped. `files` removes sockets at the end.
// Throws UsageError naming `option`.
std::unique_ptr<ByteSink> open_endpoint(const std::string& option, const Endpoint& endpoint, EventLoop& loop,
                                        FileAccess& files, std::function<void(std::span<const u8>)> on_input,
                                        std::function<bool()> wants_input = {}, Ending ending = {});

// One connection at a time from a debugger of the same user, which counts from its first byte on. A second one is
// turned away, and so is who begins as no debugger does.
class GdbListener {
 public:
    GdbListener(const GdbPlace& place, FileAccess& files);  // throws UsageError naming --gdb
    ~GdbListener();

    // What the debugger has said, for the vCPU thread to go through once: `take` is given what is left of it and says
    // how much it took (at least a byte). Ends early when the debugger does not read its answers or the turn gets long;
    // the rest comes in a later turn, and nothing more is read meanwhile.
    using Take = std::function<std::size_t(std::span<const u8>)>;
    using Turn = std::function<void(const Take& take)>;
    struct Events {  // on the loop's thread, in order
        std::function<void()> connected;
        std::function<void(Turn)> received;
        std::function<void()> disconnected;
    };
    void serve(EventLoop& loop, ClientPace& pace, Events events);  // once
    void send(std::string_view bytes);                             // any thread; dropped when nobody is connected

 private:
    struct Impl;
    std::shared_ptr<Impl> impl_;
};

// Listens on a Unix socket for lines of a few clients; who comes when there are enough is told so. `on_line` (on the
// loop's thread) gets a line and a way to answer, which must be called once, from any thread, and lets the next line
// come (ClientPace). No more is read from a client whose line waits, or who does not read its answers.
using Reply = std::function<void(const std::string&)>;
class LineServer {
 public:
    using OnLine = std::function<void(std::string line, Reply reply)>;
    // A line that does not wait for other clients' answers.
    using Overtakes = std::function<bool(const std::string& line)>;
    LineServer(const std::string& option, const std::string& path, EventLoop& loop, ClientPace& pace, FileAccess& files,
               OnLine on_line, Overtakes overtakes = {});
    ~LineServer();

 private:
    struct Impl;
    std::shared_ptr<Impl> impl_;
};

}  // namespace vellum
