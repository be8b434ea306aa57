// The captured instructions of a real 80286, on the translator.
#include "sst286/check.hpp"

#include "jit/translator.hpp"

namespace vellum::test {

TEST_CASE("sst286: every instruction form does what a real processor did, on the translator") {
    TranslatorConfig config;
    config.counting = GENERATE(false, true);
    check_sst286([&](Cpu& cpu) { return make_translator(cpu, config); });
}

}  // namespace vellum::test
