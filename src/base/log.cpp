// Topic names and the writing of lines.
#include "base/log.hpp"

#include <array>
#include <cstdio>

#include "base/one_line.hpp"

namespace vellum {

namespace {
constexpr std::array<std::string_view, static_cast<std::size_t>(Topic::Count)> topic_names = {
    "cpu", "memory", "ports", "pci",    "disk",     "floppy", "timer",
    "irq", "video",  "input", "serial", "firmware", "jit",    "machine"};
constexpr std::size_t most_once_messages = 10'000;  // a guest must not fill our memory with odd requests
}  // namespace

std::string_view topic_name(Topic topic) { return topic_names[static_cast<std::size_t>(topic)]; }

std::string topic_names_joined() { return fmt::format("{}", fmt::join(topic_names, ", ")); }

// Not fmt::print: it throws when standard error is gone, and a log line is no reason to end a machine.
Log::Log()
    : Log{[](std::string_view line) {
          std::fwrite(line.data(), 1, line.size(), stderr);
          std::fputc('\n', stderr);
      }} {}

std::string Log::enable(std::string_view topics) {
    while (!topics.empty()) {
        auto comma = topics.find(',');
        auto name = topics.substr(0, comma);
        topics = comma == std::string_view::npos ? std::string_view{} : topics.substr(comma + 1);
        if (name == "all") {
            on_.set();
            continue;
        }
        bool known = false;
        for (std::size_t i = 0; i < topic_names.size(); ++i)
            if (topic_names[i] == name) known = true, on_.set(i);
        if (!known) return std::string{name};
    }
    return {};
}

void Log::write(Topic topic, std::string_view text) {
    sink_(fmt::format("[{}] {}", topic_name(topic), one_line(text)));
}

void Log::write_once(Topic topic, std::string text) {
    if (seen_.size() >= most_once_messages) return;
    auto [at, is_new] = seen_.insert(std::move(text));
    if (is_new) write(topic, *at);
}

}  // namespace vellum
