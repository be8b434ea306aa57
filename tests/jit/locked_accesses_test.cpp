// LOCK, and XCHG with memory. While one processor has the guest's memory to itself, no locked instruction reaches the
// host; otherwise those that stay in one line of the cache do. Nothing here makes the host lock two lines, whatever the
// translator does: code for such addresses is looked at, or finds no memory there.
#include <catch2/catch.hpp>

#include <Zydis/Zydis.h>

#include "jit/emitted_blocks.hpp"
#include "jit/engine_pair.hpp"
#include "jit/guest_program.hpp"
#include "jit/paged_program.hpp"
#include "jit/switches.hpp"

using namespace vellum;
using namespace vellum::test;
namespace x86 = asmjit::x86;

namespace {

using Write = void (*)(x86::Assembler&);

// Instructions of the host that lock memory, with the prefix or without it.
int locked_in(const EmittedBlocks& emitted) {
    ZydisDecoder decoder;
    ZydisDecoderInit(&decoder, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64);
    int locked = 0;
    for (const std::vector<u8>& block : emitted.blocks)
        for (std::size_t at = 0; at < block.size();) {
            ZydisDecodedInstruction z;
            ZydisDecodedOperand operands[ZYDIS_MAX_OPERAND_COUNT];
            REQUIRE(ZYAN_SUCCESS(ZydisDecoderDecodeFull(&decoder, &block[at], block.size() - at, &z, operands)));
            bool memory = z.mnemonic == ZYDIS_MNEMONIC_XCHG && (operands[0].type == ZYDIS_OPERAND_TYPE_MEMORY ||
                                                                operands[1].type == ZYDIS_OPERAND_TYPE_MEMORY);
            locked += memory || z.attributes & ZYDIS_ATTRIB_HAS_LOCK;
            at += z.length;
        }
    return locked;
}

constexpr Write lockable[] = {
    [](x86::Assembler& a) { a.lock().add(x86::dword_ptr(x86::edi), x86::eax); },
    [](x86::Assembler& a) { a.lock().or_(x86::byte_ptr(x86::edi, 1), x86::ah); },
    [](x86::Assembler& a) { a.lock().adc(x86::word_ptr(x86::edi, x86::ebx, 1), x86::cx); },
    [](x86::Assembler& a) { a.lock().sbb(x86::dword_ptr(x86::edi), 5); },
    [](x86::Assembler& a) { a.lock().and_(x86::dword_ptr(x86::edi), 0x12345678); },
    [](x86::Assembler& a) { a.lock().sub(x86::dword_ptr(x86::esp), x86::edx); },
    [](x86::Assembler& a) { a.lock().xor_(x86::dword_ptr(0x10010), x86::edx); },
    [](x86::Assembler& a) { a.lock().inc(x86::dword_ptr(x86::edi)); },
    [](x86::Assembler& a) { a.lock().dec(x86::byte_ptr(x86::edi)); },
    [](x86::Assembler& a) { a.lock().neg(x86::word_ptr(x86::edi)); },
    [](x86::Assembler& a) { a.lock().not_(x86::dword_ptr(x86::edi)); },
    [](x86::Assembler& a) { a.lock().bts(x86::dword_ptr(x86::edi), 5); },
    [](x86::Assembler& a) { a.lock().btr(x86::word_ptr(x86::edi), 5); },
    [](x86::Assembler& a) { a.lock().btc(x86::dword_ptr(x86::edi), 5); },
    [](x86::Assembler& a) { a.lock().xadd(x86::dword_ptr(x86::edi), x86::ecx); },
    [](x86::Assembler& a) { a.lock().cmpxchg(x86::dword_ptr(x86::edi), x86::ecx); },
    [](x86::Assembler& a) { a.lock().cmpxchg8b(x86::qword_ptr(x86::edi)); },
    [](x86::Assembler& a) { a.lock().xchg(x86::dword_ptr(x86::edi), x86::ecx); },
    [](x86::Assembler& a) { a.xchg(x86::dword_ptr(x86::edi), x86::ecx); },
    [](x86::Assembler& a) { a.xchg(x86::word_ptr(x86::edi, x86::ebx, 1), x86::dx); },
    [](x86::Assembler& a) { a.xchg(x86::byte_ptr(x86::edi), x86::al); },
    [](x86::Assembler& a) { a.xchg(x86::byte_ptr(x86::edi), x86::dh); },
    [](x86::Assembler& a) { a.xchg(x86::dword_ptr(x86::esp, 4), x86::edi); },
    [](x86::Assembler& a) { a.xchg(x86::dword_ptr(x86::edi), x86::esp); },
};

// With a bit offset in a register: which line it is in is not known before.
constexpr Write locked_bit_strings[] = {
    [](x86::Assembler& a) { a.lock().bts(x86::dword_ptr(x86::edi), x86::ecx); },
    [](x86::Assembler& a) { a.lock().btr(x86::dword_ptr(x86::edi), x86::ecx); },
    [](x86::Assembler& a) { a.lock().btc(x86::word_ptr(x86::edi), x86::cx); },
};

TranslatorConfig shared_memory() {
    TranslatorConfig config;
    const TranslatorSwitch* privacy = find_switch("private-memory");
    REQUIRE(privacy);
    privacy->turn_off(config);
    return config;
}

EmittedBlocks emitted_with_hlt(Write write, const TranslatorConfig& config) {
    return emitted_for(
        [&](x86::Assembler& a) {
            write(a);
            a.hlt();
        },
        config);
}

// What `write` does at an address where no memory is, which is the outside's: in emitted code it is a host fault, and
// the interpreter was not asked for it.
bool is_left_to_interpreter(Write write, u32 address) {
    constexpr u32 outside = 0x800000;
    TranslatorConfig config = shared_memory();
    config.verifier = verify;
    FlatMachine m{1u << 20, [&](Cpu& cpu) { return make_translator(cpu, config); }};
    m.poke(FlatMachine::code_at, assemble(FlatMachine::code_at, [&](x86::Assembler& a) {
               write(a);
               a.hlt();
           }));
    m.state.eip = FlatMachine::code_at;
    m.set_reg(Reg::Edi, outside + address);
    REQUIRE(m.engine->run() == Stop::Halted);
    REQUIRE_FALSE(m.outside.mmio_writes.empty());
    return m.engine->statistics().mmio_faults == 0;
}

// On both engines, from the same state: the page of `data` as its entry says.
struct ExchangePair : EnginePair<FlatMachine> {
    static constexpr u32 directory = 0x40000, table = 0x41000, data = 0x50000;
    static constexpr u32 present = 1, writable = 2, accessed = 0x20, dirty = 0x40;

