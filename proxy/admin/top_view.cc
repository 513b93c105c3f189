#include "proxy/admin/top_view.h"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <numeric>

#include "proxy/admin/value_text.h"

namespace freshet::proxy {

using nlohmann::json;
using storage::Error;
using storage::Result;

namespace {

constexpr std::array<std::string_view, 4> kSorts = {"requests", "bytes", "misses", "time"};
constexpr std::array<const char*, 7> kOutcomes = {"hit",       "stale", "revalidated", "miss",
                                                  "collapsed", "pass",  "error"};
// Where an outcome's count stands in /v1/stats.
constexpr std::array<const char*, 7> kOutcomeValues = {"edge.hits",   "edge.stale",     "edge.revalidated",
                                                       "edge.misses", "edge.collapsed", "edge.passed",
                                                       "edge.errors"};

double number_in(const json& object, const char* name) {
  const auto member = object.find(name);
  return member != object.end() && member->is_number() ? member->get<double>() : 0;
}

std::vector<double> numbers_in(const json& object, const char* name) {
  std::vector<double> numbers;
  const auto member = object.find(name);
  if (member == object.end() || !member->is_array()) return numbers;
  for (const json& each : *member) numbers.push_back(each.is_number() ? each.get<double>() : 0);
  return numbers;
}

void read_latency(const json& latency, TopLook& look) {
  look.bounds = numbers_in(latency, "bounds");
  const auto first_byte = latency.find("first_byte");
  if (first_byte == latency.end() || !first_byte->is_object()) return;
  for (const auto& [outcome, values] : first_byte->items()) {
    std::vector<double> buckets = numbers_in(values, "buckets");
    if (values.is_object() && buckets.size() == look.bounds.size() + 1) {
      look.first_byte[outcome] = std::move(buckets);
    }
  }
}

// What a terminal would not print as it stands becomes a question mark.
std::string printable(std::string text) {
  for (char& c : text) {
    if (c < 0x20 || c > 0x7e) c = '?';
  }
  return text;
}

// What happened between two looks.
class Between {
 public:
  Between(const TopLook& before, const TopLook& now) : before_(before), now_(now) {
    seconds_ = std::max(std::chrono::duration<double>(now.at - before.at).count(), 1e-3);
    const auto up = [](const TopLook& look) { return value_in(look, "edge.uptime_seconds"); };
    restarted_ = up(now) < up(before);
  }

  [[nodiscard]] double value(const std::string& name) const { return value_in(now_, name); }
  [[nodiscard]] double grown(const std::string& name) const {
    const double then = restarted_ ? 0 : value_in(before_, name);
    return std::max(value(name) - then, 0.0);
  }
  [[nodiscard]] double rate(const std::string& name) const { return grown(name) / seconds_; }
  [[nodiscard]] double seconds() const { return seconds_; }

  [[nodiscard]] std::vector<double> buckets(const std::string& outcome) const {
    const auto now = now_.first_byte.find(outcome);
    if (now == now_.first_byte.end()) return {};
    std::vector<double> grown = now->second;
    const auto then = before_.first_byte.find(outcome);
    if (restarted_ || then == before_.first_byte.end() || then->second.size() != grown.size()) return grown;
    for (std::size_t i = 0; i < grown.size(); ++i) grown[i] = std::max(grown[i] - then->second[i], 0.0);
    return grown;
  }

  // A target that has come in between is counted without what it inherited.
  [[nodiscard]] TopLook::Target target(const std::string& name, const TopLook::Target& now) const {
    TopLook::Target grown = now;
    grown.requests -= now.overcount;
    const auto then = before_.targets.find(name);
    if (restarted_ || then == before_.targets.end()) return grown;
    const TopLook::Target& old = then->second;
    // It was displaced and has come back: what is counted of it has begun anew.
    if (now.overcount != old.overcount || now.requests < old.requests) return grown;
    return {now.requests - old.requests, 0, now.hits - old.hits, now.bytes - old.bytes,
            now.seconds - old.seconds};
  }

