// What is written beside the machine never harms a disk image, waits for nobody, and tells of trouble.
#include "machine/output_file.hpp"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>
#include <csignal>

#include <catch2/catch.hpp>

#include <atomic>
#include <filesystem>
#include <thread>

#include "base/host_error.hpp"
#include "devices/block_backend.hpp"
#include "machine/endpoints.hpp"
#include "machine/host_process.hpp"
#include "machine/listener.hpp"
#include "machine/socket_path.hpp"
#include "machine/tiny_machine.hpp"

using namespace vellum;
using Catch::Matchers::Contains;

namespace {

std::string refusal_of(const std::string& path) {
    try {
        open_output_file(path);
        return "";
    } catch (const HostError& trouble) {
        return trouble.what();
    }
}

// The limit of this process for as long as it lives.
struct FileSizeLimit {
    rlimit before;
    explicit FileSizeLimit(rlim_t bytes) {
        getrlimit(RLIMIT_FSIZE, &before);
        rlimit now{bytes, before.rlim_max};
        setrlimit(RLIMIT_FSIZE, &now);
    }
    ~FileSizeLimit() { setrlimit(RLIMIT_FSIZE, &before); }
};

}  // namespace

TEST_CASE("output file: a disk image in use is not touched, under whatever name it is given") {
    TemporaryFolder folder;
    std::string disk = folder.write("disk", std::string(4096, 'd'));
    std::filesystem::create_hard_link(disk, folder.file("hard"));
    std::filesystem::create_symlink(disk, folder.file("soft"));
    auto files = make_direct_file_access();
    for (ImageAccess access : {ImageAccess::ReadWrite, ImageAccess::ReadOnly, ImageAccess::Snapshot}) {
        auto image = open_image(disk, access, 512);
        for (const char* name : {"disk", "hard", "soft"}) {
            CHECK_THAT(refusal_of(folder.file(name)), Contains(name) && Contains("in use"));
            CHECK_THROWS_AS(write_file(*files, FileWish::Picture, folder.file(name), "png"), HostError);
            CHECK_THROWS_AS(write_file(*files, FileWish::Report, folder.file(name), "{}"), HostError);
            EventLoop loop;
            CHECK_THROWS_AS(open_endpoint("--serial", {Endpoint::Kind::File, folder.file(name)}, loop, *files, {}),
                            UsageError);
        }
    }
    CHECK(folder.read("disk") == std::string(4096, 'd'));
    CHECK(refusal_of(disk) == "");
}

TEST_CASE("output file: what a line is written to cannot become a disk meanwhile") {
    TemporaryFolder folder;
    Descriptor line = open_output_file(folder.file("line"));
    REQUIRE(write(line.number(), std::string(512, 'x').data(), 512) == 512);
    CHECK_THROWS_AS(open_image(folder.file("line"), ImageAccess::ReadWrite, 512), UsageError);
}

TEST_CASE("output file: a pipe that nobody reads is refused at once, and one with a reader is written to") {
    TemporaryFolder folder;
    std::string path = folder.file("pipe");
    REQUIRE(mkfifo(path.c_str(), 0600) == 0);
    CHECK_THAT(refusal_of(path), Contains("nobody reads this pipe"));
    Descriptor reader{open(path.c_str(), O_RDONLY | O_NONBLOCK)};
    auto files = make_direct_file_access();
    write_file(*files, FileWish::Report, path, "{}");
    char bytes[8];
    CHECK(read(reader.number(), bytes, sizeof bytes) == 2);
    CHECK(refusal_of("/dev/null") == "");
}

TEST_CASE("output file: a limit of the size of files is told, and does not end the process") {
    make_write_errors_plain();
    TemporaryFolder folder;
    auto files = make_direct_file_access();
    FileSizeLimit limit{1000};
    CHECK_THROWS_WITH(write_file(*files, FileWish::Picture, folder.file("picture"), std::string(2000, 'p')),
                      Contains("too large"));
    EventLoop loop;
    auto line = open_endpoint("--serial", {Endpoint::Kind::File, folder.file("line")}, loop, *files, {});
    std::vector<u8> much(2000);
    line->put(much);
    line->put(much);
    CHECK(folder.read("line").size() == 1000);
}

TEST_CASE("image file: a flush that has failed stays failed, though the host claims success later") {
    TemporaryFolder folder;
    std::string path = folder.write("disk", std::string(4096, 'd'));
    auto image = open_image(path, ImageAccess::ReadWrite, 512);
    u8 byte = 1;
    REQUIRE(image->write(0, {&byte, 1}));
    CHECK(image->flush());
    int number = image->descriptor();
    int aside = dup(number);
    int pipes[2];
    REQUIRE(pipe(pipes) == 0);
    REQUIRE(image->write(0, {&byte, 1}));
    dup2(pipes[1], number);  // a pipe cannot be flushed
    CHECK_FALSE(image->flush());
    dup2(aside, number);
    CHECK_FALSE(image->flush());
    REQUIRE(image->write(1, {&byte, 1}));
    CHECK_FALSE(image->flush());
    for (int n : {aside, pipes[0], pipes[1]}) close(n);
}

TEST_CASE("socket path: of many who want a name at once, over a socket that was left behind, one gets it") {
    TemporaryFolder folder;
    std::string path = folder.file("socket");
    for (int round = 0; round < 20; ++round) {
        std::atomic<int> got = 0, ready = 0;
        std::vector<std::thread> machines;
        std::vector<std::unique_ptr<Listener>> listeners(6);
        for (auto& mine : listeners)
            machines.emplace_back([&] {
                ++ready;
                while (ready < 6) std::this_thread::yield();
                try {
                    mine = std::make_unique<Listener>("--control", path);
                    ++got;
                } catch (const UsageError&) {
                }
            });
        for (auto& machine : machines) machine.join();
        CHECK(got == 1);
        // Closed without being removed, as by a machine that was killed: the next round finds the name taken.
    }
}

TEST_CASE("socket path: a name at which somebody else listens by now is not removed") {
    TemporaryFolder folder;
    std::string path = folder.file("socket");
    Listener other{"--control", path};
    remove_socket(path);
    CHECK(std::filesystem::exists(path));
    auto files = make_direct_file_access();
    other.close(*files);
    CHECK_FALSE(std::filesystem::exists(path));
}
