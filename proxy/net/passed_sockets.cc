#include "proxy/net/passed_sockets.h"

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <fcntl.h>
#include <sys/socket.h>
#include <utility>

namespace freshet::proxy {

using storage::Error;
using storage::Result;

namespace {

constexpr int kMostPassed = 1024;

std::string variable(const char* name) {
  const char* const value = std::getenv(name);  // NOLINT(concurrency-mt-unsafe): start-up, one thread
  return value == nullptr ? "" : value;
}

// -1: none.
int number(std::string_view digits) {
  int value = -1;
  const char* const last = digits.data() + digits.size();
  const auto [end, error] = std::from_chars(digits.data(), last, value);
  return error == std::errc{} && end == last ? value : -1;
}

std::vector<std::string> split(std::string_view text) {
  std::vector<std::string> parts;
  for (;;) {
    const std::size_t colon = text.find(':');
    parts.emplace_back(text.substr(0, colon));
    if (colon == std::string_view::npos) return parts;
    text.remove_prefix(colon + 1);
  }
}

bool has_option(const Descriptor& socket, int name, int wanted) {
  int value = 0;
  socklen_t size = sizeof value;
  return ::getsockopt(socket.get(), SOL_SOCKET, name, &value, &size) == 0 && value == wanted;
}

bool make_usable(const Descriptor& socket) {
  const int flags = ::fcntl(socket.get(), F_GETFL);
  return flags >= 0 && ::fcntl(socket.get(), F_SETFL, flags | O_NONBLOCK) == 0 &&
         ::fcntl(socket.get(), F_SETFD, FD_CLOEXEC) == 0;
}

}  // namespace

PassedSocketsEnvironment read_passed_sockets_environment() {
  return {variable("LISTEN_PID"), variable("LISTEN_FDS"), variable("LISTEN_FDNAMES")};
}

Result<std::vector<std::string>> passed_socket_names(const PassedSocketsEnvironment& environment, int pid) {
  if (environment.count.empty() || number(environment.pid) != pid) return std::vector<std::string>{};
  const int count = number(environment.count);
  if (count < 0 || count > kMostPassed) return Error{"LISTEN_FDS is no number of descriptors"};
  if (count == 0) return std::vector<std::string>{};
  if (environment.names.empty()) {
    return std::vector<std::string>(static_cast<std::size_t>(count), "unknown");
  }
  std::vector<std::string> names = split(environment.names);
  if (names.size() != static_cast<std::size_t>(count)) {
    return Error{"LISTEN_FDNAMES does not have as many names as LISTEN_FDS says"};
  }
  return names;
}

Result<PassedSockets> PassedSockets::adopt(std::vector<std::string> names, int first) {
  PassedSockets sockets;
  for (std::string& name : names) {
    sockets.passed_.push_back({std::move(name), Descriptor{first++}});
  }
  for (const Passed& passed : sockets.passed_) {
    if (!make_usable(passed.socket)) return Error{"the descriptor passed as " + passed.name + " is not open"};
    if (!has_option(passed.socket, SO_TYPE, SOCK_STREAM) || !has_option(passed.socket, SO_ACCEPTCONN, 1)) {
      return Error{"what was passed as " + passed.name + " is no stream socket that listens"};
    }
  }
  return sockets;
}

PassedSockets PassedSockets::of(std::vector<std::pair<std::string, Descriptor>> sockets) {
  PassedSockets passed;
  for (auto& each : sockets) passed.passed_.push_back({std::move(each.first), std::move(each.second)});
  return passed;
}

std::map<int, std::string> PassedSockets::names() const {
  std::map<int, std::string> names;
  for (const Passed& passed : passed_) names.emplace(passed.socket.get(), passed.name);
  return names;
}

std::vector<Descriptor> PassedSockets::take(std::string_view name) {
  std::vector<Descriptor> taken;
  for (Passed& passed : passed_) {
    if (passed.name == name && passed.socket.valid()) taken.push_back(std::move(passed.socket));
  }
  return taken;
}

std::vector<std::string> PassedSockets::left() const {
  std::vector<std::string> names;
  for (const Passed& passed : passed_) {
    const bool told = std::find(names.begin(), names.end(), passed.name) != names.end();
    if (passed.socket.valid() && !told) names.push_back(passed.name);
  }
  return names;
}

}  // namespace freshet::proxy
