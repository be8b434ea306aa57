// Collects what writers of files put, and how often.
#pragma once

#include <memory>
#include <string>

#include "devices/byte_sink.hpp"

namespace vellum::test {

struct Written {
    std::string bytes;
    int times = 0;
};

class WrittenSink final : public ByteSink {
 public:
    explicit WrittenSink(Written& written) : written_{written} {}
    void put(std::span<const u8> bytes) override {
        written_.bytes.append(bytes.begin(), bytes.end());
        ++written_.times;
    }

 private:
    Written& written_;
};

}  // namespace vellum::test
