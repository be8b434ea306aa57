// Fuzz target `code`: any machine code in any mode, on the interpreter and on the translator with its verifier. Neither
// may fall, the verifier must agree with all that is emitted, and both must come to the same state, slice by slice.
#include <cstdio>
#include <cstdlib>

#include "code_machine.hpp"
#include "device_code.hpp"
#include "jit/translator.hpp"
#include "machine/state_differences.hpp"
#include "stale_tables.hpp"
#include "target.hpp"

using namespace vellum;
using namespace vellum::fuzz;

namespace {

std::unique_ptr<Engine> make_interpreter(Cpu& cpu) { return std::make_unique<Interpreter>(cpu); }

std::unique_ptr<Engine> make_verified_translator(Cpu& cpu) {
    TranslatorConfig config;
    config.counting = true;
    config.verifier = verify;
    config.cache_bytes = u64{1} << 20;  // small: regions are emptied while an input runs
    return make_translator(cpu, config);
}

struct Pair {
    CodeMachine interp{make_interpreter}, bt{make_verified_translator};
};

[[noreturn]] void report(Pair& pair, u32 slice, const std::string& from, Stop interp, Stop bt) {
    std::fprintf(stderr, "the engines differ in slice %u, which began at\n%s\nthey stopped for reasons %d and %d%s\n%s",
                 slice, from.c_str(), static_cast<int>(interp), static_cast<int>(bt),
                 pair.interp.surroundings() != pair.bt.surroundings() ? "; ports or MMIO differ" : "",
                 describe_differences(pair.interp.state(), pair.bt.state()).c_str());
    auto a = pair.interp.memory(), b = pair.bt.memory();
    for (std::size_t i = 0, shown = 0; i < a.size() && shown < 16; ++i)
        if (a[i] != b[i]) {
            std::fprintf(stderr, "memory %05zx: interp %02x bt %02x\n", i, a[i], b[i]);
            ++shown;
        }
    std::abort();
}

bool equal(Pair& pair) {
    auto a = pair.interp.memory(), b = pair.bt.memory();
    return pair.interp.surroundings() == pair.bt.surroundings() &&
           pair.interp.architectural_state() == pair.bt.architectural_state() &&
           std::memcmp(a.data(), b.data(), a.size()) == 0;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const u8* data, std::size_t size) {
    static Pair pair;  // libFuzzer has no other place for what lives from one input to the next
    CodeInput input = read_code_input({data, size});
    bool possible = pair.interp.begin(input);
    if (possible != pair.bt.begin(input)) std::abort();
    if (!possible) return -1;
    static const bool show = std::getenv("FUZZ_SHOW") != nullptr;
    u32 pieces = show ? input.header.slice + 1u : 1, instructions = show ? 1 : input.header.slice + 1u;
    for (u32 slice = 0; slice < code_slices; ++slice) {
        pair.interp.begin_slice(input, slice);
        pair.bt.begin_slice(input, slice);
        for (u32 piece = 0; piece < pieces; ++piece) {
            std::string from = show ? pair.interp.next_instruction() : std::string{};
            if (show) std::fprintf(stderr, "%s\n", from.c_str());
            Stop interp = pair.interp.run(instructions), bt = pair.bt.run(instructions);
            if (interp != bt || !equal(pair)) {
                if (!show && stale_translations_possible(pair.interp, input, slice)) return 0;
                if (!show && repeats_code_of_a_device(pair.interp, input, slice)) return 0;
                report(pair, slice, from, interp, bt);
            }
            if (interp == Stop::TripleFault) return 0;
            if (interp == Stop::Halted) break;
        }
    }
    return 0;
}
