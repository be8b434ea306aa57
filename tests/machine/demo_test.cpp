// The demonstration guest (roms/demo.S) from power-on to power-off.
#include <catch2/catch.hpp>

#include "machine/guest_run.hpp"
#include "roms/embedded.hpp"

using namespace vellum;

namespace {

constexpr u8 key_a = 0x04, key_escape = 0x29, key_f1 = 0x3A, key_up = 0x52;

// Rectangles of the picture, in pixels.
struct Part {
    u32 left, top, width, height;
};
constexpr Part letter_l{275, 90, 9, 70};  // inside of a stroke of the title
constexpr Part lights{0, 150, 90, 120};   // beside the title
constexpr Part label{64, 365, 40, 16};    // "ticks"
constexpr Part typed{112, 400, 8, 16};    // the first character typed

std::vector<u32> pixels(const Picture& picture, Part part) {
    REQUIRE(picture.width == 640);
    REQUIRE(picture.height == 480);
    std::vector<u32> out;
    for (u32 y = part.top; y < part.top + part.height; ++y)
        for (u32 x = part.left; x < part.left + part.width; ++x) out.push_back(picture.pixels[y * picture.width + x]);
    return out;
}

struct Demo : GuestRun {
    explicit Demo(EngineKind engine) : GuestRun{engine, roms::demo(), ""} { run_until_printed("vellum demo: ready\n"); }
    std::vector<u32> shown(Part part) { return pixels(picture(), part); }
};

}  // namespace

TEST_CASE("demo: the lights move with the ticks, the title stands") {
    Demo demo{GENERATE(EngineKind::Interp, EngineKind::Bt)};
    demo.run_for(50 * millisecond);
    auto lights_before = demo.shown(lights), letter_before = demo.shown(letter_l);
    demo.run_for(100 * millisecond);
    CHECK(demo.shown(lights) != lights_before);
    CHECK(demo.shown(letter_l) == letter_before);
    CHECK((letter_before[0] & 0xFF0000) >= 0xE00000);  // light, between white and gold
}

TEST_CASE("demo: keys are reported and typed characters are shown") {
    Demo demo{GENERATE(EngineKind::Interp, EngineKind::Bt)};
    demo.run_for(50 * millisecond);
    auto before = demo.shown(typed);  // a cursor or nothing
    demo.press(key_a);
    demo.run_until_printed("key 1E\n");
    demo.press(key_up);
    demo.run_until_printed("key E0 48\n");
    demo.run_for(50 * millisecond);
    CHECK(demo.shown(typed) != before);
}

TEST_CASE("demo: F1 shows help, and F1 again the clock") {
    Demo demo{GENERATE(EngineKind::Interp, EngineKind::Bt)};
    demo.run_for(50 * millisecond);
    auto clock = demo.shown(label);
    demo.press(key_f1);
    demo.run_for(50 * millisecond);
    CHECK(demo.shown(label) != clock);
    demo.press(key_f1);
    demo.run_for(50 * millisecond);
    CHECK(demo.shown(label) == clock);
}

TEST_CASE("demo: Esc switches the machine off") {
    Demo demo{GENERATE(EngineKind::Interp, EngineKind::Bt)};
    demo.press(key_escape);
    Machine::Slice slice;
    do slice = demo.run_slice();
    while (slice.kind == Machine::Slice::Kind::Stopped);
    CHECK(slice.kind == Machine::Slice::Kind::Ended);
    CHECK(slice.exit_status == exit_status::ok);
}

TEST_CASE("demo: both engines draw the same picture at the same instruction") {
    Demo interpreted{EngineKind::Interp}, translated{EngineKind::Bt};
    interpreted.run_for(50 * millisecond);
    translated.run_for(50 * millisecond);
    CHECK(interpreted.guest_time() == translated.guest_time());
    CHECK(interpreted.picture().pixels == translated.picture().pixels);
}