 private:
  static double value_in(const TopLook& look, const std::string& name) {
    const auto found = look.values.find(name);
    return found == look.values.end() ? 0 : found->second;
  }

  const TopLook& before_;
  const TopLook& now_;
  double seconds_ = 1;
  bool restarted_ = false;
};

std::string per_second(double rate) {
  return rate < 10 && rate > 0 ? printed("%.1f", rate) : count_text(rate);
}

std::string percent(double part, double whole) {
  return whole > 0 ? printed("%.1f", 100 * part / whole) : "-";
}

std::string milliseconds(std::optional<double> seconds) {
  return seconds ? printed("%.2f", *seconds * 1000) : "-";
}

std::string right(const std::string& text, std::size_t width) {
  return text.size() >= width ? text : std::string(width - text.size(), ' ') + text;
}

std::string left(std::string text, std::size_t width) {
  text.resize(std::max(width, text.size()), ' ');
  return text;
}

double requests_of(const Between& between) {
  double all = 0;
  for (const char* const name : kOutcomeValues) all += between.grown(name);
  return all;
}

void add_summary(std::vector<std::string>& lines, const TopLook& now, const Between& between, TopSort sort) {
  const double requests = requests_of(between);
  lines.push_back("freshet " + printable(now.version) + ", up " +
                  seconds_text(between.value("edge.uptime_seconds")) + ", " +
                  count_text(between.value("edge.workers")) + " workers; the last " +
                  printed("%.1f", between.seconds()) + " s, sorted by " + std::string(top_sort_name(sort)));
  lines.push_back("clients  " + right(per_second(requests / between.seconds()), 9) + " requests/s   hits " +
                  percent(between.grown("edge.hits"), requests) + " %   304 " +
                  per_second(between.rate("edge.not_modified")) + "/s   sent " +
                  bytes_text(between.rate("edge.sent_bytes")) + "/s   connections " +
                  count_text(between.value("edge.connections")));
  lines.push_back("origin   " + right(per_second(between.rate("origin.requests")), 9) + " requests/s   304 " +
                  per_second(between.rate("origin.not_modified")) + "/s   errors " +
                  per_second(between.rate("origin.errors")) + "/s   received " +
                  bytes_text(between.rate("origin.body_bytes")) + "/s   in progress " +
                  count_text(between.value("origin.in_flight")) + "   waiting " +
                  count_text(between.value("origin.queued")));
  for (const std::string tier : {"memory", "disk"}) {
    lines.push_back(left(tier, 9) + right(bytes_text(between.value(tier + ".bytes")), 9) + " of " +
                    bytes_text(between.value(tier + ".budget")) + "   responses " +
                    count_text(between.value(tier + ".responses")) + "   hits " +
                    per_second(between.rate(tier + ".hits")) + "/s   evicted " +
                    per_second(between.rate(tier + ".evictions")) + "/s");
  }
}

void add_outcomes(std::vector<std::string>& lines, const TopLook& now, const Between& between) {
  lines.emplace_back();
  lines.emplace_back("OUTCOME           REQ/S       %   FIRST BYTE, MS: MEDIAN       99 %");
  const double requests = requests_of(between);
  for (std::size_t i = 0; i < kOutcomes.size(); ++i) {
    const double some = between.grown(kOutcomeValues[i]);
    if (some <= 0) continue;
    const std::vector<double> buckets = between.buckets(kOutcomes[i]);
    lines.push_back(left(kOutcomes[i], 13) + right(per_second(some / between.seconds()), 10) +
                    right(percent(some, requests), 8) +
                    right(milliseconds(bucket_quantile(now.bounds, buckets, 0.5)), 25) +
                    right(milliseconds(bucket_quantile(now.bounds, buckets, 0.99)), 11));
  }
}

double sort_value(const TopLook::Target& use, TopSort sort) {
  switch (sort) {
    case TopSort::kBytes:
      return use.bytes;
    case TopSort::kMisses:
      return use.requests - use.hits;
    case TopSort::kTime:
      return use.requests > 0 ? use.seconds / use.requests : 0;
    case TopSort::kRequests:
      break;
  }
  return use.requests;
}

void add_targets(std::vector<std::string>& lines, const TopLook& now, const Between& between, TopSort sort) {
  std::vector<std::pair<std::string, TopLook::Target>> used;
  for (const auto& [name, target] : now.targets) {
    const TopLook::Target use = between.target(name, target);
    if (use.requests > 0) used.emplace_back(name, use);
  }
  std::sort(used.begin(), used.end(), [&](const auto& a, const auto& b) {
    const double first = sort_value(a.second, sort);
    const double second = sort_value(b.second, sort);
    return first != second ? first > second : a.first < b.first;
  });
  lines.emplace_back();
  lines.emplace_back("     REQ/S   HIT %       SENT/S    AVG MS  TARGET");
  for (const auto& [name, use] : used) {
    lines.push_back(right(per_second(use.requests / between.seconds()), 10) +
                    right(percent(use.hits, use.requests), 8) +
                    right(bytes_text(use.bytes / between.seconds()), 13) +
                    right(milliseconds(use.seconds / use.requests), 10) + "  " + printable(name));
  }
}

}  // namespace

std::optional<TopSort> top_sort_of(std::string_view name) {
  const auto found = std::find(kSorts.begin(), kSorts.end(), name);
  if (found == kSorts.end()) return std::nullopt;
  return static_cast<TopSort>(found - kSorts.begin());
}

std::string_view top_sort_name(TopSort sort) {
  return kSorts[static_cast<std::size_t>(sort)];
}

Result<TopLook> read_top_look(std::string_view stats, std::string_view top, storage::MonoTime at) {
  const json read = json::parse(stats.begin(), stats.end(), nullptr, false);
  const json targets = json::parse(top.begin(), top.end(), nullptr, false);
  if (!read.is_object() || !targets.is_object()) return Error{"the edge's answer is not JSON"};
  TopLook look;
  look.at = at;
  if (const auto version = read.find("version"); version != read.end() && version->is_string()) {
    look.version = version->get<std::string>();
  }
  for (const auto& [section, members] : read.items()) {
    if (!members.is_object()) continue;
    for (const auto& [name, value] : members.items()) {
      if (value.is_number()) look.values[std::string(section).append(".").append(name)] = value.get<double>();
    }
  }
  if (const auto latency = read.find("latency"); latency != read.end() && latency->is_object()) {
    read_latency(*latency, look);
  }
  const auto list = targets.find("targets");
  if (list == targets.end() || !list->is_array()) return look;
  for (const json& each : *list) {
    const auto name = each.is_object() ? each.find("target") : each.end();
    if (name == each.end() || !name->is_string()) continue;
    look.targets[name->get<std::string>()] = {number_in(each, "requests"), number_in(each, "overcount"),
                                              number_in(each, "hits"), number_in(each, "bytes"),
                                              number_in(each, "seconds")};
  }
  return look;
}

std::optional<double> bucket_quantile(const std::vector<double>& bounds, const std::vector<double>& buckets,
                                      double quantile) {
  const double all = std::accumulate(buckets.begin(), buckets.end(), 0.0);
  if (all <= 0 || buckets.size() != bounds.size() + 1) return std::nullopt;
  const double rank = quantile * all;
  double below = 0;
  for (std::size_t i = 0; i < bounds.size(); ++i) {
    if (below + buckets[i] >= rank && buckets[i] > 0) {
      const double from = i == 0 ? 0 : bounds[i - 1];
      return from + (bounds[i] - from) * (rank - below) / buckets[i];
    }
    below += buckets[i];
  }
  return bounds.back();
}

std::vector<std::string> top_view(const TopLook& before, const TopLook& now, const TopViewOptions& options) {
  const Between between(before, now);
  std::vector<std::string> lines;
  add_summary(lines, now, between, options.sort);
  add_outcomes(lines, now, between);
  add_targets(lines, now, between, options.sort);
  if (lines.size() > options.rows) lines.resize(options.rows);
  for (std::string& line : lines) {
    if (line.size() > options.columns) line.resize(options.columns);
  }
  return lines;
}

}  // namespace freshet::proxy
