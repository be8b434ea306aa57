// The verifier refuses, by name, what would break isolation.
#include "verifier_fixture.hpp"

using namespace vellum;
using namespace vellum::test;
using namespace asmjit::x86;

TEST_CASE("verifier: the answer names place, bytes and rule") {
    CHECK(verify_bytes({0x90, 0x0F, 0x05}) == "+0x1: syscall 0f 05: list: not on the positive list");
}

TEST_CASE("verifier: refuses what is not on the positive list") {
    refuses("list", {0x48, 0x63, 0xC1, 0xC3});                          // MOVSXD
    refuses("list", {0x0F, 0x05, 0xC3});                                // SYSCALL
    refuses("list", {0x0F, 0x34, 0xC3});                                // SYSENTER
    refuses("list", {0xCD, 0x80, 0xC3});                                // INT n
    refuses("list", {0xF1, 0xC3});                                      // INT1
    refuses("list", {0x48, 0xCF, 0xC3});                                // IRET
    refuses("list", {0xE4, 0x80, 0xC3});                                // IN
    refuses("list", {0xE6, 0x80, 0xC3});                                // OUT
    refuses("list", {0x6C, 0xC3});                                      // INS
    refuses("list", {0x6E, 0xC3});                                      // OUTS
    refuses("list", {0xF3, 0x0F, 0xAE, 0xD0, 0xC3});                    // WRFSBASE
    refuses("list", {0xF3, 0x0F, 0xAE, 0xD8, 0xC3});                    // WRGSBASE
    refuses("list", {0xF3, 0x0F, 0xAE, 0xC8, 0xC3});                    // RDGSBASE
    refuses("list", {0x0F, 0x01, 0xF8, 0xC3});                          // SWAPGS
    refuses("list", {0x8E, 0xD8, 0xC3});                                // MOV to a segment register
    refuses("list", {0x8C, 0xD8, 0xC3});                                // MOV from a segment register
    refuses("list", {0x0F, 0xA2, 0xC3});                                // CPUID
    refuses("list", {0x0F, 0x01, 0xD0, 0xC3});                          // XGETBV
    refuses("list", {0xF3, 0x0F, 0xC7, 0xF8, 0xC3});                    // RDPID
    refuses("list", {0x0F, 0x01, 0xF9, 0xC3});                          // RDTSCP
    refuses("list", {0x0F, 0x33, 0xC3});                                // RDPMC
    refuses("list", {0x0F, 0x01, 0xE0, 0xC3});                          // SMSW
    refuses("list", {0x0F, 0x00, 0xC0, 0xC3});                          // SLDT
    refuses("list", {0x0F, 0x02, 0xC1, 0xC3});                          // LAR
    refuses("list", {0x0F, 0x22, 0xC0, 0xC3});                          // MOV to CR0
    refuses("list", {0xF4, 0xC3});                                      // HLT
    refuses("list", {0xFA, 0xC3});                                      // CLI
    refuses("list", {0x0F, 0x0B, 0xC3});                                // UD2
    refuses("list", {0xF3, 0x0F, 0xBC, 0xC1, 0xC3});                    // TZCNT
    refuses("list", {0xF3, 0x0F, 0xBD, 0xC1, 0xC3});                    // LZCNT
    refuses("list", {0xC5, 0xF8, 0x77, 0xC3});                          // VZEROUPPER
    refuses("list", {0xC5, 0xFC, 0x10, 0x00, 0xC3});                    // VMOVUPS
    refuses("list", {0x62, 0xF1, 0x7C, 0x48, 0x10, 0x00, 0xC3});        // EVEX
    refuses("list", {0x8F, 0xE9, 0x78, 0x12, 0xC0, 0xC3});              // XOP
    refuses("list", {0xC7, 0xF8, 0x00, 0x00, 0x00, 0x00, 0xC3});        // XBEGIN
    refuses("list", {0x0F, 0x38, 0xF9, 0x44, 0x0D, 0x00, 0xC3});        // MOVDIRI
    refuses("list", {0x66, 0x0F, 0x38, 0xF8, 0x00, 0xC3});              // MOVDIR64B
    refuses("list", {0xF0, 0xF2, 0x41, 0x01, 0x44, 0x0D, 0x00, 0xC3});  // XACQUIRE
    refuses("list", {0x64, 0x67, 0x8B, 0x03, 0xC3});                    // fs override
    refuses("list", {0xC8, 0x00, 0x00, 0x00, 0xC3});                    // ENTER
    refuses("list", {0xC9, 0xC3});                                      // LEAVE
    refuses("list", {0x0F, 0xAE, 0x24, 0x11, 0xC3});                    // XSAVE
    refuses("list", {0x0F, 0xC7, 0xF0, 0xC3});                          // RDRAND
    refuses("list", {0xE2, 0xFE, 0xC3});                                // LOOP
    refuses("list", {0xD7, 0xC3});                                      // XLAT
    refuses("list", {0x0F, 0x01, 0x00, 0xC3});                          // SGDT
    refuses("list", {0x06, 0xC3});                                      // bytes that do not exist in 64-bit mode
    refuses("list", {0x41, 0xD9, 0x74, 0x25, 0x00, 0xC3});              // FNSTENV
    refuses("list", {0x41, 0xDD, 0x74, 0x25, 0x00, 0xC3});              // FNSAVE
    refuses("list", {0x0F, 0x01, 0xC8, 0xC3});                          // MONITOR
    refuses("list", {0xF3, 0x48, 0x0F, 0xAE, 0x00, 0xC3});              // FXSAVE-like bytes of RDFSBASE
    refuses("list", {0xCC});                                            // INT3 where control leads
    refuses("list", {0x48, 0x98, 0xC3});                                // CDQE
}

