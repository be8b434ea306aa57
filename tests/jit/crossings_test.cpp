// SYSENTER, SYSEXIT and loads of FS that translated code does by itself: the state is what the interpreter makes of it
// at every instruction, whatever the guest has changed since the last time.
#include "jit/guest_program.hpp"
#include "jit/system_fixture.hpp"

using namespace vellum;
using namespace vellum::test;
namespace x86 = asmjit::x86;

namespace {

constexpr u32 user_at = 0x3000, entry_at = 0x6000, user_stack = 0xC000, kernel_stack = 0xE000, per_cpu = 0x18000;
constexpr u16 kernel_fs = 0x80;

struct Nothing {
    void operator()(x86::Assembler&) const {}
};

// A kernel that keeps FS null while programs run, and a program that makes 60 system calls, each inside a call of its
// own. EBP counts them down; ESI and EDI are theirs.
struct SystemCalls : SystemPair {
    static constexpr u32 rounds = 60;

    SystemCalls() {
        both([](FlatMachine& m) {
            m.state.sysenter_cs = code0;
            m.state.sysenter_esp = kernel_stack;
            m.state.sysenter_eip = entry_at;
            m.set_reg(Reg::Ebp, rounds);
            describe(m, kernel_fs, per_cpu, 0xFFFFF, 0x93, 0xC);
            m.state.segment(Seg::Gs) = {0, 0, 0, 0};
        });
    }

    // `entered`: behind the load of FS; `leaving`: before it becomes null again; `last`: right before SYSEXIT;
    // `program`: before each call. All may change EAX.
    template <typename Entered = Nothing, typename Leaving = Nothing, typename Last = Nothing,
              typename Program = Nothing>
    void assemble_guest(Entered entered = {}, Leaving leaving = {}, Last last = {}, Program program = {}) {
        auto exit_to_user = [&](x86::Assembler& a) {
            a.mov(x86::edx, user_at);
            a.mov(x86::ecx, user_stack);
            last(a);
            a.sysexit();
        };
        put(code, assemble(code, [&](x86::Assembler& a) {
                a.xor_(x86::eax, x86::eax);
                a.mov(x86::fs, x86::eax);
                exit_to_user(a);
            }));
        put(user_at, assemble(user_at, [&](x86::Assembler& a) {
                auto function = a.newLabel(), again = a.newLabel();
                a.bind(again);
                program(a);
                a.cmp(x86::ebp, 30);
                a.call(function);
                a.adc(x86::edi, 0);
                a.dec(x86::ebp);
                a.jnz(again);
                a.int_(end_vector);
                a.bind(function);
                a.mov(x86::ebx, x86::esp);
                a.sysenter();
            }));
        // Back behind the call: the kernel pops the program's return address for it.
        put(entry_at, assemble(entry_at, [&](x86::Assembler& a) {
                a.pushfd();
                a.mov(x86::eax, kernel_fs);
                a.mov(x86::fs, x86::eax);
                x86::Mem word = x86::dword_ptr(0x10);
                word.setSegment(x86::fs);
                a.add(word, x86::esi);
                entered(a);
                a.inc(x86::esi);
                leaving(a);
                a.push(0);
                a.pop(x86::fs);
                a.popfd();
                a.mov(x86::edx, x86::dword_ptr(x86::ebx));
                a.lea(x86::ecx, x86::ptr(x86::ebx, 4));
                last(a);
                a.sysexit();
            }));
    }

