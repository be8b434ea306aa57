// Registers, phases and resets of the floppy controller; what its commands do is in floppy_commands.cpp.
#include "devices/floppy.hpp"

#include <algorithm>

namespace vellum {

namespace {

// Digital output register: |motors of 3, 2, 1, 0|DMA and interrupt on|not reset|drive select (2)|
constexpr u8 not_reset = 0x04, dma_on = 0x08;
// Main status register: |request|direction to host|non-DMA|busy|drives seeking (4)|
constexpr u8 request = 0x80, to_host = 0x40, non_dma = 0x20, controller_busy = 0x10;
constexpr u8 polling_off = 0x10;  // configuration
constexpr Nanoseconds reset_time = 20 * microsecond, execution_time = 100 * microsecond;

}  // namespace

Floppy::Floppy(Bus& ports, IrqLine irq, Scheduler& scheduler, Dma& dma, Log& log)
    : irq_{irq},
      scheduler_{scheduler},
      dma_{dma},
      log_{log},
      execution_timer_{scheduler, [this] { (this->*row()->run)(); }},
      reset_timer_{scheduler, [this] { end_reset(); }},
      seek_timers_{Timer{scheduler, [this] { seek_done(0); }}, Timer{scheduler, [this] { seek_done(1); }},
                   Timer{scheduler, [this] { seek_done(2); }}, Timer{scheduler, [this] { seek_done(3); }}} {
    ports.claim("floppy", 0x3F0, 6, low_ports_, Bus::Width::Bytes);
    ports.claim("floppy", 0x3F7, 1, high_port_);
}

FloppyDrive* Floppy::drive(u8 number) {
    return number < drives_.size() && drives_[number].attached() ? &drives_[number] : nullptr;
}

const Floppy::CommandRow* Floppy::row() const {
    const CommandRow* at = command_rows;
    while ((command_[0] & at->mask) != at->code) ++at;  // the last row fits everything
    return at;
}

void Floppy::set_interrupt(bool level) {
    interrupt_ = level;
    irq_.set(level && (digital_output_ & dma_on));
}

// What a reset had to say is out of date with the next event, and software may have asked for some of it only.
void Floppy::raise_interrupt() {
    reset_reports_ = 0;
    set_interrupt(true);
}

bool Floppy::seek_pending() const {
    return std::any_of(seek_status_.begin(), seek_status_.end(), [](u8 status) { return status != 0; });
}

void Floppy::result(std::initializer_list<u8> bytes) {
    std::copy(bytes.begin(), bytes.end(), results_.begin());
    result_length_ = static_cast<u8>(bytes.size());
    result_position_ = 0;
    phase_ = result_length_ ? Phase::Result : Phase::Command;
    command_length_ = 0;
}

// A guest that polls sees time pass even before the machine gets round to our timers.
void Floppy::catch_up() {
    auto due = [this](Timer& timer) {
        if (!timer.active() || scheduler_.now() < timer.deadline()) return false;
        timer.stop();
        return true;
    };
    if (due(reset_timer_)) end_reset();
    if (due(execution_timer_)) (this->*row()->run)();
    for (u8 i = 0; i < seek_timers_.size(); ++i)
        if (due(seek_timers_[i])) seek_done(i);
}

u8 Floppy::main_status() {
    catch_up();
    if (!(digital_output_ & not_reset) || reset_timer_.active()) return 0;
    u8 status = 0;
    if (phase_ != Phase::Execution) status |= request;
    if (phase_ == Phase::Result) status |= to_host;
    if (bytes_.active) status |= request | non_dma | (bytes_.to_host ? to_host : 0);
    if (phase_ != Phase::Command || command_length_ > 0) status |= controller_busy;
    for (u8 i = 0; i < 4; ++i)
        if (seek_timers_[i].active() || seek_status_[i]) status |= 1 << i;
    return status;
}

u8 Floppy::read_data() {
    catch_up();
    if (bytes_.active && bytes_.to_host) {
        u8 value = bytes_.unit[bytes_.position];
        byte_moved();
        return value;
    }
    if (phase_ != Phase::Result) return 0;
    if (result_interrupt_) {
        result_interrupt_ = false;
        set_interrupt(seek_pending());
    }
    u8 value = results_[result_position_++];
    if (result_position_ >= result_length_) phase_ = Phase::Command;
    return value;
}

void Floppy::write_data(u8 value) {
    catch_up();
    if (bytes_.active && !bytes_.to_host) {
        bytes_.unit[bytes_.position] = value;
        return byte_moved();
    }
    if (phase_ != Phase::Command || !(digital_output_ & not_reset) || reset_timer_.active()) return;
    command_[command_length_++] = value;
    const CommandRow* r = row();
    if (command_length_ <= r->parameters) return;
    command_length_ = 0;
    if (!r->executes) return (this->*r->run)();
    phase_ = Phase::Execution;
    execution_timer_.start_in(execution_time);
}

void Floppy::begin_reset() {
    execution_timer_.stop();
    reset_timer_.stop();
    for (Timer& timer : seek_timers_) timer.stop();
    phase_ = Phase::Command;
    command_length_ = result_length_ = result_position_ = 0;
    seek_status_ = {};
    reset_reports_ = 0;
    result_interrupt_ = false;
    bytes_.active = false;
    if (!locked_) {
        configuration_ = 0x20;  // FIFO off, polling on
        precompensation_ = 0;
    }
    perpendicular_ &= 0xFC;
    set_interrupt(false);
}

void Floppy::end_reset() {
    if (configuration_ & polling_off) return;
    reset_reports_ = 4;
    set_interrupt(true);
}

void Floppy::write_digital_output(u8 value) {
    u8 before = digital_output_;
    digital_output_ = value;
    if ((before & not_reset) && !(value & not_reset)) begin_reset();
    if (!(before & not_reset) && (value & not_reset)) reset_timer_.start_in(reset_time);
    set_interrupt(interrupt_);
}

u8 Floppy::read_register(u32 index) {
    switch (index) {
        case 2: return digital_output_;
        case 3: return tape_;
        case 4: return main_status();
        case 5: return read_data();
        case 7: {
            FloppyDrive* selected = drive(digital_output_ & 3);
            return selected && selected->changed() ? 0x80 : 0;
        }
        default: return 0xFF;  // status registers A and B exist in PS/2 mode only
    }
}

void Floppy::write_register(u32 index, u8 value) {
    switch (index) {
        case 2: write_digital_output(value); break;
        case 3: tape_ = value & 3; break;
        case 4:  // data rate select; bit 7 resets and clears itself
            rate_ = value & 3;
            if (!(value & 0x80)) break;
            begin_reset();
            if (digital_output_ & not_reset) reset_timer_.start_in(reset_time);
            break;
        case 5: write_data(value); break;
        case 7: rate_ = value & 3; break;
        default: break;
    }
}

void Floppy::reset() {
    locked_ = false;
    // Running, with interrupts on: firmware that enables the controller by the reset bit alone waits for its interrupt.
    digital_output_ = not_reset | dma_on;
    tape_ = 0;
    rate_ = 2;
    step_rate_ = head_load_ = perpendicular_ = last_end_of_track_ = id_under_head_ = 0;
    present_cylinder_ = {};
    begin_reset();
}

void Floppy::serialize(Archive& a) {
    a.section(name(), 2);
    a(drives_, execution_timer_, reset_timer_, seek_timers_);
    a(phase_, command_, command_length_, results_, result_length_, result_position_);
    a(digital_output_, rate_, tape_, step_rate_, head_load_, configuration_, precompensation_, perpendicular_);
    a(last_end_of_track_, locked_, interrupt_, result_interrupt_, reset_reports_, seek_status_, present_cylinder_,
      id_under_head_, bytes_);
    bool result_fits =
        result_length_ <= results_.size() &&
        (phase_ == Phase::Result ? result_position_ < result_length_ : result_position_ <= result_length_);
    bool reports_fit = reset_reports_ <= seek_status_.size();
    bool executes = phase_ == Phase::Execution || (!execution_timer_.active() && !bytes_.active);
    if (phase_ > Phase::Result || command_length_ >= command_.size() || !result_fits || !reports_fit || !executes ||
        rate_ > 3) {
        begin_reset();
        a.refuse();
    }
}

}  // namespace vellum
