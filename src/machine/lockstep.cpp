// Running in stretches, comparing, and showing what differs.
#include "machine/lockstep.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <cstring>

#include "machine/state_differences.hpp"

namespace vellum {

namespace {

constexpr u64 stretch = 2000;              // instructions between comparisons of the processors
constexpr u64 long_interval = 10'000'000;  // and of all chips and all memory

struct Pending {
    bool interrupt, non_maskable;
    BoardEvents events;
    bool operator==(const Pending&) const = default;
};

Pending pending(Board& board) {
    return {board.interrupt_pending(), (board.cpu().attention.reasons() & Attention::Nmi) != 0, board.events()};
}

std::string describe(const Pending& p) {
    return fmt::format("interrupt {}, NMI {}, reset {}, power off {}, A20 {}, debug exit {}", p.interrupt,
                       p.non_maskable, p.events.reset, p.events.power_off, p.events.physical_map_replaced,
                       p.events.debug_exit ? static_cast<i64>(*p.events.debug_exit) : -1);
}

// Sections of an archive begin with the length of their name, the name, and a version (Archive::section).
bool is_heading(const std::vector<u8>& bytes, std::size_t at) {
    constexpr std::size_t longest = 32;
    if (at + 8 > bytes.size()) return false;
    u32 length, version;
    std::memcpy(&length, &bytes[at], 4);
    if (length < 2 || length > longest || at + 8 + length > bytes.size()) return false;
    std::memcpy(&version, &bytes[at + 4 + length], 4);
    auto name = bytes.begin() + static_cast<std::ptrdiff_t>(at) + 4;
    return version > 0 && version < 10 &&
           std::all_of(name, name + length, [](u8 c) { return c == ' ' || c == '-' || c == '_' || std::isalnum(c); });
}

// The section that a byte lies in and how far from its beginning, for people.
std::string place_in(const std::vector<u8>& bytes, std::size_t position) {
    std::size_t at = position;
    while (at > 0 && !is_heading(bytes, at)) --at;
    std::string name(bytes.begin() + static_cast<std::ptrdiff_t>(at) + 4,
                     bytes.begin() + static_cast<std::ptrdiff_t>(at) + 4 + bytes[at]);
    return fmt::format("{} + {}", name, position - at);
}

std::vector<u8> kept_block(BlockBackend& image, u64 offset) {
    std::vector<u8> bytes(std::min<u64>(BlockBackend::kept_block, image.size() - offset));
    if (!image.read(offset, bytes)) bytes.clear();
    return bytes;
}

}  // namespace

LockstepEngine::LockstepEngine(std::unique_ptr<Engine> engine, Board& first, Board& follower)
    : engine_{std::move(engine)}, first_{first}, second_{follower}, interpreter_{follower.cpu()} {
    second_.on_deadline_moved = [this] { set_limit_of_second(target_); };
}

void LockstepEngine::state_replaced() {
    engine_->state_replaced();
    interpreter_.state_replaced();
}

// --- running

// What other threads ask for (Attention::Stop) is granted at the end of the stretch. In its middle the first engine may
// just have taken an interrupt, and the second one, which stops by its count of instructions, would not have.
Stop LockstepEngine::run_first() {
    for (;;) {
        Stop stop = engine_->run();
        if (stop != Stop::Attention || first_.has_events()) return stop;
        first_.cpu().attention.clear(Attention::Stop);
    }
}

void LockstepEngine::set_limit_of_second(u64 target) {
    Nanoseconds next = second_.announced_deadline();
    u64 at = next == ~Nanoseconds{0} ? ~u64{0} : second_.clock().instructions_at(next);
    second_.state().instruction_limit = std::min(target, at);
}

// Brings the second board to the same number of instructions.
void LockstepEngine::follow() {
    first_.cpu().occupation.note(Occupation::Kind::Other);
    CpuState& state = second_.state();
    target_ = first_.state().instructions;
    while (state.instructions < target_ && !second_.has_events()) {
        second_.cpu().attention.clear(Attention::Stop);
        second_.scheduler().advance_to(second_.clock().guest_time());
        set_limit_of_second(target_);
        Stop stop = interpreter_.run();
        if (stop == Stop::Halted || stop == Stop::TripleFault) return;
    }
}

Stop LockstepEngine::run() {
    CpuState& state = first_.state();
    state.instruction_limit = std::min(state.instruction_limit, state.instructions + stretch);
    second_.cpu().debug.begin_run(first_.cpu().debug.stepping());  // a single step holds interrupts off on both
    Stop stop = run_first();
    follow();
    // The second one knows no breakpoints: it may be about to take the interrupt whose handler begins with one.
    if (stop == Stop::Debug) return stop;
    compare_processors();
    BoardEvents events = first_.events();
    if (events.reset || events.power_off || events.debug_exit) {
        compare_all();
    } else if (state.instructions >= next_long_comparison_) {
        next_long_comparison_ = state.instructions + long_interval;
        compare_chips();
        compare_memory();
    }
    return stop;
}

// --- comparing

void LockstepEngine::differ(const std::string& what) const {
    throw LockstepDifference(fmt::format("the engines differ between instruction {} and {}; {} and interp:\n{}",
                                         last_equal_, first_.state().instructions, engine_->name(), what));
}

void LockstepEngine::compare_processors() {
    const CpuState &ours = first_.state(), &seconds = second_.state();
    if (!same_registers(ours, seconds)) differ(describe_differences(ours, seconds));
    Pending waiting = pending(first_), seconds_waiting = pending(second_);
    if (waiting != seconds_waiting) differ(fmt::format("  {}\n  {}\n", describe(waiting), describe(seconds_waiting)));
    last_equal_ = ours.instructions;
}

void LockstepEngine::compare_chips() {
    Archive ours = Archive::saver(), seconds = Archive::saver();
    first_.serialize(ours);
    second_.serialize(seconds);
    const auto &a = ours.bytes(), &b = seconds.bytes();
    if (a == b) return;
    std::size_t at = static_cast<std::size_t>(std::mismatch(a.begin(), a.end(), b.begin(), b.end()).first - a.begin());
    differ(fmt::format("  state of {}: {:02x} and {:02x}\n", place_in(a, at), at < a.size() ? a[at] : 0,
                       at < b.size() ? b[at] : 0));
}

// Untouched memory is zero, and is not touched here. A page that one of them has used, the other one may have too.
void LockstepEngine::compare_memory() {
    SharedMemory &ours = first_.memory().backing(), &seconds = second_.memory().backing();
    for (SharedMemory* used : {&ours, &seconds})
        for (auto [begin, end] : used->used_ranges()) {
            auto a = ours.bytes().subspan(begin, end - begin), b = seconds.bytes().subspan(begin, end - begin);
            if (std::memcmp(a.data(), b.data(), a.size()) == 0) continue;
            std::size_t at = static_cast<std::size_t>(std::mismatch(a.begin(), a.end(), b.begin()).first - a.begin());
            differ(fmt::format("  memory at storage offset {:#x}: {:02x} and {:02x}\n", begin + at, a[at], b[at]));
        }
}

void LockstepEngine::compare_disks() {
    DrivePlaces ours = first_.drives(), seconds = second_.drives();
    for (std::size_t i = 0; i < drive_places; ++i) {
        BlockBackend *a = ours[i].medium, *b = seconds[i].medium;
        if (!a != !b) differ(fmt::format("  {}: only one of them has a medium\n", ours[i].option));
        if (!a) continue;
        std::vector<u64> blocks = a->blocks_kept_apart();
        if (blocks != b->blocks_kept_apart())
            differ(fmt::format("  {}: other blocks have been written\n", ours[i].option));
        for (u64 offset : blocks)
            if (kept_block(*a, offset) != kept_block(*b, offset))
                differ(fmt::format("  {}: the block at {:#x} holds something else\n", ours[i].option, offset));
    }
}

void LockstepEngine::compare_all() {
    compare_processors();
    compare_chips();
    compare_memory();
    compare_disks();
}

}  // namespace vellum
