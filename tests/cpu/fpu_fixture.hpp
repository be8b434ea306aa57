// One instruction at a time for x87, MMX and SSE: decoded, and executed through its row, without an engine.
#pragma once

#include <initializer_list>
#include <vector>

#include "cpu/decoder.hpp"
#include "cpu/fpu.hpp"
#include "cpu/rows.hpp"
#include "cpu/system_fixture.hpp"

namespace vellum::test {

inline const InstructionRow* row_for(const Instruction& in) {
    if (const InstructionRow* row = simd_row_of_shared_name(in)) return row;
    for (auto rows : {x87_rows(), simd_rows()})
        for (const InstructionRow& row : rows)
            if (row.mnemonic == in.mnemonic) return &row;
    return nullptr;
}

struct FpuFixture : SystemFixture {
    static constexpr u32 data = 0x2000;  // where EBX points

    FpuFixture() {
        state.cr0 |= cr0::ne;
        state.cr4 |= cr4::osfxsr | cr4::osxmmexcpt;
        state.reg(Reg::Ebx) = data;
    }

    Fault run(std::initializer_list<u8> bytes) {
        std::vector<u8> padded{bytes};
        padded.resize(15, 0x90);
        Instruction in;
        REQUIRE(decoder.decode(padded, true, in) == DecodeStatus::Ok);
        REQUIRE(in.length == bytes.size());
        const InstructionRow* row = row_for(in);
        REQUIRE(row);
        return row->execute(cpu, in);
    }

    void set_st(u8 number, long double value) {
        std::memcpy(state.fpu.st[number], &value, 10);
        state.fpu.tags |= static_cast<u8>(1u << ((number + x87::top(state.fpu)) & 7));
    }
    long double st(u8 number) const {
        long double value = 0;
        std::memcpy(&value, state.fpu.st[number], 10);
        return value;
    }
    template <typename T>
    void set_xmm(u8 number, T value) {
        static_assert(sizeof value <= 16);
        std::memcpy(state.fpu.xmm[number], &value, sizeof value);
    }
    template <typename T>
    T xmm(u8 number) const {
        T value;
        std::memcpy(&value, state.fpu.xmm[number], sizeof value);
        return value;
    }
};

}  // namespace vellum::test
