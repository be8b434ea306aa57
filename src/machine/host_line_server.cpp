// The control socket's clients: their lines in order, one at a time.
#include <algorithm>
#include <atomic>
#include <list>

#include "machine/client_socket.hpp"
#include "machine/endpoints.hpp"
#include "machine/host_process.hpp"
#include "machine/listener.hpp"

namespace vellum {

namespace {

constexpr std::size_t longest_line = 4096, most_clients = 8;

struct Client {
    explicit Client(Descriptor connection) : socket{std::move(connection)} {}

    ClientSocket socket;
    std::string text;                   // of which no line has been taken yet
    bool said_all = false;              // it sends no more, but may still read
    std::atomic<bool> waiting = false;  // for an answer

    // There is a line to carry out, and room for its answer.
    bool has_request() const { return !waiting && socket.has_room() && text.find('\n') != std::string::npos; }
    bool wants_input() const {
        return !waiting && !said_all && socket.has_room() && text.find('\n') == std::string::npos;
    }
    bool finished() const { return said_all && !waiting && socket.unsent() == 0 && !has_request(); }
    std::string line() const {
        std::string line = text.substr(0, text.find('\n'));
        if (!line.empty() && line.back() == '\r') line.pop_back();
        return line;
    }
    void take_line() { text.erase(0, text.find('\n') + 1); }
    // False: a line without an end.
    bool read_more() {
        u8 room[512];
        std::span<u8> bytes{room};
        ClientSocket::Came came = socket.receive(bytes);
        said_all = came == ClientSocket::Came::End;
        if (came == ClientSocket::Came::Bytes) text.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
        return text.size() <= longest_line || text.find('\n') != std::string::npos;
    }
};

}  // namespace

struct LineServer::Impl : std::enable_shared_from_this<LineServer::Impl> {
    Impl(const std::string& option, const std::string& path, EventLoop& event_loop, ClientPace& of_machine,
         FileAccess& file_access)
        : loop{event_loop}, pace{of_machine}, files{file_access}, listener{option, path} {}

    EventLoop& loop;
    ClientPace& pace;
    FileAccess& files;
    Listener listener;
    OnLine on_line;
    Overtakes overtakes;
    std::list<std::shared_ptr<Client>> clients;  // who was served last is the last; the loop's thread only

    bool may_overtake(const Client& client) const {
        return client.has_request() && overtakes && overtakes(client.line());
    }

    Interest interest() const {
        Interest interest = listener.interest();
        auto next = pace.next(ClientPace::Who::Script);
        for (auto& client : clients) {
            if (client->has_request() && next) interest.at = std::min(*next, interest.at.value_or(*next));
            if (may_overtake(*client)) interest.at = 0;
        }
        return interest;
    }

    bool look() {
        if (listener.closed()) return false;
        if (Descriptor connection = listener.accept()) let_in(std::move(connection));
        serve();
        return true;
    }

    void let_in(Descriptor connection) {
        auto client = std::make_shared<Client>(std::move(connection));
        if (clients.size() == most_clients) return client->socket.send("error: too many connections\n");
        clients.push_back(client);
        loop.watch(
            client->socket.number(), [self = shared_from_this(), client] { return self->look_at(client); },
            [client] {
                Interest interest = client->socket.interest(client->wants_input());
                if (client->finished()) interest.at = 0;
                return interest;
            });
    }

    bool look_at(const std::shared_ptr<Client>& client) {
        client->socket.flush();
        bool good = !client->wants_input() || client->read_more();
        serve();
        if (good && !client->finished()) return true;
        clients.remove(client);
        return false;
    }

    // What need not wait, and one request of the client that has waited for the longest.
    void serve() {
        for (auto& client : clients)
            if (may_overtake(*client)) ask(client);
        Nanoseconds now = host_monotonic_time();
        auto next = std::find_if(clients.begin(), clients.end(), [](auto& client) { return client->has_request(); });
        if (next == clients.end() || !pace.may_begin(ClientPace::Who::Script, now)) return;
        clients.splice(clients.end(), clients, next);
        pace.begin(ClientPace::Who::Script, now);
        ask(clients.back(), [this] { pace.end(host_monotonic_time()); });
    }

    void ask(const std::shared_ptr<Client>& client, const std::function<void()>& then = {}) {
        std::string line = client->line();
        client->take_line();
        client->waiting = true;
        on_line(std::move(line), [self = shared_from_this(), client, then](const std::string& answer) {
            client->socket.send(answer);
            client->waiting = false;
            if (then) then();
            self->loop.look_again();
        });
    }
};

LineServer::LineServer(const std::string& option, const std::string& path, EventLoop& loop, ClientPace& pace,
                       FileAccess& files, OnLine on_line, Overtakes overtakes)
    : impl_{std::make_shared<Impl>(option, path, loop, pace, files)} {
    impl_->on_line = std::move(on_line);
    impl_->overtakes = std::move(overtakes);
    loop.watch(
        impl_->listener.number(), [impl = impl_] { return impl->look(); }, [impl = impl_] { return impl->interest(); });
}

LineServer::~LineServer() { impl_->listener.close(impl_->files); }

}  // namespace vellum
