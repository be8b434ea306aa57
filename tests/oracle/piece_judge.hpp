// One piece on the interpreter, on the translator and on the host; what differs, and the shortest piece that shows it.
#pragma once

#include <array>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "jit/config.hpp"
#include "oracle/piece_machine.hpp"
#include "oracle/piece_rules.hpp"
#include "oracle/watchdog.hpp"

namespace vellum {
class Interpreter;
}

namespace vellum::test {

// The translator as it is, or with one of its optimisations off.
struct Variant {
    const char* name;
    TranslatorConfig config;
};
std::vector<Variant> variants();

struct Verdict {
    bool on_host = false;  // the host ran it too
    bool on_bt = false;    // the translator did: not when the piece does not end and nothing counts
    u64 instructions = 0;  // executed by the interpreter
    u8 vector = 0;         // of the exception at the end
    std::vector<std::string> of_interp, of_bt;  // differences: interp from host, bt from interp
    bool right() const { return of_interp.empty() && of_bt.empty(); }
};

class Judge {
 public:
    // `host` may be null: engines only.
    Judge(OracleMode mode, u8 cpl, const Variant& variant, HostOracle* host);

    Verdict judge(const Piece& piece, const PieceMemory& memory);
    // The piece with every instruction taken out that is not needed for a difference.
    Piece shrink(Piece piece, const PieceMemory& memory);
    // For people: instructions, and registers at the start and on each of the three.
    std::string explain(const Piece& piece, const PieceMemory& memory);
    void begin_again();

 private:
    struct Walk;
    Walk run_interpreter(const Piece& piece);
    using CodeBytes = std::array<u8, 15>;
    std::span<const u8> bytes_at(u32 linear, CodeBytes& bytes) const;
    bool host_may_go_on(std::span<const u8> bytes, bool first, Tolerance& tolerance) const;
    void run_host(const Piece& piece, const PieceMemory& memory, const Walk& walk, Verdict& verdict);
    void run_translator(const Piece& piece, const PieceMemory& memory, const Walk& walk, Verdict& verdict);
    void run_in_terms(const Piece& piece, const PieceMemory& memory, Verdict& verdict);
    Stop run_bt(Verdict& verdict);
    void compare_engines(std::vector<std::string>& differences, std::string_view when);

    OracleMode mode_;
    bool counting_;
    bool dot_product_ = false;  // the piece has DPPS or DPPD
    bool dirty_ = false;        // page tables or control registers may not be what they were
    HostOracle* host_;
    Decoder decoder_;
    PieceMachine interp_, bt_;
    Watchdog watchdog_{bt_.cpu.attention};
    OracleState host_state_;
    OracleEnd host_end_;
};

}  // namespace vellum::test
