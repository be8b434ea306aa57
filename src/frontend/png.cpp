// PNG by way of libpng's simplified interface.
#include "frontend/png.hpp"

#include <fmt/format.h>
#include <png.h>

#include "base/host_error.hpp"

namespace vellum {

std::string encode_png(const Picture& picture) {
    if (picture.width == 0 || picture.height == 0) throw HostError("there is no picture yet");
    std::vector<u8> bytes;
    bytes.reserve(picture.pixels.size() * 3);
    for (u32 pixel : picture.pixels)
        for (u32 shift : {16, 8, 0}) bytes.push_back(static_cast<u8>(pixel >> shift));
    png_image image{};
    image.version = PNG_IMAGE_VERSION;
    image.width = picture.width;
    image.height = picture.height;
    image.format = PNG_FORMAT_RGB;
    png_alloc_size_t size = PNG_IMAGE_PNG_SIZE_MAX(image);
    std::string file(size, '\0');
    const bool encoded = png_image_write_to_memory(&image, file.data(), &size, 0, bytes.data(), 0, nullptr);
    const std::string why = image.message;
    png_image_free(&image);
    if (!encoded) throw HostError(fmt::format("cannot make a PNG of the picture: {}", why));
    file.resize(size);
    return file;
}

Picture read_png(const std::string& path) {
    constexpr u32 most = 8192;
    png_image image{};
    image.version = PNG_IMAGE_VERSION;
    Picture picture;
    std::vector<u8> bytes;
    bool read = png_image_begin_read_from_file(&image, path.c_str());
    if (read && image.width <= most && image.height <= most) {
        image.format = PNG_FORMAT_RGB;
        bytes.resize(PNG_IMAGE_SIZE(image));
        picture.width = image.width;
        picture.height = image.height;
        read = png_image_finish_read(&image, nullptr, bytes.data(), 0, nullptr);
    }
    const std::string why = image.message;
    png_image_free(&image);
    if (!read) throw UsageError(fmt::format("{}: cannot read the picture: {}", path, why));
    if (picture.width == 0) throw UsageError(fmt::format("{}: the picture is larger than {}x{}", path, most, most));
    picture.pixels.reserve(bytes.size() / 3);
    for (std::size_t i = 0; i + 2 < bytes.size(); i += 3)
        picture.pixels.push_back(u32{bytes[i]} << 16 | u32{bytes[i + 1]} << 8 | bytes[i + 2]);
    return picture;
}

}  // namespace vellum
