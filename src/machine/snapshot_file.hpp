// The envelope of a snapshot: a header that tells foreign, cut off, damaged and newer files, and one compressed stream
// behind it. What is in the stream is the business of snapshot.cpp.
//
//    0  16  "Vellum snapshot\n"
//   16   4  version of the format
//   20   4  zero
//   24   8  number of bytes behind the header
//   32   8  checksum of bytes 16-31 and of everything behind the header
//   40      a zstd frame
#pragma once

#include <fstream>
#include <memory>
#include <span>
#include <string>
#include <type_traits>
#include <vector>

#include "base/types.hpp"
#include "machine/end_wanted.hpp"
#include "machine/file_replacement.hpp"

namespace vellum {

constexpr u32 snapshot_version = 4;
constexpr u32 oldest_snapshot_version = 4;  // that is still read: chips of earlier ones had other states
constexpr std::size_t snapshot_header_bytes = 40;

// Eight bytes at a time; any change of a single word changes the sum.
class Checksum {
 public:
    void add(std::span<const u8> bytes);
    u64 value() const;  // of all bytes so far, and their number

 private:
    void mix(u64 word);
    u64 sum_ = 0x9E3779B97F4A7C15, length_ = 0, partial_ = 0;
    u32 partial_bytes_ = 0;
};

// Throws HostError naming the path when there is a file that is neither empty nor a snapshot: a disk image named by
// mistake is not lost. Other trouble shows when the file is made.
void check_replaceable(const std::string& path);

// Replaces the file when everything has been written. Throws HostError naming it.
class SnapshotWriter {
 public:
    // Throws GivenUp, from any call, when `ending` (if given) says so: the file of before is as it was.
    SnapshotWriter(FileAccess& files, const std::string& path, Ending ending = {});
    ~SnapshotWriter();

    void put(std::span<const u8> bytes);
    template <typename T>
    requires std::is_integral_v<T>
    void put_value(T value) { put({reinterpret_cast<const u8*>(&value), sizeof value}); }
    void commit();

 private:
    struct Compressor;
    void compress(std::span<const u8> bytes, bool last);

    FileReplacement file_;
    Ending ending_;
    std::unique_ptr<Compressor> compressor_;
    Checksum checksum_;
    u64 stored_ = 0;
};

// Throws UsageError, one line that names the file: in the constructor for anything that is not a whole, undamaged
// snapshot of a version we know; later when the stream ends early or holds what it should not.
class SnapshotReader {
 public:
    // Throws GivenUp, from any call, when `ending` (if given) says so.
    explicit SnapshotReader(const std::string& path, Ending ending = {});
    ~SnapshotReader();

    void get(std::span<u8> bytes);
    template <typename T>
    requires std::is_integral_v<T> T get_value() {
        T value{};
        get({reinterpret_cast<u8*>(&value), sizeof value});
        return value;
    }
    // A count of bytes and then these. More than `most` is refused, and memory is taken only as bytes arrive.
    std::vector<u8> get_bytes(u64 most);
    void expect_end();
    [[noreturn]] void refuse(const std::string& why) const;

 private:
    struct Decompressor;
    void check_header();
    void check_sum(u64 expected, Checksum sum);
    std::size_t decompress(std::span<u8> bytes);

    std::string path_;
    Ending ending_;
    std::ifstream file_;
    std::unique_ptr<Decompressor> decompressor_;
};

}  // namespace vellum
