// A block of guest code: what the frontend reads, and what the code cache keeps of its translation.
#pragma once

#include <array>
#include <span>
#include <vector>

#include "cpu/instruction.hpp"
#include "jit/mode.hpp"
#include "jit/rules.hpp"

namespace vellum {

// The same bytes mean something else in another mode or at another address. `mode` is a dense number (ModeTable).
struct BlockKey {
    Physical physical{};
    Linear linear{};
    u32 mode = 0;
    bool operator==(const BlockKey&) const = default;
};

// The frontend's product: decoded guest code, no host instruction yet.
struct GuestBlock {
    BlockKey key;
    CodeMode mode;
    u32 eip = 0;  // of the first instruction
    std::vector<Instruction> instructions;
    std::vector<Rule> rules;      // Interpret also where an adaptive site asks for it
    std::vector<bool> adaptive;   // ... which it does here
    std::vector<u32> eips;        // of each instruction, and of what follows the last
    std::vector<bool> labels;     // something in the block jumps there
    std::vector<u32> flags_live;  // arithmetic flags that somebody may read after each instruction
    bool straddles = false;       // its one instruction begins on one page and ends on the next
    Physical second_page{};       // where it ends, if so
    bool global = false;          // every page that its bytes touch is mapped global (or paging is off)
};

struct Block;
struct PageGroup;

// How an exit to the interpreter may be taken without it (crossings.hpp).
enum class Crossing : u8 { None, Sysenter, Sysexit, LoadFs };

// A place where translated code leaves to the dispatcher, or is linked to another block instead.
struct ExitSite {
    enum class Kind : u8 {
        Edge,       // go on at `eip`; can be linked
        Interpret,  // the interpreter does the instruction at `eip`, then usually goes on at `next_eip`
        Indirect,   // go on at JitContext::target
        Boundary,   // an exact boundary at `eip` where the dispatcher is wanted (poll, stale block)
        Limit,      // the same, because the block could pass the instruction limit
        LoadFpu,    // the FPU instruction at `eip` wants the guest's FPU state in the host's registers
        Fault,      // a host fault at the instruction at `eip`, which the interpreter will do
    };
    Kind kind = Kind::Edge;
    bool stays_on_page = false;  // the target lies on the page of the block
    bool adaptive = false;       // Interpret: only because the instruction kept faulting
    bool calls = false;          // Edge: `patch` is of a host CALL
    Crossing crossing = Crossing::None;
    u8 pops = 0;          // LoadFs: bytes that come off the stack then
    u8 stored_bytes = 0;  // Interpret: that a checked store is about to write
    u16 ahead = 0;        // instructions that are counted already, though not retired
    Mnemonic mnemonic = ZYDIS_MNEMONIC_INVALID;
    u32 eip = 0, next_eip = 0;
    Block* block = nullptr;                    // null for the runtime's own
    u32 patch = 0;                             // code offset of the rel32 to patch; 0: none
    u32 stub = 0;                              // code offset the rel32 points to while not linked
    u32 cross_stub = 0;                        // code offset of a lookup through the jump cache; 0: none
    Block* linked = nullptr;                   // where it goes now; Interpret: what followed the last time
    const Instruction* instruction = nullptr;  // Interpret: ready to be executed; null: it is fetched again
    ExitSite* next = nullptr;                  // of the same block
    ExitSite *next_incoming = nullptr, *previous_incoming = nullptr;  // of Block::incoming of `linked`
};

// Host instructions from `host` (offset in the block's code) belong to guest instruction `index`; the guest's ESP is
// r12 + `esp_delta` at the start of that instruction.
struct SideEntry {
    static constexpr u8 not_swapped = 0xFF, exact = 0xFF, of_left_shift = 0x10;
    u32 host;
    u8 index;
    bool downwards : 1;  // the guest's DF is set, though the host's is not
    bool exchanges : 1;  // one write of memory, and read of it, by a load and a store: `host` is where to begin again
    u8 swapped;          // the two low bytes of this register are exchanged
    u8 overflow;         // the guest's OF follows from this register, the result of a shift; `exact`: it is right
    i32 esp_delta;
};

// Four bytes of an instruction that are an operand of it and nothing else, and the same of its translation: both may be
// replaced together.
struct CodeConstant {
    u32 guest;  // offset from the block's first guest byte
    u32 host;   // code offset
};

// Four bytes of a translation that hold an EIP, or minus that.
struct EipConstant {
    u32 host;  // code offset
    bool negative;
};

// An x87 instruction whose EIP is not stored, because another one follows: whoever leaves between the two, the second
// included, has this one as the last.
struct UnstoredX87 {
    u8 index, next;
};

// A translation in the code cache: of guest instructions one behind the other. Control may go on behind branches and
// calls, and jump about inside. It and all that belongs to it lie in the arena of its region.
struct Block {
    BlockKey key;
    u32 eip = 0;
    u32 entry = 0, end = 0;  // code offsets of its host bytes; it is entered at the first
    u32 guest_bytes = 0;
    u16 instructions = 0;
    bool straddles = false, global = false, dead = false;
    bool counted_repeat = false;  // counting mode: a repeated string instruction, alone
    bool fixed = false;           // it cannot be moved to another linear page
    Physical second_page{};
    PageGroup* group = nullptr;
    std::span<u32> eips;
    struct Stretch {
        u16 begin, end;  // indexes
    };
    std::span<const Stretch> stretches;  // counting: instructions that are counted at once
    std::span<const u32> return_sites;   // code offsets at which host RETs arrive
    std::span<const SideEntry> side;
    std::span<const CodeConstant> constants;
    std::span<const EipConstant> eip_constants;
    std::span<const UnstoredX87> unstored_x87;
    ExitSite* exits = nullptr;       // the last, and from there by `next`
    ExitSite* incoming = nullptr;    // links that lead here
    ExitSite* stale_exit = nullptr;  // entries of a dead block lead here
    Block* next_in_table = nullptr;

    bool has_bytes(Physical page, u32 first_offset, u32 last_offset) const {
        u32 begin = offset_in_page(key.physical);
        if (page == page_of(key.physical) && begin <= last_offset && begin + guest_bytes > first_offset) return true;
        return straddles && page == second_page && begin + guest_bytes - page_size > first_offset;
    }

    // Counting: instructions that are counted when control has got to that one, but not retired.
    u16 counted_ahead(u32 index) const {
        for (const Stretch& s : stretches)
            if (index >= s.begin && index < s.end) return static_cast<u16>(s.end - index);
        return 0;
    }
};

}  // namespace vellum
