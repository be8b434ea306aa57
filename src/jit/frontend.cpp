// Fetch and decode up to the end of the block.
#include "jit/frontend.hpp"

#include <algorithm>

#include "jit/rules.hpp"

namespace vellum {

namespace {

// May this instruction raise an exception, so that somebody sees the flags before it?
bool may_fault(const Instruction& in, Rule rule) {
    if (in.has_memory && rule != Rule::Lea && rule != Rule::Nothing) return true;
    switch (rule) {
        case Rule::Ident:
            return in.mnemonic == ZYDIS_MNEMONIC_DIV || in.mnemonic == ZYDIS_MNEMONIC_IDIV || uses_fpu(in);
        case Rule::Lea:
        case Rule::Nothing:
        case Rule::Cli:
        case Rule::FromSegment:
        case Rule::FromControl: return false;
        default: return true;
    }
}

bool is_direct(Rule rule) { return rule == Rule::Jump || rule == Rule::Branch; }

// Does a branch of the block lead behind its last instruction?
bool is_awaited(const GuestBlock& block) {
    u32 end = block.eips.back();
    for (std::size_t i = 0; i < block.instructions.size(); ++i)
        if (is_direct(block.rules[i]) && direct_target(block.instructions[i], block.eips[i + 1]) == end) return true;
    return false;
}

bool is_of_system_registers(Rule rule) {
    return rule == Rule::ToSegment || rule == Rule::PopSegment || rule == Rule::FromControl ||
           rule == Rule::ToControl || rule == Rule::LoadFs;
}

bool is_repeated_string(const Instruction& in, Rule rule) { return rule == Rule::String && (in.rep || in.repne); }

}  // namespace

// Is what follows the last instruction a part of the block too?
bool Frontend::goes_on_behind(const GuestBlock& block) const {
    Rule last = block.rules.back();
    if (!ends_block(last)) return !options_.counting || !is_repeated_string(block.instructions.back(), last);
    if (options_.behind_branches && (last == Rule::Branch || is_awaited(block))) return true;
    return options_.behind_calls && (last == Rule::Call || last == Rule::CallIndirect);
}

const Instruction* Frontend::decode_straddling(GuestBlock& out, Linear at, std::span<const u8> first) const {
    Linear next = static_cast<Linear>((raw(page_of(at)) + page_size) & 0xFFFFFFFF);
    auto physical = cpu_.mmu.translate(next, Access::Fetch, cpu_.privilege());
    if (!physical) return nullptr;
    const u8* bytes = cpu_.memory.read_pointer(page_of(*physical));
    if (!bytes) return nullptr;
    std::array<u8, 30> joined{};
    std::copy(first.begin(), first.end(), joined.begin());
    std::copy_n(bytes, 15, joined.begin() + static_cast<std::ptrdiff_t>(first.size()));
    DecodeStatus status;
    const Instruction* in = memo_.decode(std::span{joined}.first(first.size() + 15), out.mode.code32(), status);
    if (!in) return nullptr;
    out.straddles = true;
    out.second_page = page_of(*physical);
    return in;
}

bool Frontend::read(BlockKey key, const CodeMode& mode, u32 eip, GuestBlock& out) const {
    out.key = key;
    out.mode = mode;
    out.eip = eip;
    out.instructions.clear();
    out.eips.clear();
    out.rules.clear();
    out.adaptive.clear();
    out.straddles = false;
    out.eips.push_back(eip);
    const u8* page = cpu_.memory.read_pointer(page_of(key.physical));
    if (!page) return false;
    u32 offset = offset_in_page(key.physical);
    bool sites_here = !sites_.none_on(page_of(key.physical));
    while (out.instructions.size() < options_.most_instructions && offset < page_size) {
        if (stops_.has(static_cast<u32>(mode.cs_base + eip))) break;
        std::span<const u8> rest{page + offset, std::min<u32>(15, page_size - offset)};
        DecodeStatus status;
        const Instruction* decoded = memo_.decode(rest, mode.code32(), status);
        bool more_allowed = u64{eip} + rest.size() <= mode.cs_limit;  // or #GP, before A of the second page is set
        if (status == DecodeStatus::NeedMoreBytes && more_allowed && out.instructions.empty())
            decoded = decode_straddling(out, key.linear, rest);
        if (!decoded) break;
        const Instruction& in = *decoded;
        // The limit of CS is checked here once: it is part of the mode.
        if (u64{eip} + in.length - 1 > mode.cs_limit) break;
        bool adaptive = sites_here && sites_.is_callout(page_of(key.physical) + offset);
        Rule rule = rule_for(in, mode);
        if (adaptive) {
            bool checked = options_.checked_stores && rule == Rule::Ident && may_be_checked_store(in, mode) &&
                           sites_.meets_code(page_of(key.physical) + offset);
            rule = checked ? Rule::CheckedStore : Rule::Interpret;
        }
        if (options_.counting && rule == Rule::TimeStamp) rule = Rule::Interpret;
        if (!options_.system_registers && is_of_system_registers(rule)) rule = Rule::Interpret;
        if (options_.spin_waits && in.mnemonic == ZYDIS_MNEMONIC_PAUSE) rule = Rule::Interpret;
        if (!options_.memory_is_private && locks_bit_string(in)) rule = Rule::Interpret;  // it may lie on two lines
        if (options_.counting && is_repeated_string(in, rule) && !out.instructions.empty()) break;
        out.instructions.push_back(in);
        out.rules.push_back(rule);
        out.adaptive.push_back(adaptive);
        eip += in.length;
        offset += in.length;
        out.eips.push_back(eip);
        if (!goes_on_behind(out)) break;
    }
    if (out.instructions.empty()) return false;
    find_labels(out);
    find_live_flags(out, options_.counting);
    return true;
}

void find_labels(GuestBlock& block) {
    block.labels.assign(block.instructions.size(), false);
    auto end = block.eips.end() - 1;
    for (std::size_t i = 0; i < block.instructions.size(); ++i) {
        if (!is_direct(block.rules[i])) continue;
        u32 target = direct_target(block.instructions[i], block.eips[i + 1]);
        auto found = std::lower_bound(block.eips.begin(), end, target);
        if (found == end || *found != target) continue;
        auto index = static_cast<std::size_t>(found - block.eips.begin());
        // In the shadow of STI nothing begins.
        if (index == 0 || block.rules[index - 1] != Rule::Sti) block.labels[index] = true;
    }
}

void find_live_flags(GuestBlock& block, bool counting) {
    block.flags_live.assign(block.instructions.size(), eflags::arithmetic);
    u32 live = eflags::arithmetic;
    for (std::size_t i = block.instructions.size(); i-- > 0;) {
        block.flags_live[i] = live;
        const Instruction& in = block.instructions[i];
        Rule rule = block.rules[i];
        live = (live & ~flags_surely_written(in)) | (in.flags_read & eflags::arithmetic);
        bool may_stop = counting && block.labels[i];  // at the instruction limit
        if (may_stop || ends_block(rule) || may_fault(in, rule)) live = eflags::arithmetic;
    }
}

}  // namespace vellum
