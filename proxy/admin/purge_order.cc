#include "proxy/admin/purge_order.h"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <set>
#include <utility>

#include "proxy/admin/scope_text.h"
#include "proxy/exchange/purge.h"

namespace freshet::proxy {

using nlohmann::json;
using storage::ScopeKind;

namespace {

constexpr std::size_t kMostShown = 200;  // bytes of a scope, in the event log

using ParseScope = storage::Result<std::string> (*)(std::string_view);

// The members that are lists of scopes.
struct ListMember {
  const char* name;
  std::vector<std::string> PurgeOrder::*list;
  ParseScope parse;
};
constexpr std::array<ListMember, 4> kLists = {{{"urls", &PurgeOrder::urls, &parse_scope_url},
                                               {"prefixes", &PurgeOrder::prefixes, &parse_scope_prefix},
                                               {"hosts", &PurgeOrder::hosts, &parse_scope_host},
                                               {"tags", &PurgeOrder::tags, &parse_scope_tag}}};

std::string at(const std::string& member, std::size_t index) {
  return member + "[" + std::to_string(index) + "]";
}

void read_list(const json& value, const ListMember& member, PurgeOrder& order,
               std::vector<PurgeError>& errors) {
  if (!value.is_array()) {
    errors.push_back({member.name, "is not a list of strings"});
    return;
  }
  std::vector<std::string>& list = order.*member.list;
  for (std::size_t i = 0; i < value.size(); ++i) {
    if (!value[i].is_string()) errors.push_back({at(member.name, i), "is not a string"});
    list.push_back(value[i].is_string() ? value[i].get<std::string>() : "");
  }
}

void read_switch(const std::string& name, const json& value, bool& to, std::vector<PurgeError>& errors) {
  if (!value.is_boolean()) {
    errors.push_back({name, "is not true or false"});
  } else {
    to = value.get<bool>();
  }
}

void read_member(const std::string& name, const json& value, PurgeOrder& order,
                 std::vector<PurgeError>& errors) {
  for (const ListMember& member : kLists) {
    if (name == member.name) return read_list(value, member, order, errors);
  }
  if (name == "all") return read_switch(name, value, order.all, errors);
  if (name == "soft") return read_switch(name, value, order.soft, errors);
  errors.push_back(
      {name.substr(0, 100), "is no member; there are urls, prefixes, hosts, tags, all and soft"});
}

// JSON has them, and the last would silently win: somebody's scopes would stay unpurged.
class Repeated {
 public:
  bool operator()(int depth, json::parse_event_t event, const json& parsed) {
    if (event != json::parse_event_t::key || depth != 1) return true;
    const auto name = parsed.get<std::string>();
    if (!seen_.insert(name).second) errors_.push_back({name.substr(0, 100), "is there twice"});
    return true;
  }
  [[nodiscard]] std::vector<PurgeError> take() { return std::move(errors_); }

