// What the verifier knows of the host's registers at one place in emitted code.
#pragma once

#include <algorithm>

#include "base/types.hpp"

namespace vellum {

namespace host_register {
constexpr u8 rax = 0, rcx = 1, rsp = 4, rsi = 6, rdi = 7, r8 = 8, r10 = 10, r12 = 12, r13 = 13, r14 = 14, r15 = 15,
             none = 0xFF;
constexpr u32 guest = 0b0000'0000'1110'1111;    // rax rcx rdx rbx rbp rsi rdi
constexpr u32 scratch = 0b0100'1111'0000'0000;  // r8-r11 r14
constexpr bool is_guest(u8 r) { return r < 16 && guest >> r & 1; }
constexpr bool is_scratch(u8 r) { return r < 16 && scratch >> r & 1; }
}  // namespace host_register

struct VerifierState {
    static constexpr u32 most_drift = 1u << 20;

    u32 zero_extended = host_register::guest;  // registers whose upper half is surely zero, by number
    u32 flag_images = 0;                       // registers that hold what POPFQ may load
    u64 drift = most_drift;                    // bytes that r12 may be outside of the window
    bool stack_low = false;                    // r12 holds ESP alone
    u32 rebased = 0;                           // rsi, rdi: hold host addresses
    bool exit_site = false;                    // r10 holds one of the exit sites
    // Left by the instruction before, for the next one only:
    u8 poll_register = host_register::none;  // holds CpuState::poll
    bool store_target = false;               // r8 holds where the guest may write
    enum class Pushed : u8 { Nothing, Flags, FlagImage } pushed = Pushed::Nothing;

    // May a branch leave from here to another place in the block? And out of the block?
    bool between_sequences() const { return !stack_low && !rebased && pushed == Pushed::Nothing; }
    bool settled() const { return between_sequences() && drift <= most_drift; }

    // Behind the call of a C++ function that gives r8.
    void receive_store_target() {
        zero_extended &= host_register::guest;
        flag_images = 0;
        exit_site = false;
        store_target = true;
    }

    // What is known where two ways meet. Both are between sequences.
    void merge(const VerifierState& other) {
        zero_extended &= other.zero_extended;
        flag_images &= other.flag_images;
        exit_site &= other.exit_site;
        drift = std::max(drift, other.drift);
        poll_register = host_register::none;
    }
};

}  // namespace vellum
