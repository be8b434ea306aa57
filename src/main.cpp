// From the command line to an exit status.
#include <cstdio>
#include <string>

#include "base/host_error.hpp"
#include "base/one_line.hpp"
#include "cpu/host_features.hpp"
#include "machine/command_line.hpp"
#include "machine/host_process.hpp"
#include "machine/lockstep.hpp"
#include "machine/runner.hpp"
#include "machine/watch.hpp"

namespace {

// Not fmt::print: it throws when the stream is gone.
int complain(const std::string& message, int status) {
    std::fputs(("vellum: " + message + "\n").c_str(), stderr);
    return status;
}

}  // namespace

int main(int argc, char** argv) {
    using namespace vellum;
    ensure_standard_streams();
    make_write_errors_plain();
    try {
        auto parsed = parse_command_line({argv + 1, argv + argc});
        if (auto* help = std::get_if<HelpText>(&parsed)) {
            bool printed = std::fputs(help->text.c_str(), stdout) >= 0 && std::fflush(stdout) == 0;
            return printed ? exit_status::ok : exit_status::host_trouble;
        }
        if (auto* watch = std::get_if<WatchConfig>(&parsed)) return watch_times(watch->socket);
        auto& config = std::get<RunConfig>(parsed);
        config.machine.features = host_features();
        return run(config);
    } catch (const UsageError& trouble) {
        return complain(one_line(trouble.what()), exit_status::usage);
    } catch (const LockstepDifference& difference) {
        return complain(difference.what(), exit_status::lockstep_difference);  // a table of many lines
    } catch (const std::exception& trouble) {
        return complain(one_line(trouble.what()), exit_status::host_trouble);
    }
}
