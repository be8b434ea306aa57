// The captured instructions of a real 80286, on the translator.
#include "sst286/check.hpp"

#include "jit/translator.hpp"

namespace vellum::test {

TEST_CASE("sst286: every instruction form does what a real processor did, on the translator") {
    TranslatorConfig config;
    config.counting = GENERATE(false, true);
    auto result = check_sst286([&](Cpu& cpu) { return make_translator(cpu, config); });
    if (result) CHECK(result->engine.blocks_translated > result->tests);  // each, and the HLT behind some
}

}  // namespace vellum::test
