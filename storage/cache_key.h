// CacheKey: what a stored response is found by: the normalised target URI of a GET (a HEAD uses the GET's
// key; no other method is stored). Host in lower case and without the dot of the DNS root at its end, default
// port dropped, path and query byte for byte. The digest finds the place; the text is compared too, so that a
// digest collision is a miss and not somebody else's page. RFC 9111, section 2.
//
// variant_digest() names one stored response among those of a key by its selecting header field values
// (RFC 9111, section 4.1). Plain values; no thread rules.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "storage/base/hash.h"

namespace freshet::storage {

struct CacheKey {
  std::string text;  // "http://host[:port]/path?query"
  Digest128 digest;  // of text

  friend bool operator==(const CacheKey& a, const CacheKey& b) {
    return a.digest == b.digest && a.text == b.text;
  }
};

// Appends host[:port] as it stands in a key, but for the port, which stays: "Example.COM.:80" is
// "example.com:80". Both spellings of the host are one name in DNS (RFC 3986, 3.2.2), and one to the origin,
// which is asked by the shorter.
void append_authority(std::string& out, std::string_view authority);

// The key of a target URI. `scheme` is "http" or "https"; `authority` host[:port] in any case; `target` in
// origin-form.
[[nodiscard]] CacheKey make_cache_key(std::string_view scheme, std::string_view authority,
                                      std::string_view target);
// The same into a key whose buffer is used again (no allocation in steady state).
void make_cache_key(std::string_view scheme, std::string_view authority, std::string_view target,
                    CacheKey& key);

// One request header field that Vary names, with the value that the stored response was selected by.
struct SelectingField {
  std::string name;                  // lower case
  std::optional<std::string> value;  // as normalised for comparison; nothing: the request had no such field

  friend bool operator==(const SelectingField&, const SelectingField&) = default;
};

// Sorted by name, each name once.
using SelectingFields = std::vector<SelectingField>;

[[nodiscard]] Digest128 variant_digest(const SelectingFields& fields);

}  // namespace freshet::storage