TEST_CASE("verifier: refuses writes and reads of registers that have a role") {
    refuses("registers", {0x4C, 0x89, 0xC3, 0xC3});  // 64-bit MOV of a scratch register to a guest one
    refuses("registers", {0x48, 0x03, 0xC1, 0xC3});  // 64-bit ADD to a guest register
    refuses("registers", {0x48, 0xC7, 0xC0, 0xFF, 0xFF, 0xFF, 0xFF, 0xC3});  // sign-extended MOV to a guest register
    refuses("registers", {0x49, 0xBD, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0xC3});  // MOV to r13
    refuses("registers", {0x49, 0xFF, 0xC5, 0xC3});                                            // INC r13
    refuses("registers", {0x4D, 0x8D, 0x7F, 0x08, 0xC3});                                      // LEA to r15
    refuses("registers", {0x41, 0x83, 0xC5, 0x08, 0xC3});                                      // 32-bit ADD to r13
    refuses("registers", {0x48, 0x89, 0xE0, 0xC3});                                            // MOV of rsp
    refuses("registers", {0x48, 0x83, 0xEC, 0x08, 0xC3});                                      // SUB of rsp
    refuses("registers", {0x48, 0x89, 0xC4, 0xC3});                                            // MOV to rsp
    refuses("registers", {0x4D, 0x89, 0xE8, 0xC3});                                            // MOV of r13 to scratch
    refuses("registers", {0x44, 0x89, 0xF8, 0xC3});                          // MOV of r15 to a guest register
    refuses("registers", {0x49, 0x8D, 0x47, 0x08, 0xC3});                    // LEA of r15
    refuses("registers", {0x48, 0x8D, 0x05, 0x00, 0x00, 0x00, 0x00, 0xC3});  // LEA of rip
    refuses("registers", {0x49, 0x83, 0xC4, 0x08, 0xC3});                    // 64-bit ADD to r12
    refuses("registers", {0x4D, 0x89, 0xC4, 0xC3});                          // 64-bit MOV to r12
    refuses("registers", {0x4F, 0x8D, 0x24, 0x08, 0xC3});                    // LEA of r12 from scratch
    refuses("registers", {0x48, 0xF7, 0xF1, 0xC3});                          // 64-bit DIV
    refuses("registers", {0x48, 0x0F, 0xC8, 0xC3});                          // 64-bit BSWAP
    refuses("registers", {0x4D, 0x87, 0xE5, 0xC3});                          // XCHG with r13
}

