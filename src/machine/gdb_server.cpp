// The packets that a stock GDB sends. What is not known gets an empty reply, as the protocol has it.
#include "machine/gdb_server.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "machine/gdb_registers.hpp"

namespace vellum {

namespace {

constexpr const char* ok = "OK";
constexpr const char* bad_argument = "E22";   // EINVAL
constexpr const char* bad_address = "E14";    // EFAULT
constexpr const char* not_permitted = "E01";  // EPERM
constexpr const char* unknown = "";
// Signals as GDB numbers them.
constexpr u32 signal_int = 2, signal_trap = 5, signal_abort = 6;
// The one thread. Thread 0 would mean "any".
constexpr const char* thread = "01";
constexpr u32 most_bytes = GdbReader::longest_packet / 2 - 16;

// Splits at the first `at`; the second part is empty when there is none.
std::pair<std::string_view, std::string_view> split(std::string_view text, char at) {
    std::size_t found = text.find(at);
    if (found == std::string_view::npos) return {text, {}};
    return {text.substr(0, found), text.substr(found + 1)};
}

struct Range {
    u32 address, length;
};

// "ADDRESS,LENGTH". GDB writes addresses of a 32-bit program with up to 16 digits, extended by their sign.
std::optional<Range> parse_range(std::string_view text) {
    auto [first, second] = split(text, ',');
    auto address = parse_hex_number(first), length = parse_hex_number(second);
    if (!address || !length || *length >> 32) return std::nullopt;
    return Range{static_cast<u32>(*address), static_cast<u32>(*length)};
}

bool take_prefix(std::string_view& text, std::string_view prefix) {
    if (!text.starts_with(prefix)) return false;
    text.remove_prefix(prefix.size());
    return true;
}

}  // namespace

// --- the conversation

void GdbServer::connected() {
    attached_ = true;
    acknowledge_ = true;
    stop_acknowledging_ = false;
    tells_break_kinds_ = false;
    reader_ = {};
    run_ = Run::Halted;
    last_stop_ = fmt::format("T{:02x}thread:{};", signal_trap, thread);
    target_.show_shutdowns(true);
    actions_.halt();
}

void GdbServer::disconnected() {
    if (!attached_) return;
    attached_ = false;
    detach();
}

void GdbServer::receive(std::span<const u8> bytes) {
    while (!bytes.empty()) bytes = bytes.subspan(receive_next(bytes));
}

std::size_t GdbServer::receive_next(std::span<const u8> bytes) {
    for (std::size_t i = 0; i < bytes.size(); ++i)
        if (auto event = reader_.take(bytes[i])) {
            handle(*event);
            return i + 1;
        }
    return bytes.size();
}

void GdbServer::handle(const GdbEvent& event) {
    switch (event.kind) {
        case GdbEvent::Kind::Packet:
            if (acknowledge_) actions_.send("+");
            handle(event.payload);
            break;
        case GdbEvent::Kind::Damaged:
            if (acknowledge_) actions_.send("-");
            break;
        case GdbEvent::Kind::Interrupt: interrupt(); break;
        case GdbEvent::Kind::NotUnderstood:
            if (acknowledge_ && !last_frame_.empty()) actions_.send(last_frame_);
            break;
        case GdbEvent::Kind::Acknowledged: break;
    }
}

void GdbServer::reply(std::string_view payload) {
    last_frame_ = frame_gdb_packet(payload);
    actions_.send(last_frame_);
    if (stop_acknowledging_) acknowledge_ = false;
}

void GdbServer::handle(std::string_view packet) {
    if (packet.empty()) return reply(unknown);
    char kind = packet.front();
    std::string_view rest = packet.substr(1);
    Answer answer = unknown;
    switch (kind) {
        case '?': answer = last_stop_; break;
        case 'g': answer = read_registers(); break;
        case 'G': answer = write_registers(rest); break;
        case 'p': answer = read_register(rest); break;
        case 'P': answer = write_register(rest); break;
        case 'm': answer = read_memory(rest); break;
        case 'M': answer = write_memory(rest, false); break;
        case 'X': answer = write_memory(rest, true); break;
        case 'Z': answer = change_point(rest, true); break;
        case 'z': answer = change_point(rest, false); break;
        case 'c': answer = resume_at(rest, false); break;
        case 's': answer = resume_at(rest, true); break;
        // With a signal, which means nothing to a machine: "SIGNAL;ADDRESS".
        case 'C': answer = resume_at(split(rest, ';').second, false); break;
        case 'S': answer = resume_at(split(rest, ';').second, true); break;
        case 'H':
        case 'T': answer = ok; break;
        case 'D': answer = detach(); break;
        case 'k': return static_cast<void>(kill());
        case 'q':
        case 'Q':
        case 'v': answer = query(packet); break;
        default: break;
    }
    if (answer) reply(*answer);
}

GdbServer::Answer GdbServer::query(std::string_view packet) {
    if (take_prefix(packet, "qSupported")) return supported(packet);
    if (take_prefix(packet, "qXfer:features:read:")) return features(packet);
    if (take_prefix(packet, "qRcmd,")) return command(packet);
    if (take_prefix(packet, "vCont;")) return resume_actions(packet);
    if (packet == "vCont?") return "vCont;c;C;s;S";
    if (packet == "QStartNoAckMode") return stop_acknowledging_ = true, Answer{ok};
    if (packet.starts_with("qAttached")) return "1";
    if (packet == "qC") return fmt::format("QC{}", thread);
    if (packet == "qfThreadInfo") return fmt::format("m{}", thread);
    if (packet == "qsThreadInfo") return "l";
    if (packet.starts_with("qThreadExtraInfo,"))
        return to_hex(std::string_view{target_.cpu().state.activity == Activity::Halted ? "CPU, halted" : "CPU"});
    if (packet.starts_with("vKill")) return kill();
    return unknown;
}

std::string GdbServer::supported(std::string_view features) {
    tells_break_kinds_ = features.find("swbreak+") != std::string_view::npos;
    return fmt::format("PacketSize={:x};qXfer:features:read+;swbreak+;hwbreak+;QStartNoAckMode+;vContSupported+",
                       GdbReader::longest_packet);
}

// "target.xml:OFFSET,LENGTH"
std::string GdbServer::features(std::string_view arguments) {
    auto [annex, range_text] = split(arguments, ':');
    auto range = parse_range(range_text);
    if (annex != "target.xml") return "E00";
    if (!range) return bad_argument;
    std::string text = gdb_target_description();
    if (range->address >= text.size()) return "l";
    std::string part = text.substr(range->address, std::min(range->length, most_bytes));
    return (range->address + part.size() < text.size() ? "m" : "l") + part;
}

std::string GdbServer::command(std::string_view hex) {
    auto bytes = from_hex(hex);
    if (!bytes) return bad_argument;
    std::string answer = target_.monitor({reinterpret_cast<const char*>(bytes->data()), bytes->size()});
    return answer.empty() ? ok : to_hex(answer);
}

// --- running

void GdbServer::resume(bool step) {
    if (run_ == Run::Running) return;
    run_ = Run::Running;
    target_.prepare_run(step);
    actions_.go();
}

GdbServer::Answer GdbServer::resume_at(std::string_view address, bool step) {
    if (!address.empty()) {
        auto eip = parse_hex_number(address);
        if (!eip || !target_.may_write()) return bad_argument;
        target_.cpu().state.eip = static_cast<u32>(*eip);
    }
    resume(step);
    return std::nullopt;
}

// "ACTION[:THREAD];...": the first one that means our thread.
GdbServer::Answer GdbServer::resume_actions(std::string_view actions) {
    while (!actions.empty()) {
        auto [one, rest] = split(actions, ';');
        auto [action, whom] = split(one, ':');
        actions = rest;
        auto number = parse_hex_number(whom);
        bool ours = whom.empty() || whom == "-1" || (number && *number <= 1);
        if (!ours || action.empty()) continue;
        char kind = action.front();
        if (kind != 'c' && kind != 'C' && kind != 's' && kind != 'S') return bad_argument;
        return resume_at("", kind == 's' || kind == 'S');
    }
    return bad_argument;
}

void GdbServer::interrupt() {
    if (run_ != Run::Running || !attached_) return;
    report_stop(fmt::format("T{:02x}thread:{};", signal_int, thread));
}

void GdbServer::stopped() {
    if (run_ != Run::Running || !attached_) return;
    if (target_.shut_down()) return report_stop(fmt::format("T{:02x}thread:{};", signal_abort, thread));
    if (target_.reached()) report_stop(stop_text(*target_.reached()));
}

void GdbServer::report_stop(std::string text) {
    actions_.halt();
    run_ = Run::Halted;
    last_stop_ = std::move(text);
    reply(last_stop_);
}

std::string GdbServer::stop_text(const DebugPoints::Reached& reached) {
    std::string text = fmt::format("T{:02x}thread:{};", signal_trap, thread);
    if (!reached.point) return text;
    // Where CS has a base, GDB knows no breakpoint at EIP, and would take a told one for a late one and go on.
    bool tells_kind = tells_break_kinds_ && reached.address == target_.cpu().state.eip;
    switch (reached.point->kind) {
        case DebugPoint::Kind::SoftwareBreak: return tells_kind ? text + "swbreak:;" : text;
        case DebugPoint::Kind::HardwareBreak: return tells_kind ? text + "hwbreak:;" : text;
        case DebugPoint::Kind::WatchWrite: return text + fmt::format("watch:{:x};", reached.address);
        case DebugPoint::Kind::WatchRead: return text + fmt::format("rwatch:{:x};", reached.address);
        case DebugPoint::Kind::WatchAccess: return text + fmt::format("awatch:{:x};", reached.address);
    }
    return text;
}

void GdbServer::ended(int exit_status) {
    if (attached_) reply(fmt::format("W{:02x}", exit_status & 0xFF));
    attached_ = false;
}

std::string GdbServer::detach() {
    target_.remove_all();
    target_.show_shutdowns(false);
    target_.prepare_run(false);
    run_ = Run::Running;
    actions_.go();
    return ok;
}

std::string GdbServer::kill() {
    attached_ = false;
    target_.remove_all();
    target_.show_shutdowns(false);
    actions_.kill();
    return ok;
}

// --- registers, memory, points

std::string GdbServer::read_registers() { return to_hex(read_gdb_registers(target_.cpu())); }

std::string GdbServer::write_registers(std::string_view hex) {
    auto bytes = from_hex(hex);
    if (!bytes) return bad_argument;
    if (!target_.may_write()) return not_permitted;
    return write_gdb_registers(target_.cpu(), *bytes) ? ok : not_permitted;
}

std::string GdbServer::read_register(std::string_view text) {
    auto number = parse_hex_number(text);
    auto bytes = number ? read_gdb_register(target_.cpu(), *number) : std::nullopt;
    return bytes ? to_hex(*bytes) : bad_argument;
}

// "NUMBER=VALUE"
std::string GdbServer::write_register(std::string_view arguments) {
    auto [number_text, value_text] = split(arguments, '=');
    auto number = parse_hex_number(number_text);
    auto value = from_hex(value_text);
    if (!number || !value) return bad_argument;
    if (!target_.may_write()) return not_permitted;
    return write_gdb_register(target_.cpu(), *number, *value) ? ok : not_permitted;
}

std::string GdbServer::read_memory(std::string_view arguments) {
    auto range = parse_range(arguments);
    if (!range) return bad_argument;
    auto bytes = target_.read_memory(range->address, std::min(range->length, most_bytes));
    return bytes.empty() && range->length ? bad_address : to_hex(bytes);
}

// "ADDRESS,LENGTH:DATA"; DATA in hexadecimal, or binary (of which the framing is undone already).
std::string GdbServer::write_memory(std::string_view arguments, bool binary) {
    auto [range_text, data] = split(arguments, ':');
    auto range = parse_range(range_text);
    auto bytes = binary ? std::vector<u8>(data.begin(), data.end()) : from_hex(data);
    if (!range || !bytes || bytes->size() != range->length) return bad_argument;
    if (bytes->empty()) return ok;  // a question whether we know the packet
    if (!target_.may_write()) return not_permitted;
    return target_.write_memory(range->address, *bytes) ? ok : bad_address;
}

// "KIND,ADDRESS,LENGTH". For breakpoints the length is the size of an instruction that we do not patch.
std::string GdbServer::change_point(std::string_view arguments, bool insert) {
    auto [kind_text, range_text] = split(arguments, ',');
    auto kind = parse_hex_number(kind_text);
    auto range = parse_range(split(range_text, ';').first);
    if (!kind || !range) return bad_argument;
    if (*kind > static_cast<u64>(DebugPoint::Kind::WatchAccess)) return unknown;
    DebugPoint point{static_cast<DebugPoint::Kind>(*kind), range->address, range->length};
    if (insert) return target_.insert(point) ? ok : bad_argument;
    target_.remove(point);
    return ok;
}

}  // namespace vellum
