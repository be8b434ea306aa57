// The debugger's connection: who may have it, and what of it the machine is given when.
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <mutex>
#include <vector>

#include "machine/client_socket.hpp"
#include "machine/endpoints.hpp"
#include "machine/gdb_packet.hpp"
#include "machine/host_process.hpp"
#include "machine/listener.hpp"
#include "machine/peer_user.hpp"

namespace vellum {

namespace {

constexpr Nanoseconds longest_turn = 5 * millisecond;

struct Client {
    explicit Client(Descriptor connection) : socket{std::move(connection)} {}

    ClientSocket socket;
    std::atomic<bool> spoken = false;  // as debuggers do; before that, it is nobody
    bool left = false;                 // it is to be forgotten, once what it has said is done
    std::vector<u8> said;              // the vCPU thread's during a turn
    std::atomic<bool> in_turn = false;

    bool has_request() const { return !in_turn && !said.empty() && socket.has_room(); }
    bool wants_input() const { return !in_turn && !left && said.empty() && socket.has_room(); }
    bool finished() const { return left && !in_turn && said.empty(); }
    bool hangs_up() const {
        u8 byte;
        return recv(socket.number(), &byte, 1, MSG_PEEK | MSG_DONTWAIT) == 0;
    }
    void read_more() {
        std::array<u8, 4096> room;
        std::span<u8> bytes{room};
        ClientSocket::Came came = socket.receive(bytes);
        left = came == ClientSocket::Came::End;
        if (came == ClientSocket::Came::Bytes) said.assign(bytes.begin(), bytes.end());
    }
};

}  // namespace

struct GdbListener::Impl : std::enable_shared_from_this<GdbListener::Impl> {
    Impl(const GdbPlace& place, FileAccess& file_access)
        : files{file_access},
          listener{place.port ? Listener{place.port} : Listener{"--gdb", place.path}},
          users{listener.number()} {}

    FileAccess& files;
    Listener listener;
    PeerUsers users;
    EventLoop* loop = nullptr;  // this and the following from serve() on
    ClientPace* pace = nullptr;
    Events events;
    Nanoseconds accept_at = 0;  // when one who leaves has gone
    std::mutex mutex;           // of the pointer
    std::shared_ptr<Client> client;

    Interest interest() const {
        Interest interest = listener.interest();
        if (accept_at) {
            interest.input = false;
            interest.at = accept_at;
        }
        return interest;
    }

    bool look() {
        if (listener.closed()) return false;
        accept_at = 0;
        if (client && !client->spoken) look_at(client);
        if (client && client->spoken && client->hangs_up()) {
            accept_at = host_monotonic_time() + millisecond;  // GDB comes back at once
            return true;
        }
        Descriptor connection = listener.accept();
        if (!connection || (client && client->spoken) || !users.is_ours(connection.number())) return true;
        if (client) client->left = true;  // whoever says nothing keeps nobody out
        let_in(std::move(connection));
        return true;
    }

    void let_in(Descriptor connection) {
        auto newcomer = std::make_shared<Client>(std::move(connection));
        set_client(newcomer);
        loop->watch(
            newcomer->socket.number(), [self = shared_from_this(), newcomer] { return self->look_at(newcomer); },
            [self = shared_from_this(), newcomer] { return self->interest_in(*newcomer); });
    }

    void set_client(std::shared_ptr<Client> other) {
        std::lock_guard lock{mutex};
        client = std::move(other);
    }

    Interest interest_in(const Client& one) const {
        Interest interest = one.socket.interest(one.wants_input());
        if (one.has_request()) interest.at = pace->next(ClientPace::Who::Debugger);
        if (one.finished()) interest.at = 0;
        return interest;
    }

    bool look_at(const std::shared_ptr<Client>& one) {
        one->socket.flush();
        if (one->wants_input()) one->read_more();
        if (!one->spoken && !one->said.empty()) {
            // A browser can be made to send anything behind the first line of its request, but not in front of it.
            if (!begins_gdb_conversation(one->said.front())) return forget(one);
            one->spoken = true;
            events.connected();
        }
        take_turn(one);
        return !one->finished() || forget(one);
    }

    bool forget(const std::shared_ptr<Client>& one) {
        one->left = true;
        one->said.clear();
        if (one->spoken) events.disconnected();
        if (client == one) set_client(nullptr);
        return false;
    }

    void take_turn(const std::shared_ptr<Client>& one) {
        Nanoseconds now = host_monotonic_time();
        if (!one->has_request() || !pace->may_begin(ClientPace::Who::Debugger, now)) return;
        pace->begin(ClientPace::Who::Debugger, now);
        one->in_turn = true;
        events.received([self = shared_from_this(), one](const Take& take) {
            std::span<const u8> rest = one->said;
            Nanoseconds end = host_monotonic_time() + longest_turn;
            while (!rest.empty() && one->socket.has_room() && host_monotonic_time() < end)
                rest = rest.subspan(take(rest));
            one->said.erase(one->said.begin(), one->said.end() - static_cast<std::ptrdiff_t>(rest.size()));
            self->pace->end(host_monotonic_time());
            one->in_turn = false;
            self->loop->look_again();
        });
    }
};

GdbListener::GdbListener(const GdbPlace& place, FileAccess& files) : impl_{std::make_shared<Impl>(place, files)} {}

GdbListener::~GdbListener() { impl_->listener.close(impl_->files); }

void GdbListener::serve(EventLoop& loop, ClientPace& pace, Events events) {
    impl_->loop = &loop;
    impl_->pace = &pace;
    impl_->events = std::move(events);
    loop.watch(
        impl_->listener.number(), [impl = impl_] { return impl->look(); }, [impl = impl_] { return impl->interest(); });
}

void GdbListener::send(std::string_view bytes) {
    std::shared_ptr<Client> client;
    {
        std::lock_guard lock{impl_->mutex};
        client = impl_->client;
    }
    if (client && client->spoken) client->socket.send(bytes);
}

}  // namespace vellum
