// Bytes to CodeInput and back.
#include "code_input.hpp"

namespace vellum::fuzz {

namespace {

constexpr u8 area_bits = 5;

}  // namespace

CodeInput read_code_input(std::span<const u8> bytes) {
    Input in{bytes.data(), bytes.size()};
    CodeInput input;
    auto header = in.bytes(sizeof input.header);
    if (!header.empty()) std::memcpy(&input.header, header.data(), header.size());
    u32 count = in.byte() & CodeInput::most_patches;
    for (u32 i = 0; i < count && !in.empty(); ++i) {
        CodePatch& patch = input.patches.emplace_back();
        u8 place = in.byte();
        patch.area = static_cast<PatchArea>((place & ((1 << area_bits) - 1)) % patch_areas);
        patch.slice = place >> area_bits;
        patch.offset = in.take<u16>();
        auto content = in.bytes(in.byte());
        patch.bytes.assign(content.begin(), content.end());
    }
    auto code = in.rest();
    input.code.assign(code.begin(), code.end());
    return input;
}

std::vector<u8> write_code_input(const CodeInput& input) {
    Output out;
    out.bytes({reinterpret_cast<const u8*>(&input.header), sizeof input.header});
    out.put(static_cast<u8>(input.patches.size()));
    for (const CodePatch& patch : input.patches) {
        out.put(static_cast<u8>(static_cast<u8>(patch.area) | patch.slice << area_bits));
        out.put(patch.offset).put(static_cast<u8>(patch.bytes.size())).bytes(patch.bytes);
    }
    return out.bytes(input.code).all();
}

}  // namespace vellum::fuzz