TEST_CASE("verifier: refuses memory operands that may leave the window") {
    refuses("memory", {0x48, 0x8B, 0x44, 0x24, 0x08, 0xC3});              // load from rsp
    refuses("memory", {0x8B, 0x03, 0xC3});                                // guest register as a host address
    refuses("memory", {0x67, 0x8B, 0x03, 0xC3});                          // 32-bit addressing without gs
    refuses("memory", {0x65, 0x8B, 0x03, 0xC3});                          // gs with 64-bit addressing
    refuses("memory", {0x8B, 0x04, 0x25, 0x00, 0x10, 0x00, 0x00, 0xC3});  // absolute address
    refuses("memory", {0xA1, 0x00, 0x10, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0xC3});  // MOV moffs
    refuses("memory", {0x8B, 0x05, 0x00, 0x01, 0x00, 0x00, 0xC3});        // RIP-relative outside of the permitted words
    refuses("memory", {0x41, 0x8B, 0x87, 0x00, 0x10, 0x00, 0x00, 0xC3});  // past the state
    refuses("memory", {0x41, 0x8B, 0x47, 0xFC, 0xC3});                    // below the state
    refuses("memory", {0x41, 0x8B, 0x04, 0x07, 0xC3});                    // state with an index
    refuses("memory", {0x41, 0x8B, 0x84, 0x24, 0x00, 0x00, 0x20, 0x00, 0xC3});  // far from r12
    refuses("memory", {0x41, 0x8B, 0x04, 0x04, 0xC3});                          // r12 with an index
    refuses("memory", {0x41, 0x8B, 0x45, 0xFF, 0xC3});                          // below the window
    refuses("memory", {0x41, 0x8B, 0x84, 0x9D, 0x00, 0x00, 0x00, 0x00, 0xC3});  // scaled index on r13
    refuses("memory", {0x41, 0x8B, 0x84, 0x1D, 0x00, 0x00, 0x01, 0x00, 0xC3});  // 64 KiB from [r13+register]
    refuses("memory", {0x43, 0x8B, 0x44, 0x05, 0x00, 0xC3});  // scratch register that is not zero-extended
    refuses("memory", {0x49, 0x8B, 0x00, 0xC3});              // scratch register as an address
    refuses("memory", {0x41, 0x0F, 0xA3, 0x4D, 0x00, 0xC3});  // BT of memory with a register outside of gs
    refuses("memory", {0x41, 0x0F, 0xAE, 0x45, 0x00, 0xC3});  // FXSAVE through the window
    refuses("memory", {0x65, 0x67, 0x0F, 0xAE, 0x03, 0xC3});  // FXSAVE through gs
    refuses("memory", {0x4D, 0x89, 0x45, 0x00, 0xC3});        // 64-bit scratch register stored to the window
    refuses("memory", {0x65, 0x67, 0x8B, 0x05, 0x00, 0x00, 0x00, 0x00, 0xC3});  // gs with RIP-relative addressing
    refuses("memory", {0x65, 0x67, 0x41, 0x8B, 0x45, 0x00, 0xC3});              // gs with r13
    refuses("memory", {0x0F, 0xF7, 0xC1, 0xC3});                                // MASKMOVQ to rdi
    refuses("memory", {0x41, 0xF7, 0xA4, 0x24, 0xF8, 0xFF, 0xDF, 0xFF, 0xC3});  // far below r12
    refuses("memory", {0x67, 0x8B, 0x05, 0x00, 0x00, 0x00, 0x00, 0xC3});        // 32-bit RIP-relative
    refuses("memory", {0x67, 0xA4, 0xC3});                                      // MOVS with 32-bit addressing
    refuses("memory", {0x41, 0x89, 0x47, 0x08, 0xC3});                          // word of the state that is only read
    refuses("memory", {0x41, 0x83, 0x47, 0x08, 0x01, 0xC3});                    // the same, read and written
    refuses("memory", {0x41, 0x0F, 0xAE, 0x47, 0x08, 0xC3});                    // FXSAVE over such words
    refuses("memory", {0x89, 0x05, 0xFA, 0x6F, 0x00, 0x00, 0xC3});              // RIP-relative word that is only read
    refuses("memory", {0x4D, 0x8B, 0x5F, 0x50, 0x45, 0x8B, 0x1B, 0xC3});        // poll of another word
}

