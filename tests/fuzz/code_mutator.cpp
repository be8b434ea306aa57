// Mutations for the fuzz target `code`: beside libFuzzer's own, whole instructions come, go and move, and the guest's
// tables are changed entry by entry. Random bytes are rarely an instruction that anybody can execute.
#include <random>

#include "code_input.hpp"
#include "code_machine.hpp"
#include "cpu/decoder.hpp"

using namespace vellum;
using namespace vellum::fuzz;

extern "C" std::size_t LLVMFuzzerMutate(u8* data, std::size_t size, std::size_t max_size);

namespace {

using L = CodeLayout;
using Bytes = std::vector<u8>;

// Instructions that change what other instructions mean. Where two bytes matter (a selector, a port, a vector), they
// are drawn.
constexpr u8 drawn = 0xEE;  // in a row: any byte, often a small one
struct Row {
    u8 length;
    u8 bytes[8];
};
constexpr Row system_rows[] = {
    {3, {0x0F, 0x20, drawn}},
    {3, {0x0F, 0x22, drawn}},
    {3, {0x0F, 0x21, drawn}},
    {3, {0x0F, 0x23, drawn}},  // MOV CR, DR
    {3, {0x0F, 0x01, drawn}},
    {3, {0x0F, 0x00, drawn}},  // LGDT to INVLPG; LLDT, LTR, VERR
    {2, {0x0F, 0x06}},
    {2, {0x0F, 0x09}},
    {2, {0x0F, 0x30}},
    {2, {0x0F, 0x31}},
    {2, {0x0F, 0x32}},
    {2, {0x0F, 0xA2}},
    {2, {0x0F, 0x34}},
    {2, {0x0F, 0x35}},
    {1, {0xFA}},
    {1, {0xFB}},
    {1, {0xF4}},
    {1, {0x9C}},
    {1, {0x9D}},
    {1, {0xCF}},
    {1, {0xCC}},
    {1, {0xCE}},
    {1, {0xF1}},
    {2, {0xCD, drawn}},
    {2, {0xE4, drawn}},
    {2, {0xE6, drawn}},
    {1, {0xEC}},
    {1, {0xEE}},
    {1, {0xEF}},
    {1, {0x6C}},
    {1, {0x6E}},
    {2, {0xF3, 0x6C}},
    {2, {0xF3, 0x6E}},
    {2, {0xF3, 0xA4}},
    {2, {0xF3, 0xA5}},
    {2, {0xF3, 0xAB}},
    {2, {0xF3, 0xA6}},
    {2, {0xF2, 0xAE}},
    {1, {0xFD}},
    {2, {0x8E, drawn}},
    {2, {0x8C, drawn}},
    {1, {0x1F}},
    {1, {0x07}},
    {1, {0x17}},
    {2, {0x0F, 0xA1}},
    {2, {0x0F, 0xA9}},
    {1, {0xC3}},
    {1, {0xCB}},
    {1, {0xC9}},
    {1, {0x60}},
    {1, {0x61}},
    {4, {0xC8, drawn, 0, drawn}},
    {2, {0xE2, drawn}},
    {2, {0x75, drawn}},
    {2, {0x72, drawn}},
    {2, {0xEB, drawn}},
    {2, {0x74, drawn}},
    {5, {0xE8, drawn, 0, 0, 0}},
    {3, {0xE8, drawn, 0}},
    {7, {0xEA, drawn, 0x10, 0, 0, drawn, 0}},
    {7, {0x9A, drawn, 0x10, 0, 0, drawn, 0}},
    {5, {0xEA, drawn, 0x10, drawn, 0}},
    {5, {0x9A, drawn, 0x10, drawn, 0}},
    {5, {0xB8, drawn, drawn, 0, 0}},
    {5, {0xB8, drawn, 0x10, 0, 0}},
    {5, {0xBF, drawn, 0x10, 0, 0}},
    {5, {0xBE, drawn, 0x50, 0, 0}},
    {5, {0xB9, drawn, 0, 0, 0}},
    {5, {0xBA, drawn, 0, 0, 0}},
    {3, {0xB8, drawn, drawn}},
    {2, {0xDB, 0xE3}},
    {2, {0x0F, 0x77}},
    {3, {0x0F, 0xAE, drawn}},
    {2, {0xD9, drawn}},
    {2, {0xDF, drawn}},
    {1, {0x9B}},
};

class CodeMutator {
 public:
    CodeMutator(CodeInput& input, u32 seed) : input_{input}, random_{seed} {}

