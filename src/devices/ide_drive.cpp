// Task file, blocks, interrupts. A command is carried out by a timer shortly after its write has returned: an
// interrupt in the middle of that write would find the driver unprepared.
#include "devices/ide_drive.hpp"

namespace vellum {

namespace {

constexpr Nanoseconds command_time = 3 * microsecond, block_time = 1 * microsecond, reset_time = 10 * microsecond;
constexpr u32 most_buffered = 1 << 20;

}  // namespace

IdeDrive::IdeDrive(Scheduler& scheduler, BusMaster& bus_master, Log& log)
    : log_{log}, bus_master_{bus_master}, scheduler_{scheduler}, timer_{scheduler, [this] { fire(); }} {}

void IdeDrive::later(Step step, Nanoseconds delay) {
    status_ = busy;
    step_ = step;
    timer_.start_in(delay);
}

void IdeDrive::fire() {
    Step step = step_;
    step_ = Step::None;
    switch (step) {
        case Step::None: break;
        case Step::Command: execute(command_); break;
        case Step::Resume: resume(); break;
        case Step::Dma:
            if (bus_master_.active())
                run_dma();
            else
                flow_ = Flow::Dma;  // stopped meanwhile: wait for the next start
            break;
        case Step::Reset:
            set_signature();
            error_ = 1;  // passed; nothing wrong with the other drive
            status_ = idle_status();
            break;
    }
}

// A guest that polls sees time pass even before the machine gets round to our timer.
void IdeDrive::catch_up() {
    if (!timer_.active() || scheduler_.now() < timer_.deadline()) return;
    timer_.stop();
    fire();
}

void IdeDrive::set_interrupt(bool level) {
    if (interrupt_ == level) return;
    interrupt_ = level;
    if (interrupt_changed_) interrupt_changed_();
}

void IdeDrive::raise_interrupt() { set_interrupt(true); }

u8 IdeDrive::alternate_status() {
    catch_up();
    return status_;
}

u8 IdeDrive::read_register(IdeRegister index, bool previous) {
    catch_up();
    auto pick = [previous](const Doubled& d) { return previous ? d.before : d.now; };
    switch (index) {
        case IdeRegister::Error: return error_;
        case IdeRegister::Count: return pick(count_);
        case IdeRegister::LbaLow: return pick(lba_low_);
        case IdeRegister::LbaMid: return pick(lba_mid_);
        case IdeRegister::LbaHigh: return pick(lba_high_);
        case IdeRegister::Device: return device_;
        case IdeRegister::Status: {
            u8 status = status_;
            set_interrupt(false);
            return status;
        }
        default: return 0xFF;
    }
}

void IdeDrive::write_register(IdeRegister index, u8 value) {
    switch (index) {
        case IdeRegister::Error: feature_.write(value); break;
        case IdeRegister::Count: count_.write(value); break;
        case IdeRegister::LbaLow: lba_low_.write(value); break;
        case IdeRegister::LbaMid: lba_mid_.write(value); break;
        case IdeRegister::LbaHigh: lba_high_.write(value); break;
        case IdeRegister::Device: device_ = value | 0xA0; break;
        default: break;
    }
}

void IdeDrive::start(u8 command) {
    constexpr u8 device_reset = 0x08;
    catch_up();
    if ((status_ & (busy | data_request)) && command != device_reset) return;  // 9.1: ignored
    stop_everything();
    set_interrupt(false);
    command_ = command;
    error_ = 0;
    later(Step::Command, command_time);
}

void IdeDrive::diagnose(bool tell) {
    stop_everything();
    restore_defaults(false);
    set_signature();
    error_ = 1;
    status_ = idle_status();
    if (tell) raise_interrupt();
}

void IdeDrive::stop_everything() {
    timer_.stop();
    step_ = Step::None;
    flow_ = Flow::None;
    position_ = end_ = 0;
}

void IdeDrive::begin_soft_reset() {
    stop_everything();
    set_interrupt(false);
    restore_defaults(false);
    status_ = busy;
}

void IdeDrive::end_soft_reset() {
    device_ = 0xA0;
    later(Step::Reset, reset_time);
}

void IdeDrive::reset() {
    stop_everything();
    set_interrupt(false);
    restore_defaults(true);
    device_ = 0xA0;
    feature_ = {};
    set_signature();
    error_ = 1;
    status_ = idle_status();
}

void IdeDrive::idle(u8 status) {
    flow_ = Flow::None;
    status_ = status;
}

void IdeDrive::finish() {
    idle(idle_status());
    raise_interrupt();
}

void IdeDrive::fail(u8 error) {
    error_ = error;
    idle(ready | seek_complete | error_bit);
    raise_interrupt();
}

void IdeDrive::abort_with_log(std::string_view what, u8 code) {
    log_.once(Topic::Disk, "{} {:02x}h is not supported", what, code);
    fail(aborted);
}

void IdeDrive::request_block(u32 first, u32 count, bool to_host) {
    position_ = first;
    end_ = first + count;
    if (buffer_.size() < end_) buffer_.resize(end_);
    flow_ = to_host ? Flow::ToHost : Flow::FromHost;
    status_ = ready | seek_complete | data_request;
}

void IdeDrive::continue_later() { later(Step::Resume, block_time); }

void IdeDrive::wait_for_dma() {
    flow_ = Flow::Dma;
    status_ = ready | seek_complete | data_request;
    if (bus_master_.active()) later(Step::Dma, block_time);
}

void IdeDrive::dma_started() {
    if (flow_ == Flow::Dma && !timer_.active()) later(Step::Dma, command_time);
}

u32 IdeDrive::read_data(u8 size) {
    catch_up();
    if (flow_ != Flow::ToHost) return 0;
    u32 value = 0;
    for (u8 i = 0; i < size && position_ < end_; ++i) value |= u32{buffer_[position_++]} << (8 * i);
    if (position_ < end_) return value;
    flow_ = Flow::None;
    block_done();
    return value;
}

void IdeDrive::write_data(u8 size, u32 value) {
    catch_up();
    if (flow_ != Flow::FromHost) return;
    for (u8 i = 0; i < size && position_ < end_; ++i) buffer_[position_++] = (value >> (8 * i)) & 0xFF;
    if (position_ < end_) return;
    flow_ = Flow::None;
    block_done();
}

void IdeDrive::serialize(Archive& a) {
    for (Doubled* d : {&feature_, &count_, &lba_low_, &lba_mid_, &lba_high_}) a(d->now, d->before);
    a(device_, error_, status_, command_, interrupt_, step_, flow_, position_, end_, timer_);
    a.sequence(buffer_, most_buffered);
    if (position_ > end_ || end_ > buffer_.size() || step_ > Step::Reset || flow_ > Flow::Dma) {
        stop_everything();
        a.refuse();
    }
}

}  // namespace vellum