TEST_CASE("verifier: refuses string instructions out of their sequence") {
    refuses("strings", {0xF3, 0xA4, 0xC3});                                      // REP MOVS not rebased
    refuses("strings", {0x49, 0x8D, 0x74, 0x35, 0x00, 0xA4, 0xC3});              // MOVS with rsi alone rebased
    refuses("strings", {0x4A, 0x8D, 0x34, 0x2E, 0x03, 0xC6, 0xC3});              // use of a rebased register
    refuses("strings", {0x4A, 0x8D, 0x34, 0x2E, 0x41, 0x8B, 0x0C, 0x24, 0xC3});  // memory access while rebased
    refuses("strings", {0x4A, 0x8D, 0x34, 0x2E, 0x4A, 0x8D, 0x34, 0x2E, 0xC3});  // rebasing twice
    refuses("strings", {0xAA, 0xC3});                                            // STOS not rebased
    refuses("strings", {0x4A, 0x8D, 0x34, 0x2E, 0x65, 0x67, 0xAC, 0xC3});  // LODS through gs with a rebased register
}

TEST_CASE("verifier: refuses r12 leaving the window by and by") {
    refuses("drift", {0x4A, 0x8D, 0x34, 0x2E, 0xC3});        // return with a rebased register
    refuses("drift", {0x41, 0x89, 0xC4, 0xC3});              // return with the low half in r12
    refuses("drift", {0x4D, 0x8D, 0x64, 0x24, 0xFC, 0xC3});  // r12 moved and neither accessed nor normalised
    refuses("drift", {0x41, 0x0F, 0x18, 0x0C, 0x24, 0x4D, 0x8D, 0x64, 0x24, 0xFC, 0xC3});  // a prefetch is no access
    refuses("drift", {0x41, 0x0F, 0x1F, 0x04, 0x24, 0x4D, 0x8D, 0x64, 0x24, 0xFC, 0xC3});  // a long NOP is no access
    refuses("drift", {0x41, 0x8B, 0x04, 0x24, 0x4D, 0x8D, 0xA4, 0x24, 0x00, 0x00, 0x20, 0x00,
                      0xC3});                                      // 2 MiB from the last access
    refuses("drift", {0x4D, 0x8D, 0x64, 0x24, 0xFC, 0xEB, 0xF9});  // r12 moved in a loop without an access
    refuses("drift", {0x4D, 0x8D, 0x64, 0x24, 0xFC, 0x0F, 0x84, 0xF5, 0x7F, 0x00, 0x00,
                      0xC3});  // conditional branch out after r12 was moved
}

TEST_CASE("verifier: refuses r12 used while it is no pointer") {
    refuses("low half", {0x41, 0x89, 0xC4, 0x41, 0x8B, 0x04, 0x24, 0xC3});  // memory access with the low half in r12
    refuses("low half", {0x4F, 0x8D, 0x24, 0x2C, 0xC3});                    // normalising what is a pointer
    refuses("low half", {0x41, 0xD3, 0xE4, 0xC3});                          // shift of r12d by CL
    refuses("low half", {0x41, 0x89, 0xC4, 0x4D, 0x8D, 0x64, 0x24, 0x04, 0xC3});  // moving the low half as a pointer
}

