// Opening what the configuration names, running it, and reporting.
#include "machine/runner.hpp"

#include <fmt/format.h>

#include <atomic>
#include <cstdio>
#include <deque>
#include <optional>
#include <thread>

#include "base/host_error.hpp"
#include "base/one_line.hpp"
#include "devices/floppy_drive.hpp"
#include "frontend/choose_display.hpp"
#include "machine/control.hpp"
#include "machine/end_wanted.hpp"
#include "machine/endpoints.hpp"
#include "machine/file_access.hpp"
#include "machine/gdb_server.hpp"
#include "machine/host_process.hpp"
#include "machine/memory_watch.hpp"
#include "machine/perf_names.hpp"
#include "machine/sandbox.hpp"
#include "machine/session.hpp"
#include "machine/snapshot.hpp"
#include "machine/snapshot_file.hpp"
#include "machine/statistics.hpp"
#include "machine/time_keeper.hpp"
#include "machine/time_watch.hpp"
#include "machine/typist.hpp"

namespace vellum {

namespace {

constexpr u32 disk_sector = 512, cd_sector = 2048, any_size = 1;

const char* engine_name(EngineKind kind) {
    return kind == EngineKind::Bt ? "bt" : kind == EngineKind::Interp ? "interp" : "lockstep";
}

std::unique_ptr<BlockBackend> open_disk(const std::string& option, const std::string& path, ImageAccess access,
                                        u32 unit) {
    if (path.empty()) return nullptr;
    try {
        return open_image(image_name(path), access, unit);
    } catch (const UsageError& trouble) {
        throw UsageError(fmt::format("{} {}", option, trouble.what()));
    }
}

bool discards_writes(const MachineConfig& config) {
    return config.snapshot || config.engine == EngineKind::Lockstep;  // two machines cannot share a disk
}

void open_images(const MachineConfig& config, BoardParts& parts) {
    constexpr const char* disk_options[4] = {"--hda", "--hdb", "--hdc", "--hdd"};
    constexpr const char* floppy_options[2] = {"--fda", "--fdb"};
    ImageAccess access = discards_writes(config) ? ImageAccess::Snapshot : ImageAccess::ReadWrite;
    for (u32 i = 0; i < 4; ++i) parts.disks[i] = open_disk(disk_options[i], config.disks[i], access, disk_sector);
    for (u32 i = 0; i < 2; ++i) {
        parts.floppies[i] = open_disk(floppy_options[i], config.floppies[i], access, any_size);
        if (parts.floppies[i] && !floppy_geometry(*parts.floppies[i]))
            throw UsageError(fmt::format("{} {}: {} bytes are more than a floppy holds; use a floppy image, or --hda",
                                         floppy_options[i], config.floppies[i], parts.floppies[i]->size()));
    }
    parts.cd = open_disk("--cdrom", config.cdrom, ImageAccess::ReadOnly, cd_sector);
}

// CpuState::instructions grows with every instruction, more or less.
bool counts(const MachineConfig& m) {
    return m.engine == EngineKind::Interp || m.clock == ClockKind::Instructions || m.count || m.gauge_speed;
}

// The port answers although nobody listens.
class NowhereSink final : public ByteSink {
 public:
    void put(std::span<const u8>) override {}
};

// Serial input waits here until the guest has room; no more is read from outside while much is waiting.
struct SerialInput {
    static constexpr std::size_t much = 64 * 1024;
    std::deque<u8> bytes;                  // vCPU thread only
    std::atomic<std::size_t> waiting = 0;  // here and in posted work

