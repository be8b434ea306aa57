// The captured instructions of a real 80286, on the interpreter.
#include "sst286/check.hpp"

namespace vellum::test {

TEST_CASE("sst286: every instruction form does what a real processor did") { check_sst286(make_interpreter); }

}  // namespace vellum::test