 private:
  std::set<std::string> seen_;
  std::vector<PurgeError> errors_;
};

// Bytes that are not UTF-8 become U+FFFD: an error may repeat what was sent.
std::string dump(const json& value) {
  return value.dump(-1, ' ', false, json::error_handler_t::replace);
}

std::string text_of(const json& value, const char* name) {
  const auto member = value.find(name);
  return member != value.end() && member->is_string() ? member->get<std::string>() : "";
}

void add_with_http(std::vector<std::string>& texts) {
  const std::size_t count = texts.size();
  for (std::size_t i = 0; i < count; ++i) {
    if (texts[i].starts_with("https://")) texts.push_back("http://" + texts[i].substr(8));
  }
}

// What JSON cannot carry would arrive as another text, and purge nothing.
bool survives_json(const std::string& text) {
  const bool plain =
      std::all_of(text.begin(), text.end(), [](char c) { return static_cast<signed char>(c) >= 0; });
  return plain || json::parse(dump(text)).get<std::string>() == text;
}

}  // namespace

std::vector<PurgeError> normalise(PurgeOrder& order) {
  std::vector<PurgeError> errors;
  if (order.scopes() == 0) errors.push_back({"", "names nothing to purge"});
  if (order.scopes() > kMostPurgeScopes) {
    errors.push_back({"", "names more than 10000 scopes at once"});
    return errors;
  }
  for (const ListMember& member : kLists) {
    std::vector<std::string>& list = order.*member.list;
    for (std::size_t i = 0; i < list.size(); ++i) {
      auto scope = member.parse(list[i]);
      if (!survives_json(list[i])) {
        errors.push_back({at(member.name, i), "is not UTF-8; PURGE takes such bytes"});
      } else if (scope) {
        list[i] = scope.take();
      } else {
        errors.push_back({at(member.name, i), scope.error()});
      }
    }
  }
  return errors;
}

std::vector<PurgeError> parse_purge_order(std::string_view text, PurgeOrder& order) {
  Repeated repeated;
  const json value = json::parse(
      text.begin(), text.end(),
      [&](int depth, json::parse_event_t event, json& parsed) { return repeated(depth, event, parsed); },
      false);
  if (value.is_discarded()) return {{"", "the content is not JSON"}};
  if (!value.is_object()) return {{"", "the content is not a JSON object"}};
  std::vector<PurgeError> errors = repeated.take();
  for (const auto& [name, member] : value.items()) read_member(name, member, order, errors);
  if (errors.empty()) errors = normalise(order);
  return errors;
}

std::string purge_order_json(const PurgeOrder& order) {
  json value = json::object();
  for (const ListMember& member : kLists) {
    if (!(order.*member.list).empty()) value[member.name] = order.*member.list;
  }
  if (order.all) value["all"] = true;
  if (order.soft) value["soft"] = true;
  return dump(value);
}

storage::Invalidation invalidation_of(const PurgeOrder& order, const revalidate::KeyRules& rules,
                                      const SearchRules& search_rules) {
  PurgeOrder wide = order;
  add_with_http(wide.urls);
  add_with_http(wide.prefixes);
  storage::Invalidation purge;
  purge.strength = order.soft ? storage::Strength::kSoft : storage::Strength::kHard;
  for (const std::string& url : wide.urls) add_scopes_of_url(purge.scopes, url, rules, search_rules);
  for (std::string& prefix : wide.prefixes) purge.scopes.push_back({ScopeKind::kPrefix, std::move(prefix)});
  for (std::string& host : wide.hosts) purge.scopes.push_back({ScopeKind::kHost, std::move(host)});
  for (std::string& tag : wide.tags) purge.scopes.push_back({ScopeKind::kTag, std::move(tag)});
  if (wide.all) purge.scopes.push_back({ScopeKind::kAll, ""});
  drop_repeated(purge.scopes);
  return purge;
}

std::string purge_text(const PurgeOrder& order) {
  if (order.all) return "everything";
  const std::string* first = nullptr;
  for (const ListMember& member : kLists) {
    const std::vector<std::string>& list = order.*member.list;
    if (first == nullptr && !list.empty()) first = &list.front();
  }
  if (first == nullptr) return "nothing";
  const std::string shown = first->size() > kMostShown ? first->substr(0, kMostShown) + "..." : *first;
  return order.scopes() == 1 ? shown : shown + " and " + std::to_string(order.scopes() - 1) + " more";
}

std::string purge_reply_json(const PurgeOrder& order, const storage::Acknowledgement& done) {
  json value = {{"sequence", done.sequence},
                {"durable", done.durable},
                {"strength", order.soft ? "soft" : "hard"},
                {"scopes", order.scopes()}};
  if (!done.durable) value["error"] = "applied, not durable: " + done.error;
  return dump(value) + "\n";
}

std::string purge_errors_json(const std::vector<PurgeError>& errors) {
  json list = json::array();
  for (const PurgeError& error : errors) {
    json each = {{"reason", error.reason}};
    if (!error.member.empty()) each["member"] = error.member;
    list.push_back(std::move(each));
  }
  return dump({{"errors", std::move(list)}}) + "\n";
}

storage::Result<PurgeReply> parse_purge_reply(std::string_view text) {
  const json value = json::parse(text.begin(), text.end(), nullptr, false);
  if (!value.is_object()) return storage::Error{"the edge's answer is not JSON"};
  PurgeReply reply;
  if (value.contains("errors") && value["errors"].is_array()) {
    for (const json& error : value["errors"]) {
      if (error.is_object()) reply.errors.push_back({text_of(error, "member"), text_of(error, "reason")});
    }
    return reply;
  }
  const auto sequence = value.find("sequence");
  const auto durable = value.find("durable");
  if (sequence == value.end() || !sequence->is_number_unsigned() || durable == value.end() ||
      !durable->is_boolean()) {
    return storage::Error{"the edge's answer has no sequence"};
  }
  reply.sequence = sequence->get<std::uint64_t>();
  reply.durable = durable->get<bool>();
  reply.error = text_of(value, "error");
  return reply;
}

}  // namespace freshet::proxy
