// Names.
#include "cpu/occupation.hpp"

#include "base/check.hpp"

namespace vellum {

namespace {

constexpr std::array<std::string_view, Occupation::kinds> kind_names = {
    "other",    "translated",    "dispatch",   "translation", "views", "interpreted",
    "callouts", "window_faults", "interrupts", "devices",     "idle"};
constexpr std::array<std::string_view, 5> fault_names = {"window_fill", "guest_page_fault", "mmio", "code_write",
                                                         "other"};

}  // namespace

std::string_view name_of(Occupation::Kind kind) { return kind_names[static_cast<std::size_t>(kind)]; }

std::string name_of_detail(const Occupation::Doing& doing) {
    if (doing.kind == Occupation::Kind::WindowFault) return std::string{fault_names[doing.detail]};
    check(doing.kind == Occupation::Kind::Callout, "only callouts and window faults have details");
    if (doing.detail == Occupation::faulted) return "fault";
    return ZydisMnemonicGetString(static_cast<Mnemonic>(doing.detail));
}

}  // namespace vellum
