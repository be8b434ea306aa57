// What a disk and a CD drive on an IDE cable share: the task file, blocks of data through the data register, DMA,
// interrupts and resets (ATA/ATAPI-6, chapters 7 and 9). What a command means is the derived drive's.
#pragma once

#include <functional>
#include <string_view>
#include <vector>

#include "base/log.hpp"
#include "base/scheduler.hpp"
#include "devices/bus_master_ide.hpp"

namespace vellum {

// Register numbers on the cable (offset from 1F0h or 170h).
enum class IdeRegister : u8 { Data, Error, Count, LbaLow, LbaMid, LbaHigh, Device, Status };

class IdeDrive {
 public:
    IdeDrive(Scheduler& scheduler, BusMaster& bus_master, Log& log);
    virtual ~IdeDrive() = default;
    IdeDrive(const IdeDrive&) = delete;
    IdeDrive& operator=(const IdeDrive&) = delete;

    void on_interrupt_changed(std::function<void()> call) { interrupt_changed_ = std::move(call); }
    bool interrupt() const { return interrupt_; }

    // `previous` reads the value before the last one, as bit 7 of device control asks for (48-bit addresses).
    u8 read_register(IdeRegister index, bool previous);
    void write_register(IdeRegister index, u8 value);
    u8 alternate_status();
    u32 read_data(u8 size);
    void write_data(u8 size, u32 value);
    void start(u8 command);
    void diagnose(bool tell);  // EXECUTE DEVICE DIAGNOSTIC comes to both drives, one of them tells
    void dma_started();
    void begin_soft_reset();
    void end_soft_reset();
    void reset();  // power-on
    virtual void serialize(Archive&);

 protected:
    static constexpr u8 busy = 0x80, ready = 0x40, fault = 0x20, seek_complete = 0x10, data_request = 0x08,
                        error_bit = 0x01;
    static constexpr u8 aborted = 0x04;

    // A register with the value written before: two bytes of a 48-bit command.
    struct Doubled {
        u8 now = 0, before = 0;
        void write(u8 value) {
            before = now;
            now = value;
        }
    };

    virtual void execute(u8 command) = 0;
    virtual void block_done() = 0;  // the host has read or written the whole block
    virtual void resume() = 0;      // the time asked for with continue_later() is over
    virtual void run_dma() = 0;     // the bus master is ready
    virtual void set_signature() = 0;
    virtual void restore_defaults(bool power_on) = 0;
    virtual u8 idle_status() const { return ready | seek_complete; }

    void finish();  // no error; tells the host
    void fail(u8 error);
    void idle(u8 status);
    void raise_interrupt();
    // Offers buffer_[0, count) to be read, or wants that much to be written.
    void request_block(u32 first, u32 count, bool to_host);
    void continue_later();
    void wait_for_dma();
    void abort_with_log(std::string_view what, u8 code);

    Log& log_;
    BusMaster& bus_master_;
    std::vector<u8> buffer_;
    Doubled feature_, count_, lba_low_, lba_mid_, lba_high_;
    u8 device_ = 0xA0, error_ = 1;

 private:
    enum class Step : u8 { None, Command, Resume, Dma, Reset };
    enum class Flow : u8 { None, ToHost, FromHost, Dma };

    void stop_everything();
    void later(Step step, Nanoseconds delay);
    void fire();
    void catch_up();
    void set_interrupt(bool level);

    Scheduler& scheduler_;
    std::function<void()> interrupt_changed_;
    Timer timer_;
    Step step_ = Step::None;
    Flow flow_ = Flow::None;
    u32 position_ = 0, end_ = 0;
    u8 status_ = 0, command_ = 0;
    bool interrupt_ = false;
};

}  // namespace vellum
