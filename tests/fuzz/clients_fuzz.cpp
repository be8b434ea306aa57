// Fuzz target `clients`: several hostile clients at once at the control socket and at the debugger's, over real
// sockets: bytes in pieces and in floods, answers that nobody reads, connections that come, half close and go, in any
// order with the turns of the machine behind. What the clients have the machine do is bounded, and each answer is
// whole.
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <deque>
#include <optional>

#include "base/host_error.hpp"
#include "machine/control.hpp"
#include "machine/endpoints.hpp"
#include "machine/gdb_server.hpp"
#include "machine/session.hpp"
#include "machine/tiny_machine.hpp"
#include "one_line.hpp"
#include "target.hpp"

using namespace vellum;
using namespace vellum::fuzz;

namespace {

enum class Act : u8 { Control, Debugger, Say, Flood, Read, SayNoMore, Leave, Run };
constexpr u8 acts = 8;
constexpr std::size_t most_clients = 16, most_acts = 256;

void expect(bool good, const char* what) {
    if (good) return;
    std::fprintf(stderr, "%s\n", what);
    std::abort();
}

// Files that commands name are in memory, and nobody finds them again. The folder of the sockets is real.
class MemoryFiles final : public FileAccess {
 public:
    FileGrant ask(FileWish wish, const std::string& path) override {
        constexpr off_t cd_bytes = 32 * 2048, floppy_bytes = 2880 * 512;
        switch (wish) {
            case FileWish::Cd: return {file(cd_bytes), {}};
            case FileWish::Floppy:
            case FileWish::FloppyToRead: return {file(floppy_bytes), {}};
            case FileWish::FreeName: return {{}, "free." + path};
            case FileWish::Overlay:
            case FileWish::Picture:
            case FileWish::Report:
            case FileWish::Snapshot: return {file(0), {}};
            case FileWish::CommitSnapshot:
            case FileWish::AbandonSnapshot: return {};
            case FileWish::RemoveSocket: unlink(path.c_str()); return {};
        }
        return {};
    }

 private:
    static Descriptor file(off_t bytes) {
        Descriptor made{memfd_create("clients", MFD_CLOEXEC)};
        if (!made || ftruncate(made.number(), bytes) != 0) throw HostError("no file in memory");
        return made;
    }
};

struct Places {
    TemporaryFolder folder;
    std::string control = folder.file("control"), door = folder.file("door");
};

Places& places() {
    static Places one;
    return one;
}

// The machine, with the queue that stands for its thread.
class Served {
 public:
    Served() {
        server_.connected();
        server_.disconnected();
        door_.serve(loop_, pace_,
                    {[this] { post([this] { server_.connected(); }); },
                     [this](GdbListener::Turn turn) {
                         expect(++under_way_ == 1, "two requests are under way at once");
                         post([this, turn = std::move(turn)] {
                             --under_way_;
                             turn([this](std::span<const u8> bytes) { return server_.receive_next(bytes); });
                         });
                     },
                     [this] { post([this] { server_.disconnected(); }); }});
    }

    void look() { loop_.turn(); }
    // True: something was done.
    bool run() {
        expect(work_.size() <= 8, "much work waits for the machine");
        std::size_t count = work_.size();
        for (std::size_t i = 0; i < count; ++i) {
            auto work = std::move(work_.front());
            work_.pop_front();
            work();
        }
        if (running_) run_a_slice();
        return count > 0;
    }

 private:
    void post(std::function<void()> work) { work_.push_back(std::move(work)); }

    void on_line(std::string line, Reply reply) {
        if (ends_run(line)) return reply("ok\n");
        expect(++under_way_ == 1, "two requests are under way at once");
        post([this, line = std::move(line), reply = std::move(reply)] {
            --under_way_;
            reply(answer_to(line));
        });
    }

    std::string answer_to(const std::string& line) {
        bool writes = line.starts_with("screenshot ") || line.starts_with("save ");
        if (writes && ++files_written_ > 1) return "ok\n";
        std::string answer = run_command(context_, line);
        expect(answer.ends_with("ok\n") || answer.starts_with("error: "), "an answer that is none");
        if (answer.starts_with("error: ")) expect_one_line(std::string_view{answer}.substr(0, answer.size() - 1));
        return answer;
    }

    void run_a_slice() {
        constexpr u64 instructions = 200;
        Board& board = tiny_.machine.board();
        board.cpu().attention.clear(Attention::Stop);
        auto slice = tiny_.machine.run_slice(board.state().instructions + instructions);
        if (slice.kind == Machine::Slice::Kind::Debug) server_.stopped();
    }

