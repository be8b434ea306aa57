// ACPI machine language: the few terms that the board's DSDT is made of (ACPI 2.0, chapter 17), and resource
// descriptors (6.4). Each function gives the bytes of one term; terms are put together by appending.
#pragma once

#include <initializer_list>
#include <span>
#include <string_view>
#include <vector>

#include "base/types.hpp"

namespace vellum::aml {

using Code = std::vector<u8>;

Code join(std::initializer_list<Code> parts);
Code little_endian(u64 value, std::size_t size);

Code path(std::string_view dotted);  // "_STA", "\\_SB.PCI0.ISA": names are filled up with '_' to four characters
Code integer(u32 value);
Code eisa_id(std::string_view id);  // "PNP0A03"
Code package(std::span<const Code> elements);
Code buffer(const Code& bytes);

Code name(std::string_view at, const Code& object);
Code scope(std::string_view at, const Code& body);
Code device(std::string_view at, const Code& body);
Code method(std::string_view at, u8 arguments, const Code& body);  // serialized
Code pci_config_bytes(std::string_view region, u8 offset, std::span<const std::string_view> fields);

Code local0();
Code argument0();
Code store(const Code& value, const Code& to);
Code bits_and(const Code& a, const Code& b, const Code& to);
Code bits_or(const Code& a, const Code& b, const Code& to);
Code no_target();
Code dword_field(const Code& of, u32 byte, std::string_view field);
Code when(const Code& condition, const Code& body);
Code give(const Code& value);  // Return

// Resources; a template ends with its end tag.
Code resources(std::initializer_list<Code> descriptors);
Code io(u16 first, u8 count);
Code irq(u8 line);
Code dma(u8 channel);
Code level_interrupts(std::initializer_list<u32> lines);  // shared, active high
constexpr u32 level_interrupt_at = 5;                     // of the first line in that descriptor
Code memory32(u32 base, u32 size);
Code bus_range(u8 first, u8 last);
Code io_range(u16 first, u16 last);
Code memory_range(u32 first, u32 last);

}  // namespace vellum::aml
