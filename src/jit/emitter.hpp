// GuestBlock to host code. emit_*.cpp hold the classes of instructions; what each host register means is in
// registers.hpp.
#pragma once

#include <vector>

#include "jit/arena.hpp"
#include "jit/block.hpp"
#include "jit/config.hpp"
#include "jit/encoder.hpp"

namespace vellum {

// Host addresses of what blocks jump to, and of the words that they share (runtime_stubs.cpp).
struct Runtime {
    JitContext* context = nullptr;
    u64 code_base = 0;
    u64 miss = 0;         // r11d: an EIP that the jump cache does not know. Code offset 0
    u64 exit = 0;         // r10: ExitSite*
    u64 lookup = 0;       // r11d: the EIP to go on at
    u64 lookup_poll = 0;  // the instruction in there that faults when attention is asked for
    u64 underflow = 0;    // where a host RET from an empty return stack arrives; r11d: the EIP to go on at
    u64 time_stamp = 0;   // called: EDX:EAX become the time-stamp counter
    u64 enter = 0, enter_fpu = 0;
    // Called with r8d, a linear address, and r10, the ExitSite of a checked store: r8 becomes the host address to write
    // to, or control leaves by that exit.
    u64 checked_store = 0;
    u64 crossing = 0;  // part of `exit`: where there may be a way on without the interpreter
    u64 end = 0;       // of all these
};

// What grows while a block is emitted.
struct EmitTables {
    struct Stub {
        u32 at;  // rel32 in the encoder's bytes
        ExitSite* site;
        i32 esp_delta;
        bool settled;
    };
    struct InnerJump {
        u32 at;  // rel32 in the encoder's bytes
        u32 index;
    };
    std::vector<Stub> stubs;
    std::vector<InnerJump> inner_jumps;
    std::vector<u32> labels;  // places in the encoder's bytes, by index; only those of labels count
    std::vector<SideEntry> side;
    std::vector<CodeConstant> constants;
    std::vector<EipConstant> eip_constants;
    std::vector<UnstoredX87> unstored_x87;
    std::vector<Block::Stretch> stretches;
    std::vector<u32> return_sites;
    void clear();
};

// Code offsets of what retranslation and the fault handler want to know are put into `out`, whose tables and exits come
// to lie in `arena`. `tables`: any, their contents are of no matter.
class BlockEmitter {
 public:
    BlockEmitter(const GuestBlock& guest, const Runtime& runtime, const TranslatorConfig& config, Encoder& encoder,
                 Arena& arena, EmitTables& tables, Block& out)
        : guest_{guest},
          mode_{guest.mode},
          runtime_{runtime},
          config_{config},
          e_{encoder},
          arena_{arena},
          tables_{tables},
          out_{out} {}

    void emit();

 private:
    // --- frame of the block (emit_block.cpp)
    void emit_compare_target(u32 wanted, u64 otherwise);
    void note_eip_constant(bool negative);
    void begin_label();
    void begin_stretch();
    bool begins_stretch() const;
    void emit_counting(u32 count);
    void emit_gauge(u32 count);
    void emit_stale_exit();
    void emit_stubs();
    bool emit_instruction();  // false: control does not get behind it
    void emit_plain(Rule rule);
    bool emit_end(Rule rule);
    bool goes_on() const { return index_ + 1 < guest_.instructions.size(); }
    void note_side_entry(u8 swapped = SideEntry::not_swapped);
    ExitSite* new_exit(ExitSite::Kind kind, u32 eip, u32 next_eip);
    bool same_page(u32 at) const;
    ExitSite* new_interpreter_exit();
    void exit_here(ExitSite* site);
    void exit_to_interpreter();                                   // the block ends with this instruction
    ExitSite* leave_to_interpreter_at(u32 rel32, i32 esp_delta);  // a jump out of the middle
    void flush_stack_pointer();
    void shift_stack_pointer(i32 by, bool settled);
    void normalise_stack_pointer() {  // r12 holds ESP alone
        e_.lea64(r12, HostMem::at(r12, r13));
        settled_ = true;
    }
    HostMem stack_slot(i32 displacement) {  // for an access that surely happens
        settled_ = true;
        return HostMem::at(r12, displacement);
    }
    u32 code_offset() const { return static_cast<u32>(e_.here() - runtime_.code_base); }
    u32 eip() const { return guest_.eips[index_]; }
    u32 next_eip() const { return guest_.eips[index_ + 1]; }
    const Instruction& in() const { return guest_.instructions[index_]; }
    bool flags_live() const { return guest_.flags_live[index_] != 0; }
    template <typename T>
    HostMem word(const T& member) const {  // of JitContext
        return HostMem::absolute(&member);
    }
    HostMem segment_field(Seg s, u32 field) const {
        return HostMem::at(r15,
                           static_cast<i32>(offsetof(CpuState, seg) + static_cast<u32>(s) * sizeof(Segment) + field));
    }

