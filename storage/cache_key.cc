#include "storage/cache_key.h"

#include <algorithm>
#include <cstdint>
#include <cstring>

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

// Eight letters at a time.
std::uint64_t to_lower(std::uint64_t letters) {
  constexpr std::uint64_t kOnes = 0x0101010101010101U;
  const std::uint64_t low_bits = letters & (kOnes * 0x7fU);
  // The high bit of each byte: at least 'A', and above 'Z'.
  const std::uint64_t from_a = low_bits + kOnes * (0x80U - 'A');
  const std::uint64_t above_z = low_bits + kOnes * (0x7fU - 'Z');
  const std::uint64_t upper = (from_a ^ above_z) & ~letters & (kOnes * 0x80U);
  return letters | upper >> 2U;
}

char* copy_lower(std::string_view text, char* to) {
  while (text.size() >= sizeof(std::uint64_t)) {
    std::uint64_t letters = 0;
    std::memcpy(&letters, text.data(), sizeof letters);
    letters = to_lower(letters);
    std::memcpy(to, &letters, sizeof letters);
    to += sizeof letters;
    text.remove_prefix(sizeof letters);
  }
  for (const char each : text) *to++ = ascii_lower(each);
  return to;
}

char* copy(std::string_view text, char* to) {
  return std::copy(text.begin(), text.end(), to);
}

char* copy_authority(std::string_view authority, std::size_t dot, char* to) {
  if (dot == std::string_view::npos) return copy_lower(authority, to);
  return copy_lower(authority.substr(dot + 1), copy_lower(authority.substr(0, dot), to));
}

std::size_t size_without(std::size_t dot, std::string_view authority) {
  return authority.size() - (dot == std::string_view::npos ? 0 : 1);
}

}  // namespace

void append_authority(std::string& out, std::string_view authority) {
  const std::size_t dot = root_dot(authority);
  const std::size_t before = out.size();
  out.resize(before + size_without(dot, authority));
  copy_authority(authority, dot, out.data() + before);
}

void make_cache_key(std::string_view scheme, std::string_view authority, std::string_view target,
                    CacheKey& key) {
  constexpr std::string_view kMark = "://";
  authority = without_default_port(scheme, authority);
  const std::size_t dot = root_dot(authority);
  key.text.resize(scheme.size() + kMark.size() + size_without(dot, authority) + target.size());
  char* const end = copy_authority(authority, dot, copy(kMark, copy(scheme, key.text.data())));
  copy(target, end);
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
