// Seeds of the fuzz target `clients`: who connects, says what, reads or not, and when the machine has its turn
// (clients_fuzz.cpp). The three low bits of an act's byte say what, the others which client.
#include <string_view>

#include "target.hpp"

namespace vellum::fuzz {

namespace {

class Script {
 public:
    Script& control() { return act(0, 0); }
    Script& debugger() { return act(0, 1); }
    Script& say(u8 client, std::string_view text) { return act(client, 2).text(text); }
    Script& flood(u8 client, u8 times_4, std::string_view text) {
        act(client, 3).out_.put(times_4);
        return this->text(text);
    }
    Script& read(u8 client, u16 bytes) {
        act(client, 4).out_.put(bytes);
        return *this;
    }
    Script& say_no_more(u8 client) { return act(client, 5); }
    Script& leave(u8 client) { return act(client, 6); }
    Script& run(u8 times = 1) {
        for (u8 i = 0; i < times; ++i) act(0, 7);
        return *this;
    }
    const std::vector<u8>& all() const { return out_.all(); }

 private:
    Script& act(u8 client, u8 what) {
        out_.put(static_cast<u8>(client << 3 | what));
        return *this;
    }
    Script& text(std::string_view text) {
        out_.put(static_cast<u8>(text.size()));
        out_.bytes({reinterpret_cast<const u8*>(text.data()), text.size()});
        return *this;
    }
    Output out_;
};

}  // namespace

std::vector<Seed> seeds() {
    return {
        {"commands", "every command, and its answer read",
         Script{}
             .control()
             .say(0, "key a\ntype hello\\n\nmouse 1 -2 1 7\nscreenshot s\nsave s\nstats\ntimes\nchange-cd c\n")
             .run(9)
             .say(0, "change-floppy b f\nchange-cd none\nreset\npowerdown\npause\ncontinue\nquit\nfoo\n")
             .run(9)
             .read(0, 9999)
             .all()},
        {"pieces", "lines that come in pieces, from two clients in turn, with a line that is too long",
         Script{}
             .control()
             .control()
             .say(0, "ke")
             .say(1, "sta")
             .run()
             .say(0, "y a\r\n")
             .say(1, "ts\n")
             .run(3)
             .flood(0, 80, "0123456789abcdef")
             .run()
             .all()},
        {"unread", "answers that nobody reads, until the client is asked no more, and reads after all",
         Script{}.control().flood(0, 255, "times\n").run(40).read(0, 60000).run(10).read(0, 60000).run(3).all()},
        {"crowd", "more clients than there may be, some of which go",
         Script{}
             .control()
             .control()
             .control()
             .control()
             .control()
             .control()
             .control()
             .control()
             .control()
             .run()
             .leave(3)
             .say_no_more(2)
             .say(1, "stats\n")
             .control()
             .run(2)
             .all()},
        {"debugger", "what GDB says first, runs, steps and stops",
         Script{}
             .debugger()
             .say(0, "+$qSupported:swbreak+;hwbreak+#d5$?#3f$g#67$m0,40#2d")
             .run(4)
             .read(0, 5000)
             .say(0, "$Z0,f0008,1#41$Z2,500,4#ad$vCont;c:1#13")
             .run(4)
             .say(0, "\x03$s#73$D#44")
             .run(4)
             .all()},
        {"greedy", "packets whose answers nobody reads, and who leaves without them",
         Script{}.debugger().flood(0, 20, "$m0,1ff0#f6$g#67-").run(20).read(0, 60000).run(4).leave(0).run(2).all()},
        {"browser", "a request of a browser, then a debugger, then a second one",
         Script{}
             .debugger()
             .say(0, "POST / HTTP/1.1\r\n\r\n$M0,1:41#79")
             .run()
             .debugger()
             .debugger()
             .say(1, "$?#3f")
             .say(2, "$?#3f")
             .run(2)
             .leave(1)
             .debugger()
             .say(2, "+")
             .run(2)
             .all()},
        {"both", "commands while a debugger holds the machine, and a kill",
         Script{}
             .debugger()
             .control()
             .say(0, "$g#67")
             .run()
             .say(1, "continue\npause\nreset\n")
             .run(3)
             .say(0, "$k#6b")
             .run(2)
             .all()},
    };
}

}  // namespace vellum::fuzz
