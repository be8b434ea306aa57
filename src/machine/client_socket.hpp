// The near end of one client's connection. Nothing here waits: what the client does not take is kept up to a bound, and
// a client at the bound is asked nothing more until it reads.
#pragma once

#include <atomic>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/descriptor.hpp"
#include "base/types.hpp"
#include "machine/event_loop.hpp"

namespace vellum {

class ClientSocket {
 public:
    // More is asked for a client only below this, so that it can have this and one answer waiting.
    static constexpr std::size_t most_unsent = 64 * 1024;

    explicit ClientSocket(Descriptor connection) : connection_{std::move(connection)} {}

    int number() const { return connection_.number(); }
    void send(std::string_view bytes);  // any thread; what waits already goes first
    void flush();                       // as much of what waits as the client takes
    bool has_room() const { return unsent_ < most_unsent; }
    std::size_t unsent() const { return unsent_; }

    enum class Came : u8 { Bytes, Nothing, End };
    Came receive(std::span<u8>& bytes);  // shortens it to what came

    // Output that waits, and input if wanted.
    Interest interest(bool wants_input) const;

 private:
    void send_waiting();

    Descriptor connection_;
    std::mutex mutex_;
    std::string waiting_;
    std::atomic<std::size_t> unsent_ = 0;
    bool gone_ = false;
};

}  // namespace vellum
