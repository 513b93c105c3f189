#include "revalidate/policy/invalidation.h"

#include <algorithm>
#include <optional>
#include <string>

#include "storage/http/field_syntax.h"
#include "storage/http/structured_field.h"

namespace freshet::revalidate {

namespace {

using storage::CacheKey;
using storage::FieldName;

// The parts of a URI reference that we need; RFC 3986, appendix B.
struct Reference {
  std::string_view scheme;
  std::optional<std::string_view> authority;
  std::string_view path;
  std::optional<std::string_view> query;
};

Reference split_reference(std::string_view text) {
  Reference parts;
  text = text.substr(0, text.find('#'));
  const std::size_t colon = text.find(':');
  if (colon != std::string_view::npos && colon > 0 && text.find_first_of("/?") > colon) {
    parts.scheme = text.substr(0, colon);
    text.remove_prefix(colon + 1);
  }
  if (text.starts_with("//")) {
    text.remove_prefix(2);
    const std::size_t end = std::min(text.find_first_of("/?"), text.size());
    parts.authority = text.substr(0, end);
    text.remove_prefix(end);
  }
  const std::size_t question = text.find('?');
  parts.path = text.substr(0, question);
  if (question != std::string_view::npos) parts.query = text.substr(question + 1);
  return parts;
}

// RFC 3986, 5.2.4, for an absolute path.
std::string without_dot_segments(std::string_view path) {
  std::string out;
  while (!path.empty()) {
    const std::size_t end = std::min(path.find('/', 1), path.size());
    const std::string_view segment = path.substr(0, end);
    const bool last = end == path.size();
    if (segment == "/.") {
      if (last) out.push_back('/');
    } else if (segment == "/..") {
      const std::size_t parent = out.rfind('/');
      out.resize(parent == std::string::npos ? 0 : parent);
      if (last) out.push_back('/');
    } else {
      out.append(segment);
    }
    path.remove_prefix(end);
  }
  return out;
}

// The path of a reference without an authority, made absolute against `base` (the target's path).
std::string merged_path(std::string_view base, std::string_view path) {
  if (path.starts_with('/')) return without_dot_segments(path);
  std::string merged(base.substr(0, base.rfind('/') + 1));
  if (!merged.starts_with('/')) merged.insert(0, "/");
  return without_dot_segments(merged.append(path));
}

bool is_usable(std::string_view text) {
  return std::none_of(text.begin(), text.end(), [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return byte <= 0x20 || byte == 0x7f;
  });
}

std::string_view origin_part(const CacheKey& key) {
  const std::string_view text = key.text;
  return text.substr(0, text.find('/', text.find("://") + 3));
}

// A list of strings (RFC 9875, 2); one member of another type, and the field is none.
CacheGroups read_groups(const storage::HeaderFields& fields, FieldName name) {
  CacheGroups groups;
  const std::optional<std::string> value = fields.combined(name);
  if (!value) return groups;
  const auto list = storage::parse_sf_list(*value);
  if (!list) return groups;
  for (const storage::SfMember& member : *list) {
    if (member.is_inner_list || member.item.value.type != storage::SfBareItem::Type::kString) return {};
    const std::string& group = member.item.value.text;
    if (std::find(groups.names.begin(), groups.names.end(), group) != groups.names.end()) continue;
    if (groups.names.size() == kMaxCacheGroups || group.size() > kMaxCacheGroupSize) {
      groups.left_out = true;
    } else {
      groups.names.push_back(group);
    }
  }
  return groups;
}

constexpr std::string_view kGroupPrefix = "group:";

std::vector<std::string> as_tags(const CacheKey& key, std::vector<std::string> groups) {
  for (std::string& group : groups) {
    std::string tag(kGroupPrefix);
    group = tag.append(origin_part(key)).append(" ").append(group);
  }
  return groups;
}

}  // namespace

bool invalidates(storage::Method method, int status) {
  return !storage::is_safe(method) && status >= 200 && status < 400;
}

std::optional<CacheKey> resolve_key(const storage::RequestHead& request, std::string_view reference) {
  reference = storage::trim_whitespace(reference);
  if (!is_usable(reference)) return std::nullopt;
  const Reference parts = split_reference(reference);
  std::string scheme(parts.scheme.empty() ? std::string_view(request.scheme) : parts.scheme);
  std::transform(scheme.begin(), scheme.end(), scheme.begin(), storage::ascii_lower);
  if (scheme != "http" && scheme != "https") return std::nullopt;
  if (!parts.scheme.empty() && !parts.authority) return std::nullopt;

  const std::string_view base = std::string_view(request.target).substr(0, request.target.find('?'));
  std::string target;
  std::string_view authority = request.authority;
  std::optional<std::string_view> query = parts.query;
  if (parts.authority) {
    // Userinfo is no part of a key, and nothing to be trusted.
    if (parts.authority->empty() || parts.authority->find('@') != std::string_view::npos) return std::nullopt;
    authority = *parts.authority;
    target = parts.path.empty() ? "/" : without_dot_segments(parts.path);
  } else if (parts.path.empty()) {
    target = base;
    if (!query && request.target.size() > base.size()) {
      query = std::string_view(request.target).substr(base.size() + 1);
    }
  } else {
    target = merged_path(base, parts.path);
  }
  if (query) target.append("?").append(*query);
  return storage::make_cache_key(scheme, authority, target);
}

std::vector<CacheKey> invalidated_keys(const storage::RequestHead& request,
                                       const storage::ResponseHead& response) {
  std::vector<CacheKey> keys;
  if (!invalidates(request.method, response.status)) return keys;
  keys.push_back(storage::make_cache_key(request.scheme, request.authority, request.target));
  for (const storage::HeaderFields::Line line : response.fields) {
    if (line.id != FieldName::kLocation && line.id != FieldName::kContentLocation) continue;
    std::optional<CacheKey> key = resolve_key(request, line.value);
    // RFC 9111, 4.4: never another origin's, or one site could empty another's part of the store.
    if (!key || origin_part(*key) != origin_part(keys.front())) continue;
    if (std::find(keys.begin(), keys.end(), *key) == keys.end()) keys.push_back(std::move(*key));
  }
  return keys;
}

CacheGroups cache_groups(const storage::HeaderFields& fields) {
  return read_groups(fields, FieldName::kCacheGroups);
}

std::vector<std::string> group_tags(const CacheKey& key, const storage::HeaderFields& fields) {
  if (!fields.has(FieldName::kCacheGroups)) return {};
  return as_tags(key, cache_groups(fields).names);
}

std::vector<std::string> invalidated_groups(const storage::RequestHead& request,
                                            const storage::ResponseHead& response) {
  if (!invalidates(request.method, response.status)) return {};
  return as_tags(storage::make_cache_key(request.scheme, request.authority, request.target),
                 read_groups(response.fields, FieldName::kCacheGroupInvalidation).names);
}

}  // namespace freshet::revalidate
