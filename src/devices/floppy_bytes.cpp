// Transfers without DMA: the host polls the main status register, or takes an interrupt for each byte (or for as many
// as the FIFO's threshold says), and moves the data itself (82077AA datasheet, 5.2.1 and 6.1.1). Without DMA there is
// no terminal count either: a transfer ends behind the last sector of its track, as one that ran past the end.
#include <algorithm>

#include "devices/floppy.hpp"
#include "devices/floppy_status.hpp"

namespace vellum {

using namespace floppy_status;

namespace {

constexpr u16 identification_size = 4;
constexpr u8 fifo_off = 0x20, fifo_threshold = 0x0F;  // configuration

}  // namespace

void Floppy::ByteTransfer::serialize(Archive& a) {
    a(active, to_host, id.cylinder, id.head, id.sector, id.size, position, unit_size, units_left, unit);
    bool fits = (unit_size == identification_size || unit_size == unit.size()) && position < unit_size;
    if (active && !fits) {
        active = false;
        a.refuse();
    }
}

void Floppy::begin_bytes(bool to_host) {
    SectorId id{command_[2], command_[3], command_[4], command_[5]};
    Outcome outcome;
    if (!seek_for_transfer(!to_host, id, outcome)) return transfer_result(outcome, id);
    bytes_ = ByteTransfer{.active = true, .to_host = to_host, .id = id, .unit_size = FloppyDrive::sector_size};
    prepare_unit();
}

void Floppy::begin_format_bytes() {
    SectorId id{present_cylinder_[unit()], head(), 1, command_[2]};
    Outcome outcome = check_medium(true);
    if (outcome.failed() || command_[3] == 0) return transfer_result(outcome, id);
    bytes_ = ByteTransfer{.active = true, .id = id, .unit_size = identification_size, .units_left = command_[3]};
    set_interrupt(true);
}

// Finds the next sector and, when it is to be read, its data. The disk may have been taken out since the last one.
void Floppy::prepare_unit() {
    bytes_.position = 0;
    Outcome outcome = check_medium(!bytes_.to_host);
    bool found = !outcome.failed() && locate(bytes_.id, outcome);
    if (found && bytes_.to_host && !drive(unit())->read(bytes_.id.head, bytes_.id.sector, bytes_.unit))
        outcome = {abnormal, data_error, data_error_in_data};
    if (!outcome.failed()) return set_interrupt(true);
    bytes_.active = false;
    transfer_result(outcome, bytes_.id);
}

// With the FIFO on, one interrupt stands for as many bytes as its threshold says.
void Floppy::byte_moved() {
    set_interrupt(false);
    if (++bytes_.position == bytes_.unit_size) return bytes_.units_left ? format_unit_done() : unit_done();
    u32 in_a_row = configuration_ & fifo_off ? 1 : (configuration_ & fifo_threshold) + 1u;
    if (bytes_.position % in_a_row == 0) set_interrupt(true);
}

void Floppy::unit_done() {
    Outcome outcome;
    SectorId& id = bytes_.id;
    if (!bytes_.to_host) {
        outcome = check_medium(true);
        if (!outcome.failed() && locate(id, outcome) && !drive(unit())->write(id.head, id.sector, bytes_.unit))
            outcome = {abnormal, data_error, data_error_in_data};
    }
    if (!outcome.failed()) {
        if (next_sector(id)) return prepare_unit();
        outcome = {abnormal, end_of_cylinder, 0};
    }
    bytes_.active = false;
    transfer_result(outcome, id);
}

void Floppy::format_unit_done() {
    SectorId& id = bytes_.id;
    id = {bytes_.unit[0], bytes_.unit[1], bytes_.unit[2], bytes_.unit[3]};
    std::array<u8, FloppyDrive::sector_size> filler;
    filler.fill(command_[5]);
    Outcome outcome = check_medium(true);
    if (!outcome.failed() && locate(id, outcome) && !drive(unit())->write(id.head, id.sector, filler))
        outcome = {abnormal, data_error, data_error_in_data};
    bytes_.position = 0;
    if (!outcome.failed() && --bytes_.units_left) return set_interrupt(true);
    bytes_.active = false;
    transfer_result(outcome, id);
}

}  // namespace vellum
