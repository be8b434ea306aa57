// Seeds of the fuzz target `images`: the smallest files that are not refused, and good snapshots with a change.
#include <functional>

#include "target.hpp"

namespace vellum::fuzz {

namespace {

using Bytes = std::vector<u8>;

void put32(Bytes& bytes, std::size_t at, u32 value) {
    if (bytes.size() < at + 4) bytes.resize(at + 4);
    std::memcpy(bytes.data() + at, &value, 4);
}

// Memory, initrd, command line, what comes behind (see images_fuzz.cpp).
Bytes kernel(u8 mebibytes, u16 initrd, u16 append, u16 more, const Bytes& file) {
    return Output{}.put(u8{0}).put(static_cast<u8>(mebibytes - 1)).put(initrd).put(append).put(more).bytes(file).all();
}

Bytes bzimage() {
    Bytes file(0x270);
    file[0x1F1] = 1;
    put32(file, 0x1F4, 0x100);
    put32(file, 0x202, 0x53726448);
    file[0x206] = 0x0A, file[0x207] = 2;
    file[0x211] = 1;
    put32(file, 0x22C, 0x37FFFFFF);
    put32(file, 0x238, 255);
    put32(file, 0x260, 0x200000);
    return file;
}

Bytes multiboot(u32 flags) {
    Bytes file(0x30);
    put32(file, 0, 0x1BADB002);
    put32(file, 4, flags);
    put32(file, 8, 0u - 0x1BADB002 - flags);
    constexpr u32 load = 0x100000;
    u32 fields[] = {load, load, load + 0x30, load + 0x1000, load + 0x20};
    for (u32 i = 0; i < 5; ++i) put32(file, 12 + 4 * i, fields[i]);
    return file;
}

Bytes elf() {
    Bytes file(0x100);
    put32(file, 0, 0x464C457F);
    put32(file, 24, 0x100010);  // entry
    put32(file, 28, 52);        // program headers
    file[42] = 32, file[44] = 2;
    for (u32 i = 0; i < 2; ++i) {
        std::size_t at = 52 + 32 * i;
        u32 fields[] = {1, 0x80 * i, 0x100000 + 0x1000 * i, 0x100000 + 0x1000 * i, 0x80, 0x1000, 7, 0x1000};
        for (u32 k = 0; k < 8; ++k) put32(file, at + 4 * k, fields[k]);
    }
    put32(file, 0xC0, 0x1BADB002);
    put32(file, 0xC4, 0);
    put32(file, 0xC8, 0u - 0x1BADB002);
    return file;
}

Bytes disk(u8 what, u8 access, u64 size, const Bytes& traffic) {
    return Output{}.put(u8{1}).put(what).put(access).put(size).put(u8{4}).put(u32{0xAA55}).bytes(traffic).all();
}

// Kind 3 or 4; part, offset, bytes.
Bytes changed(u8 kind, u8 part, i16 offset, const Bytes& bytes, u8 end = 7) {
    return Output{}
        .put(kind)
        .put(u8{1})
        .put(part)
        .put(offset)
        .put(static_cast<u8>(bytes.size()))
        .bytes(bytes)
        .put(end)
        .all();
}

}  // namespace

std::vector<Seed> seeds() {
    // On the chip `ide` (1): IDENTIFY of the first drive; on `floppy and dma` (3): a read of its first sector.
    const Bytes identify = {1, 0, 6, 0, 0xA0, 0, 7, 0, 0xEC, 8, 0xC0, 0x15, 0, 0, 0xFF};
    constexpr u64 floppy_sizes[] = {163840, 368640, 737280, 1228800, 1474560, 2949120};
    std::vector<Seed> all = {
        {"bzimage", "the header of a kernel", kernel(16, 64, 10, 8, bzimage())},
        {"bzimage-cut-off", "fewer bytes than the header wants", kernel(16, 0, 0, 0, bzimage())},
        {"bzimage-no-room", "init_size larger than memory", kernel(2, 0, 0, 8, bzimage())},
        {"multiboot-addresses", "the address fields", kernel(16, 4, 20, 0, multiboot(0x10003))},
        {"multiboot-elf", "two segments", kernel(16, 4, 20, 0, elf())},
        {"disk", "IDENTIFY of a disk of 1 MiB", disk(0, 1, 1 << 20, identify)},
        {"disk-large", "more than 28 bits of sectors", disk(0, 2, u64{1} << 40, identify)},
        {"disk-odd", "no multiple of a sector", disk(0, 1, 1000, {})},
        {"cd", "a CD of 40 sectors", disk(1, 0, 40 * 2048, identify)},
        {"snapshot-foreign", "another file", Output{}.put(u8{2}).put(u8{0}).put(u64{0x0A1A0A0D474E5089}).all()},
        {"snapshot-empty-stream", "a good header and an empty zstd frame",
         Output{}
             .put(u8{2})
             .put(u8{1})
             .bytes(Bytes(40))
             .put(u32{0xFD2FB528})
             .put(u8{0x24})
             .put(u32{0})
             .put(u32{0x51D8E999})
             .all()},
        {"snapshot-good", "nothing changed", changed(3, 0, 0, {})},
        {"snapshot-memory", "another size of memory", changed(3, 0, 0x17, {0, 0, 0x30})},
        {"snapshot-without-board", "a part is missing", changed(3, 0, 0, {}, 2)},
        {"snapshot-more", "more behind the end", changed(3, 0, 0, {}, 0x87)},
        {"snapshot-run", "a run of pages beyond memory", changed(3, 3, 0, {0xFF, 0x01})},
        {"board-good", "nothing changed, and then traffic", Output{}.put(u8{4}).put(u8{0}).bytes(identify).all()},
    };
    for (u64 size : floppy_sizes)
        all.push_back({"floppy-" + std::to_string(size / 1024) + "k", "a floppy's geometry by its size",
                       disk(2, 1, size, {3, 0, 2, 0, 0x1C})});
    constexpr u16 board_bytes = 0x1400;
    for (u16 at = 0x20; at < board_bytes; at = static_cast<u16>(at + 0x100))
        all.push_back({"board-" + std::to_string(at), "a value of the processor or a chip out of its range",
                       changed(4, 2, static_cast<i16>(at), {0xFF, 0xFF, 0xFF, 0xFF})});
    return all;
}

}  // namespace vellum::fuzz
