// DecodeMemo gives what Decoder would have given, whatever it was asked before.
#include <catch2/catch.hpp>

#include <random>
#include <tuple>

#include "cpu/decode_memo.hpp"

using namespace vellum;

namespace {

auto facts_of(const Instruction& in) {
    const MemoryOperand& m = in.memory;
    return std::tuple{in.mnemonic,     in.length,     in.operand_size,
                      in.address_size, in.opcode_map, in.opcode,
                      in.modrm,        in.has_memory, m.base,
                      m.index,         m.scale,       m.displacement,
                      in.immediate,    in.immediate2, in.flags_written,
                      in.op[0].kind,   in.op[0].reg,  in.op[0].size,
                      in.op[1].kind,   in.op[1].reg,  in.segment_override,
                      in.bytes};
}

}  // namespace

TEST_CASE("decode memo: known or not, an instruction is decoded from its own bytes", "[cpu][decoder]") {
    // Few different bytes, so that beginnings are often the same and ends are not; each length from 1 to 15 occurs.
    constexpr u8 alphabet[] = {0x00, 0x01, 0x0F, 0x24, 0x45, 0x55, 0x66, 0x67,
                               0x80, 0x84, 0x89, 0x90, 0xAF, 0xC7, 0xE8, 0xFF};
    std::mt19937 random{1};
    Decoder decoder{host_features()};
    DecodeMemo memo{host_features()};
    for (int i = 0; i < 200'000; ++i) {
        std::array<u8, 15> bytes;
        for (u8& b : bytes) b = alphabet[random() % std::size(alphabet)];
        u32 count = random() % 8 ? 15 : 1 + random() % 14;
        bool code32 = random() % 2;
        Instruction wanted;
        DecodeStatus wanted_status = decoder.decode(std::span{bytes}.first(count), code32, wanted), status;
        const Instruction* got = memo.decode(std::span{bytes}.first(count), code32, status);
        REQUIRE(status == wanted_status);
        REQUIRE((got != nullptr) == (wanted_status == DecodeStatus::Ok));
        if (got) REQUIRE(facts_of(*got) == facts_of(wanted));
    }
}

TEST_CASE("decode memo: zeros behind a known instruction are no part of it", "[cpu][decoder]") {
    DecodeMemo memo{host_features()};
    DecodeStatus status;
    std::array<u8, 15> add{0x00, 0x45, 0x00}, bigger{0x00, 0x45, 0x08};
    REQUIRE(memo.decode(add, true, status)->memory.displacement == 0);
    REQUIRE(memo.decode(bigger, true, status)->memory.displacement == 8);
    REQUIRE(memo.decode(add, true, status)->memory.displacement == 0);
    REQUIRE(memo.decode(add, false, status)->address_size == 2);
    REQUIRE(memo.decode(add, true, status)->address_size == 4);
}
