// Jitdumps, read back field by field as tools/perf/Documentation/jitdump-specification.txt in Linux lays them out.
#include "machine/jitdump.hpp"

#include <catch2/catch.hpp>

#include <cstring>
#include <optional>

#include "machine/written_sink.hpp"

using namespace vellum;
using namespace vellum::test;

namespace {

class Reader {
 public:
    explicit Reader(std::string bytes) : bytes_{std::move(bytes)} {}

    template <typename T>
    T number() {
        T value;
        std::memcpy(&value, take(sizeof value).data(), sizeof value);
        return value;
    }
    std::string take(std::size_t count) {
        REQUIRE(at_ + count <= bytes_.size());
        return bytes_.substr(std::exchange(at_, at_ + count), count);
    }
    std::string name() {
        std::string text = bytes_.c_str() + at_;
        at_ += text.size() + 1;
        return text;
    }
    std::size_t at() const { return at_; }
    bool ended() const { return at_ == bytes_.size(); }

 private:
    std::string bytes_;
    std::size_t at_ = 0;
};

constexpr u32 code_load = 0, code_close = 3;

struct Load {
    u64 timestamp;
    u32 process, thread;
    u64 vma, address, size, index;
    std::string name, code;
    bool operator==(const Load&) const = default;
};

void skip_file_header(Reader& reader) { reader.take(40); }

// The record that comes next; its length must be what its header says.
Load read_load(Reader& reader) {
    std::size_t begin = reader.at();
    CHECK(reader.number<u32>() == code_load);
    u32 total = reader.number<u32>();
    Load load;
    load.timestamp = reader.number<u64>();
    load.process = reader.number<u32>();
    load.thread = reader.number<u32>();
    load.vma = reader.number<u64>();
    load.address = reader.number<u64>();
    load.size = reader.number<u64>();
    load.index = reader.number<u64>();
    load.name = reader.name();
    load.code = reader.take(load.size);
    CHECK(reader.at() - begin == total);
    return load;
}

struct DumpFixture {
    Written written;
    Nanoseconds now = 5'000'000'007;
    u32 thread = 43;
    std::optional<Jitdump> dump;
    DumpFixture() {
        dump.emplace(std::make_unique<WrittenSink>(written),
                     JitdumpHost{42, [this] { return thread; }, [this] { return now; }});
    }
    void add(std::string_view name, u64 address, std::string_view code) {
        dump->code_added({name, address, {reinterpret_cast<const u8*>(code.data()), code.size()}});
    }
    Reader ended() {
        dump.reset();
        return Reader{written.bytes};
    }
};

}  // namespace

TEST_CASE_METHOD(DumpFixture, "jitdump: the header names the format, the machine and the process") {
    CHECK(written.bytes.size() == 40);  // at once: perf looks at nothing else to know the file
    Reader reader = ended();
    CHECK(reader.take(4) == "DTiJ");    // 4A695444h in the byte order of the machine
    CHECK(reader.number<u32>() == 1);   // version
    CHECK(reader.number<u32>() == 40);  // size of this header
    CHECK(reader.number<u32>() == 62);  // EM_X86_64
    CHECK(reader.number<u32>() == 0);   // reserved
    CHECK(reader.number<u32>() == 42);  // process
    CHECK(reader.number<u64>() == 5'000'000'007);
    CHECK(reader.number<u64>() == 0);  // flags: timestamps are of the clock
}

TEST_CASE_METHOD(DumpFixture, "jitdump: a piece of code has a record with its time, thread, address, name and bytes") {
    now = 6'000'000'000;
    thread = 44;
    add("guest.c0101234.r0", 0x7F0012345000, {"\x90\x00\xC3", 3});
    now = 7'000'000'000;
    Reader reader = ended();
    skip_file_header(reader);
    CHECK(read_load(reader) == Load{6'000'000'000, 42, 44, 0x7F0012345000, 0x7F0012345000, 3, 0, "guest.c0101234.r0",
                                    std::string{"\x90\x00\xC3", 3}});
    CHECK(reader.number<u32>() == code_close);
    CHECK(reader.number<u32>() == 16);
    CHECK(reader.number<u64>() == 7'000'000'000);
    CHECK(reader.ended());
}

TEST_CASE_METHOD(DumpFixture,
                 "jitdump: an address that is used again has a record for each time, later and by itself") {
    add("guest.00001000.r0", 0x10000, "first");
    now += 10;
    add("guest.00002000.r3", 0x10000, "second");
    Reader reader = ended();
    skip_file_header(reader);
    Load first = read_load(reader), second = read_load(reader);
    CHECK(first.address == second.address);
    CHECK(second.timestamp == first.timestamp + 10);
    CHECK(first.index == 0);
    CHECK(second.index == 1);
    CHECK(first.name == "guest.00001000.r0");
    CHECK(first.code == "first");
    CHECK(second.name == "guest.00002000.r3");
    CHECK(second.code == "second");
}

TEST_CASE_METHOD(DumpFixture, "jitdump: names and code longer than what is kept back are written whole") {
    std::string name(2 * DelayedOutput::enough, 'n'), code(3 * DelayedOutput::enough, '\x90');
    add(name, 0x10000, code);
    add("next", 0x20000, "code");
    Reader reader = ended();
    skip_file_header(reader);
    Load first = read_load(reader), second = read_load(reader);
    CHECK((first.name == name));
    CHECK((first.code == code));
    CHECK(second.name == "next");
    CHECK(second.code == "code");
}

TEST_CASE_METHOD(DumpFixture, "jitdump: what reaches the file ends with a whole record") {
    constexpr std::size_t record = 56 + sizeof "guest.00001000.r0" + 1000;
    const std::string code(1000, '\x90');
    for (int i = 0; i < 1000; ++i) {
        add("guest.00001000.r0", 0x10000, code);
        REQUIRE((written.bytes.size() - 40) % record == 0);
    }
    CHECK(written.bytes.size() > 40 + 10 * record);
    CHECK(written.times < 100);
}
