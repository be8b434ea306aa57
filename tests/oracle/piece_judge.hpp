// One piece on the interpreter, on the translator and on the host; what differs, and the shortest piece that shows it.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "jit/config.hpp"
#include "oracle/piece_machine.hpp"
#include "oracle/piece_walk.hpp"
#include "oracle/watchdog.hpp"

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
    bool left_to_chance = false;  // differences of bt were dropped: they come of what a processor may do either way
    bool right() const { return of_interp.empty() && of_bt.empty(); }
};

class Judge {
 public:
    // `host` may be null: engines only.
    Judge(OracleMode mode, u8 cpl, const Variant& variant, HostOracle* host);
    // Another engine in the translator's place. `counting`: it stops after any number of instructions.
    Judge(OracleMode mode, u8 cpl, bool counting, const EngineFactory& make, HostOracle* host);

    // Behind every piece, all of RAM is compared, or the pages that its mappings lead to, and the others when
    // begin_again() or strayed() is called.
    enum class Compared : u8 { All, Mapped };
    Verdict judge(const Piece& piece, const PieceMemory& memory, Compared compared = Compared::All);
    // Begins again. Did a piece since the last call change a page that it has no mapping of?
    bool strayed();
    // The piece with every instruction taken out that is not needed for a difference.
    Piece shrink(Piece piece, const PieceMemory& memory);
    // For people: instructions, and registers at the start and on each of the three.
    std::string explain(const Piece& piece, const PieceMemory& memory);
    // The same of the piece that has just been judged.
    std::string words(const Piece& piece, const Verdict& verdict) const;
    void begin_again();

 private:
    void run_host(const Piece& piece, const PieceMemory& memory, Walk& walk, Verdict& verdict);
    void run_translator(const Piece& piece, const PieceMemory& memory, const Walk& walk, Verdict& verdict);
    std::vector<std::string> compare_both_again(const Piece& piece, const PieceMemory& memory, std::string_view when);
    void run_in_terms(const Piece& piece, const PieceMemory& memory, Verdict& verdict);
    Stop run_bt(Verdict& verdict);
    void drop_what_is_left_to_chance(const Piece& piece, const PieceMemory& memory, Verdict& verdict);
    void compare_engines(std::vector<std::string>& differences, std::string_view when);
    void compare_segments(std::vector<std::string>& differences) const;
    void compare_fpu(std::vector<std::string>& differences) const;
    void compare_ram(std::vector<std::string>& differences) const;

    OracleMode mode_;
    bool counting_;
    bool dot_product_ = false;       // the piece has DPPS or DPPD
    bool dirty_ = false;             // page tables or control registers may not be what they were
    bool has_own_mappings_ = false;  // a piece since the machines were new may have changed any page
    bool strayed_ = false;
    Compared compared_ = Compared::All;
    HostOracle* host_;
    PieceMachine interp_, bt_;
    PieceWalker walker_{interp_};
    std::vector<u8> code_;  // of the piece, assembled
    Watchdog watchdog_{bt_.cpu.attention};
    OracleState host_state_;
    OracleEnd host_end_;
};

}  // namespace vellum::test
