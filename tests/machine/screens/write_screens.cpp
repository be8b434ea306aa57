// Writes the reference pictures of tests/machine/screens_test.cpp: write_screens DIRECTORY. Wanted only after a pattern
// of roms/screens.S has changed.
#include <fmt/format.h>

#include <exception>
#include <fstream>

#include "frontend/png.hpp"
#include "machine/firmware.hpp"
#include "machine/screens_expected.hpp"

namespace {

void write_png(const std::string& path, const vellum::Picture& picture) {
    std::ofstream{path, std::ios::binary} << vellum::encode_png(picture);
}

}  // namespace

int main(int count, char** words) {
    using namespace vellum;
    if (count != 2) {
        fmt::print(stderr, "usage: write_screens DIRECTORY\n");
        return 2;
    }
    try {
        const std::string directory = words[1];
        const Firmware firmware = load_firmware({});
        write_png(directory + "/text.png", expected_text(find_font(firmware.vga_bios), true));
        write_png(directory + "/mode12h.png", expected_mode12h());
        write_png(directory + "/mode13h.png", expected_mode13h());
        write_png(directory + "/vbe.png", expected_vbe());
    } catch (const std::exception& trouble) {
        fmt::print(stderr, "write_screens: {}\n", trouble.what());
        return 10;
    }
    return 0;
}
