// MODE SENSE and MODE SELECT (SFF-8020i, 10.8.5 and 10.8.6; MMC-3, chapter 5 of the mode pages).
#include <algorithm>
#include <iterator>

#include "devices/atapi_cd.hpp"

namespace vellum {

namespace {

constexpr u32 speed = 5632;  // KB/s, 32x
constexpr u8 all_pages = 0x3F;
enum Page : u8 { ErrorRecovery = 0x01, CdParameters = 0x0D, AudioControl = 0x0E, Capabilities = 0x2A };

struct PageRow {
    Page code;
    u8 length;  // of what follows code and length
};
constexpr PageRow page_rows[] = {{ErrorRecovery, 6}, {CdParameters, 6}, {AudioControl, 14}, {Capabilities, 20}};
constexpr u32 audio_ports_at = 8;  // in its page: channels and volume of four ports

const PageRow* find_page(u8 code) {
    auto row = std::ranges::find(page_rows, code, &PageRow::code);
    return row == std::end(page_rows) ? nullptr : row;
}

}  // namespace

// Writes one mode page at `at`.
void AtapiCd::mode_page(u32 at, u8 page) {
    u8* p = &buffer_[at];
    p[0] = page;
    p[1] = find_page(page)->length;
    switch (page) {
        case ErrorRecovery: p[3] = 5; break;  // retries
        case CdParameters:
            p[3] = 0x0D;        // spins on for eight minutes
            put16(at + 4, 60);  // seconds in a minute
            put16(at + 6, 75);  // frames in a second
            break;
        case AudioControl:
            p[2] = 0x04;        // answers at once
            put16(at + 6, 75);  // blocks in a second
            std::ranges::copy(audio_ports_, p + audio_ports_at);
            break;
        default:                           // capabilities
            p[2] = 0x0B;                   // reads CD-R, CD-RW, DVD-ROM
            p[4] = 0x70;                   // mode 2, forms 1 and 2, several sessions
            p[6] = locked_ ? 0x2B : 0x29;  // tray, can eject and lock
            put16(at + 8, speed);
            put16(at + 12, 128);  // KB of buffer
            put16(at + 14, speed);
            break;
    }
}

// Of all pages, only what the audio ports give can be changed.
void AtapiCd::keep_changeable(u32 at, u8 page) {
    u32 length = find_page(page)->length;
    std::fill_n(buffer_.begin() + at + 2, length, u8{0});
    if (page == AudioControl) std::fill_n(buffer_.begin() + at + audio_ports_at, audio_ports_.size(), u8{0xFF});
}

void AtapiCd::mode_sense() {
    bool long_form = PacketOperation{packet_[0]} == PacketOperation::ModeSense10;
    u8 wanted = packet_[2] & 0x3F, control = packet_[2] >> 6;
    constexpr u8 changeable = 1, saved = 3;
    if (control == saved) return refuse(sense::saving_not_supported);
    if (wanted != all_pages && !find_page(wanted)) return refuse(sense::invalid_field);
    clear_reply(0);
    u32 at = long_form ? 8 : 4;
    for (const PageRow& row : page_rows) {
        if (wanted != all_pages && wanted != row.code) continue;
        mode_page(at, row.code);
        if (control == changeable) keep_changeable(at, row.code);
        at += row.length + 2u;
    }
    u8 medium_type = tray_open_ ? 0x71 : has_medium() ? 0x01 : 0x70;
    reply_size_ = at;
    if (long_form) {
        put16(0, at - 2);
        buffer_[2] = medium_type;
    } else {
        buffer_[0] = static_cast<u8>(at - 1);
        buffer_[1] = medium_type;
    }
    reply(long_form ? packet16(7) : packet_[4]);
}

void AtapiCd::mode_select() {
    bool long_form = PacketOperation{packet_[0]} == PacketOperation::ModeSelect10;
    constexpr u8 save_pages = 1;
    if (packet_[1] & save_pages) return refuse(sense::invalid_field);
    u32 length = long_form ? packet16(7) : packet_[4];
    if (length > most_parameters) return refuse(sense::parameter_list_length);
    if (length == 0) return complete();
    take_parameters(length);
}

// The host has sent its pages, which lie in the buffer. All are looked at before the first one has an effect.
void AtapiCd::obey_parameters() {
    bool long_form = PacketOperation{packet_[0]} == PacketOperation::ModeSelect10;
    u32 size = reply_size_, header = long_form ? 8 : 4;
    if (size < header) return refuse(sense::parameter_list_length);
    u32 descriptors = long_form ? u32{buffer_[6]} << 8 | buffer_[7] : buffer_[3];
    auto ports = audio_ports_;
    for (u32 at = header + descriptors; at < size;) {
        const PageRow* row = find_page(buffer_[at] & 0x3F);
        if (!row || at + 2 > size || buffer_[at + 1] != row->length) return refuse(sense::invalid_parameter);
        if (at + 2 + row->length > size) return refuse(sense::parameter_list_length);
        if (row->code == AudioControl) std::copy_n(buffer_.begin() + at + audio_ports_at, ports.size(), ports.begin());
        at += row->length + 2u;
    }
    audio_ports_ = ports;
    complete();
}

}  // namespace vellum
