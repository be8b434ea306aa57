// A PS/2 mouse with three buttons and, after the right knock, a wheel (IBM PS/2 Technical Reference, "Mouse"; Microsoft
// IntelliMouse protocol).
#pragma once

#include "base/log.hpp"
#include "base/scheduler.hpp"
#include "devices/device.hpp"
#include "devices/input.hpp"
#include "devices/ps2_device.hpp"

namespace vellum {

class Ps2Mouse final : public Device, public Ps2Device {
 public:
    Ps2Mouse(Scheduler& scheduler, Log& log);

    // Movement that the guest has not read yet adds up; changes of buttons keep their order.
    void move(const MouseEvent& event);
    bool reporting() const { return enabled_ && mode_ == Mode::Stream; }

    std::string_view name() const override { return "ps2 mouse"; }
    void reset() override;
    void serialize(Archive&) override;
    bool has_byte() const override { return !replies_.empty() || !packet_.empty(); }
    u8 take_byte() override;
    void command(u8 byte) override;

 private:
    enum class Mode : u8 { Stream, Remote, Wrap };
    struct Motion {
        i32 dx = 0, dy = 0, wheel = 0;
        u8 buttons = 0;
        bool still() const { return dx == 0 && dy == 0 && wheel == 0; }
        void add(const MouseEvent& event);
        void serialize(Archive& a) { a(dx, dy, wheel, buttons); }
    };

    void defaults();
    void argument(u8 byte);
    void reply(std::initializer_list<u8> bytes);
    void report_status();
    void send_next();
    template <typename Queue>
    void put_packet(Queue& queue, bool scaled);
    void forget_motion();

    Log& log_;
    Timer sample_timer_;
    ByteQueue<8> replies_;
    ByteQueue<4> packet_;
    std::array<Motion, 16> motions_{};  // the last may still grow
    u8 motion_count_ = 0;
    u8 buttons_ = 0;       // as they are
    u8 sent_buttons_ = 0;  // as the host knows them
    Mode mode_ = Mode::Stream, wrapped_mode_ = Mode::Stream;
    bool enabled_ = false, double_scaling_ = false, wheel_ = false;
    u8 sample_rate_ = 100, resolution_ = 2;
    u8 waiting_for_ = 0;
    u8 last_sent_ = 0;
    std::array<u8, 2> earlier_rates_{};
};

}  // namespace vellum
