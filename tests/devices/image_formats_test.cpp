// Formats by their magic numbers, as tools of others write them.
#include "devices/image_formats.hpp"

#include <catch2/catch.hpp>

#include <vector>

using namespace vellum;

namespace {

std::string format_of(const std::vector<u8>& file) {
    std::span<const u8> all{file};
    auto format =
        recognised_format(all.first(std::min(all.size(), format_head)), all.last(std::min(all.size(), format_tail)));
    return std::string{format.value_or("raw")};
}

std::vector<u8> with(std::size_t at, std::string_view bytes, std::size_t size = 8192) {
    std::vector<u8> file(size);
    std::copy(bytes.begin(), bytes.end(), file.begin() + static_cast<std::ptrdiff_t>(at));
    return file;
}

}  // namespace

TEST_CASE("image formats: containers of other machines are told from raw images", "[devices][image]") {
    using namespace std::string_view_literals;
    CHECK(format_of(with(0, "QFI\xFB\0\0\0\3"sv)) == "a qcow2 image");
    CHECK(format_of(with(0, "KDMV\1\0\0\0"sv)) == "a VMDK image");
    CHECK(format_of(with(0, "# Disk DescriptorFile\nversion=1\n", 400)) == "the description of a VMDK image");
    CHECK(format_of(with(0, "<<< Oracle VM VirtualBox Disk Image >>>\n")) == "raw");  // the text may be any
    CHECK(format_of(with(64, "\x7F\x10\xDA\xBE"sv)) == "a VDI image");
    CHECK(format_of(with(0, "conectix\0\0\0\2"sv)) == "a VHD image");
    CHECK(format_of(with(8192 - 512, "conectix\0\0\0\2"sv)) == "a VHD image");
    CHECK(format_of(with(8192 - 511, "conectix\0\0\0\2"sv)) == "a VHD image");
    CHECK(format_of(with(0, "vhdxfile")) == "a VHDX image");
    CHECK(format_of(with(0, "\0\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\0\0\2\0\1"sv)) ==
          "a CD image of whole sectors (2352 bytes)");
    CHECK(format_of(with(0, "FILE \"game.bin\" BINARY\r\n", 60)) == "the description of a CD image (CUE)");
    CHECK(format_of(with(8192 - 12, "NER5")) == "an NRG image");
}

TEST_CASE("image formats: disks that a machine starts from are raw", "[devices][image]") {
    using namespace std::string_view_literals;
    CHECK(format_of(std::vector<u8>(8192)) == "raw");
    CHECK(format_of({}) == "raw");
    CHECK(format_of({0}) == "raw");
    CHECK(format_of(with(0, "\xEB\x3C\x90MSDOS5.0"sv)) == "raw");
    CHECK(format_of(with(4096, "QFI\xFB"sv)) == "raw");
    CHECK(format_of(with(0x8001, "CD001", 0x9000)) == "raw");
}

TEST_CASE("image formats: a name says by raw: that the file is to be taken as it is", "[devices][image]") {
    CHECK(image_name("disk.img").path == "disk.img");
    CHECK_FALSE(image_name("disk.img").raw);
    CHECK(image_name("raw:disk.img").path == "disk.img");
    CHECK(image_name("raw:disk.img").raw);
    CHECK(image_name("raw:").path == "raw:");
}