    // In pieces: short ones, so that every instruction is the last of one at some time, and long ones, in which ways
    // are found. The vector at which it ends.
    int run_in_pieces(u32 most = 4000) {
        both([](FlatMachine& m) { m.state.eip = code; });
        for (u32 i = 0; i < most && interp.state.activity == Activity::Running; ++i) {
            std::string text = advance(i % 4 ? 1 + i % 41 : 300);
            CHECK(text == "");
            if (!text.empty()) break;
        }
        CHECK(interp.state.activity == Activity::Halted);
        return interp.halted_by();
    }
    u64 callouts_of(const char* mnemonic) const {
        auto callouts = bt.engine->statistics().callouts;
        return callouts.contains(mnemonic) ? callouts.at(mnemonic) : 0;
    }
    u32 counted() const { return interp.peek<u32>(per_cpu + 0x10); }
};

// At the round where EBP is `round`: `body`.
template <typename Body>
auto at_round(u32 round, Body body) {
    return [=](x86::Assembler& a) {
        auto other = a.newLabel();
        a.cmp(x86::ebp, round);
        a.jne(other);
        body(a);
        a.bind(other);
    };
}

}  // namespace

TEST_CASE("crossings: system calls leave translated code a few times only", "[jit][crossings]") {
    SystemCalls pair;
    pair.assemble_guest();
    pair.both([](FlatMachine& m) { m.run_from(SystemPair::code); });
    CHECK(pair.compare() == "");
    CHECK(pair.interp.halted_by() == SystemPair::end_vector);
    CHECK(pair.counted() == SystemCalls::rounds * (SystemCalls::rounds - 1) / 2);
    CHECK(pair.callouts_of("sysenter") < 6);
    CHECK(pair.callouts_of("sysexit") < 6);
    CHECK(pair.callouts_of("mov") < 6);
    CHECK(pair.callouts_of("pop") < 6);
}

TEST_CASE("crossings: switched off, each is a callout", "[jit][crossings]") {
    TranslatorConfig config;
    config.crossings = false;
    SystemCalls pair;
    pair.assemble_guest();
    FlatMachine m{1u << 20, [&](Cpu& cpu) { return make_translator(cpu, config); }};
    auto bytes = pair.interp.memory.backing().bytes();
    m.poke(0, std::vector<u8>(bytes.begin(), bytes.end()));
    CpuState& state = m.state;
    u64 poll = state.poll;
    state = pair.interp.state;
    state.poll = poll;
    m.run_from(SystemPair::code);
    CHECK(m.halted_by() == SystemPair::end_vector);
    CHECK(m.engine->statistics().callouts.at("sysenter") == SystemCalls::rounds);
}

TEST_CASE("crossings: every boundary is exact", "[jit][crossings]") {
    SystemCalls pair;
    pair.assemble_guest();
    CHECK(pair.run_in_pieces() == SystemPair::end_vector);
}

TEST_CASE("crossings: SYSENTER clears IF and keeps the other flags", "[jit][crossings]") {
    SystemCalls pair;
    pair.both([](FlatMachine& m) { m.state.eflags |= eflags::if_; });
    pair.assemble_guest(
        [](x86::Assembler& a) {
            a.mov(x86::eax, x86::dword_ptr(x86::esp));
            a.add(x86::dword_ptr(SystemPair::data), x86::eax);
        },
        Nothing{}, [](x86::Assembler& a) { a.sti(); });
    CHECK(pair.run_in_pieces() == SystemPair::end_vector);
    CHECK((pair.state().eflags & eflags::if_) == 0);
}

TEST_CASE("crossings: MSRs that the kernel changes count for the next call", "[jit][crossings]") {
    SystemCalls pair;
    pair.assemble_guest(at_round(40,
                                 [](x86::Assembler& a) {
                                     a.mov(x86::ecx, 0x175);
                                     a.mov(x86::eax, kernel_stack - 0x100);
                                     a.xor_(x86::edx, x86::edx);
                                     a.wrmsr();
                                 }),
                        at_round(20, [](x86::Assembler& a) {
                            a.mov(x86::ecx, 0x174);
                            a.xor_(x86::eax, x86::eax);
                            a.xor_(x86::edx, x86::edx);
                            a.wrmsr();
                        }));
    CHECK(pair.run_in_pieces() == vector::gp);  // SYSEXIT with a null selector
    CHECK(pair.reg(Reg::Ebp) == 20);
}

