// The translator's loop: from the CPU's state to a block, into it, and what each way out of it asks for.
#pragma once

#include <array>
#include <optional>
#include <unordered_map>
#include <unordered_set>

#include "cpu/decode_memo.hpp"
#include "cpu/interpreter.hpp"
#include "jit/adaptive_sites.hpp"
#include "jit/address_spaces.hpp"
#include "jit/code_cache.hpp"
#include "jit/crossings.hpp"
#include "jit/fresh_pages.hpp"
#include "jit/frontend.hpp"
#include "jit/host_faults.hpp"
#include "jit/stops.hpp"
#include "jit/translator.hpp"
#include "jit/view_states.hpp"

namespace vellum {

class Translator final : public Engine, private PageWatcher, private HostFaultSink {
 public:
    Translator(Cpu& cpu, const TranslatorConfig& config);
    ~Translator() override;

    std::string_view name() const override { return "bt"; }
    Stop run() override;
    void state_replaced() override;
    EngineStatistics statistics() const override;

 private:
    struct KnownMode;

    // --- dispatcher.cpp
    void heed_breakpoints();
    bool debug_registers_changed() const;
    Stop run_until_stopped();
    bool must_step();
    u32 linear_eip() const { return static_cast<u32>(state_.segment(Seg::Cs).base + state_.eip); }
    void run_block();
    bool enter_by_jump_cache(u32 mode);
    bool refresh(const View& view);
    Block* block_behind_port_access(const View& view, u32 mode);
    Block* block_here(View& view, u32 mode);
    Block* expected_block(const View& view, u32 mode);
    Block* translate(const View& view, const BlockKey& key);
    bool passes(std::span<const u8> bytes, u64 address, const Block& block);
    void enter(u32 code_offset, u32 mode);
    void leave();
    void take_over_fpu(const JitContext& context);
    struct LastInstruction {
        u32 offset;
        bool may_raise;  // what is pending can be its
    };
    std::optional<LastInstruction> last_x87(const JitContext& context) const;
    void note_x87_exception(u32 offset, u32 data_address);
    void finish_exit();
    void use_view(const View& view);
    KnownMode& current_mode();
    void note_place(KnownMode& known, View& view);
    void drop_places();
    void follow_crossings();
    bool is_current(const KnownMode& known) const;
    u32 mode_number(const CodeMode& mode);

    static u64 time_stamp(void* translator);

    // --- checked_stores.cpp
    static u64 store_target(void* translator, u32 address, const ExitSite* site);
    u8* checked_target(Linear address, const ExitSite& site);
    void write_beside_code(Physical at, const ExitSite& site);
    bool replace_constant(Physical at, const ExitSite& site);

    // --- linking.cpp
    void enter_page(PageGroup& group, const View& view);
    void link_pending(const View& view, Block& block);
    bool may_cross(const PageGroup& from, const Block& to, const View& view);
    void expel(const ViewSet& members);

    // --- moved_pages.cpp
    bool adopt_page(View& view, const BlockKey& place);
    bool may_move(const PageGroup& group, const View& view);

    // --- steps.cpp: what the interpreter does for translated code
    void step();
    bool execute(const Instruction& in);
    bool step_for_debugger();
    std::optional<Linear> operand_of(const Instruction& in) const;
    bool execute_adaptive(const Instruction& in);
    void step_at_site(const ExitSite& site);
    void note_faulted_bytes(const Block& block, u32 index);
    void execute_faulted(const ExitSite& site);
    void tell_windows(Mnemonic mnemonic, Linear invalidated, u64 generation_before);
    Linear invalidated_address(const Instruction& in) const;
    struct ControlState {
        u64 cr0, cr4, efer, a20_mask;
        bool operator==(const ControlState&) const = default;
    };
    ControlState control_state() const;

    // --- fault_handling.cpp
    bool on_host_fault(HostFault& fault) override;
    bool answer_fault(HostFault& fault);
    bool source_faults_first(const HostFault& fault) const;
    bool faults_on_second_page(const HostFault& fault, const Block& block, const SideEntry& entry);
    void set_flags_of_last_iteration();
    void anticipate_retry(View& view);
    bool try_fill(HostFault& fault, const Block& running);
    bool release_page(Linear address, const Block& running);
    void leave_at(HostFault& fault, const Block& block, const SideEntry& entry, ExitSite::Kind kind);
    void note_faulting_site(const Block& block, u32 index);
    void page_will_change(Physical page, u32 first_offset, u32 last_offset) override;

