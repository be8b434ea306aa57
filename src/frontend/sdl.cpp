// The window's event loop: sleeps until an event or the next frame, draws only new pictures.
#include "frontend/sdl.hpp"

#include <SDL.h>
#include <fmt/format.h>

#include <cstdlib>
#include <optional>

#include "base/host_error.hpp"
#include "frontend/sdl_input.hpp"
#include "frontend/sdl_window.hpp"
#include "frontend/status_text.hpp"

namespace vellum {

namespace {

constexpr u32 frame_milliseconds = 16;
constexpr u32 quiet_milliseconds = 33;  // between looks at a screen that has not changed for a while
constexpr u32 frames_until_quiet = 60;
constexpr u32 title_milliseconds = 500, notice_milliseconds = 4000;

bool names_something(const char* variable) {
    const char* value = std::getenv(variable);
    return value != nullptr && *value != '\0';
}

// The video drivers that a person could see something with. Left to itself, SDL would take over a console or draw into
// memory when there is no display. A choice in the environment stands.
std::string visible_drivers() {
    if (names_something("SDL_VIDEODRIVER")) return std::getenv("SDL_VIDEODRIVER");
    const bool x11 = names_something("DISPLAY"), wayland = names_something("WAYLAND_DISPLAY");
    return x11 && wayland ? "x11,wayland" : x11 ? "x11" : wayland ? "wayland" : "";
}

class SdlLibrary {
 public:
    SdlLibrary() {
        SDL_SetHint(SDL_HINT_NO_SIGNAL_HANDLERS, "1");
        SDL_SetHint(SDL_HINT_VIDEO_X11_NET_WM_BYPASS_COMPOSITOR, "0");
        const std::string drivers = visible_drivers();
        if (drivers.empty()) refuse("neither DISPLAY nor WAYLAND_DISPLAY is set");
        SDL_SetHint(SDL_HINT_VIDEODRIVER, drivers.c_str());
        // D-Bus can start programs, and nothing that SDL would ask of it is wanted here: whoever breaks out of a guest
        // must not find it open.
        setenv("DBUS_SESSION_BUS_ADDRESS", "disabled:", 1);
        if (SDL_Init(SDL_INIT_VIDEO) != 0) refuse(SDL_GetError());
        SDL_EnableScreenSaver();
    }
    ~SdlLibrary() {
        SDL_iconv_close(latin_);
        SDL_Quit();
    }
    SdlLibrary(const SdlLibrary&) = delete;
    SdlLibrary& operator=(const SdlLibrary&) = delete;

 private:
    // The text of keys is converted from this by glibc, which would open its converter's file for each key: it is
    // loaded from the start, and stays so.
    SDL_iconv_t latin_ = SDL_iconv_open("UTF-8", "ISO-8859-1");

    [[noreturn]] static void refuse(const char* why) {
        throw UsageError(
            fmt::format("--display sdl: no display can be opened ({}); use --display terminal or --display none", why));
    }
};

// One run of a machine in the window.
class Session {
 public:
    Session(SdlWindow& window, MachineControl& control) : window_{window}, control_{control}, input_{control} {}

    void run() {
        u32 next_frame = SDL_GetTicks();
        while (!control_.finished()) {
            const auto wait = static_cast<i32>(next_frame - SDL_GetTicks());
            SDL_Event event;
            if (SDL_WaitEventTimeout(&event, wait > 0 ? wait : 1)) do
                    handle(event);
                while (SDL_PollEvent(&event));
            input_.flush();
            if (static_cast<i32>(next_frame - SDL_GetTicks()) > 0) continue;
            frame();
            next_frame =
                SDL_GetTicks() + (unchanged_frames_ < frames_until_quiet ? frame_milliseconds : quiet_milliseconds);
        }
        window_.grab(false);
    }

 private:
    void frame() {
        if (control_.picture(picture_, generation_)) {
            unchanged_frames_ = 0;
            window_.show(picture_);
        } else {
            ++unchanged_frames_;
        }
        const u32 now = SDL_GetTicks();
        if (title_due_ && static_cast<i32>(now - *title_due_) < 0) return;
        title_due_ = now + title_milliseconds;
        update_title();
    }

    void update_title() {
        if (std::string message = control_.take_message(); !message.empty()) set_notice(std::move(message));
        std::string title = quitting_ ? "Vellum - ending" : status_text(control_.status());
        if (window_.grabbed()) title += " - Ctrl+Alt+G frees the mouse";
        if (!notice_.empty() && static_cast<i32>(SDL_GetTicks() - notice_until_) < 0) title += " - " + notice_;
        window_.set_title(title);
    }

    void set_notice(std::string text) {
        notice_ = std::move(text);
        notice_until_ = SDL_GetTicks() + notice_milliseconds;
    }

    void notice(std::string text) {
        set_notice(std::move(text));
        update_title();
    }

    void grab(bool on) {
        window_.grab(on);
        update_title();
    }

    void press(HotKey key) {
        switch (key) {
            case HotKey::None: break;
            case HotKey::ToggleGrab: grab(!window_.grabbed()); break;
            case HotKey::ToggleFullscreen: window_.toggle_fullscreen(); break;
            case HotKey::ToggleScaling: {
                const bool smooth = window_.scaling() == Scaling::Integer;
                window_.set_scaling(smooth ? Scaling::Smooth : Scaling::Integer);
                notice(smooth ? "smooth scaling" : "integer scaling");
                break;
            }
            case HotKey::Screenshot: control_.request_screenshot(); break;
            case HotKey::Save: control_.request_save(); break;
        }
    }

    void handle_window(const SDL_WindowEvent& event) {
        switch (event.event) {
            case SDL_WINDOWEVENT_FOCUS_LOST:
                input_.release_all();
                grab(false);
                break;
            case SDL_WINDOWEVENT_EXPOSED:
            case SDL_WINDOWEVENT_SIZE_CHANGED: window_.redraw(); break;
            default: break;
        }
    }

    void handle(const SDL_Event& event) {
        unchanged_frames_ = 0;
        switch (event.type) {
            case SDL_QUIT:
                quitting_ = true;
                control_.request_quit();
                update_title();
                break;
            case SDL_WINDOWEVENT: handle_window(event.window); break;
            case SDL_KEYDOWN:
            case SDL_KEYUP: press(input_.key(event.key)); break;
            case SDL_MOUSEMOTION:
                if (window_.grabbed()) input_.motion(event.motion.xrel, event.motion.yrel);
                break;
            case SDL_MOUSEBUTTONDOWN:
                // The click that catches the mouse is not the guest's.
                if (!window_.grabbed())
                    grab(true);
                else
                    input_.button(event.button.button, true);
                break;
            case SDL_MOUSEBUTTONUP: input_.button(event.button.button, false); break;
            case SDL_MOUSEWHEEL:
                if (window_.grabbed()) input_.wheel(event.wheel.y);
                break;
            default: break;
        }
    }

    SdlWindow& window_;
    MachineControl& control_;
    SdlInput input_;
    Picture picture_;
    u64 generation_ = ~u64{0};
    u32 unchanged_frames_ = 0;
    std::optional<u32> title_due_;
    std::string notice_;
    u32 notice_until_ = 0;
    bool quitting_ = false;
};

class SdlFrontend final : public Frontend {
 public:
    void run(MachineControl& control) override { Session{window_, control}.run(); }
    bool shows_speed() const override { return true; }

 private:
    SdlLibrary library_;
    SdlWindow window_;
};

}  // namespace

std::unique_ptr<Frontend> make_sdl_frontend() { return std::make_unique<SdlFrontend>(); }

}  // namespace vellum