TEST_CASE("crossings: a descriptor of FS that the kernel changes counts from the next load", "[jit][crossings]") {
    struct {
        u32 low, high;
        int vector;
    } const changes[] = {
        {0x9000FFFF, 0x00CF9301, SystemPair::end_vector},  // base 19000h
        {0x8000FFFF, 0x00CF1301, vector::np},              // not present
        {0x8000FFFF, 0x00CF9201, SystemPair::end_vector},  // not accessed
        {0x80000008, 0x00409301, vector::gp},              // limit 8: the access is beyond
    };
    for (const auto& change : changes) {
        CAPTURE(change.high);
        SystemCalls pair;
        pair.assemble_guest(Nothing{}, at_round(33, [&](x86::Assembler& a) {
                                a.mov(x86::dword_ptr(SystemPair::gdt + kernel_fs), change.low);
                                a.mov(x86::dword_ptr(SystemPair::gdt + kernel_fs + 4), change.high);
                            }));
        CHECK(pair.run_in_pieces() == change.vector);
    }
}

TEST_CASE("crossings: another null selector than the one before is what FS holds", "[jit][crossings]") {
    SystemCalls pair;
    pair.assemble_guest(Nothing{}, [](x86::Assembler& a) {
        a.mov(x86::eax, x86::ebp);
        a.and_(x86::eax, 3);
        a.mov(x86::fs, x86::eax);
        a.mov(x86::eax, x86::fs);
        a.add(x86::dword_ptr(SystemPair::data), x86::eax);
    });
    CHECK(pair.run_in_pieces() == SystemPair::end_vector);
    CHECK(pair.interp.peek<u32>(SystemPair::data) == 15 * (1 + 2 + 3));
}

TEST_CASE("crossings: data segments that the program changes are the kernel's to see", "[jit][crossings]") {
    SystemCalls pair;
    pair.both([](FlatMachine& m) { m.state.segment(Seg::Gs) = {SystemPair::data3, 0xC0F3, 0xFFFFFFFF, 0}; });
    auto use_gs = [](x86::Assembler& a) {
        x86::Mem word = x86::dword_ptr(SystemPair::data);
        word.setSegment(x86::gs);
        a.add(word, x86::ebp);
    };
    pair.assemble_guest(use_gs, Nothing{}, Nothing{}, at_round(20, [](x86::Assembler& a) {
                            a.xor_(x86::eax, x86::eax);
                            a.mov(x86::gs, x86::eax);
                        }));
    CHECK(pair.run_in_pieces() == vector::gp);
    CHECK(pair.reg(Reg::Ebp) == 20);
}

TEST_CASE("crossings: a program that checks alignment faults after SYSEXIT too", "[jit][crossings]") {
    SystemCalls pair;
    pair.both([](FlatMachine& m) { m.state.cr0 |= cr0::am; });
    pair.assemble_guest(Nothing{},
                        at_round(30,
                                 [](x86::Assembler& a) {
                                     a.pushfd();
                                     a.or_(x86::dword_ptr(x86::esp), eflags::ac);
                                     a.pop(x86::dword_ptr(x86::esp, 0));
                                 }),
                        Nothing{}, [](x86::Assembler& a) { a.mov(x86::eax, x86::dword_ptr(SystemPair::data + 2)); });
    CHECK(pair.run_in_pieces() == vector::ac);
    CHECK(pair.reg(Reg::Ebp) == 29);
}

TEST_CASE("crossings: single steps go through system calls", "[jit][crossings]") {
    SystemCalls pair;
    auto handler = Bytes{0x83, 0x05, 0, 0, 1, 0, 1, 0xCF};  // add dword [10000h],1; iret
    pair.put(SystemPair::handlers + vector::db, Bytes{0xE9});
    pair.put_value<u32>(SystemPair::handlers + vector::db + 1, 0x7000 - (SystemPair::handlers + vector::db + 5));
    pair.put(0x7000, handler);
    pair.assemble_guest(Nothing{}, Nothing{}, Nothing{}, at_round(30, [](x86::Assembler& a) {
                            a.pushfd();
                            a.or_(x86::dword_ptr(x86::esp), eflags::tf);
                            a.popfd();
                        }));
    pair.run_in_pieces();
}

