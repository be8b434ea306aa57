// Header, checksum and compression (zstd).
#include "machine/snapshot_file.hpp"

#include <fmt/format.h>
#include <zstd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <filesystem>

#include "base/check.hpp"
#include "base/host_error.hpp"

namespace vellum {

namespace {

constexpr char magic[] = "Vellum snapshot\n";
constexpr std::size_t magic_bytes = 16, checked_bytes = 16;  // the header's part that the checksum covers
constexpr int level = 1;                                     // memory is mostly copied; a person waits
constexpr std::size_t piece = 1 << 17;

struct Header {
    char magic[magic_bytes];
    u32 version, zero;
    u64 stored, checksum;
};
static_assert(sizeof(Header) == snapshot_header_bytes);

void give_up_if(const Ending& ending) {
    if (ending && ending()) throw GivenUp();
}

std::span<const u8> checked_part(const Header& header) {
    return {reinterpret_cast<const u8*>(&header.version), checked_bytes};
}

}  // namespace

void check_replaceable(const std::string& path) {
    std::error_code trouble;
    if (!std::filesystem::is_regular_file(path, trouble)) return;
    char first[magic_bytes] = {};
    std::ifstream file{path, std::ios::binary};
    file.read(first, magic_bytes);
    if (file.gcount() != 0 && std::memcmp(first, magic, magic_bytes) != 0)
        throw HostError(fmt::format("{}: is there and is no snapshot; name another file", path));
}

void Checksum::mix(u64 word) {
    sum_ = (sum_ ^ word) * 0xD6E8FEB86659FD93;  // odd: nothing is lost
    sum_ ^= sum_ >> 32;
}

void Checksum::add(std::span<const u8> bytes) {
    length_ += bytes.size();
    while (!bytes.empty()) {
        if (partial_bytes_ == 0 && bytes.size() >= 8) {
            u64 word;
            std::memcpy(&word, bytes.data(), 8);
            mix(word);
            bytes = bytes.subspan(8);
            continue;
        }
        partial_ |= u64{bytes[0]} << (8 * partial_bytes_);
        bytes = bytes.subspan(1);
        if (++partial_bytes_ < 8) continue;
        mix(partial_);
        partial_ = partial_bytes_ = 0;
    }
}

u64 Checksum::value() const {
    Checksum end = *this;
    end.mix(partial_);
    end.mix(length_);
    return end.sum_;
}

// --- writing

struct SnapshotWriter::Compressor {
    ZSTD_CCtx* context = ZSTD_createCCtx();
    std::vector<u8> output = std::vector<u8>(piece);
    ~Compressor() { ZSTD_freeCCtx(context); }
};

SnapshotWriter::SnapshotWriter(FileAccess& files, const std::string& path, Ending ending)
    : file_{files, path}, ending_{std::move(ending)}, compressor_{std::make_unique<Compressor>()} {
    if (!compressor_->context) throw HostError(fmt::format("{}: no memory to compress it", path));
    ZSTD_CCtx_setParameter(compressor_->context, ZSTD_c_compressionLevel, level);
    file_.append(std::array<u8, snapshot_header_bytes>{});
}

SnapshotWriter::~SnapshotWriter() = default;

void SnapshotWriter::compress(std::span<const u8> bytes, bool last) {
    ZSTD_inBuffer in{bytes.data(), bytes.size(), 0};
    for (;;) {
        give_up_if(ending_);
        ZSTD_outBuffer out{compressor_->output.data(), compressor_->output.size(), 0};
        std::size_t left = ZSTD_compressStream2(compressor_->context, &out, &in, last ? ZSTD_e_end : ZSTD_e_continue);
        check(!ZSTD_isError(left), "zstd compresses whatever it is given");
        std::span<const u8> made{compressor_->output.data(), out.pos};
        checksum_.add(made);
        stored_ += made.size();
        file_.append(made);
        if (last ? left == 0 : in.pos == in.size) return;
    }
}

void SnapshotWriter::put(std::span<const u8> bytes) { compress(bytes, false); }

void SnapshotWriter::commit() {
    compress({}, true);
    Header header{{}, snapshot_version, 0, stored_, 0};
    std::memcpy(header.magic, magic, magic_bytes);
    checksum_.add(checked_part(header));
    header.checksum = checksum_.value();
    file_.overwrite_start({reinterpret_cast<const u8*>(&header), sizeof header});
    file_.commit();
}

// --- reading

struct SnapshotReader::Decompressor {
    ZSTD_DCtx* context = ZSTD_createDCtx();
    std::vector<u8> input = std::vector<u8>(piece);
    ZSTD_inBuffer in{input.data(), 0, 0};
    bool frame_ended = false;
    ~Decompressor() { ZSTD_freeDCtx(context); }
};

SnapshotReader::SnapshotReader(const std::string& path, Ending ending)
    : path_{path}, ending_{std::move(ending)}, decompressor_{std::make_unique<Decompressor>()} {
    std::error_code trouble;
    auto status = std::filesystem::status(path, trouble);
    if (!std::filesystem::exists(status)) refuse("there is no such file; check the name");
    if (!std::filesystem::is_regular_file(status)) refuse("is no file; name one that --save has written");
    file_.open(path, std::ios::binary);
    if (!file_) refuse(fmt::format("{}; make it readable", std::strerror(errno)));
    if (!decompressor_->context) throw HostError(fmt::format("{}: no memory to read it", path));
    check_header();
    file_.clear();
    file_.seekg(snapshot_header_bytes);
}

SnapshotReader::~SnapshotReader() = default;

void SnapshotReader::refuse(const std::string& why) const {
    throw UsageError(fmt::format("--restore {}: {}", path_, why));
}

// From the plainest to the finest: a file of another kind, one of another Vellum, one that is cut off, a damaged one.
void SnapshotReader::check_header() {
    Header header{};
    file_.read(reinterpret_cast<char*>(&header), sizeof header);
    auto got = static_cast<std::size_t>(file_.gcount());
    if (got == 0 || std::memcmp(header.magic, magic, std::min(got, magic_bytes)) != 0)
        refuse("is not a snapshot of Vellum; name one that --save has written");
    if (got < sizeof header) refuse("is cut off; get a whole copy");
    if (header.version > snapshot_version)
        refuse(fmt::format("was written by a newer Vellum (format {}, this one reads {}); use that one", header.version,
                           snapshot_version));
    if (header.version > 0 && header.version < oldest_snapshot_version)
        refuse(fmt::format("was written by an older Vellum (format {}, this one reads {} to {}); use that one",
                           header.version, oldest_snapshot_version, snapshot_version));
    std::error_code trouble;
    u64 size = std::filesystem::file_size(path_, trouble);
    if (trouble) refuse("cannot be read");
    u64 stored = size - sizeof header;
    if (stored < header.stored)
        refuse(fmt::format("is cut off: {} of {} bytes are there; get a whole copy", stored, header.stored));
    Checksum sum;
    std::vector<u8> bytes(piece);
    for (u64 left = stored; left > 0;) {
        give_up_if(ending_);
        file_.read(reinterpret_cast<char*>(bytes.data()), static_cast<std::streamsize>(std::min<u64>(left, piece)));
        auto count = static_cast<u64>(file_.gcount());
        if (count == 0) refuse("cannot be read");
        sum.add(std::span{bytes}.first(count));
        left -= count;
    }
    sum.add(checked_part(header));
    if (header.version == 0 || stored != header.stored || sum.value() != header.checksum)
        refuse("is damaged; get another copy");
}

// As many bytes as can be had at once; 0 at the end of the stream.
std::size_t SnapshotReader::decompress(std::span<u8> bytes) {
    Decompressor& d = *decompressor_;
    ZSTD_outBuffer out{bytes.data(), bytes.size(), 0};
    while (out.pos == 0 && !d.frame_ended) {
        if (d.in.pos == d.in.size) {
            give_up_if(ending_);
            file_.read(reinterpret_cast<char*>(d.input.data()), static_cast<std::streamsize>(d.input.size()));
            d.in.size = static_cast<std::size_t>(file_.gcount());
            d.in.pos = 0;
        }
        std::size_t before = d.in.pos, left = ZSTD_decompressStream(d.context, &out, &d.in);
        bool stuck = out.pos == 0 && d.in.pos == before && left != 0;
        if (ZSTD_isError(left) || stuck) refuse("is damaged; get another copy");
        d.frame_ended = left == 0;
    }
    return out.pos;
}

void SnapshotReader::get(std::span<u8> bytes) {
    while (!bytes.empty()) {
        give_up_if(ending_);
        std::size_t count = decompress(bytes.first(std::min(bytes.size(), piece)));
        if (count == 0) refuse("is damaged: it ends too early; get another copy");
        bytes = bytes.subspan(count);
    }
}

std::vector<u8> SnapshotReader::get_bytes(u64 most) {
    u64 count = get_value<u64>();
    if (count > most) refuse("is damaged: a part of it is too long; get another copy");
    std::vector<u8> bytes;
    while (bytes.size() < count) {
        std::size_t before = bytes.size();
        bytes.resize(before + std::min<u64>(count - before, piece * 8));
        get(std::span{bytes}.subspan(before));
    }
    return bytes;
}

void SnapshotReader::expect_end() {
    u8 more;
    if (decompress({&more, 1}) != 0) refuse("is damaged: there is more in it than there should be; get another copy");
}

}  // namespace vellum
