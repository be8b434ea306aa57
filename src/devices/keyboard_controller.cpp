// Commands, the output buffer and its interrupts.
#include "devices/keyboard_controller.hpp"

#include "devices/scan_codes.hpp"

namespace vellum {

namespace {

// A byte takes eleven bits at 10-16 kHz on the wire. Shorter than that, yet long enough that a handler which reads
// port 60h twice gets the same byte twice.
constexpr Nanoseconds byte_time = 200 * microsecond;

// Command byte: |0|translate|aux off|keyboard off|0|system flag|aux interrupt|keyboard interrupt|
constexpr u8 keyboard_interrupt = 0x01, mouse_interrupt = 0x02, system_flag = 0x04;
constexpr u8 keyboard_off = 0x10, mouse_off = 0x20, translate = 0x40;

// Output port: bit 0 not reset, 1 A20, 4 IRQ 1, 5 IRQ 12
constexpr u8 not_reset = 0x01, a20_gate = 0x02;

constexpr u8 self_test_passed = 0x55;
constexpr u8 input_port = 0xA0;  // keyboard not locked, no manufacturing jumper

}  // namespace

KeyboardController::KeyboardController(Bus& ports, IrqLine keyboard_irq, IrqLine mouse_irq, Scheduler& scheduler,
                                       Log& log, Pins pins, Ps2Device& keyboard, Ps2Device* mouse)
    : keyboard_irq_{keyboard_irq},
      mouse_irq_{mouse_irq},
      scheduler_{scheduler},
      log_{log},
      pins_{std::move(pins)},
      keyboard_{keyboard},
      mouse_{mouse},
      pump_timer_{scheduler, [this] { pump(); }} {
    ports.claim("keyboard controller data", 0x60, 1, data_port_);
    ports.claim("keyboard controller command", 0x64, 1, command_port_);
    keyboard_.on_byte([this] { schedule_pump(); });
    if (mouse_) mouse_->on_byte([this] { schedule_pump(); });
}

void KeyboardController::reset() {
    ram_ = {};
    ram_[0] = keyboard_interrupt | mouse_interrupt;
    own_.clear();
    pump_timer_.stop();
    full_ = last_was_command_ = release_seen_ = false;
    waiting_for_ = output_ = 0;
    output_port_ = not_reset | a20_gate;
    update_lines();
}

bool KeyboardController::keyboard_ready() const { return !(ram_[0] & keyboard_off) && keyboard_.has_byte(); }
bool KeyboardController::mouse_ready() const { return mouse_ && !(ram_[0] & mouse_off) && mouse_->has_byte(); }

void KeyboardController::schedule_pump() {
    if (full_ || pump_timer_.active() || !(keyboard_ready() || mouse_ready())) return;
    pump_timer_.start_in(byte_time);
}

// Takes the next byte into the output buffer.
void KeyboardController::pump() {
    if (full_) return;
    if (!own_.empty()) return put(own_.pop(), Source::Controller);
    if (keyboard_ready()) {
        u8 byte = keyboard_.take_byte();
        if (!(ram_[0] & translate)) return put(byte, Source::Keyboard);
        if (byte == 0xF0) {
            release_seen_ = true;
            return pump();  // the prefix itself is swallowed
        }
        u8 code = set2_to_set1[byte] | (release_seen_ ? 0x80 : 0);
        release_seen_ = false;
        return put(code, Source::Keyboard);
    }
    if (mouse_ready()) put(mouse_->take_byte(), Source::Mouse);
}

void KeyboardController::put(u8 value, Source source) {
    if (full_ && source == Source::Controller) return own_.push(value);
    output_ = value;
    source_ = source;
    full_ = true;
    update_lines();
}

void KeyboardController::update_lines() {
    bool mouse = source_ == Source::Mouse;
    keyboard_irq_.set(full_ && !mouse && (ram_[0] & keyboard_interrupt));
    mouse_irq_.set(full_ && mouse && (ram_[0] & mouse_interrupt));
}

u8 KeyboardController::output_port() const {
    u8 value = output_port_ & ~(a20_gate | 0x30);
    if (pins_.a20 ? pins_.a20() : (output_port_ & a20_gate) != 0) value |= a20_gate;
    if (full_) value |= source_ == Source::Mouse ? 0x20 : 0x10;
    return value;
}

// |parity|timeout|aux byte|not locked|last write was 64h|system flag|input full|output full|
u8 KeyboardController::status() {
    if (pump_timer_.active() && scheduler_.now() >= pump_timer_.deadline()) {
        pump_timer_.stop();
        pump();
    }
    u8 value = 0x10;
    if (full_) value |= 0x01;
    if (ram_[0] & system_flag) value |= 0x04;
    if (last_was_command_) value |= 0x08;
    if (full_ && source_ == Source::Mouse) value |= 0x20;
    return value;
}

u8 KeyboardController::read_data() {
    u8 value = output_;
    if (!full_) return value;
    full_ = false;
    update_lines();
    if (!own_.empty())
        put(own_.pop(), Source::Controller);
    else
        schedule_pump();
    return value;
}

void KeyboardController::write_output_port(u8 value) {
    output_port_ = value;
    if (pins_.set_a20) pins_.set_a20(value & a20_gate);
    if (!(value & not_reset) && pins_.reset_request) pins_.reset_request();
}

void KeyboardController::write_data(u8 value) {
    last_was_command_ = false;
    u8 command = waiting_for_;
    waiting_for_ = 0;
    if (command >= 0x60 && command <= 0x7F) {
        ram_[command & 0x1F] = value;
        if (command != 0x60) return;
        update_lines();
        return schedule_pump();
    }
    switch (command) {
        case 0xD1: return write_output_port(value);
        case 0xD2: return put(value, Source::Keyboard);
        case 0xD3: return put(value, Source::Mouse);
        case 0xD4:
            ram_[0] &= ~mouse_off;
            if (mouse_)
                mouse_->command(value);
            else
                put(ps2_resend, Source::Mouse);  // the controller's answer to silence on the wire
            return;
        default: break;
    }
    ram_[0] &= ~keyboard_off;  // sending releases the keyboard's clock
    keyboard_.command(value);
}

void KeyboardController::write_command(u8 command) {
    last_was_command_ = true;
    waiting_for_ = 0;
    if (command >= 0x20 && command <= 0x3F) return put(ram_[command & 0x1F], Source::Controller);
    if (command >= 0xF0) {
        // Pulses the output port's low bits that are 0: only the reset line makes a difference.
        if (!(command & not_reset) && pins_.reset_request) pins_.reset_request();
        return;
    }
    switch (command) {
        case 0xA4: return put(0xF1, Source::Controller);  // no password
        case 0xA7: ram_[0] |= mouse_off; return;
        case 0xA8: ram_[0] &= ~mouse_off; return schedule_pump();
        case 0xA9: return put(0x00, Source::Controller);
        case 0xAA: ram_[0] |= system_flag; return put(self_test_passed, Source::Controller);
        case 0xAB: return put(0x00, Source::Controller);
        case 0xAD: ram_[0] |= keyboard_off; return;
        case 0xAE: ram_[0] &= ~keyboard_off; return schedule_pump();
        case 0xC0: return put(input_port, Source::Controller);
        case 0xD0: return put(output_port(), Source::Controller);
        case 0xDD: return write_output_port(output_port_ & ~a20_gate);
        case 0xDF: return write_output_port(output_port_ | a20_gate);
        case 0xE0: return put(0x00, Source::Controller);  // test inputs
        default: break;
    }
    bool takes_data = (command >= 0x60 && command <= 0x7F) || (command >= 0xD1 && command <= 0xD4);
    if (takes_data)
        waiting_for_ = command;
    else
        log_.once(Topic::Input, "keyboard controller: command {:02x}h is unknown", command);
}

void KeyboardController::serialize(Archive& a) {
    a.section(name(), 1);
    a(pump_timer_, own_, ram_, output_, source_, full_, last_was_command_, release_seen_, waiting_for_, output_port_);
    if (source_ > Source::Mouse) a.refuse();
}

}  // namespace vellum