TEST_CASE("crossings: an NMI or interrupt that waits is taken on the other side", "[jit][crossings]") {
    SystemCalls pair;
    pair.assemble_guest(Nothing{}, Nothing{}, [](x86::Assembler& a) { a.sti(); });
    pair.both([](FlatMachine& m) { m.state.eip = SystemPair::code; });
    CHECK(pair.advance(400) == "");
    for (u32 i = 0; i < 60 && pair.interp.state.activity == Activity::Running; ++i) {
        if (i == 30)
            pair.both([](FlatMachine& m) {
                m.outside.vector_pending = 0x50;
                m.cpu.attention.raise(Attention::Interrupt);
            });
        CHECK(pair.advance(3) == "");
    }
    CHECK(pair.interp.halted_by() == 0x50);
}

namespace {

// The same under paging: programs see the pages of code, stack and data that are theirs, in two address spaces of which
// the second has another page of data.
struct PagedCalls : SystemCalls {
    static constexpr u32 directory = 0x40000, table = 0x41000, other_directory = 0x42000, other_table = 0x43000,
                         page = 0x50000, other_frame = 0x51000, code_copy = 0x52000, first_touched = 0x60000;
    static constexpr u32 entry_of(u32 linear) { return table + (linear >> 12) * 4; }

    PagedCalls() {
        both([](FlatMachine& m) {
            m.poke_value<u32>(directory, table | 7);
            m.poke_value<u32>(other_directory, other_table | 7);
            for (u32 at = 0; at < 1u << 20; at += 0x1000) {
                bool of_programs = at == user_at || at == user_stack - 0x1000 || at == page || at >= first_touched;
                m.poke_value<u32>(table + (at >> 12) * 4, at | (of_programs ? 0x67 : 0x63));
                m.poke_value<u32>(other_table + (at >> 12) * 4,
                                  (at == page ? other_frame : at) | (of_programs ? 0x67 : 0x63));
            }
            m.poke_value<u32>(page, 1);
            m.poke_value<u32>(other_frame, 0x100);
            m.state.cr3 = directory;
            m.state.cr0 |= cr0::pg | cr0::wp;
            m.engine->state_replaced();
        });
    }
    static void add_page(x86::Assembler& a) { a.add(x86::edi, x86::dword_ptr(page)); }
};

}  // namespace

TEST_CASE("crossings: a program does not see the kernel's pages", "[jit][crossings]") {
    PagedCalls pair;
    pair.assemble_guest([](x86::Assembler& a) { a.add(x86::dword_ptr(SystemPair::data), 1); }, Nothing{}, Nothing{},
                        at_round(30, [](x86::Assembler& a) { a.mov(x86::eax, x86::dword_ptr(SystemPair::data)); }));
    CHECK(pair.run_in_pieces() == vector::pf);
    CHECK(pair.stacked(0) == 5);  // present, of level 3
    CHECK(pair.callouts_of("sysenter") < 20);
}

TEST_CASE("crossings: a kernel that changes CR3 returns into the other address space", "[jit][crossings]") {
    PagedCalls pair;
    pair.assemble_guest(
        Nothing{},
        [](x86::Assembler& a) {
            auto keep = a.newLabel();
            a.test(x86::ebp, 7);
            a.jnz(keep);
            a.mov(x86::eax, x86::cr3);
            a.xor_(x86::eax, PagedCalls::directory ^ PagedCalls::other_directory);
            a.mov(x86::cr3, x86::eax);
            a.bind(keep);
        },
        Nothing{}, PagedCalls::add_page);
    CHECK(pair.run_in_pieces() == SystemPair::end_vector);
    CHECK(pair.reg(Reg::Edi) > 20 * 0x100);
}

