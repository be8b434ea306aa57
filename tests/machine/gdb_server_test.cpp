// A debugger's conversation, packet by packet, about a small guest on each engine: flat memory, small pages and PAE's
// large ones do not make a difference.
#include "machine/gdb_server.hpp"

#include <catch2/catch.hpp>

#include <cstring>
#include <deque>

#include "machine/firmware.hpp"
#include "machine/gdb_registers.hpp"

using namespace vellum;
using Catch::Matchers::Contains;
using Catch::Matchers::StartsWith;

namespace {

// A Multiboot kernel that counts. After the paging is set up (if wanted):
//   loop: inc dword [counter] ; mov eax,[counter] ; push eax ; pop ecx ; nop ; jmp loop
constexpr u32 load_at = 0x100000, start_at = load_at + 32, loop_at = load_at + 0x100, directory_at = load_at + 0x1000,
              table_at = load_at + 0x2000, kernel_bytes = 0x3000, counter_at = 0x200010, stack_top = 0x300000,
              read_at = loop_at + 6, push_at = read_at + 5, pop_at = push_at + 1, nop_at = pop_at + 1,
              jump_at = nop_at + 1;

enum class Paging : u8 { Off, Small, Large };

struct Image {
    std::vector<u8> bytes = std::vector<u8>(kernel_bytes);

    void word(u32 address, u32 value) { std::memcpy(&bytes[address - load_at], &value, 4); }
    void code(u32 address, std::initializer_list<u8> code) {
        std::copy(code.begin(), code.end(), bytes.begin() + (address - load_at));
    }
};

std::vector<u8> counting_kernel(Paging paging) {
    Image image;
    constexpr u32 magic = 0x1BADB002, flags = 0x10000;
    constexpr u32 header[] = {magic, flags, 0 - magic - flags, load_at, load_at, load_at + kernel_bytes, 0, start_at};
    for (u32 i = 0; i < 8; ++i) image.word(load_at + 4 * i, header[i]);
    image.code(start_at, {0xBC, 0, 0, 0x30, 0});                                 // mov esp,stack_top
    if (paging == Paging::Off) image.code(start_at + 5, {0xE9, 0xD6, 0, 0, 0});  // jmp loop
    // mov eax,directory; mov cr3,eax; mov eax,10h; mov cr4,eax (PSE); mov eax,80010001h; mov cr0,eax; jmp loop
    if (paging != Paging::Off)
        image.code(start_at + 5, {0xB8, 0,    0x10, 0x10, 0,    0x0F, 0x22, 0xD8, 0xB8, 0x10, 0,    0, 0, 0x0F, 0x22,
                                  0xE0, 0xB8, 0x01, 0,    0x01, 0x80, 0x0F, 0x22, 0xC0, 0xE9, 0xBE, 0, 0, 0});
    image.word(directory_at, paging == Paging::Large ? 0x83 : table_at | 3);
    for (u32 i = 0; i < 1024; ++i) image.word(table_at + 4 * i, i * page_size | 3);
    image.code(loop_at, {0xFF, 0x05, 0x10, 0, 0x20, 0, 0xA1, 0x10, 0, 0x20, 0, 0x50, 0x59, 0x90, 0xEB, 0xF0});
    return image.bytes;
}

// The debugger's side: sends packets, gets replies; lets the machine run while it is told to.
class Conversation {
 public:
    explicit Conversation(EngineKind engine, Paging paging = Paging::Off) {
        MachineConfig config;
        config.engine = engine;
        config.clock = ClockKind::Instructions;
        config.memory_bytes = u64{16} << 20;
        BoardParts parts;
        parts.firmware = load_firmware(config);
        parts.firmware.boot = plan_multiboot("guest", counting_kernel(paging), {}, "", config.memory_bytes);
        parts.host_time = [] { return Nanoseconds{0}; };
        machine = std::make_unique<Machine>(config, std::move(parts), log_);
        target.emplace(*machine, true);
        server.emplace(*target, GdbActions{[this](std::string_view text) { take(text); }, [this] { running = false; },
                                           [this] { running = true; }, [this] { killed = true; }});
        machine->start();
        server->connected();
        ask("QStartNoAckMode");
        ask("qSupported:swbreak+;hwbreak+");
    }

