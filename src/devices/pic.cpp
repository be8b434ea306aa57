// Priorities, initialization and command words of the 8259A.
#include "devices/pic.hpp"

namespace vellum {

namespace {
constexpr u8 cascade = 2;

constexpr u8 bit(u8 line) { return static_cast<u8>(1u << line); }
}  // namespace

PicPair::PicPair(Bus& ports, Log& log, OnOutput on_output)
    : log_{log},
      on_output_{std::move(on_output)},
      master_ports_{[this](u32 offset, u8) { return read(master_, offset); },
                    [this](u32 offset, u8, u32 value) { write(master_, offset, static_cast<u8>(value)); }},
      slave_ports_{[this](u32 offset, u8) { return read(slave_, offset); },
                   [this](u32 offset, u8, u32 value) { write(slave_, offset, static_cast<u8>(value)); }},
      elcr_ports_{[this](u32 offset, u8) { return (offset == 0 ? master_ : slave_).elcr; },
                  [this](u32 offset, u8, u32 value) {
                      (offset == 0 ? master_ : slave_).set_elcr(static_cast<u8>(value));
                      update();
                  }} {
    // IRQ 0, 1, 2, 8 and 13 are always edge triggered (PIIX3 datasheet, ELCR1 and ELCR2).
    master_.level_capable = 0xF8;
    slave_.level_capable = 0xDE;
    master_.is_master = true;
    ports.claim("pic master", 0x20, 2, master_ports_, Bus::Width::Bytes);
    ports.claim("pic slave", 0xA0, 2, slave_ports_, Bus::Width::Bytes);
    ports.claim("pic elcr", 0x4D0, 2, elcr_ports_, Bus::Width::Bytes);
}

void PicPair::reset() {
    for (Chip* chip : {&master_, &slave_}) {
        Chip fresh;
        fresh.level_capable = chip->level_capable;
        fresh.is_master = chip->is_master;
        fresh.lines = chip->lines;  // wires keep what their devices put on them
        *chip = fresh;
    }
    update();
}

void PicPair::serialize(Archive& a) {
    a.section("pic", 1);
    a(master_, slave_);
    if (!a.loading()) return;
    output_ = master_.request().has_value();
    on_output_(output_);
}

void PicPair::Chip::serialize(Archive& a) {
    a(lines, irr, isr, imr, elcr, vector_base, lowest_priority, expecting, wants_icw4, single, auto_eoi,
      rotate_on_auto_eoi, special_mask, special_fully_nested, read_isr, poll);
    lowest_priority &= 7;
}

void PicPair::set_irq(u8 number, bool level) {
    if (number > 15 || number == cascade) return;
    (number < 8 ? master_ : slave_).set_line(number & 7, level);
    update();
}

u8 PicPair::acknowledge() {
    // With no request left the chip answers as line 7 and sets no in-service bit (8259A, "Edge and level modes").
    u8 line = 7;
    Chip* chip = &master_;
    if (auto requested = master_.request()) {
        line = *requested;
        master_.accept(line);
        if (line == cascade && !master_.single) {
            chip = &slave_;
            auto from_slave = slave_.request();
            line = from_slave.value_or(7);
            if (from_slave) slave_.accept(line);
        }
    }
    update();
    return static_cast<u8>(chip->vector_base | line);
}

void PicPair::update() {
    // The slave's output drops during INTA and rises again for a further request: a new edge for the master. Once
    // latched there it stays, though the slave's request may be taken back: that is a spurious IRQ15.
    if (slave_.request()) master_.irr |= bit(cascade);
    bool output = master_.request().has_value();
    if (output == output_) return;
    output_ = output;
    on_output_(output);
}

u8 PicPair::read(Chip& chip, u32 offset) {
    if (chip.poll) {
        // The read stands for the INTA cycles (8259A, "Poll command").
        chip.poll = false;
        auto line = chip.request();
        if (!line) return 0;
        chip.accept(*line);
        if (&chip == &slave_) master_.irr &= static_cast<u8>(~bit(cascade));
        update();
        return static_cast<u8>(0x80 | *line);
    }
    if (offset == 1) return chip.imr;
    return chip.read_isr ? chip.isr : chip.irr;
}

void PicPair::write(Chip& chip, u32 offset, u8 value) {
    if (offset == 1) {
        chip.write_icw(value);
    } else if (value & 0x10) {
        log_(Topic::Irq, "pic {}: ICW1 {:02x}", chip.is_master ? "master" : "slave", value);
        chip.begin_initialization(value);
    } else if (value & 0x08) {
        chip.write_ocw3(value);
    } else {
        chip.write_ocw2(value);
    }
    update();
}

void PicPair::Chip::set_line(u8 line, bool level) {
    const u8 mask = bit(line);
    const bool rises = level && !(lines & mask);
    lines = static_cast<u8>(level ? lines | mask : lines & ~mask);
    if (elcr & mask)
        irr = static_cast<u8>((irr & ~mask) | (lines & mask));
    else if (rises)
        irr |= mask;
    else if (!level)
        // A request must stay high until it is acknowledged: what its device takes back is no longer there to be
        // delivered (8259A, "Edge and level triggered modes").
        irr &= static_cast<u8>(~mask);
}

void PicPair::Chip::set_elcr(u8 value) {
    const u8 changed = elcr ^ (value & level_capable);
    elcr = value & level_capable;
    // A line that becomes level triggered requests while it is high; one that becomes edge triggered waits for an edge.
    irr = static_cast<u8>((irr & ~changed) | (lines & elcr & changed));
}

void PicPair::Chip::begin_initialization(u8 icw1) {
    // 8259A, "Initialization command words": IMR, edge detectors, priorities and modes are cleared. The PIIX3 has no
    // use for LTIM; the ELCR decides.
    imr = 0;
    isr = 0;
    irr = lines & elcr;
    lowest_priority = 7;
    special_mask = read_isr = poll = false;
    auto_eoi = rotate_on_auto_eoi = special_fully_nested = false;
    wants_icw4 = icw1 & 0x01;
    single = icw1 & 0x02;
    expecting = Expecting::Icw2;
}

void PicPair::Chip::write_icw(u8 value) {
    switch (expecting) {
        case Expecting::Icw2:
            vector_base = value & 0xF8;
            expecting = !single ? Expecting::Icw3 : wants_icw4 ? Expecting::Icw4 : Expecting::Nothing;
            break;
        case Expecting::Icw3:  // how the two chips are wired: here the board decides
            expecting = wants_icw4 ? Expecting::Icw4 : Expecting::Nothing;
            break;
        case Expecting::Icw4:
            auto_eoi = value & 0x02;
            special_fully_nested = value & 0x10;
            expecting = Expecting::Nothing;
            break;
        default: imr = value;  // OCW1
    }
}

void PicPair::Chip::write_ocw2(u8 value) {
    const bool rotate = value & 0x80, specific = value & 0x40, eoi = value & 0x20;
    const u8 level = value & 7;
    if (!eoi) {
        if (rotate && specific) lowest_priority = level;
        if (!specific) rotate_on_auto_eoi = rotate;
        return;
    }
    // In special mask mode a non-specific EOI passes over lines that are masked (8259A, "End of interrupt").
    auto done = specific ? std::optional<u8>{level} : first_of(special_mask ? isr & ~imr : isr);
    if (!done) return;
    isr &= static_cast<u8>(~bit(*done));
    if (rotate) lowest_priority = *done;
}

void PicPair::Chip::write_ocw3(u8 value) {
    if (value & 0x40) special_mask = value & 0x20;
    if (value & 0x02) read_isr = value & 0x01;
    poll = value & 0x04;
}

std::optional<u8> PicPair::Chip::first_of(u8 bits) const {
    for (u8 rank = 1; rank <= 8; ++rank) {
        const u8 line = (lowest_priority + rank) & 7;
        if (bits & bit(line)) return line;
    }
    return std::nullopt;
}

std::optional<u8> PicPair::Chip::request() const {
    u8 in_service = isr;
    if (special_mask) in_service &= static_cast<u8>(~imr);
    // A slave in service does not lock out its own higher lines (8259A, "Special fully nested mode").
    if (special_fully_nested && is_master) in_service &= static_cast<u8>(~bit(cascade));
    const u8 requests = irr & ~imr;
    auto wanted = first_of(requests);
    if (!wanted || (in_service & bit(*wanted))) return std::nullopt;
    // Strictly above everything in service?
    return first_of(requests | in_service) == wanted ? wanted : std::nullopt;
}

void PicPair::Chip::accept(u8 line) {
    if (!(elcr & bit(line))) irr &= static_cast<u8>(~bit(line));
    if (!auto_eoi)
        isr |= bit(line);
    else if (rotate_on_auto_eoi)
        lowest_priority = line;
}

}  // namespace vellum
