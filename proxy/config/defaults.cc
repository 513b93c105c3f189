#include "proxy/config/defaults.h"

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <thread>
#include <unistd.h>
#include <utility>

#include "proxy/config/listen_settings.h"
#include "proxy/config/setting_values.h"
#include "proxy/config/tls_settings.h"
#include "proxy/net/ip_address.h"

namespace freshet::proxy {

namespace {

constexpr std::string_view kServiceCacheDir = "/var/cache/freshet";

// Empty counts as unset, as the XDG base directory specification has it.
std::optional<std::string> variable(const char* name) {
  const char* const value = std::getenv(name);  // NOLINT(concurrency-mt-unsafe): start-up, one thread
  if (value == nullptr || *value == '\0') return std::nullopt;
  return std::string(value);
}

// As SocketAddress::parse() understands a host.
bool is_loopback(const std::string& host) {
  if (host == "localhost") return true;
  const auto address = IpAddress::parse(host);
  if (!address) return false;
  static const IpNetwork kV4 = *IpNetwork::parse("127.0.0.0/8");
  static const IpNetwork kV6 = *IpNetwork::parse("::1");
  return kV4.contains(*address) || kV6.contains(*address);
}

}  // namespace

Surroundings read_surroundings() {
  Surroundings found;
  found.cores = std::max(1U, std::thread::hardware_concurrency());
  found.cache_directory = variable("CACHE_DIRECTORY");
  found.xdg_cache_home = variable("XDG_CACHE_HOME");
  found.home = variable("HOME");
  found.admin_token = variable("FRESHET_ADMIN_TOKEN");
  return found;
}

std::string default_cache_dir(const Surroundings& surroundings) {
  // systemd separates several directories by colons; the first is ours.
  if (surroundings.cache_directory) {
    return surroundings.cache_directory->substr(0, surroundings.cache_directory->find(':'));
  }
  // A relative XDG path is to be ignored, says its specification.
  if (surroundings.xdg_cache_home && surroundings.xdg_cache_home->front() == '/') {
    return *surroundings.xdg_cache_home + "/freshet";
  }
  if (surroundings.home) return *surroundings.home + "/.cache/freshet";
  return std::string(kServiceCacheDir);
}

void fill_defaults(Settings& settings, const Surroundings& surroundings) {
  if (settings.server.workers == 0) settings.server.workers = std::min(surroundings.cores, 1024U);
  if (settings.cache.dir.empty()) settings.cache.dir = default_cache_dir(surroundings);
  if (settings.admin.socket.empty()) settings.admin.socket = settings.cache.dir + "/admin.sock";
}

std::vector<std::string> check_settings(const Settings& settings) {
  std::vector<std::string> errors;
  const ServerSettings& server = settings.server;
  if (server.max_request_line > server.max_head) {
    errors.push_back("server.max_request_line: " + format_size(server.max_request_line) +
                     " is more than server.max_head, " + format_size(server.max_head));
  }
  if (server.max_field > server.max_head) {
    errors.push_back("server.max_field: " + format_size(server.max_field) +
                     " is more than server.max_head, " + format_size(server.max_head));
  }
  for (std::string& error : check_listen_settings(settings)) errors.push_back(std::move(error));
  for (std::string& error : check_tls_settings(settings.tls)) errors.push_back(std::move(error));
  const AdminSettings& admin = settings.admin;
  if (!admin.listen.empty() && admin.token.empty() && !is_loopback(admin.listen.host)) {
    errors.push_back("admin.token: is needed, since admin.listen, " + format_host_port(admin.listen) +
                     ", is not a loopback address");
  }
  const std::string& ca_file = settings.origin.ca_file;
  if (!ca_file.empty() && ::access(ca_file.c_str(), R_OK) != 0) {
    errors.push_back("origin.ca_file: " + in_quotes(ca_file) + " cannot be read: " + std::strerror(errno));
  }
  return errors;
}

}  // namespace freshet::proxy
