#include "proxy/admin/scope_text.h"

#include <algorithm>

#include "proxy/exchange/purge.h"
#include "proxy/http1/authority.h"
#include "proxy/http1/char_class.h"
#include "storage/cache_key.h"
#include "storage/http/field_name.h"

namespace freshet::proxy {

using storage::Error;
using storage::Result;

namespace {

// As long as the longest request line that may be set.
constexpr std::size_t kLongest = 1024 * 1024;
constexpr int kMostSegments = 32;

std::string lower(std::string_view text) {
  std::string out(text);
  std::transform(out.begin(), out.end(), out.begin(), storage::ascii_lower);
  return out;
}

Error about_byte(char c) {
  if (c == '#') return Error{"has a fragment (#), which is no part of a stored response's URL"};
  if (c == ' ') return Error{"has a space; in a URL it is %20"};
  return Error{"has a control byte"};
}

// The key's text; where a target follows, it begins with '/'.
Result<std::string> parse_absolute(std::string_view text) {
  if (text.empty()) return Error{"is empty"};
  if (text.size() > kLongest) return Error{"is too long"};
  const std::size_t colon = text.find("://");
  if (colon == std::string_view::npos) return Error{"has no scheme; write http://... or https://..."};
  const std::string scheme = lower(text.substr(0, colon));
  if (scheme != "http" && scheme != "https") return Error{"has a scheme that is neither http nor https"};
  text.remove_prefix(colon + 3);
  const std::size_t end = std::min(text.find_first_of("/?#"), text.size());
  const std::string_view authority = text.substr(0, end);
  if (authority.empty()) return Error{"has no host"};
  if (authority.find('@') != std::string_view::npos) return Error{"has a user before its host"};
  if (!parse_authority(authority)) return Error{"has no valid host"};
  text.remove_prefix(end);
  std::string target;
  if (!text.starts_with('/')) target.push_back('/');
  target.append(text);
  const char* const bad = skip_class(target.data(), target.data() + target.size(), kTargetChar);
  if (bad != target.data() + target.size()) return about_byte(*bad);
  return storage::make_cache_key(scheme, authority, target).text;
}

}  // namespace

Result<std::string> parse_scope_url(std::string_view text) {
  return parse_absolute(text);
}

Result<std::string> parse_scope_prefix(std::string_view text) {
  auto prefix = parse_absolute(text);
  if (!prefix) return prefix;
  if (prefix->find('?') != std::string::npos) return Error{"has a query, which a prefix cannot have"};
  if (!prefix->ends_with('/')) return Error{"does not end with /"};
  // "http://host/" has three slashes and no segment.
  if (std::count(prefix->begin(), prefix->end(), '/') - 3 > kMostSegments) {
    return Error{"is deeper than 32 directories"};
  }
  return prefix;
}

Result<std::string> parse_scope_host(std::string_view text) {
  if (text.empty()) return Error{"is empty"};
  if (text.find("://") != std::string_view::npos) return Error{"has a scheme; a host is written without"};
  if (text.find('/') != std::string_view::npos)
    return Error{"has a path; for a part of a host there are prefixes"};
  if (text.find('*') != std::string_view::npos) return Error{"has a *; hosts are named one by one"};
  if (!parse_authority(text)) return Error{"is no host or host:port"};
  std::string host;
  storage::append_authority(host, text);
  if (host.ends_with(':')) host.pop_back();
  return host;
}

Result<std::string> parse_scope_tag(std::string_view text) {
  if (text.empty()) return Error{"is empty"};
  if (!is_purge_tag(text)) return Error{"is longer than 1024 bytes, or has a control byte"};
  return std::string(text);
}

}  // namespace freshet::proxy
