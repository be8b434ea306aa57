// The packet protocol: commands of the cable, phases, sense data. The packets' meaning is in atapi_packets.cpp.
#include "devices/atapi_cd.hpp"

#include <algorithm>

namespace vellum {

namespace {

// Interrupt reason (in the count register): bit 0 command packet, bit 1 towards the host
constexpr u8 reason_packet = 1, reason_from_host = 0, reason_to_host = 2, reason_done = 3;
constexpr u8 feature_dma = 1;
constexpr u32 chunk_sectors = 32;
constexpr u32 most_reply = 1024;  // more than any answer other than sectors

}  // namespace

AtapiCd::AtapiCd(Scheduler& scheduler, BusMaster& bus_master, Log& log, std::unique_ptr<BlockBackend> medium,
                 std::string serial)
    : IdeDrive{scheduler, bus_master, log}, medium_{std::move(medium)}, serial_{std::move(serial)} {}

void AtapiCd::change_medium(std::unique_ptr<BlockBackend> medium) {
    medium_ = std::move(medium);
    tray_open_ = false;
    attention_ = medium_ != nullptr;
    event_ = medium_ ? Event::NewMedium : Event::Removed;
    remaining_ = 0;  // a read in progress ends early, with what is in the buffer
}

u32 AtapiCd::sectors() const { return static_cast<u32>(std::min<u64>(medium_->size() / sector_size, 0xFFFF'FFFE)); }

void AtapiCd::restore_defaults(bool power_on) {
    phase_ = Phase::None;
    remaining_ = 0;
    sense_ = {};
    if (!power_on) return;
    audio_ports_ = default_ports;
    locked_ = tray_open_ = attention_ = false;
    event_ = Event::None;
}

void AtapiCd::set_signature() {
    count_ = lba_low_ = {1, 0};
    lba_mid_ = {0x14, 0};
    lba_high_ = {0xEB, 0};
    device_ &= 0xB0;
}

void AtapiCd::execute(u8 command) {
    phase_ = Phase::None;
    switch (command) {
        case 0xA0:  // PACKET
            by_dma_ = feature_.now & feature_dma;
            byte_limit_ = lba_mid_.now | lba_high_.now << 8;
            phase_ = Phase::Packet;
            count_.now = reason_packet;
            return request_block(0, packet_.size(), false);
        case 0xA1: return identify();
        case 0x08:  // DEVICE RESET: no interrupt
            restore_defaults(false);
            set_signature();
            error_ = 1;
            return idle(0);
        case 0xEC:  // IDENTIFY DEVICE and READ SECTORS: aborted with the signature, to be told from a disk
        case 0x20: set_signature(); return fail(aborted);
        case 0xEF: {  // SET FEATURES: transfer mode, and nothing that makes a difference
            bool known = feature_.now == 0x03 || feature_.now == 0x66 || feature_.now == 0xCC;
            return known ? finish() : fail(aborted);
        }
        case 0xE5: count_.now = 0xFF; return finish();
        case 0xE0:
        case 0xE1:
        case 0xE2:
        case 0xE3:
        case 0xE6: return finish();
        case 0x00: return fail(aborted);
        default: return abort_with_log("cd: command", command);
    }
}

void AtapiCd::complete() {
    phase_ = Phase::None;
    count_.now = reason_done;
    finish();
}

void AtapiCd::refuse(PacketSense what) {
    phase_ = Phase::None;
    sense_ = what;
    count_.now = reason_done;
    fail(static_cast<u8>(what.key << 4 | aborted));
}

void AtapiCd::clear_reply(u32 size) {
    buffer_.assign(std::max(size, most_reply), 0);
    reply_size_ = reply_sent_ = 0;
}

// Sends what stands in buffer_[0, reply_size_), or as much as the host has allocated.
void AtapiCd::reply(u32 allocated) {
    reply_size_ = std::min(reply_size_, allocated);
    reply_sent_ = 0;
    if (reply_size_ == 0) return complete();
    phase_ = Phase::Reply;
    by_dma_ ? wait_for_dma() : offer();
}

void AtapiCd::send_sectors(u64 lba, u64 count, SectorForm form) {
    if (lba > sectors() || count > sectors() - lba) return refuse(sense::out_of_range);
    if (count == 0) return complete();
    lba_ = lba;
    remaining_ = count;
    form_ = form;
    if (!refill()) return refuse(sense::read_error);
    phase_ = Phase::Sectors;
    by_dma_ ? wait_for_dma() : offer();
}

bool AtapiCd::refill() {
    u32 count = static_cast<u32>(std::min<u64>(remaining_, chunk_sectors));
    u32 each = form_.bytes();
    buffer_.resize(chunk_sectors * std::max(each, sector_size));
    reply_size_ = count * each;
    reply_sent_ = 0;
    std::span<u8> user{buffer_.data(), count * sector_size};
    std::vector<u8> apart;
    if (!form_.user_data_alone()) {
        apart.resize(user.size());
        user = apart;
    }
    if (!medium_->read(lba_ * sector_size, user)) return false;
    for (u32 i = 0; !apart.empty() && i < count; ++i)
        form_.put({buffer_.data() + i * each, each}, user.subspan(i * sector_size, sector_size),
                  static_cast<u32>(lba_ + i));
    lba_ += count;
    remaining_ -= count;
    return true;
}

// The host sends what belongs to its packet, in one block.
void AtapiCd::take_parameters(u32 size) {
    clear_reply(0);
    reply_size_ = size;
    phase_ = Phase::Parameters;
    lba_mid_.now = static_cast<u8>(size);
    lba_high_.now = static_cast<u8>(size >> 8);
    count_.now = reason_from_host;
    if (by_dma_) return wait_for_dma();
    request_block(0, size, false);
    raise_interrupt();
}

// The next block for the host to read: even sized unless it is the last one.
void AtapiCd::offer() {
    u32 limit = byte_limit_ == 0 || byte_limit_ == 0xFFFF ? 0xFFFE : byte_limit_;
    if (limit > 1) limit &= ~1u;
    u32 count = std::min(limit, reply_size_ - reply_sent_);
    lba_mid_.now = static_cast<u8>(count);
    lba_high_.now = static_cast<u8>(count >> 8);
    count_.now = reason_to_host;
    request_block(reply_sent_, count, true);
    reply_sent_ += count;
    raise_interrupt();
}

void AtapiCd::block_done() {
    if (phase_ == Phase::None) return idle(idle_status());  // the words of IDENTIFY
    if (phase_ == Phase::Parameters) return continue_later();
    if (phase_ == Phase::Packet) std::copy_n(buffer_.begin(), packet_.size(), packet_.begin());
    continue_later();
}

void AtapiCd::resume() {
    if (phase_ == Phase::Packet) return obey_packet();
    if (phase_ == Phase::Parameters) return obey_parameters();
    if (reply_sent_ < reply_size_) return offer();
    if (phase_ != Phase::Sectors || remaining_ == 0) return complete();
    refill() ? offer() : refuse(sense::read_error);
}

void AtapiCd::run_dma() {
    if (phase_ == Phase::Parameters) {
        if (bus_master_.load({buffer_.data(), reply_size_})) obey_parameters();
        return;
    }
    while (true) {
        if (!bus_master_.store({buffer_.data(), reply_size_})) return;
        if (phase_ != Phase::Sectors || remaining_ == 0) return complete();
        if (!refill()) return refuse(sense::read_error);
    }
}

// IDENTIFY PACKET DEVICE (8.16)
void AtapiCd::identify() {
    std::array<u16, 256> words{};
    auto text = [&words](u32 first, u32 count, std::string_view s) {
        for (u32 i = 0; i < 2 * count; ++i) {
            u16 c = i < s.size() ? static_cast<u8>(s[i]) : ' ';
            words[first + i / 2] |= i % 2 ? c : c << 8;
        }
    };
    words[0] = 0x85C0;  // ATAPI, CD-ROM, removable, DRQ within 50 us, packets of 12 bytes
    text(10, 10, serial_);
    text(23, 4, "1.0");
    text(27, 20, "VELLUM CD-ROM");
    words[49] = 0x0F00;
    words[51] = words[52] = 0x0200;
    words[53] = 0x0007;
    words[63] = 0x0407;
    words[64] = 0x0003;
    words[65] = words[66] = words[67] = words[68] = 120;
    words[71] = words[72] = 30;
    words[80] = 0x007E;
    words[82] = 0x4210;  // NOP, DEVICE RESET, PACKET
    words[83] = words[84] = 0x4000;
    words[85] = 0x4210;
    words[87] = 0x4000;
    words[88] = 0x003F;
    words[93] = 0x6001 | ((device_ & 0x10) ? 0x0800 : 0x0008);
    request_block(0, 512, true);
    for (u32 i = 0; i < 512; ++i) buffer_[i] = static_cast<u8>(words[i / 2] >> (8 * (i % 2)));
    raise_interrupt();
}

void AtapiCd::serialize(Archive& a) {
    a.section("atapi cd", 2);
    IdeDrive::serialize(a);
    a(packet_, phase_, sense_.key, sense_.code, sense_.qualifier, reply_size_, reply_sent_, lba_, remaining_);
    a(byte_limit_, by_dma_, attention_, tray_open_, locked_, event_, form_.main, form_.subchannel, audio_ports_);
    u64 most = medium_ ? sectors() : 0;
    bool packet_fits = phase_ != Phase::Packet || buffer_.size() >= packet_.size();
    bool range = remaining_ == 0 || (lba_ <= most && remaining_ <= most - lba_);
    if (phase_ > Phase::Sectors || event_ > Event::Removed || reply_size_ > buffer_.size() ||
        reply_sent_ > reply_size_ || !packet_fits || !range || !SectorForm::from_packet(form_.main, form_.subchannel) ||
        form_.bytes() == 0) {
        phase_ = Phase::None;
        remaining_ = reply_size_ = reply_sent_ = 0;
        a.refuse();
    }
}

}  // namespace vellum
