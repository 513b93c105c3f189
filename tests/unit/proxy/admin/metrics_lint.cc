#include "tests/unit/proxy/admin/metrics_lint.h"

#include <cmath>
#include <limits>
#include <regex>
#include <sstream>

namespace freshet::proxy {

namespace {

std::vector<std::string> words_of(const std::string& name) {
  std::vector<std::string> words;
  std::istringstream in(name);
  for (std::string word; std::getline(in, word, '_');) words.push_back(word);
  return words;
}

bool ends_with(const std::string& name, const std::string& end) {
  return name.size() > end.size() && name.substr(name.size() - end.size()) == end;
}

// Not in base units, and abbreviations of units.
const std::set<std::string>& wrong_units() {
  static const std::set<std::string> kUnits = {
      "milliseconds", "microseconds", "nanoseconds", "minutes", "hours",     "days",      "weeks",
      "kilobytes",    "megabytes",    "gigabytes",   "bits",    "kibibytes", "mebibytes", "percent",
      "ms",           "us",           "ns",          "sec",     "s",         "b",         "kb",
      "mb",           "gb",           "millis",      "kib",     "mib",       "gib",       "min",
  };
  return kUnits;
}

}  // namespace

MetricsLint::MetricsLint(const std::string& text) {
  if (text.empty() || text.back() != '\n') find("does not end with a line feed");
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);) {
    if (line.rfind("# HELP ", 0) == 0) {
      read_help(line);
    } else if (line.rfind("# TYPE ", 0) == 0) {
      read_type(line);
    } else {
      read_sample(line);
    }
  }
  for (const auto& [name, last] : last_buckets_) {
    if (!std::isinf(last.first)) find(name + " has no bucket +Inf");
  }
}

void MetricsLint::read_help(const std::string& line) {
  static const std::regex kHelp("# HELP ([a-zA-Z_:][a-zA-Z0-9_:]*) (.+)");
  std::smatch match;
  if (!std::regex_match(line, match, kHelp)) return find("no help: " + line);
  family_ = match[1];
  type_.clear();
  if (!families_.insert(family_).second) find(family_ + " stands there twice");
}

void MetricsLint::read_type(const std::string& line) {
  static const std::regex kType("# TYPE ([a-zA-Z_:][a-zA-Z0-9_:]*) (counter|gauge|histogram)");
  std::smatch match;
  if (!std::regex_match(line, match, kType)) return find("no type: " + line);
  if (match[1] != family_) find(line + " has no HELP before it");
  type_ = match[2];
  check_name(family_, type_);
}

void MetricsLint::check_name(const std::string& name, const std::string& type) {
  if (ends_with(name, "_total") != (type == "counter")) find(name + " is a " + type);
  for (const char* const reserved : {"_bucket", "_count", "_sum", "_info_total"}) {
    if (ends_with(name, reserved)) find(name + " ends as a sample of a histogram does");
  }
  static const std::regex kSnake("[a-z][a-z0-9_]*");
  if (!std::regex_match(name, kSnake)) find(name + " is not in snake_case without colons");
  for (const std::string& word : words_of(name)) {
    if (wrong_units().count(word) > 0)
      find(std::string(name).append(" is not in a base unit: ").append(word));
    for (const char* const kind : {"counter", "gauge", "histogram", "summary"}) {
      if (word == kind) find(name + " has its type in its name");
    }
  }
}

void MetricsLint::read_sample(const std::string& line) {
  static const std::regex kSample(
      R"(([a-zA-Z_:][a-zA-Z0-9_:]*)(\{[a-z_]+="[^"\\\n]*"(?:,[a-z_]+="[^"\\\n]*")*\})? (-?[0-9]+(?:\.[0-9]+)?))");
  static const std::regex kBound(R"re(,?le="([^"]*)")re");
  std::smatch match;
  if (!std::regex_match(line, match, kSample)) return find("not in the format: " + line);
  const std::string name = match[1];
  const std::string labels = match[2];
  const double value = std::stod(match[3]);
  if (!values_.emplace(name + labels, match[3]).second) find("twice: " + line);
  if (type_ != "histogram") {
    if (name != family_ || type_.empty()) find(line + " has no HELP and TYPE before it");
    if (labels.find("le=") != std::string::npos) find(line + " has the label of a histogram");
    return;
  }
  const std::string part = name.substr(std::min(family_.size(), name.size()));
  if (name.rfind(family_, 0) != 0 || (part != "_bucket" && part != "_sum" && part != "_count")) {
    return find(line + " is not of the histogram before it");
  }
  if (part == "_bucket") {
    std::smatch bound;
    if (!std::regex_search(labels, bound, kBound)) return find(line + " has no bound");
    const double limit = bound[1] == "+Inf" ? std::numeric_limits<double>::infinity() : std::stod(bound[1]);
    check_bucket(std::regex_replace(labels, kBound, ""), limit, value);
  } else if (part == "_count") {
    const auto& last = last_buckets_[family_ + (labels.empty() ? "{}" : labels)];
    if (last.second != value) find(line + " is not what the last bucket says");
  }
}

void MetricsLint::check_bucket(const std::string& labels, double bound, double value) {
  const auto [place, is_first] = last_buckets_.emplace(family_ + labels, std::pair{bound, value});
  if (is_first) return;
  auto& [last_bound, last_value] = place->second;
  if (bound <= last_bound || value < last_value) find(family_ + labels + " does not rise");
  last_bound = bound;
  last_value = value;
}

}  // namespace freshet::proxy
