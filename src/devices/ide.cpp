// The cable: who hears a write, who answers a read.
#include "devices/ide.hpp"

#include "base/check.hpp"

namespace vellum {

namespace {

constexpr u8 interrupts_off = 0x02, soft_reset = 0x04, high_order = 0x80;  // device control
constexpr u8 execute_diagnostic = 0x90;

}  // namespace

IdeChannel::IdeChannel(Bus& ports, u16 command, u16 control, IrqLine irq, BusMaster& bus_master)
    : irq_{irq}, bus_master_{bus_master} {
    ports.claim("ide command block", command, 8, command_block_);
    ports.claim("ide control block", control, 1, control_block_);
    bus_master_.on_start([this] {
        if (selected()) selected()->dma_started();
    });
}

void IdeChannel::attach(u8 unit, std::unique_ptr<IdeDrive> drive) {
    check(unit < 2 && !drives_[unit], "two IDE drives in one place");
    drives_[unit] = std::move(drive);
    drives_[unit]->on_interrupt_changed([this] { update_irq(); });
    drives_[unit]->reset();
}

void IdeChannel::update_irq() {
    bool level = selected() && selected()->interrupt() && !(control_ & interrupts_off);
    if (level == line_) return;
    line_ = level;
    irq_.set(level);
    if (level) bus_master_.interrupt_raised();
}

u32 IdeChannel::CommandBlock::read(u32 offset, u8 size) {
    if (offset == 0) return channel.selected() ? channel.selected()->read_data(size) : 0;
    u32 value = 0;
    for (u8 i = 0; i < size; ++i) value |= u32{channel.read_register(IdeRegister(offset + i))} << (8 * i);
    return value;
}

void IdeChannel::CommandBlock::write(u32 offset, u8 size, u32 value) {
    if (offset == 0) {
        if (channel.selected()) channel.selected()->write_data(size, value);
        return;
    }
    for (u8 i = 0; i < size; ++i) channel.write_register(IdeRegister(offset + i), (value >> (8 * i)) & 0xFF);
}

u8 IdeChannel::read_register(IdeRegister index) {
    bool previous = control_ & high_order;
    if (selected()) return selected()->read_register(index, previous);
    if (!other() || index == IdeRegister::Status || index == IdeRegister::Error) return 0;
    return other()->read_register(index, previous);
}

// Both drives hear everything but data and commands; only the selected one obeys.
void IdeChannel::write_register(IdeRegister index, u8 value) {
    control_ &= ~high_order;
    if (index == IdeRegister::Status) return command(value);
    for (auto& drive : drives_)
        if (drive) drive->write_register(index, value);
    if (index != IdeRegister::Device) return;
    unit_ = (value >> 4) & 1;
    update_irq();
}

void IdeChannel::command(u8 value) {
    if (value != execute_diagnostic) {
        if (selected()) selected()->start(value);
        return;
    }
    unit_ = 0;
    for (auto& drive : drives_)
        if (drive) drive->diagnose(drive == drives_[0]);
    update_irq();
}

u8 IdeChannel::alternate_status() { return selected() ? selected()->alternate_status() : 0; }

void IdeChannel::write_control(u8 value) {
    bool was_reset = control_ & soft_reset, is_reset = value & soft_reset;
    control_ = value;
    if (was_reset != is_reset) {
        unit_ = 0;
        for (auto& drive : drives_)
            if (drive) is_reset ? drive->begin_soft_reset() : drive->end_soft_reset();
    }
    update_irq();
}

void IdeChannel::reset() {
    unit_ = control_ = 0;
    for (auto& drive : drives_)
        if (drive) drive->reset();
    update_irq();
}

void IdeChannel::serialize(Archive& a) {
    bool master = has_drive(0), slave = has_drive(1);
    a(unit_, control_, line_, master, slave);
    if (unit_ > 1 || master != has_drive(0) || slave != has_drive(1)) {
        unit_ = 0;
        return a.refuse();
    }
    for (auto& drive : drives_)
        if (drive) drive->serialize(a);
}

}  // namespace vellum
