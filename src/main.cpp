// From the command line to an exit status.
#include <fmt/format.h>

#include <cstdio>

#include "base/host_error.hpp"
#include "machine/command_line.hpp"
#include "machine/lockstep.hpp"
#include "machine/runner.hpp"

int main(int argc, char** argv) {
    using namespace vellum;
    try {
        auto parsed = parse_command_line({argv + 1, argv + argc});
        if (auto* help = std::get_if<HelpText>(&parsed)) {
            fmt::print("{}", help->text);
            return exit_status::ok;
        }
        return run(std::get<RunConfig>(parsed));
    } catch (const UsageError& trouble) {
        fmt::print(stderr, "vellum: {}\n", trouble.what());
        return exit_status::usage;
    } catch (const LockstepDifference& difference) {
        fmt::print(stderr, "vellum: {}\n", difference.what());
        return exit_status::lockstep_difference;
    } catch (const std::exception& trouble) {
        fmt::print(stderr, "vellum: {}\n", trouble.what());
        return exit_status::host_trouble;
    }
}
