// Opening what the configuration names, running it, and reporting.
#include "machine/runner.hpp"

#include <fmt/format.h>

#include <atomic>
#include <deque>
#include <fstream>
#include <optional>
#include <thread>

#include "base/host_error.hpp"
#include "devices/floppy_drive.hpp"
#include "frontend/choose_display.hpp"
#include "frontend/png.hpp"
#include "machine/control.hpp"
#include "machine/endpoints.hpp"
#include "machine/host_process.hpp"
#include "machine/memory_watch.hpp"
#include "machine/session.hpp"
#include "machine/statistics.hpp"
#include "machine/typist.hpp"

namespace vellum {

namespace {

constexpr u32 disk_sector = 512, cd_sector = 2048;

const char* engine_name(EngineKind kind) {
    return kind == EngineKind::Bt ? "bt" : kind == EngineKind::Interp ? "interp" : "lockstep";
}

std::unique_ptr<BlockBackend> open_disk(const std::string& option, const std::string& path, ImageAccess access,
                                        u32 unit) {
    if (path.empty()) return nullptr;
    try {
        return open_image(path, access, unit);
    } catch (const UsageError& trouble) {
        throw UsageError(fmt::format("{} {}", option, trouble.what()));
    }
}

void open_images(const MachineConfig& config, BoardParts& parts) {
    constexpr const char* disk_options[4] = {"--hda", "--hdb", "--hdc", "--hdd"};
    constexpr const char* floppy_options[2] = {"--fda", "--fdb"};
    bool discard = config.snapshot || config.engine == EngineKind::Lockstep;  // two machines cannot share a disk
    ImageAccess access = discard ? ImageAccess::Snapshot : ImageAccess::ReadWrite;
    for (u32 i = 0; i < 4; ++i) parts.disks[i] = open_disk(disk_options[i], config.disks[i], access, disk_sector);
    for (u32 i = 0; i < 2; ++i) {
        parts.floppies[i] = open_disk(floppy_options[i], config.floppies[i], access, disk_sector);
        if (parts.floppies[i] && !floppy_geometry(parts.floppies[i]->size()))
            throw UsageError(fmt::format("{} {}: {} bytes are more than a floppy holds; use a floppy image, or --hda",
                                         floppy_options[i], config.floppies[i], parts.floppies[i]->size()));
    }
    parts.cd = open_disk("--cdrom", config.cdrom, ImageAccess::ReadOnly, cd_sector);
}

// Serial input waits here until the guest has room. vCPU thread only.
struct SerialInput {
    std::deque<u8> bytes;
    void feed(Board& board, u32 port) {
        while (!bytes.empty() && board.can_receive(port)) {
            u8 byte = bytes.front();
            bytes.pop_front();
            board.receive(port, byte);
        }
    }
};

std::unique_ptr<Frontend> open_frontend(const RunConfig& config) {
    bool terminal_free = true;
    for (const Endpoint& e : config.machine.serial) terminal_free &= e.kind != Endpoint::Kind::Stdio;
    if (config.machine.debug_console) terminal_free &= config.machine.debug_console->kind != Endpoint::Kind::Stdio;
    switch (config.display) {
        case DisplayKind::Sdl: return make_frontend(Display::Sdl);
        case DisplayKind::Terminal: return make_frontend(Display::Terminal);
        case DisplayKind::None: return make_frontend(Display::None);
        case DisplayKind::Auto: break;
    }
    return make_automatic_frontend(terminal_free);
}

// One run: the parts that live as long as it does.
class Run {
 public:
    explicit Run(const RunConfig& config) : config_{config}, signals_{[this](int number) { on_signal(number); }} {
        log_.enable(config.log_topics);
        loop_ = std::make_unique<EventLoop>();
        BoardParts parts = open_parts();
        frontend_ = open_frontend(config);
        machine_ = std::make_unique<Machine>(config.machine, std::move(parts), log_, shadow_parts());
        session_ = std::make_unique<Session>(*machine_, engine_name(config.machine.engine),
                                             config.machine.clock == ClockKind::Host);
        typist_ = std::make_unique<Typist>(machine_->board());
        if (config.control) open_control();
        if (!config.stats.empty()) memory_watch_.emplace();
        started_ = host_monotonic_time();
        ready_ = true;  // from here on, other threads may reach the session
        if (int number = signal_) session_->end(exit_status::signal_base + number);
    }

    ~Run() {
        // Nobody may call into the machine while it goes.
        control_.reset();
        time_limit_.reset();
        loop_.reset();
    }

