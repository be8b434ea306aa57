// Fuzz target `options`: what a person or a script types. The first byte says to whom: the command line (a line is a
// word), the control socket (a line is a command), or the debugger's stub (raw bytes, or a line is a packet's payload).
#include <filesystem>
#include <memory>

#include "base/host_error.hpp"
#include "machine/command_line.hpp"
#include "machine/control.hpp"
#include "machine/file_access.hpp"
#include "machine/gdb_server.hpp"
#include "machine/session.hpp"
#include "machine/tiny_machine.hpp"
#include "one_line.hpp"
#include "target.hpp"

using namespace vellum;
using namespace vellum::fuzz;

namespace {

enum class Audience : u8 { CommandLine, Control, Packets, RawPackets };
constexpr u8 audiences = 4;

constexpr std::size_t most_lines = 64;

std::vector<std::string> lines_of(std::string_view text) {
    std::vector<std::string> lines;
    while (!text.empty() && lines.size() < most_lines) {
        std::string_view line = text.substr(0, text.find('\n'));
        text.remove_prefix(std::min(text.size(), line.size() + 1));
        lines.emplace_back(line);
    }
    return lines;
}

void parse(std::vector<std::string> words) {
    for (std::string& word : words) word = word.c_str();  // the system ends a word at the first zero
    try {
        parse_command_line(words);
    } catch (const UsageError& refusal) {
        expect_one_line(refusal.what());
    }
}

// A folder to work in, so that no command names a file elsewhere.
class Playground {
 public:
    Playground() { std::filesystem::current_path(folder_.file("")); }
    void clear() {
        for (const auto& entry : std::filesystem::directory_iterator{"."}) std::filesystem::remove_all(entry.path());
    }

 private:
    TemporaryFolder folder_;
};

struct Guest {
    // Counts, stores and loads; ends up wherever the debugger sends it.
    TinyMachine tiny{{0x40, 0xA3, 0x00, 0x05, 0x8B, 0x1E, 0x00, 0x05, 0xEB, 0xF6}};
    std::unique_ptr<FileAccess> files = make_direct_file_access();
    EndWanted end;
    Session session{tiny.machine, *files, "interp", false, end};
    Typist typist{tiny.machine.board()};

    void run_a_little() {
        tiny.machine.board().cpu().attention.clear(Attention::Stop);
        tiny.machine.run_slice(tiny.machine.board().state().instructions + 200);
    }
};

// Commands that name files get names without folders, and only these may come to exist.
std::string harmless(std::string line) {
    std::replace(line.begin(), line.end(), '/', '_');
    std::replace(line.begin(), line.end(), '\0', '0');
    return line;
}

void command(const std::vector<std::string>& lines) {
    static Playground playground;
    playground.clear();
    Guest guest;
    ControlContext context{guest.session,
                           *guest.files,
                           guest.tiny.machine,
                           guest.typist,
                           true,
                           [] { return std::string{"{}\n"}; },
                           [] { return std::string{}; }};
    u32 files = 0;
    for (const std::string& line : lines) {
        std::string text = harmless(line);
        if ((text.starts_with("screenshot ") || text.starts_with("save ")) && ++files > 2) continue;
        std::string answer = run_command(context, text);
        bool ends_well = answer.ends_with("ok\n") || answer.starts_with("error: ");
        if (!ends_well) std::abort();
        if (answer.starts_with("error: ")) expect_one_line(std::string_view{answer}.substr(0, answer.size() - 1));
        guest.run_a_little();
    }
}

// A debugger that waits for each stop.
class Debugging {
 public:
    Debugging() { server_.connected(); }
    ~Debugging() { server_.disconnected(); }

    void send(std::span<const u8> bytes) {
        server_.receive(bytes);
        for (u32 i = 0; running_ && i < 4; ++i) {
            guest_.tiny.machine.board().cpu().attention.clear(Attention::Stop);
            u64 limit = guest_.tiny.machine.board().state().instructions + 100;
            auto slice = guest_.tiny.machine.run_slice(limit);
            if (slice.kind == Machine::Slice::Kind::Debug) server_.stopped();
        }
        constexpr u8 interrupt[] = {3};
        if (running_) server_.receive(interrupt);
    }

 private:
    Guest guest_;
    GdbTarget target_{guest_.tiny.machine, true};
    bool running_ = true;
    GdbServer server_{target_,
                      {[](std::string_view) {}, [this] { running_ = false; }, [this] { running_ = true; }, [] {}}};
};

void debug(std::string_view text, bool raw) {
    Debugging debugging;
    for (const std::string& line : lines_of(text)) {
        std::string bytes = raw ? line : frame_gdb_packet(line);
        debugging.send({reinterpret_cast<const u8*>(bytes.data()), bytes.size()});
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const u8* data, std::size_t size) {
    Input in{data, size};
    u8 first = in.byte();
    auto rest = in.rest();
    std::string_view text{reinterpret_cast<const char*>(rest.data()), rest.size()};
    // Letters, so that seeds are text: c, d, e, f.
    switch (static_cast<Audience>(static_cast<u8>(first - 'c') % audiences)) {
        case Audience::CommandLine: parse(lines_of(text)); break;
        case Audience::Control: command(lines_of(text)); break;
        case Audience::Packets: debug(text, false); break;
        case Audience::RawPackets: debug(text, true); break;
    }
    return 0;
}
