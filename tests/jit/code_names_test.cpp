// Names of emitted code, and that the observer is told of all of it, once for each time.
#include "jit/code_names.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <map>

#include "jit/engine_pair.hpp"

using namespace vellum;
using namespace vellum::test;

namespace {

struct Told final : CodeObserver {
    struct Piece {
        std::string name;
        u64 address;
        std::vector<u8> bytes;
        u64 end() const { return address + bytes.size(); }
    };
    std::vector<Piece> pieces;

    void code_added(const NamedCode& code) override {
        pieces.push_back({std::string{code.name}, code.address, {code.bytes.begin(), code.bytes.end()}});
    }
    int count(const std::string& name) const {
        return static_cast<int>(
            std::count_if(pieces.begin(), pieces.end(), [&](const Piece& p) { return p.name == name; }));
    }
};

TranslatorConfig observed_by(Told& told) {
    TranslatorConfig config;
    config.verifier = verify;
    config.cache_bytes = 1u << 20;
    config.observer = &told;
    return config;
}

EngineFactory translator(const TranslatorConfig& config) {
    return [config](Cpu& cpu) { return make_translator(cpu, config); };
}

CodeMode mode_of(u32 bits) {
    CodeMode mode;
    mode.bits = bits;
    return mode;
}

}  // namespace

TEST_CASE("code names: a block is named by linear address, level, and size of code where that is not the usual one") {
    constexpr u32 code32 = CodeMode::code32_bit, real = CodeMode::real_bit, v86 = CodeMode::v86_bit;
    constexpr u32 level1 = 1 << CodeMode::cpl_shift, level3 = 3 << CodeMode::cpl_shift;
    CHECK(block_name(Linear{0xC0101234}, mode_of(code32)) == "guest.c0101234.r0");
    CHECK(block_name(Linear{0x1000}, mode_of(code32 | level1)) == "guest.00001000.r1");
    CHECK(block_name(Linear{0xFFFFFFFF}, mode_of(code32 | level3)) == "guest.ffffffff.r3");
    CHECK(block_name(Linear{0xF0000}, mode_of(0)) == "guest.000f0000.r0-16");
    CHECK(block_name(Linear{0xF0000}, mode_of(real)) == "guest.000f0000.real");
    CHECK(block_name(Linear{0xF0000}, mode_of(real | code32)) == "guest.000f0000.real-32");
    CHECK(block_name(Linear{0xC0000}, mode_of(v86 | level3)) == "guest.000c0000.v86");
}

TEST_CASE("code names: the pieces that blocks share are named without a gap, and blocks lie behind them") {
    Told told;
    FlatMachine m{1u << 20, translator(observed_by(told))};
    REQUIRE(told.pieces.size() == 9);
    for (std::size_t i = 0; i + 1 < told.pieces.size(); ++i) {
        INFO(told.pieces[i].name);
        CHECK_FALSE(told.pieces[i].bytes.empty());
        CHECK(told.pieces[i].end() == told.pieces[i + 1].address);
        CHECK(told.count(told.pieces[i].name) == 1);
    }
    CHECK(told.pieces.front().name == "vellum.miss");
    u64 end = told.pieces.back().end();
    m.run({0x40});  // inc eax
    CHECK(told.pieces.size() > 9);
    CHECK(told.pieces[9].address >= end);
}

TEST_CASE("code names: a block is told of when it is translated, and not when it runs again") {
    Told told;
    FlatMachine m{1u << 20, translator(observed_by(told))};
    m.run({0x40});
    CHECK(told.count("guest.00001000.r0") == 1);
    m.run_from(TestMachine::code_at);
    CHECK(told.count("guest.00001000.r0") == 1);
    m.run({0x48});  // dec eax in its place
    CHECK(told.count("guest.00001000.r0") == 2);
    CHECK(m.reg(Reg::Eax) == 1);
}

TEST_CASE("code names: blocks of real mode are named by linear address") {
    Told told;
    RealModeMachine m{1u << 20, translator(observed_by(told))};
    m.state.segment(Seg::Cs).selector = 0x200;
    m.state.segment(Seg::Cs).base = 0x2000;
    m.run({0x40});
    CHECK(told.count("guest.00003000.real") == 1);
}

TEST_CASE("code names: a block that the verifier refuses is nobody's business") {
    Told told;
    TranslatorConfig config = observed_by(told);
    config.verifier = [](const EmittedCode&) { return std::optional<std::string>{"no"}; };
    config.on_refusal = [](const std::string&) {};
    FlatMachine m{1u << 20, translator(config)};
    m.run({0x40});
    CHECK(m.reg(Reg::Eax) == 1);
    CHECK(told.pieces.size() == 9);
}

TEST_CASE("code names: where a region of the cache is emptied, its addresses are told of again under other names") {
    Told told;
    FlatMachine m{4u << 20, translator(observed_by(told))};
    constexpr u32 functions = 40'000, at = 0x100000;  // more code than the cache holds
    std::vector<u8> code;
    for (u32 i = 0; i < functions; ++i) code.insert(code.end(), {0x83, 0xC0, 0x01, 0xEB, 0x01, 0xF4});
    code.push_back(0xF4);  // add eax,1; jmp over a byte; ... hlt
    m.poke(at, code);
    m.run_from(at);
    REQUIRE(m.reg(Reg::Eax) == functions);
    REQUIRE(m.engine->statistics().blocks_evicted > 0);
    CHECK(told.pieces.size() == 9 + m.engine->statistics().blocks_translated);
    std::map<u64, std::string> names;
    int renamed = 0;
    for (const Told::Piece& piece : told.pieces) {
        std::string& name = names[piece.address];
        renamed += !name.empty() && name != piece.name;
        name = piece.name;
    }
    CHECK(renamed > 0);
}
