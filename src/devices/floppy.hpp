// 82077AA floppy disk controller at 3F0h-3F5h and 3F7h, in PC/AT mode, with and without DMA (Intel 82077AA datasheet).
// Seeks and transfers take a fraction of what the mechanics would.
#pragma once

#include "base/log.hpp"
#include "base/scheduler.hpp"
#include "devices/bus.hpp"
#include "devices/device.hpp"
#include "devices/dma.hpp"
#include "devices/floppy_drive.hpp"
#include "devices/irq_line.hpp"

namespace vellum {

class Floppy final : public Device {
 public:
    // Uses DMA channel 2.
    Floppy(Bus& ports, IrqLine irq, Scheduler& scheduler, Dma& dma, Log& log);

    // `drive` 0 or 1. See floppy_geometry() for what an image may be; null is an empty drive.
    void attach(u8 drive, std::unique_ptr<BlockBackend> medium) { drives_[drive].attach(std::move(medium)); }
    void change_medium(u8 drive, std::unique_ptr<BlockBackend> medium) {
        drives_[drive].change_medium(std::move(medium));
    }
    bool attached(u8 drive) const { return drives_[drive].attached(); }
    BlockBackend* medium(u8 drive) { return drives_[drive].medium(); }
    // What firmware finds in CMOS byte 10h: the first drive's type in the high half.
    u8 cmos_types() const { return static_cast<u8>(drives_[0].type() << 4 | drives_[1].type()); }

    std::string_view name() const override { return "floppy"; }
    void reset() override;
    void serialize(Archive&) override;

 private:
    enum class Phase : u8 { Command, Execution, Result };
    // ST0-ST2 of a transfer, and the sector identification that is reported after them.
    struct Outcome {
        u8 st0 = 0, st1 = 0, st2 = 0;
        bool failed() const { return st0 & 0xC0; }
    };
    struct SectorId {
        u8 cylinder, head, sector, size;
    };
    // A transfer without DMA, in its execution phase: the host moves each byte through the data register. A unit is a
    // sector, or for FORMAT TRACK the four bytes that identify one.
    struct ByteTransfer {
        bool active = false, to_host = false;
        SectorId id{};
        u16 position = 0, unit_size = 0;
        u8 units_left = 0;  // FORMAT TRACK only
        std::array<u8, FloppyDrive::sector_size> unit{};
        void serialize(Archive&);
    };
    struct CommandRow {
        u8 code, mask, parameters;
        void (Floppy::*run)();
        bool executes;  // with a delay, and an interrupt at its end
    };
    static const CommandRow command_rows[];

    struct Ports final : BusTarget {
        Floppy& floppy;
        u32 first;
        Ports(Floppy& f, u32 n) : floppy{f}, first{n} {}
        u32 read(u32 offset, u8) override { return floppy.read_register(first + offset); }
        void write(u32 offset, u8, u32 value) override {
            floppy.write_register(first + offset, static_cast<u8>(value));
        }
    };

    u8 read_register(u32 index);
    void write_register(u32 index, u8 value);
    u8 main_status();
    u8 read_data();
    void write_data(u8 value);
    void write_digital_output(u8 value);
    void begin_reset();
    void end_reset();
    void catch_up();
    const CommandRow* row() const;
    void set_interrupt(bool level);
    void raise_interrupt();
    bool seek_pending() const;  // a finished seek has not been asked for
    void result(std::initializer_list<u8> bytes);
    void transfer_result(Outcome outcome, SectorId id);

    FloppyDrive* drive(u8 number);
    u8 unit() const { return command_[1] & 3; }
    u8 head() const { return (command_[1] >> 2) & 1; }
    Outcome check_medium(bool writing);
    bool seek_for_transfer(bool writing, SectorId id, Outcome& outcome);
    bool locate(SectorId id, Outcome& outcome);
    void move_sectors(bool write, bool through_dma);
    bool one_sector(SectorId id, bool write, bool through_dma, Outcome& outcome, bool& last);
    bool next_sector(SectorId& id) const;
    bool without_dma() const { return head_load_ & 1; }  // ND of SPECIFY
    void begin_bytes(bool to_host);
    void begin_format_bytes();
    void prepare_unit();
    void unit_done();
    void format_unit_done();
    void byte_moved();
    void start_seek(u8 cylinder);
    void seek_done(u8 number);

    void invalid();
    void specify();
    void sense_drive();
    void sense_interrupt();
    void recalibrate();
    void seek();
    void relative_seek();
    void read_id();
    void read_sectors() { without_dma() ? begin_bytes(true) : move_sectors(false, true); }
    void write_sectors() { without_dma() ? begin_bytes(false) : move_sectors(true, true); }
    void read_track();
    void verify();
    void format_track();
    void dump_registers();
    void version();
    void configure();
    void perpendicular();
    void lock();

    Ports low_ports_{*this, 0}, high_port_{*this, 7};
    IrqLine irq_;
    Scheduler& scheduler_;
    Dma& dma_;
    Log& log_;
    std::array<FloppyDrive, 2> drives_;
    Timer execution_timer_, reset_timer_;
    std::array<Timer, 4> seek_timers_;  // of four units, of which two can have drives

    Phase phase_ = Phase::Command;
    std::array<u8, 9> command_{};
    u8 command_length_ = 0;
    std::array<u8, 10> results_{};
    u8 result_length_ = 0, result_position_ = 0;
    ByteTransfer bytes_;

    u8 digital_output_ = 0x0C, rate_ = 2, tape_ = 0;
    u8 step_rate_ = 0, head_load_ = 0;  // bytes of SPECIFY
    u8 configuration_ = 0x20, precompensation_ = 0, perpendicular_ = 0;
    u8 last_end_of_track_ = 0;
    bool locked_ = false;
    bool interrupt_ = false;
    bool result_interrupt_ = false;         // the interrupt is a transfer's: reading its result ends it
    u8 reset_reports_ = 0;                  // SENSE INTERRUPT answers that a reset leaves, one per unit
    std::array<u8, 4> seek_status_{};       // ST0 of finished seeks, 0 for none
    std::array<u8, 4> present_cylinder_{};  // what the controller believes
    u8 id_under_head_ = 0;                  // the sector that READ ID finds next, less one
};

}  // namespace vellum
