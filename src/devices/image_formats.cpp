// The magic numbers.
#include "devices/image_formats.hpp"

#include <algorithm>

namespace vellum {

namespace {

using namespace std::string_view_literals;

struct Magic {
    std::size_t at;  // from the beginning, or from the end back
    std::string_view bytes;
    std::string_view name;
};

constexpr Magic at_beginning[] = {
    {0, "QFI\xFB"sv, "a qcow2 image"},
    {0, "QED\0"sv, "a QED image"},
    {0, "KDMV"sv, "a VMDK image"},
    {0, "COWD"sv, "a VMDK image"},
    {0, "# Disk DescriptorFile"sv, "the description of a VMDK image"},
    {64, "\x7F\x10\xDA\xBE"sv, "a VDI image"},
    {0, "conectix"sv, "a VHD image"},
    {0, "vhdxfile"sv, "a VHDX image"},
    {0, "WithoutFreeSpace"sv, "a Parallels image"},
    {0, "WithouFreSpacExt"sv, "a Parallels image"},
    {0, "Bochs Virtual HD Image"sv, "a Bochs image"},
    {0, "#!/bin/sh\n#V2.0 Format"sv, "a cloop image"},
    {0, "MComprHD"sv, "a CHD image"},
    {0, "\0\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\0"sv, "a CD image of whole sectors (2352 bytes)"},
    {0, "CISO"sv, "a CSO image"},
    {0, "ECM\0"sv, "an ECM image"},
    {0, "MEDIA DESCRIPTOR"sv, "the description of a CD image (MDS)"},
    {0, "[CloneCD]"sv, "the description of a CD image (CCD)"},
    {0, "CD_ROM"sv, "the description of a CD image (TOC)"},
    {0, "CD_DA"sv, "the description of a CD image (TOC)"},
    {0, "FILE \""sv, "the description of a CD image (CUE)"},
    {0, "REM "sv, "the description of a CD image (CUE)"},
    {0, "CATALOG "sv, "the description of a CD image (CUE)"},
    {0, "IMD "sv, "an ImageDisk image"},
    {0, "HXCPICFE"sv, "an HFE image"},
    {0, "86BF"sv, "an 86F image"},
    {0, "TD\0"sv, "a TeleDisk image"},
    {0, "td\0"sv, "a TeleDisk image"},
};
// A fixed VHD is a raw image with a footer, of 511 bytes when old software wrote it.
constexpr Magic before_end[] = {
    {512, "conectix"sv, "a VHD image"}, {511, "conectix"sv, "a VHD image"}, {512, "koly"sv, "a DMG image"},
    {12, "NER5"sv, "an NRG image"},     {8, "NERO"sv, "an NRG image"},
};

bool stands_at(std::span<const u8> bytes, std::size_t at, std::string_view magic) {
    if (at > bytes.size() || magic.size() > bytes.size() - at) return false;
    return std::equal(magic.begin(), magic.end(), bytes.begin() + static_cast<std::ptrdiff_t>(at),
                      [](char wanted, u8 found) { return static_cast<u8>(wanted) == found; });
}

}  // namespace

ImageName image_name(std::string_view text) {
    constexpr std::string_view raw = "raw:";
    bool is_raw = text.starts_with(raw) && text.size() > raw.size();
    return {std::string{is_raw ? text.substr(raw.size()) : text}, is_raw};
}

std::optional<std::string_view> recognised_format(std::span<const u8> head, std::span<const u8> tail) {
    for (const Magic& magic : at_beginning)
        if (stands_at(head, magic.at, magic.bytes)) return magic.name;
    for (const Magic& magic : before_end)
        if (magic.at <= tail.size() && stands_at(tail, tail.size() - magic.at, magic.bytes)) return magic.name;
    return std::nullopt;
}

}  // namespace vellum
