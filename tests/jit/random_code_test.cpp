// Random instructions side by side on both engines: registers, flags and memory must agree at every stop.
#include <catch2/catch.hpp>

#include <random>

#include "cpu/breakpoints.hpp"
#include "cpu/decoder.hpp"
#include "jit/engine_pair.hpp"

using namespace vellum;
using namespace vellum::test;

namespace {

class RandomCode {
 public:
    explicit RandomCode(u64 seed) : random_{seed} {}

    u32 below(u32 n) { return static_cast<u32>(random_() % n); }
    bool chance(u32 percent) { return below(100) < percent; }

    std::vector<u8> instruction(bool code32) {
        constexpr u8 prefixes[] = {0x66, 0x67, 0xF2, 0xF3, 0x26, 0x2E, 0x36, 0x3E, 0xF0};
        while (true) {
            std::vector<u8> bytes;
            while (chance(15)) bytes.push_back(prefixes[below(std::size(prefixes))]);
            if (chance(25)) bytes.push_back(0x0F);
            bytes.push_back(static_cast<u8>(below(256)));
            while (bytes.size() < 15) bytes.push_back(static_cast<u8>(chance(50) ? below(256) : below(4) * 0x40));
            Instruction in;
            if (decoder_.decode(bytes, code32, in) != DecodeStatus::Ok) continue;
            // Endless loops and stops are not interesting.
            if (in.mnemonic == ZYDIS_MNEMONIC_HLT) continue;
            bytes.resize(in.length);
            return bytes;
        }
    }
    std::vector<u8> code(u32 count, bool code32) {
        std::vector<u8> all;
        for (u32 i = 0; i < count; ++i) {
            auto one = instruction(code32);
            all.insert(all.end(), one.begin(), one.end());
        }
        return all;
    }
    u32 word() {
        switch (below(4)) {
            case 0: return TestMachine::data_at + below(0x1000);
            case 1: return below(64);
            case 2: return static_cast<u32>(random_());
            default: return TestMachine::data_at + below(0x100) * 16;
        }
    }

 private:
    std::mt19937_64 random_;
    Decoder decoder_{host_features()};
};

// A #DB handler that sets RF and returns.
void step_over_breakpoints(FlatMachine& m) {
    constexpr u32 handler = 0x31000;
    m.poke(handler, {0x81, 0x4C, 0x24, 0x08, 0, 0, 1, 0, 0xCF});  // or dword [esp+8], RF; iret
    m.poke_value<u16>(FlatMachine::idt_at + 8 * vector::db, handler & 0xFFFF);
    m.state.cr4 |= cr4::de;
}

// DR0-DR3 in the code, the data, or on a port; each of any kind, and all but one in eight enabled.
void set_breakpoints(RandomCode& random, EnginePair<FlatMachine>& pair) {
    u32 addresses[4];
    u32 dr7 = dr7::fixed | random.below(1u << 16) << 16;
    for (u32 i = 0; i < 4; ++i) {
        u32 places[] = {TestMachine::code_at + random.below(100), TestMachine::data_at + random.below(0x1000),
                        TestMachine::stack_top - 4 * random.below(4), random.below(64)};
        addresses[i] = places[random.below(4)];
        dr7 |= random.chance(88) ? 2u << 2 * i : 0;
    }
    pair.both([&](FlatMachine& m) {
        std::copy(addresses, addresses + 4, m.state.dr);
        m.state.dr[7] = dr7;
    });
}

template <typename Machine>
void run_random(
    u64 seed, bool code32, void (*begin)(Machine&) = [](Machine&) {},
    void (*before_stretch)(RandomCode&, EnginePair<Machine>&) = [](RandomCode&, EnginePair<Machine>&) {}) {
    RandomCode random{seed};
    EnginePair<Machine> pair;
    std::vector<u8> code = random.code(40, code32);
    std::vector<u8> data(0x2000);
    for (u8& b : data) b = static_cast<u8>(random.below(256));
    u32 registers[8];
    for (u32& r : registers) r = random.word();
    u32 flags = random.below(0x1000) & (eflags::arithmetic | (random.chance(20) ? eflags::df : 0));
    pair.both([&](Machine& m) {
        m.poke(TestMachine::code_at, code);
        m.poke(TestMachine::code_at + code.size(), {0xF4});
        m.poke(TestMachine::data_at, data);
        for (u8 i = 0; i < 8; ++i)
            if (i != 4) m.set_reg(static_cast<Reg>(i), registers[i]);
        m.state.eflags |= flags;
        m.state.eip = TestMachine::code_at;
        begin(m);
    });
    std::string bytes;
    for (u8 b : code) bytes += fmt::format("{:02x} ", b);
    INFO("seed " << seed << " code " << bytes);
    for (int i = 0; i < 20 && pair.interp.state.activity == Activity::Running; ++i) {
        before_stretch(random, pair);
        std::string before = fmt::format("{:x}", pair.interp.state.eip);
        std::string found = pair.advance(1 + random.below(30));
        INFO("from " << before);
        REQUIRE(found == "");
    }
}

}  // namespace

TEST_CASE("random flat code does the same on both engines", "[jit][random]") {
    for (u64 seed = 1; seed <= 400; ++seed) run_random<FlatMachine>(seed, true);
}

TEST_CASE("random flat code does the same on both engines, whatever is in the debug registers", "[jit][random]") {
    for (u64 seed = 1; seed <= 400; ++seed) run_random<FlatMachine>(seed, true, step_over_breakpoints, set_breakpoints);
}

TEST_CASE("random real-mode code does the same on both engines", "[jit][random]") {
    for (u64 seed = 1; seed <= 400; ++seed) run_random<RealModeMachine>(seed, false);
}
