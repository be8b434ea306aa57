// A PS/2 keyboard: keys become scan codes of set 1, 2 or 3, commands are answered, held keys repeat (IBM PS/2
// Technical Reference, "Keyboards 101/102-key").
#pragma once

#include <bitset>

#include "base/log.hpp"
#include "base/scheduler.hpp"
#include "devices/device.hpp"
#include "devices/input.hpp"
#include "devices/ps2_device.hpp"

namespace vellum {

class Ps2Keyboard final : public Device, public Ps2Device {
 public:
    // `on_leds` hears bit 0 scroll lock, bit 1 num lock, bit 2 caps lock. It may be empty.
    Ps2Keyboard(Scheduler& scheduler, Log& log, std::function<void(u8)> on_leds = {});

    // The keyboard repeats by itself: a second "down" of a held key is ignored. A key for which the queue has no room
    // is lost together with its release.
    void key(KeyEvent event);
    // Whether everything typed has been read: who types text for a person waits for it.
    bool idle() const { return codes_.empty(); }

    // Whether key() would take one more key that goes down.
    bool has_room() const { return codes_.room() >= codes_.capacity() / 2; }

    std::string_view name() const override { return "ps2 keyboard"; }
    void reset() override;
    void serialize(Archive&) override;
    bool has_byte() const override { return !replies_.empty() || (scanning_ && !codes_.empty()); }
    u8 take_byte() override;
    void command(u8 byte) override;

 private:
    enum class KeyType : u8 { MakeBreakTypematic, Typematic, MakeBreak, Make };

    void defaults();
    void argument(u8 byte);
    void reply(std::initializer_list<u8> bytes);
    void emit(u8 usage, bool down);
    void emit_set3(u8 usage, bool down);
    void emit_set2(std::initializer_list<u8> bytes);
    void emit_plain(u8 usage, bool down);
    void repeat();
    Nanoseconds repeat_period() const;
    bool held(u8 usage) const { return held_[usage]; }

    Log& log_;
    std::function<void(u8)> on_leds_;
    Timer repeat_timer_;
    ByteQueue<8> replies_;
    ByteQueue<256> codes_;
    std::bitset<256> held_;
    std::bitset<256> reported_;  // held, and the host has been told
    u8 scan_code_set_ = 2;
    KeyType key_type_ = KeyType::MakeBreakTypematic;  // of all keys, in set 3
    u8 waiting_for_ = 0;                              // a command whose argument has not come yet
    u8 typematic_ = 0x2B;
    u8 leds_ = 0;
    u8 repeating_ = 0;  // usage
    u8 last_sent_ = 0;
    bool scanning_ = true;
};

}  // namespace vellum
