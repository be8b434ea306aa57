// Selecting, reading and DMA of the firmware configuration device.
#include "devices/fw_cfg.hpp"

#include <algorithm>
#include <array>

namespace vellum {

namespace {
constexpr u16 key_signature = 0x0000, key_id = 0x0001, key_directory = 0x0019, key_first_file = 0x0020;
constexpr u16 key_write_channel = 0x4000;  // set by guests that want to write; nothing here is writable
constexpr std::size_t name_bytes = 56;
constexpr std::size_t most_files = 0x1000;

constexpr u32 dma_error = 1, dma_read = 2, dma_skip = 4, dma_select = 8, dma_write = 16;
// A transfer past the end of a blob yields zeros, but a guest must not keep the host writing zeros for long.
constexpr u32 most_zeros = 1u << 20;
constexpr u64 dma_signature = 0x51454D5520434647;  // "QEMU CFG"

u64 big_endian(const u8* bytes, unsigned count) {
    u64 value = 0;
    for (unsigned i = 0; i < count; ++i) value = value << 8 | bytes[i];
    return value;
}

void put_big_endian(std::vector<u8>& to, u64 value, unsigned count) {
    while (count-- > 0) to.push_back(static_cast<u8>(value >> (8 * count)));
}

u32 swap_bytes(u32 value, u8 size) {
    u32 swapped = 0;
    for (u8 i = 0; i < size; ++i) swapped = swapped << 8 | ((value >> (8 * i)) & 0xFF);
    return swapped;
}
}  // namespace

FwCfg::FwCfg(Bus& ports, GuestBytes& memory, Log& log)
    : memory_{memory},
      log_{log},
      ports_{[this](u32, u8 size) { return read_data(size); },
             [this](u32 offset, u8 size, u32 value) {
                 if (offset == 0 && size == 2) select(static_cast<u16>(value));
             }},
      dma_ports_{[this](u32 offset, u8 size) { return read_dma_register(offset, size); },
                 [this](u32 offset, u8 size, u32 value) { write_dma_register(offset, size, value); }} {
    blobs_[key_signature] = {'Q', 'E', 'M', 'U'};
    blobs_[key_id] = {3, 0, 0, 0};  // bit 0: selector and data port, bit 1: DMA
    rebuild_directory();
    ports.claim("fw_cfg", 0x510, 2, ports_);
    ports.claim("fw_cfg dma", 0x514, 8, dma_ports_);
}

void FwCfg::reset() {
    select(key_signature);
    dma_address_ = 0;
}

void FwCfg::serialize(Archive& a) {
    // The keys of files follow from all their names: when the board has other ones, an old cursor means another file.
    a.section("fw_cfg", 2);
    a(key_, position_, dma_address_);
}

void FwCfg::add(u16 key, std::vector<u8> bytes) {
    check((key < key_first_file && key != key_directory) || (key >= 0x8000 && key < 0xC000),
          "this fw_cfg key belongs to the files");
    blobs_[key] = std::move(bytes);
}

void FwCfg::add_file(const std::string& name, std::vector<u8> bytes) {
    check(!name.empty() && name.size() < name_bytes, "a fw_cfg file name has 1 to 55 bytes");
    check(files_.size() < most_files, "too many fw_cfg files");
    files_[name] = std::move(bytes);
    rebuild_directory();
}

// Entries of 64 bytes after the count: size (4), key (2), reserved (2), name (56), all big endian.
void FwCfg::rebuild_directory() {
    std::vector<u8> directory;
    put_big_endian(directory, files_.size(), 4);
    file_by_key_.clear();
    for (const auto& [name, bytes] : files_) {
        put_big_endian(directory, bytes.size(), 4);
        put_big_endian(directory, key_first_file + file_by_key_.size(), 2);
        put_big_endian(directory, 0, 2);
        directory.insert(directory.end(), name.begin(), name.end());
        directory.insert(directory.end(), name_bytes - name.size(), 0);
        file_by_key_.push_back(&bytes);
    }
    blobs_[key_directory] = std::move(directory);
}

const std::vector<u8>* FwCfg::find(u16 key) const {
    key &= static_cast<u16>(~key_write_channel);
    if (key >= key_first_file && key < key_first_file + file_by_key_.size()) return file_by_key_[key - key_first_file];
    auto at = blobs_.find(key);
    return at == blobs_.end() ? nullptr : &at->second;
}

void FwCfg::select(u16 key) {
    key_ = key;
    position_ = 0;
    if (!find(key)) log_.once(Topic::Firmware, "fw_cfg: nothing at key {:04x}", key);
}

// The data register is one byte wide at either port; past the end it reads zeros.
u32 FwCfg::read_data(u8 size) {
    if (size != 1) return open_bus(size);
    const auto* blob = find(key_);
    return blob && position_ < blob->size() ? (*blob)[position_++] : 0;
}

u32 FwCfg::read_dma_register(u32 offset, u8 size) const {
    u32 value = 0;
    for (u8 i = 0; i < size; ++i)
        value |= static_cast<u32>((dma_signature >> (56 - 8 * (offset + i))) & 0xFF) << (8 * i);
    return value;
}

void FwCfg::write_dma_register(u32 offset, u8 size, u32 value) {
    if (size != 4 || offset % 4 != 0) {
        log_.once(Topic::Firmware, "fw_cfg: {}-byte write to the DMA register ignored", size);
        return;
    }
    const u64 half = swap_bytes(value, 4);
    if (offset == 0) {
        dma_address_ = half << 32;
        return;
    }
    // The low half starts the transfer.
    const u64 address = dma_address_ | half;
    dma_address_ = 0;
    run_dma(static_cast<Physical>(address));
}

void FwCfg::run_dma(Physical descriptor) {
    std::array<u8, 16> bytes{};
    memory_.read(descriptor, bytes);
    const DmaRequest request{static_cast<u32>(big_endian(&bytes[0], 4)), static_cast<u32>(big_endian(&bytes[4], 4)),
                             big_endian(&bytes[8], 8)};
    if (request.control & dma_select) select(static_cast<u16>(request.control >> 16));

    bool done = true;
    if (request.control & dma_read)
        done = copy_to_guest(request);
    else if (request.control & dma_write)
        done = false;
    else if (request.control & dma_skip)
        position_ += request.length;

    const std::array<u8, 4> result{0, 0, 0, static_cast<u8>(done ? 0 : dma_error)};
    memory_.write(descriptor, result);
}

bool FwCfg::copy_to_guest(const DmaRequest& request) {
    const auto* blob = find(key_);
    const u64 size = blob ? blob->size() : 0;
    const u64 start = std::min(position_, size);
    const u64 stored = std::min<u64>(request.length, size - start);
    const u64 zeros = request.length - stored;
    if (zeros > most_zeros) {
        log_.once(Topic::Firmware, "fw_cfg: DMA far past the end of key {:04x}", key_);
        return false;
    }
    const auto to = static_cast<Physical>(request.address);
    if (stored > 0) memory_.write(to, std::span{*blob}.subspan(start, stored));
    if (zeros > 0) memory_.write(to + stored, std::vector<u8>(zeros));
    position_ += request.length;
    return true;
}

}  // namespace vellum
