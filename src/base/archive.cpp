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

u32 Archive::section(std::string_view name, u32 version, u32 oldest) {
    u32 length = static_cast<u32>(name.size());
    (*this)(length);
    if (length != name.size()) {
        ok_ = false;
        return version;
    }
    std::vector<u8> stored(name.begin(), name.end());
    raw(stored);
    if (!std::equal(stored.begin(), stored.end(), name.begin())) ok_ = false;
    u32 stored_version = version;
    (*this)(stored_version);
    if (!ok_ || (stored_version >= oldest && stored_version <= version)) return stored_version;
    ok_ = false;
    other_version_ = {std::string{name}, stored_version, version};
    return stored_version;
}

}  // namespace vellum
