// READ CD: which parts of a sector the host wants, and putting them together (MMC-3, 6.19). The disc's one track is of
// mode 1; what its image does not hold (headers, EDC, ECC, subchannels) is made as the disc would have it.
#include <algorithm>

#include "devices/atapi_cd.hpp"
#include "devices/cd_sector.hpp"

namespace vellum {

namespace {

// Packet byte 9: |sync|subheader|header|user data|EDC and ECC|C2 (2)|0|. A sector of mode 1 has no subheader.
constexpr u8 want_sync = 0x80, want_subheader = 0x40, want_header = 0x20, want_user = 0x10, want_checks = 0x08;
constexpr u32 c2_bits = 294, c2_with_block_byte = 296, c2_reserved = 3;
// Packet byte 10
constexpr u8 raw_subchannels = 1, q_subchannel = 2, rw_subchannels = 4;
constexpr u32 raw_size = 96, q_size = 16;

bool wants(u8 main, u8 part) { return main & part; }

// What is sent is one piece of the sector, from the first part to the last.
bool in_one_piece(u8 main) {
    if (wants(main, want_checks) && !wants(main, want_user)) return false;
    if (wants(main, want_sync) && (main & (want_subheader | want_user)) && !wants(main, want_header)) return false;
    return true;
}

}  // namespace

std::optional<AtapiCd::SectorForm> AtapiCd::SectorForm::from_packet(u8 main, u8 subchannel) {
    SectorForm form{main, subchannel};
    bool subchannel_known =
        subchannel == 0 || subchannel == raw_subchannels || subchannel == q_subchannel || subchannel == rw_subchannels;
    if (!in_one_piece(main) || form.c2() == c2_reserved || (main & 1) || !subchannel_known) return std::nullopt;
    return form;
}

u32 AtapiCd::SectorForm::bytes() const {
    u32 size = 0;
    if (wants(main, want_sync)) size += cd::sync.size;
    if (wants(main, want_header)) size += cd::header.size;
    if (wants(main, want_user)) size += cd::user.size;
    if (wants(main, want_checks)) size += cd::checks.size;
    if (c2() == 1) size += c2_bits;
    if (c2() == 2) size += c2_with_block_byte;
    if (subchannel == q_subchannel) size += q_size;
    if (subchannel == raw_subchannels || subchannel == rw_subchannels) size += raw_size;
    return size;
}

bool AtapiCd::SectorForm::user_data_alone() const { return main == want_user && subchannel == 0; }

// Writes one sector as the host wants it; `user` is its user data.
void AtapiCd::SectorForm::put(std::span<u8> out, std::span<const u8> user, u32 lba) const {
    cd::Sector sector;
    std::ranges::copy(user, sector.begin() + cd::user.first);
    cd::complete_mode_1(sector, lba);
    std::size_t at = 0;
    auto add = [&](u8 part, cd::Part place) {
        if (!wants(main, part)) return;
        std::copy_n(sector.begin() + place.first, place.size, out.begin() + static_cast<std::ptrdiff_t>(at));
        at += place.size;
    };
    add(want_sync, cd::sync);
    add(want_header, cd::header);
    add(want_user, cd::user);
    add(want_checks, cd::checks);
    std::span<u8> rest = out.subspan(at);
    std::ranges::fill(rest, u8{0});  // no errors for C2 to tell of, and nothing in the subchannels R to W
    auto q = cd::q_subchannel(lba);
    if (subchannel == q_subchannel) std::ranges::copy(q, rest.last(q_size).begin());
    if (subchannel == raw_subchannels)  // one bit of each subchannel in a byte: Q is bit 6
        for (u32 i = 0; i < raw_size; ++i) rest.last(raw_size)[i] = static_cast<u8>((q[i / 8] << (i % 8) & 0x80) >> 1);
}

void AtapiCd::read_cd_sectors(u64 lba, u64 count) {
    constexpr u8 any_type = 0, mode_1 = 2;
    u8 type = (packet_[1] >> 2) & 7;
    if (type != any_type && type != mode_1) return refuse(sense::wrong_track_mode);
    auto form = SectorForm::from_packet(packet_[9], packet_[10] & 7);
    if (!form) return refuse(sense::invalid_field);
    if (form->bytes() == 0) return complete();
    send_sectors(lba, count, *form);
}

void AtapiCd::read_cd() { read_cd_sectors(packet32(2), u32{packet_[6]} << 16 | packet16(7)); }

// From minute, second and frame up to, but not including, others.
void AtapiCd::read_cd_msf() {
    auto frames = [this](u32 at) { return (packet_[at] * 60u + packet_[at + 1]) * 75 + packet_[at + 2]; };
    u32 first = frames(3), end = frames(6);
    if (first < 150 || end < first) return refuse(sense::invalid_field);
    read_cd_sectors(first - 150, end - first);
}

}  // namespace vellum
