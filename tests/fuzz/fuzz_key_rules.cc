// Targets and rules of any kind: a normalised target is its own normal form, without rules it comes back byte
// for byte, and two orders of the same parameters make one key where order does not count. The first line is
// No-Vary-Search and the names of an operator's rule, the rest the target.
#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

#include "revalidate/policy/key_rules.h"
#include "storage/base/check.h"
#include "storage/http/field_syntax.h"

using namespace freshet;

namespace {

void check_operator_rules(std::string_view names, std::string_view target) {
  revalidate::KeyRules rules;
  FRESHET_CHECK(revalidate::normalised_target(target, rules) == target);
  storage::ListReader reader(names);
  std::string_view name;
  while (reader.next(name)) rules.ignore_query.emplace_back(name);
  for (const bool sort : {false, true}) {
    rules.sort_query = sort;
    const std::string once = revalidate::normalised_target(target, rules);
    FRESHET_CHECK(once.size() <= target.size());
    FRESHET_CHECK(revalidate::normalised_target(once, rules) == once);
  }
}

// The target with its parameters in the opposite order.
std::string reversed(std::string_view target) {
  const std::size_t question = target.find('?');
  if (question == std::string_view::npos) return std::string(target);
  std::string_view query = target.substr(question + 1);
  std::string out;
  for (;;) {
    const std::size_t last = query.rfind('&');
    out.append(query.substr(last == std::string_view::npos ? 0 : last + 1));
    if (last == std::string_view::npos) break;
    out.push_back('&');
    query = query.substr(0, last);
  }
  return std::string(target.substr(0, question + 1)) + out;
}

bool has_repeated_name(std::string_view normal) {
  std::vector<std::string_view> names;
  std::string_view query = normal.substr(std::min(normal.find('?'), normal.size()));
  while (!query.empty()) {
    query.remove_prefix(1);
    const std::size_t end = std::min(query.find('&'), query.size());
    names.push_back(query.substr(0, std::min(query.find('='), end)));
    query.remove_prefix(end);
  }
  std::sort(names.begin(), names.end());
  return std::adjacent_find(names.begin(), names.end()) != names.end();
}

void check_no_vary_search(std::string_view value, std::string_view target) {
  storage::HeaderFields fields;
  fields.add("No-Vary-Search", value);
  const auto rule = revalidate::parse_no_vary_search(fields);
  if (!rule) return;
  FRESHET_CHECK(!revalidate::rule_text(*rule).empty());
  const std::string once = revalidate::normalised_target(target, *rule);
  FRESHET_CHECK(revalidate::normalised_target(once, *rule) == once);
  FRESHET_CHECK(once.substr(0, once.find('?')) == target.substr(0, target.find('?')));
  if (rule->ignores_order && !has_repeated_name(once)) {
    FRESHET_CHECK(revalidate::normalised_target(reversed(target), *rule) == once);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string text(reinterpret_cast<const char*>(data), size);
  const std::size_t line = std::min(text.find('\n'), text.size());
  std::string value = text.substr(0, line);
  std::string target = text.substr(std::min(line + 1, text.size()));
  // Neither a field value nor a target has these.
  const auto cannot_be = [](char c) { return c == '\r' || c == '\n' || c == '\0'; };
  std::replace_if(value.begin(), value.end(), cannot_be, ' ');
  std::replace_if(target.begin(), target.end(), cannot_be, '_');
  check_operator_rules(value, target);
  check_no_vary_search(value, target);
  return 0;
}
