// Which pieces the host may run, what need not agree with it, and how differences are worded.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "cpu/cpu.hpp"
#include "support/host_oracle.hpp"

namespace vellum::test {

// Never mapped by the host but for the piece's own pages.
bool is_near(u32 linear);

// Would the processor touch host pages that are not the piece's? Then the piece does not run there. `in` has its row.
bool stays_near(const Cpu& cpu, const Instruction& in);
// A misaligned operand that is #GP here and is read by some processors: the piece does not run there.
bool is_misaligned_sha(const Cpu& cpu, const Instruction& in);
// A locked operand on two lines of the cache, for which hosts stop everybody: the piece does not run there.
bool locks_two_lines(const Cpu& cpu, const Instruction& in);

// What need not agree, by the instructions that a piece executed.
struct Tolerance {
    u32 flags = 0, flags_before = 0;  // before the last instruction
    u32 image_bytes = 0;  // of an operand whose bytes may be read in any order: either address of a fault may be told
    bool order_of_faults = false, order_of_reads = false, alignment_may_vary = false, dot_product = false;

    bool flags_vary_at_fault = false, bound_by_bound = false, stores_by_halves = false, limit_by_words = false;
    u32 pushed_at = 0, pushed_bytes = 0;  // below the stack, by a CALL that faulted

    void executes(const Cpu& cpu, const Instruction& in);  // before it does
    // Does it read OF behind a shift or rotation that left it undefined? (Here it is always as AMD's have it.)
    bool hides(const Instruction& in) const;
    void ends(const OracleEnd& ours);
    // Has the processor's pages from `linear` on hold what ours hold where only it has pushed; `ours` gives a byte by
    // its offset.
    template <typename Ours>
    void overlook_push(u32 linear, std::span<u8> real, Ours ours) const {
        u32 first = pushed_at - linear;
        for (u32 at = first; at != first + pushed_bytes; ++at)
            if (at < real.size()) real[at] = ours(at);
    }
    // May both be right, since the processor chooses which of two faults it tells of?
    bool other_fault(const OracleEnd& ours, const OracleEnd& real) const;
    // Has only ours seen an operand that is not aligned, where the manual leaves that to the processor?
    bool alignment_varies(const OracleEnd& ours, const OracleEnd& real) const;
    u32 mxcsr(const OracleState& real) const;
};

// POPA that faults half way may have loaded some registers.
bool leaves_half_done(const Instruction& in);

std::string hex(std::span<const u8> bytes);
void compare(std::vector<std::string>& differences, std::string_view what, u64 ours, u64 real);
// `first`: the offset of these bytes in what is compared.
void compare_bytes(std::vector<std::string>& differences, std::string_view what, std::span<const u8> ours,
                   std::span<const u8> real, u64 first = 0);
void compare_end(std::vector<std::string>& differences, const OracleEnd& ours, const OracleEnd& real,
                 const Tolerance& ignored);
void compare_state(std::vector<std::string>& differences, const OracleState& ours, const OracleState& real,
                   const Tolerance& ignored);

}  // namespace vellum::test
