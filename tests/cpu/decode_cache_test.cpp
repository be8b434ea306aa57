// Code that changes: by itself, by others, by a change of mapping; and data beside code.
#include "cpu/decode_cache.hpp"

#include <catch2/catch.hpp>

#include "support/test_machine.hpp"

using namespace vellum;
using namespace vellum::test;

TEST_CASE("decode cache: an instruction that overwrites the next one is obeyed at once") {
    FlatMachine m;
    m.run({0xC6, 0x05, 0x07, 0x10, 0x00, 0x00, 0x43,  // mov byte [1007h], 43h
           0x40});                                    // inc eax, until it becomes inc ebx
    CHECK(m.reg(Reg::Eax) == 0);
    CHECK(m.reg(Reg::Ebx) == 1);
}

TEST_CASE("decode cache: a loop that patches its own body sees each patch") {
    FlatMachine m;
    // mov ecx, 5; L: add byte [M+1], 1; M: mov al, 0; add edx, eax; dec ecx; jnz L
    m.run({0xB9, 0x05, 0x00, 0x00, 0x00, 0x80, 0x05, 0x0D, 0x10, 0x00, 0x00, 0x01, 0xB0, 0x00, 0x01, 0xC2, 0x49, 0x75,
           0xF2});
    CHECK(m.reg(Reg::Edx) == 1 + 2 + 3 + 4 + 5);
}

TEST_CASE("decode cache: an instruction may overwrite itself while it is executed") {
    FlatMachine m;
    m.set_reg(Reg::Eax, 0x90909090);
    m.set_reg(Reg::Edi, FlatMachine::code_at);
    m.set_reg(Reg::Ecx, 2);
    m.run({0xF3, 0xAB, 0x90, 0x90, 0x90, 0x90, 0x90, 0x90, 0x90});  // rep stosd over rep stosd
    CHECK(m.halted_by() == -1);
    CHECK(m.reg(Reg::Ecx) == 0);
}

TEST_CASE("decode cache: a device that writes into code is seen") {
    FlatMachine m;
    m.run({0x40});
    CHECK(m.reg(Reg::Eax) == 1);
    m.run({0x43});  // the same place; poke goes through GuestMemory::write, as DMA does
    CHECK(m.reg(Reg::Eax) == 1);
    CHECK(m.reg(Reg::Ebx) == 1);
}

TEST_CASE("decode cache: the second half of an instruction across pages may change or move") {
    FlatMachine m;
    constexpr u32 at = 0x1FFE;  // mov eax, imm32: two bytes here, three in the next page
    m.poke(at, {0xB8, 0x11, 0x22, 0x33, 0x44, 0xF4});
    m.run_from(at);
    CHECK(m.reg(Reg::Eax) == 0x44332211);
    m.poke(0x2000, {0xAA});
    m.run_from(at);
    CHECK(m.reg(Reg::Eax) == 0x4433AA11);
    m.poke(0x9000, {0x01, 0x02, 0x03, 0xF4});
    m.memory.map(Physical{0x2000}, page_size, 0x9000, true, true);
    m.run_from(at);
    CHECK(m.reg(Reg::Eax) == 0x03020111);
}

TEST_CASE("decode cache: the same bytes are decoded for each code size") {
    FlatMachine m;
    m.poke(FlatMachine::code_at, {0xB8, 0x01, 0x00, 0x40, 0x40, 0xF4});
    m.run_from(FlatMachine::code_at);
    CHECK(m.reg(Reg::Eax) == 0x40400001);
    m.set_reg(Reg::Eax, 0);
    m.state.segment(Seg::Cs).access &= static_cast<u16>(~0x4000);
    m.run_from(FlatMachine::code_at);  // mov ax, 1; inc ax; inc ax
    CHECK(m.reg(Reg::Eax) == 3);
}

TEST_CASE("decode cache: a write beside code drops nothing, one into it drops that instruction only") {
    GuestMemory memory{4 * page_size};
    memory.map(Physical{0}, 4 * page_size, 0, true, true);
    DecodeCache cache{memory};
    DecodeCache::Page* page = cache.page(Physical{0x1000}, true);
    Instruction in;
    in.length = 4;
    cache.add(*page, 0x10, in);
    cache.add(*page, 0x14, in);
    const u8 byte = 1;
    memory.write(Physical{0x100F}, {&byte, 1});
    memory.write(Physical{0x1018}, {&byte, 1});
    CHECK(page->find(0x10));
    CHECK(page->find(0x14));
    memory.write(Physical{0x1013}, {&byte, 1});
    CHECK_FALSE(page->find(0x10));
    CHECK(page->find(0x14));
    memory.write(Physical{0x1014}, {&byte, 1});
    CHECK_FALSE(page->find(0x14));
}

TEST_CASE("decode cache: remapping a page drops what was decoded there") {
    FlatMachine m;
    m.run({0x40});
    m.poke(0x9000, {0x43, 0xF4});
    m.memory.map(Physical{FlatMachine::code_at}, page_size, 0x9000, true, true);
    m.run_from(FlatMachine::code_at);
    CHECK(m.reg(Reg::Ebx) == 1);
}

TEST_CASE("decode cache: state_replaced forgets code that was changed behind its back") {
    FlatMachine m;
    m.run({0x40});
    m.memory.backing().bytes()[FlatMachine::code_at] = 0x43;
    m.engine->state_replaced();
    m.run_from(FlatMachine::code_at);
    CHECK(m.reg(Reg::Ebx) == 1);
}

TEST_CASE("decode cache: code in device memory is executed, byte by byte") {
    FlatMachine m;
    m.state.eip = 0x200000;  // beyond RAM everything reads as ones: FF FF is undefined
    m.state.instruction_limit = 10;
    m.engine->run();
    CHECK(m.halted_by() == vector::ud);
}