TEST_CASE("verifier: refuses the host stack and flags out of their sequences") {
    refuses("flags", {0x0F, 0xA8, 0xC3});                                // PUSH of a segment register
    refuses("flags", {0x9D, 0xC3});                                      // POPFQ alone
    refuses("flags", {0x50, 0xC3});                                      // PUSH
    refuses("flags", {0x58, 0xC3});                                      // POP
    refuses("flags", {0x9C, 0x90, 0xC3});                                // PUSHFQ left on the stack
    refuses("flags", {0x25, 0xFF, 0xFF, 0xFF, 0x00, 0x50, 0x9D, 0xC3});  // POPFQ of an image with TF
    refuses("flags", {0x25, 0xD5, 0x0C, 0x00, 0x00, 0x0D, 0x00, 0x01, 0x00, 0x00, 0x50, 0x9D,
                      0xC3});                                                  // POPFQ of an image with TF put back
    refuses("flags", {0x25, 0xD5, 0x0C, 0x00, 0x00, 0x50, 0x90, 0x9D, 0xC3});  // POPFQ not next to its PUSH
    refuses("flags", {0x25, 0xD5, 0x0C, 0x00, 0x00, 0x89, 0xC8, 0x50, 0x9D, 0xC3});  // POPFQ of another value
}

TEST_CASE("verifier: refuses control going elsewhere") {
    refuses("branches", {0x48, 0xCB, 0xC3});                                      // far return
    refuses("branches", {0xFF, 0xE0, 0xC3});                                      // JMP register
    refuses("branches", {0x41, 0xFF, 0xD3, 0xC3});                                // CALL register
    refuses("branches", {0x41, 0xFF, 0x65, 0x00, 0xC3});                          // JMP memory
    refuses("branches", {0xE9, 0x00, 0x01, 0x00, 0x00, 0xC3});                    // JMP to an unknown place
    refuses("branches", {0xE8, 0x00, 0x01, 0x00, 0x00, 0xC3, 0xC3});              // CALL of an unknown place
    refuses("branches", {0xEB, 0xFF, 0xC3});                                      // JMP into an instruction
    refuses("branches", {0xC2, 0x04, 0x00});                                      // RET n
    refuses("branches", {0x66, 0xE9, 0x00, 0x00, 0x00, 0x00, 0x90, 0x90, 0xC3});  // JMP with a 66 prefix
    refuses("branches", {0x90});                                                  // running off the end
    refuses("branches", {0x74, 0x00});                                            // conditional branch to the end
    refuses("branches", {0x41, 0xFF, 0x2C, 0x24, 0xC3});                          // far JMP
    refuses("branches", {0xE8, 0xFB, 0x7F, 0x00, 0x00});  // CALL at the end, with no place to return to
    refuses("branches", {0x74, 0x04, 0x41, 0x89, 0xC4, 0x90, 0x4F, 0x8D, 0x24, 0x2C, 0xC3});  // branch into a sequence
}

TEST_CASE("verifier: refuses the poll's address for anything but the poll") {
    refuses("poll", {0x4D, 0x8B, 0x5F, 0x48, 0x90, 0x45, 0x8B, 0x1B, 0xC3});  // something between
    refuses("poll", {0x4D, 0x8B, 0x5F, 0x48, 0x45, 0x89, 0x5D, 0x00, 0xC3});  // its half stored where the guest sees it
    refuses("poll", {0x4D, 0x8B, 0x5F, 0x48, 0x45, 0x89, 0x1B, 0xC3});        // a store to it
    refuses("poll", {0x4D, 0x8B, 0x5F, 0x48, 0xC3});                          // kept in r11
}

TEST_CASE("verifier: leaving with an exit site of the block is accepted") {
    accepts([](Assembler& a) {
        a.mov(r10, site);
        a.jmp(exit_stub);
        a.mov(r10, 0x1111);
        a.jz(exit_stub);
        a.jmp(stub);
    });
}

