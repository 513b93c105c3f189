#include "storage/cache_key.h"

#include <algorithm>

#include "storage/http/field_name.h"

namespace freshet::storage {

namespace {

std::string_view without_default_port(std::string_view scheme, std::string_view authority) {
  const std::string_view port = scheme == "https" ? ":443" : ":80";
  if (authority.ends_with(port)) authority.remove_suffix(port.size());
  if (authority.ends_with(':')) authority.remove_suffix(1);
  return authority;
}

// Where the host ends with one, behind a label. npos: nowhere.
std::size_t root_dot(std::string_view authority) {
  if (authority.starts_with('[')) return std::string_view::npos;
  const std::size_t host = std::min(authority.find(':'), authority.size());
  const bool has_one = host > 1 && authority[host - 1] == '.' && authority[host - 2] != '.';
  return has_one ? host - 1 : std::string_view::npos;
}

}  // namespace

void append_authority(std::string& out, std::string_view authority) {
  const std::size_t dot = root_dot(authority);
  for (std::size_t i = 0; i < authority.size(); ++i) {
    if (i != dot) out.push_back(ascii_lower(authority[i]));
  }
}

void make_cache_key(std::string_view scheme, std::string_view authority, std::string_view target,
                    CacheKey& key) {
  key.text.assign(scheme);
  key.text.append("://");
  append_authority(key.text, without_default_port(scheme, authority));
  key.text.append(target);
  key.digest = digest128(key.text);
}

CacheKey make_cache_key(std::string_view scheme, std::string_view authority, std::string_view target) {
  CacheKey key;
  make_cache_key(scheme, authority, target, key);
  return key;
}

Digest128 variant_digest(const SelectingFields& fields) {
  std::string text;
  for (const SelectingField& field : fields) {
    text.append(field.name).push_back('\0');
    // A field that is absent differs from one that is there and empty.
    text.push_back(field.value ? '=' : '-');
    if (field.value) text.append(*field.value);
    text.push_back('\0');
  }
  return digest128(text);
}

}  // namespace freshet::storage
