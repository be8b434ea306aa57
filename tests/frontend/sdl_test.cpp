// The window, on SDL's dummy display.
#include "frontend/sdl.hpp"

#include <SDL.h>

#include <catch2/catch.hpp>
#include <cstdlib>

#include "base/host_error.hpp"
#include "fake_machine.hpp"
#include "frontend/choose_display.hpp"
#include "frontend/sdl_input.hpp"
#include "frontend/sdl_window.hpp"
#include "frontend/status_text.hpp"

using namespace vellum;

namespace {

void push_key(SDL_Scancode code, bool down, Uint16 modifiers = 0) {
    SDL_Event event{};
    event.type = down ? SDL_KEYDOWN : SDL_KEYUP;
    event.key.keysym.scancode = code;
    event.key.keysym.mod = modifiers;
    SDL_PushEvent(&event);
}

void push(Uint32 type) {
    SDL_Event event{};
    event.type = type;
    SDL_PushEvent(&event);
}

SDL_KeyboardEvent key_event(SDL_Scancode code, bool down, Uint16 modifiers = 0, bool repeat = false) {
    SDL_KeyboardEvent event{};
    event.type = down ? SDL_KEYDOWN : SDL_KEYUP;
    event.keysym.scancode = code;
    event.keysym.mod = modifiers;
    event.repeat = repeat;
    return event;
}

std::unique_ptr<Frontend> dummy_frontend() {
    setenv("SDL_VIDEODRIVER", "dummy", 1);
    return make_sdl_frontend();
}

}  // namespace

TEST_CASE("sdl: the window shows pictures until the machine is finished") {
    const auto frontend = dummy_frontend();
    FakeMachine machine;
    machine.shown = {320, 200, std::vector<u32>(320 * 200, 0x123456)};
    frontend->run(machine);
    REQUIRE(machine.looks == machine.looks_until_finished);
    REQUIRE_FALSE(machine.quit_requested);
}

TEST_CASE("sdl: keys reach the guest and closing the window asks to quit") {
    const auto frontend = dummy_frontend();
    FakeMachine machine;
    machine.looks_until_finished = 500;
    push_key(SDL_SCANCODE_A, true);
    push_key(SDL_SCANCODE_A, false);
    push_key(SDL_SCANCODE_RCTRL, true);
    push(SDL_QUIT);
    frontend->run(machine);
    REQUIRE(written(machine.keys) == "+04-04+E4");
    REQUIRE(machine.quit_requested);
}

TEST_CASE("sdl: an unusable display is wrong usage that names the ways out") {
    setenv("SDL_VIDEODRIVER", "no-such-driver", 1);
    REQUIRE_THROWS_AS(make_sdl_frontend(), UsageError);
    REQUIRE_THROWS_WITH(make_sdl_frontend(),
                        Catch::Contains("--display terminal") && Catch::Contains("--display none"));
    setenv("SDL_VIDEODRIVER", "dummy", 1);
}

TEST_CASE("sdl: without a display in the environment nothing else is taken for one") {
    for (const char* variable : {"SDL_VIDEODRIVER", "DISPLAY", "WAYLAND_DISPLAY"}) unsetenv(variable);
    REQUIRE_THROWS_AS(make_sdl_frontend(), UsageError);
    setenv("DISPLAY", ":997", 1);
    REQUIRE_THROWS_AS(make_sdl_frontend(), UsageError);
    REQUIRE_NOTHROW(make_automatic_frontend(false));
}

TEST_CASE("sdl input: hot keys are not the guest's, their releases neither") {
    FakeMachine machine;
    SdlInput input{machine};
    constexpr Uint16 both = KMOD_LCTRL | KMOD_LALT;
    input.key(key_event(SDL_SCANCODE_LCTRL, true));
    input.key(key_event(SDL_SCANCODE_LALT, true));
    REQUIRE(input.key(key_event(SDL_SCANCODE_G, true, both)) == HotKey::ToggleGrab);
    REQUIRE(input.key(key_event(SDL_SCANCODE_G, true, both, true)) == HotKey::None);
    REQUIRE(input.key(key_event(SDL_SCANCODE_G, false, both)) == HotKey::None);
    REQUIRE(input.key(key_event(SDL_SCANCODE_W, true, both)) == HotKey::Save);
    REQUIRE(input.key(key_event(SDL_SCANCODE_W, false, both)) == HotKey::None);
    REQUIRE(input.key(key_event(SDL_SCANCODE_DELETE, true, both)) == HotKey::None);
    REQUIRE(input.key(key_event(SDL_SCANCODE_F, true, KMOD_LCTRL)) == HotKey::None);
    REQUIRE(written(machine.keys) == "+E0+E2+4C+09");
}

