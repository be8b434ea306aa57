// x87 errors as a PC/AT reports them: FERR#, IRQ 13, port F0h and IGNNE#, with the processor, the board and a guest.
#include <catch2/catch.hpp>

#include "machine/tiny_machine.hpp"

using namespace vellum;

namespace {

// Divides by zero twice with the exception unmasked and CR0.NE clear. The handler of IRQ 13 counts and writes port F0h
// but leaves the exception pending, so that the waiting instruction goes on by IGNNE# alone.
constexpr std::initializer_list<u8> dividing_firmware = {
    0xFA, 0x31, 0xC0, 0x8E, 0xD8, 0x8E, 0xD0, 0xBC, 0x00, 0x70,                                      // cli; DS, SS 0
    0xB0, 0x11, 0xE6, 0x20, 0xB0, 0x08, 0xE6, 0x21, 0xB0, 0x04, 0xE6, 0x21, 0xB0, 0x01, 0xE6, 0x21,  // first PIC
    0xB0, 0x11, 0xE6, 0xA0, 0xB0, 0x70, 0xE6, 0xA1, 0xB0, 0x02, 0xE6, 0xA1, 0xB0, 0x01, 0xE6, 0xA1,  // second PIC
    0xB0, 0xFB, 0xE6, 0x21, 0xB0, 0xDF, 0xE6, 0xA1,                                                  // IRQ 13 only
    0xC7, 0x06, 0xD4, 0x01, 0x65, 0x00, 0xC7, 0x06, 0xD6, 0x01, 0x00, 0xF0,  // vector 75h: F000:0065
    0xC7, 0x06, 0x00, 0x05, 0x7B, 0x03, 0xDB, 0xE3, 0xD9, 0x2E, 0x00, 0x05,  // fninit; fldcw 37Bh
    0xFB,                                                                    // sti
    0xD9, 0xE8, 0xD9, 0xEE, 0xDE, 0xF9,                                      // fld1; fldz; fdivp
    0xD9, 0xE8,                                                              // fld1: waits
    0xDB, 0xE2,                                                              // fnclex
    0xD9, 0xE8, 0xD9, 0xEE, 0xDE, 0xF9, 0x9B,                                // fld1; fldz; fdivp; fwait
    0xC6, 0x06, 0x07, 0x05, 0x01,                                            // mov byte [507h], 1
    0xFA, 0xF4, 0xEB, 0xFD,                                                  // cli; hlt
    // 0065: out 0F0h, al; fnstsw [502h]; inc byte [506h]; end of interrupt; iret
    0xE6, 0xF0, 0xDD, 0x3E, 0x02, 0x05, 0xFE, 0x06, 0x06, 0x05, 0xB0, 0x20, 0xE6, 0xA0, 0xE6, 0x20, 0xCF};

}  // namespace

TEST_CASE("coprocessor: IRQ 13 comes for each error, and after port F0h the waiting instruction goes on") {
    TinyMachine m{dividing_firmware, tiny_config(GENERATE(EngineKind::Interp, EngineKind::Bt))};
    m.machine.start();
    for (u32 slice = 0; slice < 1000 && m.machine.board().state().instructions < 100'000; ++slice) {
        m.machine.board().cpu().attention.clear(Attention::Stop);
        if (m.machine.run_slice(100'000).kind != Machine::Slice::Kind::Stopped) break;
    }
    u8 bytes[8];
    m.machine.board().memory().read(Physical{0x500}, bytes);
    CHECK(int{bytes[6]} == 2);
    CHECK(int{bytes[7]} == 1);
    CHECK((bytes[2] & 0x84) == 0x84);  // the handler saw ES and ZE
}
