// A window that shows pictures, scaled to its size.
#pragma once

#include <SDL.h>

#include <memory>
#include <string>

#include "devices/picture.hpp"

namespace vellum {

enum class Scaling : u8 { Integer, Smooth };

struct Rectangle {
    i32 x, y, width, height;
    bool operator==(const Rectangle&) const = default;
};

// Where a picture goes in a window: as large as fits with its proportions, in the middle. Integer scaling takes the
// largest whole factor; a window smaller than the picture makes it smaller in either way.
Rectangle place_picture(u32 picture_width, u32 picture_height, i32 window_width, i32 window_height, Scaling scaling);

class SdlWindow {
 public:
    // Throws HostError when SDL cannot open a window.
    SdlWindow();

    // Takes a new picture and shows it. The window follows the picture's size until a person sets another one.
    void show(const Picture& picture);
    // Draws the last picture again (the window was uncovered or has another size).
    void redraw();
    void set_title(const std::string& title);
    void set_scaling(Scaling scaling);
    Scaling scaling() const { return scaling_; }
    void toggle_fullscreen();
    // While grabbed, the mouse gives movements without end and window managers' keys go to the guest.
    void grab(bool on);
    bool grabbed() const { return grabbed_; }

 private:
    struct Close {
        void operator()(SDL_Window* w) const { SDL_DestroyWindow(w); }
        void operator()(SDL_Renderer* r) const { SDL_DestroyRenderer(r); }
        void operator()(SDL_Texture* t) const { SDL_DestroyTexture(t); }
    };
    void follow_size(u32 width, u32 height);
    void keep_on_display();
    void make_texture();
    void upload(const Picture& picture);

    std::unique_ptr<SDL_Window, Close> window_;
    std::unique_ptr<SDL_Renderer, Close> renderer_;
    std::unique_ptr<SDL_Texture, Close> texture_;
    u32 width_ = 0, height_ = 0;                    // of the picture
    int followed_width_ = 0, followed_height_ = 0;  // the window size that we asked for last
    std::string title_;
    Scaling scaling_ = Scaling::Integer;
    bool grabbed_ = false;
};

}  // namespace vellum
