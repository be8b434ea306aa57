// Running and comparing.
#include "oracle/piece_judge.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include "jit/translator.hpp"
#include "oracle/aliased_moves.hpp"
#include "oracle/stale_entries.hpp"

namespace vellum::test {

namespace {

using L = OracleLayout;

EngineFactory translator_with(TranslatorConfig config) {
    config.cache_bytes = 1u << 20;
    return [config](Cpu& cpu) { return make_translator(cpu, config); };
}

bool has_dot_product(const Piece& piece) {
    constexpr u8 opening[] = {0x0F, 0x3A};
    return std::ranges::any_of(piece.items, [&](const PieceItem& item) {
        auto found = std::ranges::search(item.bytes, opening);
        return !found.empty() && found.end() != item.bytes.end() && (*found.end() & 0xFE) == 0x40;
    });
}

constexpr const char* register_names[] = {"eax", "ecx", "edx", "ebx", "esp", "ebp", "esi", "edi"};

}  // namespace

std::vector<Variant> variants() {
    TranslatorConfig verified;
    verified.verifier = verify;
    std::vector<Variant> all{{"plain", verified}};
    auto with = [&](const char* name, auto change) {
        TranslatorConfig config = verified;
        change(config);
        all.push_back({name, config});
    };
    with("counting", [](auto& c) { c.counting = true; });
    with("no chaining", [](auto& c) { c.chaining = false; });
    with("no jump cache", [](auto& c) { c.jump_cache = false; });
    with("no return prediction", [](auto& c) { c.return_prediction = false; });
    with("no window forms", [](auto& c) { c.window_forms = false; });
    with("no adaptive sites", [](auto& c) { c.adaptive_sites = false; });
    with("no other segments", [](auto& c) { c.other_segments = false; });
    with("blocks of one", [](auto& c) { c.most_instructions = 1; });
    with("blocks of three", [](auto& c) { c.most_instructions = 3; });
    with("shared memory", [](auto& c) { c.memory_is_private = false; });
    return all;
}

Judge::Judge(OracleMode mode, u8 cpl, const Variant& variant, HostOracle* host)
    : Judge{mode, cpl, variant.config.counting, translator_with(variant.config), host} {}

Judge::Judge(OracleMode mode, u8 cpl, bool counting, const EngineFactory& make, HostOracle* host)
    : mode_{mode}, counting_{counting}, host_{host}, interp_{mode, cpl, make_interpreter}, bt_{mode, cpl, make} {}

void Judge::begin_again() {
    dirty_ = false;
    bool interp_strayed = interp_.begin_again(), bt_strayed = bt_.begin_again();
    if (!has_own_mappings_) strayed_ |= interp_strayed || bt_strayed;
    has_own_mappings_ = false;
}

bool Judge::strayed() {
    begin_again();
    return std::exchange(strayed_, false);
}

void Judge::run_host(const Piece& piece, const PieceMemory& memory, Walk& walk, Verdict& verdict) {
    auto end = interp_.end();
    if (!end) return;
    std::memcpy(host_->code().data(), code_.data(), L::code_bytes);
    std::memcpy(host_->data().data(), memory.data.data(), L::data_bytes);
    std::memcpy(host_->stack().data(), memory.stack.data(), L::stack_bytes);
    host_state_ = piece.registers;
    host_end_ = host_->run(mode_, host_state_);
    verdict.on_host = true;
    auto& d = verdict.of_interp;
    if (walk.tolerance.alignment_varies(end->how, host_end_)) return;
    walk.tolerance.ends(end->how);
    compare_end(d, end->how, host_end_, walk.tolerance);
    compare_state(d, end->registers, host_state_, walk.tolerance);
    auto compare_pages = [&](std::string_view what, u32 linear, std::span<u8> real) {
        auto ours = [&](u32 at) { return interp_.piece_page(linear + (at & ~page_offset_mask)); };
        walk.tolerance.overlook_push(linear, real, [&](u32 at) { return ours(at)[at & page_offset_mask]; });
        for (u32 at = 0; at < real.size(); at += page_size)
            compare_bytes(d, what, ours(at), real.subspan(at, page_size), at);
    };
    compare_pages("code", L::code, host_->code());
    compare_pages("data", L::data, host_->data());
    compare_pages("stack", L::stack, host_->stack());
}

void Judge::compare_segments(std::vector<std::string>& d) const {
    for (u32 i = 0; i < 6; ++i) {
        const Segment &bt = bt_.state.seg[i], &interp = interp_.state.seg[i];
        if (bt.selector == interp.selector && bt.base == interp.base && bt.limit == interp.limit &&
            bt.access == interp.access)
            continue;
        compare(d, fmt::format("segment {}", i), bt.selector, interp.selector);
        compare(d, fmt::format("base {}", i), bt.base, interp.base);
        compare(d, fmt::format("limit {}", i), bt.limit, interp.limit);
        compare(d, fmt::format("access {}", i), bt.access, interp.access);
    }
}

void Judge::compare_fpu(std::vector<std::string>& d) const {
    FxImage f = bt_.state.fpu;
    const FxImage& g = interp_.state.fpu;
    // An unmasked exception of DPPS: translated code has the processor's flags, the interpreter those of all its steps.
    constexpr u32 sticky = 0x3F;
    if (dot_product_ && ~(g.mxcsr >> 7) & g.mxcsr & sticky) f.mxcsr = (f.mxcsr & ~sticky) | (g.mxcsr & sticky);
    if (std::memcmp(&f, &g, sizeof f) == 0) return;
    compare(d, "control", f.control, g.control);
    compare(d, "status", f.status, g.status);
    compare(d, "tags", f.tags, g.tags);
    compare(d, "mxcsr", f.mxcsr, g.mxcsr);
    for (u32 i = 0; i < 8; ++i) {
        compare_bytes(d, fmt::format("st{}", i), f.st[i], g.st[i]);
        compare_bytes(d, fmt::format("xmm{}", i), f.xmm[i], g.xmm[i]);
    }
    auto bytes = [](const FxImage& image) { return std::span{reinterpret_cast<const u8*>(&image), sizeof image}; };
    compare_bytes(d, "fpu image", bytes(f), bytes(g));
}

void Judge::compare_ram(std::vector<std::string>& d) const {
    if (compared_ == Compared::All || has_own_mappings_) return compare_bytes(d, "ram", bt_.ram(), interp_.ram());
    for (u32 page : interp_.mapped_pages())
        compare_bytes(d, "ram", bt_.page(page), interp_.page(page), u64{page} * page_size);
}

void Judge::compare_engines(std::vector<std::string>& d, std::string_view when) {
    const CpuState &bt = bt_.state, &interp = interp_.state;
    std::size_t before = d.size();
    for (u32 i = 0; i < 8; ++i) compare(d, register_names[i], bt.gpr[i], interp.gpr[i]);
    compare(d, "eip", bt.eip, interp.eip);
    compare(d, "eflags", bt.eflags, interp.eflags);
    compare(d, "cpl", bt.cpl, interp.cpl);
    compare(d, "cr0", bt.cr0, interp.cr0);
    compare(d, "cr2", bt.cr2, interp.cr2);
    compare(d, "cr3", bt.cr3, interp.cr3);
    compare(d, "cr4", bt.cr4, interp.cr4);
    compare(d, "dr6", bt.dr[6], interp.dr[6]);
    compare(d, "activity", static_cast<u64>(bt.activity), static_cast<u64>(interp.activity));
    compare(d, "shadow", static_cast<u64>(bt.shadow), static_cast<u64>(interp.shadow));
    if (counting_) compare(d, "instructions", bt.instructions, interp.instructions);
    compare_segments(d);
    compare_fpu(d);
    compare_ram(d);
    if (d.size() != before && !when.empty()) d.push_back(std::string{when});
}

Stop Judge::run_bt(Verdict& verdict) {
    watchdog_.begin();
    Stop stop = bt_.engine->run();
    if (!watchdog_.end()) return stop;
    verdict.of_bt.push_back("does not end");
    bt_.cpu.attention.clear(Attention::Stop);
    return stop;
}

// Twice: the second time over what the first has translated, linked and mapped. Of pieces that may change the system
// nothing may be left, so that the second time would be as the first.
void Judge::run_translator(const Piece& piece, const PieceMemory& memory, const Walk& walk, Verdict& verdict) {
    if (!walk.ends) return;
    verdict.on_bt = true;
    for (std::string_view when : {"", "(when it ran again)"}) {
        bt_.load(piece, code_, memory);
        bt_.state.instruction_limit = ~u64{0};
        run_bt(verdict);
        std::vector<std::string> found;
        compare_engines(found, when);
        if (!found.empty() && !when.empty()) found = compare_both_again(piece, memory, when);
        verdict.of_bt.insert(verdict.of_bt.end(), found.begin(), found.end());
        if (!verdict.of_bt.empty() || !piece.for_host || bt_.control_changed()) return;
    }
}

// A piece at level 0 may read its page tables, or run into them: A and D are there since the first time, and what comes
// of them is right if the interpreter does the same with them.
std::vector<std::string> Judge::compare_both_again(const Piece& piece, const PieceMemory& memory,
                                                   std::string_view when) {
    std::vector<std::string> found;
    interp_.load(piece, code_, memory);
    if (walker_.walk(false).ends) compare_engines(found, when);
    return found;
}

// Both stop after so many instructions and are compared there, until the piece ends.
void Judge::run_in_terms(const Piece& piece, const PieceMemory& memory, Verdict& verdict) {
    bt_.load(piece, code_, memory);
    interp_.load(piece, code_, memory);
    verdict.on_bt = true;
    u64 limit = 0, term = 1 + piece.start % 23;
    for (u32 n = 0; n < 60; ++n, term = 1 + (term * 7 + n) % 41) {
        limit = std::max(interp_.state.instructions, limit) + term;
        interp_.state.instruction_limit = bt_.state.instruction_limit = limit;
        Stop ours = run_bt(verdict), right = interp_.engine->run();
        compare(verdict.of_bt, "stop", static_cast<u64>(ours), static_cast<u64>(right));
        compare_engines(verdict.of_bt, fmt::format("(after {} instructions)", limit));
        if (!verdict.of_bt.empty() || interp_.state.activity != Activity::Running) return;
    }
}

void Judge::drop_what_is_left_to_chance(const Piece& piece, const PieceMemory& memory, Verdict& verdict) {
    if (verdict.of_bt.empty() || piece.for_host || piece.cpl != 0) return;
    auto left_open = [&](auto question) {
        interp_.begin_again();
        interp_.load(piece, code_, memory);
        interp_.state.instruction_limit = ~u64{0};
        return question(interp_);
    };
    verdict.left_to_chance = left_open(runs_on_stale_entries) || left_open(moves_into_itself_by_alias);
    if (verdict.left_to_chance) verdict.of_bt.clear();
}

Verdict Judge::judge(const Piece& piece, const PieceMemory& memory, Compared compared) {
    Verdict verdict;
    dot_product_ = has_dot_product(piece);
    code_ = piece.code_pages();
    compared_ = compared;
    if (dirty_ || !piece.for_host) begin_again();
    has_own_mappings_ |= !piece.for_host || piece.cpl == 0 || piece.mode == OracleMode::Real;
    if (counting_) {
        run_in_terms(piece, memory, verdict);
        verdict.instructions = interp_.state.instructions;
        drop_what_is_left_to_chance(piece, memory, verdict);
        dirty_ = !piece.for_host || interp_.control_changed();
        return verdict;
    }
    interp_.load(piece, code_, memory);
    Walk walk = walker_.walk(piece.for_host && host_);
    verdict.instructions = interp_.state.instructions;
    if (auto end = interp_.end()) verdict.vector = end->how.vector;
    if (walk.ends && walk.for_host) run_host(piece, memory, walk, verdict);
    run_translator(piece, memory, walk, verdict);
    drop_what_is_left_to_chance(piece, memory, verdict);
    dirty_ = !piece.for_host || interp_.control_changed();
    if (verdict.on_bt || dirty_) return verdict;
    // Only the interpreter has touched pages.
    if (has_own_mappings_)
        dirty_ = true;
    else
        strayed_ |= interp_.take_tables_of(bt_);
    return verdict;
}

Piece Judge::shrink(Piece piece, const PieceMemory& memory) {
    bool endless = false;
    auto still_wrong = [&](const Piece& shorter) {
        begin_again();
        Verdict verdict = judge(shorter, memory);
        endless = std::ranges::find(verdict.of_bt, "does not end") != verdict.of_bt.end();
        return !verdict.right();
    };
    if (!still_wrong(piece) || endless) return piece;  // needs what earlier pieces left behind, or takes seconds
    for (bool shorter = true; shorter;) {
        shorter = false;
        for (u32 i = static_cast<u32>(piece.items.size()); i-- > 0 && piece.items.size() > 1;) {
            Piece without = piece;
            without.remove(i);
            if (!still_wrong(without)) continue;
            piece = without;
            shorter = true;
        }
    }
    return piece;
}

std::string Judge::explain(const Piece& piece, const PieceMemory& memory) {
    begin_again();
    return words(piece, judge(piece, memory));
}

std::string Judge::words(const Piece& piece, const Verdict& verdict) const {
    std::string text = piece.listing();
    auto interp = interp_.end(), bt = bt_.end();
    text += fmt::format("    {:<8} {:>10} {:>10} {:>10} {:>10}\n", "", "start", "host", "interp", "bt");
    auto row = [&](const char* name, auto get) {
        auto cell = [&](const OracleState* s) { return s ? fmt::format("{:x}", get(*s)) : std::string{"-"}; };
        text += fmt::format("    {:<8} {:>10} {:>10} {:>10} {:>10}\n", name, cell(&piece.registers),
                            cell(verdict.on_host ? &host_state_ : nullptr), cell(interp ? &interp->registers : nullptr),
                            cell(bt ? &bt->registers : nullptr));
    };
    for (u32 i = 0; i < 8; ++i) row(register_names[i], [i](const OracleState& s) { return s.gpr[i]; });
    row("eip", [](const OracleState& s) { return s.eip; });
    row("eflags", [](const OracleState& s) { return s.eflags; });
    row("fcw", [](const OracleState& s) { return s.fpu.control; });
    row("fsw", [](const OracleState& s) { return s.fpu.status; });
    row("ftw", [](const OracleState& s) { return s.fpu.tags; });
    row("mxcsr", [](const OracleState& s) { return s.fpu.mxcsr; });
    auto how = [](const OracleEnd& e) { return fmt::format("{}({:x}) cr2 {:x}", e.vector, e.error_code, e.cr2); };
    if (verdict.on_host) text += fmt::format("    host ended by {}\n", how(host_end_));
    if (interp) text += fmt::format("    interp ended by {}\n", how(interp->how));
    if (bt) text += fmt::format("    bt ended by {}\n", how(bt->how));
    if (!verdict.of_interp.empty()) text += fmt::format("  interp: {}\n", fmt::join(verdict.of_interp, "; "));
    if (!verdict.of_bt.empty()) text += fmt::format("  bt: {}\n", fmt::join(verdict.of_bt, "; "));
    return text;
}

}  // namespace vellum::test
