// The mixture. Encodings are written for the default operand size of the code, 66 and 67 in front now and then.
#include "oracle/piece_writer.hpp"

#include <algorithm>

namespace vellum::test {

namespace {

using L = OracleLayout;
constexpr u8 ebx = 3, esp = 4, ebp = 5, esi = 6, edi = 7;

u8 modrm(u32 mod, u32 reg, u32 rm) { return static_cast<u8>(mod << 6 | reg << 3 | rm); }

}  // namespace

void PieceWriter::add_link(std::vector<u8> bytes, Link link, u8 link_bytes, u32 target) {
    bytes.resize(bytes.size() + link_bytes);
    items_.push_back({std::move(bytes), link, link_bytes, target});
}

void PieceWriter::add_word(std::vector<u8> bytes, u32 value) {
    for (u32 i = 0; i < word_bytes(); ++i) bytes.push_back(static_cast<u8>(value >> 8 * i));
    add(std::move(bytes));
}

u8 PieceWriter::pointer_register() {
    constexpr u8 all[] = {ebx, ebp, esi, edi, 0, 2};
    return all[random_.below(random_.chance(80) ? 4 : 6)];
}

// Data mostly; ends of pages, what can only be read, the code itself, and ends of the address space now and then.
u32 PieceWriter::pointer() {
    u32 kind = random_.below(100);
    if (kind < 60) return random_.data_address(random_.below(L::data_bytes - 64));
    if (kind < 70) return random_.data_address(page_size - random_.below(20));
    if (kind < 78) return random_.data_address(L::data_bytes - random_.below(20));
    if (kind < 82) return random_.data_address(L::data_bytes + page_size - random_.below(24));
    if (kind < 85) return random_.data_address(0) - random_.below(20);
    if (kind < 92) return random_.stack_address(random_.below(L::stack_bytes));
    if (kind < 96) return random_.code_address(random_.below(L::code_bytes));
    if (kind < 98) return 0u - random_.below(40);
    return random_.below(40);
}

void PieceWriter::add_any() {
    u32 kind = random_.below(100);
    using K = RandomPieces::Kind;
    std::vector<u8> bytes = random_.instruction(kind < 84 ? K::Integer : kind < 91 ? K::X87 : K::Simd, length_ == 1);
    add(std::move(bytes));
}

// What would tell of the host's tables or change its segments: engines only.
void PieceWriter::add_sensitive() {
    constexpr u8 one_byte[] = {0x06, 0x07, 0x0E, 0x16, 0x17, 0x1E, 0x1F, 0x9C, 0x9D, 0xFA, 0xFB, 0xCD, 0xCE, 0xCF,
                               0xE4, 0xE6, 0xEC, 0xEE, 0x6C, 0x6E, 0x8C, 0x8E, 0xC4, 0xC5, 0x9A, 0xEA, 0xCB, 0xF1};
    constexpr u8 two_bytes[] = {0x00, 0x01, 0x02, 0x03, 0x06, 0xA0, 0xA1, 0xA8, 0xA9, 0xB2, 0xB4, 0xB5,
                                0xA2, 0x31, 0x20, 0x22, 0x21, 0x23, 0x32, 0x34, 0x08, 0x09, 0xAE};
    for_host_ = false;
    std::vector<u8> bytes;
    if (random_.chance(15)) bytes.push_back(0x66);
    if (random_.chance(10)) bytes.push_back(0xF3);
    if (random_.chance(50)) {
        bytes.push_back(one_byte[random_.below(std::size(one_byte))]);
    } else {
        bytes.push_back(0x0F);
        bytes.push_back(two_bytes[random_.below(std::size(two_bytes))]);
    }
    u8 opcode = bytes.back();
    bytes.push_back(any_byte());
    while (bytes.size() < 15) bytes.push_back(random_.chance(50) ? any_byte() : 0);
    Instruction in;
    // Flags and selectors that something can follow from.
    if (opcode == 0x9D) add_word({0x68}, static_cast<u32>(random_.any()) & (random_.chance(80) ? 0xED5 : 0x247FD5));
    if (opcode == 0x07 || opcode == 0x17 || opcode == 0x1F) add_word({0x68}, random_.below(0x40));
    if (Decoder{host_features()}.decode(bytes, !random_.narrow(), in) != DecodeStatus::Ok) return;
    bytes.resize(in.length);
    add(std::move(bytes));
}

void PieceWriter::add_pointer() { add_word({static_cast<u8>(0xB8 + pointer_register())}, pointer()); }

void PieceWriter::add_stack_run() {
    for (u32 n = 1 + random_.below(6); n > 0; --n) {
        std::vector<u8> bytes;
        bytes.reserve(8);
        if (random_.chance(6)) bytes.push_back(0x66);
        bool narrow = random_.narrow() != !bytes.empty();
        switch (random_.below(12)) {
            case 0: bytes.insert(bytes.end(), {0x6A, any_byte()}); break;
            case 1:
                bytes.push_back(0x68);
                for (u32 i = 0; i < (narrow ? 2u : 4u); ++i) bytes.push_back(any_byte());
                break;
            case 2: bytes.insert(bytes.end(), {0xFF, modrm(3, 6, random_.below(8))}); break;
            case 3: bytes.insert(bytes.end(), {0x8F, modrm(3, 0, random_.below(8))}); break;
            case 4: bytes.push_back(random_.chance(30) ? 0x9C : 0x50); break;
            case 5: bytes.push_back(random_.chance(40) ? (random_.chance(50) ? 0x60 : 0x61) : 0x51); break;
            case 6: bytes.push_back(random_.chance(20) ? 0xC9 : 0x52); break;
            case 7:
            case 8:
            case 9: bytes.push_back(static_cast<u8>(0x50 + random_.below(8))); break;
            default: bytes.push_back(static_cast<u8>(0x58 + random_.below(8))); break;
        }
        add(std::move(bytes));
    }
}

void PieceWriter::add_stack_arithmetic() {
    u8 by = static_cast<u8>(random_.chance(80) ? random_.below(8) * 4 : random_.any());
    switch (random_.below(8)) {
        case 0: return add({0x83, modrm(3, 0, esp), by});
        case 1: return add({0x83, modrm(3, 5, esp), by});
        case 2: return add({0x89, modrm(3, esp, ebp)});
        case 3: return add({0x8B, modrm(3, random_.below(8), esp)});
        case 4: return add({static_cast<u8>(random_.chance(50) ? 0x44 : 0x4C)});
        case 5:
            if (!random_.narrow()) return add({0x8D, modrm(1, esp, esp), 0x24, by});
            return add({0x67, 0x66, 0x8D, modrm(1, esp, esp), 0x24, by});
        case 6: return add_word({0x81, modrm(3, random_.below(8), esp)}, random_.chance(60) ? by : random_.any());
        default:
            if (random_.chance(70)) return add({0xC9});
            return add_word({0xBC}, random_.stack_address(random_.below(L::stack_bytes)));
    }
}

// Something with [esp+d], ESP in pending state or not.
void PieceWriter::add_stack_operand() {
    constexpr u8 opcodes[] = {0x8B, 0x89, 0x03, 0x01, 0xFF, 0x8F, 0x87, 0x8A, 0x88, 0x39, 0xFE, 0xC7};
    u8 opcode = opcodes[random_.below(std::size(opcodes))];
    u8 reg = static_cast<u8>(random_.below(8));
    if (opcode == 0xFF && reg >= 2) reg = 6;
    if (opcode == 0xFE) reg &= 1;
    if (opcode == 0x8F || opcode == 0xC7) reg = 0;
    std::vector<u8> bytes;
    if (random_.narrow()) bytes.push_back(0x67);
    u8 sib = random_.chance(70) ? 0x24 : static_cast<u8>((random_.any() & 0xF8) | 4);
    bytes.insert(bytes.end(), {opcode, modrm(1, reg, esp), sib, static_cast<u8>(random_.below(16) * 4)});
    if (opcode == 0xC7) return add_word(std::move(bytes), static_cast<u32>(random_.any()));
    add(std::move(bytes));
}

// Writers of flags next to readers of flags.
void PieceWriter::add_flags() {
    u8 registers = modrm(3, random_.below(8), random_.below(8));
    switch (random_.below(10)) {
        case 0: return add({0x9C});
        case 1: return add({0x9F});
        case 2: return add({0x9E});
        case 3: return add({0x0F, static_cast<u8>(0x90 + random_.below(16)), modrm(3, 0, random_.below(8))});
        case 4: return add({0x0F, static_cast<u8>(0x40 + random_.below(16)), registers});
        case 5:
            return add({
                static_cast<u8>(0xF5 + random_.below(8) % 3 * 3),
            });
        case 6: return add({static_cast<u8>(random_.below(8) << 3 | 1), registers});
        case 7: return add({0xD1, registers});
        case 8: return add({static_cast<u8>(random_.chance(50) ? 0xFC : 0xF8)});
        default: return add({static_cast<u8>(random_.chance(50) ? 0x40 + random_.below(16) : 0x91)});
    }
}

void PieceWriter::add_branch() {
    u8 condition = static_cast<u8>(random_.below(16));
    switch (random_.below(6)) {
        case 0: return add_link({static_cast<u8>(0x70 + condition)}, Link::Relative, 1, somewhere());
        case 1: return add_link({0x0F, static_cast<u8>(0x80 + condition)}, Link::Relative, word_bytes(), somewhere());
        case 2: return add_link({0xEB}, Link::Relative, 1, somewhere());
        case 3: return add_link({0xE9}, Link::Relative, word_bytes(), somewhere());
        default: {
            // Most often to what follows soon, so that the rest of the piece is executed.
            u32 target = static_cast<u32>(items_.size()) + 1 + random_.below(4);
            return add_link({static_cast<u8>(0x70 + condition)}, Link::Relative, 1, target);
        }
    }
}

void PieceWriter::add_loop() {
    u32 back = random_.below(4);
    u32 target = static_cast<u32>(items_.size()) - std::min(back, static_cast<u32>(items_.size()));
    if (random_.chance(60)) {
        add_word({0xB9}, random_.below(6));
        ++target;
    }
    for (u32 n = random_.below(3); n > 0; --n) random_.chance(50) ? add_flags() : add_any();
    std::vector<u8> bytes;
    if (random_.chance(15)) bytes.push_back(0x67);
    bytes.push_back(static_cast<u8>(0xE0 + random_.below(4)));
    add_link(std::move(bytes), Link::Relative, 1, random_.chance(80) ? target : somewhere());
}

void PieceWriter::add_call() {
    switch (random_.below(4)) {
        case 0: return add({0xC3});
        case 1: return add({0xC2, static_cast<u8>(random_.below(16)), 0});
        default: return add_link({0xE8}, Link::Relative, word_bytes(), somewhere());
    }
}

// Through a register, through the stack, through memory on the stack.
void PieceWriter::add_indirect() {
    auto reg = static_cast<u8>(random_.below(8));
    bool call = random_.chance(50);
    u8 form = random_.chance(90) ? 3 : 0;
    if (reg == esp && form == 0) reg = esi;
    switch (random_.below(3)) {
        case 0:
            add_link({static_cast<u8>(0xB8 + reg)}, Link::Absolute, word_bytes(), somewhere());
            if (random_.chance(20)) add_any();
            return add({0xFF, modrm(form, call ? 2 : 4, reg)});
        case 1: add_link({0x68}, Link::Absolute, word_bytes(), somewhere()); return add({0xC3});
        default:
            add_link({0x68}, Link::Absolute, word_bytes(), somewhere());
            if (random_.narrow()) return add({0x67, 0xFF, modrm(0, call ? 2 : 4, esp), 0x24});
            return add({0xFF, modrm(0, call ? 2 : 4, esp), 0x24});
    }
}

void PieceWriter::add_string() {
    constexpr u8 opcodes[] = {0xA4, 0xA5, 0xA6, 0xA7, 0xAA, 0xAB, 0xAC, 0xAD, 0xAE, 0xAF};
    if (random_.chance(50)) add_word({0xB8 + esi}, pointer());
    if (random_.chance(50)) add_word({0xB8 + edi}, pointer());
    if (random_.chance(60)) add_word({0xB9}, random_.chance(80) ? random_.below(40) : pointer() & 0x3FFF);
    if (random_.chance(20)) add({static_cast<u8>(random_.chance(50) ? 0xFC : 0xFD)});
    std::vector<u8> bytes;
    if (random_.chance(15)) bytes.push_back(0x66);
    if (random_.narrow() ? mode_ == OracleMode::NarrowCode : random_.chance(5)) bytes.push_back(0x67);
    if (random_.chance(8)) bytes.push_back(random_.chance(50) ? 0x36 : 0x2E);
    if (random_.chance(60)) bytes.push_back(random_.chance(60) ? 0xF3 : 0xF2);
    bytes.push_back(opcodes[random_.below(std::size(opcodes))]);
    add(std::move(bytes));
}

// MOVS between STD and CLD as memory moves have it, and now and then something that wants DF.
void PieceWriter::add_descent() {
    if (random_.chance(80)) add_word({0xB8 + esi}, pointer());
    if (random_.chance(80)) add_word({0xB8 + edi}, pointer());
    add_word({0xB9}, random_.chance(80) ? random_.below(40) : random_.below(1200));
    add({0xFD});
    for (u32 n = 1 + random_.below(3); n > 0; --n) {
        if (random_.chance(40)) add({0x83, modrm(3, random_.chance(50) ? 0 : 5, esi + random_.below(2)), any_byte()});
        if (random_.chance(30))
            add_link({static_cast<u8>(0x70 + random_.below(16))}, Link::Relative, 1,
                     static_cast<u32>(items_.size()) + 1 + random_.below(2));
        if (random_.chance(15)) random_.chance(50) ? add_string() : add_any();
        std::vector<u8> bytes;
        if (random_.chance(20)) bytes.push_back(0x66);
        if (random_.chance(60)) bytes.push_back(random_.chance(90) ? 0xF3 : 0xF2);
        bytes.push_back(random_.chance(50) ? 0xA5 : 0xA4);
        add(std::move(bytes));
    }
    if (random_.chance(90)) add({0xFC});
}

// Changes an entry of the page table and flushes it, or how entries are read. CPL 0 in flat segments only. One item,
// since between the change and the flush a processor may use either entry; and a reload of CR3 flushes no entry that a
// processor may have held as a global one, so that in pieces with global pages INVLPG comes after it.
void PieceWriter::add_paging() {
    constexpr u32 entries = 0x10102000, alias = 0x10018000, dirty = 0x40, global = 0x100;
    constexpr u8 frames[] = {16, 19, 20, 20, 23, 25, 27, 30, 40, 41, 62, 200};
    constexpr u32 pages[] = {L::data,          L::data,  L::data + page_size,  L::data + page_size,
                             L::read_only,     L::stack, L::stack + page_size, alias,
                             alias + page_size};
    for_host_ = false;
    std::vector<u8> bytes;
    auto put = [&](std::initializer_list<u8> opening) { bytes.insert(bytes.end(), opening); };
    auto put_word = [&](u32 value) {
        for (u32 i = 0; i < 4; ++i) bytes.push_back(static_cast<u8>(value >> 8 * i));
    };
    u32 page = pages[random_.below(std::size(pages))], entry = entries + (page >> page_shift & 0x3FF) * 4;
    u32 rights = random_.chance(80) ? 1 : 0;
    for (u32 bit : {2u, 4u, 0x20u, dirty, global}) rights |= random_.chance(60) ? bit : 0;
    if (!global_pages_) rights &= ~global;
    switch (random_.below(6)) {
        case 0:
            put({0x81, modrm(0, 4, 5)}), put_word(entry);
            put_word(~(random_.chance(50) ? 0x40u : 0x60u));  // AND: D, or A and D
            break;
        case 1: put({0xF0, 0x0F, 0xBA, modrm(0, 6, 5)}), put_word(entry), put({5}); break;  // LOCK BTR: A
        default:
            put({0xC7, modrm(0, 0, 5)}), put_word(entry);
            put_word(u32{frames[random_.below(std::size(frames))]} << page_shift | rights);
    }
    u32 how = random_.below(8);
    if (how <= 1) put({0x0F, 0x20, 0xD8, 0x0F, 0x22, 0xD8});                                  // CR3
    if (how == 2) put({0x0F, 0x20, 0xC0, 0x35}), put_word(0x10000), put({0x0F, 0x22, 0xC0});  // CR0.WP
    if (how == 3) put({0x0F, 0x20, 0xE0, 0x35}), put_word(0x80), put({0x0F, 0x22, 0xE0});     // CR4.PGE
    if (how >= 2 || global_pages_) put({0x0F, 0x01, modrm(0, 7, 5)}), put_word(page + random_.below(page_size));
    add(bytes);
    auto one = [&](u8 opcode, u32 value) {
        bytes = {opcode};
        put_word(value);
        add(bytes);
    };
    if (random_.chance(60)) one(random_.chance(50) ? 0xA1 : 0xA3, page + random_.below(4090));
    if (random_.chance(40)) one(static_cast<u8>(0xB8 + pointer_register()), page + random_.below(4096));
}

void PieceWriter::add_one() {
    u32 kind = random_.below(100);
    if (changes_pages_ && random_.chance(25)) return add_paging();
    if (kind < 40) return add_any();
    if (kind < 52) return add_pointer();
    if (kind < 62) return add_stack_run();
    if (kind < 68) return add_stack_arithmetic();
    if (kind < 74) return add_stack_operand();
    if (kind < 82) return add_flags();
    if (kind < 88) return add_branch();
    if (kind < 90) return add_loop();
    if (kind < 93) return add_call();
    if (kind < 95) return add_indirect();
    if (kind < 98) return add_string();
    add_descent();
}

void PieceWriter::place_registers(OracleState& state) {
    for (u8 reg : {ebx, ebp, esi, edi})
        if (random_.chance(60)) state.gpr[reg] = pointer();
    u32 kind = random_.below(100);
    u32& stack = state.gpr[esp];
    if (kind < 8)
        stack = random_.stack_address(page_size + random_.below(40));
    else if (kind < 14)
        stack = random_.stack_address(random_.below(40));
    else if (kind < 20)
        stack = random_.stack_address(L::stack_bytes - random_.below(40));
    else if (kind < 23)
        stack = 0u - random_.below(40);
    else if (kind < 25)
        stack = random_.below(40);
    else if (kind < 28)
        stack = random_.data_address(L::data_bytes + random_.below(64));
}

Piece PieceWriter::piece() {
    constexpr u32 longest = 40;
    length_ = random_.chance(25) ? 1 : 1 + random_.below(random_.chance(50) ? 8 : longest);
    bool sensitive = random_.chance(10);
    changes_pages_ = cpl_ == 0 && mode_ == OracleMode::Flat32 && random_.chance(50);
    global_pages_ = random_.chance(50);
    items_.clear();
    for_host_ = true;
    if (length_ == 1) {
        add_any();
    } else {
        while (items_.size() < length_) sensitive&& random_.chance(20) ? add_sensitive() : add_one();
    }
    Piece piece;
    piece.mode = mode_;
    piece.cpl = cpl_;
    piece.for_host = for_host_;
    piece.registers = random_.registers();
    place_registers(piece.registers);
    auto count = static_cast<u32>(items_.size());
    piece.items = std::move(items_);
    for (PieceItem& item : piece.items) item.target = std::min(item.target, count);
    u32 bytes = piece.bytes(), kind = random_.below(100);
    if (kind < 15)
        piece.start = page_size - random_.below(bytes);
    else if (kind < 25)
        piece.start = L::code_bytes - bytes + (random_.chance(20) ? 0 : 0);
    else
        piece.start = random_.below(page_size / 2);
    piece.start = std::min(piece.start, L::code_bytes - bytes);
    piece.registers.eip = random_.code_address(piece.start);
    return piece;
}

}  // namespace vellum::test
