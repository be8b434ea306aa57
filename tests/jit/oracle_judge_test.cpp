// The judge itself: engines with a mistake of their own in the translator's place, which it must notice.
#include <catch2/catch.hpp>

#include "oracle/aliased_moves.hpp"
#include "oracle/campaign.hpp"
#include "oracle/piece_rules.hpp"
#include "oracle/piece_walk.hpp"
#include "oracle/stale_entries.hpp"

namespace vellum::test {

namespace {

constexpr u32 unmapped_page = 3;

// An interpreter that does something more behind each INC of a register (40-47 in 32-bit code).
class MistakenEngine final : public Engine {
 public:
    using Mistake = void (*)(Cpu&);
    MistakenEngine(Cpu& cpu, Mistake mistake) : cpu_{cpu}, interpreter_{cpu}, mistake_{mistake} {}

    std::string_view name() const override { return "mistaken"; }
    Stop run() override {
        while (cpu_.state.activity == Activity::Running) {
            if (cpu_.attention.reasons() & Attention::Stop) return Stop::Attention;
            bool increments = (opcode() & 0xF8) == 0x40;
            interpreter_.step();
            if (increments) mistake_(cpu_);
        }
        return Stop::Halted;
    }
    void state_replaced() override { interpreter_.state_replaced(); }
    EngineStatistics statistics() const override { return {}; }

 private:
    u8 opcode() {
        const CpuState& state = cpu_.state;
        auto linear = static_cast<u32>(state.segment(Seg::Cs).base + state.eip);
        auto physical = cpu_.mmu.translate(Linear{linear}, Access::Fetch, cpu_.privilege());
        u8 byte = 0;
        if (physical) cpu_.memory.read(*physical, std::span{&byte, 1});
        return byte;
    }

