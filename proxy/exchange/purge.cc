#include "proxy/exchange/purge.h"

#include <algorithm>
#include <optional>
#include <tuple>
#include <utility>

#include "storage/base/log.h"
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
constexpr std::size_t kMostLogged = 256;  // bytes of a scope

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
  const bool is_unix = peer == kUnixPeer;
  std::optional<IpAddress> client = IpAddress::parse(peer);
  if (was_forwarded(request)) {
    const bool trusted = is_unix ? options.trust_unix : client && is_among(*client, options.trusted_proxies);
    if (!trusted) return false;
    client = forwarded_client(request, options);
  } else if (is_unix) {
    return options.allow_unix;
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

// The pieces of a list, without the empty ones.
std::vector<std::string_view> split(std::string_view list, std::string_view separators) {
  std::vector<std::string_view> pieces;
  while (!list.empty()) {
    const std::size_t end = std::min(list.find_first_of(separators), list.size());
    if (end > 0) pieces.push_back(list.substr(0, end));
    list.remove_prefix(std::min(end + 1, list.size()));
  }
  return pieces;
}

// Tags stand apart by blanks, as in the Surrogate-Key of responses. Others write commas, which may stand in a
// tag: then both readings are meant.
storage::Status add_tags(std::vector<Scope>& scopes, std::string_view list) {
  for (const std::string_view tag : split(list, " \t")) {
    if (!is_purge_tag(tag)) return storage::Error{"a tag in Surrogate-Key is longer than 1024 bytes"};
    const std::vector<std::string_view> parts = split(tag, ",");
    if (!parts.empty()) scopes.push_back({ScopeKind::kTag, std::string(tag)});
    for (const std::string_view part : parts) scopes.push_back({ScopeKind::kTag, std::string(part)});
  }
  drop_repeated(scopes);
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

std::string purge_client(const RequestHead& request, std::string_view peer, const PurgeOptions& options) {
  std::string who(peer);
  if (!has_allowed_address(request, peer, options)) return who + " with the token";
  if (!was_forwarded(request)) return who;
  return forwarded_client(request, options)->text() + " by way of " + who;
}

void add_scopes_of_url(std::vector<Scope>& scopes, std::string_view uri, const revalidate::KeyRules& rules,
                       const SearchRules& search_rules) {
  std::string text(uri);
  if (rules.changes_target()) {
    const std::size_t path = std::min(uri.find('/', uri.find("://") + 3), uri.size());
    text = std::string(uri.substr(0, path)) + revalidate::normalised_target(uri.substr(path), rules);
  }
  if (const SearchRules::Rule rule = search_rules.rule_of(text))
    scopes.push_back({ScopeKind::kUrl, with_target(text, *rule)});
  // What was stored by a rule that is forgotten (a restart), or that another has replaced, is found again as
  // soon as it is learned again. Which of it has an equivalent query cannot be told without the rule.
  if (text.find('?') != std::string::npos) scopes.push_back({ScopeKind::kTag, revalidate::search_tag(text)});
  scopes.push_back({ScopeKind::kUrl, std::move(text)});
}

bool is_purge_tag(std::string_view tag) {
  return !tag.empty() && tag.size() <= kLongestTag && std::all_of(tag.begin(), tag.end(), [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return byte >= 0x20 && byte != 0x7f;
  });
}

void drop_repeated(std::vector<Scope>& scopes) {
  std::sort(scopes.begin(), scopes.end(), [](const Scope& a, const Scope& b) {
    return std::tie(a.kind, a.text) < std::tie(b.kind, b.text);
  });
  scopes.erase(std::unique(scopes.begin(), scopes.end()), scopes.end());
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

std::string purge_log_line(std::string_view who, std::string_view what, storage::Strength strength,
                           const storage::Acknowledgement& acknowledgement) {
  std::string line = strength == storage::Strength::kSoft ? "made stale by " : "purged by ";
  line.append(who).append(": ").append(what.substr(0, kMostLogged));
  if (what.size() > kMostLogged) line += "...";
  line += "; sequence " + std::to_string(acknowledgement.sequence);
  return line + (acknowledgement.durable ? "" : ", not durable: " + acknowledgement.error);
}

void log_purge(std::string_view who, std::string_view what, storage::Strength strength,
               const storage::Acknowledgement& acknowledgement) {
  using storage::LogLevel;
  storage::log_event(acknowledgement.durable ? LogLevel::kInfo : LogLevel::kWarning,
                     purge_log_line(who, what, strength, acknowledgement));
}

}  // namespace freshet::proxy