    ExchangePair() {
        both([](FlatMachine& m) {
            m.poke_value<u32>(directory, table | 7);
            for (u32 page = 0; page < 256; ++page) m.poke_value<u32>(table + 4 * page, page << 12 | 0x67);
            m.state.cr3 = directory;
            m.state.cr0 |= cr0::pg | cr0::wp;
            for (u32 at = data - 0x1000; at < data + 0x2000; at += 4) m.poke_value<u32>(at, at * 0x01234567);
            for (u32 i = 0; i < 8; ++i)
                if (i != 4) m.set_reg(static_cast<Reg>(i), 0x89ABCDEFu * (i + 1));
            m.set_reg(Reg::Ebx, data);
            m.state.eflags |= eflags::cf | eflags::of | eflags::af;
        });
    }
    void map(u32 page, u32 entry) {
        both([&](FlatMachine& m) { m.poke_value<u32>(table + 4 * (page >> 12), entry); });
    }
    u32 entry(u32 page) const { return bt.peek<u32>(table + 4 * (page >> 12)); }
    template <typename Program>
    void run(Program program) {
        auto code = assemble(FlatMachine::code_at, program);
        both([&](FlatMachine& m) {
            m.poke(FlatMachine::code_at, code);
            m.state.eip = FlatMachine::code_at;
            m.engine->state_replaced();
        });
        for (int i = 0; i < 100 && interp.state.activity == Activity::Running; ++i) REQUIRE(advance(1000) == "");
    }
};

}  // namespace

TEST_CASE("locked accesses: no locked instruction of the host is emitted for the only processor", "[jit][locked]") {
    for (std::size_t i = 0; i < std::size(lockable); ++i) {
        CAPTURE(i);
        CHECK(locked_in(emitted_with_hlt(lockable[i], {})) == 0);
    }
    for (std::size_t i = 0; i < std::size(locked_bit_strings); ++i) {
        CAPTURE(i);
        CHECK(locked_in(emitted_with_hlt(locked_bit_strings[i], {})) == 0);
    }
}

TEST_CASE("locked accesses: none is left to the interpreter for that", "[jit][locked]") {
    for (Write write : lockable) {
        EnginePair<FlatMachine> pair;
        auto code = assemble(FlatMachine::code_at, [&](x86::Assembler& a) {
            write(a);
            a.hlt();
        });
        pair.both([&](FlatMachine& m) {
            m.poke(FlatMachine::code_at, code);
            m.state.eip = FlatMachine::code_at;
            m.set_reg(Reg::Edi, FlatMachine::data_at);
        });
        REQUIRE(pair.advance(1000) == "");
        auto callouts = pair.bt.engine->statistics().callouts;
        CHECK(callouts.size() == 1);
        CHECK(callouts.count("hlt") == 1);
    }
}