    // True when it has begun to want more.
    bool feed(Board& board, u32 port) {
        std::size_t fed = 0;
        for (; !bytes.empty() && board.can_receive(port); ++fed) {
            u8 byte = bytes.front();
            bytes.pop_front();
            board.receive(port, byte);
        }
        std::size_t before = waiting.fetch_sub(fed);
        return before >= much && before - fed < much;
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

// The end was asked for while the machine was being made.
struct EndedEarly {
    int status;
};

// One run: the parts that live as long as it does.
class Run {
 public:
    // First all that can be refused without having changed anything, then what makes files and sockets.
    explicit Run(const RunConfig& config)
        : config_{config}, files_{sandboxed() ? make_file_broker(file_policy(config)) : make_direct_file_access()} {
        SignalWatch::block();  // in all threads to come
        patience_.emplace([this] { on_patience_lost(); });
        signals_.emplace([this](int number) { on_signal(number); }, [this] { on_save_signal(); });
        log_.enable(config.log_topics);
        loop_ = std::make_unique<EventLoop>();
        BoardParts parts = open_inputs();
        check_endpoints();
        check_save_file();
        frontend_ = open_frontend(config);
        if (config.perf) code_names_ = open_perf_names(*config.perf);
        open_lines(parts);
        MachineConfig machine = config.machine;
        machine.gauge_speed = frontend_->shows_speed();
        if (snapshot_) machine.features = snapshot_->features();
        machine_ = std::make_unique<Machine>(machine, std::move(parts), log_, shadow_parts(), code_names_.get());
        if (snapshot_) unless_ended([this] { machine_->restore(*snapshot_); });
        snapshot_.reset();
        session_ = std::make_unique<Session>(*machine_, *files_, engine_name(config.machine.engine),
                                             config.machine.clock == ClockKind::Host, end_);
        typist_ = std::make_unique<Typist>(machine_->board());
        times_.emplace(*machine_, engine_name(machine.engine), TimeWatch::Wish{!config.stats.empty(), counts(machine)});
        if (config.control) open_control();
        if (config.start_stopped) session_->hold(config.gdb ? Session::Holder::Debugger : Session::Holder::Person);
        if (config.gdb) serve_debugger();
        if (!config.stats.empty()) memory_watch_.emplace(memory_);
        if (config.time_limit > 0) time_limit_.emplace([this] { session_->end(exit_status::time_limit); });
        started_ = host_monotonic_time();
        ready_ = true;  // from here on, other threads may reach the session
        loop_->look_again();
        if (sandboxed()) enter_sandbox();
    }

    ~Run() {
        // Nobody may call into the machine while it goes.
        signals_.reset();
        patience_.reset();
        control_.reset();
        time_limit_.reset();
        loop_.reset();
        debugger_door_.reset();
    }

    int operator()() {
        if (time_limit_) time_limit_->set(started_ + static_cast<Nanoseconds>(config_.time_limit * 1e9));
        int status = exit_status::ok;
        std::exception_ptr trouble;
        std::thread vcpu{[&] {
            try {
                times_->begin();
                status = session_->run();
            } catch (...) {
                trouble = std::current_exception();
                session_->mark_finished();
            }
            times_->end();
        }};
        std::exception_ptr frontend_trouble = run_frontend();
        vcpu.join();
        vcpu_done_ = true;
        if (debugger_) debugger_->ended(status);
        // Disks first, whatever happened: they matter most.
        machine_->stop();
        bool flushed = machine_->board().flush_disks();
        if (trouble) std::rethrow_exception(trouble);
        if (frontend_trouble) std::rethrow_exception(frontend_trouble);
        if (!flushed) throw HostError("disk image: the host could not write all of it; see whether its disk is full");
        save_at_exit();
        report();
        return status;
    }

 private:
    bool sandboxed() const { return config_.sandbox && sandbox_suits_this_build; }

    // For the vCPU thread, from the moment that the end was asked for.
    static constexpr Nanoseconds patience = 5 * second;

    // The instruction clock repeats a run exactly: 2001-01-01 00:00:00 UTC is as good a date as any.
    static constexpr u64 fixed_start = 978'307'200;

    std::exception_ptr run_frontend() {
        try {
            frontend_->run(*session_);
            return {};
        } catch (...) {
            session_->end(exit_status::host_trouble);
            return std::current_exception();
        }
    }

    template <typename Work>
    void unless_ended(Work work) {
        try {
            work();
        } catch (const GivenUp&) {
            throw EndedEarly{*end_.status()};
        }
    }

    BoardParts open_inputs() {
        if (!config_.restore.empty())
            unless_ended([this] { snapshot_.emplace(config_.restore, [this] { return end_.asked(); }); });
        BoardParts parts = board_inputs();
        if (snapshot_) snapshot_->check_fits(config_.machine, parts);
        return parts;
    }

    // A snapshot brings its firmware along. What the command line names must be the same.
    Firmware firmware() {
        const MachineConfig& m = config_.machine;
        if (!snapshot_) return load_firmware(m);
        const Firmware& saved = snapshot_->firmware();
        if (!m.bios.empty() || !m.vga_bios.empty() || !m.kernel.empty()) {
            Firmware given = load_firmware(m);
            auto refuse = [&](const char* option) {
                throw UsageError(fmt::format("--restore {}: {} is not the one that the machine had; leave it out",
                                             config_.restore, option));
            };
            if (!m.bios.empty() && given.bios != saved.bios) refuse("--bios");
            if (!m.vga_bios.empty() && given.vga_bios != saved.vga_bios) refuse("--vga-bios");
            if (!m.kernel.empty() && given.boot != saved.boot) refuse("--kernel, --initrd or --append");
        }
        return saved;
    }

    BoardParts board_inputs() {
        const MachineConfig& m = config_.machine;
        BoardParts parts;
        parts.firmware = firmware();
        if (snapshot_) parts.second_floppy_drive = snapshot_->second_floppy_drive();
        open_images(m, parts);
        parts.host_time = host_monotonic_time;
        parts.start_seconds = m.clock == ClockKind::Instructions ? fixed_start : seconds_since_epoch();
        return parts;
    }

    void check_endpoints() {
        for (const Endpoint& endpoint : config_.machine.serial) check_endpoint("--serial", endpoint);
        if (config_.machine.debug_console) check_endpoint("--debugcon", *config_.machine.debug_console);
        if (config_.control) check_endpoint("--control", *config_.control);
        if (config_.gdb) debugger_door_.emplace(*config_.gdb, *files_);
    }

    // Refused now rather than at the end of the run.
    void check_save_file() {
        if (config_.save.empty()) return;
        try {
            SnapshotWriter(*files_, config_.save);  // that ends without being committed
        } catch (const HostError& trouble) {
            throw UsageError(fmt::format("--save {}", trouble.what()));
        }
    }

    void open_lines(BoardParts& parts) {
        const MachineConfig& m = config_.machine;
        Ending ending = [this] { return end_.asked(); };
        for (u32 i = 0; i < m.serial.size(); ++i) {
            parts.serial[i] = open_endpoint(
                "--serial", m.serial[i], *loop_, *files_,
                [this, i](std::span<const u8> bytes) {
                    receive(i, {bytes.begin(), bytes.end()});
                },
                [this, i] { return ready_ && serial_input_[i].waiting < SerialInput::much; }, ending);
            parts.on_serial_ready[i] = [this, i] {
                if (session_) guest_made_room(i);
            };
        }
        if (m.debug_console)
            parts.debug_console = open_endpoint("--debugcon", *m.debug_console, *loop_, *files_, {}, {}, ending);
    }

    // Called while the guest runs. In lockstep the other machine is behind then, and must get the byte at the same
    // instruction: between two slices.
    void guest_made_room(u32 port) {
        if (config_.machine.engine != EngineKind::Lockstep) return feed(port);
        if (!serial_input_[port].bytes.empty()) session_->post([this, port] { feed(port); });
    }

    void feed(u32 port) {
        if (serial_input_[port].feed(machine_->board(), port)) loop_->look_again();
    }

    // The same firmware and images (whose writes lockstep discards), and far ends that lead nowhere.
    std::optional<BoardParts> shadow_parts() {
        if (config_.machine.engine != EngineKind::Lockstep) return std::nullopt;
        BoardParts parts = board_inputs();
        if (config_.machine.debug_console) parts.debug_console = std::make_unique<NowhereSink>();
        return parts;
    }

    void receive(u32 port, std::vector<u8> bytes) {
        serial_input_[port].waiting += bytes.size();
        session_->post([this, port, bytes = std::move(bytes)] {
            auto& input = serial_input_[port].bytes;
            input.insert(input.end(), bytes.begin(), bytes.end());
            feed(port);
        });
    }

    void open_control() {
        control_.emplace(
            "--control", config_.control->path, *loop_, pace_, *files_,
            [this](std::string line, Reply reply) { on_command(std::move(line), std::move(reply)); }, ends_run);
    }

    void on_command(std::string line, Reply reply) {
        if (ends_run(line)) {
            session_->end(exit_status::ok);
            return reply("ok\n");
        }
        session_->post([this, line = std::move(line), reply = std::move(reply)] {
            ControlContext context{*session_,
                                   *files_,
                                   *machine_,
                                   *typist_,
                                   discards_writes(config_.machine),
                                   [this] { return statistics(); },
                                   [this] { return times_->live(); }};
            reply(run_command(context, line));
        });
    }

    void on_save_signal() {
        if (!ready_) return;
        session_->post([this] {
            if (config_.save.empty()) return tell("SIGUSR1: without --save FILE there is nowhere to save to");
            try {
                session_->save(config_.save);
            } catch (const GivenUp&) {
                // The ending saves to the same file, or says why it does not.
            } catch (const HostError& trouble) {
                tell(fmt::format("--save {}", trouble.what()));
            }
        });
    }

    static void tell(const std::string& line) {
        std::fputs(fmt::format("vellum: {}\n", one_line(line)).c_str(), stderr);
    }

    void save_at_exit() {
        if (config_.save.empty()) return;
        if (session_->guest_ended())
            return tell(fmt::format("--save {}: not written, for the guest has ended by itself", config_.save));
        try {
            session_->save(config_.save);
        } catch (const HostError& trouble) {
            throw HostError(fmt::format("--save {}", trouble.what()));
        }
    }

    void serve_debugger() {
        target_.emplace(*machine_, config_.machine.engine != EngineKind::Lockstep);
        debugger_.emplace(*target_, GdbActions{[this](std::string_view bytes) { debugger_door_->send(bytes); },
                                               [this] { session_->hold(Session::Holder::Debugger); },
                                               [this] { session_->release(Session::Holder::Debugger); },
                                               [this] { session_->end(exit_status::ok); }});
        session_->on_debug_stop = [this] { debugger_->stopped(); };
        debugger_door_->serve(
            *loop_, pace_,
            {[this] { session_->post([this] { debugger_->connected(); }); },
             [this](GdbListener::Turn turn) {
                 session_->post([this, turn = std::move(turn)] {
                     turn([this](std::span<const u8> bytes) { return debugger_->receive_next(bytes); });
                 });
             },
             [this] { session_->post([this] { debugger_->disconnected(); }); }});
    }

    // The second signal does not wait for anybody.
    void on_signal(int number) {
        if (signalled_.exchange(true)) end_at_once();
        if (ready_)
            session_->end(exit_status::signal_base + number);
        else
            end_.ask(exit_status::signal_base + number);
    }

    void on_patience_lost() {
        if (!vcpu_done_) end_at_once();
    }

    // Somebody does not hear that the end is wanted. What the guest was told is on disk gets there; nothing else that
    // the busy thread may be working on is touched.
    [[noreturn]] void end_at_once() {
        if (ready_) machine_->board().flush_by_descriptor();
        process_end_.now(*end_.status());
    }

    std::string statistics() {
        RunStatistics s;
        s.engine = engine_name(config_.machine.engine);
        s.wall_seconds = static_cast<double>(host_monotonic_time() - started_) * 1e-9;
        s.cpu_seconds = process_cpu_seconds();
        s.guest_seconds = static_cast<double>(machine_->board().clock().guest_time()) * 1e-9;
        s.peak_pss_bytes = memory_watch_ ? memory_watch_->peak() : memory_.bytes();
        s.of_engine = machine_->engine().statistics();
        s.seconds = times_->use();
        if (config_.machine.count) s.instructions_total = machine_->board().state().instructions;
        return to_json(s);
    }

    // After the machine has stopped.
    void report() {
        if (!config_.screenshot.empty()) session_->write_screenshot(config_.screenshot);
        if (config_.stats.empty()) return;
        std::string text = statistics();
        if (config_.stats == "-") {
            if (std::fputs(text.c_str(), stderr) < 0) throw HostError("--stats -: standard error is closed");
            return;
        }
        try {
            write_file(*files_, FileWish::Report, config_.stats, text);
        } catch (const HostError& trouble) {
            throw HostError(fmt::format("--stats {}", trouble.what()));
        }
    }

    const RunConfig& config_;
    std::unique_ptr<FileAccess> files_;  // before any thread is made
    ProcessMemory memory_;
    ProcessEnd process_end_;
    std::atomic<bool> ready_ = false, signalled_ = false, vcpu_done_ = false;
    EndWanted end_{[this] { patience_->set(host_monotonic_time() + patience); }};
    std::optional<SignalWatch> signals_;  // before any other thread is made
    std::optional<TimeKeeper> patience_;
    Log log_;
    SerialInput serial_input_[2];
    std::optional<Snapshot> snapshot_;  // until the machine has it
    ClientPace pace_;
    std::unique_ptr<EventLoop> loop_;
    std::unique_ptr<Frontend> frontend_;
    std::unique_ptr<CodeObserver> code_names_;  // --perf
    std::unique_ptr<Machine> machine_;
    std::unique_ptr<Session> session_;
    std::unique_ptr<Typist> typist_;
    std::optional<TimeWatch> times_;
    std::optional<LineServer> control_;
    std::optional<GdbListener> debugger_door_;
    std::optional<GdbTarget> target_;
    std::optional<GdbServer> debugger_;
    std::optional<TimeKeeper> time_limit_;
    std::optional<MemoryWatch> memory_watch_;
    Nanoseconds started_ = 0;
};

}  // namespace

int run(const RunConfig& config) {
    try {
        return Run{config}();
    } catch (const EndedEarly& ended) {
        return ended.status;
    }
}

}  // namespace vellum
