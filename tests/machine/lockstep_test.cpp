// Lockstep: what is compared, that nothing of the world outside makes a difference, and that snapshots of such runs go
// on identically.
#include "machine/lockstep.hpp"

#include <catch2/catch.hpp>

#include <atomic>
#include <random>
#include <thread>

#include "frontend/typing.hpp"
#include "machine/control.hpp"
#include "machine/file_access.hpp"
#include "machine/snapshot.hpp"
#include "machine/state_differences.hpp"
#include "machine/tiny_machine.hpp"
#include "machine/typist.hpp"
#include "roms/embedded.hpp"

using namespace vellum;
using Catch::Matchers::Contains;

namespace {

// Two boards under one engine, so that the second one can be tampered with.
struct Pair {
    Log log;
    Board first, second;
    LockstepEngine engine;
    explicit Pair(std::initializer_list<u8> code)
        : first{tiny_config(), tiny_parts(code), log},
          second{tiny_config(), tiny_parts(code), log},
          engine{std::make_unique<Interpreter>(first.cpu()), first, second} {
        first.set_mirror(&second);
    }
    std::string difference_after(u64 instructions) {
        u64 end = first.state().instructions + instructions;
        try {
            while (first.state().instructions < end) {
                first.state().instruction_limit = end;
                engine.run();
            }
        } catch (const LockstepDifference& difference) {
            return difference.what();
        }
        return "none";
    }
};

constexpr std::initializer_list<u8> spin = {0xEB, 0xFE};

struct Lockstep {
    Log log;
    Machine machine;
    explicit Lockstep(std::initializer_list<u8> code)
        : machine{tiny_config(EngineKind::Lockstep), tiny_parts(code), log, tiny_parts(code)} {
        machine.start();
    }
    Lockstep(BoardParts first, BoardParts second)
        : machine{tiny_config(EngineKind::Lockstep), std::move(first), log, std::move(second)} {
        machine.start();
    }
    Machine::Slice slice(u64 limit = ~u64{0}) {
        machine.board().cpu().attention.clear(Attention::Stop);
        return machine.run_slice(limit);
    }
    void run_until(u64 instructions) {
        while (machine.board().state().instructions < instructions)
            REQUIRE(slice(instructions).kind == Machine::Slice::Kind::Stopped);
    }
    void run_for(u64 instructions) { run_until(machine.board().state().instructions + instructions); }
};

BoardParts demo_parts() {
    MachineConfig config = tiny_config();
    BoardParts parts;
    parts.firmware = load_firmware(config);
    parts.firmware.boot = plan_multiboot("guest", roms::demo(), {}, "", config.memory_bytes);
    parts.host_time = [] { return Nanoseconds{0}; };
    return parts;
}

// The demonstration halts between timer ticks from here on.
constexpr u64 demo_is_drawn = 12'000'000;

std::vector<u8> saved(CpuState state) {
    Archive archive = Archive::saver();
    serialize(state, archive);
    return archive.bytes();
}

}  // namespace

TEST_CASE("lockstep: all that a snapshot keeps of the processor is compared") {
    const std::vector<u8> fresh = saved({});
    const std::size_t heading = 4 + 3 + 4;  // length, "cpu", version
    for (std::size_t i = heading; i < fresh.size(); ++i) {
        std::vector<u8> bytes = fresh;
        bytes[i] ^= 1;
        CpuState changed;
        Archive archive = Archive::loader(bytes);
        serialize(changed, archive);
        INFO("byte " << i << " of " << fresh.size());
        CHECK((saved(changed) == fresh) == describe_differences({}, changed).empty());
        CHECK(same_registers({}, changed) == describe_differences({}, changed).empty());
    }
}

