// The verifier accepts what the translator's rules permit.
#include "verifier_fixture.hpp"

using namespace vellum;
using namespace vellum::test;
using namespace asmjit::x86;

TEST_CASE("verifier: plain arithmetic on guest registers is accepted") {
    accepts([](Assembler& a) {
        a.add(eax, ecx);
        a.imul(edx, ebx, 5);
        a.movzx(rsi, cl);
        a.mov(rdi, rbx);
        a.xchg(eax, ebp);
        a.bswap(ecx);
        a.lea(edx, ptr(rax, rcx, 2, 8));
        a.div(ebx);
        a.setb(al);
        a.lahf();
        a.cmovz(eax, edi);
        a.rdtsc();
        a.ret();
    });
}

TEST_CASE("verifier: the three forms of memory operands are accepted") {
    accepts([](Assembler& a) {
        a.mov(eax, ptr(r12, 8));
        a.mov(ptr(r13, rbx, 0, -4), eax);
        a.mov(eax, ptr(r13, 0x12345));
        a.add(dword_ptr(r13, rsi, 0, 0xFFFF), 1);
        a.mov(ecx, through_gs(ptr(ebx, ecx, 2, 0x12345678)));
        a.bts(through_gs(dword_ptr(edi)), eax);
        a.movups(xmm0, ptr(r12, 16));
        a.fld(dword_ptr(r13, rbp));
        a.ret();
    });
}

TEST_CASE("verifier: a scratch register addresses the window after a 32-bit result") {
    accepts([](Assembler& a) {
        a.lea(r8d, ptr(rax, rbx, 3));
        a.movzx(r8d, r8w);
        a.mov(ecx, ptr(r13, r8, 0, 4));
        a.ret();
    });
}

TEST_CASE("verifier: the state and permitted RIP-relative words are accepted") {
    accepts([](Assembler& a) {
        a.mov(eax, ptr(r15, 0));
        a.mov(r11, ptr(r15, 4088));
        a.fxsave(ptr(r15, 512));
        a.mov(r10, ptr(rip, static_cast<int>(context - code_address) - 16));
        a.ret();
    });
}

TEST_CASE("verifier: pushes, pops and returns of the guest are accepted") {
    accepts([](Assembler& a) {
        a.mov(ptr(r12, -4), ebp);
        a.mov(ptr(r12, -8), edi);
        a.lea(r12, ptr(r12, -8));
        a.lea(r12, ptr(r12, -0x400));
        a.mov(r11d, ptr(r12));
        a.lea(r12, ptr(r12, 4));
        a.ret();
    });
}

TEST_CASE("verifier: r12 is normalised from its low half or set from a guest register") {
    accepts([](Assembler& a) {
        a.lea(r12d, ptr(r12, 0x70000000));
        a.lea(r12, ptr(r12, r13));
        a.mov(r12d, ebp);
        a.lea(r12, ptr(r13, r12));
        a.lea(r12, ptr(r13, rbp, 0, 4));
        a.ret();
    });
}

TEST_CASE("verifier: string instructions with rebased registers are accepted") {
    accepts([](Assembler& a) {
        a.lea(rsi, ptr(rsi, r13));
        a.lea(rdi, ptr(r13, rdi));
        a.rep().movsd();
        a.mov(esi, esi);
        a.mov(edi, edi);
        a.lea(rdi, ptr(rdi, r13));
        a.stosb();
        a.mov(edi, edi);
        a.ret();
    });
    CHECK_FALSE(verify_bytes({0x65, 0x67, 0xAC, 0xC3}));  // lods gs:[esi]
}

TEST_CASE("verifier: the poll and the moves of flags are accepted") {
    accepts([](Assembler& a) {
        a.mov(r11, ptr(r15, offsetof(CpuState, poll)));
        a.mov(r11d, ptr(r11));
        a.pushfq();
        a.pop(r11);
        a.and_(r11d, 0xCD5);
        a.or_(r11d, 0x202);
        a.push(r11);
        a.popfq();
        a.ret();
    });
}