    static MachineConfig small_config() {
        MachineConfig config = tiny_config();
        config.memory_bytes = u64{2} << 20;
        return config;
    }

    // Counts, stores and loads; ends up wherever a debugger sends it.
    TinyMachine tiny_{{0x40, 0xA3, 0x00, 0x05, 0x8B, 0x1E, 0x00, 0x05, 0xEB, 0xF6}, small_config()};
    MemoryFiles files_;
    EndWanted end_;
    Session session_{tiny_.machine, files_, "interp", false, end_};
    Typist typist_{tiny_.machine.board()};
    ControlContext context_{session_,
                            files_,
                            tiny_.machine,
                            typist_,
                            true,
                            [] { return std::string{"{}\n"}; },
                            [] { return std::string(3000, 't') + "\n"; }};
    std::deque<std::function<void()>> work_;
    u32 under_way_ = 0, files_written_ = 0;
    bool running_ = true;
    GdbTarget target_{tiny_.machine, true};
    GdbListener door_{{0, places().door}, files_};
    GdbServer server_{target_,
                      {[this](std::string_view bytes) { door_.send(bytes); }, [this] { running_ = false; },
                       [this] { running_ = true; }, [] {}}};
    ClientPace pace_;
    EventLoop loop_{EventLoop::ByHand{}};
    LineServer control_{"--control",
                        places().control,
                        loop_,
                        pace_,
                        files_,
                        [this](std::string line, Reply reply) { on_line(std::move(line), std::move(reply)); },
                        [](const std::string& line) { return ends_run(line); }};
};

class HostileClient {
 public:
    explicit HostileClient(const std::string& path)
        : connection_{socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)} {
        sockaddr_un address{};
        address.sun_family = AF_UNIX;
        std::memcpy(address.sun_path, path.data(), path.size());
        // A full queue of connections refuses: then this client is nobody.
        [[maybe_unused]] int result =
            connect(connection_.number(), reinterpret_cast<sockaddr*>(&address), sizeof address);
    }
    void say(std::span<const u8> bytes) { send(connection_.number(), bytes.data(), bytes.size(), MSG_NOSIGNAL); }
    void read(std::size_t count) {
        std::array<u8, 4096> bytes;
        for (ssize_t n = 1; count > 0 && n > 0; count -= n > 0 ? static_cast<std::size_t>(n) : 0)
            n = recv(connection_.number(), bytes.data(), std::min(count, bytes.size()), 0);
    }
    void say_no_more() { shutdown(connection_.number(), SHUT_WR); }

 private:
    Descriptor connection_;
};

class Attack {
 public:
    void act(Input& in) {
        u8 what = in.byte();
        auto client = clients_.end();
        if (!clients_.empty()) client = clients_.begin() + (what >> 3) % static_cast<int>(clients_.size());
        Act act = static_cast<Act>(what % acts);
        if (act == Act::Control || act == Act::Debugger) {
            if (clients_.size() < most_clients)
                clients_.emplace_back(act == Act::Control ? places().control : places().door);
        } else if (act == Act::Run) {
            served_.run();
        } else if (client != clients_.end()) {
            of_client(act, *client, in);
            if (act == Act::Leave) clients_.erase(client);
        }
        served_.look();
    }
    // Whoever still wants something is served, and then there is nothing left.
    void end() {
        for (int quiet = 0, rounds = 0; quiet < 3 && rounds < 100; ++rounds) {
            served_.look();
            quiet = served_.run() ? 0 : quiet + 1;
        }
        clients_.clear();
        for (int i = 0; i < 3; ++i) {
            served_.look();
            served_.run();
        }
    }

 private:
    static void of_client(Act act, HostileClient& client, Input& in) {
        if (act == Act::Say) client.say(in.bytes(in.byte()));
        if (act == Act::SayNoMore) client.say_no_more();
        if (act == Act::Read) client.read(in.take<u16>());
        if (act != Act::Flood) return;
        u32 times = in.byte() * 4u;
        auto bytes = in.bytes(in.byte());
        std::vector<u8> all;
        for (u32 i = 0; i < times; ++i) all.insert(all.end(), bytes.begin(), bytes.end());
        client.say(all);
    }

    Served served_;
    std::vector<HostileClient> clients_;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const u8* data, std::size_t size) {
    Input in{data, size};
    Attack attack;
    for (std::size_t i = 0; i < most_acts && !in.empty(); ++i) attack.act(in);
    attack.end();
    return 0;
}
