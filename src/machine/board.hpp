// The i440FX/PIIX3 board: the only code that knows which chip sits at which port and line. It answers the processor
// (Outside) and wires the chips; it does not run anything (machine.hpp does).
#pragma once

#include <array>
#include <atomic>
#include <memory>
#include <optional>
#include <vector>

#include "base/log.hpp"
#include "base/scheduler.hpp"
#include "cpu/cpu.hpp"
#include "cpu/guest_memory.hpp"
#include "devices/block_backend.hpp"
#include "devices/bus.hpp"
#include "devices/byte_sink.hpp"
#include "devices/device.hpp"
#include "devices/input.hpp"
#include "devices/picture.hpp"
#include "machine/config.hpp"
#include "machine/firmware.hpp"
#include "machine/guest_clock.hpp"
#include "machine/spin_watch.hpp"

namespace vellum {

// What the world outside gives to a board. Sinks and images are owned by the board from then on.
struct BoardParts {
    std::unique_ptr<ByteSink> serial[2];        // null: nothing is connected
    std::unique_ptr<ByteSink> debug_console;    // null: the ports are not there
    std::unique_ptr<BlockBackend> disks[4];     // null: no drive
    std::unique_ptr<BlockBackend> floppies[2];  // null: an empty drive
    std::unique_ptr<BlockBackend> cd;           // null: an empty CD drive in place of the third disk, if that is null
    bool second_floppy_drive = false;           // there is one, although it is empty
    Firmware firmware;
    std::function<Nanoseconds()> host_time;
    u64 start_seconds = 0;                     // what the real-time clock shows at guest time 0
    std::function<void()> on_serial_ready[2];  // the guest made room for input
};

// A place for a drive, and what is in it.
struct DrivePlace {
    const char* option;
    bool drive = false;
    BlockBackend* medium = nullptr;
};
constexpr std::size_t drive_places = 7;
using DrivePlaces = std::array<DrivePlace, drive_places>;

// Where the board will put them.
DrivePlaces drives_of(const BoardParts& parts);

// Things the guest did that end or restart the machine.
struct BoardEvents {
    bool reset = false;
    bool power_off = false;
    bool physical_map_replaced = false;  // A20 changed: engines must forget
    std::optional<u32> debug_exit;
    bool operator==(const BoardEvents&) const = default;
};

// Opens a medium to put into a drive; null: the drive is to be empty.
using OpenMedium = std::function<std::unique_ptr<BlockBackend>()>;

class Board final : public Outside {
 public:
    Board(const MachineConfig& config, BoardParts parts, Log& log);
    ~Board();

    CpuState& state() { return state_; }
    Cpu& cpu() { return cpu_; }
    Scheduler& scheduler() { return scheduler_; }
    GuestClock& clock() { return clock_; }
    GuestMemory& memory() { return memory_; }
    std::span<u8> ram() { return memory_.backing().bytes().first(ram_bytes_); }
    const Firmware& firmware() const { return firmware_; }
    DrivePlaces drives();

    void reset();  // the mirror too
    // All but RAM and what is on the disks. After loading, engines must forget what they derived from the old state.
    void serialize(Archive& archive);
    // Fires the timers that are due.
    void advance();
    // Guest time was ahead of the host's, which has slept for `slept` since somebody last asked for either.
    void catch_up(Nanoseconds slept);
    // Instruction clock: an idle processor jumps to the next event.
    void skip_to(Nanoseconds time);
    // The next event's time, which whoever asks is going to tell the engine; see on_deadline_moved.
    Nanoseconds announced_deadline() { return known_deadline_ = scheduler_.next_deadline(); }
    BoardEvents take_events();
    const BoardEvents& events() const { return events_; }
    bool has_events() const { return events_ != BoardEvents{}; }
    // Lockstep: what a person or the machine does to this board is done to that one too.
    void set_mirror(Board* mirror) { mirror_ = mirror; }
    // Called on the vCPU thread whenever an event may have moved to an earlier time than the engine was told.
    std::function<void()> on_deadline_moved;

    // --- what a person does; vCPU thread
    void key(KeyEvent event);
    bool keyboard_idle() const;      // all that was typed has been read
    bool keyboard_has_room() const;  // one more event will not be lost
    void mouse(MouseEvent event);
    void press_power_button();
    bool can_receive(u32 serial_port) const;
    void receive(u32 serial_port, u8 byte);
    void finish_sending();  // at the end of a run: what waits in the serial ports reaches their far ends
    // `open` is called once, and once more for the mirror; when it throws, nothing has changed.
    void change_cd(const OpenMedium& open);
    void change_floppy(u32 drive, const OpenMedium& open);
    // Bring what the last call left up to date; false when nothing changed.
    bool update_picture(Picture& picture);
    Picture screenshot();  // the screen as it is now
    bool update_text(TextScreen& screen);
    bool flush_disks();
    // The same for who cannot wait for the vCPU thread: only the host is asked, and no state of a drive is looked at.
    void flush_by_descriptor() const;  // false: the host failed

    // --- Outside
    u32 read_port(u16 port, u8 size) override;
    void write_port(u16 port, u8 size, u32 value) override;
    u32 read_mmio(Physical address, u8 size) override;
    void write_mmio(Physical address, u8 size, u32 value) override;
    bool interrupt_pending() const override;
    u8 acknowledge_interrupt() override;
    Nanoseconds guest_time() override;
    void spin() override;
    u64 apic_base() const override;
    void set_apic_base(u64 value) override;
    void set_ferr(bool asserted) override;
    bool ignne() const override;

 private:
    struct Chips;
    void map_memory();
    void tell_unclaimed(Log& log);
    void note_descriptors();
    void shadow(u32 first, u32 size, bool read_ram, bool write_ram);
    void move_framebuffer(std::optional<u32> base);
    void set_a20(bool open);
    void request(bool BoardEvents::*what);
    void update_interrupt();
    void set_cmos(const MachineConfig& config);
    void fill_fw_cfg();
    void deadline_may_have_moved();
    OccupationScope at_devices() { return {cpu_.occupation, Occupation::Kind::Devices}; }

    Log& log_;
    u64 ram_bytes_;
    Firmware firmware_;
    GuestMemory memory_;
    CpuState state_;
    Cpu cpu_;
    GuestClock clock_;
    Scheduler scheduler_;
    Bus ports_, mmio_;
    std::array<std::atomic<int>, drive_places> image_descriptors_;  // -1: none that is written to
    BoardEvents events_;
    SpinWatch spins_;
    Nanoseconds known_deadline_ = ~Nanoseconds{0};
    bool a20_ = true;
    std::optional<u32> framebuffer_;
    std::vector<u8> shadow_writable_;  // for each 16 KiB from C0000h: writes go to RAM although reads do not
    Board* mirror_ = nullptr;
    std::unique_ptr<Chips> chips_;
    std::vector<Device*> devices_;
};

}  // namespace vellum
