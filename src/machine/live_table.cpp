// Rows of shares, and a line of rates.
#include "machine/live_table.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>
#include <vector>

namespace vellum {

namespace {

using Kind = Occupation::Kind;
using Row = std::pair<std::string, double>;

constexpr std::size_t most_rows = 14, most_reasons = 8;
constexpr double least_share = 0.0005;

void sort_descending(std::vector<Row>& rows) {
    std::stable_sort(rows.begin(), rows.end(), [](const Row& a, const Row& b) { return a.second > b.second; });
}

std::vector<Row> rows_of(const TimeUse& use) {
    std::vector<Row> rows{{"waiting for the host", use.waiting}};
    for (std::size_t i = 0; i < use.of.size(); ++i) {
        Kind kind = static_cast<Kind>(i);
        if (kind != Kind::Callout && kind != Kind::WindowFault) rows.emplace_back(name_of(kind), use.of[i]);
    }
    for (const auto& [name, seconds] : use.callouts) rows.emplace_back("callout " + name, seconds);
    for (const auto& [name, seconds] : use.window_faults) rows.emplace_back("window fault " + name, seconds);
    sort_descending(rows);
    return rows;
}

std::string shares(const TimeUse& use) {
    double all = std::max(use.all(), 1e-9), rest = 0;
    std::string text;
    std::size_t shown = 0;
    for (const auto& [name, seconds] : rows_of(use)) {
        if (shown == most_rows || seconds < least_share * all) {
            rest += seconds;
            continue;
        }
        text += fmt::format("{:5.1f} %  {}\n", 100 * seconds / all, name);
        ++shown;
    }
    return rest < least_share * all ? text : text + fmt::format("{:5.1f} %  the rest\n", 100 * rest / all);
}

class Rates {
 public:
    explicit Rates(double seconds) : seconds_{std::max(seconds, 1e-9)} {}
    double operator()(u64 before, u64 now) const { return static_cast<double>(now - before) / seconds_; }

    std::string by_reason(const EngineStatistics& before, const EngineStatistics& now) const {
        std::vector<Row> rows;
        double all = 0;
        for (const auto& [reason, count] : now.callouts) {
            auto old = before.callouts.find(reason);
            double rate = (*this)(old == before.callouts.end() ? 0 : old->second, count);
            if (rate > 0) rows.emplace_back(reason, rate);
            all += rate;
        }
        sort_descending(rows);
        std::string text = fmt::format("{:.0f} callouts", all);
        for (std::size_t i = 0; i < std::min(rows.size(), most_reasons); ++i)
            text += fmt::format("{}{} {:.0f}", i ? ", " : " (", rows[i].first, rows[i].second);
        if (rows.size() > most_reasons) text += ", ...";
        return rows.empty() ? text : text + ")";
    }

 private:
    double seconds_;
};

}  // namespace

std::string live_table(std::string_view engine, const LiveMoment& before, const LiveMoment& now,
                       Nanoseconds fault_cost) {
    const EngineStatistics &then = before.of_engine, &e = now.of_engine;
    TimeUse use = now.use - before.use;
    move_delivery(use, e.host_faults - then.host_faults, fault_cost);
    double seconds = static_cast<double>(now.at - before.at) * 1e-9;
    Rates rate{seconds};
    std::string text = fmt::format("{}: {:.2f} s, {:.2f} s of them at work\n", engine, seconds, use.cpu());
    text += shares(use) + "a second: ";
    if (now.instructions && before.instructions)
        text += fmt::format("{:.1f} million instructions, ", rate(*before.instructions, *now.instructions) * 1e-6);
    return text + fmt::format("{:.0f} blocks translated, {:.0f} window fills, {}\n",
                              rate(then.blocks_translated, e.blocks_translated),
                              rate(then.window_fills, e.window_fills), rate.by_reason(then, e));
}

}  // namespace vellum