    // --- emit_shift.cpp
    bool must_set_overflow() const;
    bool defer_overflow(u8 host);
    bool keeps_result(u32 index, u8 reg) const;
    bool leaves_by_host_fault_only(u32 index) const;
    void set_overflow(u32 bytes, u8 count);
    void set_overflow_of_register(u8 host);
    void set_overflow_of_memory(const HostMem& memory);

    // --- operands and IDENT (emit_memory.cpp, emit_ident.cpp)
    HostMem memory_operand(u32 bytes, bool in_r8 = false);
    HostMem window_operand() const;
    void effective_address(u8 to = r8);  // of in()
    // r8d: offset; gives the operand. `may_wrap`: it could go on at offset 0.
    HostMem through_segment(Seg s, u32 bytes, bool may_wrap);
    bool may_wrap(u32 bytes) const;
    void check_limit(Seg s, u32 bytes);
    void check_end(u32 bytes);
    void check_code_limit();
    void leave_unless_within();
    void leave_unless_32_bits();
    bool must_swap() const;
    bool exchanges() const;
    bool may_lock(const Instruction& in) const { return !config_.memory_is_private && locks_memory(in); }
    void leave_if_over_line(u32 bytes);
    void emit_exchange(u8 reg, const HostMem& memory);
    void emit_compare_and_exchange(u8 reg, const HostMem& memory);
    void emit_access(const HostOpcode& opcode, u8 reg, const HostMem& memory, std::span<const u8> tail);
    void emit_ident();
    void emit_ident_plain();
    void emit_modrm();
    void emit_checked_store();
    void emit_register_tail(std::span<const u8> tail);
    bool emit_stack_pointer_arithmetic();
    u32 memory_bytes() const;

    // --- emit_x87.cpp
    u32 next_x87() const;
    void tell_of_x87();

    // --- STACK and STRING (emit_stack.cpp, emit_string.cpp)
    void push_register(u8 host, u32 bytes, u32 written = 0);
    void push_immediate(u32 value, u32 bytes);
    void load_top_of_stack(u32 bytes);
    void drop_from_stack(u32 bytes);
    void pop_to_r11(u32 bytes);
    void move_stack_pointer(i32 by);
    void emit_push();
    void emit_pop();
    void emit_push_all();
    void emit_pop_all();
    void emit_leave();
    void emit_push_segment();
    void emit_string();
    void emit_host_string();
    void emit_counted_repeat();
    void finish_counted_repeat();

    // --- MOVS between STD and CLD (emit_downwards.cpp)
    bool begin_descent();
    u32 end_of_descent() const;
    bool goes_downwards(u32 index, u32 last) const;
    void emit_move_of_element();
    void emit_move_downwards();

    // --- CONTROL (emit_control.cpp)
    void poll();
    bool joins_branch(u32 index) const;
    void prepare_branch();
    void edge(u32 target);
    void edge_if(u8 condition, u32 target);
    bool stays_inside(u32 at, u32 target);
    ExitSite* note_edge(u32 at, u32 target);
    void push_return_address();
    bool emit_return_site();
    bool reachable(u32 target) const { return target <= mode_.cs_limit; }
    u32 target_of_branch() const { return direct_target(in(), next_eip()); }
    bool closed_by_interpreter();
    // True: control may get behind it, and what follows is in the block.
    bool emit_branch();
    bool emit_call();
    bool emit_call_indirect();
    void emit_jump();
    void emit_loop();
    void emit_jump_indirect();
    void emit_return();
    void load_indirect_target();

    // --- INLINE (emit_inline.cpp)
    void emit_lea();
    void emit_xlat();
    void emit_from_segment();
    void emit_to_segment();
    void emit_pop_segment();
    void load_selector();
    ExitSite* leave_unless_loaded(Seg s);
    void emit_load_fs();
    void emit_from_control();
    void emit_to_control();
    void emit_push_flags();
    void emit_pop_flags();
    void emit_cli();
    void emit_sti();
    void emit_time_stamp();

    const GuestBlock& guest_;
    const CodeMode& mode_;
    const Runtime& runtime_;
    const TranslatorConfig& config_;
    Encoder& e_;
    Arena& arena_;
    EmitTables& tables_;
    Block& out_;
    u32 index_ = 0;
    i32 pending_ = 0;       // guest ESP = r12 + pending_
    bool settled_ = false;  // r12 is known to be near the window: the block has accessed the stack or normalised it
    // After a shift whose OF is set only where the host faults: up to this instruction, from what SideEntry has.
    u32 overflow_deferred_to_ = 0;
    u8 deferred_overflow_ = SideEntry::exact;
    u32 descent_end_ = 0;  // index behind the instructions for which DF is set, though the host's is not
    u32 stretch_end_ = 0;  // index behind the instructions that are counted together
};

}  // namespace vellum
