// Painting a text screen into a terminal.
#include "frontend/terminal_painter.hpp"

#include <catch2/catch.hpp>

using namespace vellum;
using Catch::Contains;

namespace {

TextScreen small_screen() {
    TextScreen s;
    s.columns = 4;
    s.rows = 2;
    s.cells.assign(8, 0x0720);
    return s;
}

constexpr TerminalSize roomy{10, 5};

}  // namespace

TEST_CASE("terminal painter: the first painting is complete, with the status below the screen") {
    TerminalPainter painter;
    TextScreen s = small_screen();
    s.cells[1] = 0x1F41;
    const std::string out = painter.paint(s, "status", roomy);
    REQUIRE_THAT(out, Contains("\x1B[1;1H\x1B[0;37;40m \x1B[0;97;44mA\x1B[0;37;40m  "));
    REQUIRE_THAT(out, Contains("\x1B[3;1H\x1B[0;7mstatus"));
    REQUIRE_THAT(out, Contains("\x1B[?25l"));
}

TEST_CASE("terminal painter: only changed cells are sent") {
    TerminalPainter painter;
    TextScreen s = small_screen();
    painter.paint(s, "status", roomy);
    s.cells[6] = 0x0C21;
    REQUIRE(painter.paint(s, "status", roomy) == "\x1B[2;3H\x1B[0;91;40m!\x1B[?25l");
    REQUIRE(painter.paint(s, "status", roomy) == "\x1B[?25l");
}

TEST_CASE("terminal painter: the cursor is put where the guest has it") {
    TerminalPainter painter;
    TextScreen s = small_screen();
    painter.paint(s, "", roomy);
    s.cursor_visible = true;
    s.cursor_column = 3;
    s.cursor_row = 1;
    REQUIRE(painter.paint(s, "", roomy) == "\x1B[2;4H\x1B[?25h");
}

TEST_CASE("terminal painter: another size of terminal or screen is painted anew") {
    TerminalPainter painter;
    TextScreen s = small_screen();
    painter.paint(s, "", roomy);
    REQUIRE_THAT(painter.paint(s, "", {11, 5}), Contains("\x1B[2J"));
    s.columns = 8;
    s.rows = 1;
    REQUIRE_THAT(painter.paint(s, "", {11, 5}), Contains("\x1B[2J"));
}

TEST_CASE("terminal painter: a small terminal shows the rows around the cursor and never more than it has") {
    TerminalPainter painter;
    TextScreen s = small_screen();
    s.cells = {0x0741, 0x0742, 0x0743, 0x0744, 0x0761, 0x0762, 0x0763, 0x0764};
    s.cursor_visible = true;
    s.cursor_row = 1;
    const std::string out = painter.paint(s, "ok", {3, 2});
    REQUIRE_THAT(out, Contains("abc") && !Contains("d") && !Contains("A") && Contains("\x1B[2;1H\x1B[0;7mok"));
    REQUIRE_THAT(painter.paint(s, "status", {1, 1}), Contains("\x1B[1;1H\x1B[0;7ms\x1B[0m"));
}

TEST_CASE("terminal painter: graphics modes show a message once") {
    TerminalPainter painter;
    REQUIRE_THAT(painter.paint_message("graphics", "status", roomy), Contains("graphics") && Contains("status"));
    REQUIRE(painter.paint_message("graphics", "status", roomy).empty());
    REQUIRE_THAT(painter.paint(small_screen(), "status", roomy), Contains("\x1B[2J"));
}

TEST_CASE("terminal painter: status text is cut between characters") {
    TerminalPainter painter;
    REQUIRE_THAT(painter.paint(small_screen(), "a—b", {2, 5}), Contains("a—\x1B[0m"));
}

TEST_CASE("terminal painter: code page 437 becomes UTF-8") {
    const auto text = [](u8 character) {
        std::string out;
        append_cp437(out, character);
        return out;
    };
    REQUIRE(text('A') == "A");
    REQUIRE(text(0) == " ");
    REQUIRE(text(0x01) == "☺");
    REQUIRE(text(0x84) == "ä");
    REQUIRE(text(0xB0) == "░");
    REQUIRE(text(0xC4) == "─");
    REQUIRE(text(0xDB) == "█");
    REQUIRE(text(0xFF) == " ");
}
