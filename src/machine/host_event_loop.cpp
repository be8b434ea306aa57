// EventLoop with ppoll and an eventfd.
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <ctime>
#include <map>
#include <mutex>
#include <thread>
#include <vector>

#include "base/host_error.hpp"
#include "machine/event_loop.hpp"
#include "machine/host_process.hpp"

namespace vellum {

struct EventLoop::Impl {
    int wake = -1;
    std::atomic<bool> stopping = false;
    std::mutex mutex;
    struct Watch {
        std::function<bool()> ready;
        std::function<Interest()> interest;
    };
    std::map<int, Watch> watched;
    std::thread thread;

    void poke() const {
        u64 one = 1;
        [[maybe_unused]] auto written = write(wake, &one, sizeof one);
    }

    struct Round {
        std::vector<pollfd> list;
        std::vector<std::optional<Nanoseconds>> at;  // of each
        std::optional<Nanoseconds> end;
    };

    Round next_round() {
        std::lock_guard lock{mutex};
        Round round{{{wake, POLLIN, 0}}, {std::nullopt}, {}};
        for (auto& [descriptor, watch] : watched) {
            Interest interest = watch.interest ? watch.interest() : Interest{};
            bool waits = interest.input || interest.output;
            if (!waits && !interest.at) continue;
            auto events = static_cast<short>((interest.input ? POLLIN : 0) | (interest.output ? POLLOUT : 0));
            round.list.push_back({waits ? descriptor : ~descriptor, events, 0});  // poll passes over negative ones
            round.at.push_back(interest.at);
            if (interest.at) round.end = std::min(round.end.value_or(*interest.at), *interest.at);
        }
        return round;
    }

    static void wait(Round& round, bool endlessly) {
        timespec span{};
        if (round.end) {
            Nanoseconds now = host_monotonic_time();
            Nanoseconds left = *round.end > now ? *round.end - now : 0;
            span = {static_cast<time_t>(left / second), static_cast<long>(left % second)};
        }
        // Interrupted or out of memory: nothing has come, and what poll left in the list says nothing.
        bool ends = round.end || !endlessly;
        if (ppoll(round.list.data(), round.list.size(), ends ? &span : nullptr, nullptr) < 0)
            for (pollfd& one : round.list) one.revents = 0;
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

    void hand_over(const Round& round) {
        if (round.list[0].revents) {
            u64 count;
            [[maybe_unused]] auto got = read(wake, &count, sizeof count);
        }
        Nanoseconds now = round.end ? host_monotonic_time() : 0;
        for (std::size_t i = 1; i < round.list.size(); ++i) {
            int number = round.list[i].fd;
            if (round.list[i].revents || (round.at[i] && *round.at[i] <= now)) handle(number < 0 ? ~number : number);
        }
    }

    void turn(bool endlessly) {
        Round round = next_round();
        if (stopping) return;
        wait(round, endlessly);
        hand_over(round);
    }
};

EventLoop::EventLoop(ByHand) : impl_{std::make_unique<Impl>()} {
    impl_->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (impl_->wake < 0) throw HostError("cannot make an event descriptor");
}

EventLoop::EventLoop() : EventLoop{ByHand{}} {
    impl_->thread = std::thread{[this] {
        while (!impl_->stopping) impl_->turn(true);
    }};
}

EventLoop::~EventLoop() {
    {
        std::lock_guard lock{impl_->mutex};
        impl_->stopping = true;
    }
    impl_->poke();
    if (impl_->thread.joinable()) impl_->thread.join();
    close(impl_->wake);
}

void EventLoop::watch(int descriptor, std::function<bool()> ready, std::function<Interest()> interest) {
    {
        std::lock_guard lock{impl_->mutex};
        impl_->watched[descriptor] = {std::move(ready), std::move(interest)};
    }
    impl_->poke();
}

void EventLoop::turn() { impl_->turn(false); }

void EventLoop::look_again() { impl_->poke(); }

}  // namespace vellum
