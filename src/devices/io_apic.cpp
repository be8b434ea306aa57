// Redirection table and delivery of the I/O APIC.
#include "devices/io_apic.hpp"

namespace vellum {

namespace {
enum : u32 { window_select = 0x00, window_data = 0x10, window_eoi = 0x40 };
enum : u8 { reg_id = 0, reg_version = 1, reg_arbitration = 2, reg_table = 0x10 };
constexpr u32 version = 0x20 | (IoApic::pin_count - 1) << 16;

// 63-56 destination, 16 mask, 15 level, 14 remote IRR, 13 polarity, 12 delivery status, 11 logical, 10-8 mode,
// 7-0 vector
constexpr u64 entry_masked = 0x10000, entry_level = 0x8000, entry_remote_irr = 0x4000, entry_logical = 0x800;
constexpr u64 entry_writable = 0xFF00'0000'0001'AFFF;
}  // namespace

IoApic::IoApic(Bus& mmio, LocalApic& local_apic, Log& log) : local_apic_{local_apic}, log_{log} {
    entries_.fill(entry_masked);
    mmio.claim("io apic", address, 0x1000, *this);
}

void IoApic::reset() {
    entries_.fill(entry_masked);  // lines keep what their devices put on them
    select_ = id_ = 0;
}

void IoApic::serialize(Archive& a) {
    a.section("io apic", 1);
    a(entries_, lines_, select_, id_);
}

u32 IoApic::read(u32 offset, u8 size) {
    const u32 shift = 8 * (offset & 3);
    if ((offset & 3) + size > 4) return 0;
    switch (offset & ~3u) {
        case window_select: return select_ >> shift;
        case window_data: return read_indirect() >> shift;
        default: return 0;
    }
}

void IoApic::write(u32 offset, u8 size, u32 value) {
    if (offset == window_select) {
        select_ = static_cast<u8>(value);
    } else if (offset == window_data && size == 4) {
        write_indirect(value);
    } else if (offset == window_eoi) {
        end_of_interrupt(static_cast<u8>(value));
    } else {
        log_.once(Topic::Irq, "io apic: {}-byte write at {:03x} ignored", size, offset);
    }
}

u32 IoApic::read_indirect() const {
    if (select_ == reg_id || select_ == reg_arbitration) return u32{id_} << 24;
    if (select_ == reg_version) return version;
    const u32 index = select_ - reg_table;
    if (select_ < reg_table || index >= 2 * pin_count) return 0;
    return static_cast<u32>(entries_[index / 2] >> (index % 2 * 32));
}

void IoApic::write_indirect(u32 value) {
    if (select_ == reg_id) {
        id_ = (value >> 24) & 0x0F;
        return;
    }
    const u32 index = select_ - reg_table;
    if (select_ < reg_table || index >= 2 * pin_count) return;
    write_entry(static_cast<u8>(index / 2), index % 2 != 0, value);
}

void IoApic::write_entry(u8 pin, bool high, u32 value) {
    u64& entry = entries_[pin];
    const u32 shift = high ? 32 : 0;
    const u64 writable = entry_writable & (u64{0xFFFFFFFF} << shift);
    entry = (entry & ~writable) | (u64{value} << shift & writable);
    // Software ends a stuck level interrupt by making the pin edge triggered for a moment.
    if (!(entry & entry_level)) entry &= ~entry_remote_irr;
    serve_level(pin);
}

void IoApic::set_irq(u8 pin, bool level) {
    if (pin >= pin_count) return;
    const u32 bit = 1u << pin;
    const bool rises = level && !(lines_ & bit);
    lines_ = level ? lines_ | bit : lines_ & ~bit;
    if (entries_[pin] & entry_level)
        serve_level(pin);
    else if (rises && !(entries_[pin] & entry_masked))
        deliver(pin);  // an edge on a masked pin is lost (82093AA, "Interrupt mask")
}

// A level interrupt is sent once and again only after its EOI, while the line is asserted.
void IoApic::serve_level(u8 pin) {
    u64& entry = entries_[pin];
    if (!(entry & entry_level) || (entry & (entry_masked | entry_remote_irr)) || !(lines_ >> pin & 1)) return;
    const auto mode = static_cast<DeliveryMode>((entry >> 8) & 7);
    const bool waits_for_eoi = mode == DeliveryMode::Fixed || mode == DeliveryMode::LowestPriority;
    if (deliver(pin) && waits_for_eoi) entry |= entry_remote_irr;
}

bool IoApic::deliver(u8 pin) {
    const u64 entry = entries_[pin];
    const u8 destination = static_cast<u8>(entry >> 56);
    if (!local_apic_.matches(destination, entry & entry_logical)) {
        log_.once(Topic::Irq, "io apic: pin {} addresses no processor ({:02x})", pin, destination);
        return false;
    }
    return local_apic_.deliver(static_cast<u8>(entry), entry & entry_level,
                               static_cast<DeliveryMode>((entry >> 8) & 7));
}

void IoApic::end_of_interrupt(u8 vector) {
    for (u8 pin = 0; pin < pin_count; ++pin) {
        u64& entry = entries_[pin];
        if (!(entry & entry_remote_irr) || static_cast<u8>(entry) != vector) continue;
        entry &= ~entry_remote_irr;
        serve_level(pin);
    }
}

}  // namespace vellum
