// IpAddress and IpNetwork: whom we talk to, in 16 bytes whatever the family (IPv4 as ::ffff:a.b.c.d), and
// which of them a setting names. Plain values; no thread rules.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace freshet::proxy {

struct IpAddress {
  std::array<std::uint8_t, 16> bytes{};

  // Numeric form of either family, without brackets, port or zone.
  [[nodiscard]] static std::optional<IpAddress> parse(std::string_view text);
  [[nodiscard]] bool is_v4() const;
  // "192.0.2.1" or "2001:db8::1".
  [[nodiscard]] std::string text() const;

  friend bool operator==(const IpAddress&, const IpAddress&) = default;
};

class IpNetwork {
 public:
  // "192.0.2.0/24", "2001:db8::/32", or one address.
  [[nodiscard]] static std::optional<IpNetwork> parse(std::string_view text);
  [[nodiscard]] bool contains(const IpAddress& address) const;

 private:
  IpAddress base_;
  unsigned prefix_bits_ = 128;  // of the 16 bytes
};

}  // namespace freshet::proxy
