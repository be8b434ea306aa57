// Registers and interrupts of the 16550A. Section numbers are the datasheet's.
#include "devices/uart.hpp"

#include <algorithm>

namespace vellum {

namespace {

constexpr Nanoseconds character_time = 1 * microsecond;
constexpr Nanoseconds clock_period_x16 = 8681;  // sixteen periods of 1.8432 MHz: one bit at divisor 1

// Interrupt enable (8.7) and interrupt identification (8.5)
constexpr u8 enable_received = 1, enable_holding_empty = 2, enable_line_status = 4, enable_modem_status = 8;
constexpr u8 id_none = 0x01, id_modem = 0x00, id_holding_empty = 0x02, id_received = 0x04, id_line = 0x06,
             id_timeout = 0x0C;
// Line status (8.3)
constexpr u8 data_ready = 0x01, overrun = 0x02, break_received = 0x10, holding_empty = 0x20, transmitter_empty = 0x40;
constexpr u8 line_interrupts = 0x1E;
// Line control (8.1): divisor latch access, set break
constexpr u8 divisor_access = 0x80, set_break = 0x40;
// Modem control (8.6)
constexpr u8 dtr = 1, rts = 2, out1 = 4, out2 = 8;
// Modem status (8.8)
constexpr u8 cts = 0x10, dsr = 0x20, ring = 0x40, carrier = 0x80;

}  // namespace

u8 Uart::Fifo::pop() {
    u8 byte = bytes[first];
    first = (first + 1) % fifo_size;
    --count;
    return byte;
}

void Uart::Fifo::serialize(Archive& a) {
    a(bytes, first, count);
    if (first >= fifo_size || count > fifo_size) {
        first = count = 0;
        a.refuse();
    }
}

Uart::Uart(Bus& ports, u16 base, IrqLine irq, Scheduler& scheduler, ByteSink& output,
           std::function<void()> on_ready_to_receive)
    : scheduler_{scheduler},
      irq_{irq},
      output_{output},
      on_ready_to_receive_{std::move(on_ready_to_receive)},
      transmit_timer_{scheduler, [this] { transmit(); }},
      timeout_timer_{scheduler, [this] {
                         timeout_interrupt_ = receiver_.count > 0;
                         update_irq();
                     }} {
    ports.claim("uart", base, 8, *this, Bus::Width::Bytes);
}

void Uart::reset() {
    if (transmitter_.count) transmit();  // what was written before the reset is on its way
    transmit_timer_.stop();
    timeout_timer_.stop();
    receiver_ = transmitter_ = {};
    interrupt_enable_ = fifo_control_ = line_control_ = modem_control_ = 0;
    last_received_ = line_errors_ = modem_deltas_ = 0;
    divisor_ = 12;
    holding_empty_interrupt_ = timeout_interrupt_ = false;
    update_irq();
}

u8 Uart::trigger_level() const {
    constexpr u8 levels[] = {1, 4, 8, 14};
    return fifos_on() ? levels[fifo_control_ >> 6] : 1;
}

Nanoseconds Uart::four_characters() const { return 40 * clock_period_x16 * std::max<u16>(divisor_, 1); }

bool Uart::can_receive() const { return !loopback() && receiver_.count < (fifos_on() ? fifo_size : 1); }

void Uart::receive(u8 byte) {
    if (!loopback()) accept(byte);
}

void Uart::accept(u8 byte) {
    if (receiver_.count >= (fifos_on() ? fifo_size : 1)) {
        line_errors_ |= overrun;
        // Without FIFOs the new byte takes the old one's place; with them it is lost (8.3, bit 1).
        if (!fifos_on()) receiver_ = {};
    }
    if (receiver_.count < fifo_size) receiver_.push(byte);
    timeout_interrupt_ = false;
    if (fifos_on()) timeout_timer_.start_in(four_characters());
    update_irq();
}

u8 Uart::read_receiver() {
    if (receiver_.count) last_received_ = receiver_.pop();
    timeout_interrupt_ = false;
    if (receiver_.count && fifos_on())
        timeout_timer_.start_in(four_characters());
    else
        timeout_timer_.stop();
    update_irq();
    if (on_ready_to_receive_ && can_receive()) on_ready_to_receive_();
    return last_received_;
}

void Uart::write_transmitter(u8 byte) {
    holding_empty_interrupt_ = false;
    update_irq();
    if (transmitter_.count >= fifo_size) transmit();
    transmitter_.push(byte);
    if (!transmit_timer_.active()) transmit_timer_.start_in(character_time);
}

// All that waits leaves at once; then the holding register is empty.
void Uart::transmit() {
    std::array<u8, fifo_size> bytes;
    u8 count = 0;
    while (transmitter_.count) bytes[count++] = transmitter_.pop();
    transmit_timer_.stop();
    holding_empty_interrupt_ = true;
    if (loopback())
        for (u8 i = 0; i < count; ++i) accept(bytes[i]);
    else if (count)
        output_.put({bytes.data(), count});
    update_irq();
}

// A guest that polls sees time pass even before the machine gets round to our timer.
void Uart::catch_up() {
    if (transmit_timer_.active() && scheduler_.now() >= transmit_timer_.deadline()) transmit();
}

u8 Uart::pending_interrupt() const {
    u8 enabled = interrupt_enable_;
    if ((enabled & enable_line_status) && (line_errors_ & line_interrupts)) return id_line;
    if ((enabled & enable_received) && receiver_.count >= trigger_level()) return id_received;
    if ((enabled & enable_received) && timeout_interrupt_) return id_timeout;
    if ((enabled & enable_holding_empty) && holding_empty_interrupt_) return id_holding_empty;
    if ((enabled & enable_modem_status) && modem_deltas_) return id_modem;
    return id_none;
}

// On a PC, OUT2 connects the interrupt to the bus; loopback disconnects it.
void Uart::update_irq() { irq_.set(pending_interrupt() != id_none && (modem_control_ & out2) && !loopback()); }

u8 Uart::read_interrupt_identification() {
    u8 id = pending_interrupt();
    if (id == id_holding_empty) {
        holding_empty_interrupt_ = false;
        update_irq();
    }
    return id | (fifos_on() ? 0xC0 : 0);
}

u8 Uart::read_line_status() {
    u8 status = line_errors_;
    if (receiver_.count) status |= data_ready;
    if (!transmitter_.count) status |= holding_empty | transmitter_empty;
    line_errors_ = 0;
    update_irq();
    return status;
}

// A cable whose other end is always there; in loopback, our own outputs (8.6, bit 4).
u8 Uart::modem_lines() const {
    if (!loopback()) return carrier | dsr | cts;
    u8 lines = 0;
    if (modem_control_ & rts) lines |= cts;
    if (modem_control_ & dtr) lines |= dsr;
    if (modem_control_ & out1) lines |= ring;
    if (modem_control_ & out2) lines |= carrier;
    return lines;
}

u8 Uart::read_modem_status() {
    u8 status = modem_lines() | modem_deltas_;
    modem_deltas_ = 0;
    update_irq();
    return status;
}

void Uart::write_modem_control(u8 value) {
    u8 before = modem_lines();
    modem_control_ = value & 0x1F;
    u8 changed = before ^ modem_lines();
    modem_deltas_ |= (changed & (cts | dsr | carrier)) >> 4;
    if ((changed & ring) && (before & ring)) modem_deltas_ |= 0x04;  // trailing edge only
    update_irq();
    if (on_ready_to_receive_ && can_receive()) on_ready_to_receive_();
}

void Uart::write_fifo_control(u8 value) {
    bool switched = (value ^ fifo_control_) & 1;
    if (switched || ((value & 1) && (value & 2))) {
        receiver_ = {};
        timeout_timer_.stop();
        timeout_interrupt_ = false;
    }
    if (switched || ((value & 1) && (value & 4))) {
        if (transmitter_.count) transmit();
        holding_empty_interrupt_ = true;
    }
    fifo_control_ = (value & 1) ? value & 0xC9 : 0;
    update_irq();
    if (on_ready_to_receive_ && can_receive()) on_ready_to_receive_();
}

// Enabling the holding-register interrupt while the register is empty raises it at once.
void Uart::write_interrupt_enable(u8 value) {
    bool newly = (value & ~interrupt_enable_) & enable_holding_empty;
    interrupt_enable_ = value & 0x0F;
    if (newly && !transmitter_.count) holding_empty_interrupt_ = true;
    update_irq();
}

u32 Uart::read(u32 offset, u8) {
    catch_up();
    switch (offset) {
        case 0: return (line_control_ & divisor_access) ? divisor_ & 0xFF : read_receiver();
        case 1: return (line_control_ & divisor_access) ? divisor_ >> 8 : interrupt_enable_;
        case 2: return read_interrupt_identification();
        case 3: return line_control_;
        case 4: return modem_control_;
        case 5: return read_line_status();
        case 6: return read_modem_status();
        default: return scratch_;
    }
}

void Uart::write(u32 offset, u8, u32 value) {
    catch_up();
    u8 byte = static_cast<u8>(value);
    switch (offset) {
        case 0:
            if (line_control_ & divisor_access)
                divisor_ = (divisor_ & 0xFF00) | byte;
            else
                write_transmitter(byte);
            break;
        case 1:
            if (line_control_ & divisor_access)
                divisor_ = static_cast<u16>((divisor_ & 0xFF) | byte << 8);
            else
                write_interrupt_enable(byte);
            break;
        case 2: write_fifo_control(byte); break;
        case 3:
            if (loopback() && (byte & ~line_control_ & set_break)) {
                line_errors_ |= break_received;
                accept(0);
            }
            line_control_ = byte;
            break;
        case 4: write_modem_control(byte); break;
        case 7: scratch_ = byte; break;
        default: break;  // line and modem status: factory test only
    }
}

void Uart::serialize(Archive& a) {
    a.section(name(), 1);
    a(transmit_timer_, timeout_timer_, receiver_, transmitter_, last_received_);
    a(interrupt_enable_, fifo_control_, line_control_, modem_control_, scratch_, line_errors_, modem_deltas_);
    a(divisor_, holding_empty_interrupt_, timeout_interrupt_);
}

}  // namespace vellum