    Cpu& cpu_;
    Interpreter interpreter_;
    Mistake mistake_;
};

void change_carry(Cpu& cpu) { cpu.state.eflags ^= eflags::cf; }
void store_astray(Cpu& cpu) { cpu.memory.backing().bytes()[unmapped_page * page_size + 0x123] = 0x55; }

Judge judge_of(MistakenEngine::Mistake mistake) {
    return {OracleMode::Flat32, 3, false,
            [mistake](Cpu& cpu) { return std::make_unique<MistakenEngine>(cpu, mistake); }, nullptr};
}

// mov eax, 5; inc ecx; mov ebx, eax; nop
Piece piece_with_inc() {
    Piece piece;
    piece.items = {{{0xB8, 5, 0, 0, 0}}, {{0x41}}, {{0x89, 0xC3}}, {{0x90}}};
    piece.registers.gpr[4] = OracleLayout::stack + page_size;
    return piece;
}

Stretch flat_pieces(u64 pieces) { return {OracleMode::Flat32, 3, variants()[0], 1, 0, pieces}; }

// The first data page's entry in the page table, and what it may become.
constexpr u32 data_entry = 0x10102000 + (OracleLayout::data >> page_shift & 0x3FF) * 4;
constexpr u32 other_frame = 0x14023 + 0x3000;  // the second data page

std::vector<u8> with_word(std::vector<u8> opening, u32 value) {
    for (u32 i = 0; i < 4; ++i) opening.push_back(static_cast<u8>(value >> 8 * i));
    return opening;
}
PieceItem load_eax(u32 from) { return {with_word({0xA1}, from)}; }
PieceItem store(u32 to, u32 value) { return {with_word(with_word({0xC7, 0x05}, to), value)}; }
PieceItem invlpg(u32 linear) { return {with_word({0x0F, 0x01, 0x3D}, linear)}; }
const PieceItem nop{{0x90}}, reload_cr3{{0x0F, 0x20, 0xD8, 0x0F, 0x22, 0xD8}};

Piece supervisor_piece(std::vector<PieceItem> items) {
    Piece piece = piece_with_inc();
    piece.cpl = 0;
    piece.for_host = false;
    piece.items = std::move(items);
    return piece;
}

}  // namespace

TEST_CASE("oracle: judge: a wrong flag is noticed, and the piece is shortened to the instruction that sets it") {
    Judge judge = judge_of(change_carry);
    Piece piece = piece_with_inc();
    CHECK_FALSE(judge.judge(piece, PieceMemory{}).right());
    Piece shortest = judge.shrink(piece, PieceMemory{});
    REQUIRE(shortest.items.size() == 1);
    CHECK(shortest.items[0].bytes == std::vector<u8>{0x41});
    CHECK_THAT(judge.explain(shortest, PieceMemory{}), Catch::Contains("inc ecx") && Catch::Contains("bt: eflags"));
}

TEST_CASE("oracle: judge: a mistake that INC makes is found among random pieces and laid to the piece that has it") {
    struct Mistake {
        void (*make)(Cpu&);
        const char* seen_as;
    };
    // A flag, and a store to a page that the piece has no mapping of.
    auto mistake = GENERATE(values<Mistake>({{change_carry, "bt: eflags"}, {store_astray, "bt: ram+3120"}}));
    Judge judge = judge_of(mistake.make);
    Findings findings = run_stretch(flat_pieces(256), judge);
    CHECK(findings.totals.wrong > 0);
    REQUIRE(findings.examples.size() > 0);
    CHECK_THAT(findings.examples[0], Catch::Contains("inc ") && Catch::Contains(mistake.seen_as));
}

// The walk decides; nothing runs on the host here.
TEST_CASE("oracle: a locked operand on two lines of the cache does not run on the host") {
    struct Row {
        std::vector<u8> opening;  // and an address
        u32 bytes;
    };
    PieceMachine machine{OracleMode::Flat32, 3, make_interpreter};
    PieceWalker walker{machine};
    auto runs_there = [&](const std::vector<u8>& opening, u32 address) {
        Piece piece = piece_with_inc();
        piece.items = {{with_word(opening, address)}};
        machine.load(piece, piece.code_pages(), PieceMemory{});
        return walker.walk(true).for_host;
    };
    for (const Row& row : {Row{{0xF0, 0xFF, 0x05}, 4}, Row{{0x87, 0x0D}, 4}, Row{{0x66, 0x87, 0x0D}, 2},
                           Row{{0xF0, 0x0F, 0xC7, 0x0D}, 8}, Row{{0xF0, 0x0F, 0xB1, 0x0D}, 4}}) {
        CAPTURE(hex(row.opening));
        for (u32 at : {0u, 56u, 57u, 60u, 61u, 62u, 63u}) {
            CAPTURE(at);
            CHECK(runs_there(row.opening, OracleLayout::data + at) == (at + row.bytes <= 64));
        }
    }
    CHECK(runs_there({0xFF, 0x05}, OracleLayout::data + 62));  // inc, without LOCK
}

TEST_CASE("oracle: judge: an engine without the mistake passes") {
    Judge judge = judge_of([](Cpu&) {});
    Findings findings = run_stretch(flat_pieces(256), judge);
    CHECK(findings.examples == std::vector<std::string>{});
    CHECK(findings.totals.wrong == 0);
    CHECK(findings.totals.pieces == 256);
}

// Seen once in 20 million pieces, which ran into its page table: what it finds there the second time has A and D set.
TEST_CASE("oracle: judge: a piece that reads its page table may go another way when it runs again, an engine may not") {
    Piece piece = supervisor_piece({load_eax(data_entry), {{0x41}}, {{0x89, 0xC3}}, load_eax(OracleLayout::data)});
    piece.for_host = true;
    auto judge_at_level_0 = [](MistakenEngine::Mistake mistake) {
        return Judge{OracleMode::Flat32, 0, false,
                     [mistake](Cpu& cpu) { return std::make_unique<MistakenEngine>(cpu, mistake); }, nullptr};
    };
    Judge right = judge_at_level_0([](Cpu&) {});
    CHECK(right.judge(piece, PieceMemory{}).of_bt == std::vector<std::string>{});
    Judge mistaken = judge_at_level_0([](Cpu& cpu) {
        constexpr u32 accessed = 0x20;
        if (cpu.state.reg(Reg::Eax) & accessed) change_carry(cpu);  // the second time only
    });
    std::vector<std::string> found = mistaken.judge(piece, PieceMemory{}).of_bt;
    REQUIRE(found.size() > 1);
    CHECK_THAT(found[0], Catch::StartsWith("eflags"));
    CHECK(found.back() == "(when it ran again)");
}

// Seen once in 400,000 pieces: `rep movsd` over itself, which the host left in the middle for an interrupt.
TEST_CASE("oracle: judge: a repeated string instruction that overwrites itself is not run on the host") {
    PieceMachine machine{OracleMode::Flat32, 3, make_interpreter};
    PieceWalker walker{machine};
    Piece piece = piece_with_inc();
    piece.registers.gpr[1] = 4;
    auto runs_on_host = [&](u32 edi) {
        piece.registers.gpr[7] = edi;
        piece.items = {{{0xF3, 0xAA}}};  // rep stosb
        machine.load(piece, piece.code_pages(), PieceMemory{});
        Walk walk = walker.walk(true);
        CHECK(walk.ends);
        return walk.for_host;
    };
    CHECK(runs_on_host(OracleLayout::data));
    CHECK(runs_on_host(OracleLayout::code + 2));
    CHECK_FALSE(runs_on_host(OracleLayout::code));
}

// Seen once in 30 million pieces: 0F 0F at the end of a segment, which AMD's had an instruction for.
TEST_CASE("oracle: judge: an undefined instruction that the end of the pages cuts off is not run on the host") {
    using L = OracleLayout;
    PieceMachine machine{OracleMode::Flat32, 3, make_interpreter};
    PieceWalker walker{machine};
    auto runs_on_host = [&](std::vector<u8> bytes) {
        Piece piece = piece_with_inc();
        piece.start = L::code_bytes - static_cast<u32>(bytes.size());
        piece.registers.eip = L::code + piece.start;
        piece.items = {{bytes}};
        machine.load(piece, piece.code_pages(), PieceMemory{});
        Walk walk = walker.walk(true);
        CHECK(walk.ends);
        return walk.for_host;
    };
    CHECK(runs_on_host({0x0F}));
    CHECK(runs_on_host({0x81, 0xC0, 0}));  // add eax, imm32
    CHECK(runs_on_host({0xF3}));
    CHECK_FALSE(runs_on_host({0x0F, 0x0F}));
    CHECK_FALSE(runs_on_host({0x8F, 0x08}));
}

// Seen twice in 8 million pieces: CR2 told of offset 0, where the second half of the operand goes on.
TEST_CASE("oracle: judge: a masked store over the end of 64 KiB is not run on the host") {
    PieceMachine machine{OracleMode::Flat32, 3, make_interpreter};
    PieceWalker walker{machine};
    auto runs_on_host = [&](u32 edi) {
        Piece piece = piece_with_inc();
        piece.registers.eip = OracleLayout::code;
        piece.registers.gpr[7] = edi;
        piece.items = {{{0x67, 0x66, 0x0F, 0xF7, 0xC1}}};  // maskmovdqu xmm0, xmm1 at DI
        machine.load(piece, piece.code_pages(), PieceMemory{});
        return walker.walk(true).for_host;
    };
    CHECK(runs_on_host(0xFFF0));
    CHECK_FALSE(runs_on_host(0xFFF1));
    CHECK_FALSE(runs_on_host(0x1234FFF8));
}

// Seen once in 90 million pieces: FXRSTOR two bytes before the end of a stack segment.
TEST_CASE("oracle: judge: of an image that is misaligned and past its segment Intel's may tell either") {
    PieceMachine machine{OracleMode::Flat32, 3, make_interpreter};
    Decoder decoder{host_features()};
    auto tolerates = [&](std::vector<u8> bytes, u8 ours, u8 real) {
        Piece piece = piece_with_inc();
        piece.registers.eip = OracleLayout::code;
        piece.items = {{std::move(bytes)}};
        machine.load(piece, piece.code_pages(), PieceMemory{});
        Tolerance tolerance;
        tolerance.executes(machine.cpu, machine.next_instruction(decoder));
        return tolerance.other_fault({.vector = ours}, {.vector = real});
    };
    const std::vector<u8> fxrstor{0x0F, 0xAE, 0x0C, 0x24}, movaps{0x0F, 0x28, 0x04, 0x24};
    CHECK(tolerates(fxrstor, vector::gp, vector::ss) == !host_is_amds());
    CHECK_FALSE(tolerates(fxrstor, vector::ss, vector::gp));
    CHECK_FALSE(tolerates(fxrstor, vector::pf, vector::ss));
    CHECK_FALSE(tolerates(movaps, vector::gp, vector::ss));
}

TEST_CASE("oracle: judge: a piece that can never end is given up when the processor is where it was") {
    PieceMachine machine{OracleMode::Flat32, 3, make_interpreter};
    PieceWalker walker{machine};
    Piece piece = piece_with_inc();
    piece.items = {{{0xEB, 0}, PieceItem::Link::Relative, 1, 0}};
    machine.load(piece, piece.code_pages(), PieceMemory{});
    CHECK_FALSE(walker.walk(true).ends);
    CHECK(machine.state.instructions < 200);
}

TEST_CASE("oracle: judge: a piece that counts in memory is not taken for one that never ends") {
    PieceMachine machine{OracleMode::Flat32, 3, make_interpreter};
    PieceWalker walker{machine};
    Piece piece = piece_with_inc();
    // add byte [data], 1; jnc back
    piece.items = {{{0x80, 0x05, 0x00, 0x00, 0x01, 0x10, 1}}, {{0x73, 0}, PieceItem::Link::Relative, 1, 0}};
    machine.load(piece, piece.code_pages(), PieceMemory{});
    CHECK(walker.walk(true).ends);
    CHECK(machine.state.instructions > 500);
}

TEST_CASE("oracle: judge: an entry that was changed and not flushed is stale, by the flush that is missing") {
    using L = OracleLayout;
    struct Case {
        const char* name;
        bool stale;
        std::vector<PieceItem> between;  // a first instruction, which finds nothing remembered, and what follows
        u32 following = 8;
    };
    PieceItem change = store(data_entry, other_frame),
              set_accessed{with_word(with_word({0x81, 0x0D}, data_entry), 0x60)},
              clear_dirty{with_word(with_word({0x81, 0x25}, data_entry), ~0x40u)};
    PieceItem set_pge{{0x0F, 0x20, 0xE0, 0x0C, 0x80, 0x0F, 0x22, 0xE0}};
    PieceItem make_global{with_word(with_word({0x81, 0x0D}, data_entry), 0x100)};
    PieceItem no_stack{with_word({0xBC}, 0)};  // mov esp: the INT3 behind it ends in a triple fault
    const Case cases[] = {
        {"none", true, {change}},
        {"another page", true, {change, invlpg(L::data + page_size)}},
        {"its page", false, {change, invlpg(L::data + 5)}},
        {"CR3", false, {change, reload_cr3}},
        {"A and D set", false, {set_accessed}},
        {"D cleared", true, {store(L::data, 1), clear_dirty}},
        {"D cleared and flushed", false, {store(L::data, 1), clear_dirty, reload_cr3}},
        {"not present before", false, {store(data_entry, 0), invlpg(L::data), change}},
        {"CR3 while global", true, {set_pge, make_global, invlpg(L::data), change, reload_cr3}},
        {"PGE switched on", false, {make_global, invlpg(L::data), change, set_pge}},
        {"none before the end", true, {change}, 0},  // seen twice in 50 million pieces
        {"its page, and the end", false, {change, invlpg(L::data)}, 0},
        {"none before shutdown", true, {change, no_stack}, 0},  // seen once in 60 million
    };
    for (const Case& c : cases) {
        INFO(c.name);
        PieceMachine machine{OracleMode::Flat32, 0, make_interpreter};
        Piece piece = supervisor_piece(c.between);
        piece.items.insert(piece.items.begin(), nop);
        piece.items.insert(piece.items.end(), c.following, nop);
        machine.load(piece, piece.code_pages(), PieceMemory{});
        CHECK(runs_on_stale_entries(machine) == c.stale);
    }
}

// Seen once in two million pieces: pushes had made another instruction of the INVLPG before it was reached.
TEST_CASE("oracle: judge: engines may differ behind a change of the page table without its flush, and only there") {
    std::vector<PieceItem> items{load_eax(OracleLayout::data), reload_cr3, store(data_entry, other_frame)};
    items.insert(items.end(), 8, nop);
    items.push_back(load_eax(OracleLayout::data));
    PieceMemory memory;
    memory.data[0] = 1;
    Judge judge{OracleMode::Flat32, 0, variants()[0], nullptr};
    Verdict verdict = judge.judge(supervisor_piece(items), memory);
    CHECK(verdict.right());
    CHECK(verdict.left_to_chance);

    items.insert(items.begin() + 3, invlpg(OracleLayout::data));
    verdict = judge.judge(supervisor_piece(items), memory);
    CHECK(verdict.right());
    CHECK_FALSE(verdict.left_to_chance);

    Judge mistaken{OracleMode::Flat32, 0, false,
                   [](Cpu& cpu) { return std::make_unique<MistakenEngine>(cpu, change_carry); }, nullptr};
    items.push_back({{0x41}});  // inc ecx
    CHECK_FALSE(mistaken.judge(supervisor_piece(items), memory).right());
}

// Seen once in 13 million pieces: a page had been mapped at a second address, to which REP MOVSB moved it.
TEST_CASE("oracle: judge: a move that feeds itself through another address is left to the processor") {
    using L = OracleLayout;
    constexpr u32 second = L::data + page_size, unmapped = L::data + 9 * page_size, unmapped_entry = data_entry + 9 * 4;
    struct Case {
        const char* name;
        bool feeds;
        u32 from, to, bytes = 200;
        std::vector<u8> move = {0xFC, 0xF3, 0xA4};
    };
    const Case cases[] = {
        {"a byte ahead", true, second, unmapped + 1},
        {"63 bytes ahead", true, second + 0x345, unmapped + 0x345 + 63},
        {"from the other address", true, unmapped, second + 4},
        {"from the page before", true, second - 14, unmapped + 38},
        {"a whole line ahead", false, second, unmapped + 64},
        {"the same byte", false, second + 8, unmapped + 8},
        {"behind", false, second + 8, unmapped},
        {"ends before the page that feeds it", false, second - 14, unmapped + 38, 14},
        {"by linear addresses", false, second, second + 4},
        {"another page", false, L::data, unmapped + 4},
        {"repeated by F2", true, second, unmapped + 1, 200, {0xF2, 0xA4}},
        {"downwards", false, second + 0x800, unmapped + 0x804, 200, {0xFD, 0xF3, 0xA4}},
    };
    PieceMemory memory;
    for (u32 i = 0; i < memory.data.size(); ++i) memory.data[i] = static_cast<u8>(i * 2654435761u >> 16);
    for (const Case& c : cases) {
        INFO(c.name);
        Piece piece = supervisor_piece({store(unmapped_entry, other_frame),
                                        invlpg(unmapped),
                                        {with_word({0xBE}, c.from)},
                                        {with_word({0xBF}, c.to)},
                                        {with_word({0xB9}, c.bytes)},
                                        {c.move}});
        PieceMachine machine{OracleMode::Flat32, 0, make_interpreter};
        machine.load(piece, piece.code_pages(), memory);
        CHECK(moves_into_itself_by_alias(machine) == c.feeds);
        Judge judge{OracleMode::Flat32, 0, variants()[0], nullptr};
        Verdict verdict = judge.judge(piece, memory);
        CHECK(verdict.right());
        if (verdict.left_to_chance) CHECK(c.feeds);
    }
}

}  // namespace vellum::test
