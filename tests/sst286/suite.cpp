// Reading the suite, preparing a machine for each test, and comparing.
//
// What does not hold for a 386 and later is excluded below, each with its reason.
#include "sst286/suite.hpp"

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <sstream>

#include <fmt/format.h>

#include "cpu/rows.hpp"
#include "sst286/moo_file.hpp"

namespace vellum::test {

namespace {

namespace fs = std::filesystem;

std::optional<fs::path> suite_folder() {
    const char* given = std::getenv("VELLUM_SUITES");
    fs::path folder = (given ? fs::path{given} : fs::path{VELLUM_SOURCE_DIR} / "../shared/suites") / "sst286";
    return fs::exists(folder / "metadata.json") ? std::optional{folder} : std::nullopt;
}

constexpr u16 compared_flags = 0x0FFF;  // bits 12-15 read as 0 on a 286 in real mode

// The order of the format. A register's place in CpuState.
struct RegisterName {
    const char* name;
    enum { Gpr, Segment, Ip, Flags } kind;
    u8 number;
};
constexpr RegisterName register_names[] = {
    {"ax", RegisterName::Gpr, 0},     {"bx", RegisterName::Gpr, 3},      {"cx", RegisterName::Gpr, 1},
    {"dx", RegisterName::Gpr, 2},     {"cs", RegisterName::Segment, 1},  {"ss", RegisterName::Segment, 2},
    {"ds", RegisterName::Segment, 3}, {"es", RegisterName::Segment, 0},  {"sp", RegisterName::Gpr, 4},
    {"bp", RegisterName::Gpr, 5},     {"si", RegisterName::Gpr, 6},      {"di", RegisterName::Gpr, 7},
    {"ip", RegisterName::Ip, 0},      {"flags", RegisterName::Flags, 0},
};

u16 read_register(const CpuState& state, const RegisterName& r) {
    switch (r.kind) {
        case RegisterName::Gpr: return static_cast<u16>(state.gpr[r.number]);
        case RegisterName::Segment: return state.seg[r.number].selector;
        case RegisterName::Ip: return static_cast<u16>(state.eip);
        default: return static_cast<u16>(state.eflags);
    }
}

void write_register(CpuState& state, const RegisterName& r, u16 value) {
    switch (r.kind) {
        case RegisterName::Gpr: state.gpr[r.number] = value; break;
        case RegisterName::Segment:
            state.seg[r.number].selector = value;
            state.seg[r.number].base = u32{value} << 4;
            break;
        case RegisterName::Ip: state.eip = value; break;
        default: state.eflags = (value & compared_flags) | eflags::fixed;
    }
}

class SuiteMachine : public TestMachine {
 public:
    explicit SuiteMachine(const EngineFactory& make) : TestMachine{16u << 20, make} {}

    // An empty string when the machine did what the processor did.
    std::string differences(const MooTest& test, u16 flags_mask) {
        prepare(test);
        state.instruction_limit = state.instructions + most_instructions;
        engine->run();
        std::ostringstream out;
        if (state.activity != Activity::Halted) out << " did not halt;";
        compare_registers(test, flags_mask & compared_flags, out);
        compare_ram(test, flags_mask & compared_flags, out);
        for (auto [address, value] : test.initial.ram) poke_value<u8>(address, 0);
        for (auto [address, value] : test.final.ram) poke_value<u8>(address, 0);
        return out.str();
    }

 private:
    static constexpr u64 most_instructions = 70'000;  // a REP of 65,535 iterations and a few more

    void prepare(const MooTest& test) {
        reset(state);
        state.segment(Seg::Cs).base = 0;
        state.idtr = {0, 0x3FF};
        for (std::size_t i = 0; i < std::size(register_names); ++i)
            write_register(state, register_names[i], test.initial.registers[i].value_or(0));
        for (auto [address, value] : test.initial.ram) poke_value<u8>(address, value);
    }

    void compare_registers(const MooTest& test, u16 flags_mask, std::ostringstream& out) const {
        for (std::size_t i = 0; i < std::size(register_names); ++i) {
            const RegisterName& r = register_names[i];
            u16 mask = r.kind == RegisterName::Flags ? flags_mask : 0xFFFF;
            u16 before = test.initial.registers[i].value_or(0);
            u16 expected = test.final.registers[i].value_or(before) & mask, found = read_register(state, r) & mask;
            if (expected != found)
                out << fmt::format(" {} is {:04X}, was {:04X}, should be {:04X};", r.name, found, before, expected);
        }
    }

