// Moving bytes in and out of an archive.
#include "base/archive.hpp"

namespace vellum {

void Archive::transfer(void* data, std::size_t size) {
    if (mode_ == Mode::Save) {
        const auto* p = static_cast<const u8*>(data);
        bytes_.insert(bytes_.end(), p, p + size);
        return;
    }
    if (!ok_ || size > bytes_.size() - position_) {
        ok_ = false;
        return;
    }
    if (mode_ == Mode::Load)
        std::memcpy(data, bytes_.data() + position_, size);
    else if (std::memcmp(data, bytes_.data() + position_, size) != 0)
        ok_ = false;
    position_ += size;
}

void Archive::section(std::string_view name, u32 version) {
    u32 length = static_cast<u32>(name.size());
    (*this)(length);
    if (length != name.size()) {
        ok_ = false;
        return;
    }
    std::vector<u8> stored(name.begin(), name.end());
    raw(stored);
    u32 stored_version = version;
    (*this)(stored_version);
    const bool same_name = std::equal(stored.begin(), stored.end(), name.begin());
    if (!ok_ || (same_name && stored_version == version)) return;
    ok_ = false;
    if (same_name) other_version_ = {std::string{name}, stored_version, version};
}

}  // namespace vellum