TEST_CASE("verifier: branches inside, to stubs, and calls with a return site are accepted") {
    accepts([](Assembler& a) {
        auto skip = a.newLabel(), again = a.newLabel();
        a.jecxz(rcx, skip);
        a.bind(again);
        a.mov(eax, ptr(r12));
        a.lea(r12, ptr(r12, 4));
        a.jnz(again);
        a.bind(skip);
        a.mov(ptr(r12, -4), eax);
        a.lea(r12, ptr(r12, -4));
        a.call(stub);
        a.cmp(r11d, 0x1234);
        a.jne(stub);
        a.jmp(stub);
        a.int3();
    });
}

TEST_CASE("verifier: BMI2 shifts and ANDN on registers are accepted") {
    accepts([](Assembler& a) {
        a.shlx(eax, ecx, edx);
        a.rorx(r8d, eax, 3);
        a.andn(r9d, r8d, eax);
        a.mov(eax, ptr(r13, r9));
        a.ret();
    });
}

TEST_CASE("verifier: AES, PCLMULQDQ and SHA are accepted on registers and in windows, without VEX") {
    accepts([](Assembler& a) {
        a.aesenc(xmm0, ptr(r13, rbx, 0, 0x40));
        a.aesenclast(xmm0, xmm7);
        a.aesdec(xmm0, through_gs(ptr(ebx)));
        a.aesdeclast(xmm1, xmm2);
        a.aesimc(xmm3, ptr(r13, rsi));
        a.aeskeygenassist(xmm2, xmm1, 0x36);
        a.pclmulqdq(xmm5, ptr(r13, rdi), 0x11);
        a.sha1rnds4(xmm0, xmm1, 3);
        a.sha1nexte(xmm1, ptr(r13, rbx));
        a.sha1msg1(xmm2, xmm3);
        a.sha1msg2(xmm2, ptr(r12));
        a.sha256rnds2(xmm1, xmm2);
        a.sha256msg1(xmm3, xmm4);
        a.sha256msg2(xmm3, ptr(r13, rbx, 0, 16));
        a.ret();
    });
    refuses("list", {0xC4, 0xE2, 0x79, 0xDC, 0xC1, 0xC3});        // VAESENC
    refuses("list", {0xC4, 0xE3, 0x79, 0x44, 0xC1, 0x00, 0xC3});  // VPCLMULQDQ
    refuses("memory", {0x66, 0x0F, 0x38, 0xDC, 0x03, 0xC3});      // AESENC of what is in no window
    refuses("memory", {0x0F, 0x38, 0xCB, 0x03, 0xC3});            // SHA256RNDS2 of the same
}

TEST_CASE("verifier: a place that renews r12 may be reached with r12 moved, a link may not") {
    std::vector<u8> bytes{0x4D, 0x8D, 0x64, 0x24, 0xFC,        // lea r12,[r12-4]
                          0x0F, 0x84, 0x00, 0x00, 0x00, 0x00,  // jz next
                          0xE9, 0xF0, 0x7F, 0x00, 0x00};       // jmp stub
    auto code = emitted(bytes);
    CHECK(verify(code));
    code.renews_stack_pointer = [](u64 target) { return target == stub; };
    CHECK_FALSE(verify(code));
    code.links = {7};
    CHECK(verify(code));
}

TEST_CASE("verifier: 16-bit stack pointers never leave their 64 KiB") {
    accepts([](Assembler& a) {
        auto again = a.newLabel();
        a.bind(again);
        a.lea(r9d, ptr(r12, -2));
        a.mov(r12w, r9w);
        a.jnz(again);
        a.shl(r9d, 3);
        a.mov(ptr(r13, r9), eax);
        a.ret();
    });
}

TEST_CASE("verifier: LOOP counts in ECX") { CHECK_FALSE(verify_bytes({0x67, 0xE2, 0xFD, 0xC3})); }
