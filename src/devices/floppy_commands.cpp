// The commands of the 82077AA (datasheet chapters 5 and 6); their data without DMA is in floppy_bytes.cpp.
#include <algorithm>

#include "devices/floppy.hpp"
#include "devices/floppy_status.hpp"

namespace vellum {

using namespace floppy_status;

namespace {

constexpr u8 dma_channel = 2;
constexpr Nanoseconds seek_time = 200 * microsecond;

}  // namespace

const Floppy::CommandRow Floppy::command_rows[] = {
    {0x03, 0xFF, 2, &Floppy::specify, false},
    {0x04, 0xFF, 1, &Floppy::sense_drive, false},
    {0x07, 0xFF, 1, &Floppy::recalibrate, false},
    {0x08, 0xFF, 0, &Floppy::sense_interrupt, false},
    {0x0F, 0xFF, 2, &Floppy::seek, false},
    {0x8F, 0xBF, 2, &Floppy::relative_seek, false},
    {0x0E, 0xFF, 0, &Floppy::dump_registers, false},
    {0x10, 0xFF, 0, &Floppy::version, false},
    {0x12, 0xFF, 1, &Floppy::perpendicular, false},
    {0x13, 0xFF, 3, &Floppy::configure, false},
    {0x14, 0x7F, 0, &Floppy::lock, false},
    {0x0A, 0xBF, 1, &Floppy::read_id, true},
    {0x06, 0x1F, 8, &Floppy::read_sectors, true},
    {0x0C, 0x1F, 8, &Floppy::read_sectors, true},  // deleted data
    {0x05, 0x3F, 8, &Floppy::write_sectors, true},
    {0x09, 0x3F, 8, &Floppy::write_sectors, true},  // deleted data
    {0x02, 0x9F, 8, &Floppy::read_track, true},
    {0x16, 0x1F, 8, &Floppy::verify, true},
    {0x0D, 0xBF, 5, &Floppy::format_track, true},
    {0x00, 0x00, 0, &Floppy::invalid, false},  // also PART ID, which came with the 82078
};

void Floppy::invalid() {
    log_.once(Topic::Floppy, "command {:02x}h is invalid", command_[0]);
    result({invalid_command});
}

void Floppy::specify() {
    step_rate_ = command_[1];
    head_load_ = command_[2];
    result({});
}

void Floppy::sense_drive() {
    u8 status = always_set | (command_[1] & 7);
    FloppyDrive* d = drive(unit());
    if (d && d->cylinder() == 0) status |= track_zero;
    if (d && d->write_protected()) status |= write_protected;
    result({status});
}

void Floppy::start_seek(u8 cylinder) {
    u8 number = unit();
    if (FloppyDrive* d = drive(number)) d->seek(cylinder);
    present_cylinder_[number] = cylinder;
    result({});
    seek_timers_[number].start_in(seek_time);
}

void Floppy::seek_done(u8 number) {
    // Without a drive the track 0 signal never comes.
    bool missing = !drive(number) && present_cylinder_[number] == 0;
    seek_status_[number] = static_cast<u8>(seek_end | number | (missing ? abnormal | equipment_check : 0));
    raise_interrupt();
}

void Floppy::recalibrate() { start_seek(0); }
void Floppy::seek() { start_seek(command_[2]); }

void Floppy::relative_seek() {
    bool inwards = command_[0] & 0x40;
    int to = present_cylinder_[unit()] + (inwards ? command_[2] : -command_[2]);
    start_seek(static_cast<u8>(std::clamp(to, 0, 255)));
}

void Floppy::sense_interrupt() {
    set_interrupt(false);
    if (reset_reports_ > 0) {
        u8 number = 4 - reset_reports_--;
        return result({static_cast<u8>(ready_changed | number), present_cylinder_[number]});
    }
    auto finished = std::find_if(seek_status_.begin(), seek_status_.end(), [](u8 status) { return status != 0; });
    if (finished == seek_status_.end()) return result({invalid_command});
    u8 status = *finished;
    *finished = 0;
    result({status, present_cylinder_[status & 3]});
    if (seek_pending()) set_interrupt(true);
}

void Floppy::dump_registers() {
    const auto& p = present_cylinder_;
    u8 modes = static_cast<u8>(locked_ << 7 | (perpendicular_ & 0x3F));
    result(
        {p[0], p[1], p[2], p[3], step_rate_, head_load_, last_end_of_track_, modes, configuration_, precompensation_});
}

void Floppy::version() { result({0x90}); }

void Floppy::configure() {
    configuration_ = command_[2];
    precompensation_ = command_[3];
    result({});
}

void Floppy::perpendicular() {
    perpendicular_ = command_[1] & 0x80 ? command_[1] & 0x3F : (perpendicular_ & 0x3C) | (command_[1] & 3);
    result({});
}

void Floppy::lock() {
    locked_ = command_[0] & 0x80;
    result({static_cast<u8>(locked_ << 4)});
}

void Floppy::transfer_result(Outcome outcome, SectorId id) {
    u8 st0 = static_cast<u8>(outcome.st0 | (command_[1] & 3) | (id.head & 1) << 2);
    result({st0, outcome.st1, outcome.st2, id.cylinder, id.head, id.sector, id.size});
    result_interrupt_ = true;
    raise_interrupt();
}

// Whether a disk turns under the head that can be read at the chosen rate (and written).
Floppy::Outcome Floppy::check_medium(bool writing) {
    FloppyDrive* d = drive(unit());
    if (!d || !d->has_medium() || !d->readable_at(rate_)) return {abnormal, missing_mark, 0};
    if (writing && d->write_protected()) return {abnormal, not_writable, 0};
    return {};
}

void Floppy::read_id() {
    Outcome outcome = check_medium(false);
    FloppyDrive* d = drive(unit());
    if (!outcome.failed() && !d->exists(head(), 1)) outcome = {abnormal, missing_mark, 0};
    if (outcome.failed()) return transfer_result(outcome, {present_cylinder_[unit()], head(), 1, 2});
    u8 sector = id_under_head_ % d->geometry().sectors + 1;
    id_under_head_ = sector;
    transfer_result(outcome, {d->cylinder(), head(), sector, 2});
}

bool Floppy::locate(SectorId id, Outcome& outcome) {
    FloppyDrive& d = *drive(unit());
    if (id.cylinder != d.cylinder()) {
        outcome = {abnormal, no_data, wrong_cylinder};
        return false;
    }
    if (id.size != 2 || id.head > 1 || !d.exists(id.head, id.sector)) {
        outcome = {abnormal, no_data, 0};
        return false;
    }
    return true;
}

// Moves one sector; `last` becomes true when terminal count ends the command after it.
bool Floppy::one_sector(SectorId id, bool write, bool through_dma, Outcome& outcome, bool& last) {
    std::array<u8, FloppyDrive::sector_size> bytes;
    FloppyDrive& d = *drive(unit());
    if (!locate(id, outcome)) return false;
    if (write) {
        Dma::Moved moved = dma_.from_memory(dma_channel, bytes);
        std::fill(bytes.begin() + moved.bytes, bytes.end(), 0);
        last = moved.terminal_count;
        if (moved.bytes == 0 || (moved.bytes < bytes.size() && !last))
            outcome = {abnormal, overrun, 0};
        else if (!d.write(id.head, id.sector, bytes))
            outcome = {abnormal, data_error, data_error_in_data};
    } else {
        if (!d.read(id.head, id.sector, bytes)) {
            outcome = {abnormal, data_error, data_error_in_data};
        } else if (through_dma) {
            Dma::Moved moved = dma_.to_memory(dma_channel, bytes);
            last = moved.terminal_count;
            if (moved.bytes < bytes.size() && !last) outcome = {abnormal, overrun, 0};
        }
    }
    return !outcome.failed();
}

// Goes on to the sector that follows; false at the end of the track, or of the cylinder with both heads (6.1.2).
bool Floppy::next_sector(SectorId& id) const {
    u8 end_of_track = command_[6];
    bool both_heads = command_[0] & multi_track;
    if (id.sector != end_of_track) {
        ++id.sector;
        return true;
    }
    id.sector = 1;
    if (both_heads && id.head == 0) {
        id.head = 1;
        return true;
    }
    ++id.cylinder;
    if (both_heads) id.head = 0;
    return false;
}

// Done whether or not CONFIGURE has asked for implied seeks: SeaBIOS reads without seeking first.
bool Floppy::seek_for_transfer(bool writing, SectorId id, Outcome& outcome) {
    last_end_of_track_ = command_[6];
    outcome = check_medium(writing);
    if (outcome.failed()) return false;
    drive(unit())->seek(id.cylinder);
    present_cylinder_[unit()] = id.cylinder;
    return true;
}

void Floppy::move_sectors(bool write, bool through_dma) {
    SectorId id{command_[2], command_[3], command_[4], command_[5]};
    bool limited = !through_dma && (command_[1] & 0x80), last = false;
    u8 left = command_[8];  // sectors to verify, when EC says that this is what the byte means
    Outcome outcome;
    if (!seek_for_transfer(write, id, outcome)) return transfer_result(outcome, id);
    while (one_sector(id, write, through_dma, outcome, last)) {
        if (limited && --left == 0) last = true;
        bool more = next_sector(id);
        if (last || (!more && !through_dma)) break;
        if (more) continue;
        outcome = {abnormal, end_of_cylinder, 0};
        break;
    }
    transfer_result(outcome, id);
}

// Reads from the first sector on, whatever the identification says.
void Floppy::read_track() {
    command_[4] = 1;
    command_[0] &= ~multi_track;
    read_sectors();
}

void Floppy::verify() { move_sectors(false, false); }

// The host gives the four bytes of each sector's identification; all sectors get the filler byte.
void Floppy::format_track() {
    if (without_dma()) return begin_format_bytes();
    u8 size = command_[2], count = command_[3], filler = command_[5];
    SectorId id{present_cylinder_[unit()], head(), 1, size};
    Outcome outcome = check_medium(true);
    std::array<u8, FloppyDrive::sector_size> bytes;
    bytes.fill(filler);
    for (u8 i = 0; i < count && !outcome.failed(); ++i) {
        std::array<u8, 4> given;
        Dma::Moved moved = dma_.from_memory(dma_channel, given);
        if (moved.bytes < given.size()) {
            outcome = {abnormal, overrun, 0};
            break;
        }
        id = {given[0], given[1], given[2], given[3]};
        if (!locate(id, outcome)) break;
        if (!drive(unit())->write(id.head, id.sector, bytes)) outcome = {abnormal, data_error, data_error_in_data};
    }
    transfer_result(outcome, id);
}

}  // namespace vellum
