// Messages by topic for the person at the keyboard. Odd guest requests are logged once each, never aborted on.
#pragma once

#include <fmt/format.h>

#include <bitset>
#include <functional>
#include <set>
#include <string>
#include <string_view>

#include "base/types.hpp"

namespace vellum {

enum class Topic : u8 {
    Cpu,
    Memory,
    Ports,
    Pci,
    Disk,
    Floppy,
    Timer,
    Irq,
    Video,
    Input,
    Serial,
    Firmware,
    Jit,
    Machine,
    Count
};

// Topic names as `--log` takes them ("cpu", "memory", ...), in the order of the enum.
std::string_view topic_name(Topic topic);
std::string topic_names_joined();  // "cpu, memory, ..." for messages

// One per machine, handed to those who log. Off costs one test of a bit.
class Log {
 public:
    using Sink = std::function<void(std::string_view line)>;
    explicit Log(Sink sink) : sink_{std::move(sink)} {}
    Log();  // writes to standard error

    // Takes "cpu,irq" or "all"; returns the first unknown name, or an empty string.
    std::string enable(std::string_view topics);
    bool wants(Topic topic) const { return on_[static_cast<std::size_t>(topic)]; }

    template <typename... Args>
    void operator()(Topic topic, fmt::format_string<Args...> format, Args&&... args) {
        if (wants(topic)) write(topic, fmt::format(format, std::forward<Args>(args)...));
    }

    // The same text is written only the first time.
    template <typename... Args>
    void once(Topic topic, fmt::format_string<Args...> format, Args&&... args) {
        if (wants(topic)) write_once(topic, fmt::format(format, std::forward<Args>(args)...));
    }

 private:
    void write(Topic topic, std::string_view text);
    void write_once(Topic topic, std::string text);

    Sink sink_;
    std::bitset<static_cast<std::size_t>(Topic::Count)> on_;
    std::set<std::string> seen_;
};

}  // namespace vellum
