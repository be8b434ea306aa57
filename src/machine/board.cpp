// The board at work: memory map, interrupts, events, and the processor's questions.
#include "machine/board.hpp"

#include <algorithm>
#include <cstring>
#include <utility>

#include "base/host_error.hpp"
#include "devices/vga_draw.hpp"
#include "machine/board_chips.hpp"

namespace vellum {

namespace {

constexpr u64 vram_bytes = u64{16} << 20;
constexpr u32 shadow_base = 0xC0000, shadow_end = 0x100000, shadow_unit = 0x4000;
constexpr u32 low_rom_bytes = 0x20000;  // the firmware's last 128 KiB also appear below 1 MiB
constexpr u32 legacy_video = 0xA0000;

constexpr u64 round_up(u64 bytes, u64 unit) { return (bytes + unit - 1) / unit * unit; }

}  // namespace

// Storage: RAM, then the firmware, then the screen memory.
Board::Board(const MachineConfig& config, BoardParts parts, Log& log)
    : log_{log},
      ram_bytes_{config.memory_bytes},
      firmware_{parts.firmware},
      memory_{config.memory_bytes + round_up(parts.firmware.bios.size(), page_size) + vram_bytes},
      cpu_{state_, memory_, *this, log, config.features},
      clock_{config.clock, state_, parts.host_time},
      shadow_writable_((shadow_end - shadow_base) / shadow_unit) {
    scheduler_.set_time_source(&clock_);
    std::span<u8> storage = memory_.backing().bytes();
    std::copy(firmware_.bios.begin(), firmware_.bios.end(), storage.begin() + static_cast<std::ptrdiff_t>(ram_bytes_));
    BoardHooks hooks{
        .interrupt_changed = [this] { update_interrupt(); },
        .non_maskable_interrupt = [this] { cpu_.attention.raise(Attention::Nmi); },
        .a20_from_keyboard = [this](bool on) { set_a20(on); },
        .a20_from_port92 = [this](bool on) { set_a20(on); },
        .a20 = [this] { return a20_; },
        .reset = [this] { request(&BoardEvents::reset); },
        .power_off = [this] { request(&BoardEvents::power_off); },
        .debug_exit =
            [this](u32 value) {
                events_.debug_exit = value;
                cpu_.attention.raise(Attention::Stop);
            },
        .shadow = [this](u32 first, u32 size, bool read, bool write) { shadow(first, size, read, write); },
        .framebuffer = [this](std::optional<u32> base) { move_framebuffer(base); },
    };
    map_memory();
    chips_ = std::make_unique<Chips>(ports_, mmio_, scheduler_, memory_, storage.last(vram_bytes), log, config, parts,
                                     std::move(hooks));
    devices_ = chips_->all();
    tell_unclaimed(log);
    note_descriptors();
    set_cmos(config);
    fill_fw_cfg();
    reset();
}

Board::~Board() = default;

// What a guest looks for and does not find: ports one by one, memory by pages.
void Board::tell_unclaimed(Log& log) {
    if (log.wants(Topic::Ports))
        ports_.on_unclaimed([&log](u32 port, u8 size, bool write) {
            log.once(Topic::Ports, "{} of {} byte{} at port {:04X}h: nobody is there", write ? "write" : "read", size,
                     size == 1 ? "" : "s", port);
        });
    if (log.wants(Topic::Memory))
        mmio_.on_unclaimed([&log](u32 address, u8, bool write) {
            log.once(Topic::Memory, "{} in the page of address {:08X}h: nobody is there", write ? "write" : "read",
                     address & ~u32{page_size - 1});
        });
}

void Board::map_memory() {
    u64 bios_bytes = round_up(firmware_.bios.size(), page_size);
    memory_.map(Physical{0}, std::min<u64>(ram_bytes_, legacy_video), 0, true, true);
    if (ram_bytes_ > shadow_end) memory_.map(Physical{shadow_end}, ram_bytes_ - shadow_end, shadow_end, true, true);
    memory_.map(Physical{(u64{1} << 32) - bios_bytes}, bios_bytes, ram_bytes_, true, false);
    shadow(shadow_base, shadow_end - shadow_base, false, false);
}

// Reads come from RAM, or from the firmware's copy (nothing below its last 128 KiB); writes go to RAM or nowhere. A
// page that reads the ROM and writes the RAM below it cannot be mapped as one: write_mmio does such writes.
void Board::shadow(u32 first, u32 size, bool read_ram, bool write_ram) {
    u64 bios_end = ram_bytes_ + firmware_.bios.size();
    for (u32 at = first; at < first + size; at += shadow_unit) {
        shadow_writable_[(at - shadow_base) / shadow_unit] = !read_ram && write_ram;
        if (read_ram && at < ram_bytes_)
            memory_.map(Physical{at}, shadow_unit, at, true, write_ram);
        else if (at >= shadow_end - std::min<u64>(low_rom_bytes, firmware_.bios.size()))
            memory_.map(Physical{at}, shadow_unit, bios_end - (shadow_end - at), true, false);
        else
            memory_.unmap(Physical{at}, shadow_unit);
    }
}

void Board::move_framebuffer(std::optional<u32> base) {
    if (framebuffer_) memory_.unmap(Physical{*framebuffer_}, vram_bytes);
    framebuffer_.reset();
    // A guest may put the BAR over its own RAM; the RAM wins, as the host bridge claims those cycles.
    if (!base || *base < ram_bytes_ || u64{*base} + vram_bytes > (u64{1} << 32) - firmware_.bios.size()) return;
    framebuffer_ = base;
    memory_.map(Physical{*base}, vram_bytes, memory_.backing().bytes().size() - vram_bytes, true, true);
}

// The keyboard controller and port 92h move one gate, and the last one wins: SeaBIOS opens it through port 92h and
// leaves it so, and DOS memory managers then close it through the keyboard controller.
void Board::set_a20(bool open) {
    a20_ = open;
    u64 mask = open ? ~u64{0} : ~(u64{1} << 20);
    if (mask == state_.a20_mask) return;
    state_.a20_mask = mask;
    cpu_.mmu.flush();
    request(&BoardEvents::physical_map_replaced);
}

void Board::request(bool BoardEvents::*what) {
    events_.*what = true;
    cpu_.attention.raise(Attention::Stop);
}

BoardEvents Board::take_events() {
    if (mirror_) mirror_->take_events();
    return std::exchange(events_, BoardEvents{});
}

void Board::reset() {
    if (mirror_) mirror_->reset();
    for (Device* device : devices_) device->reset();
    a20_ = true;
    vellum::reset(state_);
    cpu_.mmu.flush();
    update_interrupt();
    events_ = BoardEvents{};
}

void Board::serialize(Archive& archive) {
    archive.section("board", 1);
    vellum::serialize(state_, archive);
    bool nmi = cpu_.attention.reasons() & Attention::Nmi;
    archive(clock_, scheduler_, a20_, nmi, chips_->isa);
    if (archive.loading() && scheduler_.now() > clock_.guest_time()) archive.refuse();
    for (Device* device : devices_) {
        archive.section(device->name(), 1);
        device->serialize(archive);
    }
    if (!archive.loading()) return;
    if (a20_ != (state_.a20_mask == ~u64{0})) archive.refuse();
    cpu_.mmu.flush();
    if (nmi)
        cpu_.attention.raise(Attention::Nmi);
    else
        cpu_.attention.clear(Attention::Nmi);
    update_interrupt();
    events_ = BoardEvents{};
}

// The mirror first: a timer of the world outside (a script that types) gives to both what they are to have now.
void Board::advance() {
    OccupationScope scope = at_devices();
    if (mirror_) mirror_->advance();
    scheduler_.advance_to(clock_.guest_time());
}

void Board::skip_to(Nanoseconds time) {
    if (mirror_) mirror_->skip_to(time);
    clock_.skip_to(time);
}

// --- interrupts

// The PIC's request reaches the processor only through the local APIC (SDM 3A 11.5.1, LINT0 in ExtINT mode) or while
// that is switched off.
bool Board::interrupt_pending() const {
    return chips_->local_apic.interrupt_requested() ||
           (chips_->local_apic.accepts_pic() && chips_->pic.interrupt_requested());
}

u8 Board::acknowledge_interrupt() {
    bool from_apic = chips_->local_apic.interrupt_requested();
    u8 vector = from_apic ? chips_->local_apic.acknowledge() : chips_->pic.acknowledge();
    update_interrupt();
    return vector;
}

void Board::update_interrupt() {
    if (!chips_) return;
    if (interrupt_pending())
        cpu_.attention.raise(Attention::Interrupt);
    else
        cpu_.attention.clear(Attention::Interrupt);
}

Nanoseconds Board::guest_time() {
    OccupationScope scope = at_devices();
    return clock_.guest_time();
}
void Board::spin() {
    if (clock_.kind() == ClockKind::Instructions) return;
    Nanoseconds now = clock_.guest_time();
    if (!spins_.note_pause(state_.eip, now)) return;
    clock_.run_ahead(SpinWatch::pause_time);
    if (clock_.ahead() >= SpinWatch::most_ahead || now + SpinWatch::pause_time >= known_deadline_)
        cpu_.attention.raise(Attention::Stop);
}

void Board::catch_up(Nanoseconds slept) {
    clock_.catch_up(slept);
    spins_.wake(clock_.guest_time());
}

u64 Board::apic_base() const { return chips_->local_apic.base(); }
void Board::set_apic_base(u64 value) {
    chips_->local_apic.set_base(value);
    update_interrupt();
}
void Board::set_ferr(bool asserted) { chips_->coprocessor_error.set_ferr(asserted); }
bool Board::ignne() const { return chips_->coprocessor_error.ignne(); }

// --- buses. Time is brought up to date first, so that a chip that is looked at has seen all its timers fire.

u32 Board::read_port(u16 port, u8 size) {
    OccupationScope scope = at_devices();
    if (ports_.timeless(port, size)) return ports_.read(port, size);
    scheduler_.advance_to(clock_.guest_time());
    u32 value = ports_.read(port, size);
    deadline_may_have_moved();
    return value;
}

void Board::write_port(u16 port, u8 size, u32 value) {
    OccupationScope scope = at_devices();
    if (ports_.timeless(port, size)) return ports_.write(port, size, value);
    scheduler_.advance_to(clock_.guest_time());
    ports_.write(port, size, value);
    deadline_may_have_moved();
}

u32 Board::read_mmio(Physical address, u8 size) {
    OccupationScope scope = at_devices();
    if (raw(address) >> 32) return open_bus(size);
    u32 at = static_cast<u32>(raw(address));
    if (at >= 0xC0000) scheduler_.advance_to(clock_.guest_time());
    u32 value = mmio_.read(at, size);
    deadline_may_have_moved();
    return value;
}

void Board::write_mmio(Physical address, u8 size, u32 value) {
    OccupationScope scope = at_devices();
    if (raw(address) >> 32) return;
    u32 at = static_cast<u32>(raw(address));
    if (at >= shadow_base && at < shadow_end) {
        if (shadow_writable_[(at - shadow_base) / shadow_unit] && at + size <= ram_bytes_)
            std::memcpy(memory_.backing().bytes().data() + at, &value, size);
        return;
    }
    if (at >= shadow_end) scheduler_.advance_to(clock_.guest_time());
    mmio_.write(at, size, value);
    update_interrupt();  // a write to LINT0 opens or closes the way of the PIC's request
    deadline_may_have_moved();
}

void Board::deadline_may_have_moved() {
    Nanoseconds next = scheduler_.next_deadline();
    if (next < known_deadline_ && on_deadline_moved) on_deadline_moved();
    known_deadline_ = next;
}

// --- people

void Board::key(KeyEvent event) {
    chips_->keyboard.key(event);
    if (mirror_) mirror_->key(event);
}
bool Board::keyboard_idle() const { return chips_->keyboard.idle(); }
bool Board::keyboard_has_room() const { return chips_->keyboard.has_room(); }
void Board::mouse(MouseEvent event) {
    chips_->mouse.move(event);
    if (mirror_) mirror_->mouse(event);
}
void Board::press_power_button() {
    chips_->acpi.press_power_button();
    if (mirror_) mirror_->press_power_button();
}
bool Board::can_receive(u32 port) const { return chips_->serial[port]->can_receive(); }
void Board::receive(u32 port, u8 byte) {
    chips_->serial[port]->receive(byte);
    if (mirror_) mirror_->receive(port, byte);
}
void Board::finish_sending() {
    for (auto& serial : chips_->serial) serial->finish_sending();
    if (mirror_) mirror_->finish_sending();
}
void Board::change_cd(const OpenMedium& open) {
    if (!chips_->cd) throw UsageError("there is no CD drive: --hdc took its place");
    auto medium = open();
    if (mirror_) mirror_->change_cd(open);
    chips_->cd->change_medium(std::move(medium));
}
void Board::change_floppy(u32 drive, const OpenMedium& open) {
    auto medium = open();
    if (mirror_) mirror_->change_floppy(drive, open);
    chips_->floppy.change_medium(static_cast<u8>(drive), std::move(medium));
    note_descriptors();
}
bool Board::update_picture(Picture& picture) {
    OccupationScope scope = at_devices();
    return chips_->screen.update(clock_.guest_time(), picture);
}
Picture Board::screenshot() {
    Picture picture;
    draw(VgaView{chips_->vga.registers(), chips_->vga.memory(), clock_.guest_time()}, picture);
    return picture;
}
bool Board::update_text(TextScreen& screen) { return chips_->screen.update(clock_.guest_time(), screen); }
void Board::note_descriptors() {
    DrivePlaces places = drives();
    for (std::size_t i = 0; i < drive_places; ++i)
        image_descriptors_[i] = places[i].medium ? places[i].medium->descriptor() : -1;
}
void Board::flush_by_descriptor() const {
    for (const std::atomic<int>& descriptor : image_descriptors_)
        if (int number = descriptor; number >= 0) flush_descriptor(number);
}
bool Board::flush_disks() {
    bool all = true;
    for (DrivePlace& place : drives())
        if (place.medium) all &= place.medium->flush();
    return all;
}

}  // namespace vellum
