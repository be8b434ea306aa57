// What the running machine gets opened: by the process itself, and by its broker, which grants only what the command
// line made possible.
#include "machine/file_access.hpp"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <catch2/catch.hpp>

#include <cstring>

#include "base/host_error.hpp"
#include "machine/tiny_machine.hpp"

using namespace vellum;
using Catch::Matchers::Contains;

namespace {

std::string read_all(const Descriptor& file) {
    char bytes[256];
    ssize_t count = pread(file.number(), bytes, sizeof bytes, 0);
    return {bytes, count > 0 ? static_cast<std::size_t>(count) : 0};
}

std::string trouble_of(FileAccess& files, FileWish wish, const std::string& path) {
    try {
        files.ask(wish, path);
        return "";
    } catch (const std::exception& trouble) {
        return trouble.what();
    }
}

FilePolicy for_control() {
    FilePolicy policy;
    policy.control = true;
    return policy;
}

// Two that should do the same.
std::unique_ptr<FileAccess> either() {
    return GENERATE(0, 1) ? make_direct_file_access() : make_file_broker(for_control());
}

void make_socket(const std::string& path) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path, path.data(), path.size());
    int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    REQUIRE(bind(listener, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
    close(listener);
}

}  // namespace

TEST_CASE("file access: an image is opened for what it is wanted") {
    TemporaryFolder folder;
    folder.write("disk", "contents");
    auto files = either();
    FileGrant cd = files->ask(FileWish::Cd, folder.file("disk")),
              floppy = files->ask(FileWish::Floppy, folder.file("disk"));
    CHECK(read_all(cd.file) == "contents");
    CHECK((fcntl(cd.file.number(), F_GETFL) & O_ACCMODE) == O_RDONLY);
    CHECK((fcntl(floppy.file.number(), F_GETFL) & O_ACCMODE) == O_RDWR);
    CHECK((fcntl(cd.file.number(), F_GETFD) & FD_CLOEXEC) != 0);
    CHECK(write(files->ask(FileWish::Overlay, {}).file.number(), "x", 1) == 1);
}

TEST_CASE("file access: trouble is what it would be without a broker") {
    TemporaryFolder folder;
    auto files = either();
    CHECK_THROWS_AS(files->ask(FileWish::Cd, folder.file("none")), UsageError);
    CHECK_THAT(trouble_of(*files, FileWish::Cd, folder.file("none")), Contains(folder.file("none")));
    CHECK_THROWS_AS(files->ask(FileWish::Picture, folder.file("no/picture")), HostError);
    CHECK_THAT(trouble_of(*files, FileWish::Picture, folder.file("no/picture")), Contains("No such file"));
    CHECK(trouble_of(*files, FileWish::Cd, std::string(5000, 'x')) != "");
}

TEST_CASE("file access: pictures replace what was there") {
    TemporaryFolder folder;
    folder.write("picture", "something older and longer");
    auto files = either();
    write_file(*files, FileWish::Picture, folder.file("picture"), "new");
    CHECK(folder.read("picture") == "new");
}

TEST_CASE("file access: a snapshot takes its place when it is committed, and leaves nothing when it is not") {
    TemporaryFolder folder;
    auto files = either();
    {
        FileGrant grant = files->ask(FileWish::Snapshot, folder.file("machine"));
        CHECK(write(grant.file.number(), "new", 3) == 3);
        CHECK_FALSE(std::filesystem::exists(folder.file("machine")));
    }
    files->ask(FileWish::CommitSnapshot, {});
    CHECK(folder.read("machine") == "new");
    CHECK_THROWS_AS(files->ask(FileWish::CommitSnapshot, {}), HostError);
    folder.write("other", "no snapshot");
    CHECK_THROWS_AS(files->ask(FileWish::Snapshot, folder.file("other")), HostError);
    std::filesystem::remove(folder.file("machine"));
    files->ask(FileWish::Snapshot, folder.file("machine"));
    files->ask(FileWish::AbandonSnapshot, {});
    CHECK(std::filesystem::is_empty(folder.file("")) == false);
    CHECK(std::distance(std::filesystem::directory_iterator{folder.file("")}, {}) == 1);  // `other`
}

TEST_CASE("file access: a broker that ends in the middle of a snapshot leaves nothing") {
    TemporaryFolder folder;
    make_file_broker(for_control())->ask(FileWish::Snapshot, folder.file("machine"));
    CHECK(std::filesystem::is_empty(folder.file("")));
}

TEST_CASE("file access: a broker grants what the command line names, and nothing else") {
    TemporaryFolder folder;
    folder.write("disk", "contents");
    make_socket(folder.file("line"));
    RunConfig config;
    config.display = DisplayKind::None;
    config.screenshot = folder.file("picture");
    config.save = folder.file("machine");
    config.stats = folder.file("stats");
    config.machine.serial = {{Endpoint::Kind::Unix, folder.file("line")}};
    auto broker = make_file_broker(file_policy(config));
    CHECK(trouble_of(*broker, FileWish::Picture, config.screenshot) == "");
    CHECK(trouble_of(*broker, FileWish::Snapshot, config.save) == "");
    CHECK(trouble_of(*broker, FileWish::Report, config.stats) == "");
    CHECK(trouble_of(*broker, FileWish::RemoveSocket, folder.file("line")) == "");
    CHECK_FALSE(std::filesystem::exists(folder.file("line")));
    struct Refused {
        FileWish wish;
        std::string path;
    };
    for (const Refused& refused : {Refused{FileWish::Cd, folder.file("disk")},
                                   {FileWish::Floppy, folder.file("disk")},
                                   {FileWish::FloppyToRead, "/etc/passwd"},
                                   {FileWish::Overlay, ""},
                                   {FileWish::Picture, folder.file("disk")},
                                   {FileWish::Picture, config.save},
                                   {FileWish::Picture, "vellum-1.png"},
                                   {FileWish::Report, config.screenshot},
                                   {FileWish::Snapshot, folder.file("other")},
                                   {FileWish::FreeName, "png"},
                                   {FileWish::RemoveSocket, folder.file("disk")},
                                   {static_cast<FileWish>(99), folder.file("disk")}}) {
        INFO(refused.path);
        CHECK_THAT(trouble_of(*broker, refused.wish, refused.path), Contains("none of the files"));
    }
    CHECK(folder.read("disk") == "contents");
}

TEST_CASE("file access: hot keys write under free names in the current folder and nowhere else") {
    RunConfig config;
    FilePolicy policy = file_policy(config);  // a window, as it may be
    CHECK(policy.permits(FileWish::FreeName, "png"));
    CHECK(policy.permits(FileWish::Picture, "vellum-1.png"));
    CHECK(policy.permits(FileWish::Snapshot, "vellum-12.snapshot"));
    for (const char* path : {"vellum-.png", "vellum-1.snapshot", "vellum-../../1.png", "/tmp/vellum-1.png", "x.png",
                             "vellum-1.png.png", ".png", "vellum-12345678901.png"})
        CHECK_FALSE(policy.permits(FileWish::Picture, path));
    CHECK_FALSE(policy.permits(FileWish::FreeName, "bashrc"));
    CHECK_FALSE(policy.permits(FileWish::Cd, "vellum-1.png"));
}

TEST_CASE("file access: only sockets are removed as sockets") {
    TemporaryFolder folder;
    folder.write("file", "contents");
    make_direct_file_access()->ask(FileWish::RemoveSocket, folder.file("file"));
    CHECK(folder.read("file") == "contents");
}