TEST_CASE("locked accesses: a processor that shares its memory still locks", "[jit][locked]") {
    for (std::size_t i = 0; i < std::size(lockable); ++i) {
        CAPTURE(i);
        CHECK(locked_in(emitted_with_hlt(lockable[i], shared_memory())) == 1);
    }
}

TEST_CASE("locked accesses: with shared memory bit strings are the interpreter's", "[jit][locked]") {
    for (std::size_t i = 0; i < std::size(locked_bit_strings); ++i) {
        CAPTURE(i);
        CHECK(locked_in(emitted_with_hlt(locked_bit_strings[i], shared_memory())) == 0);
    }
}

TEST_CASE("locked accesses: with shared memory those on two lines of the cache are left to the interpreter",
          "[jit][locked]") {
    struct Row {
        u32 bytes;
        Write write;
    };
    constexpr Row rows[] = {
        {1, [](x86::Assembler& a) { a.lock().inc(x86::byte_ptr(x86::edi)); }},
        {2, [](x86::Assembler& a) { a.lock().add(x86::word_ptr(x86::edi), x86::cx); }},
        {4, [](x86::Assembler& a) { a.lock().xadd(x86::dword_ptr(x86::edi), x86::ecx); }},
        {4, [](x86::Assembler& a) { a.xchg(x86::dword_ptr(x86::edi), x86::ecx); }},
        {8, [](x86::Assembler& a) { a.lock().cmpxchg8b(x86::qword_ptr(x86::edi)); }},
    };
    constexpr u32 line = 64;
    for (const Row& row : rows)
        for (u32 at : {0u, 1u, 31u, 55u, 56u, 57u, 59u, 60u, 61u, 62u, 63u, 64u, 127u, 252u, 253u, 255u}) {
            CAPTURE(row.bytes, at);
            CHECK(is_left_to_interpreter(row.write, at) == (at % line + row.bytes > line));
        }
}

TEST_CASE("locked accesses: with shared memory all that is in one line does what the interpreter does",
          "[jit][locked]") {
    TranslatorConfig config = shared_memory();
    config.counting = true;
    config.verifier = verify;
    for (Write write : lockable) {
        EnginePair<FlatMachine> pair{1u << 20, [&](Cpu& cpu) { return make_translator(cpu, config); }};
        auto code = assemble(FlatMachine::code_at, [&](x86::Assembler& a) {
            write(a);
            write(a);
            a.hlt();
        });
        pair.both([&](FlatMachine& m) {
            m.poke(FlatMachine::code_at, code);
            m.state.eip = FlatMachine::code_at;
            for (u32 i = 0; i < 3; ++i) m.set_reg(static_cast<Reg>(i), 0x89ABCDEFu * (i + 1));
            m.set_reg(Reg::Edi, FlatMachine::data_at);
            m.state.eflags |= eflags::cf | eflags::of | eflags::zf;
        });
        CHECK(pair.advance(1000) == "");
    }
}

TEST_CASE("locked accesses: XCHG with memory gives what the interpreter gives, for every register", "[jit][locked]") {
    using x86::ebx;
    for (u8 opcode : {u8{0x86}, u8{0x87}})
        for (u8 prefix : {u8{0x66}, u8{0x3E}})
            for (u8 reg = 0; reg < 8; ++reg)
                for (u8 rm : {u8{3}, u8{4}}) {  // [ebx+12h], [esp+12h]
                    CAPTURE(int{opcode}, int{prefix}, int{reg}, int{rm});
                    ExchangePair pair;
                    pair.run([&](x86::Assembler& a) {
                        for (u8 byte : {prefix, opcode, static_cast<u8>(0x40 | reg << 3 | rm)}) a.db(byte);
                        if (rm == 4) a.db(0x24);
                        a.db(0x12);
                        a.nop();
                        a.hlt();
                    });
                    CHECK(pair.bt.state.activity == Activity::Halted);
                    CHECK(pair.compare() == "");
                }
}