    CpuState& state_;
    Cpu& cpu_;
    TranslatorConfig config_;
    Interpreter interpreter_;
    AddressSpaces spaces_;
    DecodeMemo memo_;
    AdaptiveSites sites_;
    FreshPages fresh_pages_;
    Stops stops_;
    Frontend frontend_;
    ExitSite indirect_exit_;
    ExitSite fault_exit_;
    CodeCache cache_;
    ViewStates views_;
    std::array<u64, 8> debug_registers_{};  // as translations and windows heed them
    GuestBlock guest_block_;                // reused, so that its vectors keep their memory
    EmitTables emit_tables_;                // ... and these theirs

    std::vector<CodeMode> modes_;
    // What `code_mode` and `loaded_segments` look at, and what came of it the last time: for level 3 and for the
    // others, with FS null and not (Linux loads it at each entry, and makes it null again at each return).
    struct KnownMode {
        std::array<Segment, 7> segments{};  // the last is LDTR, as in CpuState
        u64 cr0 = 0, cr4 = 0;
        u32 flags = 0;
        u8 cpl = 0;
        bool fpu_live = false, valid = false, noted = false;  // `noted`: its Place is this
        u32 number = 0;
        DescriptorTable gdtr{};
        LoadedSegments loaded{};
    } known_modes_[4];
    const LoadedSegments* loaded_ = nullptr;  // what the context holds a copy of
    Crossings crossings_;
    const Place* place_ = nullptr;  // the context's, as far as `mode_state_` and `view_` know
    u64 times_forgotten_ = 0;
    bool fpu_wanted_ = false;
    bool near_limit_ = false;
    bool missed_ = false;         // the jump cache did not know the last target
    bool accessed_port_ = false;  // the callout was an IN or OUT that did not fault
    ExitSite* pending_link_ = nullptr;
    Block* next_block_ = nullptr;             // probably comes next, in this view and mode: the page is still the same
    ModeState* mode_state_ = nullptr;         // of the block that runs
    std::array<u64, most_views> expelled_{};  // by slot: `entries_` when it was last expelled from its groups
    View* view_ = nullptr;                    // the one whose window translated code runs in
    u64 gs_base_ = 0;

    static constexpr std::size_t most_refused = 1 << 12;
    std::vector<BlockKey> refused_;  // blocks that the verifier refused: the interpreter's, until `modes_` is emptied
    u64 blocks_refused_ = 0;
    std::unordered_map<u64, u32> released_;      // by physical page: how often its code was to make way for data
    std::unordered_set<u64> global_code_pages_;  // linear
    // The last access that was the guest's own page fault: when the guest's handler returns to it, its page is shown
    // before it faults again.
    struct FaultedAccess {
        bool waits = false;
        Access access{};
        Linear address{};
        u32 eip = 0, view_slot = 0;
    } faulted_access_;
    u64 repeated_fault_address_ = 0, repeated_fault_rip_ = 0;
    u32 repeated_faults_ = 0;
    // The host's CMPS or SCAS that faulted last.
    struct StringComparison {
        u32 bytes = 0;  // of an element; 0: it was another instruction
        bool scans = false, repeated = false;
    } faulted_comparison_;
    std::array<u8, 15> faulted_bytes_{};  // of the guest instruction that faulted last
    u32 faulted_length_ = 0;
    static StringComparison comparison_at(u64 rip);
    enum class SiteFault : u8 { Other, NeedsHelp, Code, Rated } site_fault_{};  // of the access that faulted last
    std::optional<Physical> site_to_retranslate_;  // once the interpreter has done its instruction
    bool constant_replaced_ = false;               // what page_will_change is about to be told of is done
    ControlState known_control_{};
    u64 cr3_before_ = 0;
    u64 executed_ = 0;  // instructions that translated code left, besides those that the interpreter counts

    std::array<u64, ZYDIS_MNEMONIC_MAX_VALUE + 1> callouts_{};
    u64 mmio_faults_ = 0, guest_page_faults_ = 0, code_write_faults_ = 0, window_fills_ = 0;
    u64 exceptions_ = 0, interrupts_ = 0, entries_ = 0, host_faults_ = 0;
    double translate_seconds_ = 0;
};

}  // namespace vellum