TEST_CASE("sdl input: a held key repeats its press, as a PS/2 keyboard does") {
    FakeMachine machine;
    SdlInput input{machine};
    input.key(key_event(SDL_SCANCODE_B, true));
    input.key(key_event(SDL_SCANCODE_B, true, 0, true));
    input.key(key_event(SDL_SCANCODE_B, false));
    REQUIRE(written(machine.keys) == "+05+05-05");
}

TEST_CASE("sdl input: losing the focus releases what is pressed") {
    FakeMachine machine;
    SdlInput input{machine};
    input.key(key_event(SDL_SCANCODE_LALT, true));
    input.button(SDL_BUTTON_LEFT, true);
    input.release_all();
    input.key(key_event(SDL_SCANCODE_LALT, false));
    REQUIRE(written(machine.keys) == "+E2-E2");
    REQUIRE(machine.movements.size() == 2);
    REQUIRE(machine.movements[1].buttons == 0);
}

TEST_CASE("sdl input: keys without a place on a PC keyboard are left out") {
    FakeMachine machine;
    SdlInput input{machine};
    input.key(key_event(SDL_SCANCODE_UNKNOWN, true));
    input.key(key_event(SDL_SCANCODE_AUDIONEXT, true));
    REQUIRE(machine.keys.empty());
}

TEST_CASE("sdl input: movements add up and a button takes them along") {
    FakeMachine machine;
    SdlInput input{machine};
    input.motion(3, -1);
    input.motion(2, 5);
    input.button(SDL_BUTTON_RIGHT, true);
    input.wheel(1);
    input.flush();
    input.flush();
    REQUIRE(machine.movements.size() == 2);
    REQUIRE(machine.movements[0].dx == 5);
    REQUIRE(machine.movements[0].dy == 4);
    REQUIRE(machine.movements[0].buttons == 2);
    REQUIRE(machine.movements[1].wheel == -1);
    REQUIRE(machine.movements[1].buttons == 2);
}

TEST_CASE("sdl window: integer scaling takes whole factors, smooth scaling fills") {
    REQUIRE(place_picture(320, 200, 1000, 700, Scaling::Integer) == Rectangle{20, 50, 960, 600});
    REQUIRE(place_picture(320, 200, 1000, 700, Scaling::Smooth) == Rectangle{0, 37, 1000, 625});
    REQUIRE(place_picture(640, 400, 320, 400, Scaling::Integer) == Rectangle{0, 100, 320, 200});
    REQUIRE(place_picture(0, 0, 320, 400, Scaling::Integer) == Rectangle{0, 0, 0, 0});
    REQUIRE(place_picture(4608, 1, 10, 10, Scaling::Smooth).height == 1);
}

TEST_CASE("status text: state, engine and speed") {
    REQUIRE(status_text({GuestState::Running, 1234.4, "bt"}) == "Vellum - running (bt) 1234 MIPS");
    REQUIRE(status_text({GuestState::Idle, 0, "interp"}) == "Vellum - idle (interp)");
}

TEST_CASE("choose display: names") {
    REQUIRE(display_of_name("sdl") == Display::Sdl);
    REQUIRE(display_of_name("terminal") == Display::Terminal);
    REQUIRE(display_of_name("none") == Display::None);
    REQUIRE_FALSE(display_of_name("vnc"));
}

TEST_CASE("choose display: headless waits for the machine") {
    FakeMachine machine;
    machine.looks = machine.looks_until_finished;
    make_frontend(Display::None)->run(machine);
    REQUIRE(machine.keys.empty());
}
