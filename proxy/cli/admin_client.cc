#include "proxy/cli/admin_client.h"

#include <array>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <memory>
#include <netdb.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "proxy/config/setting_values.h"

namespace freshet::proxy {

using storage::Error;
using storage::Result;

namespace {

// Longer than the edge takes before it gives up on an action.
constexpr timeval kPatience{75, 0};
constexpr std::size_t kLargestAnswer = std::size_t{16} << 20;

class Socket {
 public:
  explicit Socket(int descriptor) : descriptor_(descriptor) {}
  Socket(const Socket&) = delete;
  Socket(Socket&& other) noexcept : descriptor_(std::exchange(other.descriptor_, -1)) {}
  Socket& operator=(const Socket&) = delete;
  Socket& operator=(Socket&&) = delete;
  ~Socket() {
    if (descriptor_ >= 0) ::close(descriptor_);
  }
  [[nodiscard]] int get() const { return descriptor_; }

 private:
  int descriptor_;
};

std::string hint(int error, bool local) {
  if (error == ENOENT) return "; no edge runs on this cache directory (see --cache-dir, --config, --admin)";
  if (error == ECONNREFUSED && local) return "; the edge that made it has ended";
  if (error == ECONNREFUSED) return "; nothing listens there (see the edge's setting admin.listen)";
  if (error == EACCES || error == EPERM) return "; it is for the edge's user and group";
  return "";
}

Error unreachable(const EdgePlace& place, int error) {
  return Error{"cannot reach the edge at " + place.text() + ": " + std::strerror(error) +
               hint(error, place.tcp.empty())};
}

Result<Socket> connect_unix(const EdgePlace& place) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (place.socket.size() >= sizeof address.sun_path) return unreachable(place, ENAMETOOLONG);
  place.socket.copy(address.sun_path, place.socket.size());
  Socket socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const auto* const raw = reinterpret_cast<const sockaddr*>(&address);
  if (socket.get() < 0 || ::connect(socket.get(), raw, sizeof address) != 0) return unreachable(place, errno);
  return socket;
}

Result<Socket> connect_tcp(const EdgePlace& place) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  const std::string port = std::to_string(place.tcp.port);
  const int failed = ::getaddrinfo(place.tcp.host.c_str(), port.c_str(), &hints, &found);
  if (failed != 0) {
    return Error{"cannot reach the edge at " + place.text() + ": " + ::gai_strerror(failed)};
  }
  const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> addresses(found, &::freeaddrinfo);
  int error = EADDRNOTAVAIL;
  for (const addrinfo* each = found; each != nullptr; each = each->ai_next) {
    Socket socket(::socket(each->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0));
    if (socket.get() >= 0) {
      // A connection attempt is bounded by the send timeout.
      (void)::setsockopt(socket.get(), SOL_SOCKET, SO_SNDTIMEO, &kPatience, sizeof kPatience);
      if (::connect(socket.get(), each->ai_addr, each->ai_addrlen) == 0) return socket;
    }
    error = errno == EINPROGRESS ? ETIMEDOUT : errno;
  }
  return unreachable(place, error);
}

bool send_all(int descriptor, std::string_view text) {
  while (!text.empty()) {
    const ssize_t sent = ::send(descriptor, text.data(), text.size(), MSG_NOSIGNAL);
    if (sent < 0 && errno == EINTR) continue;
    if (sent < 0) return false;
    text.remove_prefix(static_cast<std::size_t>(sent));
  }
  return true;
}

// Until the edge closes.
Result<std::string> read_all(const EdgePlace& place, int descriptor) {
  std::string text;
  std::array<char, 16 * 1024> piece{};
  while (text.size() < kLargestAnswer) {
    const ssize_t got = ::recv(descriptor, piece.data(), piece.size(), 0);
    if (got == 0) return text;
    if (got > 0) {
      text.append(piece.data(), static_cast<std::size_t>(got));
    } else if (errno != EINTR) {
      const int error = errno == EAGAIN ? ETIMEDOUT : errno;
      return Error{"no answer of the edge at " + place.text() + ": " + std::strerror(error)};
    }
  }
  return Error{"the answer of the edge at " + place.text() + " is too long"};
}

std::string request_text(const EdgePlace& place, const std::string& path, const std::string& json) {
  std::string text = (json.empty() ? "GET " : "POST ") + path + " HTTP/1.1\r\nHost: ";
  text += place.tcp.empty() ? "localhost" : format_host_port(place.tcp);
  if (!place.tcp.empty() && !place.token.empty()) text += "\r\nAuthorization: Bearer " + place.token;
  if (!json.empty()) {
    text += "\r\nContent-Type: application/json\r\nContent-Length: " + std::to_string(json.size());
  }
  return text + "\r\nConnection: close\r\n\r\n" + json;
}

}  // namespace

std::string EdgePlace::text() const {
  return tcp.empty() ? socket : format_host_port(tcp);
}

Result<EdgeAnswer> parse_edge_answer(std::string_view text) {
  const Error none{"the answer is not the admin plane's"};
  EdgeAnswer answer;
  const std::size_t end = text.find("\r\n\r\n");
  if (!text.starts_with("HTTP/1.1 ") || end == std::string_view::npos || end < 12) return none;
  const char* const digits = text.data() + 9;
  if (std::from_chars(digits, digits + 3, answer.status).ptr != digits + 3) return none;
  constexpr std::string_view kLength = "\r\nContent-Length: ";
  const std::size_t length = text.substr(0, end).find(kLength);
  std::size_t size = 0;
  if (length == std::string_view::npos) return none;
  const char* const number = text.data() + length + kLength.size();
  (void)std::from_chars(number, text.data() + end, size);
  answer.body = text.substr(end + 4);
  if (answer.body.size() != size) return Error{"the edge's answer was cut short"};
  return answer;
}

Result<EdgeAnswer> ask_edge(const EdgePlace& place, const std::string& path, const std::string& json) {
  auto socket = place.tcp.empty() ? connect_unix(place) : connect_tcp(place);
  if (!socket) return Error{socket.error()};
  (void)::setsockopt(socket->get(), SOL_SOCKET, SO_SNDTIMEO, &kPatience, sizeof kPatience);
  (void)::setsockopt(socket->get(), SOL_SOCKET, SO_RCVTIMEO, &kPatience, sizeof kPatience);
  // A refusal may come, and the connection end, before all is sent: what it says is read in any case.
  const bool sent = send_all(socket->get(), request_text(place, path, json));
  const int error = errno;
  auto text = read_all(place, socket->get());
  if (!sent && (!text || text->empty())) return unreachable(place, error);
  if (!text) return Error{text.error()};
  auto answer = parse_edge_answer(*text);
  if (!answer) return Error{place.text() + ": " + answer.error()};
  return answer;
}

}  // namespace freshet::proxy
