// Keys to scan codes; the keyboard's command set.
#include "devices/ps2_keyboard.hpp"

#include "devices/scan_codes.hpp"

namespace vellum {

namespace {

constexpr u8 extended = 0xE0, release = 0xF0;
constexpr u32 longest_sequence = 8;  // Pause
constexpr u8 identity[] = {0xAB, 0x83};

}  // namespace

Ps2Keyboard::Ps2Keyboard(Scheduler& scheduler, Log& log, std::function<void(u8)> on_leds)
    : log_{log}, on_leds_{std::move(on_leds)}, repeat_timer_{scheduler, [this] { repeat(); }} {}

void Ps2Keyboard::defaults() {
    codes_.clear();
    scan_code_set_ = 2;
    key_type_ = KeyType::MakeBreakTypematic;
    typematic_ = 0x2B;  // 500 ms, 10.9 characters a second
    repeat_timer_.stop();
}

void Ps2Keyboard::reset() {
    defaults();
    replies_.clear();
    held_.reset();
    reported_.reset();
    waiting_for_ = leds_ = repeating_ = last_sent_ = 0;
    scanning_ = true;
}

void Ps2Keyboard::key(KeyEvent event) {
    if (!scan_codes[event.usage].set2 || held(event.usage) == event.down) return;
    held_[event.usage] = event.down;
    if (!event.down && repeating_ == event.usage) repeat_timer_.stop();
    if (event.down ? !scanning_ : !reported_[event.usage]) return;
    // Half of the room is kept for releases, so that a key that went in also comes out.
    if (codes_.room() < (event.down ? codes_.capacity() / 2 : longest_sequence)) {
        log_.once(Topic::Input, "keyboard queue full, keys are lost");
        return;
    }
    reported_[event.usage] = event.down;
    emit(event.usage, event.down);
    bool repeats = scan_code_set_ != 3 || key_type_ <= KeyType::Typematic;
    if (event.down && repeats && event.usage != usage_pause) {
        repeating_ = event.usage;
        repeat_timer_.start_in((1 + ((typematic_ >> 5) & 3)) * 250 * millisecond);
    }
    announce();
}

// Typematic byte: |0|delay: (n + 1) * 250 ms|B|A|, period = (8 + A) * 2^B * 4.17 ms.
Nanoseconds Ps2Keyboard::repeat_period() const {
    return ((8u + (typematic_ & 7)) << ((typematic_ >> 3) & 3)) * 4170 * microsecond;
}

void Ps2Keyboard::repeat() {
    if (!scanning_ || !reported_[repeating_]) return;
    if (codes_.room() > codes_.capacity() / 2 && idle()) emit(repeating_, true);
    repeat_timer_.start_in(repeat_period());
    announce();
}

void Ps2Keyboard::emit_set2(std::initializer_list<u8> bytes) {
    bool released = false;
    for (u8 byte : bytes) {
        if (scan_code_set_ != 1) {
            codes_.push(byte);
        } else if (byte == release) {
            released = true;
        } else {
            codes_.push(set2_to_set1[byte] | (released ? 0x80 : 0));
            released = false;
        }
    }
}

void Ps2Keyboard::emit_set3(u8 usage, bool down) {
    u8 code = scan_codes[usage].set3;
    if (!code) return;
    bool breaks = key_type_ == KeyType::MakeBreakTypematic || key_type_ == KeyType::MakeBreak;
    if (!down && !breaks) return;
    if (!down) codes_.push(release);
    codes_.push(code);
}

void Ps2Keyboard::emit_plain(u8 usage, bool down) {
    const ScanCode& code = scan_codes[usage];
    if (code.extended && down)
        emit_set2({extended, code.set2});
    else if (code.extended)
        emit_set2({extended, release, code.set2});
    else if (down)
        emit_set2({code.set2});
    else
        emit_set2({release, code.set2});
}

void Ps2Keyboard::emit(u8 usage, bool down) {
    bool control = held(usage_left_control) || held(usage_right_control);
    bool alt = held(usage_left_alt) || held(usage_right_alt);
    bool shift = held(usage_left_shift) || held(usage_right_shift);
    if (scan_code_set_ == 3) return emit_set3(usage, down);
    if (usage == usage_pause) {
        // Pause has no release; with Ctrl it is Break.
        if (down && control) emit_set2({extended, 0x7E, extended, release, 0x7E});
        if (down && !control) emit_set2({0xE1, 0x14, 0x77, 0xE1, release, 0x14, release, 0x77});
        return;
    }
    if (usage != usage_print_screen) return emit_plain(usage, down);
    // PrintScreen brings a shift of its own, unless one is down; with Alt it is SysRq.
    if (alt && down) return emit_set2({0x84});
    if (alt) return emit_set2({release, 0x84});
    if (control || shift) return emit_plain(usage, down);
    if (down) return emit_set2({extended, 0x12, extended, 0x7C});
    emit_set2({extended, release, 0x7C, extended, release, 0x12});
}

u8 Ps2Keyboard::take_byte() {
    u8 byte = replies_.empty() ? codes_.pop() : replies_.pop();
    if (byte != ps2_resend) last_sent_ = byte;
    return byte;
}

void Ps2Keyboard::reply(std::initializer_list<u8> bytes) {
    for (u8 byte : bytes) replies_.push(byte);
}

void Ps2Keyboard::argument(u8 byte) {
    u8 command_byte = waiting_for_;
    waiting_for_ = 0;
    reply({ps2_acknowledge});
    if (command_byte == 0xED) {
        leds_ = byte & 7;
        if (on_leds_) on_leds_(leds_);
    } else if (command_byte == 0xF3) {
        typematic_ = byte & 0x7F;
    } else if (command_byte == 0xF0) {
        if (byte == 0) reply({scan_code_set_});
        if (byte >= 1 && byte <= 3) {
            scan_code_set_ = byte;
            codes_.clear();
        }
    }  // FBh-FDh name single keys of set 3: taken, but all keys stay of one type
}

void Ps2Keyboard::command(u8 byte) {
    bool lists_keys = waiting_for_ >= 0xFB && waiting_for_ <= 0xFD;
    if (waiting_for_ && (!lists_keys || byte < 0xED)) {
        u8 before = waiting_for_;
        argument(byte);
        if (lists_keys) waiting_for_ = before;  // more keys may follow, up to the next command
        return announce();
    }
    waiting_for_ = 0;
    switch (byte) {
        case 0xED:  // LEDs
        case 0xF0:  // scan code set
        case 0xF3:  // typematic rate and delay
        case 0xFB:
        case 0xFC:
        case 0xFD:
            waiting_for_ = byte;
            reply({ps2_acknowledge});
            break;
        case 0xEE: reply({0xEE}); break;  // echo
        case 0xF2: reply({ps2_acknowledge, identity[0], identity[1]}); break;
        case 0xF4:
            codes_.clear();
            scanning_ = true;
            reply({ps2_acknowledge});
            break;
        case 0xF5:
        case 0xF6:
            defaults();
            reported_.reset();
            scanning_ = byte == 0xF6;
            reply({ps2_acknowledge});
            break;
        case 0xF7:
        case 0xF8:
        case 0xF9:
        case 0xFA: {
            constexpr KeyType types[] = {KeyType::Typematic, KeyType::MakeBreak, KeyType::Make,
                                         KeyType::MakeBreakTypematic};
            key_type_ = types[byte - 0xF7];
            reply({ps2_acknowledge});
            break;
        }
        case 0xFE: reply({last_sent_}); break;
        case 0xFF:
            defaults();
            reported_.reset();
            replies_.clear();
            scanning_ = true;
            reply({ps2_acknowledge, ps2_self_test_passed});
            break;
        default:
            log_.once(Topic::Input, "keyboard: command {:02x}h is unknown", byte);
            reply({ps2_resend});
            break;
    }
    announce();
}

void Ps2Keyboard::serialize(Archive& a) {
    a.section(name(), 1);
    a(repeat_timer_, replies_, codes_);
    for (u32 usage = 0; usage < held_.size(); ++usage) {
        bool down = held_[usage], told = reported_[usage];
        a(down, told);
        held_[usage] = down;
        reported_[usage] = told;
    }
    a(scan_code_set_, key_type_, waiting_for_, typematic_, leds_, repeating_, last_sent_, scanning_);
    if (scan_code_set_ < 1 || scan_code_set_ > 3 || key_type_ > KeyType::Make || typematic_ > 0x7F) a.refuse();
    if (a.loading() && on_leds_) on_leds_(leds_);
}

}  // namespace vellum
