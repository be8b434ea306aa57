// IN and OUT in translated code, which goes on behind them without asking again for mode and view: unless the device
// changed something.
#include <catch2/catch.hpp>

#include "jit/engine_pair.hpp"

using namespace vellum;
using namespace vellum::test;

namespace {

constexpr u32 rounds = 60, round_of_change = 41, data = 0x50000, other_code = 0x60000, other_data = 0x70000;
constexpr u8 increment = 0x43, decrement = 0x4B;

// again: in al,80h; inc ebx; out 80h,al; add edx,[data]; dec ecx; jnz again; hlt
std::vector<u8> program(u8 counting) {
    return {0xE4, 0x80, counting, 0xE6, 0x80, 0x03, 0x15, 0x00, 0x00, 0x05, 0x00, 0x49, 0x75, 0xF2, 0xF4};
}

struct Change {
    const char* name;
    void (*act)(FlatMachine&);
};

constexpr Change changes[] = {
    {"nothing", [](FlatMachine&) {}},
    {"an interrupt that is taken",
     [](FlatMachine& m) {
         m.outside.vector_pending = 0x40;
         m.cpu.attention.raise(Attention::Interrupt);
     }},
    {"an interrupt behind IF",
     [](FlatMachine& m) {
         m.state.eflags &= ~eflags::if_;
         m.outside.vector_pending = 0x40;
         m.cpu.attention.raise(Attention::Interrupt);
     }},
    {"an NMI", [](FlatMachine& m) { m.cpu.attention.raise(Attention::Nmi); }},
    {"code behind the instruction",
     [](FlatMachine& m) {
         const u8 changed[] = {decrement};
         m.memory.write(Physical{TestMachine::code_at + 2}, changed);
     }},
    {"where the page of code lies",
     [](FlatMachine& m) { m.memory.map(Physical{TestMachine::code_at}, page_size, other_code, true, true); }},
    {"where the page of data lies",
     [](FlatMachine& m) { m.memory.map(Physical{data}, page_size, other_data, true, true); }},
};

void prepare(FlatMachine& m, const Change& change, u32& reads) {
    m.poke(TestMachine::code_at, program(increment));
    m.poke(other_code, program(decrement));
    m.poke_value<u32>(data, 1);
    m.poke_value<u32>(other_data, 1000);
    m.set_reg(Reg::Ecx, rounds);
    m.state.eflags |= eflags::if_;
    m.state.eip = TestMachine::code_at;
    m.outside.on_read_port = [&m, &change, &reads](u16, u8) {
        if (++reads == round_of_change) change.act(m);
        return reads;
    };
}

}  // namespace

TEST_CASE("port accesses: what a device does in between is seen at the next instruction", "[jit][ports]") {
    const Change& change = GENERATE(from_range(std::begin(changes), std::end(changes)));
    auto counting = GENERATE(true, false);
    CAPTURE(change.name, counting);
    EnginePair<FlatMachine> pair{1u << 20, counting ? make_counting_translator : make_plain_translator};
    u32 reads[2] = {}, *of = reads;
    pair.both([&](FlatMachine& m) { prepare(m, change, *of++); });
    pair.both([](FlatMachine& m) { REQUIRE(m.engine->run() == Stop::Halted); });
    if (!counting) pair.bt.state.instructions = pair.interp.state.instructions;
    CHECK(pair.compare() == "");
    CHECK(reads[0] == reads[1]);
    CHECK(pair.interp.outside.port_writes == pair.bt.outside.port_writes);
}

TEST_CASE("port accesses: a device that stops the machine stops it behind the instruction", "[jit][ports]") {
    EnginePair<FlatMachine> pair;
    Change stop{"", [](FlatMachine& m) { m.cpu.attention.raise(Attention::Stop); }};
    u32 reads[2] = {}, *of = reads;
    pair.both([&](FlatMachine& m) { prepare(m, stop, *of++); });
    pair.both([](FlatMachine& m) {
        REQUIRE(m.engine->run() == Stop::Attention);
        CHECK(m.state.eip == TestMachine::code_at + 2);
        CHECK(m.reg(Reg::Ecx) == rounds - round_of_change + 1);
    });
    CHECK(pair.compare() == "");
}

TEST_CASE("port accesses: the instruction limit is obeyed at every instruction", "[jit][ports]") {
    u32 step = GENERATE(1, 5, 7, 50);
    EnginePair<FlatMachine> pair;
    u32 reads[2] = {}, *of = reads;
    pair.both([&](FlatMachine& m) { prepare(m, changes[0], *of++); });
    while (pair.interp.state.activity == Activity::Running) REQUIRE(pair.advance(step) == "");
    CHECK(reads[0] == rounds);
    CHECK(reads[1] == rounds);
}

TEST_CASE("port accesses: translated code goes on behind them without a look at the mode", "[jit][ports]") {
    FlatMachine m{1u << 20, make_plain_translator};
    u32 reads = 0;
    prepare(m, changes[0], reads);
    REQUIRE(m.engine->run() == Stop::Halted);
    CHECK(m.reg(Reg::Ebx) == rounds);
    CHECK(m.reg(Reg::Edx) == rounds);
    CHECK(m.engine->statistics().callouts["in"] == rounds);
    CHECK(m.engine->statistics().callouts["out"] == rounds);
}
