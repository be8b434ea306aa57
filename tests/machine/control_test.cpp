// The line commands, each with good and bad arguments.
#include "machine/control.hpp"

#include <catch2/catch.hpp>

#include "machine/tiny_machine.hpp"

using namespace vellum;
using Catch::Matchers::Contains;
using Catch::Matchers::StartsWith;

namespace {

struct Control {
    TemporaryFolder folder;
    TinyMachine tiny;
    std::unique_ptr<FileAccess> files = make_direct_file_access();
    EndWanted end;
    Session session{tiny.machine, *files, "interp", false, end};
    Typist typist{tiny.machine.board()};
    ControlContext context{session,
                           *files,
                           tiny.machine,
                           typist,
                           false,
                           [] { return std::string{"{}\n"}; },
                           [] { return std::string{"bt\n"}; }};

    std::string operator()(const std::string& line) { return run_command(context, line); }
};

}  // namespace

TEST_CASE("control: good commands are answered with ok") {
    Control control;
    for (const char* line : {"key a",
                             "key ret",
                             "key ctrl-alt-delete",
                             "key shift-f1",
                             "type hello",
                             "type two words\\n",
                             "type",
                             "type \\t\\\\",
                             "mouse 1 2",
                             "mouse -1 -2",
                             "mouse 1 2 -1",
                             "mouse 0 0 0 7",
                             "mouse 1 2 ",
                             "pause",
                             "continue",
                             "reset",
                             "powerdown",
                             "change-cd none",
                             "change-floppy none",
                             "change-floppy a none"})
        CHECK(control(line) == "ok\n");
    CHECK(control("stats") == "{}\nok\n");
    CHECK(control("times") == "bt\nok\n");
}

TEST_CASE("control: bad commands are answered with one line that begins with error") {
    Control control;
    for (const char* line : {"",
                             "frobnicate",
                             "Key a",
                             "keys a",
                             "key",
                             "key nonsense",
                             "key a-",
                             "mouse",
                             "mouse 1",
                             "mouse x y",
                             "mouse 1 2 3 4 5",
                             "mouse 1 2 3 8",
                             "mouse 1 2 3 -1",
                             "mouse 99999999999 1",
                             "screenshot",
                             "screenshot /nowhere/a.png",
                             "stats now",
                             "times now",
                             "pause x",
                             "continue x",
                             "reset x",
                             "powerdown x",
                             "quit x",
                             "change-cd /nowhere",
                             "change-floppy a /nowhere",
                             "change-floppy /nowhere"}) {
        std::string answer = control(line);
        INFO(line);
        CHECK_THAT(answer, StartsWith("error: "));
        CHECK(answer.find('\n') == answer.size() - 1);
    }
    CHECK_THAT(control("frobnicate"), Contains("frobnicate") && Contains("screenshot"));
}

TEST_CASE("control: a screenshot is a PNG file") {
    Control control;
    CHECK(control("screenshot " + control.folder.file("a picture.png")) == "ok\n");
    CHECK(control.folder.read("a picture.png").substr(1, 3) == "PNG");
}

TEST_CASE("control: media are changed, and unusable ones refused") {
    Control control;
    std::string cd = control.folder.write("cd.iso", std::string(4096, 'c'));
    std::string odd = control.folder.write("odd", std::string(1000, 'o'));
    std::string floppy = control.folder.write("floppy", std::string(1474560, 'f'));
    std::string large = control.folder.write("large", std::string(4 << 20, 'l'));
    CHECK(control("change-cd " + cd) == "ok\n");
    CHECK_THAT(control("change-cd " + odd), StartsWith("error: ") && Contains("2048"));
    CHECK(control("change-floppy " + floppy) == "ok\n");
    CHECK(control("change-floppy a " + odd) == "ok\n");  // padded
    CHECK_THAT(control("change-floppy a " + large), StartsWith("error: "));
}

TEST_CASE("control: quit ends the session with status 0") {
    Control control;
    CHECK(control("quit") == "ok\n");
    CHECK(control.session.run() == 0);
}

TEST_CASE("control: reset starts the processor again") {
    Control control;
    control.tiny.machine.board().cpu().attention.clear(Attention::Stop);
    control.tiny.machine.run_slice(control.tiny.machine.board().state().instructions + 3);
    CHECK(control.tiny.machine.board().state().eip != 0xFFF0);
    CHECK(control("reset") == "ok\n");
    CHECK(control.tiny.machine.board().state().eip == 0xFFF0);
}

TEST_CASE("control: text that nobody reads is refused when it has become far too much") {
    Control control;
    const std::string line = "type " + std::string(4000, 'A');
    std::string answer = "ok\n";
    int lines = 0;
    for (; answer == "ok\n" && lines < 2000; ++lines) answer = control(line);
    CHECK_THAT(answer, StartsWith("error: ") && Contains("keys"));
    CHECK(lines > 10);
    CHECK_THAT(control("key a"), StartsWith("ok"));  // a key still fits
}
