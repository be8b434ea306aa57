// The options of our own that every target understands, before libFuzzer sees its own.
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <set>
#include <string_view>

#include "target.hpp"

using namespace vellum::fuzz;

namespace {

void write_seeds(const std::filesystem::path& folder) {
    std::filesystem::create_directories(folder);
    std::set<std::string> names;
    for (const Seed& seed : seeds()) {
        if (!names.insert(seed.name).second || seed.reason.empty()) {
            std::fprintf(stderr, "seed %s: there are two of that name, or it has no reason\n", seed.name.c_str());
            std::exit(1);
        }
        std::ofstream file{folder / seed.name, std::ios::binary};
        file.write(reinterpret_cast<const char*>(seed.bytes.data()), static_cast<std::streamsize>(seed.bytes.size()));
    }
}

}  // namespace

// TARGET --write-seeds FOLDER
extern "C" int LLVMFuzzerInitialize(int* count, char*** words) {
    if (*count != 3 || std::string_view{(*words)[1]} != "--write-seeds") return 0;
    write_seeds((*words)[2]);
    std::exit(0);
}
