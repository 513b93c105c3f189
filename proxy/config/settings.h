// Settings: every value an operator may choose, as plain typed data with its default. The command line and
// the configuration file fill one at start; after that it is read only. The names, bounds, units and prose
// stand in setting_table.cc, one row for each member below.
//
// Owned by main, which copies from it into each component's own options struct; no component sees this
// header.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "proxy/net/listen_address.h"
#include "proxy/net/tls_options.h"
#include "storage/base/clock.h"
#include "storage/base/log.h"

namespace freshet::proxy {

using SettingMs = storage::Milliseconds;

inline constexpr std::uint64_t kKiB = 1024;
inline constexpr std::uint64_t kMiB = 1024 * kKiB;
inline constexpr std::uint64_t kGiB = 1024 * kMiB;

// HOST:PORT as written: a name, an IPv4 address or an IPv6 address (given in brackets), without the brackets.
struct HostPort {
  std::string host;
  std::uint16_t port = 0;

  [[nodiscard]] bool empty() const { return host.empty(); }
  bool operator==(const HostPort&) const = default;
};

// What to do with a response that carries Set-Cookie.
enum class SetCookiePolicy {
  kSafe,   // store it only where the origin speaks to shared caches
  kRfc,    // RFC 9111 alone decides
  kStrip,  // store it without the field
};

// What a client's Cache-Control and Pragma count for.
enum class ClientDirectives { kHonour, kIgnore };

struct ServerSettings {
  std::vector<ListenAddress> listen{{"127.0.0.1:8080"}};
  std::vector<std::string> proxy_protocol_from{"127.0.0.0/8", "::1", "unix"};  // as trusted_proxies
  unsigned workers = 0;  // 0 until fill_defaults(): the number of cores
  bool pin_workers = false;
  SettingMs head_timeout{std::chrono::seconds{10}};
  SettingMs idle_timeout{std::chrono::seconds{60}};
  SettingMs body_timeout{std::chrono::seconds{30}};
  SettingMs send_timeout{std::chrono::seconds{60}};
  SettingMs drain_timeout{std::chrono::seconds{30}};
  SettingMs upgrade_timeout{std::chrono::minutes{10}};
  std::uint64_t max_request_line = 16 * kKiB;
  std::uint64_t max_field = 16 * kKiB;
  std::uint64_t max_fields = 128;
  std::uint64_t max_head = 64 * kKiB;
  std::uint64_t max_connections = 10'000;    // over all workers
  std::vector<std::string> trusted_proxies;  // addresses, ADDRESS/BITS, or `unix`
};

struct Http2Settings {
  bool enabled = true;
  std::uint64_t max_streams = 100;
  std::uint64_t stream_window = 256 * kKiB;
  std::uint64_t window = kMiB;
  std::uint64_t flood_allowance = 1000;
};

struct TlsSettings {
  std::vector<ListenAddress> listen;  // empty: no TLS
  std::string cert;
  std::string key;
  std::string ocsp;
  std::vector<TlsCertificateFiles> certificates;  // further ones
  TlsVersion min_version = TlsVersion::k12;
  std::string ciphers;        // empty: see tls_options.h
  std::string cipher_suites;  // likewise
  ClientCertificates client_certificates = ClientCertificates::kOff;
  std::string client_ca;
  std::string ticket_keys;  // empty: keys of this process
  SettingMs ticket_period{std::chrono::hours{12}};
  bool ktls = false;
};

struct OriginSettings {
  std::string url;  // http://HOST[:PORT] or https://HOST[:PORT]; required by `run`
  std::uint64_t max_concurrent = 256;
  std::uint64_t queue_size = 1024;
  SettingMs queue_timeout{std::chrono::seconds{5}};
  SettingMs connect_timeout{std::chrono::seconds{5}};
  SettingMs response_timeout{std::chrono::seconds{60}};
  SettingMs idle_timeout{std::chrono::seconds{4}};
  std::string ca_file;  // empty: the system's certificates
};

struct CacheSettings {
  std::string dir;  // empty until fill_defaults(): see defaults.h
  std::uint64_t memory = 256 * kMiB;
  std::uint64_t disk = 10 * kGiB;
  std::uint64_t disk_memory = 64 * kMiB;
  std::uint64_t max_object = kGiB;
  double heuristic_fraction = 0.1;
  SettingMs heuristic_max{std::chrono::hours{24}};
  SettingMs stale_if_error{std::chrono::hours{24}};
  SettingMs loss_bound{std::chrono::seconds{2}};
  std::uint64_t max_fills = 4096;
  std::uint64_t max_waiters = 100'000;
  // What counts of the two sides' directives.
  SettingMs reload_interval{std::chrono::seconds{1}};
  std::vector<std::string> targeted_fields{"CDN-Cache-Control"};
  std::vector<std::string> tag_fields{"Surrogate-Key", "Cache-Tag"};
  // The key.
  std::vector<std::string> ignore_query;  // names; `utm_*` stands for all that begin so
  std::vector<std::string> key_fields;    // names of request header fields
  std::vector<std::string> key_cookies;   // names of cookies
  std::uint64_t max_variants = 64;
  // Large responses.
  std::uint64_t slice_above = 64 * kMiB;
  std::uint64_t slice_size = kMiB;
  // Choices and switches.
  SetCookiePolicy set_cookie = SetCookiePolicy::kSafe;
  ClientDirectives client_directives = ClientDirectives::kHonour;
  bool surrogate_control = true;
  bool forward_tags = true;
  bool sort_query = false;
  bool content_tags = true;
  bool early_hints = false;
  bool status_key = false;
};

struct AdminSettings {
  HostPort listen;     // empty: the unix socket alone
  std::string socket;  // empty until fill_defaults(): <cache.dir>/admin.sock
  std::string token;   // that TCP clients show; empty: loopback alone
};

struct PurgeSettings {
  std::vector<std::string> allow{"127.0.0.0/8", "::1"};  // as server.trusted_proxies
  std::string token;                                     // empty: none is accepted
};

struct LogSettings {
  std::string access = "off";  // a path, `-` (standard output) or `off`
  storage::LogLevel level = storage::LogLevel::kInfo;
  std::string format = "json";  // see log_format.h
  double sample = 1;
  bool request_id = false;
};

struct Settings {
  ServerSettings server;
  Http2Settings http2;
  TlsSettings tls;
  OriginSettings origin;
  CacheSettings cache;
  AdminSettings admin;
  PurgeSettings purge;
  LogSettings log;
};

}  // namespace freshet::proxy
