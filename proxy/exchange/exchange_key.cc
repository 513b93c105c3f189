// The key of a request, and what it invalidates. A key is the target URI as the origin will be asked for it,
// and behind it, each as '#', a letter, its size and its text, whatever else the answer may depend on or not:
//
//   n  the rule by which the origin said that parts of the query do not matter (No-Vary-Search); the query
//   then
//      stands there without them
//   h  the host that a trusted proxy was asked for      w  what it says of its client in Forwarded
//   F, f, C, c  the fields and cookies that `cache.key_fields` and `cache.key_cookies` name
//
// No target has a '#', and each size is told, so no two requests that differ make one key.
#include <string>
#include <utility>

#include "proxy/exchange/exchange.h"
#include "revalidate/policy/invalidation.h"
#include "revalidate/policy/key_rules.h"
#include "storage/http/field_syntax.h"

namespace freshet::proxy {

using storage::CacheKey;
using storage::FieldName;

namespace {

constexpr std::string_view kDebugField = "Freshet-Debug";

void append_part(std::string& text, char kind, std::string_view part) {
  text.push_back('#');
  text.push_back(kind);
  text.append(std::to_string(part.size())).append(":").append(part);
}

// Applies `change` to the target of a key's text, which is all behind the host.
template <typename Change>
std::string with_target(std::string_view text, Change change) {
  const std::size_t path = std::min(text.find('/', text.find("://") + 3), text.size());
  return std::string(text.substr(0, path)).append(change(text.substr(path)));
}

// The text that all targets have which the rule calls equivalent.
std::string search_form(std::string_view text, const revalidate::NoVarySearch& rule) {
  std::string form =
      with_target(text, [&](std::string_view target) { return revalidate::normalised_target(target, rule); });
  append_part(form, 'n', revalidate::rule_text(rule));
  return form;
}

CacheKey key_of(std::string text) {
  const storage::Digest128 digest = storage::digest128(text);
  return {std::move(text), digest};
}

// A parameter of Forwarded (RFC 7239, 5) that says who the client is, or what the key tells already.
bool is_known_of_forwarded(std::string_view parameter, const storage::RequestHead& request) {
  const storage::NameValue pair = storage::split_name_value(parameter);
  const auto is = [&](std::string_view name) { return storage::equals_ignoring_case(pair.name, name); };
  if (is("for") || is("by")) return true;
  return (is("host") && pair.value == request.authority) || (is("proto") && pair.value == request.scheme);
}

}  // namespace

// "Freshet-Debug: key" is for this edge alone.
void Exchange::take_debug_field() {
  tell_key_ = options_->status_key;
  if (!request_.fields.may_have(storage::HeaderFields::bit_of(FieldName::kOther))) return;
  const auto wish = request_.fields.first(kDebugField);
  if (!wish) return;
  if (client_->trusted && *wish == "key") tell_key_ = true;
  request_.fields.remove(kDebugField);
}

// From here on the request has no such field: what the origin gets is the id, whatever that came from.
void Exchange::take_request_id() {
  const auto given = request_.fields.first(kRequestIdField);
  if (given && client_->trusted && is_sane_request_id(*given)) {
    request_id_ = *given;
  } else {
    context_.request_ids.make(request_id_);
  }
  if (given) request_.fields.remove(kRequestIdField);
}

// How a trusted proxy's client came: the origin will be told, so the key must tell it too.
void Exchange::take_forwarded_scheme() {
  const auto scheme = request_.fields.first(FieldName::kXForwardedProto);
  if (scheme == "http" || scheme == "https") {
    request_.scheme = *scheme;
  } else {
    request_.fields.remove(FieldName::kXForwardedProto);
  }
}

void Exchange::make_key() {
  const revalidate::KeyRules& rules = options_->key_rules;
  if (rules.changes_target()) {
    asked_target_ = request_.target;
    request_.target = revalidate::normalised_target(asked_target_, rules);
  }
  storage::make_cache_key(request_.scheme, request_.authority, request_.target, key_);
  search_rule_ = options_->search_rules->rule_of(key_.text);
  complete_key();
}

// From the plain text of the target URI.
void Exchange::complete_key() {
  const revalidate::KeyRules& rules = options_->key_rules;
  const std::size_t plain = key_.text.size();
  if (search_rule_) key_.text = search_form(key_.text, *search_rule_);
  if (client_->trusted) add_forwarded_host();
  revalidate::append_key_fields(key_.text, request_, rules);
  if (search_rule_ || key_.text.size() != plain) key_.digest = storage::digest128(key_.text);
}

// The host that a trusted proxy was asked for goes to the origin too, beside ours, and so does what it says
// in Forwarded.
void Exchange::add_forwarded_host() {
  const auto host = request_.fields.combined(FieldName::kXForwardedHost);
  if (host && *host != request_.authority) append_part(key_.text, 'h', *host);
  storage::for_each_element(request_.fields, FieldName::kForwarded, [&](std::string_view element) {
    storage::ListReader parts(element, ';');
    std::string_view part;
    while (parts.next(part)) {
      if (parts.unbalanced() || !is_known_of_forwarded(part, request_)) append_part(key_.text, 'w', part);
    }
  });
}

// A response found, or given to all who wait, by a key that ignores parts of the query must say itself that
// they may be ignored.
bool Exchange::key_holds_for(const storage::StoredResponse& response) const {
  return !search_rule_ || revalidate::parse_no_vary_search(response.head().response.fields) == *search_rule_;
}

void Exchange::learn_search_rule(const storage::StoredResponse& response) {
  if (explaining_) return;
  const storage::ResponseHead& head = response.head().response;
  if (head.status != 200) return;
  if (search_rule_ ? key_holds_for(response) : !head.fields.has(FieldName::kNoVarySearch)) return;
  options_->search_rules->learn(key_.text, revalidate::parse_no_vary_search(head.fields),
                                [this] { context_.store.invalidate_tag(revalidate::search_tag(key_.text)); });
}

Exchange::Outcome Exchange::look_up_by_plain_key(const storage::StoredResponse& misled) {
  learn_search_rule(misled);
  ticket_.reset();
  search_rule_.reset();
  storage::make_cache_key(request_.scheme, request_.authority, request_.target, key_);
  complete_key();
  variants_ = nullptr;
  selected_.reset();
  return go(Step::kLookup);
}

// RFC 9111, 4.4: before the client has its answer, so that its next request sees what it has changed.
void Exchange::invalidate_by_use(const storage::ResponseHead& response) {
  for (const std::string& tag : revalidate::invalidated_groups(request_, response)) {
    context_.store.invalidate_tag(tag);
  }
  revalidate::invalidate_with_part(context_.store, key_);
  for (CacheKey& key : revalidate::invalidated_keys(request_, response)) {
    const revalidate::KeyRules& rules = options_->key_rules;
    if (rules.changes_target()) {
      key = key_of(with_target(
          key.text, [&](std::string_view target) { return revalidate::normalised_target(target, rules); }));
    }
    invalidate_target(key);
    if (key.text.find('?') != std::string::npos) options_->search_rules->invalidated(key.text);
    if (const SearchRules::Rule rule = options_->search_rules->rule_of(key.text)) {
      invalidate_target(key_of(search_form(key.text, *rule)));
    }
  }
}

void Exchange::invalidate_target(const CacheKey& key) {
  if (key != key_) revalidate::invalidate_with_part(context_.store, key);
  // Whatever values of fields and cookies stand behind it in the keys of others.
  const revalidate::KeyRules& rules = options_->key_rules;
  if (rules.fields.empty() && rules.cookies.empty()) return;
  context_.store.invalidate_tag(revalidate::target_tag(key.text.substr(0, key.text.find('#')).append("#")));
}

}  // namespace freshet::proxy
