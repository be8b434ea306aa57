// EventLoop with poll and an eventfd.
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <atomic>
#include <map>
#include <mutex>
#include <thread>
#include <vector>

#include "base/host_error.hpp"
#include "machine/event_loop.hpp"

namespace vellum {

struct EventLoop::Impl {
    int wake = -1;
    std::atomic<bool> stopping = false;
    std::mutex mutex;
    struct Watch {
        std::function<bool()> ready, wanted;
    };
    std::map<int, Watch> watched;
    std::thread thread;

    void poke() const {
        u64 one = 1;
        [[maybe_unused]] auto written = write(wake, &one, sizeof one);
    }

    std::vector<pollfd> descriptors() {
        std::lock_guard lock{mutex};
        std::vector<pollfd> list{{wake, POLLIN, 0}};
        for (auto& [descriptor, watch] : watched)
            if (!watch.wanted || watch.wanted()) list.push_back({descriptor, POLLIN, 0});
        return list;
    }

    void handle(int descriptor) {
        std::function<bool()> ready;
        {
            std::lock_guard lock{mutex};
            auto at = watched.find(descriptor);
            if (at == watched.end()) return;
            ready = at->second.ready;
        }
        if (ready()) return;
        std::lock_guard lock{mutex};
        watched.erase(descriptor);
    }

    void run() {
        for (;;) {
            auto list = descriptors();
            if (stopping) return;
            poll(list.data(), list.size(), -1);
            if (list[0].revents) {
                u64 count;
                [[maybe_unused]] auto got = read(wake, &count, sizeof count);
            }
            for (std::size_t i = 1; i < list.size(); ++i)
                if (list[i].revents) handle(list[i].fd);
        }
    }
};

EventLoop::EventLoop() : impl_{std::make_unique<Impl>()} {
    impl_->wake = eventfd(0, EFD_CLOEXEC);
    if (impl_->wake < 0) throw HostError("cannot make an event descriptor");
    impl_->thread = std::thread{[this] { impl_->run(); }};
}

EventLoop::~EventLoop() {
    {
        std::lock_guard lock{impl_->mutex};
        impl_->stopping = true;
    }
    impl_->poke();
    impl_->thread.join();
    close(impl_->wake);
}

void EventLoop::watch(int descriptor, std::function<bool()> ready, std::function<bool()> wanted) {
    {
        std::lock_guard lock{impl_->mutex};
        impl_->watched[descriptor] = {std::move(ready), std::move(wanted)};
    }
    impl_->poke();
}

void EventLoop::look_again() { impl_->poke(); }

}  // namespace vellum