    int operator()() {
        if (config_.time_limit > 0) {
            time_limit_.emplace([this] { session_->end(exit_status::time_limit); });
            time_limit_->set(started_ + static_cast<Nanoseconds>(config_.time_limit * 1e9));
        }
        int status = exit_status::ok;
        std::exception_ptr trouble;
        std::thread vcpu{[&] {
            try {
                status = session_->run();
            } catch (...) {
                trouble = std::current_exception();
                session_->mark_finished();
            }
        }};
        frontend_->run(*session_);
        vcpu.join();
        if (trouble) std::rethrow_exception(trouble);
        report();
        return status;
    }

 private:
    // The instruction clock repeats a run exactly: 2001-01-01 00:00:00 UTC is as good a date as any.
    static constexpr u64 fixed_start = 978'307'200;

    BoardParts open_parts() {
        const MachineConfig& m = config_.machine;
        BoardParts parts;
        parts.firmware = load_firmware(m);
        open_images(m, parts);
        for (u32 i = 0; i < m.serial.size(); ++i) {
            parts.serial[i] = open_endpoint("--serial", m.serial[i], *loop_, [this, i](std::span<const u8> bytes) {
                receive(i, {bytes.begin(), bytes.end()});
            });
            parts.on_serial_ready[i] = [this, i] {
                if (machine_) serial_input_[i].feed(machine_->board(), i);
            };
        }
        if (m.debug_console) parts.debug_console = open_endpoint("--debugcon", *m.debug_console, *loop_, {});
        parts.host_time = host_monotonic_time;
        parts.start_seconds = m.clock == ClockKind::Instructions ? fixed_start : seconds_since_epoch();
        return parts;
    }

    // The same firmware and images (whose writes lockstep discards), and far ends that lead nowhere.
    std::optional<BoardParts> shadow_parts() {
        if (config_.machine.engine != EngineKind::Lockstep) return std::nullopt;
        BoardParts parts;
        parts.firmware = load_firmware(config_.machine);
        open_images(config_.machine, parts);
        parts.host_time = host_monotonic_time;
        parts.start_seconds = fixed_start;
        return parts;
    }

    void receive(u32 port, std::vector<u8> bytes) {
        if (!ready_) return;
        session_->post([this, port, bytes = std::move(bytes)] {
            auto& input = serial_input_[port];
            input.bytes.insert(input.bytes.end(), bytes.begin(), bytes.end());
            input.feed(machine_->board(), port);
        });
    }

    void open_control() {
        control_.emplace("--control", config_.control->path, *loop_, [this](std::string line, Reply reply) {
            if (!ready_) return reply("error: not started yet\n");
            session_->post([this, line = std::move(line), reply = std::move(reply)] {
                ControlContext context{*session_, *machine_, *typist_, config_.machine.snapshot,
                                       [this] { return statistics(); }};
                reply(run_command(context, line));
            });
        });
    }

    void on_signal(int number) {
        signal_ = number;
        if (ready_) session_->end(exit_status::signal_base + number);
    }

    std::string statistics() {
        RunStatistics s;
        s.engine = engine_name(config_.machine.engine);
        s.wall_seconds = static_cast<double>(host_monotonic_time() - started_) * 1e-9;
        s.cpu_seconds = process_cpu_seconds();
        s.guest_seconds = static_cast<double>(machine_->board().clock().guest_time()) * 1e-9;
        s.peak_pss_bytes = memory_watch_ ? memory_watch_->peak() : process_memory_bytes();
        s.of_engine = machine_->engine().statistics();
        if (config_.machine.count) s.instructions_total = machine_->board().state().instructions;
        return to_json(s);
    }

    // After the machine has stopped: disks first, they matter most.
    void report() {
        machine_->stop();
        if (!machine_->board().flush_disks()) throw HostError("disk image: the host could not write all of it");
        if (!config_.screenshot.empty()) write_png(config_.screenshot, machine_->board().screenshot());
        if (config_.stats.empty()) return;
        std::string text = statistics();
        if (config_.stats == "-") {
            fmt::print(stderr, "{}", text);
            return;
        }
        std::ofstream file{config_.stats};
        file << text;
        if (!file.flush()) throw HostError(fmt::format("--stats {}: cannot be written", config_.stats));
    }

    const RunConfig& config_;
    std::atomic<bool> ready_ = false;
    std::atomic<int> signal_ = 0;
    SignalWatch signals_;  // before any other thread is made
    Log log_;
    std::unique_ptr<EventLoop> loop_;
    std::unique_ptr<Frontend> frontend_;
    std::unique_ptr<Machine> machine_;
    std::unique_ptr<Session> session_;
    std::unique_ptr<Typist> typist_;
    std::optional<LineServer> control_;
    std::optional<TimeKeeper> time_limit_;
    std::optional<MemoryWatch> memory_watch_;
    SerialInput serial_input_[2];
    Nanoseconds started_ = 0;
};

}  // namespace

int run(const RunConfig& config) { return Run{config}(); }

}  // namespace vellum
