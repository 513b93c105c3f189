#include "proxy/exchange/purge.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "storage/http/field_name.h"
#include "storage/http/field_syntax.h"

namespace freshet::proxy {

using storage::FieldName;
using storage::RequestHead;
using storage::Scope;
using storage::ScopeKind;

namespace {

constexpr std::size_t kLongestTag = 1024;
constexpr std::string_view kBearer = "bearer ";

bool is_among(const IpAddress& address, const std::vector<IpNetwork>& networks) {
  return std::any_of(networks.begin(), networks.end(),
                     [&](const IpNetwork& network) { return network.contains(address); });
}

// Who asked a chain of trusted proxies: the last of X-Forwarded-For that is none of them, else the first.
// Nothing where that is no address.
std::optional<IpAddress> forwarded_client(const RequestHead& request, const PurgeOptions& options) {
  const std::string list = request.fields.combined(FieldName::kXForwardedFor).value_or("");
  std::optional<IpAddress> client;
  std::string_view rest = list;
  while (!rest.empty()) {
    const std::size_t comma = rest.rfind(',');
    const std::size_t begin = comma == std::string_view::npos ? 0 : comma + 1;
    client = IpAddress::parse(storage::trim_whitespace(rest.substr(begin)));
    if (!client || !is_among(*client, options.trusted_proxies)) return client;
    rest = rest.substr(0, begin == 0 ? 0 : comma);
  }
  return client;
}

bool was_forwarded(const RequestHead& request) {
  const storage::HeaderFields& fields = request.fields;
  return fields.has(FieldName::kXForwardedFor) || fields.has(FieldName::kForwarded) ||
         fields.has(FieldName::kVia);
}

bool has_allowed_address(const RequestHead& request, std::string_view peer, const PurgeOptions& options) {
  std::optional<IpAddress> client = IpAddress::parse(peer);
  if (!client) return false;
  if (was_forwarded(request)) {
    if (!is_among(*client, options.trusted_proxies)) return false;
    client = forwarded_client(request, options);
  }
  return client && is_among(*client, options.allow);
}

std::string with_target(std::string_view uri, const revalidate::NoVarySearch& rule) {
  const std::size_t path = std::min(uri.find('/', uri.find("://") + 3), uri.size());
  return std::string(uri.substr(0, path)).append(revalidate::normalised_target(uri.substr(path), rule));
}

// A value that is neither yes nor no is an error, not a guess.
storage::Result<storage::Strength> read_strength(const storage::HeaderFields& fields) {
  storage::Strength strength = storage::Strength::kHard;
  for (const std::string_view name : {"Soft-Purge", "Fastly-Soft-Purge"}) {
    const std::optional<std::string> value = fields.combined(name);
    if (!value || *value == "0") continue;
    if (*value != "1") return storage::Error{std::string(name) + " is neither 1 nor 0"};
    strength = storage::Strength::kSoft;
  }
  return strength;
}

// Tags stand apart by spaces, as Surrogate-Key has them in responses, or by commas.
storage::Status add_tags(std::vector<Scope>& scopes, std::string_view list) {
  while (!list.empty()) {
    const std::size_t end = std::min(list.find_first_of(" ,\t"), list.size());
    const std::string_view tag = list.substr(0, end);
    list.remove_prefix(std::min(end + 1, list.size()));
    if (tag.empty()) continue;
    if (!is_purge_tag(tag)) return storage::Error{"a tag in Surrogate-Key is longer than 1024 bytes"};
    scopes.push_back({ScopeKind::kTag, std::string(tag)});
  }
  return scopes.empty() ? storage::Status(storage::Error{"Surrogate-Key names no tag"}) : storage::Status();
}

}  // namespace

bool is_purge(const RequestHead& request) {
  return request.method == storage::Method::kOther && request.method_text == "PURGE";
}

bool shows_token(std::string_view authorization, std::string_view token) {
  if (token.empty() || authorization.size() < kBearer.size()) return false;
  for (std::size_t i = 0; i < kBearer.size(); ++i) {
    if (storage::ascii_lower(authorization[i]) != kBearer[i]) return false;
  }
  const std::string_view shown = storage::trim_whitespace(authorization.substr(kBearer.size()));
  // No early end: how many bytes are right must not be told by the time.
  unsigned different = shown.size() == token.size() ? 0U : 1U;
  for (std::size_t i = 0; i < shown.size(); ++i) {
    different |= static_cast<unsigned char>(shown[i]) ^ static_cast<unsigned char>(token[i % token.size()]);
  }
  return different == 0;
}

bool may_purge(const RequestHead& request, std::string_view peer, const PurgeOptions& options) {
  const std::string authorization = request.fields.combined(FieldName::kAuthorization).value_or("");
  return shows_token(authorization, options.token) || has_allowed_address(request, peer, options);
}

void add_scopes_of_url(std::vector<Scope>& scopes, std::string_view uri, const revalidate::KeyRules& rules,
                       const SearchRules& search_rules) {
  std::string text(uri);
  if (rules.changes_target()) {
    const std::size_t path = std::min(uri.find('/', uri.find("://") + 3), uri.size());
    text = std::string(uri.substr(0, path)) + revalidate::normalised_target(uri.substr(path), rules);
  }
  const SearchRules::Rule rule = search_rules.rule_of(text);
  if (rule) scopes.push_back({ScopeKind::kUrl, with_target(text, *rule)});
  scopes.push_back({ScopeKind::kUrl, std::move(text)});
}

bool is_purge_tag(std::string_view tag) {
  return !tag.empty() && tag.size() <= kLongestTag && std::all_of(tag.begin(), tag.end(), [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return byte > 0x20 && byte != 0x7f;
  });
}

storage::Result<storage::Invalidation> read_purge(const RequestHead& request, std::string_view uri,
                                                  const revalidate::KeyRules& rules,
                                                  const SearchRules& search_rules) {
  storage::Invalidation purge;
  auto strength = read_strength(request.fields);
  if (!strength) return storage::Error{strength.error()};
  purge.strength = *strength;
  if (const auto keys = request.fields.combined(FieldName::kSurrogateKey)) {
    if (storage::Status added = add_tags(purge.scopes, *keys); !added) return storage::Error{added.error()};
  } else {
    add_scopes_of_url(purge.scopes, uri, rules, search_rules);
  }
  return purge;
}

std::string purge_reply_text(const storage::Invalidation& purge,
                             const storage::Acknowledgement& acknowledgement) {
  std::string text = "{\"sequence\":" + std::to_string(acknowledgement.sequence);
  text += std::string(",\"durable\":") + (acknowledgement.durable ? "true" : "false");
  text += purge.strength == storage::Strength::kSoft ? ",\"strength\":\"soft\"" : ",\"strength\":\"hard\"";
  if (!acknowledgement.durable) text += ",\"error\":\"applied, not durable\"";
  return text + "}\n";
}

}  // namespace freshet::proxy
