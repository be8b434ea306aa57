// Names from modes, and the table of shared pieces.
#include "jit/code_names.hpp"

#include <array>

#include <fmt/format.h>

namespace vellum {

namespace {

struct SharedPiece {
    std::string_view name;
    u64 Runtime::*begin;
};

// In the order of their addresses: each ends where the next one begins.
constexpr std::array shared_pieces = {
    SharedPiece{"vellum.miss", &Runtime::miss},
    SharedPiece{"vellum.exit", &Runtime::exit},
    SharedPiece{"vellum.underflow", &Runtime::underflow},
    SharedPiece{"vellum.lookup", &Runtime::lookup},
    SharedPiece{"vellum.crossing", &Runtime::crossing},
    SharedPiece{"vellum.time_stamp", &Runtime::time_stamp},
    SharedPiece{"vellum.enter", &Runtime::enter},
    SharedPiece{"vellum.enter_fpu", &Runtime::enter_fpu},
    SharedPiece{"vellum.checked_store", &Runtime::checked_store},
};

}  // namespace

std::string block_name(Linear address, const CodeMode& mode) {
    bool usually16 = mode.real() || mode.v86();
    std::string place = mode.real() ? "real" : mode.v86() ? "v86" : fmt::format("r{}", mode.cpl());
    const char* size = mode.code32() != usually16 ? "" : mode.code32() ? "-32" : "-16";
    return fmt::format("guest.{:08x}.{}{}", raw(address), place, size);
}

void tell_of_runtime(const Runtime& runtime, const u8* bytes, CodeObserver& observer) {
    for (std::size_t i = 0; i < shared_pieces.size(); ++i) {
        u64 begin = runtime.*shared_pieces[i].begin;
        u64 end = i + 1 < shared_pieces.size() ? runtime.*shared_pieces[i + 1].begin : runtime.end;
        observer.code_added({shared_pieces[i].name, begin, {bytes + (begin - runtime.code_base), end - begin}});
    }
}

}  // namespace vellum
