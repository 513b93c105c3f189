// MetricsLint: what a text in Prometheus' format says, and what is wrong with it: the rules that
// `promtool check metrics` documents and applies. Each family has HELP, then TYPE, then its samples, once;
// names are in snake_case, without colons, without a type or an abbreviated unit in them, and in base units;
// counters and they alone end in _total; _bucket, _count, _sum and the label `le` are of histograms, whose
// buckets rise and end with +Inf, the count.
#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

namespace freshet::proxy {

class MetricsLint {
 public:
  explicit MetricsLint(const std::string& text);

  [[nodiscard]] const std::vector<std::string>& findings() const { return findings_; }
  // By name with labels.
  [[nodiscard]] const std::map<std::string, std::string>& values() const { return values_; }

 private:
  void read_help(const std::string& line);
  void read_type(const std::string& line);
  void read_sample(const std::string& line);
  void check_name(const std::string& name, const std::string& type);
  void check_bucket(const std::string& labels, double bound, double value);
  void find(const std::string& what) { findings_.push_back(what); }

  std::vector<std::string> findings_;
  std::map<std::string, std::string> values_;
  std::set<std::string> families_;
  std::string family_;
  std::string type_;
  std::map<std::string, std::pair<double, double>> last_buckets_;  // by family and labels: bound, value
};

}  // namespace freshet::proxy
