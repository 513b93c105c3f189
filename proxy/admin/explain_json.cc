#include "proxy/admin/explain_json.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <nlohmann/json.hpp>
#include <utility>

#include "proxy/admin/freshness_text.h"
#include "proxy/observe/log_text.h"
#include "revalidate/policy/selection.h"

namespace freshet::proxy {

using nlohmann::ordered_json;
using revalidate::Reason;
using storage::FieldName;

namespace {

void add_reason(ordered_json& to, Reason reason) {
  to["reason"] = revalidate::reason_token(reason);
  to["sentence"] = revalidate::reason_sentence(reason);
  if (!revalidate::reason_section(reason).empty()) to["section"] = revalidate::reason_section(reason);
}

ordered_json or_null(const std::optional<std::string>& text) {
  return text ? ordered_json(*text) : ordered_json(nullptr);
}

std::string digest_text(const storage::Digest128& digest) {
  std::array<char, 32> text{};
  append_digest(text.data(), digest);
  return {text.data(), text.size()};
}

std::string_view what_of(const Explanation& it) {
  using Kind = revalidate::ReuseDecision::Kind;
  if (it.asking && !it.asking->background) {
    if (it.outcome == CacheOutcome::kPass) return "pass";
    return it.asking->own_conditions ? "revalidate" : "miss";
  }
  if (it.outcome == CacheOutcome::kError) return "error";
  if (it.outcome != CacheOutcome::kStale) return "hit";
  const bool refreshed = it.decision && it.decision->kind == Kind::kServeStaleAndRevalidate;
  return refreshed ? "stale-while-revalidate" : "stale";
}

ordered_json answer_json(const Explanation& it) {
  ordered_json out;
  out["what"] = what_of(it);
  out["status"] = it.status != 0 ? ordered_json(it.status) : ordered_json(nullptr);
  add_reason(out, it.reason);
  if (it.part != Reason::kNone) add_reason(out["part"], it.part);
  out["cache_status"] = it.cache_status;
  if (it.in_slices) out["in_slices"] = true;
  return out;
}

ordered_json request_json(const Explanation& it) {
  const storage::RequestHead& request = it.request;
  const std::string base = request.scheme + "://" + request.authority;
  ordered_json out;
  out["method"] = request.method_text;
  out["url"] = base + request.target;
  if (!it.asked_target.empty() && it.asked_target != request.target) {
    out["asked_url"] = base + it.asked_target;
  }
  out["fields"] = ordered_json::array();
  for (const storage::HeaderFields::Line line : request.fields) {
    if (line.id == FieldName::kHost) continue;
    out["fields"].push_back(std::string(line.name).append(": ").append(line.value));
  }
  return out;
}

// The parameters that the rules drop, by the function that drops them.
ordered_json ignored_query(const Explanation& it) {
  ordered_json out = ordered_json::array();
  const std::size_t question = it.asked_target.find('?');
  if (question == std::string::npos) return out;
  std::string_view query = std::string_view(it.asked_target).substr(question + 1);
  while (!query.empty()) {
    const std::string_view parameter = query.substr(0, query.find('&'));
    query.remove_prefix(std::min(parameter.size() + 1, query.size()));
    const std::string alone = std::string("/?").append(parameter);
    if (!parameter.empty() && revalidate::normalised_target(alone, it.key_rules) == "/") {
      out.push_back(parameter);
    }
  }
  return out;
}

// One "#", letter, size, ":" and text of a key (exchange_key.cc).
struct KeyPart {
  char letter = 0;
  std::string_view text;
};
bool next_part(std::string_view& rest, KeyPart& part) {
  if (rest.size() < 2 || rest[0] != '#') return false;
  std::size_t size = 0;
  const auto read = std::from_chars(rest.data() + 2, rest.data() + rest.size(), size);
  if (read.ec != std::errc{} || read.ptr == rest.data() + rest.size() || *read.ptr != ':') return false;
  part.letter = rest[1];
  rest.remove_prefix(static_cast<std::size_t>(read.ptr + 1 - rest.data()));
  part.text = rest.substr(0, size);
  rest.remove_prefix(std::min(size, rest.size()));
  return true;
}

ordered_json added_part(const KeyPart& part, const std::vector<std::string>& fields, std::size_t& field,
                        const std::vector<std::string>& cookies, std::size_t& cookie) {
  const auto named = [&](const char* what, const std::vector<std::string>& names, std::size_t& at) {
    ordered_json out = {{"what", what}, {"name", at < names.size() ? names[at] : ""}};
    ++at;
    return out;
  };
  ordered_json out;
  switch (part.letter) {
    case 'F':
    case 'f':
      out = named("field", fields, field);
      break;
    case 'C':
    case 'c':
      out = named("cookie", cookies, cookie);
      break;
    default:
      out["what"] = part.letter == 'h' ? "forwarded-host" : "forwarded";
      break;
  }
  const bool absent = part.letter == 'f' || part.letter == 'c';
  out["value"] = absent ? ordered_json(nullptr) : ordered_json(part.text);
  return out;
}

ordered_json key_json(const Explanation& it) {
  ordered_json out;
  out["text"] = it.key.text;
  out["digest"] = digest_text(it.key.digest);
  std::string_view rest = it.key.text;
  const std::size_t end = std::min(rest.find('#'), rest.size());
  out["uri"] = rest.substr(0, end);
  if (auto ignored = ignored_query(it); !ignored.empty()) out["ignored_query"] = std::move(ignored);
  if (it.key_rules.sort_query) out["sorted_query"] = true;
  rest.remove_prefix(end);
  std::size_t field = 0;
  std::size_t cookie = 0;
  KeyPart part;
  while (next_part(rest, part)) {
    if (part.letter == 'n') {
      out["no_vary_search"] = part.text;
    } else {
      out["adds"].push_back(added_part(part, it.key_rules.fields, field, it.key_rules.cookies, cookie));
    }
  }
  return out;
}

std::string_view scope_name(storage::ScopeKind kind) {
  constexpr std::array<std::string_view, 5> kNames = {"all", "host", "prefix", "tag", "url"};
  return kNames[static_cast<std::size_t>(kind)];
}

// `head` may be null: then nothing is said of an effect.
ordered_json purges_json(const std::vector<storage::CoveringScope>& purges, const storage::StoredHead* head) {
  ordered_json out = ordered_json::array();
  for (const storage::CoveringScope& each : purges) {
    ordered_json one = {{"scope", scope_name(each.scope.kind)},
                        {"text", each.scope.text},
                        {"strength", each.strength == storage::Strength::kHard ? "hard" : "soft"},
                        {"sequence", each.sequence}};
    if (head != nullptr) one["takes_effect"] = storage::takes_effect(each, *head);
    out.push_back(std::move(one));
  }
  return out;
}

ordered_json freshness_json(const revalidate::FreshnessAccount& account, double fraction) {
  ordered_json out;
  out["source"] = lifetime_source_name(account.source);
  if (!account.field.empty()) out["field"] = account.field;
  out["lifetime_ms"] = storage::Milliseconds(account.lifetime).count();
  out["age_ms"] = account.age.count();
  out["left_ms"] = account.left.count();
  out["age_value"] = account.age_value.count();
  if (account.date) out["date"] = time_text(*account.date);
  out["request_time"] = time_text(account.request_time);
  out["response_time"] = time_text(account.response_time);
  out["apparent_age_ms"] = std::max(account.initial.apparent, storage::Milliseconds{0}).count();
  out["response_delay_ms"] = account.initial.response_delay.count();
  out["corrected_age_value_ms"] = account.initial.corrected_value.count();
  out["corrected_initial_age_ms"] = account.initial.value().count();
  out["resident_time_ms"] = account.resident.count();
  for (const NamedLine& line : freshness_lines(account, fraction)) {
    out["lines"].push_back({{"name", line.name}, {"value", line.value}, {"from", line.from}});
  }
  return out;
}

ordered_json selecting_json(const storage::StoredHead& head, const storage::RequestHead& request) {
  ordered_json out = ordered_json::array();
  for (const storage::SelectingField& field : head.selecting) {
    out.push_back({{"name", field.name},
                   {"stored", or_null(field.value)},
                   {"request", or_null(revalidate::normalised_value(request, field.name))}});
  }
  return out;
}

ordered_json validators_json(const storage::StoredHead& head) {
  ordered_json out = ordered_json::object();
  if (const auto tag = head.response.fields.first(FieldName::kETag)) {
    out["etag"] = *tag;
    out["etag_is_ours"] = head.own_entity_tag;
  }
  if (const auto date = head.response.fields.first(FieldName::kLastModified)) out["last_modified"] = *date;
  return out;
}

// The fields that speak of caching, as they are stored.
ordered_json caching_fields(const storage::HeaderFields& fields) {
  constexpr std::array<std::string_view, 5> kNames = {"Cache-Control", "CDN-Cache-Control",
                                                      "Surrogate-Control", "Expires", "Vary"};
  ordered_json out = ordered_json::array();
  for (const storage::HeaderFields::Line line : fields) {
    for (const std::string_view name : kNames) {
      if (storage::equals_ignoring_case(line.name, name)) {
        out.push_back(std::string(line.name).append(": ").append(line.value));
      }
    }
  }
  return out;
}

ordered_json stored_json(const ExplainedResponse& it, const Explanation& all) {
  constexpr std::array<std::string_view, 3> kStandings = {"current", "stale", "dead"};
  const storage::StoredHead& head = it.response->head();
  ordered_json out;
  out["selected"] = it.selected;
  out["status"] = head.response.status;
  out["bytes"] = head.body_size;
  if (head.sliced) out["in_slices"] = true;
  out["in_memory"] = it.in_memory;
  out["on_disk"] = it.on_disk;
  out["standing"] = kStandings[static_cast<std::size_t>(it.standing)];
  if (head.outdated) out["outdated"] = true;
  if (!head.selecting.empty()) out["selecting"] = selecting_json(head, all.request);
  out["validators"] = validators_json(head);
  out["cache_control"] = caching_fields(head.response.fields);
  out["freshness"] = freshness_json(it.freshness, all.heuristic_fraction);
  if (!head.tags.empty()) out["tags"] = head.tags;
  out["purges"] = purges_json(it.purges, &head);
  return out;
}

ordered_json origin_json(const ExplainedAsking& asking) {
  ordered_json out;
  out["method"] = asking.method;
  out["target"] = asking.target;
  out["conditional"] = !asking.if_none_match.empty() || !asking.if_modified_since.empty();
  if (!asking.if_none_match.empty()) out["conditions"]["If-None-Match"] = asking.if_none_match;
  if (!asking.if_modified_since.empty()) out["conditions"]["If-Modified-Since"] = asking.if_modified_since;
  if (!asking.range.empty()) out["range"] = asking.range;
  out["own_conditions"] = asking.own_conditions;
  out["background"] = asking.background;
  out["alone"] = asking.alone;
  out["joins"] = asking.joins;
  if (asking.not_shareable) out["not_shareable"] = true;
  return out;
}

ordered_json failure_json(const Explanation& it) {
  ordered_json out;
  const bool stale = it.if_origin_fails && it.if_origin_fails->serve_stale;
  int status = it.status_if_unreachable;
  for (const ExplainedResponse& each : it.stored) {
    if (stale && each.selected) status = each.response->head().response.status;
  }
  out["status"] = status;
  if (stale) add_reason(out, it.if_origin_fails->reason);
  return out;
}

ordered_json contact_json(const revalidate::OriginContact& contact, storage::WallTime now) {
  ordered_json out;
  out["at"] = time_text(contact.at);
  out["ago_ms"] = std::max(now - contact.at, storage::Milliseconds{0}).count();
  out["took_ms"] = contact.took.count();
  out["method"] = storage::method_name(contact.method);
  out["conditional"] = contact.conditional;
  out["status"] = contact.status != 0 ? ordered_json(contact.status) : ordered_json(nullptr);
  if (contact.reason != Reason::kNone) add_reason(out, contact.reason);
  return out;
}

}  // namespace

std::string explain_json(const Explanation& it) {
  ordered_json out;
  out["request"] = request_json(it);
  out["answer"] = answer_json(it);
  out["key"] = key_json(it);
  out["stored"] = ordered_json::array();
  for (const ExplainedResponse& each : it.stored) {
    out["stored"].push_back(stored_json(each, it));
  }
  if (it.asking) out["origin"] = origin_json(*it.asking);
  if (it.asking && !it.asking->background) out["if_origin_fails"] = failure_json(it);
  out["purges"] = purges_json(it.purges, nullptr);
  out["sequence"] = it.sequence;
  out["contacts"] = ordered_json::array();
  for (const revalidate::OriginContact& each : it.contacts) {
    out["contacts"].push_back(contact_json(each, it.now));
  }
  // Much of it are clients' and origins' bytes.
  return out.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
}

}  // namespace freshet::proxy
