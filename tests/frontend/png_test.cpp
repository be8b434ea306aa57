// PNG files.
#include "frontend/png.hpp"

#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>

#include "base/host_error.hpp"

using namespace vellum;

namespace {

struct TemporaryFile {
    explicit TemporaryFile(const char* name) : path{(std::filesystem::temp_directory_path() / name).string()} {}
    ~TemporaryFile() { std::filesystem::remove(path); }
    std::string path;
};

}  // namespace

TEST_CASE("png: a picture written is the picture read") {
    const TemporaryFile file{"vellum-png-test-round.png"};
    Picture p{3, 2, {0x000000, 0xFFFFFF, 0x123456, 0xFF0000, 0x00FF00, 0x0000FF}};
    std::ofstream{file.path, std::ios::binary} << encode_png(p);
    const Picture read = read_png(file.path);
    REQUIRE(read.width == 3);
    REQUIRE(read.height == 2);
    REQUIRE(read.pixels == p.pixels);
}

TEST_CASE("png: trouble names the file") {
    REQUIRE_THROWS_AS(encode_png(Picture{}), HostError);
    REQUIRE_THROWS_AS(read_png("/no/such/folder/x.png"), UsageError);
}

TEST_CASE("png: a file that is no PNG is refused") {
    const TemporaryFile file{"vellum-png-test-bad.png"};
    std::ofstream{file.path} << "not a picture at all";
    REQUIRE_THROWS_AS(read_png(file.path), UsageError);
}
