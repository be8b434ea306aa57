// The input of the fuzz target `code`: a processor's state in a few bytes, changes to the guest's tables and memory,
// and then machine code up to the end.
//
//     CodeHeader | number of patches | patches | code
//     patch: area and slice (u8) | offset (u16) | length (u8) | bytes
#pragma once

#include <optional>
#include <vector>

#include "input.hpp"

namespace vellum::fuzz {

enum class CodeMode : u8 { Real, V86, Flat, Segmented32, Segmented16 };
enum class CodePaging : u8 { Off, Small, Large, Pae, PaeLarge };
constexpr u8 code_modes = 5, code_pagings = 5;

struct CodeHeader {
    u8 mode = 0;        // CodeMode, modulo their number
    u8 paging = 0;      // CodePaging; only where there is protected mode
    u8 ring = 0;        // modulo 4; real mode has 0 and V86 has 3
    u8 control = 0;     // CR0: WP AM NE MP EM TS from bit 0 up; bit 6: the A20 gate is closed
    u8 extensions = 0;  // CR4: PSE PGE OSFXSR OSXMMEXCPT DE TSD from bit 0 up; bit 6: EFER.NXE under PAE
    u8 interrupts = 0;  // bit n: INTR rises before slice n, with vector 20h + n
    u8 nmis = 0;        // the same for NMI
    u8 slice = 0;       // instructions of one slice, less 1; there are 8
    u32 flags = 0;
    u32 gpr[8] = {};
    u16 fpu_control = 0, mxcsr = 0;  // XORed to their values after reset
};
static_assert(sizeof(CodeHeader) == 48);
constexpr u32 code_slices = 8;

// Parts of memory that a patch can name, in this order. CpuRegisters is the archive of CpuState.
enum class PatchArea : u8 {
    CpuRegisters,
    Gdt,
    Idt,
    Ldt,
    Tss,
    OtherTss,
    Directory,
    LowTable,
    HighTable,
    PaePointers,
    PaeDirectory,
    PaeLowTable,
    PaeHighTable,
    Code,
    Data,
    Stack,
    Handlers,
    Vectors,
    HighPages,
    Anywhere
};
constexpr u8 patch_areas = 20;

struct CodePatch {
    PatchArea area = PatchArea::CpuRegisters;
    u8 slice = 0;    // written before this one; register patches: before the first
    u16 offset = 0;  // Anywhere: in units of 16 bytes
    std::vector<u8> bytes;
};

struct CodeInput {
    static constexpr u32 most_patches = 31;

    CodeHeader header;
    std::vector<CodePatch> patches;
    std::vector<u8> code;

    CodeMode mode() const { return static_cast<CodeMode>(header.mode % code_modes); }
    CodePaging paging() const {
        return mode() == CodeMode::Real ? CodePaging::Off : static_cast<CodePaging>(header.paging % code_pagings);
    }
    u8 ring() const { return mode() == CodeMode::Real ? 0 : mode() == CodeMode::V86 ? 3 : header.ring % 4; }
    bool code32() const { return mode() == CodeMode::Flat || mode() == CodeMode::Segmented32; }
};

CodeInput read_code_input(std::span<const u8> bytes);
std::vector<u8> write_code_input(const CodeInput& input);

}  // namespace vellum::fuzz