    void mutate() {
        u32 what = below(10);
        if (what < 6)
            change_code();
        else if (what < 8)
            change_patches();
        else
            change_header();
    }

 private:
    u32 below(u32 n) { return static_cast<u32>(random_() % n); }
    u8 any() { return static_cast<u8>(random_()); }

    u8 draw() {
        constexpr u8 often[] = {0,    1,    2,    3,    0x08, 0x10, 0x18, 0x20, 0x28,
                                0x30, 0x40, 0x50, 0x58, 0x80, 0xC0, 0xF0, 0xFE};
        return below(2) ? often[below(std::size(often))] : any();
    }

    Bytes instruction() {
        constexpr u8 prefixes[] = {0x66, 0x67, 0xF2, 0xF3, 0x26, 0x2E, 0x36, 0x3E, 0x64, 0x65, 0xF0};
        for (;;) {
            Bytes bytes;
            while (below(6) == 0) bytes.push_back(prefixes[below(std::size(prefixes))]);
            if (below(3) == 0) {
                const Row& row = system_rows[below(std::size(system_rows))];
                for (u8 byte : std::span{row.bytes}.first(row.length)) bytes.push_back(byte == drawn ? draw() : byte);
            } else {
                if (below(3) == 0) bytes.push_back(0x0F);
                bytes.push_back(any());
                bytes.push_back(any());
            }
            while (bytes.size() < 15) bytes.push_back(draw());
            point_somewhere(bytes);
            Instruction in;
            if (decoder_.decode(bytes, input_.code32(), in) != DecodeStatus::Ok) continue;
            bytes.resize(in.length);
            return bytes;
        }
    }

    // Addresses of four bytes that nothing lies at are of little use.
    void point_somewhere(Bytes& bytes) {
        constexpr u32 places[] = {L::code,      L::data,      L::gdt,        L::idt,         L::tss,
                                  L::directory, L::low_table, L::high_table, L::high_linear, L::high_linear + 0x1FFC,
                                  L::stack_top, 0xA0000,      L::rom,        0xFFFFFFFC};
        Instruction in;
        if (below(4) == 0 || decoder_.decode(bytes, input_.code32(), in) != DecodeStatus::Ok) return;
        bool wide_displacement =
            in.has_memory && in.address_size == 4 && (in.modrm >> 6 == 2 || (in.modrm & 0xC7) == 5);
        if (!wide_displacement) return;
        u32 place = places[below(std::size(places))] + below(64);
        for (u32 at = 1; at + 4 <= in.length; ++at) {
            u32 value = 0;
            std::memcpy(&value, bytes.data() + at, 4);
            if (value != in.memory.displacement) continue;
            std::memcpy(bytes.data() + at, &place, 4);
            return;
        }
    }

    // Where instructions begin, and the end.
    std::vector<std::size_t> boundaries() {
        std::vector<std::size_t> starts{0};
        auto& code = input_.code;
        while (starts.back() < code.size()) {
            std::array<u8, 15> bytes{};
            std::size_t count = std::min<std::size_t>(15, code.size() - starts.back());
            std::copy_n(code.begin() + static_cast<std::ptrdiff_t>(starts.back()), count, bytes.begin());
            Instruction in;
            bool known = decoder_.decode(bytes, input_.code32(), in) == DecodeStatus::Ok;
            starts.push_back(std::min<std::size_t>(code.size(), starts.back() + (known ? in.length : 1)));
        }
        return starts;
    }

