// The same guest on the interpreter and on the translator, compared whenever asked.
#pragma once

#include <cstring>
#include <string>

#include <fmt/format.h>

#include "jit/translator.hpp"
#include "support/test_machine.hpp"

namespace vellum::test {

inline std::unique_ptr<Engine> make_counting_translator(Cpu& cpu) {
    TranslatorConfig config;
    config.counting = true;
    config.verifier = verify;
    config.cache_bytes = 4u << 20;
    return make_translator(cpu, config);
}

inline std::unique_ptr<Engine> make_plain_translator(Cpu& cpu) {
    TranslatorConfig config;
    config.verifier = verify;
    config.cache_bytes = 4u << 20;
    return make_translator(cpu, config);
}

// Empty when equal; else one line for each difference.
inline std::string differences(const CpuState& a, const CpuState& b) {
    std::string text;
    auto compare = [&](const std::string& name, u64 x, u64 y) {
        if (x != y) text += fmt::format("{}: interp {:x} bt {:x}\n", name, x, y);
    };
    constexpr const char* names[] = {"eax", "ecx", "edx", "ebx", "esp", "ebp", "esi", "edi"};
    for (int i = 0; i < 8; ++i) compare(names[i], a.gpr[i], b.gpr[i]);
    compare("eip", a.eip, b.eip);
    compare("eflags", a.eflags, b.eflags);
    compare("instructions", a.instructions, b.instructions);
    compare("cr2", a.cr2, b.cr2);
    compare("cr0", a.cr0, b.cr0);
    compare("dr6", a.dr[6], b.dr[6]);
    compare("dr7", a.dr[7], b.dr[7]);
    compare("debug traps", a.debug_traps, b.debug_traps);
    compare("activity", static_cast<u64>(a.activity), static_cast<u64>(b.activity));
    compare("shadow", static_cast<u64>(a.shadow), static_cast<u64>(b.shadow));
    for (int i = 0; i < 6; ++i) {
        compare(fmt::format("segment {}", i), a.seg[i].selector, b.seg[i].selector);
        compare(fmt::format("base {}", i), a.seg[i].base, b.seg[i].base);
        compare(fmt::format("limit {}", i), a.seg[i].limit, b.seg[i].limit);
        compare(fmt::format("access {}", i), a.seg[i].access, b.seg[i].access);
    }
    if (std::memcmp(&a.fpu, &b.fpu, sizeof a.fpu) != 0) {
        compare("fpu control", a.fpu.control, b.fpu.control);
        compare("fpu status", a.fpu.status, b.fpu.status);
        compare("fpu tags", a.fpu.tags, b.fpu.tags);
        compare("mxcsr", a.fpu.mxcsr, b.fpu.mxcsr);
        text += "fpu image differs\n";
    }
    return text;
}

template <typename Machine>
struct EnginePair {
    explicit EnginePair(u64 ram = 1u << 20, const EngineFactory& make_bt = make_counting_translator)
        : interp{ram}, bt{ram, make_bt} {}

    template <typename Change>
    void both(Change change) {
        change(interp);
        change(bt);
    }
    std::string compare() {
        std::string text = differences(interp.state, bt.state);
        auto a = interp.memory.backing().bytes(), b = bt.memory.backing().bytes();
        if (std::memcmp(a.data(), b.data(), a.size()) != 0)
            for (std::size_t i = 0; i < a.size(); ++i)
                if (a[i] != b[i]) {
                    text += fmt::format("memory at {:x}: interp {:x} bt {:x}\n", i, a[i], b[i]);
                    break;
                }
        return text;
    }
    // Runs both that many instructions further; the differences.
    std::string advance(u64 instructions) {
        u64 limit = interp.state.instructions + instructions;
        Stop stops[2];
        int at = 0;
        both([&](Machine& m) {
            m.state.instruction_limit = limit;
            stops[at++] = m.engine->run();
        });
        std::string text = compare();
        if (!text.empty()) text += fmt::format("at eip {:x} and {:x}\n", interp.state.eip, bt.state.eip);
        if (stops[0] != stops[1]) text += fmt::format("stops {} and {}\n", (int)stops[0], (int)stops[1]);
        return text;
    }

    Machine interp, bt;
};

}  // namespace vellum::test