    void raw(std::string_view bytes) { server->receive({reinterpret_cast<const u8*>(bytes.data()), bytes.size()}); }
    void take(std::string_view text) {
        for (GdbEvent& event : reader_.feed({reinterpret_cast<const u8*>(text.data()), text.size()}))
            if (event.kind == GdbEvent::Kind::Packet) replies.push_back(event.payload);
    }
    void run_for_a_while() {
        u64 end = instructions() + patience;
        while (running && instructions() < end) run_slice();
    }
    void run_slice() {
        machine->board().cpu().attention.clear(Attention::Stop);
        auto kind = machine->run_slice(instructions() + 100'000).kind;
        REQUIRE((kind == Machine::Slice::Kind::Stopped || kind == Machine::Slice::Kind::Debug));
        if (kind == Machine::Slice::Kind::Debug) server->stopped();
    }
    // The reply; for what sets the machine going, the stop that ends it.
    std::string ask(std::string_view packet) {
        raw(frame_gdb_packet(packet));
        u64 end = instructions() + patience;
        while (replies.empty() && running && instructions() < end) run_slice();
        if (replies.empty()) return "no reply";
        std::string reply = replies.front();
        replies.pop_front();
        return reply;
    }
    // Brings the guest to its loop.
    void reach_loop() {
        patience = 300'000'000;
        REQUIRE(ask("Z1,100100,1") == "OK");
        REQUIRE(ask("c") == "T05thread:01;hwbreak:;");
        REQUIRE(ask("z1,100100,1") == "OK");
        REQUIRE(eip() == loop_at);
        patience = 1'000'000;
    }
    u64 instructions() { return machine->board().state().instructions; }
    u32 eip() { return static_cast<u32>(machine->board().state().eip); }
    u32 reg(Reg r) { return static_cast<u32>(machine->board().state().reg(r)); }
    u32 word_at(u32 address) {
        auto bytes = target->read_memory(address, 4);
        REQUIRE(bytes.size() == 4);
        u32 value;
        std::memcpy(&value, bytes.data(), 4);
        return value;
    }

    u64 patience = 1'000'000;  // instructions without a stop
    bool running = true, killed = false;
    std::deque<std::string> replies;
    std::unique_ptr<Machine> machine;
    std::optional<GdbTarget> target;
    std::optional<GdbServer> server;

 private:
    Log log_;
    GdbReader reader_;
};

std::string packet(const char* format, u32 number) {
    char text[64];
    std::snprintf(text, sizeof text, format, number);
    return text;
}

struct Debugged : Conversation {
    Debugged()
        : Conversation{GENERATE(EngineKind::Interp, EngineKind::Bt),
                       GENERATE(Paging::Off, Paging::Small, Paging::Large)} {
        reach_loop();
    }
};

}  // namespace

TEST_CASE("gdb: a breakpoint stops before its instruction, in code that has run before too") {
    Debugged c;
    c.ask("Z0,10010b,1");  // push_at
    for (u32 round = 1; round <= 3; ++round) {
        CHECK(c.ask("c") == "T05thread:01;swbreak:;");
        CHECK(c.eip() == push_at);
        CHECK(c.reg(Reg::Eax) == round);
        CHECK(c.reg(Reg::Ecx) == (round == 1 ? c.reg(Reg::Ecx) : round - 1));
        CHECK(c.ask("vCont;s:1") == "T05thread:01;");
        CHECK(c.eip() == pop_at);
    }
    c.ask("z0,10010b,1");
    c.ask("Z1,10010d,1");  // nop_at, inside what was translated meanwhile
    CHECK(c.ask("vCont;c") == "T05thread:01;hwbreak:;");
    CHECK(c.eip() == nop_at);
    CHECK(c.reg(Reg::Ecx) == 3);
}

TEST_CASE("gdb: a run that begins at the breakpoint that ended the last one goes on to the next round") {
    Debugged c;
    c.ask("Z0,10010b,1");
    for (u32 round = 1; round <= 3; ++round) {
        CHECK(c.ask("c") == "T05thread:01;swbreak:;");
        CHECK(c.reg(Reg::Eax) == round);
    }
}

TEST_CASE("gdb: the guest does not see a breakpoint") {
    Debugged c;
    c.ask("Z0,10010d,1");
    CHECK(c.word_at(nop_at) == 0x00F0EB90);
    CHECK(c.ask("m10010d,4") == "90ebf000");
}

TEST_CASE("gdb: a watchpoint stops after the store, and tells the address") {
    Debugged c;
    CHECK(c.ask("Z2,200012,4") == "OK");  // overlaps the counter's upper half
    CHECK(c.ask("c") == "T05thread:01;watch:200012;");
    CHECK(c.eip() == read_at);
    CHECK(c.word_at(counter_at) == 1);
    CHECK(c.ask("c") == "T05thread:01;watch:200012;");
    CHECK(c.eip() == read_at);
    CHECK(c.word_at(counter_at) == 2);
    CHECK(c.ask("z2,200012,4") == "OK");
    CHECK(c.ask("Z1,100100,1") == "OK");
    CHECK(c.ask("c") == "T05thread:01;hwbreak:;");
    CHECK(c.ask("s") == "T05thread:01;");
    CHECK(c.ask("c") == "T05thread:01;hwbreak:;");
    CHECK(c.word_at(counter_at) == 3);
}

TEST_CASE("gdb: a watchpoint set late is heeded by code that has run for long", "[long]") {
    Debugged c;
    CHECK(c.ask("c") == "no reply");
    c.raw("\x03");
    REQUIRE(c.replies.front() == "T02thread:01;");
    c.replies.clear();
    u32 before = c.word_at(counter_at);
    CHECK(before > 1000);
    std::string kind = GENERATE("Z2", "Z3", "Z4");
    CHECK(c.ask(kind + ",200010,1") == "OK");
    CHECK_THAT(c.ask("c"), StartsWith("T05thread:01;") && Contains("watch:200010;"));
    CHECK(c.word_at(counter_at) - before <= 1);
}

TEST_CASE("gdb: reads are watched apart from writes") {
    Debugged c;
    c.ask("Z3,200010,4");
    CHECK(c.ask("c") == "T05thread:01;rwatch:200010;");  // INC reads too
    CHECK(c.eip() == read_at);
    CHECK(c.ask("c") == "T05thread:01;rwatch:200010;");
    CHECK(c.eip() == push_at);
    c.ask("z3,200010,4");
    c.ask("Z4,2ffffc,4");  // the top of the stack
    CHECK(c.ask("c") == "T05thread:01;awatch:2ffffc;");
    CHECK(c.eip() == pop_at);
    CHECK(c.ask("c") == "T05thread:01;awatch:2ffffc;");
    CHECK(c.eip() == nop_at);
}

TEST_CASE("gdb: what lies beside a watched byte runs on, and the page comes back when it is watched no longer") {
    Debugged c;
    c.ask("Z4,200020,1");
    CHECK(c.ask("c") == "no reply");
    c.raw("\x03");
    c.replies.clear();
    u32 before = c.word_at(counter_at);
    CHECK(before > 1000);
    c.ask("z4,200020,1");
    CHECK(c.ask("c") == "no reply");
    CHECK(c.word_at(counter_at) > before + 1000);
}

TEST_CASE("gdb: a single step is one instruction") {
    Debugged c;
    for (u32 at : {read_at, push_at, pop_at, nop_at, jump_at, loop_at, read_at}) {
        CHECK(c.ask("s") == "T05thread:01;");
        CHECK(c.eip() == at);
    }
    CHECK(c.word_at(counter_at) == 2);
}

TEST_CASE("gdb: registers are read and written, one by one and all at once") {
    Debugged c;
    CHECK(c.ask("p8") == "00011000");
    CHECK(c.ask("P0=78563412") == "OK");
    CHECK(c.reg(Reg::Eax) == 0x12345678);
    std::string all = c.ask("g");
    CHECK(all.substr(0, 8) == "78563412");
    CHECK(all.substr(64, 8) == "00011000");
    std::string changed = all;
    changed.replace(8, 8, "efbeadde");
    CHECK(c.ask("G" + changed) == "OK");
    CHECK(c.reg(Reg::Ecx) == 0xDEADBEEF);
    CHECK(c.ask("g") == changed);
    // xmm3 (35), st2 (18), mxcsr (40): bits that do not exist stay clear.
    CHECK(c.ask("P23=000102030405060708090a0b0c0d0e0f") == "OK");
    CHECK(c.ask("p23") == "000102030405060708090a0b0c0d0e0f");
    CHECK(c.ask("P12=00010203040506070809") == "OK");
    CHECK(c.ask("p12") == "00010203040506070809");
    CHECK(c.ask("P28=ffffffff") == "OK");
    CHECK(c.ask("p28") == "ffff0000");
    CHECK(c.ask("P18=7f030000") == "OK");
    CHECK(c.ask("p18") == "7f030000");
    CHECK(c.ask("p2a") == packet("%08x", __builtin_bswap32(static_cast<u32>(c.machine->board().state().cr2))));
    CHECK(c.ask("P29=00000000") == "E01");  // cr0
    CHECK(c.ask("pff") == "E22");
    CHECK(c.ask("P0=1234") == "E01");
    CHECK(c.ask("G00") == "E01");
    // The machine lives on with all that.
    CHECK(c.ask("s") == "T05thread:01;");
}

TEST_CASE("gdb: the instruction pointer decides where a run goes on") {
    Debugged c;
    CHECK(c.ask("P8=0d011000") == "OK");
    c.ask("s");
    CHECK(c.eip() == jump_at);
    CHECK(c.ask("s10010b") == "T05thread:01;");
    CHECK(c.eip() == pop_at);
}

TEST_CASE("gdb: memory is read and written in hexadecimal and in binary") {
    Debugged c;
    CHECK(c.ask("M201ffe,4:01020304") == "OK");  // across a page end
    CHECK(c.ask("m201ffd,6") == "000102030400");
    CHECK(c.ask(std::string_view{"X202000,2:\x7d#", 12}) == "OK");
    CHECK(c.ask("m202000,2") == "7d23");
    CHECK(c.ask("X0,0:") == "OK");
    CHECK(c.ask("m10010b,ffffffff").size() > 100);
    CHECK(c.ask("M202000,2:010203") == "E22");
    CHECK(c.ask("M202000,2:zz") == "E22");
    CHECK(c.ask("m,") == "E22");
}

TEST_CASE("gdb: code that a debugger writes is executed") {
    Debugged c;
    c.ask("Z0,10010e,1");
    c.ask("c");
    CHECK(c.ask("M10010d,1:40") == "OK");  // inc eax
    c.ask("s");
    c.ask("c");
    CHECK(c.eip() == jump_at);
    CHECK(c.reg(Reg::Eax) == 3);
}

TEST_CASE("gdb: what is not mapped, not memory or not writable is a bad address") {
    Conversation c{EngineKind::Interp, Paging::Small};
    c.reach_loop();
    CHECK(c.ask("m400000,4") == "E14");
    CHECK(c.ask("M3ffffe,4:01020304") == "E14");
    CHECK(c.ask("m3ffffe,4") == "0000");  // as far as it goes
    CHECK(c.ask("ma0000,4") == "E14");    // the screen
    CHECK(c.ask("Mfffe0,1:00") == "E14");
    CHECK(c.word_at(0xFFFE0) == c.word_at(0xFFFE0));
}

TEST_CASE("gdb: reading memory leaves the guest's tables as they are") {
    Conversation c{EngineKind::Bt, Paging::Small};
    c.reach_loop();
    u32 entry = table_at + 4 * 0x280;
    REQUIRE(c.word_at(entry) == 0x280003);
    CHECK(c.ask("m280000,4") == "00000000");
    CHECK(c.ask("M280000,1:01") == "OK");
    CHECK(c.word_at(entry) == 0x280003);
}

TEST_CASE("gdb: a running guest is interrupted, and asked why it stands") {
    Debugged c;
    c.raw("$c#63");
    c.run_for_a_while();
    CHECK(c.running);
    c.raw("\x03");
    CHECK_FALSE(c.running);
    CHECK(c.replies.front() == "T02thread:01;");
    c.replies.clear();
    CHECK(c.ask("?") == "T02thread:01;");
}

TEST_CASE("gdb: a triple fault stops before the machine resets, and goes on from there") {
    Debugged c;
    c.ask("M100100,9:0f011d000028000f0b");  // lidt [280000h], which holds zeros; ud2
    CHECK(c.ask("c") == "T06thread:01;");
    CHECK(c.eip() == loop_at + 7);
    CHECK(c.word_at(loop_at + 7) << 16 == 0x0B0F0000);
    CHECK(c.ask("c") == "no reply");
    CHECK(c.machine->board().state().activity == Activity::Running);
    CHECK(c.eip() != loop_at + 7);
}

TEST_CASE("gdb: a debugger that detaches or vanishes leaves nothing behind") {
    bool vanishes = GENERATE(false, true);
    Debugged c;
    c.ask("Z0,100106,1");
    c.ask("Z2,200010,4");
    if (vanishes)
        c.server->disconnected();
    else
        CHECK(c.ask("D") == "OK");
    CHECK(c.running);
    c.run_for_a_while();
    CHECK(c.running);
    CHECK(c.word_at(counter_at) > 1000);
}

TEST_CASE("gdb: the description is well formed and read in pieces, and counts the bytes of g") {
    Conversation c{EngineKind::Interp};
    std::string text, part;
    do {
        part = c.ask(packet("qXfer:features:read:target.xml:%x,100", static_cast<u32>(text.size())));
        text += part.substr(1);
    } while (part[0] == 'm');
    CHECK(text == gdb_target_description());
    CHECK_THAT(text, Contains("org.gnu.gdb.i386.core") && Contains("org.gnu.gdb.i386.sse"));
    u32 bits = 0;
    for (std::size_t at = 0; (at = text.find("bitsize=\"", at)) != std::string::npos; at += 9)
        bits += static_cast<u32>(std::stoul(text.substr(at + 9)));
    CHECK(c.ask("g").size() == bits / 4);
    CHECK(c.ask("qXfer:features:read:other.xml:0,100") == "E00");
}

TEST_CASE("gdb: questions of a stock GDB are answered, unknown ones with nothing") {
    Conversation c{EngineKind::Interp};
    CHECK(c.ask("?") == "T05thread:01;");
    CHECK(c.ask("qAttached") == "1");
    CHECK(c.ask("qC") == "QC01");
    CHECK(c.ask("qfThreadInfo") == "m01");
    CHECK(c.ask("qsThreadInfo") == "l");
    CHECK(c.ask("Hg0") == "OK");
    CHECK(c.ask("T1") == "OK");
    CHECK(c.ask("vCont?") == "vCont;c;C;s;S");
    CHECK(c.ask("vMustReplyEmpty") == "");
    CHECK(c.ask("qTStatus") == "");
    CHECK(c.ask("") == "");
    CHECK(c.ask("Z5,0,1") == "");
    CHECK(c.ask("Z2,ffffffff,2") == "E22");
    CHECK(c.ask("Z2,0,ffffffff") == "E22");
    CHECK(c.ask("vCont;t") == "E22");
    CHECK(c.ask("vCont;") == "E22");
}

TEST_CASE("gdb: monitor commands answer in hexadecimal") {
    Conversation c{EngineKind::Interp};
    auto monitor = [&](std::string_view command) {
        auto bytes = from_hex(c.ask("qRcmd," + to_hex(command)));
        return bytes ? std::string{bytes->begin(), bytes->end()} : "not hexadecimal";
    };
    CHECK_THAT(monitor("help"), Contains("reset"));
    CHECK_THAT(monitor("info registers"), Contains("gdtr base"));
    CHECK_THAT(monitor("page fffffff0"), Contains("ROM"));
    CHECK_THAT(monitor("nonsense"), Contains("unknown command"));
    c.reach_loop();
    CHECK(c.ask("qRcmd," + to_hex(std::string_view{"reset"})) == "OK");
    CHECK(c.eip() == 0xFFF0);
}

TEST_CASE("gdb: damaged packets are asked for again, replies are sent again") {
    Conversation c{EngineKind::Interp};
    c.server->connected();  // acknowledging again
    std::string sent;
    GdbServer server{*c.target, GdbActions{[&](std::string_view text) { sent += text; }, [] {}, [] {}, [] {}}};
    server.connected();
    auto give = [&](std::string_view bytes) {
        server.receive({reinterpret_cast<const u8*>(bytes.data()), bytes.size()});
    };
    give("$qC#b5");
    CHECK(sent == "-");
    give("$qC#b4");
    CHECK(sent == "-+$QC01#f5");
    give("-");
    CHECK(sent == "-+$QC01#f5$QC01#f5");
}

TEST_CASE("gdb: kill ends the machine") {
    Conversation c{EngineKind::Interp};
    c.raw(frame_gdb_packet("k"));
    CHECK(c.killed);
}