    void change_code() {
        auto starts = boundaries();
        auto& code = input_.code;
        auto at = [&](std::size_t i) { return code.begin() + static_cast<std::ptrdiff_t>(starts[i]); };
        std::size_t last = starts.size() - 1, i = below(static_cast<u32>(starts.size()));
        bool there_is_one = i < last;
        switch (below(6)) {
            case 0:
                if (there_is_one) code.erase(at(i), at(i + 1));
                return;
            case 1:
                if (there_is_one) {
                    Bytes copy(at(i), at(i + 1));
                    std::size_t where = below(static_cast<u32>(starts.size()));
                    code.insert(at(where), copy.begin(), copy.end());
                }
                return;
            case 2:
                if (there_is_one) {
                    auto after = code.erase(at(i), at(i + 1));
                    Bytes one = instruction();
                    code.insert(after, one.begin(), one.end());
                }
                return;
            default: {
                Bytes more;
                for (u32 n = 1 + below(3); n > 0; --n) {
                    Bytes one = instruction();
                    more.insert(more.end(), one.begin(), one.end());
                }
                code.insert(at(i), more.begin(), more.end());
            }
        }
    }

    void change_patches() {
        auto& patches = input_.patches;
        if (!patches.empty() && below(4) == 0) {
            patches.erase(patches.begin() + below(static_cast<u32>(patches.size())));
            return;
        }
        if (!patches.empty() && below(2)) {
            Bytes& bytes = patches[below(static_cast<u32>(patches.size()))].bytes;
            std::size_t size = bytes.size();
            bytes.resize(std::max<std::size_t>(size, 16));
            bytes.resize(LLVMFuzzerMutate(bytes.data(), size, bytes.size()));
            return;
        }
        if (patches.size() >= CodeInput::most_patches) return;
        CodePatch& patch = patches.emplace_back();
        patch.area = static_cast<PatchArea>(below(patch_areas));
        patch.slice = below(2) ? 0 : static_cast<u8>(below(code_slices));
        patch.offset = static_cast<u16>(below(2) ? below(32) * 8 : below(0x4000));
        patch.bytes.resize(below(3) ? 8 : 1 + below(4));
        for (u8& byte : patch.bytes) byte = draw();
    }

    void change_header() {
        auto* bytes = reinterpret_cast<u8*>(&input_.header);
        switch (below(3)) {
            case 0: bytes[below(8)] = any(); return;
            case 1: {
                constexpr u32 values[] = {0,
                                          1,
                                          L::data,
                                          L::data + 0xFFE,
                                          L::high_linear,
                                          L::high_linear + 0xFFC,
                                          L::code,
                                          L::stack_top,
                                          0x80000000,
                                          0xFFFFFFFF,
                                          0xFFFE,
                                          L::gdt,
                                          L::low_table,
                                          0xA0000};
                input_.header.gpr[below(8)] = values[below(std::size(values))] + below(4);
                return;
            }
            default: LLVMFuzzerMutate(bytes, sizeof input_.header, sizeof input_.header);
        }
    }

    CodeInput& input_;
    std::mt19937 random_;
    Decoder decoder_{host_features()};
};

}  // namespace

extern "C" std::size_t LLVMFuzzerCustomMutator(u8* data, std::size_t size, std::size_t max_size, unsigned seed) {
    if (seed % 4 == 0) return LLVMFuzzerMutate(data, size, max_size);
    CodeInput input = read_code_input({data, size});
    CodeMutator mutator{input, seed};
    do mutator.mutate();
    while (seed & 1 << 10 && (seed >>= 1) % 2);
    std::vector<u8> bytes = write_code_input(input);
    std::size_t count = std::min(bytes.size(), max_size);
    std::memcpy(data, bytes.data(), count);
    return count;
}
