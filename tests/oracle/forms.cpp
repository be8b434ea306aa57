// Enumeration by trying all openings; what is no instruction is skipped by the decoder.
#include "oracle/forms.hpp"

#include "oracle/piece_rules.hpp"

namespace vellum::test {

namespace {

using L = OracleLayout;
constexpr u8 escapes[][2] = {{0, 0}, {0x0F, 0}, {0x0F, 0x38}, {0x0F, 0x3A}};
constexpr u32 longest = 15;

bool is_absolute_move(const Form& form) { return form.opcode_map == 0 && form.opcode >= 0xA0 && form.opcode <= 0xA3; }
bool is_prefix_or_escape(u8 opcode_map, u8 opcode) {
    if (opcode_map == 1) return opcode == 0x38 || opcode == 0x3A;
    if (opcode_map != 0) return false;
    for (u8 byte : {0x0F, 0x26, 0x2E, 0x36, 0x3E, 0x64, 0x65, 0x66, 0x67, 0xF0, 0xF2, 0xF3})
        if (opcode == byte) return true;
    return false;
}

}  // namespace

std::string_view left_out_because(const Instruction& in) {
    if (in.mnemonic == ZYDIS_MNEMONIC_INT3 || may_run_in_piece(in)) return leaves_half_done(in) ? "POPA" : "";
    return why_not_in_piece(in);
}

std::vector<u8> Form::opening() const {
    std::vector<u8> bytes;
    if (prefix) bytes.push_back(prefix);
    for (u8 escape : escapes[opcode_map])
        if (escape) bytes.push_back(escape);
    bytes.push_back(opcode);
    return bytes;
}

void for_each_form(bool all_pairs, const std::function<void(const Form&)>& visit) {
    Decoder decoder{host_features()};
    for (bool code32 : {true, false})
        for (u8 prefix : {0x00, 0x66, 0xF3, 0xF2})
            for (u8 map = 0; map < 4; ++map)
                for (u32 opcode = 0; opcode < 256; ++opcode) {
                    if (is_prefix_or_escape(map, static_cast<u8>(opcode))) continue;
                    for (u32 modrm = 0; modrm < 256; ++modrm) {
                        u32 reg = modrm >> 3 & 7, rm = modrm & 7;
                        bool x87 = map == 0 && opcode >= 0xD8 && opcode <= 0xDF, pair = modrm >= 0xC0 && !x87;
                        if (pair && !all_pairs && rm != 4 && rm != ((reg + 1) & 7)) continue;
                        if (modrm < 0xC0 && (modrm & 0xC7) != (code32 ? 3 : 7)) continue;
                        Form form{code32, prefix, map, static_cast<u8>(opcode), static_cast<u8>(modrm)};
                        std::vector<u8> bytes = form.opening();
                        bytes.push_back(form.modrm);
                        bytes.resize(longest, 1);
                        Instruction in;
                        if (decoder.decode(bytes, code32, in) != DecodeStatus::Ok) continue;
                        form.mnemonic = in.mnemonic;
                        form.left_out = left_out_because(in);
                        visit(form);
                        if (!in.has_modrm) break;  // one is as good as another
                    }
                }
}

Piece piece_of_form(const Form& form, u8 cpl, u64 seed) {
    OracleMode mode = form.code32 ? OracleMode::Flat32 : OracleMode::Segmented16;
    RandomPieces random{mode, seed};
    Piece piece;
    piece.mode = mode;
    piece.cpl = cpl;
    piece.registers = random.registers();
    for (u32 reg : {3u, 6u, 7u}) piece.registers.gpr[reg] = random.data_address(512 + random.below(1024) * 4);
    piece.registers.gpr[4] = random.stack_address(page_size + 256 + random.below(64) * 4);
    piece.registers.gpr[5] = random.stack_address(page_size + 1024);
    piece.start = random.below(page_size) & ~15u;
    piece.registers.eip = random.code_address(piece.start);

    PieceItem item;
    item.bytes = form.opening();
    Instruction in;
    std::vector<u8> bytes = item.bytes;
    bytes.push_back(form.modrm);
    if (is_absolute_move(form)) {
        bytes.pop_back();
        u32 address = random.data_address(random.below(L::data_bytes - 8));
        for (u32 i = 0; i < (form.code32 ? 4u : 2u); ++i) bytes.push_back(static_cast<u8>(address >> 8 * i));
    }
    while (bytes.size() < longest)
        bytes.push_back(static_cast<u8>(random.chance(50) ? random.below(32) : random.any()));
    Decoder{host_features()}.decode(bytes, form.code32, in);
    bytes.resize(in.length);
    item.bytes = bytes;
    bool bit_string = in.opcode_map == 1 && (in.opcode & 0xE7) == 0xA3;
    if (bit_string && in.has_memory) piece.registers.gpr[in.op[1].reg] = random.below(8000);
    if (in.op[0].kind == Operand::Kind::Relative) {
        item.link = PieceItem::Link::Relative;
        bool is_short = in.opcode_map == 0 && in.opcode != 0xE8 && in.opcode != 0xE9;
        item.link_bytes = is_short ? 1 : in.operand_size;
        item.target = 2 + random.below(2);
    }
    piece.for_host = left_out_because(in).empty() && cpl == 3;
    constexpr u8 make_flags[][2] = {{0x38, 0xC8}, {0x00, 0xD0}, {0xF8, 0xF9}, {0xFC, 0x90}};
    bool alone = leaves_flags_of_its_own(in.mnemonic);
    const auto& maker = make_flags[random.below(4)];
    if (!alone) piece.items.push_back({{maker[0], maker[1]}});
    piece.items.push_back(item);
    if (!alone) piece.items.push_back({{static_cast<u8>(random.chance(50) ? 0x9C : 0x9F)}});  // PUSHF or LAHF
    for (PieceItem& i : piece.items) i.target = std::min<u32>(i.target, static_cast<u32>(piece.items.size()));
    return piece;
}

}  // namespace vellum::test