TEST_CASE("locked accesses: XADD and CMPXCHG give what the interpreter gives, for every size and register",
          "[jit][locked]") {
    struct Row {
        u8 prefix, opcode;
        bool equal;
    };
    Row row = GENERATE(Row{0x3E, 0xC0, false}, Row{0x66, 0xC1, false}, Row{0xF0, 0xC1, false}, Row{0x3E, 0xB0, true},
                       Row{0xF0, 0xB0, false}, Row{0x66, 0xB1, true}, Row{0x66, 0xB1, false}, Row{0xF0, 0xB1, true},
                       Row{0x3E, 0xB1, false});
    for (u8 reg = 0; reg < 8; ++reg)
        for (u8 rm : {u8{0}, u8{3}, u8{4}}) {  // [eax+12h], [ebx+12h], [esp+12h]
            CAPTURE(int{row.prefix}, int{row.opcode}, int{reg}, int{rm});
            ExchangePair pair;
            pair.run([&](x86::Assembler& a) {
                if (rm == 0) a.mov(x86::eax, ExchangePair::data);
                if (row.equal && rm == 0) a.mov(x86::dword_ptr(x86::eax, 0x12), x86::eax);
                if (row.equal && rm == 3) a.mov(x86::dword_ptr(x86::ebx, 0x12), x86::eax);
                if (row.equal && rm == 4) a.mov(x86::dword_ptr(x86::esp, 0x12), x86::eax);
                for (u8 byte : {row.prefix, u8{0x0F}, row.opcode, static_cast<u8>(0x40 | reg << 3 | rm)}) a.db(byte);
                if (rm == 4) a.db(0x24);
                a.db(0x12);
                a.pushfd();
                a.hlt();
            });
            CHECK(pair.bt.halted_by() == -1);
        }
}

TEST_CASE("locked accesses: XADD and CMPXCHG with a read-only page change no register and no flag", "[jit][locked]") {
    Write write = GENERATE(Write{[](x86::Assembler& a) { a.lock().xadd(x86::dword_ptr(x86::ebx), x86::ecx); }},
                           Write{[](x86::Assembler& a) { a.lock().cmpxchg(x86::dword_ptr(x86::ebx), x86::ecx); }},
                           Write{[](x86::Assembler& a) { a.cmpxchg(x86::dword_ptr(x86::ebx), x86::eax); }});
    bool read_before = GENERATE(false, true);
    ExchangePair pair;
    pair.map(ExchangePair::data, ExchangePair::data | ExchangePair::present);
    u32 flags = pair.bt.flags();
    pair.run([&](x86::Assembler& a) {
        if (read_before) a.mov(x86::edx, x86::dword_ptr(x86::ebx));
        write(a);
        a.hlt();
    });
    CHECK(pair.bt.halted_by() == vector::pf);
    CHECK(pair.bt.flags() == flags);
    CHECK(pair.bt.peek<u32>(pair.bt.reg(Reg::Esp)) == 3);
    CHECK(pair.bt.reg(Reg::Ecx) == 0x89ABCDEFu * 2);
}

TEST_CASE("locked accesses: XADD and CMPXCHG see the marks that they make in what they read", "[jit][locked]") {
    Write write = GENERATE(Write{[](x86::Assembler& a) { a.xadd(x86::dword_ptr(x86::ebx, 0x140), x86::ecx); }},
                           Write{[](x86::Assembler& a) { a.cmpxchg(x86::dword_ptr(x86::ebx, 0x140), x86::ecx); }});
    static_assert((ExchangePair::data >> 12) * 4 == 0x140);
    ExchangePair pair;
    pair.map(ExchangePair::data, ExchangePair::table | 0x23);
    pair.run([&](x86::Assembler& a) {
        a.mov(x86::edx, x86::dword_ptr(x86::ebx));
        write(a);
        a.hlt();
    });
    CHECK(pair.bt.halted_by() == -1);
    CHECK((pair.bt.reg(Reg::Eax) == (ExchangePair::table | 0x63) ||
           pair.bt.reg(Reg::Ecx) == (ExchangePair::table | 0x63)));
}

TEST_CASE("locked accesses: XCHG over the ends of pages and lines", "[jit][locked]") {
    for (u32 at : {0xFFFu, 0xFFEu, 0xFFDu, 0xFFCu, 61u, 63u}) {
        ExchangePair pair;
        pair.map(ExchangePair::data, ExchangePair::data | 3);
        pair.map(ExchangePair::data + 0x1000, (ExchangePair::data + 0x1000) | 3);
        pair.run([&](x86::Assembler& a) {
            a.xchg(x86::dword_ptr(x86::ebx, static_cast<int>(at)), x86::ecx);
            a.hlt();
        });
        CHECK(pair.bt.state.activity == Activity::Halted);
        CHECK(pair.bt.halted_by() == -1);
    }
}

