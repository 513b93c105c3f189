// What belongs in a cache key besides the target URI, and what of the query does not: by an operator's rule
// (KeyRules), or because the origin says so (No-Vary-Search, draft-ietf-httpbis-no-vary-search).
//
// The two differ: a rule changes the target itself, which the origin is then asked for as well, so that the
// key covers what the origin sees. No-Vary-Search describes an answer that has been given: its form of the
// target is for looking up alone. Pure.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "storage/http/message_head.h"

namespace freshet::revalidate {

struct KeyRules {
  std::vector<std::string> ignore_query;  // names of parameters, or "prefix*"; compared as they are written
  bool sort_query = false;                // by name; parameters of one name keep their order
  std::vector<std::string> fields;        // request header fields whose values count
  std::vector<std::string> cookies;       // names of cookies whose values count

  [[nodiscard]] bool changes_target() const { return sort_query || !ignore_query.empty(); }
};

// The target without the ignored parameters, sorted where asked for; nothing is decoded, "a" and "a=" stay
// two things. Where all parameters went, so does the "?"; what no rule touches comes back byte for byte.
[[nodiscard]] std::string normalised_target(std::string_view target, const KeyRules& rules);

// Appends the named fields and cookies of the request, each as "#", a letter, its size, ":" and its value
// (behind a target, which has no "#", no two requests make one text). One that is absent differs from one
// that is empty. A field's lines count as one list; of several cookies of one name all count.
void append_key_fields(std::string& key_text, const storage::RequestHead& request, const KeyRules& rules);

// A stored response's tag for its target URI, where more than that stands in its key: what invalidates the
// URI cannot know the values. Empty where the key is the URI and no more.
[[nodiscard]] std::string target_tag(std::string_view key_text);

// The tag of responses whose key says that parts of the query do not matter: all of a path, for who wants one
// of them forgotten and no longer knows the rule. Of a URI, the tag of its path.
[[nodiscard]] std::string search_tag(std::string_view uri);

// What of the query an answer does not depend on; names are decoded. Never the default, by which all of it
// counts.
struct NoVarySearch {
  bool ignores_order = false;        // key-order
  bool ignores_all = false;          // params, or params with except
  std::vector<std::string> ignored;  // params=("a" "b")
  std::vector<std::string> except;   // with ignores_all: these count after all

  friend bool operator==(const NoVarySearch&, const NoVarySearch&) = default;
};

// Nothing where the field is absent, cannot be read or says the default.
[[nodiscard]] std::optional<NoVarySearch> parse_no_vary_search(const storage::HeaderFields& fields);

// One text for all targets that the rule calls equivalent, made by parsing the query as a form does:
// decoded, filtered, sorted if order does not count, encoded again. Bytes that are no UTF-8 stay different
// from U+FFFD (the draft makes them one): a miss at worst.
[[nodiscard]] std::string normalised_target(std::string_view target, const NoVarySearch& rule);

// The rule as one short text, the same for rules that mean the same: for a key of its own.
[[nodiscard]] std::string rule_text(const NoVarySearch& rule);

}  // namespace freshet::revalidate
