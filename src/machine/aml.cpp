// Encoding of terms and of resource descriptors.
#include "machine/aml.hpp"

#include "base/check.hpp"

namespace vellum::aml {

namespace {

enum : u8 {
    op_name = 0x08,
    op_byte = 0x0A,
    op_word = 0x0B,
    op_dword = 0x0C,
    op_scope = 0x10,
    op_buffer = 0x11,
    op_package = 0x12,
    op_method = 0x14,
    op_dual_name = 0x2E,
    op_multi_name = 0x2F,
    op_extended = 0x5B,
    op_local0 = 0x60,
    op_argument0 = 0x68,
    op_store = 0x70,
    op_and = 0x7B,
    op_or = 0x7D,
    op_dword_field = 0x8A,
    op_if = 0xA0,
    op_return = 0xA4
};
enum : u8 { extended_region = 0x80, extended_field = 0x81, extended_device = 0x82 };
constexpr u8 method_serialized = 0x08, region_pci_config = 2, field_byte_access = 1;

// The length counts its own bytes (17.2.4): one up to 63, else four bits in the first and eight in each after it.
Code with_length(const Code& body) {
    std::size_t extra = 0, length = body.size() + 1;
    while (length >= (extra ? std::size_t{1} << (4 + 8 * extra) : std::size_t{64})) ++extra, ++length;
    check(extra <= 3, "a term of AML has less than 256 MiB");
    Code code{static_cast<u8>(extra ? extra << 6 | (length & 15) : length)};
    for (std::size_t i = 0; i < extra; ++i) code.push_back(static_cast<u8>(length >> (4 + 8 * i)));
    return join({code, body});
}

Code segment(std::string_view text) {
    check(!text.empty() && text.size() <= 4, "a name in ACPI has up to four characters");
    Code code(text.begin(), text.end());
    code.resize(4, '_');
    return code;
}

Code word_range(u8 type, u8 flags, u16 first, u16 last) {
    return join({{0x88, 13, 0, type, 0x0C, flags},
                 little_endian(0, 2),
                 little_endian(first, 2),
                 little_endian(last, 2),
                 little_endian(0, 2),
                 little_endian(u64{last} - first + 1, 2)});
}

}  // namespace

Code join(std::initializer_list<Code> parts) {
    Code code;
    for (const Code& part : parts) code.insert(code.end(), part.begin(), part.end());
    return code;
}

Code little_endian(u64 value, std::size_t size) {
    Code code;
    for (std::size_t i = 0; i < size; ++i, value >>= 8) code.push_back(static_cast<u8>(value));
    return code;
}

Code path(std::string_view dotted) {
    Code code, segments;
    if (dotted.starts_with('\\')) code.push_back('\\'), dotted.remove_prefix(1);
    u8 count = 0;
    for (bool more = true; more; ++count) {
        std::size_t dot = dotted.find('.');
        segments = join({segments, segment(dotted.substr(0, dot))});
        more = dot != std::string_view::npos;
        if (more) dotted.remove_prefix(dot + 1);
    }
    if (count == 2) code.push_back(op_dual_name);
    if (count > 2) code.push_back(op_multi_name), code.push_back(count);
    return join({code, segments});
}

Code integer(u32 value) {
    if (value <= 1) return {static_cast<u8>(value)};
    if (value <= 0xFF) return {op_byte, static_cast<u8>(value)};
    if (value <= 0xFFFF) return join({{op_word}, little_endian(value, 2)});
    return join({{op_dword}, little_endian(value, 4)});
}

// Three letters of five bits and four hexadecimal digits, the high byte first.
Code eisa_id(std::string_view id) {
    check(id.size() == 7, "an EISA identifier has seven characters");
    u32 value = 0;
    for (char c : id.substr(0, 3)) value = value << 5 | static_cast<u32>(c - '@');
    for (char c : id.substr(3)) value = value << 4 | static_cast<u32>(c <= '9' ? c - '0' : c - 'A' + 10);
    return {op_dword, static_cast<u8>(value >> 24), static_cast<u8>(value >> 16), static_cast<u8>(value >> 8),
            static_cast<u8>(value)};
}

Code package(std::span<const Code> elements) {
    Code body{static_cast<u8>(elements.size())};
    for (const Code& element : elements) body = join({body, element});
    return join({{op_package}, with_length(body)});
}

Code buffer(const Code& bytes) {
    return join({{op_buffer}, with_length(join({integer(static_cast<u32>(bytes.size())), bytes}))});
}

Code name(std::string_view at, const Code& object) { return join({{op_name}, path(at), object}); }
Code scope(std::string_view at, const Code& body) { return join({{op_scope}, with_length(join({path(at), body}))}); }
Code device(std::string_view at, const Code& body) {
    return join({{op_extended, extended_device}, with_length(join({path(at), body}))});
}
Code method(std::string_view at, u8 arguments, const Code& body) {
    return join({{op_method}, with_length(join({path(at), {static_cast<u8>(arguments | method_serialized)}, body}))});
}

Code pci_config_bytes(std::string_view region, u8 offset, std::span<const std::string_view> fields) {
    Code elements;
    for (std::string_view field : fields) elements = join({elements, path(field), {8}});
    return join({{op_extended, extended_region},
                 path(region),
                 {region_pci_config},
                 integer(offset),
                 integer(static_cast<u32>(fields.size())),
                 {op_extended, extended_field},
                 with_length(join({path(region), {field_byte_access}, elements}))});
}

Code local0() { return {op_local0}; }
Code argument0() { return {op_argument0}; }
Code no_target() { return {0}; }
Code store(const Code& value, const Code& to) { return join({{op_store}, value, to}); }
Code bits_and(const Code& a, const Code& b, const Code& to) { return join({{op_and}, a, b, to}); }
Code bits_or(const Code& a, const Code& b, const Code& to) { return join({{op_or}, a, b, to}); }
Code dword_field(const Code& of, u32 byte, std::string_view field) {
    return join({{op_dword_field}, of, integer(byte), path(field)});
}
Code when(const Code& condition, const Code& body) { return join({{op_if}, with_length(join({condition, body}))}); }
Code give(const Code& value) { return join({{op_return}, value}); }

Code resources(std::initializer_list<Code> descriptors) { return buffer(join({join(descriptors), {0x79, 0}})); }
Code io(u16 first, u8 count) { return join({{0x47, 1}, little_endian(first, 2), little_endian(first, 2), {1, count}}); }
Code irq(u8 line) { return join({{0x22}, little_endian(u64{1} << line, 2)}); }
Code dma(u8 channel) { return {0x2A, static_cast<u8>(1u << channel), 0}; }

Code level_interrupts(std::initializer_list<u32> lines) {
    Code code = join({{0x89}, little_endian(2 + 4 * lines.size(), 2), {0x09, static_cast<u8>(lines.size())}});
    for (u32 line : lines) code = join({code, little_endian(line, 4)});
    return code;
}

Code memory32(u32 base, u32 size) { return join({{0x86, 9, 0, 1}, little_endian(base, 4), little_endian(size, 4)}); }
Code bus_range(u8 first, u8 last) { return word_range(2, 0, first, last); }
Code io_range(u16 first, u16 last) { return word_range(1, 3, first, last); }
Code memory_range(u32 first, u32 last) {
    return join({{0x87, 23, 0, 0, 0x0C, 1},
                 little_endian(0, 4),
                 little_endian(first, 4),
                 little_endian(last, 4),
                 little_endian(0, 4),
                 little_endian(u64{last} - first + 1, 4)});
}

}  // namespace vellum::aml
