// The real processor as the judge: a short piece of 32-bit user code runs on it, and its registers, flags and memory
// afterwards are the truth for all engines.
//
// The piece is entered by a far jump to the 32-bit code selector that Linux has for such programs. It ends with the
// first exception: normally the INT3 with which the code page is filled up.
#pragma once

#include <array>
#include <span>

#include "cpu/state.hpp"

namespace vellum::test {

// The addresses at which the piece finds its pages, the same on the host and in the guest. The pages around each range
// are not mapped.
struct OracleLayout {
    static constexpr u32 code = 0x10000000, code_bytes = 2 * page_size;
    static constexpr u32 data = 0x10010000, data_bytes = 2 * page_size;
    static constexpr u32 read_only = data + data_bytes, read_only_bytes = page_size;  // see read_only_content()
    static constexpr u32 stack = 0x10020000, stack_bytes = 2 * page_size;
};

// What lies in the page that cannot be written.
std::array<u8, OracleLayout::read_only_bytes> read_only_content();

// Segments of the piece. Flat32: base 0, 4 GiB. Segmented ones have bases at the pages of each range and limits at
// their ends, so that no address can leave them: 32-bit code on a 32-bit stack, or 16-bit code on a 16-bit stack.
// LimitedData has such segments for data only, NarrowCode for (16-bit) code only. Real and V86 are for engines; their
// pages are those of low_page().
enum class OracleMode : u8 { Flat32, Segmented32, Segmented16, LimitedData, NarrowCode, Real, V86 };
constexpr bool is_low(OracleMode m) { return m == OracleMode::Real || m == OracleMode::V86; }
constexpr bool has_narrow_code(OracleMode m) {
    return m == OracleMode::Segmented16 || m == OracleMode::NarrowCode || is_low(m);
}
constexpr bool has_flat_code(OracleMode m) { return m == OracleMode::Flat32 || m == OracleMode::LimitedData; }
constexpr bool has_flat_data(OracleMode m) { return m == OracleMode::Flat32 || m == OracleMode::NarrowCode; }
constexpr bool has_flat_stack(OracleMode m) { return has_flat_data(m) || m == OracleMode::LimitedData; }

// Where a page of the layout is in Real and V86: the same distances, a little closer, below 1 MiB.
constexpr u32 low_page(u32 linear) { return 0x10000 + ((linear - OracleLayout::code) >> 14 << 12) + (linear & 0x3FFF); }

// What the processor has in the segment registers: DS and ES hold the same, FS and GS are null.
struct OracleSegments {
    Segment code, data, stack;
};
OracleSegments oracle_segments(OracleMode mode);

struct OracleState {
    std::array<u32, 8> gpr{};
    u32 eflags = eflags::fixed | eflags::if_;
    u32 eip = OracleLayout::code;
    FxImage fpu;
};

struct OracleEnd {
    u8 vector = 0;
    u16 error_code = 0;
    u32 cr2 = 0;  // of a page fault
};

class HostOracle {
 public:
    HostOracle();
    ~HostOracle();
    HostOracle(const HostOracle&) = delete;
    HostOracle& operator=(const HostOracle&) = delete;

    std::span<u8> code();
    std::span<u8> data();
    std::span<u8> stack();

    // Runs from state.eip until an exception, which is the answer. EIP is then where the exception says: at the
    // instruction for faults, behind it for INT3.
    OracleEnd run(OracleMode mode, OracleState& state);

    // Segmented modes need the kernel's modify_ldt.
    bool offers(OracleMode mode) const { return mode == OracleMode::Flat32 || (has_local_table_ && !is_low(mode)); }

 private:
    struct Saved;
    Saved* saved_;
    bool has_local_table_;
};

}  // namespace vellum::test