TEST_CASE("verifier: refuses to leave with anything else in r10") {
    refuses("exits", {0xE9, 0xFB, 0x8F, 0x00, 0x00});                                            // never set
    refuses("exits", {0x49, 0xBA, 0, 0, 0x34, 0x12, 0, 0, 0, 0, 0xE9, 0xF1, 0x8F, 0x00, 0x00});  // another value
    refuses("exits", {0x41, 0xBA, 0x11, 0x11, 0x00, 0x00, 0xE9, 0xF5, 0x8F, 0x00, 0x00});        // half of one
    refuses("exits", {0x41, 0x89, 0xC2, 0x0F, 0x84, 0xF7, 0x8F, 0x00, 0x00, 0xC3});              // the guest's
    refuses("exits", {0x49, 0xBA, 0x11, 0x11, 0, 0, 0, 0, 0, 0, 0x41, 0x01, 0xC2, 0xE9, 0xEE, 0x8F, 0x00, 0x00});
    refuses("exits",
            {0x74, 0x0A, 0x49, 0xBA, 0x11, 0x11, 0, 0, 0, 0, 0, 0, 0xE9, 0xEF, 0x8F, 0x00, 0x00});        // or not set
    refuses("branches", {0x49, 0xBA, 0x11, 0x11, 0, 0, 0, 0, 0, 0, 0xE8, 0xF1, 0x8F, 0x00, 0x00, 0xC3});  // called
}

TEST_CASE("verifier: a store to where the check said is accepted, of up to 16 bytes") {
    auto checked = [](auto store) {
        return [store](Assembler& a) {
            a.lea(r8d, ptr(rbx, 4));
            a.mov(r10, site);
            a.call(store_stub);
            store(a);
            a.ret();
        };
    };
    accepts(checked([](Assembler& a) { a.mov(dword_ptr(r8), ecx); }));
    accepts(checked([](Assembler& a) { a.add(byte_ptr(r8), 7); }));
    accepts(checked([](Assembler& a) { a.cmpxchg(word_ptr(r8), cx); }));
    accepts(checked([](Assembler& a) { a.movups(xmmword_ptr(r8), xmm3); }));
}

TEST_CASE("verifier: a load from where the check said may come before the store there") {
    auto exchange = [](auto load) {
        return [load](Assembler& a) {
            a.lea(r8d, ptr(rbx, 4));
            a.mov(r10, site);
            a.call(store_stub);
            load(a);
            a.mov(dword_ptr(r8), ecx);
            a.mov(ecx, r11d);
            a.ret();
        };
    };
    accepts(exchange([](Assembler& a) { a.mov(r11d, dword_ptr(r8)); }));
    accepts(exchange([](Assembler& a) { a.movzx(r9d, word_ptr(r8)); }));
    accepts(exchange([](Assembler& a) { a.movzx(r14d, byte_ptr(r8)); }));
}

TEST_CASE("verifier: refuses what locks while nobody else sees the guest's memory") {
    refuses("locks", {0xF0, 0x65, 0x67, 0x01, 0x03, 0xC3});              // lock add gs:[ebx],eax
    refuses("locks", {0xF0, 0x41, 0xFF, 0x44, 0x1D, 0x00, 0xC3});        // lock inc dword [r13+rbx]
    refuses("locks", {0xF0, 0x65, 0x67, 0x0F, 0xC7, 0x0B, 0xC3});        // lock cmpxchg8b gs:[ebx]
    refuses("locks", {0xF0, 0x65, 0x67, 0x0F, 0xAB, 0x03, 0xC3});        // lock bts gs:[ebx],eax
    refuses("locks", {0x65, 0x67, 0x87, 0x03, 0xC3});                    // xchg gs:[ebx],eax
    refuses("locks", {0x65, 0x67, 0x86, 0x03, 0xC3});                    // xchg gs:[ebx],al
    refuses("locks", {0x66, 0x41, 0x87, 0x44, 0x1D, 0x00, 0xC3});        // xchg [r13+rbx],ax
    refuses("locks", {0xF0, 0x66, 0x41, 0x87, 0x44, 0x1D, 0x00, 0xC3});  // lock xchg [r13+rbx],ax
    accepts([](Assembler& a) {
        a.xchg(eax, ebx);
        a.ret();
    });
}

TEST_CASE("verifier: what locks is accepted where others see the guest's memory") {
    for (std::vector<u8> bytes : {std::vector<u8>{0xF0, 0x65, 0x67, 0x01, 0x03, 0xC3},  // lock add gs:[ebx],eax
                                  std::vector<u8>{0x65, 0x67, 0x87, 0x03, 0xC3}}) {     // xchg gs:[ebx],eax
        EmittedCode code = emitted(bytes);
        code.may_lock = true;
        CHECK(verify(code).value_or("accepted") == "accepted");
    }
}