TEST_CASE("lockstep: two equal machines have no differences") { CHECK(Pair{spin}.difference_after(5'000) == "none"); }

TEST_CASE("lockstep: a changed register, flag or hidden register is found at the next comparison") {
    auto change = GENERATE(
        +[](CpuState& s) { s.reg(Reg::Ebx) = 1; }, +[](CpuState& s) { s.eflags ^= eflags::cf; },
        +[](CpuState& s) { s.segment(Seg::Fs).limit = 5; }, +[](CpuState& s) { s.pat = 5; },
        +[](CpuState& s) { s.sysenter_eip = 5; }, +[](CpuState& s) { s.nmi_blocked = true; },
        +[](CpuState& s) { s.mtrr_variable[3] = 5; }, +[](CpuState& s) { s.fpu.xmm[2][4] = 1; });
    Pair pair{spin};
    REQUIRE(pair.difference_after(100) == "none");
    change(pair.second.state());
    CHECK_THAT(pair.difference_after(1000), Contains("between instruction 100 and 1100") && Contains("\n* "));
}

TEST_CASE("lockstep: a changed chip, byte of memory or pending interrupt is found, and named") {
    Pair pair{spin};
    SECTION("chip") {
        pair.second.write_port(0x80, 1, 0x55);
        CHECK_THAT(pair.difference_after(1000), Contains("state of post") && Contains("00 and 55"));
    }
    SECTION("memory") {
        pair.second.ram()[0x12345] = 7;
        CHECK_THAT(pair.difference_after(1000), Contains("memory at storage offset 0x12345: 00 and 07"));
    }
    SECTION("memory of the first one") {
        pair.first.ram()[0x12345] = 7;
        CHECK_THAT(pair.difference_after(1000), Contains("memory at storage offset 0x12345: 07 and 00"));
    }
    SECTION("NMI") {
        pair.second.state().nmi_blocked = pair.first.state().nmi_blocked = true;
        pair.second.cpu().attention.raise(Attention::Nmi);
        CHECK_THAT(pair.difference_after(1000), Contains("NMI false") && Contains("NMI true"));
    }
}

TEST_CASE("lockstep: an event of one machine only is found") {
    Pair pair{spin};
    pair.second.write_port(0xCF9, 1, 2);
    pair.second.write_port(0xCF9, 1, 6);
    CHECK_THAT(pair.difference_after(1000), Contains("instructions"));
}

TEST_CASE("lockstep: other disk writes are found") {
    TemporaryFolder folder;
    std::string path = folder.write("disk", std::string(1 << 20, 'd'));
    auto parts = [&] {
        BoardParts made = tiny_parts(spin);
        made.disks[0] = open_image(path, ImageAccess::Snapshot, 512);
        return made;
    };
    Log log;
    Board first{tiny_config(), parts(), log}, second{tiny_config(), parts(), log};
    LockstepEngine engine{std::make_unique<Interpreter>(first.cpu()), first, second};
    std::vector<u8> ours(512, 1), seconds(512, 2);
    auto write = [](Board& board, u64 offset, const std::vector<u8>& bytes) {
        REQUIRE(board.drives()[0].medium->write(offset, bytes));
    };
    write(first, 8192, ours);
    CHECK_THROWS_WITH(engine.compare_all(), Contains("--hda: other blocks"));
    write(second, 8192, seconds);
    CHECK_THROWS_WITH(engine.compare_all(), Contains("--hda: the block at 0x2000"));
    write(second, 8192, ours);
    CHECK_NOTHROW(engine.compare_all());
}

// Seen: the first machine jumped to the moment of the next key, the second one to that of its own next timer.
TEST_CASE("lockstep: what is typed to an idle processor reaches both machines at the same time") {
    Lockstep lockstep{demo_parts(), demo_parts()};
    lockstep.run_until(demo_is_drawn);
    Typist typist{lockstep.machine.board()};
    std::mt19937 random{3};
    for (int i = 0; i < 30; ++i) {
        typist.type(keys_for_text("ab"));
        lockstep.run_for(1 + random() % 20'000);
        lockstep.machine.board().mouse({3, -2, 0, 1});
        CHECK_NOTHROW(lockstep.machine.compare_boards());
    }
}

TEST_CASE("lockstep: keys to a halted processor whose interrupts are off") {
    Lockstep lockstep{halt_for_ever};
    Typist typist{lockstep.machine.board()};
    typist.type(keys_for_text("hello"));
    for (int i = 0; i < 100; ++i) lockstep.slice();
    CHECK_NOTHROW(lockstep.machine.compare_boards());
}

// Seen: an interrupt that the first engine had just taken, which the second one would take at its next instruction.
TEST_CASE("lockstep: another thread may ask for attention at any moment") {
    Lockstep lockstep{demo_parts(), demo_parts()};
    std::atomic<bool> done = false;
    std::thread pesterer{[&] {
        while (!done) lockstep.machine.board().cpu().attention.raise(Attention::Stop);
    }};
    try {
        lockstep.run_until(demo_is_drawn + 1'000'000);
    } catch (const LockstepDifference& difference) {
        FAIL_CHECK(difference.what());
    }
    done = true;
    pesterer.join();
    lockstep.machine.compare_boards();
}

// The gate is closed and opened, a word above and one below 1 MiB counted up each time; then the machine resets itself.
TEST_CASE("lockstep: the A20 gate and resets take effect at the same instruction on both") {
    Lockstep lockstep{{0xB8, 0x00, 0x00, 0x8E, 0xD8,        // mov ax,0; mov ds,ax
                       0xB8, 0xFF, 0xFF, 0x8E, 0xC0,        // mov ax,FFFFh; mov es,ax
                       0xB9, 0x28, 0x00,                    // mov cx,40
                       0xE4, 0x92, 0x34, 0x02, 0xE6, 0x92,  // again: in al,92h; xor al,2; out 92h,al
                       0x26, 0xFF, 0x06, 0x10, 0x05,        // inc word [es:510h]
                       0xFF, 0x06, 0x00, 0x05,              // inc word [500h]
                       0xE2, 0xEF,                          // loop again
                       0xB0, 0xFE, 0xE6, 0x64,              // mov al,FEh; out 64h,al: reset
                       0xEB, 0xFE}};
    for (int i = 0; i < 600; ++i) REQUIRE(lockstep.slice().kind == Machine::Slice::Kind::Stopped);
    CHECK_NOTHROW(lockstep.machine.compare_boards());
    auto ram = lockstep.machine.board().ram();
    CHECK((ram[0x500] | ram[0x501] << 8) > 300);
    CHECK((ram[0x100500] | ram[0x100501] << 8) > 100);
}

TEST_CASE("lockstep: media are changed in both machines") {
    Lockstep lockstep{halt_for_ever};
    std::unique_ptr<FileAccess> files = make_direct_file_access();
    EndWanted end;
    Session session{lockstep.machine, *files, "lockstep", false, end};
    Typist typist{lockstep.machine.board()};
    ControlContext context{
        session, *files, lockstep.machine, typist, true, [] { return std::string{}; }, [] { return std::string{}; }};
    TemporaryFolder folder;
    std::string cd = folder.write("cd.iso", std::string(4096, 'c'));
    std::string floppy = folder.write("floppy", std::string(1474560, 'f'));
    for (const std::string& line : {"change-cd " + cd, "change-floppy " + floppy, std::string{"reset"},
                                    "save " + folder.file("machine"), std::string{"change-cd none"}}) {
        CHECK(run_command(context, line) == "ok\n");
        lockstep.slice();
        CHECK_NOTHROW(lockstep.machine.compare_boards());
    }
    CHECK(lockstep.machine.board().drives()[5].medium);
}

// --- snapshots of lockstep runs

namespace {

struct Restored {
    Log log;
    Machine machine;
    Restored(EngineKind engine, const std::string& file)
        : machine{tiny_config(engine), parts(file), log,
                  engine == EngineKind::Lockstep ? std::optional{parts(file)} : std::nullopt} {
        machine.restore(Snapshot{file});
        machine.start();
    }
    static BoardParts parts(const std::string& file) {
        BoardParts parts = demo_parts();
        parts.firmware = Snapshot{file}.firmware();
        return parts;
    }
};

void run_until(Machine& machine, u64 instructions) {
    while (machine.board().state().instructions < instructions) {
        machine.board().cpu().attention.clear(Attention::Stop);
        REQUIRE(machine.run_slice(instructions).kind == Machine::Slice::Kind::Stopped);
    }
}

std::vector<u8> everything(Machine& machine) {
    Archive archive = Archive::saver();
    machine.board().serialize(archive);
    std::vector<u8> bytes = archive.bytes();
    bytes.insert(bytes.end(), machine.board().ram().begin(), machine.board().ram().end());
    return bytes;
}

}  // namespace

TEST_CASE("lockstep: a snapshot taken at a random point goes on identically on either engine and in lockstep",
          "[long]") {
    TemporaryFolder folder;
    std::string file = folder.file("machine");
    std::unique_ptr<FileAccess> files = make_direct_file_access();
    u32 seed = GENERATE(1u, 2u);
    INFO("seed " << seed);
    std::mt19937 random{seed};
    Lockstep original{demo_parts(), demo_parts()};
    for (int i = 0; i < 4; ++i) {
        original.run_for(1 + random() % 5'000'000);
        u64 at = original.machine.board().state().instructions, later = at + 200'000 + random() % 1000;
        INFO("at instruction " << at);
        original.machine.compare_boards();
        save_snapshot(original.machine.board(), *files, file);
        original.run_until(later);
        std::vector<u8> expected = everything(original.machine);
        for (EngineKind engine : {EngineKind::Bt, EngineKind::Interp, EngineKind::Lockstep}) {
            Restored restored{engine, file};
            run_until(restored.machine, later);
            CHECK(everything(restored.machine) == expected);
            CHECK_NOTHROW(restored.machine.compare_boards());
        }
    }
}
