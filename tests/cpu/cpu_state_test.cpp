// The processor's reset and its part of a snapshot.
#include <catch2/catch.hpp>

#include <atomic>
#include <thread>

#include "base/archive.hpp"
#include "cpu/attention.hpp"
#include "cpu/fpu.hpp"
#include "cpu/state.hpp"

using namespace vellum;

namespace {

CpuState busy_state() {
    CpuState state;
    reset(state);
    for (u32 i = 0; i < 8; ++i) state.gpr[i] = 0x1000 + i;
    state.eip = 0x1234;
    state.cr0 |= cr0::pe | cr0::pg;
    state.nmi_blocked = true;
    state.segment(Seg::Fs) = {0x33, 0xC0F3, 0xFFFFFFFF, 0x12345678};
    state.fpu.st[3][9] = 0x7F;
    state.fpu.xmm[7][15] = 0xEE;
    state.instructions = 99;
    return state;
}

std::vector<u8> saved(CpuState state) {
    Archive archive = Archive::saver();
    serialize(state, archive);
    return archive.bytes();
}

// Whether `to` took what is saved of `from`.
bool load(CpuState& to, const CpuState& from) {
    Archive archive = Archive::loader(saved(from));
    serialize(to, archive);
    return archive.ok();
}

}  // namespace

TEST_CASE("cpu state: reset starts at F000:FFF0 with paging and protection off") {
    CpuState state = busy_state();
    state.attention = 5;
    reset(state);
    CHECK(state.eip == 0xFFF0);
    CHECK(state.segment(Seg::Cs).selector == 0xF000);
    CHECK(state.segment(Seg::Cs).base == 0xFFFF0000);
    CHECK(state.cr0 == (cr0::et | cr0::cd | cr0::nw));
    CHECK(state.eflags == eflags::fixed);
    CHECK(state.idtr.limit == 0xFFFF);
}

TEST_CASE("cpu state: reset keeps what belongs to the engine") {
    CpuState state = busy_state();
    state.attention = 5;
    state.instruction_limit = 1000;
    reset(state);
    CHECK(state.attention == 5);
    CHECK(state.instructions == 99);
    CHECK(state.instruction_limit == 1000);
}

TEST_CASE("cpu state: what is saved comes back") {
    CpuState state = busy_state(), loaded;
    REQUIRE(load(loaded, state));
    CHECK(saved(loaded) == saved(state));
    CHECK(loaded.nmi_blocked);
    CHECK(loaded.segment(Seg::Fs).base == 0x12345678);
    CHECK(loaded.fpu.xmm[7][15] == 0xEE);
}

// An engine that took the FPU's state from the host and back lost them, the other one did not.
TEST_CASE("cpu state: what a file holds and no FPU register is forgotten") {
    CpuState state = busy_state(), loaded;
    state.fpu.opcode = 0xF995;
    state.fpu.reserved1 = state.fpu.reserved2 = 1;
    u16 control = state.fpu.control;
    state.fpu.control |= 0xE080;
    state.fpu.st[2][9] = 0x3F;
    state.fpu.st[2][10] = 0x95;
    REQUIRE(load(loaded, state));
    CHECK(loaded.fpu.opcode == 0x195);
    CHECK(loaded.fpu.reserved1 == 0);
    CHECK(loaded.fpu.reserved2 == 0);
    CHECK(loaded.fpu.control == control);
    CHECK(loaded.fpu.st[2][9] == 0x3F);
    CHECK(loaded.fpu.st[2][10] == 0);
}

// The fuzz target `code` saw what the host makes of it.
TEST_CASE("cpu state: ES and B of a file's x87 status follow its exceptions and masks") {
    CpuState state = busy_state(), loaded;
    constexpr u16 summary = x87::error_summary | x87::busy, overflow = 8;
    state.fpu.control = 0x37F;
    state.fpu.status = overflow | summary;
    REQUIRE(load(loaded, state));
    CHECK(loaded.fpu.status == overflow);
    state.fpu.control = 0x37F & ~overflow;
    state.fpu.status = overflow;
    REQUIRE(load(loaded, state));
    CHECK(loaded.fpu.status == (overflow | summary));
}

TEST_CASE("cpu state: a snapshot that promises impossible registers is refused") {
    CpuState state = busy_state(), loaded;
    state.cpl = 7;
    CHECK_FALSE(load(loaded, state));
}

TEST_CASE("cpu state: debug traps that wait behind MOV SS are saved, and only those that there are") {
    CpuState state = busy_state(), loaded;
    state.debug_traps = 0x4001;
    REQUIRE(load(loaded, state));
    CHECK(loaded.debug_traps == 0x4001);
    state.debug_traps = 0x10;
    CHECK_FALSE(load(loaded, state));
}

TEST_CASE("reset: attention that another thread asks for meanwhile is not lost") {
    CpuState state;
    Attention attention{state};
    constexpr int rounds = 20'000;
    std::atomic<int> round = 0, answered = 0;
    std::thread asker{[&] {
        for (int i = 1; i <= rounds; ++i) {
            while (round != i) std::this_thread::yield();
            attention.raise(Attention::Stop);
            answered = i;
        }
    }};
    int lost = 0;
    for (int i = 1; i <= rounds; ++i) {
        attention.clear(Attention::Stop);
        round = i;
        while (answered != i) reset(state);
        lost += attention.reasons() != Attention::Stop || !attention.raised();
    }
    asker.join();
    CHECK(lost == 0);
}
