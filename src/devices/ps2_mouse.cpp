// Packets and commands of the mouse.
#include "devices/ps2_mouse.hpp"

#include <algorithm>
#include <cstdlib>

namespace vellum {

namespace {

constexpr i32 most_motion = 1 << 11;  // of what adds up while nobody reads
constexpr u8 error_reply = 0xFC;

// 2:1 scaling (IBM, "Mouse scaling"): small movements are slowed, large ones doubled.
i32 scaled_2_to_1(i32 distance) {
    constexpr i32 table[] = {0, 1, 1, 3, 6, 9};
    i32 size = std::abs(distance), result = size < 6 ? table[size] : 2 * size;
    return distance < 0 ? -result : result;
}

}  // namespace

Ps2Mouse::Ps2Mouse(Scheduler& scheduler, Log& log)
    : log_{log}, sample_timer_{scheduler, [this] {
                                   send_next();
                                   announce();
                               }} {}

void Ps2Mouse::Motion::add(const MouseEvent& event) {
    // The sum of two values of 32 bits must not overflow.
    auto sum = [](i32 a, i32 b) { return a + std::clamp(b, -most_motion, most_motion); };
    dx = std::clamp(sum(dx, event.dx), -most_motion, most_motion);
    dy = std::clamp(sum(dy, event.dy), -most_motion, most_motion);
    wheel = std::clamp(sum(wheel, event.wheel), -most_motion, most_motion);
    buttons = event.buttons & 7;
}

void Ps2Mouse::defaults() {
    sample_rate_ = 100;
    resolution_ = 2;
    double_scaling_ = false;
    enabled_ = false;
    mode_ = Mode::Stream;
    forget_motion();
}

void Ps2Mouse::forget_motion() {
    sample_timer_.stop();
    packet_.clear();
    motions_ = {};
    motion_count_ = 0;
}

void Ps2Mouse::reset() {
    defaults();
    replies_.clear();
    wheel_ = false;
    buttons_ = sent_buttons_ = waiting_for_ = last_sent_ = 0;
    earlier_rates_ = {};
}

void Ps2Mouse::move(const MouseEvent& event) {
    buttons_ = event.buttons & 7;
    if (!enabled_ || mode_ == Mode::Wrap) return;
    Motion* last = motion_count_ ? &motions_[motion_count_ - 1] : nullptr;
    u8 known = last ? last->buttons : sent_buttons_;
    bool new_entry = !last || (known != buttons_ && motion_count_ < motions_.size());
    if (!last && known == buttons_ && event.dx == 0 && event.dy == 0 && event.wheel == 0) return;
    if (new_entry) motions_[motion_count_++] = {};
    motions_[motion_count_ - 1].add(event);
    if (mode_ != Mode::Stream) return;
    send_next();
    announce();
}

// The next packet, when the last one has been read and the sample period is over.
void Ps2Mouse::send_next() {
    if (!reporting() || motion_count_ == 0 || !packet_.empty() || sample_timer_.active()) return;
    put_packet(packet_, double_scaling_);
    sample_timer_.start_in(second / sample_rate_);
}

// |y overflow|x overflow|y sign|x sign|1|middle|right|left|, x, y (upwards), wheel. What does not fit waits.
template <typename Queue>
void Ps2Mouse::put_packet(Queue& queue, bool scaled) {
    Motion& motion = motions_[0];
    if (motion_count_ == 0) motion = {0, 0, 0, buttons_};
    i32 most = scaled ? 127 : 255;
    i32 dx = std::clamp(motion.dx, -most, most), dy = std::clamp(motion.dy, -most, most);
    i32 wheel = wheel_ ? std::clamp(motion.wheel, -8, 7) : motion.wheel;
    motion.dx -= dx;
    motion.dy -= dy;
    motion.wheel -= wheel;
    i32 x = scaled ? scaled_2_to_1(dx) : dx, y = scaled ? scaled_2_to_1(-dy) : -dy;
    queue.push(static_cast<u8>(8 | motion.buttons | (x < 0) << 4 | (y < 0) << 5));
    queue.push(static_cast<u8>(x));
    queue.push(static_cast<u8>(y));
    if (wheel_) queue.push(static_cast<u8>(wheel));
    sent_buttons_ = motion.buttons;
    if (motion_count_ == 0 || !motion.still()) return;
    std::copy(motions_.begin() + 1, motions_.begin() + motion_count_, motions_.begin());
    --motion_count_;
}

u8 Ps2Mouse::take_byte() {
    bool answer = !replies_.empty();
    u8 byte = answer ? replies_.pop() : packet_.pop();
    if (byte != ps2_resend) last_sent_ = byte;
    if (!answer) send_next();
    return byte;
}

void Ps2Mouse::reply(std::initializer_list<u8> bytes) {
    for (u8 byte : bytes) replies_.push(byte);
}

// |0|remote|enabled|2:1|0|left|middle|right|, resolution, sample rate
void Ps2Mouse::report_status() {
    u8 flags = static_cast<u8>((mode_ == Mode::Remote) << 6 | enabled_ << 5 | double_scaling_ << 4);
    u8 buttons = static_cast<u8>((buttons_ & 1) << 2 | (buttons_ & 4) >> 1 | (buttons_ & 2) >> 1);
    reply({ps2_acknowledge, static_cast<u8>(flags | buttons), resolution_, sample_rate_});
}

void Ps2Mouse::argument(u8 byte) {
    u8 command_byte = waiting_for_;
    waiting_for_ = 0;
    if (command_byte == 0xE8) {
        if (byte > 3) return reply({error_reply});
        resolution_ = byte;
        return reply({ps2_acknowledge});
    }
    if (byte < 10 || byte > 200) return reply({error_reply});
    sample_rate_ = byte;
    // Rates of 200, 100 and 80 in a row ask for the wheel.
    if (earlier_rates_ == std::array<u8, 2>{200, 100} && byte == 80) wheel_ = true;
    earlier_rates_ = {earlier_rates_[1], byte};
    reply({ps2_acknowledge});
}

void Ps2Mouse::command(u8 byte) {
    replies_.clear();
    packet_.clear();
    if (mode_ == Mode::Wrap && byte != 0xFF && byte != 0xEC) {
        reply({byte});
        return announce();
    }
    if (waiting_for_) {
        argument(byte);
        return announce();
    }
    switch (byte) {
        case 0xE6:
        case 0xE7: double_scaling_ = byte == 0xE7; break;
        case 0xE8:
        case 0xF3: waiting_for_ = byte; break;
        case 0xE9: report_status(); return announce();
        case 0xEA:
        case 0xF0:
            mode_ = byte == 0xEA ? Mode::Stream : Mode::Remote;
            forget_motion();
            break;
        case 0xEB:
            reply({ps2_acknowledge});
            put_packet(replies_, false);
            return announce();
        case 0xEC:
            if (mode_ == Mode::Wrap) mode_ = wrapped_mode_;
            break;
        case 0xEE:
            wrapped_mode_ = mode_;
            mode_ = Mode::Wrap;
            break;
        case 0xF2: reply({ps2_acknowledge, static_cast<u8>(wheel_ ? 3 : 0)}); return announce();
        case 0xF4:
        case 0xF5:
            enabled_ = byte == 0xF4;
            forget_motion();
            break;
        case 0xF6: defaults(); break;
        case 0xFE: reply({last_sent_}); return announce();
        case 0xFF:
            defaults();
            wheel_ = false;
            earlier_rates_ = {};
            reply({ps2_acknowledge, ps2_self_test_passed, 0});
            return announce();
        default:
            log_.once(Topic::Input, "mouse: command {:02x}h is unknown", byte);
            reply({ps2_resend});
            return announce();
    }
    reply({ps2_acknowledge});
    announce();
}

void Ps2Mouse::serialize(Archive& a) {
    a.section(name(), 1);
    a(sample_timer_, replies_, packet_, motions_, motion_count_, buttons_, sent_buttons_, mode_, wrapped_mode_);
    a(enabled_, double_scaling_, wheel_, sample_rate_, resolution_, waiting_for_, last_sent_, earlier_rates_);
    if (motion_count_ > motions_.size() || mode_ > Mode::Wrap || wrapped_mode_ > Mode::Wrap || sample_rate_ < 10) {
        reset();
        a.refuse();
    }
}

}  // namespace vellum
