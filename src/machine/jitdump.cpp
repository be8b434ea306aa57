// The records as structs, little-endian as the host is.
#include "machine/jitdump.hpp"

#include <utility>

#include "base/check.hpp"

namespace vellum {

namespace {

constexpr u32 magic = 0x4A695444, version = 1;  // "JiTD"
constexpr u32 elf_machine = 62;                 // EM_X86_64

struct FileHeader {
    u32 magic, version, total_size, elf_machine, padding, process;
    u64 timestamp, flags;  // flag 0: timestamps are the processor's, which these are not
};
static_assert(sizeof(FileHeader) == 40);

enum class RecordKind : u32 { CodeLoad = 0, CodeClose = 3 };

struct RecordHeader {
    RecordKind kind;
    u32 total_size;  // with the header, the name and the code
    u64 timestamp;
};
static_assert(sizeof(RecordHeader) == 16);

// Then the name with a zero byte, then the code.
struct CodeLoad {
    RecordHeader header;
    u32 process, thread;
    u64 address_in_file, address, size, index;  // of code that was never in a file, both addresses are the same
};
static_assert(sizeof(CodeLoad) == 56);

}  // namespace

Jitdump::Jitdump(std::unique_ptr<ByteSink> file, JitdumpHost host) : host_{std::move(host)}, output_{std::move(file)} {
    put(FileHeader{magic, version, sizeof(FileHeader), elf_machine, 0, host_.process, host_.now(), 0});
    output_.flush();
}

Jitdump::~Jitdump() { put(RecordHeader{RecordKind::CodeClose, sizeof(RecordHeader), host_.now()}); }

void Jitdump::code_added(const NamedCode& code) {
    Nanoseconds now = host_.now();
    std::size_t total = sizeof(CodeLoad) + code.name.size() + 1 + code.bytes.size();
    check(total <= ~u32{0}, "a name and a piece of code are shorter than 4 GiB");
    RecordHeader header{RecordKind::CodeLoad, static_cast<u32>(total), now};
    put(CodeLoad{header, host_.process, host_.thread(), code.address, code.address, code.bytes.size(), pieces_++});
    output_.put(code.name.data(), code.name.size());
    put(u8{0});
    output_.put(code.bytes.data(), code.bytes.size());
    output_.piece_ends(now);
}

}  // namespace vellum
