// Sums of the paging structures, and the guest watched for changes of them.
#include "stale_tables.hpp"

#include <array>
#include <cstring>
#include <map>
#include <memory>

namespace vellum::fuzz {

namespace {

constexpr u64 present = 1, large = 0x80, accessed_or_dirty = 0x60;
// A change and its flush are this many instructions apart: MOV from CR3, MOV to CR3, and one between.
constexpr u32 patience = 4;

// Each bit of the value counts in all bits of the sum: a product alone leaves a change of bit 61 to the top three,
// where the four equal directories of a small PAE table took it back.
void mix(u64& sum, u64 value) {
    sum = (sum ^ value) * 0x9E3779B97F4A7C15 + 1;
    sum ^= sum >> 32;
}

// A and D of each entry that was ever reached, by its address.
using Marks = std::array<u8, CodeLayout::ram_bytes / 4>;

// What the tables of this moment say but for A and D, and whether an entry has lost one of these: processors do not
// take them away, so the guest did.
class Tables {
 public:
    Tables(CodeMachine& machine, Marks& marks)
        : machine_{machine}, marks_{marks}, wide_{(machine.state().cr4 & cr4::pae) != 0}, sum_{find_sum()} {}

    u64 sum() const { return sum_; }
    bool lost_marks() const { return lost_marks_; }

 private:
    u64 find_sum() {
        const CpuState& state = machine_.state();
        if (!state.paging()) return 0;
        if (!wide_) return of_directory(state.cr3 & ~u64{page_offset_mask});
        u64 sum = 0;
        for (u64 pointer : state.pdpte)
            if (pointer & present) mix(sum, of_directory(pointer & ~u64{page_offset_mask}));
        return sum;
    }

    template <typename Visit>
    void each_entry(u64 page, Visit visit) {
        if (page + page_size > CodeLayout::ram_bytes) return;
        const u8* bytes = machine_.memory().data() + page;
        u32 size = wide_ ? 8 : 4;
        for (u32 at = 0; at < page_size; at += size) {
            u64 entry = 0;
            std::memcpy(&entry, bytes + at, size);
            u8& marks = marks_[(page + at) / 4];
            lost_marks_ |= (marks & ~entry) != 0;
            marks = static_cast<u8>(entry & accessed_or_dirty);
            visit(entry & ~accessed_or_dirty);
        }
    }
    u64 of_table(u64 page) {
        auto [known, is_new] = tables_.try_emplace(page, 0);
        if (is_new) each_entry(page, [&](u64 entry) { mix(known->second, entry); });
        return known->second;
    }
    u64 of_directory(u64 page) {
        u64 sum = 0;
        each_entry(page, [&](u64 entry) {
            mix(sum, entry);
            if (entry & present && !(entry & large)) mix(sum, of_table(entry & 0xFFFFFF000));
        });
        return sum;
    }

    CodeMachine& machine_;
    Marks& marks_;
    bool wide_, lost_marks_ = false;
    std::map<u64, u64> tables_;
    u64 sum_;
};

// INVLPG flushes one page; while there are global pages, MOV CR3 leaves them. What runs on a stale translation itself
// cannot be looked at.
bool flushes_in_part(CodeMachine& machine) {
    std::vector<u8> bytes = machine.next_bytes(2);
    return machine.state().cr4 & cr4::pge || bytes.size() != 2 || (bytes[0] == 0x0F && bytes[1] == 0x01);
}

}  // namespace

bool stale_translations_possible(CodeMachine& machine, const CodeInput& input, u32 last_slice) {
    machine.begin(input);
    auto marks = std::make_unique<Marks>();
    u64 flushed = machine.flushes(), trusted = Tables{machine, *marks}.sum();
    u32 untrusted_for = 0;
    bool partial = false, unmarked = false, changed = false;
    for (u32 slice = 0; slice <= last_slice; ++slice) {
        machine.begin_slice(input, slice);
        for (u32 i = 0; i <= input.header.slice; ++i) {
            Tables now{machine, *marks};
            unmarked |= now.lost_marks();
            if (machine.flushes() != flushed && !partial) {
                trusted = now.sum();
                unmarked = changed = false;
            }
            changed |= now.sum() != trusted;  // for good: what said so for a moment may be remembered
            flushed = machine.flushes();
            untrusted_for = changed || unmarked ? untrusted_for + 1 : 0;
            if (untrusted_for > patience) return true;
            partial = flushes_in_part(machine);
            if (Stop stop = machine.run(1); stop == Stop::Halted || stop == Stop::TripleFault) break;
        }
    }
    bool just_flushed = machine.flushes() != flushed && !partial;
    Tables last{machine, *marks};
    return !just_flushed && (changed || unmarked || last.lost_marks() || last.sum() != trusted);
}

}  // namespace vellum::fuzz
