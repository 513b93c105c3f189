#include "proxy/net/socket_address.h"

#include <algorithm>
#include <arpa/inet.h>
#include <charconv>
#include <cstddef>
#include <cstring>
#include <netinet/in.h>
#include <sys/un.h>

namespace freshet::proxy {

using storage::Error;
using storage::Result;

namespace {

constexpr std::string_view kUnixPrefix = "unix:";

Error invalid(std::string_view text, std::string_view reason) {
  return Error{std::string("'").append(text).append("': ").append(reason)};
}

std::optional<IpAddress> parse_host(std::string_view host) {
  if (host == "localhost") return IpAddress::parse("127.0.0.1");
  if (host.empty() || host == "*") return IpAddress{};
  if (host.front() == '[' && host.back() == ']') {
    host = host.substr(1, host.size() - 2);
    return host.find(':') == std::string_view::npos ? std::nullopt : IpAddress::parse(host);
  }
  return host.find(':') == std::string_view::npos ? IpAddress::parse(host) : std::nullopt;
}

std::optional<std::uint16_t> parse_port(std::string_view digits) {
  std::uint16_t port = 0;
  const char* const last = digits.data() + digits.size();
  const auto [end, error] = std::from_chars(digits.data(), last, port);
  if (error != std::errc{} || end != last) return std::nullopt;
  return port;
}

}  // namespace

Result<SocketAddress> SocketAddress::parse(std::string_view text) {
  if (text.substr(0, kUnixPrefix.size()) == kUnixPrefix) {
    const std::string_view path = text.substr(kUnixPrefix.size());
    sockaddr_un address{};
    if (path.empty()) return invalid(text, "no path after unix:");
    if (path.size() >= sizeof address.sun_path) return invalid(text, "path too long for a unix socket");
    address.sun_family = AF_UNIX;
    path.copy(static_cast<char*>(address.sun_path), path.size());
    SocketAddress parsed;
    parsed.size_ = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + path.size() + 1);
    std::memcpy(&parsed.address_, &address, sizeof address);
    return parsed;
  }
  const std::size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) return invalid(text, "no port (HOST:PORT)");
  const auto port = parse_port(text.substr(colon + 1));
  if (!port) return invalid(text, "port is not a number from 0 to 65535");
  const auto ip = parse_host(text.substr(0, colon));
  if (!ip) return invalid(text, "host is not an IP address, [IPv6 address], localhost or *");
  return of(*ip, *port);
}

SocketAddress SocketAddress::of(const sockaddr_storage& address, socklen_t size) {
  SocketAddress made;
  made.address_ = address;
  made.size_ = std::min(size, static_cast<socklen_t>(sizeof address));
  return made;
}

SocketAddress SocketAddress::of(const IpAddress& ip, std::uint16_t port) {
  SocketAddress made;
  if (ip.is_v4()) {
    sockaddr_in v4{};
    v4.sin_family = AF_INET;
    v4.sin_port = htons(port);
    std::memcpy(&v4.sin_addr, ip.bytes.data() + 12, 4);
    std::memcpy(&made.address_, &v4, sizeof v4);
    made.size_ = sizeof v4;
  } else {
    sockaddr_in6 v6{};
    v6.sin6_family = AF_INET6;
    v6.sin6_port = htons(port);
    std::memcpy(&v6.sin6_addr, ip.bytes.data(), 16);
    std::memcpy(&made.address_, &v6, sizeof v6);
    made.size_ = sizeof v6;
  }
  return made;
}

const sockaddr* SocketAddress::raw() const {
  return reinterpret_cast<const sockaddr*>(&address_);
}

std::string_view SocketAddress::path() const {
  const std::size_t header = offsetof(sockaddr_un, sun_path);
  if (!is_unix() || size_ <= header) return {};
  const char* const begin = reinterpret_cast<const char*>(&address_) + header;
  return {begin, strnlen(begin, size_ - header)};
}

std::optional<IpAddress> SocketAddress::ip() const {
  IpAddress ip;
  if (family() == AF_INET) {
    sockaddr_in v4{};
    std::memcpy(&v4, &address_, sizeof v4);
    ip.bytes[10] = ip.bytes[11] = 0xff;
    std::memcpy(ip.bytes.data() + 12, &v4.sin_addr, 4);
    return ip;
  }
  if (family() == AF_INET6) {
    sockaddr_in6 v6{};
    std::memcpy(&v6, &address_, sizeof v6);
    std::memcpy(ip.bytes.data(), &v6.sin6_addr, 16);
    return ip;
  }
  return std::nullopt;
}

std::uint16_t SocketAddress::port() const {
  // Both families keep it in the same place.
  static_assert(offsetof(sockaddr_in, sin_port) == offsetof(sockaddr_in6, sin6_port));
  if (is_unix()) return 0;
  sockaddr_in v4{};
  std::memcpy(&v4, &address_, sizeof v4);
  return ntohs(v4.sin_port);
}

SocketAddress SocketAddress::with_port(std::uint16_t port) const {
  const auto own = ip();
  return own ? of(*own, port) : *this;
}

std::string SocketAddress::text() const {
  const auto own = ip();
  if (!own) return std::string(kUnixPrefix).append(path());
  const std::string port_text = std::to_string(port());
  return own->is_v4() ? own->text() + ":" + port_text : "[" + own->text() + "]:" + port_text;
}

}  // namespace freshet::proxy
