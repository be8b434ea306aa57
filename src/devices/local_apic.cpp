// Registers, priorities and messages of the local APIC.
#include "devices/local_apic.hpp"

namespace vellum {

namespace {
enum : u32 {
    reg_id = 0x020,
    reg_version = 0x030,
    reg_task_priority = 0x080,
    reg_processor_priority = 0x0A0,
    reg_eoi = 0x0B0,
    reg_logical_destination = 0x0D0,
    reg_destination_format = 0x0E0,
    reg_spurious = 0x0F0,
    reg_in_service = 0x100,
    reg_trigger_mode = 0x180,
    reg_requests = 0x200,
    reg_error_status = 0x280,
    reg_command_low = 0x300,
    reg_command_high = 0x310,
    reg_lvt = 0x320,
    reg_initial_count = 0x380,
    reg_current_count = 0x390,
    reg_divide = 0x3E0
};

constexpr u64 base_at_reset = LocalApic::address_at_reset | 0x900;  // enabled, bootstrap processor
constexpr u32 version = 0x00050014;        // six LVT entries
constexpr u32 lvt_masked = 0x10000;
constexpr u8 error_send_vector = 0x20, error_receive_vector = 0x40, error_register = 0x80;
constexpr u8 first_legal_vector = 16;
constexpr u32 apic_id = 0;

// What a guest may write of each LVT entry (SDM 3A, figure 11-8).
constexpr std::array<u32, 6> lvt_writable{0x300FF, 0x107FF, 0x107FF, 0x1A7FF, 0x1A7FF, 0x100FF};
constexpr u32 lvt_timer_deadline = 0x40000;

constexpr DeliveryMode mode_of(u32 value) { return static_cast<DeliveryMode>((value >> 8) & 7); }
}  // namespace

std::optional<u8> LocalApic::Vectors::highest() const {
    for (int word = 7; word >= 0; --word)
        if (words_[word] != 0) return static_cast<u8>(word * 32 + 31 - __builtin_clz(words_[word]));
    return std::nullopt;
}

LocalApic::LocalApic(Bus& mmio, Scheduler& scheduler, Log& log, Callbacks callbacks)
    : mmio_{mmio},
      log_{log},
      callbacks_{std::move(callbacks)},
      timer_{scheduler, [this] { deliver_local(lvt_timer); }, callbacks_.time_of_tsc},
      base_{base_at_reset} {
    reset_registers();
    map();
}

void LocalApic::reset() {
    base_ = base_at_reset;
    reset_registers();
    map();
    update();
}

void LocalApic::reset_registers() {
    in_service_ = trigger_mode_ = requests_ = Vectors{};
    lvt_.fill(lvt_masked);
    spurious_ = 0xFF;
    logical_destination_ = 0;
    destination_format_ = ~0u;
    command_low_ = command_high_ = 0;
    task_priority_ = error_status_ = new_errors_ = 0;
    ext_int_ = false;
    timer_.reset();
}

void LocalApic::serialize(Archive& a) {
    a.section("local apic", 1);
    a(base_, in_service_, trigger_mode_, requests_, lvt_, spurious_, logical_destination_, destination_format_,
      command_low_, command_high_, task_priority_, error_status_, new_errors_, ext_int_, lint0_level_, lint1_level_,
      timer_);
    if (!a.loading()) return;
    constexpr u64 base_bits = 0xF'FFFF'F900;  // what a guest can write: address, enabled, bootstrap processor
    if (base_ & ~base_bits) {
        base_ &= base_bits;
        a.refuse();
    }
    map();
    output_ = false;
    accepted_pic_ = !accepts_pic();  // whoever listens looks again
    update();
}

void LocalApic::set_base(u64 msr_value) {
    const bool was_enabled = enabled();
    base_ = msr_value;
    // Switched off and on again it is as after reset (SDM 3A, 11.4.3).
    if (was_enabled && !enabled()) reset_registers();
    map();
    update();
}

void LocalApic::map() {
    if (mapped_) mmio_.release_movable(*mapped_, *this);
    mapped_.reset();
    const u64 address = base_ & 0xFFFFFF000;
    if (!enabled() || address > 0xFFFFF000) return;
    mapped_ = static_cast<u32>(address);
    mmio_.claim_movable("local apic", *mapped_, 0x1000, *this);
}

u8 LocalApic::processor_priority() const {
    const u8 served = in_service_.highest().value_or(0) & 0xF0;
    return (task_priority_ & 0xF0) >= served ? task_priority_ : served;
}

void LocalApic::update() {
    bool output = false;
    if (software_enabled()) {
        auto vector = requests_.highest();
        output = ext_int_ || (vector && (*vector & 0xF0) > (processor_priority() & 0xF0));
    }
    const bool accepts = accepts_pic();
    if (output == output_ && accepts == accepted_pic_) return;
    output_ = output;
    accepted_pic_ = accepts;
    callbacks_.on_output(output);
}

u8 LocalApic::acknowledge() {
    auto vector = requests_.highest();
    u8 answer = static_cast<u8>(spurious_);  // what waited has gone, or the priority has risen
    if (software_enabled() && vector && (*vector & 0xF0) > (processor_priority() & 0xF0)) {
        answer = *vector;
        requests_.clear(answer);
        in_service_.set(answer);
    } else if (ext_int_) {
        ext_int_ = false;
        answer = callbacks_.acknowledge_pic();
    }
    update();
    return answer;
}

bool LocalApic::accepts_pic() const {
    if (!software_enabled()) return true;
    return !(lvt_[lvt_lint0] & lvt_masked) && mode_of(lvt_[lvt_lint0]) == DeliveryMode::ExtInt;
}

bool LocalApic::matches(u8 destination, bool logical) const {
    if (!enabled()) return false;
    if (!logical) return destination == apic_id || destination == 0xFF;
    const u8 own = static_cast<u8>(logical_destination_ >> 24);
    if ((destination_format_ >> 28) == 0xF) return (own & destination) != 0;
    // Cluster model: the high half names the cluster, 15 means all of them.
    const bool cluster = (destination >> 4) == 0xF || (destination >> 4) == (own >> 4);
    return cluster && (own & destination & 0x0F) != 0;
}

bool LocalApic::deliver(u8 vector, bool level, DeliveryMode mode) {
    if (!enabled()) return false;
    switch (mode) {
        case DeliveryMode::Fixed:
        case DeliveryMode::LowestPriority:
            if (!software_enabled()) return false;
            if (vector < first_legal_vector) {
                raise_error(error_receive_vector);
                return true;
            }
            requests_.set(vector);
            level ? trigger_mode_.set(vector) : trigger_mode_.clear(vector);
            break;
        case DeliveryMode::Nmi: callbacks_.on_nmi(); return true;
        case DeliveryMode::ExtInt: ext_int_ = true; break;
        default: log_.once(Topic::Irq, "local apic: delivery mode {} ignored", static_cast<u8>(mode)); return true;
    }
    update();
    return true;
}

void LocalApic::deliver_local(u8 entry) {
    const u32 lvt = lvt_[entry];
    if (lvt & lvt_masked) return;
    const bool is_pin_or_counter = entry != lvt_timer && entry != lvt_error;
    const auto mode = is_pin_or_counter ? mode_of(lvt) : DeliveryMode::Fixed;
    if (mode == DeliveryMode::ExtInt) return;  // the processor asks accepts_pic() instead
    deliver(static_cast<u8>(lvt), false, mode);
}

void LocalApic::set_pin(bool& pin, bool level, u8 entry) {
    const bool rises = level && !pin;
    pin = level;
    if (!rises) return;
    // An APIC that is switched off connects LINT1 to NMI (SDM 3A, 11.4.3).
    if (enabled())
        deliver_local(entry);
    else if (entry == lvt_lint1)
        callbacks_.on_nmi();
}

void LocalApic::raise_error(u8 error) {
    new_errors_ |= error;
    const u8 vector = static_cast<u8>(lvt_[lvt_error]);
    // An error interrupt whose own vector is illegal must not raise another one.
    if (vector < first_legal_vector) return;
    deliver_local(lvt_error);
}

u32 LocalApic::read(u32 offset, u8 size) {
    // Registers are 32 bits wide at every sixteenth byte; other widths are undefined (SDM 3A, 11.4.1).
    if ((offset & 0xF) + size > 4) return 0;
    return read_register(offset & ~0xFu) >> (8 * (offset & 3));
}

void LocalApic::write(u32 offset, u8 size, u32 value) {
    if (size != 4 || (offset & 0xF) != 0) {
        log_.once(Topic::Irq, "local apic: {}-byte write at {:03x} ignored", size, offset);
        return;
    }
    write_register(offset, value);
    update();
}

u32 LocalApic::read_register(u32 offset) {
    const u32 index = (offset >> 4) & 7;
    switch (offset) {
        case reg_id: return apic_id << 24;
        case reg_version: return version;
        case reg_task_priority: return task_priority_;
        case reg_processor_priority: return processor_priority();
        case reg_logical_destination: return logical_destination_;
        case reg_destination_format: return destination_format_;
        case reg_spurious: return spurious_;
        case reg_error_status: return error_status_;
        case reg_command_low: return command_low_;
        case reg_command_high: return command_high_;
        case reg_initial_count: return timer_.initial_count();
        case reg_current_count: return timer_.current_count();
        case reg_divide: return timer_.divide();
        default: break;
    }
    if (offset >= reg_in_service && offset < reg_in_service + 0x80) return in_service_.word(index);
    if (offset >= reg_trigger_mode && offset < reg_trigger_mode + 0x80) return trigger_mode_.word(index);
    if (offset >= reg_requests && offset < reg_requests + 0x80) return requests_.word(index);
    if (offset >= reg_lvt && offset < reg_lvt + 0x10 * lvt_count) return lvt_[(offset - reg_lvt) >> 4];
    if (offset != reg_eoi) {
        log_.once(Topic::Irq, "local apic: read of reserved register {:03x}", offset);
        raise_error(error_register);
        update();
    }
    return 0;
}

void LocalApic::write_register(u32 offset, u32 value) {
    switch (offset) {
        case reg_id:
        case reg_version:
        case reg_processor_priority:
        case reg_current_count: return;  // read-only
        case reg_task_priority: task_priority_ = static_cast<u8>(value); return;
        case reg_eoi: end_of_interrupt(); return;
        case reg_logical_destination: logical_destination_ = value & 0xFF000000; return;
        case reg_destination_format: destination_format_ = value | 0x0FFFFFFF; return;
        case reg_spurious: write_spurious(value); return;
        case reg_error_status:
            // A write makes visible what has come up since the last one (SDM 3A, 11.5.3).
            error_status_ = new_errors_;
            new_errors_ = 0;
            return;
        case reg_command_low: write_command(value); return;
        case reg_command_high: command_high_ = value & 0xFF000000; return;
        case reg_initial_count: timer_.set_initial_count(value); return;
        case reg_divide: timer_.set_divide(static_cast<u8>(value)); return;
        default: break;
    }
    if (offset >= reg_lvt && offset < reg_lvt + 0x10 * lvt_count) {
        write_lvt(static_cast<u8>((offset - reg_lvt) >> 4), value);
    } else {
        log_.once(Topic::Irq, "local apic: write of reserved register {:03x}", offset);
        raise_error(error_register);
    }
}

void LocalApic::write_spurious(u32 value) {
    spurious_ = value & 0x3FF;
    if (spurious_ & 0x100) return;
    // Software disable masks the whole local vector table (SDM 3A, 11.4.7.2).
    for (u32& entry : lvt_) entry |= lvt_masked;
    apply_timer_lvt();
}

void LocalApic::write_lvt(u8 entry, u32 value) {
    u32 writable = lvt_writable[entry];
    if (entry == lvt_timer && timer_.has_deadline_mode()) writable |= lvt_timer_deadline;
    lvt_[entry] = (value & writable) | (software_enabled() ? 0 : lvt_masked);
    if (entry == lvt_timer) apply_timer_lvt();
}

void LocalApic::apply_timer_lvt() {
    const u32 mode = (lvt_[lvt_timer] >> 17) & 3;
    timer_.set_mode(mode == 3 ? ApicTimer::Mode::OneShot : static_cast<ApicTimer::Mode>(mode));
    timer_.set_wanted(!(lvt_[lvt_timer] & lvt_masked));
}

void LocalApic::end_of_interrupt() {
    auto vector = in_service_.highest();
    if (!vector) return;
    in_service_.clear(*vector);
    if (trigger_mode_.test(*vector)) callbacks_.on_eoi(*vector);
}

// Vector (7-0), mode (10-8), logical (11), assert (14), level (15), shorthand (19-18: none, self, all, others).
void LocalApic::write_command(u32 value) {
    command_low_ = value & 0x000CCFFF;
    const u8 vector = static_cast<u8>(value);
    const u32 shorthand = (value >> 18) & 3;
    const auto mode = mode_of(value);
    const bool to_self = shorthand == 0 ? matches(static_cast<u8>(command_high_ >> 24), value & 0x800) : shorthand != 3;
    const bool needs_vector = mode == DeliveryMode::Fixed || mode == DeliveryMode::LowestPriority;
    if (needs_vector && vector < first_legal_vector) return raise_error(error_send_vector);
    if (!to_self) return log_.once(Topic::Irq, "local apic: no other processor for command {:08x}", value);
    if (needs_vector || mode == DeliveryMode::Nmi)
        deliver(vector, false, mode);
    else
        log_.once(Topic::Irq, "local apic: command {:08x} to itself ignored", value);
}

}  // namespace vellum
