#include "storage/invalidation/scope_record.h"

#include <algorithm>
#include <cstring>

#include "storage/http/field_name.h"

namespace freshet::storage {

namespace {

// Up to a '/', at most kMaxPrefixDepth of them behind the authority. Empty: none there.
std::string_view whole_prefix(std::string_view text) {
  const KeyParts parts = key_parts(text);
  std::string_view prefix = parts.uri.substr(0, parts.path_end);
  std::size_t depth = 0;
  std::size_t end = 0;
  for (std::size_t at = parts.path; at < prefix.size() && depth < kMaxPrefixDepth; ++at) {
    if (prefix[at] != '/') continue;
    end = at + 1;
    ++depth;
  }
  return prefix.substr(0, end);
}

std::string lower(std::string_view text) {
  std::string out(text);
  std::transform(out.begin(), out.end(), out.begin(), [](char c) { return ascii_lower(c); });
  return out;
}

void name(ScopeRecord& record, std::string_view text) {
  record.text = text;
  record.name.digest = digest128(text);
  if (record.name.kind == ScopeKind::kUrl || record.name.kind == ScopeKind::kPrefix)
    record.host = authority_digest(key_parts(text));
}

ScopeRecord record_of(const Scope& scope, Strength strength, Sequence sequence) {
  ScopeRecord record{{scope.kind, {}}, strength, sequence, {}, {}};
  switch (scope.kind) {
    case ScopeKind::kAll:
      break;
    case ScopeKind::kHost:
      name(record, lower(scope.text));
      break;
    case ScopeKind::kPrefix:
      name(record, whole_prefix(scope.text));
      break;
    case ScopeKind::kTag:
      name(record, scope.text);
      break;
    case ScopeKind::kUrl:
      name(record, key_parts(scope.text).uri);
      break;
  }
  return record;
}

}  // namespace

KeyParts key_parts(std::string_view key_text) {
  KeyParts parts;
  parts.uri = key_text.substr(0, key_text.find('#'));
  const std::size_t scheme = parts.uri.find("://");
  const std::size_t begin = scheme == std::string_view::npos ? 0 : scheme + 3;
  parts.https = parts.uri.starts_with("https:");
  parts.path = std::min(parts.uri.find_first_of("/?", begin), parts.uri.size());
  parts.path_end = std::min(parts.uri.find('?', parts.path), parts.uri.size());
  const std::string_view authority = parts.uri.substr(begin, parts.path - begin);
  const std::size_t colon = authority.rfind(':');
  const bool in_brackets =
      colon != std::string_view::npos && authority.find(']', colon) != std::string_view::npos;
  parts.host = authority;
  if (colon == std::string_view::npos || in_brackets) return parts;
  parts.host = authority.substr(0, colon);
  parts.port = authority.substr(colon + 1);
  return parts;
}

Digest128 host_digest(const KeyParts& parts) {
  return digest128(parts.host);
}

Digest128 authority_digest(const KeyParts& parts) {
  const std::string_view port = !parts.port.empty() ? parts.port : parts.https ? "443" : "80";
  char buffer[288];
  const std::size_t size = parts.host.size() + 1 + port.size();
  if (size > sizeof buffer) return digest128(std::string(parts.host).append(":").append(port));
  std::memcpy(buffer, parts.host.data(), parts.host.size());
  buffer[parts.host.size()] = ':';
  std::memcpy(buffer + parts.host.size() + 1, port.data(), port.size());
  return digest128({buffer, size});
}

std::vector<ScopeRecord> records_of(const Invalidation& invalidation, Sequence sequence) {
  std::vector<ScopeRecord> records;
  records.reserve(invalidation.scopes.size());
  for (const Scope& scope : invalidation.scopes)
    records.push_back(record_of(scope, invalidation.strength, sequence));
  return records;
}

ScopeRecord tag_record(std::string_view tag, Sequence sequence) {
  return {{ScopeKind::kTag, digest128(tag)}, Strength::kHard, sequence, {}, std::string(tag)};
}

}  // namespace freshet::storage
