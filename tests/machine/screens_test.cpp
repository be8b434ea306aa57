// Boots roms/screens.S and compares what the display shows with reference pictures that our renderer did not draw
// (screens_expected.hpp).
#include <fmt/format.h>

#include <catch2/catch.hpp>

#include <algorithm>
#include <filesystem>
#include <string>

#include "frontend/png.hpp"
#include "machine/guest_run.hpp"
#include "machine/screens_expected.hpp"
#include "roms/embedded.hpp"

using namespace vellum;

namespace {

Picture reference(const std::string& name) {
    return read_png((std::filesystem::path{VELLUM_SOURCE_DIR} / "tests/machine/screens" / (name + ".png")).string());
}

// Where two pictures differ first, or "none".
std::string first_difference(const Picture& a, const Picture& b) {
    if (a.width != b.width || a.height != b.height)
        return fmt::format("{}x{} instead of {}x{}", a.width, a.height, b.width, b.height);
    auto at =
        static_cast<u32>(std::mismatch(a.pixels.begin(), a.pixels.end(), b.pixels.begin()).first - a.pixels.begin());
    if (at == a.pixels.size()) return "none";
    return fmt::format("at ({}, {}) {:06X} instead of {:06X}", at % a.width, at / a.width, a.pixels[at], b.pixels[at]);
}

// A machine that has drawn the screen `name`.
struct Screen : GuestRun {
    Screen(EngineKind engine, const std::string& name) : GuestRun{engine, roms::screens(), name} {
        run_until_printed("drawn " + name + "\n");
    }
};

void compare(const Picture& shown, const Picture& expected) { CHECK(first_difference(shown, expected) == "none"); }

}  // namespace

TEST_CASE("screens: text mode shows all characters, colours and the cursor") {
    Screen screen{GENERATE(EngineKind::Interp, EngineKind::Bt), "text"};
    const Picture with_cursor = reference("text");
    // The cursor blinks several times a second: within one it is seen shown.
    const Nanoseconds end = screen.guest_time() + second;
    while (first_difference(screen.picture(), with_cursor) != "none" && screen.guest_time() < end) screen.run_slice();
    compare(screen.picture(), with_cursor);
}

TEST_CASE("screens: mode 12h draws with all write modes") {
    Screen screen{GENERATE(EngineKind::Interp, EngineKind::Bt), "mode12h"};
    compare(screen.picture(), reference("mode12h"));
}

TEST_CASE("screens: mode 13h shows 256 colours") {
    Screen screen{GENERATE(EngineKind::Interp, EngineKind::Bt), "mode13h"};
    compare(screen.picture(), reference("mode13h"));
}

TEST_CASE("screens: 1024x768x32 of the Bochs display interface") {
    Screen screen{GENERATE(EngineKind::Interp, EngineKind::Bt), "vbe"};
    compare(screen.picture(), reference("vbe"));
}

TEST_CASE("screens: the reference pictures are what the definitions say") {
    const Firmware firmware = load_firmware({});
    compare(reference("text"), expected_text(find_font(firmware.vga_bios), true));
    compare(reference("mode12h"), expected_mode12h());
    compare(reference("mode13h"), expected_mode13h());
    compare(reference("vbe"), expected_vbe());
}
