// SDL's windows, renderers and textures.
#include "frontend/sdl_window.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstring>

#include "base/host_error.hpp"

namespace vellum {

namespace {

constexpr int start_width = 720, start_height = 400;
constexpr u32 small_picture = 400;  // narrower pictures start twice as large

template <typename T>
T* opened(T* part, const char* what) {
    if (part == nullptr) throw HostError(fmt::format("--display sdl: cannot make a {}: {}", what, SDL_GetError()));
    return part;
}

}  // namespace

Rectangle place_picture(u32 picture_width, u32 picture_height, i32 window_width, i32 window_height, Scaling scaling) {
    if (picture_width == 0 || picture_height == 0 || window_width <= 0 || window_height <= 0) return {0, 0, 0, 0};
    double factor = std::min(static_cast<double>(window_width) / picture_width,
                             static_cast<double>(window_height) / picture_height);
    if (scaling == Scaling::Integer && factor > 1) factor = std::floor(factor);
    const i32 width = std::max(1, static_cast<i32>(std::lround(picture_width * factor)));
    const i32 height = std::max(1, static_cast<i32>(std::lround(picture_height * factor)));
    return {(window_width - width) / 2, (window_height - height) / 2, width, height};
}

SdlWindow::SdlWindow() : followed_width_{start_width}, followed_height_{start_height} {
    window_.reset(opened(SDL_CreateWindow("Vellum", SDL_WINDOWPOS_UNDEFINED, SDL_WINDOWPOS_UNDEFINED, start_width,
                                          start_height, SDL_WINDOW_RESIZABLE),
                         "window"));
    // The invisible pointer of a grabbed mouse is made when it is first wanted, for which libXcursor reads the themes'
    // files: now, for later nothing can be opened.
    SDL_ShowCursor(SDL_DISABLE);
    SDL_ShowCursor(SDL_ENABLE);
    // A screen that changes little is cheapest to draw without starting up a GPU's driver; SDL_RENDER_DRIVER in the
    // environment chooses another renderer.
    const bool chosen = SDL_GetHint(SDL_HINT_RENDER_DRIVER) != nullptr;
    if (!chosen) SDL_SetHint(SDL_HINT_FRAMEBUFFER_ACCELERATION, "0");
    renderer_.reset(opened(SDL_CreateRenderer(window_.get(), -1, chosen ? 0 : SDL_RENDERER_SOFTWARE), "renderer"));
    redraw();
}

void SdlWindow::show(const Picture& picture) {
    if (picture.width == 0 || picture.height == 0) return;
    if (picture.width != width_ || picture.height != height_) {
        width_ = picture.width;
        height_ = picture.height;
        make_texture();
        follow_size(width_, height_);
    }
    upload(picture);
    redraw();
}

void SdlWindow::follow_size(u32 width, u32 height) {
    const Uint32 flags = SDL_GetWindowFlags(window_.get());
    int now_width = 0, now_height = 0;
    SDL_GetWindowSize(window_.get(), &now_width, &now_height);
    const bool persons_size = now_width != followed_width_ || now_height != followed_height_;
    if (persons_size || (flags & (SDL_WINDOW_FULLSCREEN | SDL_WINDOW_MAXIMIZED))) return;
    const int factor = width < small_picture ? 2 : 1;
    followed_width_ = static_cast<int>(std::max(width, 160u)) * factor;
    followed_height_ = static_cast<int>(std::max(height, 100u)) * factor;
    SDL_SetWindowSize(window_.get(), followed_width_, followed_height_);
    // A window manager may have given less.
    SDL_GetWindowSize(window_.get(), &followed_width_, &followed_height_);
    keep_on_display();
}

// A window that has grown must not reach out of its display.
void SdlWindow::keep_on_display() {
    SDL_Rect display{};
    if (SDL_GetDisplayUsableBounds(SDL_GetWindowDisplayIndex(window_.get()), &display) != 0) return;
    int x = 0, y = 0;
    SDL_GetWindowPosition(window_.get(), &x, &y);
    const int most_x = std::max(display.x, display.x + display.w - followed_width_);
    const int most_y = std::max(display.y, display.y + display.h - followed_height_);
    if (x > most_x || y > most_y) SDL_SetWindowPosition(window_.get(), std::min(x, most_x), std::min(y, most_y));
}

void SdlWindow::make_texture() {
    texture_.reset();
    texture_.reset(opened(SDL_CreateTexture(renderer_.get(), SDL_PIXELFORMAT_RGB888, SDL_TEXTUREACCESS_STREAMING,
                                            static_cast<int>(width_), static_cast<int>(height_)),
                          "texture"));
    SDL_SetTextureScaleMode(texture_.get(), scaling_ == Scaling::Smooth ? SDL_ScaleModeLinear : SDL_ScaleModeNearest);
}

void SdlWindow::upload(const Picture& picture) {
    void* pixels = nullptr;
    int pitch = 0;
    if (SDL_LockTexture(texture_.get(), nullptr, &pixels, &pitch) != 0) return;
    for (u32 y = 0; y < height_; ++y)
        std::memcpy(static_cast<u8*>(pixels) + std::size_t{y} * static_cast<u32>(pitch),
                    &picture.pixels[std::size_t{y} * width_], std::size_t{width_} * 4);
    SDL_UnlockTexture(texture_.get());
}

void SdlWindow::redraw() {
    SDL_SetRenderDrawColor(renderer_.get(), 0, 0, 0, 255);
    SDL_RenderClear(renderer_.get());
    if (texture_) {
        int width = 0, height = 0;
        SDL_GetRendererOutputSize(renderer_.get(), &width, &height);
        const Rectangle place = place_picture(width_, height_, width, height, scaling_);
        const SDL_Rect to{place.x, place.y, place.width, place.height};
        SDL_RenderCopy(renderer_.get(), texture_.get(), nullptr, &to);
    }
    SDL_RenderPresent(renderer_.get());
}

void SdlWindow::set_title(const std::string& title) {
    if (title == title_) return;
    title_ = title;
    SDL_SetWindowTitle(window_.get(), title.c_str());
}

void SdlWindow::set_scaling(Scaling scaling) {
    scaling_ = scaling;
    if (texture_)
        SDL_SetTextureScaleMode(texture_.get(),
                                scaling == Scaling::Smooth ? SDL_ScaleModeLinear : SDL_ScaleModeNearest);
    redraw();
}

void SdlWindow::toggle_fullscreen() {
    const bool full = SDL_GetWindowFlags(window_.get()) & SDL_WINDOW_FULLSCREEN;
    SDL_SetWindowFullscreen(window_.get(), full ? 0 : SDL_WINDOW_FULLSCREEN_DESKTOP);
    redraw();
}

void SdlWindow::grab(bool on) {
    if (on == grabbed_) return;
    grabbed_ = on;
    SDL_SetRelativeMouseMode(on ? SDL_TRUE : SDL_FALSE);
    SDL_SetWindowKeyboardGrab(window_.get(), on ? SDL_TRUE : SDL_FALSE);
}

}  // namespace vellum