TEST_CASE("crossings: code of the program that the kernel maps anew is the new one", "[jit][crossings]") {
    for (bool by_cr3 : {false, true}) {
        CAPTURE(by_cr3);
        PagedCalls pair;
        auto remap = [&](x86::Assembler& a) {
            a.mov(x86::dword_ptr(PagedCalls::entry_of(user_at)), PagedCalls::code_copy | 0x67);
            if (by_cr3) {
                a.mov(x86::eax, x86::cr3);
                a.mov(x86::cr3, x86::eax);
            } else {
                a.invlpg(x86::ptr(user_at));
            }
        };
        pair.assemble_guest(Nothing{}, at_round(30, remap), Nothing{}, PagedCalls::add_page);
        pair.both([](FlatMachine& m) {
            for (u32 at = 0; at < 0x100; ++at) m.poke_value<u8>(PagedCalls::code_copy + at, m.peek(user_at + at));

            m.poke_value<u8>(PagedCalls::code_copy, 0x2B);  // sub edi, [page]
            m.poke_value<u8>(PagedCalls::code_copy + 1, 0x3D);
        });
        CHECK(pair.run_in_pieces() == SystemPair::end_vector);
    }
}

TEST_CASE("crossings: a kernel that takes a page of the program away finds it gone there", "[jit][crossings]") {
    PagedCalls pair;
    pair.assemble_guest(Nothing{},
                        at_round(30,
                                 [](x86::Assembler& a) {
                                     a.mov(x86::dword_ptr(PagedCalls::entry_of(PagedCalls::page)), 0);
                                     a.invlpg(x86::ptr(PagedCalls::page));
                                 }),
                        Nothing{}, PagedCalls::add_page);
    CHECK(pair.run_in_pieces() == vector::pf);
    CHECK(pair.reg(Reg::Ebp) == 29);
}

TEST_CASE("crossings: pages that a program touches first behind SYSEXIT come into its window", "[jit][crossings]") {
    PagedCalls pair;
    pair.assemble_guest([](x86::Assembler& a) { a.add(x86::dword_ptr(SystemPair::data), 1); }, Nothing{}, Nothing{},
                        [](x86::Assembler& a) {
                            a.imul(x86::eax, x86::ebp, 0x1000 * 37);
                            a.and_(x86::eax, 0x3F000);
                            a.add(x86::dword_ptr(x86::eax, PagedCalls::first_touched), x86::ebp);
                        });
    pair.both([](FlatMachine& m) { m.run_from(SystemPair::code); });
    CHECK(pair.compare() == "");
    CHECK(pair.interp.halted_by() == SystemPair::end_vector);
    CHECK(pair.callouts_of("fault") == 0);
}

TEST_CASE("crossings: calls behind SYSEXIT may go deeper than the return stack", "[jit][crossings]") {
    static constexpr u32 depth = 135'000, deep_stack = 0xFFF00;
    SystemCalls pair;
    pair.assemble_guest(Nothing{}, Nothing{}, Nothing{}, at_round(30, [](x86::Assembler& a) {
                            auto deeper = a.newLabel(), bottom = a.newLabel(), done = a.newLabel();
                            a.mov(x86::eax, x86::esp);
                            a.mov(x86::esp, deep_stack);
                            a.mov(x86::ecx, depth);
                            a.call(deeper);
                            a.mov(x86::esp, x86::eax);
                            a.jmp(done);
                            a.bind(deeper);
                            a.dec(x86::ecx);
                            a.jz(bottom);
                            a.call(deeper);
                            a.bind(bottom);
                            a.ret();
                            a.bind(done);
                        }));
    pair.both([](FlatMachine& m) { m.state.eip = SystemPair::code; });
    CHECK(pair.advance(1'000'000) == "");
    CHECK(pair.interp.halted_by() == SystemPair::end_vector);
    CHECK(pair.callouts_of("fault") == 0);
}
