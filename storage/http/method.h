// Request methods: the ones that caching gives a meaning, and kOther for every other token, which is
// forwarded as it came. Properties from RFC 9110, section 9.2.
#pragma once

#include <cstdint>
#include <string_view>

namespace freshet::storage {

enum class Method : std::uint8_t {
  kOther,
  kGet,
  kHead,
  kPost,
  kPut,
  kDelete,
  kPatch,
  kOptions,
  kTrace,
  kConnect
};

// Case-sensitive (RFC 9110, 9.1).
[[nodiscard]] Method method_from(std::string_view text);

// The token; empty for kOther.
[[nodiscard]] std::string_view method_name(Method method);

// RFC 9110, 9.2.1. An unknown method is taken for unsafe.
[[nodiscard]] bool is_safe(Method method);
// RFC 9110, 9.2.2: may be sent again after a lost connection.
[[nodiscard]] bool is_idempotent(Method method);

}  // namespace freshet::storage
