// Which wishes a command line makes possible.
#include <algorithm>

#include "machine/file_access.hpp"

namespace vellum {

namespace {

// vellum-N.ENDING, as FreeName gives it.
bool is_free_name(std::string_view path, std::string_view ending) {
    constexpr std::string_view start = "vellum-";
    if (!path.starts_with(start) || !path.ends_with(ending)) return false;
    path.remove_prefix(start.size());
    if (path.size() <= ending.size()) return false;
    path.remove_suffix(ending.size());
    return path.size() <= 10 && std::all_of(path.begin(), path.end(), [](char c) { return c >= '0' && c <= '9'; });
}

}  // namespace

bool FilePolicy::permits(FileWish wish, const std::string& path) const {
    if (std::find(named.begin(), named.end(), std::pair{wish, path}) != named.end()) return true;
    switch (wish) {
        case FileWish::Cd:
        case FileWish::Floppy:
        case FileWish::FloppyToRead:
        case FileWish::Overlay: return control;
        case FileWish::Picture: return control || (hot_keys && is_free_name(path, ".png"));
        case FileWish::Snapshot: return control || (hot_keys && is_free_name(path, ".snapshot"));
        case FileWish::FreeName: return hot_keys && (path == "png" || path == "snapshot");
        case FileWish::CommitSnapshot:
        case FileWish::AbandonSnapshot: return true;  // of what was permitted
        case FileWish::Report:
        case FileWish::RemoveSocket: return false;
    }
    return false;
}

FilePolicy file_policy(const RunConfig& config) {
    FilePolicy policy;
    auto name = [&](FileWish wish, const std::string& path) {
        if (!path.empty()) policy.named.emplace_back(wish, path);
    };
    name(FileWish::Picture, config.screenshot);
    name(FileWish::Snapshot, config.save);
    name(FileWish::Report, config.stats);
    for (const Endpoint& line : config.machine.serial)
        if (line.kind == Endpoint::Kind::Unix) name(FileWish::RemoveSocket, line.path);
    if (config.control) name(FileWish::RemoveSocket, config.control->path);
    if (config.gdb) name(FileWish::RemoveSocket, config.gdb->path);
    policy.hot_keys = config.display == DisplayKind::Sdl || config.display == DisplayKind::Auto;
    policy.control = config.control.has_value();
    return policy;
}

}  // namespace vellum