TEST_CASE("locked accesses: XCHG with a read-only page faults as a write and changes nothing", "[jit][locked]") {
    bool read_before = GENERATE(false, true);
    ExchangePair pair;
    pair.map(ExchangePair::data, ExchangePair::data | ExchangePair::present);
    pair.run([&](x86::Assembler& a) {
        if (read_before) a.mov(x86::edx, x86::dword_ptr(x86::ebx));
        a.xchg(x86::dword_ptr(x86::ebx), x86::ecx);
        a.hlt();
    });
    CHECK(pair.bt.halted_by() == vector::pf);
    CHECK(pair.bt.peek<u32>(pair.bt.reg(Reg::Esp)) == 3);  // present, write
    CHECK(pair.bt.reg(Reg::Ecx) == 0x89ABCDEFu * 2);
    CHECK((pair.entry(ExchangePair::data) & ExchangePair::accessed) == (read_before ? ExchangePair::accessed : 0));
}

TEST_CASE("locked accesses: XCHG with an absent page faults as a write", "[jit][locked]") {
    ExchangePair pair;
    pair.map(ExchangePair::data, 0);
    pair.run([&](x86::Assembler& a) {
        a.xchg(x86::dword_ptr(x86::ebx, 8), x86::ecx);
        a.hlt();
    });
    CHECK(pair.bt.halted_by() == vector::pf);
    CHECK(pair.bt.peek<u32>(pair.bt.reg(Reg::Esp)) == 2);
    CHECK(pair.bt.state.cr2 == ExchangePair::data + 8);
}

TEST_CASE("locked accesses: XCHG with a clean page that was read before marks it dirty", "[jit][locked]") {
    ExchangePair pair;
    pair.map(ExchangePair::data, ExchangePair::data | 3);
    pair.run([&](x86::Assembler& a) {
        a.mov(x86::edx, x86::dword_ptr(x86::ebx));
        a.xchg(x86::dword_ptr(x86::ebx), x86::ecx);
        a.hlt();
    });
    CHECK(pair.bt.halted_by() == -1);
    CHECK((pair.entry(ExchangePair::data) & 0x60) == 0x60);
}

// The page table is mapped at `data` by an entry that is clean, or not even accessed: both marks are made before the
// entry is read.
TEST_CASE("locked accesses: XCHG with the very entry that maps it gives the entry as it marked it", "[jit][locked]") {
    u32 marked = GENERATE(0u, u32{ExchangePair::accessed});
    bool read_before = GENERATE(false, true);
    ExchangePair pair;
    pair.map(ExchangePair::data, ExchangePair::table | 3 | marked);
    pair.run([&](x86::Assembler& a) {
        if (read_before) a.mov(x86::edx, x86::dword_ptr(x86::ebx));
        a.xchg(x86::dword_ptr(x86::ebx, (ExchangePair::data >> 12) * 4), x86::ecx);
        a.hlt();
    });
    CHECK(pair.bt.halted_by() == -1);
    CHECK(pair.bt.reg(Reg::Ecx) == (ExchangePair::table | 0x63));
}

// The load reaches the second page, though the store may not be done on the first.
TEST_CASE("locked accesses: XCHG that begins on a read-only page marks nothing of its second page", "[jit][locked]") {
    ExchangePair pair;
    pair.map(ExchangePair::data, ExchangePair::data | ExchangePair::present);
    pair.map(ExchangePair::data + 0x1000, (ExchangePair::data + 0x1000) | 3);
    pair.run([&](x86::Assembler& a) {
        a.mov(x86::edx, x86::dword_ptr(x86::ebx));
        a.xchg(x86::dword_ptr(x86::ebx, 0xFFE), x86::ecx);
        a.hlt();
    });
    CHECK(pair.bt.halted_by() == vector::pf);
    CHECK(pair.bt.state.cr2 == ExchangePair::data + 0xFFE);
    CHECK((pair.entry(ExchangePair::data + 0x1000) & 0x60) == 0);
}

TEST_CASE("locked accesses: XCHG at the very beginning of a page that no window shows is translated code's",
          "[jit][locked]") {
    ExchangePair pair;
    pair.map(ExchangePair::data - 0x1000, 0);
    pair.map(ExchangePair::data, ExchangePair::data | 3);
    pair.run([&](x86::Assembler& a) {
        a.xchg(x86::dword_ptr(x86::ebx), x86::ecx);
        a.xchg(x86::dword_ptr(x86::ebx, x86::esi, 0, static_cast<int>(0u - 0x89ABCDEFu * 7)), x86::edx);
        a.hlt();
    });
    CHECK(pair.bt.engine->statistics().window_fills >= 1);
    CHECK(pair.bt.engine->statistics().callouts.count("fault") == 0);
}
