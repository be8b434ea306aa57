// Running and comparing.
#include "oracle/piece_judge.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "cpu/interpreter.hpp"
#include "jit/translator.hpp"

namespace vellum::test {

namespace {

using L = OracleLayout;
constexpr u64 most_instructions = 30'000, most_steps = 3'000;

EngineFactory translator_with(TranslatorConfig config) {
    config.verifier = verify;
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
    std::vector<Variant> all{{"plain", {}}};
    auto with = [&](const char* name, auto change) {
        TranslatorConfig config;
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
    return all;
}

// What the interpreter found out on its way.
struct Judge::Walk {
    bool for_host = true, ends = false;
    Tolerance tolerance;
};

Judge::Judge(OracleMode mode, u8 cpl, const Variant& variant, HostOracle* host)
    : mode_{mode},
      counting_{variant.config.counting},
      host_{host},
      interp_{mode, cpl, make_interpreter},
      bt_{mode, cpl, translator_with(variant.config)} {}

void Judge::begin_again() {
    dirty_ = false;
    interp_.begin_again();
    bt_.begin_again();
}

// The bytes of the longest instruction there, as far as they lie in the piece's pages.
std::span<const u8> Judge::bytes_at(u32 linear, CodeBytes& bytes) const {
    std::size_t count = 0;
    while (count < bytes.size()) {
        u32 at = linear + static_cast<u32>(count);
        auto physical = interp_.physical(at);
        if (!physical) break;
        std::size_t here = std::min<std::size_t>(bytes.size() - count, page_size - (at & page_offset_mask));
        interp_.memory.read(*physical, std::span{bytes}.subspan(count, here));
        count += here;
    }
    return std::span{bytes}.first(count);
}

// May the host execute the instruction that the interpreter is about to execute?
bool Judge::host_may_go_on(std::span<const u8> bytes, bool first, Tolerance& tolerance) const {
    const CpuState& state = interp_.state;
    Instruction in;
    auto decoded = decoder_.decode(bytes, state.code32(), in);
    if (bytes.empty() || decoded == DecodeStatus::NeedMoreBytes)
        return is_near(static_cast<u32>(state.segment(Seg::Cs).base + state.eip));
    if (decoded == DecodeStatus::Ok && in.mnemonic == ZYDIS_MNEMONIC_INT3) return true;
    if (decoded != DecodeStatus::Ok || !may_run_in_piece(in) || leaves_half_done(in)) return false;
    if (leaves_flags_of_its_own(in.mnemonic) && !first) return false;
    in.row = find_row(in);
    if (!in.row || !stays_near(interp_.cpu, in)) return false;
    tolerance.executes(in);
    return true;
}

// Instruction by instruction, since each must be looked at before the host may run it.
Judge::Walk Judge::run_interpreter(const Piece& piece) {
    Walk walk;
    walk.for_host = piece.for_host && host_;
    auto& engine = static_cast<Interpreter&>(*interp_.engine);
    CpuState& state = interp_.state;
    state.instruction_limit = ~u64{0};
    u64 instructions = 0;  // before the first step at `last_linear`
    u32 last_linear = 0;
    for (u32 n = 0; n < most_steps && state.instructions < most_instructions; ++n) {
        if (state.activity != Activity::Running) {
            walk.ends = true;
            break;
        }
        u32 linear = static_cast<u32>(state.segment(Seg::Cs).base + state.eip);
        CodeBytes storage, storage_after;
        std::span<const u8> bytes = bytes_at(linear, storage);
        if (linear != last_linear) instructions = state.instructions;
        last_linear = linear;
        if (walk.for_host && state.cpl == 3) walk.for_host = host_may_go_on(bytes, n == 0, walk.tolerance);
        engine.step();
        // A repeated string instruction that has overwritten itself goes on as what it was, until it pauses for
        // attention: when that is, is the engine's own affair.
        constexpr u64 surely_without_pause = 2000;
        if (state.instructions - instructions <= surely_without_pause) continue;
        if (!std::ranges::equal(bytes_at(linear, storage_after), bytes)) break;
    }
    return walk;
}

void Judge::run_host(const Piece& piece, const PieceMemory& memory, const Walk& walk, Verdict& verdict) {
    auto ours = interp_.end();
    if (!ours) return;
    std::ranges::copy(piece.code_pages(), host_->code().begin());
    std::ranges::copy(memory.data, host_->data().begin());
    std::ranges::copy(memory.stack, host_->stack().begin());
    host_state_ = piece.registers;
    host_end_ = host_->run(mode_, host_state_);
    verdict.on_host = true;
    auto& d = verdict.of_interp;
    if (walk.tolerance.alignment_varies(ours->how, host_end_)) return;
    compare_end(d, ours->how, host_end_, walk.tolerance);
    compare_state(d, ours->registers, host_state_, walk.tolerance);
    compare_bytes(d, "code", interp_.code(), host_->code());
    compare_bytes(d, "data", interp_.data(), host_->data());
    compare_bytes(d, "stack", interp_.stack(), host_->stack());
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
    for (u32 i = 0; i < 6; ++i) {
        compare(d, fmt::format("segment {}", i), bt.seg[i].selector, interp.seg[i].selector);
        compare(d, fmt::format("base {}", i), bt.seg[i].base, interp.seg[i].base);
        compare(d, fmt::format("limit {}", i), bt.seg[i].limit, interp.seg[i].limit);
        compare(d, fmt::format("access {}", i), bt.seg[i].access, interp.seg[i].access);
    }
    FxImage f = bt.fpu, g = interp.fpu;
    // An unmasked exception of DPPS: translated code has the processor's flags, the interpreter those of all its steps.
    constexpr u32 sticky = 0x3F;
    if (dot_product_ && ~(g.mxcsr >> 7) & g.mxcsr & sticky) f.mxcsr = (f.mxcsr & ~sticky) | (g.mxcsr & sticky);
    if (std::memcmp(&f, &g, sizeof f) != 0) {
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
    compare_bytes(d, "ram", bt_.ram(), interp_.ram());
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

// Twice: the second time over what the first has translated, linked and mapped.
void Judge::run_translator(const Piece& piece, const PieceMemory& memory, const Walk& walk, Verdict& verdict) {
    if (!walk.ends) return;
    verdict.on_bt = true;
    for (std::string_view when : {"", "(when it ran again)"}) {
        if (bt_.control_changed()) return;
        if (!piece.for_host) bt_.begin_again();
        bt_.load(piece, memory);
        bt_.state.instruction_limit = ~u64{0};
        run_bt(verdict);
        compare_engines(verdict.of_bt, when);
        if (!verdict.of_bt.empty()) return;
    }
}

// Both stop after so many instructions and are compared there, until the piece ends.
void Judge::run_in_terms(const Piece& piece, const PieceMemory& memory, Verdict& verdict) {
    bt_.load(piece, memory);
    interp_.load(piece, memory);
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

Verdict Judge::judge(const Piece& piece, const PieceMemory& memory) {
    Verdict verdict;
    dot_product_ = has_dot_product(piece);
    if (dirty_ || !piece.for_host) begin_again();
    if (counting_) {
        run_in_terms(piece, memory, verdict);
        verdict.instructions = interp_.state.instructions;
        dirty_ = !piece.for_host || interp_.control_changed();
        return verdict;
    }
    interp_.load(piece, memory);
    Walk walk = run_interpreter(piece);
    verdict.instructions = interp_.state.instructions;
    if (auto end = interp_.end()) verdict.vector = end->how.vector;
    if (walk.ends && walk.for_host) run_host(piece, memory, walk, verdict);
    run_translator(piece, memory, walk, verdict);
    dirty_ =
        !piece.for_host || interp_.control_changed() || !verdict.on_bt;  // or only the interpreter has touched pages
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
    Verdict verdict = judge(piece, memory);
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
