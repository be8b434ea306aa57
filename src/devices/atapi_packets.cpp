// What each packet asks for and its answer (MMC-3, chapter 6); READ CD and the mode pages have files of their own.
// Numbers in packets and answers are big endian.
#include "devices/atapi_packets.hpp"

#include <algorithm>

#include "devices/atapi_cd.hpp"

namespace vellum {

namespace {

constexpr u16 profile_cd = 0x0008, profile_dvd = 0x0010;
constexpr u32 most_cd_sectors = 450'000;  // 100 minutes: what is longer is a DVD
constexpr u8 data_track = 0x14;           // ADR 1, digital data
constexpr u8 lead_out = 0xAA;

struct Feature {
    u16 code;
    u8 flags;  // version << 2 | persistent << 1 | current
    u8 length;
    std::array<u8, 8> data;
};
// MMC-3, 5.3. The profile list's current bits are filled in when it is sent.
constexpr Feature features[] = {
    {0x0000, 0x03, 8, {0x00, profile_dvd, 0, 0, 0x00, profile_cd, 0, 0}},
    {0x0001, 0x03, 4, {0, 0, 0, 0x02}},              // core: ATAPI
    {0x0002, 0x03, 4, {0x00}},                       // morphing: no asynchronous events
    {0x0003, 0x03, 4, {0x29}},                       // removable: tray, eject, lock
    {0x0010, 0x01, 8, {0, 0, 0x08, 0, 0, 1, 0, 0}},  // random readable: 2048 bytes, one block
    {0x001E, 0x01, 4, {0x00}},                       // CD read
    {0x001F, 0x01, 4, {0x00}},                       // DVD read
};

}  // namespace

const AtapiCd::PacketRow AtapiCd::packet_rows[] = {
    {PacketOperation::TestUnitReady, &AtapiCd::do_nothing, true, true},
    {PacketOperation::RequestSense, &AtapiCd::request_sense, false, false},
    {PacketOperation::Inquiry, &AtapiCd::inquiry, false, false},
    {PacketOperation::ModeSelect6, &AtapiCd::mode_select, false, true},
    {PacketOperation::ModeSense6, &AtapiCd::mode_sense, false, true},
    {PacketOperation::StartStopUnit, &AtapiCd::start_stop, false, true},
    {PacketOperation::PreventAllow, &AtapiCd::prevent_removal, false, true},
    {PacketOperation::ReadCapacity, &AtapiCd::read_capacity, true, true},
    {PacketOperation::Read10, &AtapiCd::read_10, true, true},
    {PacketOperation::Seek10, &AtapiCd::seek, true, true},
    {PacketOperation::SynchronizeCache, &AtapiCd::do_nothing, false, true},
    {PacketOperation::ReadSubchannel, &AtapiCd::read_subchannel, true, true},
    {PacketOperation::ReadToc, &AtapiCd::read_toc, true, true},
    {PacketOperation::ReadHeader, &AtapiCd::read_header, true, true},
    {PacketOperation::PlayAudio10, &AtapiCd::play, true, true},
    {PacketOperation::GetConfiguration, &AtapiCd::get_configuration, false, false},
    {PacketOperation::PlayAudioMsf, &AtapiCd::play, true, true},
    {PacketOperation::GetEventStatus, &AtapiCd::get_event_status, false, false},
    {PacketOperation::PauseResume, &AtapiCd::pause_resume, true, true},
    {PacketOperation::StopPlay, &AtapiCd::do_nothing, true, true},
    {PacketOperation::ReadDiscInformation, &AtapiCd::read_disc_information, true, true},
    {PacketOperation::ModeSelect10, &AtapiCd::mode_select, false, true},
    {PacketOperation::ModeSense10, &AtapiCd::mode_sense, false, true},
    {PacketOperation::PlayAudio12, &AtapiCd::play, true, true},
    {PacketOperation::Read12, &AtapiCd::read_12, true, true},
    {PacketOperation::ReadCdMsf, &AtapiCd::read_cd_msf, true, true},
    {PacketOperation::SetCdSpeed, &AtapiCd::do_nothing, false, true},
    {PacketOperation::MechanismStatus, &AtapiCd::mechanism_status, false, true},
    {PacketOperation::ReadCd, &AtapiCd::read_cd, true, true},
};

void AtapiCd::obey_packet() {
    auto row = std::find_if(std::begin(packet_rows), std::end(packet_rows),
                            [this](const PacketRow& r) { return r.operation == PacketOperation{packet_[0]}; });
    if (row == std::end(packet_rows)) {
        log_.once(Topic::Disk, "cd: packet {:02x}h is not supported", packet_[0]);
        return refuse(sense::unknown_operation);
    }
    if (row->reports_attention && attention_) {
        attention_ = false;
        return refuse(sense::medium_changed);
    }
    if (row->needs_medium && !has_medium())
        return refuse(tray_open_ ? sense::not_present_tray_open : sense::not_present_tray_closed);
    if (row->operation != PacketOperation::RequestSense) sense_ = {};
    (this->*row->obey)();
}

void AtapiCd::put16(u32 at, u32 value) {
    buffer_[at] = static_cast<u8>(value >> 8);
    buffer_[at + 1] = static_cast<u8>(value);
}

void AtapiCd::put32(u32 at, u32 value) {
    put16(at, value >> 16);
    put16(at + 2, value & 0xFFFF);
}

// Four bytes: a block number, or 0, minute, second, frame; the first two seconds lie before block 0.
void AtapiCd::put_address(u32 at, u32 lba, bool msf) {
    if (!msf) return put32(at, lba);
    u32 frames = lba + 150;
    buffer_[at] = 0;
    buffer_[at + 1] = static_cast<u8>(std::min(frames / (75 * 60), 255u));
    buffer_[at + 2] = static_cast<u8>(frames / 75 % 60);
    buffer_[at + 3] = static_cast<u8>(frames % 75);
}

u16 AtapiCd::current_profile() const {
    if (!has_medium()) return 0;
    return sectors() > most_cd_sectors ? profile_dvd : profile_cd;
}

void AtapiCd::request_sense() {
    PacketSense now = sense_;
    if (now.key == 0 && attention_) {
        now = sense::medium_changed;
        attention_ = false;
    }
    clear_reply(18);
    buffer_[0] = 0x70;
    buffer_[2] = now.key;
    buffer_[7] = 10;
    buffer_[12] = now.code;
    buffer_[13] = now.qualifier;
    sense_ = {};
    reply_size_ = 18;
    reply(packet_[4]);
}

void AtapiCd::inquiry() {
    if (packet_[1] & 1) return refuse(sense::invalid_field);  // no vital product data
    constexpr std::string_view names = "VELLUM  CD-ROM          1.0 ";
    clear_reply(36);
    buffer_[0] = 0x05;  // CD-ROM
    buffer_[1] = 0x80;  // removable
    buffer_[3] = 0x21;  // ATAPI
    buffer_[4] = 31;
    std::copy(names.begin(), names.end(), buffer_.begin() + 8);
    reply_size_ = 36;
    reply(packet16(3) & 0xFFFF);
}

void AtapiCd::read_10() { send_sectors(packet32(2), packet16(7), {}); }
void AtapiCd::read_12() { send_sectors(packet32(2), packet32(6), {}); }

// Where the head is: there is no audio to play, so that its status is "none", but the position is asked for by drivers
// that look whether a disc is there (MMC-3, 6.32).
void AtapiCd::read_subchannel() {
    bool msf = packet_[1] & 2, wants_q = packet_[2] & 0x40;
    u8 format = packet_[3];
    constexpr u8 position = 1, recording_code = 3, no_audio_status = 0x15;
    if (wants_q && (format < position || format > recording_code)) return refuse(sense::invalid_field);
    clear_reply(24);
    buffer_[1] = no_audio_status;
    reply_size_ = 4;
    if (wants_q) {
        buffer_[4] = format;
        reply_size_ = format == position ? 16 : 24;  // a disc without catalogue number or recording codes
        if (format == position || format == recording_code) {
            buffer_[5] = data_track;
            buffer_[6] = 1;
        }
        if (format == position) {
            u32 lba = static_cast<u32>(std::min<u64>(lba_, sectors()));
            buffer_[7] = 1;
            put_address(8, lba, msf);
            put_address(12, msf ? lba - 150 : lba, msf);  // within the track, which begins at block 0
        }
    }
    put16(2, reply_size_ - 4);
    reply(packet16(7));
}

void AtapiCd::read_header() {
    u32 lba = packet32(2);
    if (lba >= sectors()) return refuse(sense::out_of_range);
    clear_reply(8);
    buffer_[0] = 1;  // mode
    put_address(4, lba, packet_[1] & 2);
    reply_size_ = 8;
    reply(packet16(7));
}

// Nothing on a data disc can be played, and so nothing be paused.
void AtapiCd::play() { refuse(sense::wrong_track_mode); }
void AtapiCd::pause_resume() { refuse(sense::out_of_sequence); }

void AtapiCd::seek() { packet32(2) < sectors() ? complete() : refuse(sense::out_of_range); }

void AtapiCd::read_capacity() {
    clear_reply(8);
    put32(0, sectors() ? sectors() - 1 : 0);
    put32(4, sector_size);
    reply_size_ = 8;
    reply(8);
}

void AtapiCd::read_toc() {
    bool msf = packet_[1] & 2;
    u8 format = packet_[2] & 15;
    if (format == 0) format = packet_[9] >> 6;  // where the first ATAPI drives had it
    clear_reply(64);
    buffer_[2] = buffer_[3] = 1;  // first and last track or session
    if (format == 0) {
        if (packet_[6] > 1 && packet_[6] != lead_out) return refuse(sense::invalid_field);
        toc_tracks(msf);
    } else if (format == 1) {
        buffer_[5] = data_track;
        buffer_[6] = 1;
        put_address(8, 0, msf);
        reply_size_ = 12;
    } else if (format == 2) {
        toc_raw();
    } else {
        return refuse(sense::invalid_field);
    }
    put16(0, reply_size_ - 2);
    reply(packet16(7));
}

void AtapiCd::toc_tracks(bool msf) {
    u32 at = 4;
    auto add = [&](u8 track, u32 lba) {
        buffer_[at + 1] = data_track;
        buffer_[at + 2] = track;
        put_address(at + 4, lba, msf);
        at += 8;
    };
    if (packet_[6] <= 1) add(1, 0);
    add(lead_out, sectors());
    reply_size_ = at;
}

// Session, ADR/control, 0, point, 4 bytes 0, then what the point says (6.32.3.3).
void AtapiCd::toc_raw() {
    constexpr u8 points[] = {0xA0, 0xA1, 0xA2, 0x01};
    u32 at = 4;
    for (u8 point : points) {
        buffer_[at] = 1;
        buffer_[at + 1] = data_track;
        buffer_[at + 3] = point;
        if (point == 0xA0 || point == 0xA1)
            buffer_[at + 8] = 1;
        else
            put_address(at + 7, point == 0xA2 ? sectors() : 0, true);
        at += 11;
    }
    reply_size_ = at;
}

void AtapiCd::start_stop() {
    bool load_or_eject = packet_[4] & 2, start = packet_[4] & 1;
    if (!load_or_eject) return complete();
    if (!start) {
        if (locked_) return refuse(sense::removal_prevented);
        if (!tray_open_) event_ = Event::Removed;
        tray_open_ = true;
    } else if (tray_open_) {
        tray_open_ = false;
        attention_ = medium_ != nullptr;
        event_ = medium_ ? Event::NewMedium : Event::None;
    }
    complete();
}

void AtapiCd::prevent_removal() {
    locked_ = packet_[4] & 1;
    complete();
}

void AtapiCd::get_configuration() {
    u32 first = packet16(2);
    u8 which = packet_[1] & 3;  // 0 all, 1 those that are current, 2 only `first`
    u16 profile = current_profile();
    clear_reply(128);
    u32 at = 8;
    for (const Feature& f : features) {
        bool of_medium = f.code >= 0x0010;
        bool current = !of_medium || (profile && f.code != (profile == profile_cd ? 0x001F : 0x001E));
        if (f.code < first || (which == 1 && !current) || (which == 2 && f.code != first)) continue;
        put16(at, f.code);
        buffer_[at + 2] = static_cast<u8>((f.flags & ~1) | current);
        buffer_[at + 3] = f.length;
        std::copy_n(f.data.begin(), f.length, buffer_.begin() + at + 4);
        if (f.code == 0) {
            buffer_[at + 6] = profile == profile_dvd;
            buffer_[at + 10] = profile == profile_cd;
        }
        at += 4 + f.length;
    }
    put32(0, at - 4);
    put16(6, profile);
    reply_size_ = at;
    reply(packet16(7));
}

void AtapiCd::get_event_status() {
    constexpr u8 media_class = 4, supported = 1 << media_class, none_available = 0x80;
    if (!(packet_[1] & 1)) return refuse(sense::invalid_field);  // only polling
    clear_reply(8);
    buffer_[3] = supported;
    if (packet_[4] & supported) {
        put16(0, 6);
        buffer_[2] = media_class;
        buffer_[4] = static_cast<u8>(event_);
        buffer_[5] = medium_status();
        reply_size_ = 8;
        if (packet16(7) > 4) event_ = Event::None;
    } else {
        put16(0, 2);
        buffer_[2] = none_available;
        reply_size_ = 4;
    }
    reply(packet16(7));
}

void AtapiCd::mechanism_status() {
    clear_reply(8);
    buffer_[1] = tray_open_ ? 0x10 : 0;
    buffer_[5] = 1;  // slot
    reply_size_ = 8;
    reply(packet16(8));
}

void AtapiCd::read_disc_information() {
    clear_reply(34);
    put16(0, 32);
    buffer_[2] = 0x0E;  // disc and last session are complete
    buffer_[3] = buffer_[4] = buffer_[5] = buffer_[6] = 1;
    buffer_[7] = 0x20;  // for unrestricted use
    reply_size_ = 34;
    reply(packet16(7));
}

}  // namespace vellum