    void compare_ram(const MooTest& test, u16 flags_mask, std::ostringstream& out) const {
        // An exception pushed FLAGS, CS, IP. (EXCP names the even address below an odd one.)
        auto final = [&](u32 i) { return test.final.registers[i].value_or(test.initial.registers[i].value_or(0)); };
        constexpr u32 ss = 5, sp = 8;
        auto stack = [&](u32 above) { return (u32{final(ss)} << 4) + static_cast<u16>(final(sp) + above); };
        for (auto [address, value] : test.final.ram) {
            u8 mask = 0xFF;
            if (test.exception && address == stack(4)) mask = static_cast<u8>(flags_mask);
            if (test.exception && address == stack(5)) mask = static_cast<u8>(flags_mask >> 8);
            u8 found = peek<u8>(address);
            if ((found ^ value) & mask)
                out << fmt::format(" [{:06X}] is {:02X}, should be {:02X};", address, found, value);
        }
    }
};

constexpr u8 lock_prefix = 0xF0;

std::span<const u8> instruction_of(const MooTest& test) {
    constexpr u8 hlt_at_end = 1;
    return {test.bytes.data(), test.bytes.size() - hlt_at_end};
}

std::span<const u8> prefixes_of(const MooTest& test) {
    constexpr u8 prefixes[] = {0x26, 0x2E, 0x36, 0x3E, 0xF0, 0xF2, 0xF3};
    auto bytes = instruction_of(test);
    auto opcode =
        std::ranges::find_if(bytes, [&](u8 byte) { return std::ranges::find(prefixes, byte) == std::end(prefixes); });
    return {bytes.begin(), opcode};
}

// The 386 raises #UD for LOCK where it has no meaning, the 286 ignores it. Has the test such a one?
bool has_idle_lock(const MooTest& test, const Decoder& decoder) {
    Instruction in;
    return decoder.decode(instruction_of(test), false, in) == DecodeStatus::Undefined &&
           std::ranges::count(prefixes_of(test), lock_prefix) != 0;
}

// Overrides with the segment that the instruction uses anyhow.
u8 idle_override(const MooTest& test, const Decoder& decoder) {
    std::vector<u8> bytes;
    std::ranges::remove_copy(prefixes_of(test), std::back_inserter(bytes), lock_prefix);
    std::ranges::copy(instruction_of(test).subspan(prefixes_of(test).size()), std::back_inserter(bytes));
    Instruction in;
    Seg used = Seg::Ds;
    if (decoder.decode(bytes, false, in) == DecodeStatus::Ok)
        used = in.has_memory ? in.memory.segment : in.string_segment();
    constexpr u8 overrides[] = {0x26, 0x2E, 0x36, 0x3E, 0x64, 0x65};  // by segment
    return overrides[static_cast<u8>(used)];
}

// The same test with another prefix in the place of LOCK that means as little.
MooTest without_lock(MooTest test, const Decoder& decoder) {
    constexpr u32 cs = 4, ip = 12;
    u8 instead = idle_override(test, decoder);
    auto initial = [&](u32 i) { return test.initial.registers[i].value_or(0); };
    const u32 prefixes = static_cast<u32>(prefixes_of(test).size());
    for (u32 i = 0; i < prefixes; ++i) {
        if (test.bytes[i] != lock_prefix) continue;
        u32 at = (u32{initial(cs)} << 4) + static_cast<u16>(initial(ip) + i);
        for (auto* ram : {&test.initial.ram, &test.final.ram})
            for (auto& [address, value] : *ram)
                if (address == at) value = instead;
        test.bytes[i] = instead;
    }
    return test;
}

// Why a test does not hold for a 386 and later; null: it does.
const char* exclusion(const MooTest& test, const Decoder& decoder) {
    std::span<const u8> bytes = instruction_of(test);
    Instruction in;
    DecodeStatus status = decoder.decode(bytes, false, in);
    if (bytes.size() > 10 && test.exception) return "the 286 permits ten bytes, its successors fifteen";
    if (status != DecodeStatus::Ok) return nullptr;
    for (const Operand& operand : in.op)
        if (operand.kind == Operand::Kind::Segment && operand.reg > static_cast<u8>(Seg::Ds))
            return "the 286 has no FS and GS";
    if (test.exception != vector::gp) return nullptr;
    const InstructionRow* row = find_row(in);
    if (row && std::any_of(string_rows().begin(), string_rows().end(), [&](auto& r) { return &r == row; }))
        return "the 286 leaves SI, DI and CX advanced beyond the element that faulted, the 386 restores them";
    u8 opcode = in.opcode;
    bool pops = opcode == 0x07 || opcode == 0x17 || opcode == 0x1F || (opcode >= 0x58 && opcode <= 0x61) ||
                opcode == 0x8F || opcode == 0x9D || opcode == 0xC2 || opcode == 0xC3 || opcode == 0xC9 ||
                opcode == 0xCA || opcode == 0xCB || opcode == 0xCF;
    if (pops || (in.has_memory && in.memory.segment == Seg::Ss))
        return "an operand beyond the limit of SS is interrupt 13 on the 286, 12 on the 386";
    return nullptr;
}

// "F6.4" is opcode F6 with 4 in ModRM.reg; metadata has it as opcodes.F6.reg.4.
u16 mask_for(const std::map<std::string, u32>& masks, const std::string& form) {
    auto dot = form.find('.');
    std::string path = "opcodes." + (dot == form.npos ? form : form.substr(0, dot) + ".reg" + form.substr(dot));
    auto found = masks.find(path);
    return found == masks.end() ? 0xFFFF : static_cast<u16>(found->second);
}

}  // namespace

std::optional<Sst286Result> run_sst286(const EngineFactory& make) {
    auto folder = suite_folder();
    if (!folder) return std::nullopt;
    std::stringstream metadata;
    metadata << std::ifstream{*folder / "metadata.json"}.rdbuf();
    auto masks = numbers_in_json(metadata.str(), "flags-mask");
    SuiteMachine machine{make};
    Decoder decoder{HostFeatures{}};
    Sst286Result result;
    for (const auto& entry : fs::directory_iterator{*folder}) {
        std::string form = entry.path().filename().string();
        if (!form.ends_with(".MOO.gz")) continue;
        form.resize(form.size() - 7);
        u16 mask = mask_for(masks, form);
        for (MooTest& test : read_moo(entry.path())) {
            bool replaced = has_idle_lock(test, decoder);
            if (replaced) test = without_lock(std::move(test), decoder);
            result.with_other_prefix += replaced;
            if (const char* reason = exclusion(test, decoder)) {
                ++result.excluded[reason];
                continue;
            }
            ++result.tests;
            std::string differences = machine.differences(test, mask);
            if (!differences.empty())
                result.failures.push_back(fmt::format("{} #{} {}:{}", form, test.index, test.name, differences));
        }
    }
    std::sort(result.failures.begin(), result.failures.end());
    result.engine = machine.engine->statistics();
    return result;
}

}  // namespace vellum::test
