// Images as host files.
#include <unistd.h>

#include <catch2/catch.hpp>
#include <cstdio>
#include <filesystem>
#include <fstream>

#include "base/host_error.hpp"
#include "devices/block_backend.hpp"

using namespace vellum;

namespace {

struct TemporaryImage {
    std::string path;
    explicit TemporaryImage(u32 size) {
        std::string name = (std::filesystem::temp_directory_path() / "vellum-test-XXXXXX").string();
        int number = ::mkstemp(name.data());
        REQUIRE(number >= 0);
        ::close(number);
        path = name;
        std::ofstream out{path, std::ios::binary};
        for (u32 i = 0; i < size; ++i) out.put(static_cast<char>(i / 512));
    }
    ~TemporaryImage() { std::filesystem::remove(path); }
    std::vector<u8> contents() const {
        std::ifstream in{path, std::ios::binary};
        return {std::istreambuf_iterator<char>{in}, {}};
    }
};

std::string message(const ImageName& name, ImageAccess access, u32 granularity = 512) {
    try {
        open_image(name, access, granularity);
    } catch (const UsageError& error) {
        return error.what();
    }
    return "opened";
}

}  // namespace

TEST_CASE("image file: an image in a format of its own is refused and left as it is, unless it is called raw",
          "[devices][image]") {
    TemporaryImage file{4 * 512};
    std::ofstream{file.path, std::ios::binary | std::ios::in}.write("QFI\xFB", 4);
    auto before = file.contents();
    for (ImageAccess access : {ImageAccess::ReadOnly, ImageAccess::ReadWrite, ImageAccess::Snapshot})
        CHECK_THAT(message(file.path, access), Catch::Contains("qcow2") && Catch::Contains("raw:" + file.path));
    CHECK(file.contents() == before);
    CHECK(message(image_name("raw:" + file.path), ImageAccess::ReadWrite) == "opened");
}

TEST_CASE("image file: what is written is read back and stands in the file", "[devices][image]") {
    TemporaryImage file{64 * 512};
    {
        auto image = open_image(file.path, ImageAccess::ReadWrite, 512);
        CHECK(image->size() == 64 * 512);
        CHECK_FALSE(image->read_only());
        std::vector<u8> bytes(1000, 0xAB), back(1000);
        REQUIRE(image->write(700, bytes));
        REQUIRE(image->read(700, back));
        CHECK(back == bytes);
        CHECK(image->flush());
    }
    auto now = file.contents();
    CHECK(now[699] == 1);
    CHECK(now[700] == 0xAB);
    CHECK(now[1699] == 0xAB);
    CHECK(now[1700] == 3);
}

TEST_CASE("image file: a snapshot's writes are seen and forgotten", "[devices][image]") {
    TemporaryImage file{20 * 512};
    auto before = file.contents();
    {
        auto image = open_image(file.path, ImageAccess::Snapshot, 512);
        auto expected = before;
        auto write = [&](u64 at, std::size_t size, u8 value) {
            std::vector<u8> bytes(size, value);
            std::copy(bytes.begin(), bytes.end(), expected.begin() + static_cast<std::ptrdiff_t>(at));
            CHECK(image->write(at, bytes));
        };
        write(512, 512, 0x11);       // inside one block of the overlay
        write(4000, 200, 0x22);      // across two
        write(19 * 512, 512, 0x33);  // in the last, short one
        write(0, 4096, 0x44);        // a whole one
        std::vector<u8> all(before.size());
        REQUIRE(image->read(0, all));
        CHECK(all == expected);
    }
    CHECK(file.contents() == before);
}

TEST_CASE("image file: a read-only image refuses writes", "[devices][image]") {
    TemporaryImage file{512};
    auto image = open_image(file.path, ImageAccess::ReadOnly, 512);
    std::vector<u8> bytes(512);
    CHECK(image->read_only());
    CHECK_FALSE(image->write(0, bytes));
}

TEST_CASE("image file: unusable files are named with what to do", "[devices][image]") {
    TemporaryImage empty{0}, odd{700};
    CHECK_THAT(message(image_name("/nonexistent/disk.img"), ImageAccess::ReadOnly),
               Catch::Contains("/nonexistent/disk.img") && Catch::Contains("check the name"));
    CHECK_THAT(message(image_name("/"), ImageAccess::ReadOnly), Catch::Contains("not a file"));
    CHECK_THAT(message(empty.path, ImageAccess::ReadOnly), Catch::Contains("empty"));
    CHECK_THAT(message(odd.path, ImageAccess::ReadOnly), Catch::Contains("multiple of 512"));
}

TEST_CASE("image file: one writer excludes all others, readers share", "[devices][image]") {
    TemporaryImage file{512};
    {
        auto writer = open_image(file.path, ImageAccess::ReadWrite, 512);
        CHECK_THAT(message(file.path, ImageAccess::ReadWrite), Catch::Contains("in use"));
        CHECK_THAT(message(file.path, ImageAccess::Snapshot), Catch::Contains("in use"));
    }
    auto reader = open_image(file.path, ImageAccess::ReadOnly, 512);
    CHECK(message(file.path, ImageAccess::Snapshot) == "opened");
    CHECK_THAT(message(file.path, ImageAccess::ReadWrite), Catch::Contains("in use"));
}