TEST_CASE("verifier: refuses [r8] but in the one instruction behind the check") {
    // 49 BA ...: mov r10,site; E8 ...: call store_stub
    auto behind_check = [](std::initializer_list<int> list) {
        std::vector<u8> bytes{0x49, 0xBA, 0x9A, 0x78, 0x56, 0x34, 0x12, 0, 0, 0, 0xE8, 0xF1, 0x9F, 0, 0};
        bytes.insert(bytes.end(), list.begin(), list.end());
        bytes.push_back(0xC3);
        auto refusal = verify(emitted(bytes));
        return refusal.value_or("accepted");
    };
    using Catch::Matchers::Contains;
    CHECK_THAT(behind_check({0x41, 0x89, 0x08}), Contains("accepted"));
    CHECK_THAT(behind_check({0x90, 0x41, 0x89, 0x08}), Contains(": memory: "));              // one too late
    CHECK_THAT(behind_check({0x41, 0x89, 0x08, 0x41, 0x89, 0x08}), Contains(": memory: "));  // and once more
    CHECK_THAT(behind_check({0x41, 0x89, 0x48, 0x04}), Contains(": memory: "));              // [r8+4]
    CHECK_THAT(behind_check({0x41, 0x89, 0x0C, 0x18}), Contains(": memory: "));              // [r8+rbx]
    CHECK_THAT(behind_check({0x49, 0x89, 0x08}), Contains(": memory: "));                    // mov [r8],rcx
    CHECK_THAT(behind_check({0x41, 0x0F, 0xAB, 0x08}), Contains(": memory: "));              // bts [r8],ecx
    CHECK_THAT(behind_check({0x41, 0x0F, 0xAE, 0x00}), Contains(": memory: "));              // fxsave [r8]
    CHECK_THAT(behind_check({0x41, 0x89, 0x08, 0xEB, 0xFB}), Contains(": stores: "));        // jmp back to it
    CHECK_THAT(behind_check({0x45, 0x8B, 0x18, 0x41, 0x89, 0x08}), Contains("accepted"));    // mov r11d,[r8] before it
    CHECK_THAT(behind_check({0x45, 0x8B, 0x18, 0x41, 0x89, 0x48, 0x04}), Contains(": memory: "));
    CHECK_THAT(behind_check({0x45, 0x8B, 0x18, 0x41, 0x89, 0x08, 0x41, 0x89, 0x08}), Contains(": memory: "));
    CHECK_THAT(behind_check({0x45, 0x8B, 0x00, 0x41, 0x89, 0x08}), Contains(": memory: "));  // mov r8d,[r8]
    CHECK_THAT(behind_check({0x4D, 0x8B, 0x00, 0x41, 0x89, 0x08}), Contains(": memory: "));  // mov r8,[r8]
    CHECK_THAT(behind_check({0x41, 0x8B, 0x08, 0x41, 0x89, 0x08}), Contains(": memory: "));  // mov ecx,[r8]
    CHECK_THAT(behind_check({0x45, 0x03, 0x18, 0x41, 0x89, 0x08}), Contains(": memory: "));  // add r11d,[r8]
    CHECK_THAT(behind_check({0x45, 0x89, 0xC3, 0x41, 0x89, 0x08}), Contains(": memory: "));  // mov r11d,r8d
    CHECK_THAT(behind_check({0x65, 0x67, 0x45, 0x8B, 0x18, 0x41, 0x89, 0x08}), Contains(": memory: "));  // gs:[r8d]
    CHECK_THAT(behind_check({0x45, 0x8B, 0x18, 0x41, 0x89, 0x08, 0xEB, 0xFB}), Contains(": stores: "));
    refuses("memory", {0x41, 0x89, 0x08, 0xC3});                         // without a check
    refuses("exits", {0xE8, 0xFB, 0x9F, 0, 0, 0x41, 0x89, 0x08, 0xC3});  // without a site
}
