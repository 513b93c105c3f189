#include "proxy/config/setting_table.h"

#include <algorithm>

#include "proxy/config/setting_values.h"
#include "proxy/observe/log_format.h"
#include "revalidate/origin/origin_url.h"
#include "revalidate/policy/forwarding.h"
#include "storage/http/field_syntax.h"

namespace freshet::proxy {

namespace {

using storage::Error;
using storage::LogLevel;
using Type = SettingType;

constexpr std::uint64_t kSecond = 1000;
constexpr std::uint64_t kDay = 86'400 * kSecond;

// What a setting can only be changed by; the others change while the edge runs.
constexpr bool kRestart = true;

#define MEMBER(type, path)                       \
  SettingMember {                                \
    +[](Settings& s) -> type& { return s.path; } \
  }
#define BYTES(path) MEMBER(std::uint64_t, path)
#define COUNT(path) MEMBER(std::uint64_t, path)
#define DURATION(path) MEMBER(SettingMs, path)
#define TEXT(path) MEMBER(std::string, path)
#define SWITCH(path) MEMBER(bool, path)
#define LIST(path) MEMBER(std::vector<std::string>, path)
#define ADDRESS(path) MEMBER(HostPort, path)
#define LISTEN(path) MEMBER(std::vector<ListenAddress>, path)

// One row a setting, and nothing else.
// clang-format off
std::vector<SettingRow> make_table() {  // NOLINT(readability-function-size)
  return {
      {"server.listen", "--listen", Type::kListen, LISTEN(server.listen), "HOST:PORT", 0, 0, "",
       "Where clients connect, one or several: HOST:PORT ([::] takes IPv4 too, unless the word v6only follows; port 0 takes a free "
       "one), unix:PATH (permissions by the word mode=0660), systemd:NAME (sockets passed by that name). With the word "
       "proxy_protocol each connection begins with a PROXY header, version 1 or 2. Empty: only tls.listen."},
      {"server.proxy_protocol_from", "", Type::kNetworks, LIST(server.proxy_protocol_from), "LIST", 0, 0, "",
       "Whose PROXY headers are believed, on listeners with the word proxy_protocol: addresses or networks, and unix for those that "
       "come by a unix socket. Others are closed there."},
      {"server.workers", "--workers", Type::kCount, MEMBER(unsigned, server.workers), "N", 1, 1024,
       "the number of cores", "Event loops, one thread each.", {}, kRestart},
      {"server.pin_workers", "", Type::kSwitch, SWITCH(server.pin_workers), "BOOL", 0, 0, "",
       "Each worker stays on one core, of those that the process may use.", {}, kRestart},
      {"server.head_timeout", "", Type::kDuration, DURATION(server.head_timeout), "TIME", 1, kDay, "",
       "How long a client may take to send a request's head."},
      {"server.idle_timeout", "", Type::kDuration, DURATION(server.idle_timeout), "TIME", 1, kDay, "",
       "How long a kept connection may wait for its next request."},
      {"server.body_timeout", "", Type::kDuration, DURATION(server.body_timeout), "TIME", 1, kDay, "",
       "How long a request's body may make no progress."},
      {"server.send_timeout", "", Type::kDuration, DURATION(server.send_timeout), "TIME", 1, kDay, "",
       "How long a client may take nothing of its response before it is cut."},
      {"server.drain_timeout", "", Type::kDuration, DURATION(server.drain_timeout), "TIME", 0, kDay, "",
       "After SIGTERM, how long requests in progress may go on."},
      {"server.upgrade_timeout", "", Type::kDuration, DURATION(server.upgrade_timeout), "TIME", 0, kDay, "",
       "After an upgrade, how long the process that was replaced may go on with what it has accepted."},
      {"server.max_request_line", "", Type::kBytes, BYTES(server.max_request_line), "SIZE", 256, kMiB, "",
       "The longest request line; a longer one is answered 414."},
      {"server.max_field", "", Type::kBytes, BYTES(server.max_field), "SIZE", 256, kMiB, "",
       "The longest header field line; a longer one is answered 431."},
      {"server.max_fields", "", Type::kCount, COUNT(server.max_fields), "N", 16, 10'000, "",
       "The most header fields in a request; more are answered 431."},
      {"server.max_head", "", Type::kBytes, BYTES(server.max_head), "SIZE", kKiB, 16 * kMiB, "",
       "The largest request head; a larger one is answered 431."},
      {"server.max_connections", "", Type::kCount, COUNT(server.max_connections), "N", 1, 10'000'000, "",
       "The most client connections at once, over all workers; further ones are closed."},
      {"server.trusted_proxies", "", Type::kNetworks, LIST(server.trusted_proxies),
       "LIST", 0, 0, "", "Clients whose X-Forwarded-* and Forwarded fields are believed: addresses or networks, and unix for those that come by a "
       "unix socket."},

      {"http2.enabled", "", Type::kSwitch, SWITCH(http2.enabled), "BOOL", 0, 0, "",
       "Whether clients may speak HTTP/2: in clear by prior knowledge, over TLS by ALPN."},
      {"http2.max_streams", "", Type::kCount, COUNT(http2.max_streams), "N", 1, 10'000, "",
       "The most requests of one HTTP/2 connection at once."},
      {"http2.stream_window", "", Type::kBytes, BYTES(http2.stream_window), "SIZE", kKiB, kGiB, "",
       "How much of an HTTP/2 request's content may wait for the origin."},
      {"http2.window", "", Type::kBytes, BYTES(http2.window), "SIZE", 64 * kKiB, kGiB, "",
       "The same, of all requests of a connection together."},
      {"http2.flood_allowance", "", Type::kCount, COUNT(http2.flood_allowance), "N", 10, 1'000'000, "",
       "Resets, pings, settings, empty frames beyond one for each request answered; a tenth a second comes back."},

      {"tls.listen", "--tls-listen", Type::kListen, LISTEN(tls.listen), "HOST:PORT", 0, 0, "no TLS",
       "Where clients connect by TLS (https), beside server.listen and written like it. A PROXY header comes before the handshake."},
      {"tls.cert", "--tls-cert", Type::kPath, TEXT(tls.cert), "FILE", 0, 0, "none",
       "PEM file of the certificate, followed by those that vouch for it. SIGHUP reads all files of this table anew."},
      {"tls.key", "--tls-key", Type::kPath, TEXT(tls.key), "FILE", 0, 0, "none",
       "PEM file of its private key, without a passphrase."},
      {"tls.ocsp", "", Type::kPath, TEXT(tls.ocsp), "FILE", 0, 0, "none",
       "OCSP response (DER) to staple to it."},
      {"tls.certificates", "", Type::kCertificates, MEMBER(std::vector<TlsCertificateFiles>, tls.certificates), "LIST", 0, 0, "none",
       "Further certificates, each with cert, key and perhaps ocsp. Each is for the names in it, exact or wildcard; ECDSA and RSA "
       "may stand side by side for one name. The first of all is for clients that name no host, or none of these."},
      {"tls.min_version", "", Type::kChoice, MEMBER(TlsVersion, tls.min_version), "WORD", 0, 0, "",
       "The lowest version of TLS that is spoken; the highest is 1.3.", {"1.2", "1.3"}},
      {"tls.ciphers", "", Type::kText, TEXT(tls.ciphers), "LIST", 0, 0,
       "ECDHE with AES-GCM or ChaCha20-Poly1305", "Ciphers of TLS 1.2, in OpenSSL's names, separated by colons."},
      {"tls.cipher_suites", "", Type::kText, TEXT(tls.cipher_suites), "LIST", 0, 0,
       "AES-128-GCM, AES-256-GCM, ChaCha20-Poly1305", "Cipher suites of TLS 1.3, likewise."},
      {"tls.client_certificates", "", Type::kChoice, MEMBER(ClientCertificates, tls.client_certificates), "WORD", 0, 0, "",
       "Whether clients are asked for a certificate: optional refuses one that is not good, required also a client without one.",
       {"off", "optional", "required"}},
      {"tls.client_ca", "", Type::kPath, TEXT(tls.client_ca), "FILE", 0, 0, "none",
       "PEM file of the authorities that may vouch for clients."},
      {"tls.ticket_keys", "", Type::kPath, TEXT(tls.ticket_keys), "FILE", 0, 0, "keys of this process",
       "File with the keys of session tickets, which a fleet can share: on each line 80 random bytes in base64. The first seals, "
       "all open."},
      {"tls.ticket_period", "", Type::kDuration, DURATION(tls.ticket_period), "TIME", 100, 3 * kDay, "",
       "How long a key of this process seals tickets; it opens them for two periods more. A ticket is good for two periods."},
      {"tls.ktls", "", Type::kSwitch, SWITCH(tls.ktls), "BOOL", 0, 0, "",
       "Records are made by the kernel, where it can (kTLS)."},

      {"origin.url", "--origin", Type::kOrigin, TEXT(origin.url), "URL", 0, 0, "none; `freshet run` needs it",
       "The origin whose responses are served: http://HOST:PORT or https://HOST:PORT.", {}, kRestart},
      {"origin.max_concurrent", "", Type::kCount, COUNT(origin.max_concurrent), "N", 1, 1'000'000, "",
       "The most requests in progress at the origin at once, over all workers.", {}, kRestart},
      {"origin.queue_size", "", Type::kCount, COUNT(origin.queue_size), "N", 0, 10'000'000, "",
       "The most requests that wait for a place at the origin; further ones are answered stale or 503.", {}, kRestart},
      {"origin.queue_timeout", "", Type::kDuration, DURATION(origin.queue_timeout), "TIME", 0, kDay, "",
       "How long a request may wait for a place at the origin.", {}, kRestart},
      {"origin.connect_timeout", "", Type::kDuration, DURATION(origin.connect_timeout), "TIME", 1, kDay, "",
       "How long connecting to the origin may take, with its name's look-up and TLS.", {}, kRestart},
      {"origin.response_timeout", "", Type::kDuration, DURATION(origin.response_timeout), "TIME", 1, kDay, "",
       "How long the origin may take to begin its response.", {}, kRestart},
      {"origin.idle_timeout", "", Type::kDuration, DURATION(origin.idle_timeout), "TIME", 0, kDay, "",
       "How long an idle connection to the origin is kept. Less than the origin keeps it (Node: 5s).", {}, kRestart},
      {"origin.ca_file", "", Type::kPath, TEXT(origin.ca_file), "FILE", 0, 0, "the system's certificates",
       "PEM file of the authorities that may vouch for an https origin.", {}, kRestart},

      {"cache.dir", "--cache-dir", Type::kPath, TEXT(cache.dir), "DIR", 0, 0,
       "/var/cache/freshet for the service, else ${XDG_CACHE_HOME:-~/.cache}/freshet",
       "Directory of the disk tier and of the admin socket. One process at a time.", {}, kRestart},
      {"cache.memory", "--memory", Type::kBytes, BYTES(cache.memory), "SIZE", kMiB, 1ULL << 50, "",
       "Budget of the memory tier.", {}, kRestart},
      {"cache.disk", "--disk", Type::kBytes, BYTES(cache.disk), "SIZE", 64 * kMiB, 1ULL << 50, "",
       "Budget of the disk tier.", {}, kRestart},
      {"cache.disk_memory", "", Type::kBytes, BYTES(cache.disk_memory), "SIZE", 16 * kMiB, 1ULL << 50, "",
       "Memory of the disk tier: its cache of blocks, indexes and filters, and what waits to become a file.", {}, kRestart},
      {"cache.max_object", "", Type::kBytes, BYTES(cache.max_object), "SIZE", kKiB, 1ULL << 50, "",
       "Responses with a larger body are passed on and not stored."},
      {"cache.set_cookie", "", Type::kChoice, MEMBER(SetCookiePolicy, cache.set_cookie), "WORD", 0, 0, "",
       "Responses with Set-Cookie: safe stores them only where the origin speaks to shared caches (`public`, "
       "s-maxage, CDN-Cache-Control), rfc wherever RFC 9111 allows it, strip stores them without the field.", {"safe", "rfc", "strip"}, kRestart},
      {"cache.heuristic_fraction", "", Type::kRatio, MEMBER(double, cache.heuristic_fraction), "RATIO", 0, 1000,
       "", "Freshness of a response that states none, as a share of the time since Last-Modified. 0: stale at once.", {}, kRestart},
      {"cache.heuristic_max", "", Type::kDuration, DURATION(cache.heuristic_max), "TIME", 0, 365 * kDay, "",
       "The longest freshness lifetime found in that way.", {}, kRestart},
      {"cache.stale_if_error", "", Type::kDuration, DURATION(cache.stale_if_error), "TIME", 0, 365 * kDay, "",
       "How long after it became stale a response may be served while the origin fails, where the origin did not "
       "say. 0: never.", {}, kRestart},
      {"cache.loss_bound", "", Type::kDuration, DURATION(cache.loss_bound), "TIME", 100, 600 * kSecond, "",
       "Stored responses older than this survive a crash.", {}, kRestart},
      {"cache.max_fills", "", Type::kCount, COUNT(cache.max_fills), "N", 1, 1'000'000, "",
       "The most responses being received at once; beyond it requests are answered stale or 503.", {}, kRestart},
      {"cache.max_waiters", "", Type::kCount, COUNT(cache.max_waiters), "N", 1, 10'000'000, "",
       "The most requests that wait for a response another request asked for.", {}, kRestart},
      {"cache.client_directives", "", Type::kChoice, MEMBER(ClientDirectives, cache.client_directives), "WORD", 0, 0, "",
       "Whether a client's Cache-Control and Pragma count. only-if-cached always does.", {"honour", "ignore"}, kRestart},
      {"cache.reload_interval", "", Type::kDuration, DURATION(cache.reload_interval), "TIME", 0, kDay, "",
       "However many clients force a validation of a fresh response (reload, no-cache, max-age=0), the origin is asked "
       "once in this time. 0: for each of them.", {}, kRestart},
      {"cache.targeted_fields", "", Type::kNames, LIST(cache.targeted_fields), "LIST", 0, 0, "",
       "Response fields that replace Cache-Control and Expires for this cache, the first that is there and valid (RFC 9213).", {}, kRestart},
      {"cache.surrogate_control", "", Type::kSwitch, SWITCH(cache.surrogate_control), "BOOL", 0, 0, "",
       "Surrogate-Control replaces Cache-Control where no targeted field does; the origin is told by Surrogate-Capability.", {}, kRestart},
      {"cache.tag_fields", "", Type::kNames, LIST(cache.tag_fields), "LIST", 0, 0, "",
       "Response fields that name tags to purge by, beside Cache-Groups: Surrogate-Key separated by blanks, Cache-Tag and "
       "others by commas or blanks.", {}, kRestart},
      {"cache.forward_tags", "", Type::kSwitch, SWITCH(cache.forward_tags), "BOOL", 0, 0, "",
       "Clients get these fields too: another cache may need them.", {}, kRestart},
      {"cache.ignore_query", "", Type::kPatterns, LIST(cache.ignore_query), "LIST", 0, 0, "",
       "Query parameters that are no part of the key and are not sent to the origin: names, or the beginnings of names "
       "such as `utm_*`."},
      {"cache.sort_query", "", Type::kSwitch, SWITCH(cache.sort_query), "BOOL", 0, 0, "",
       "Query parameters are sorted by name, in the key and towards the origin."},
      {"cache.key_fields", "", Type::kNames, LIST(cache.key_fields), "LIST", 0, 0, "",
       "Request header fields whose values are part of the key."},
      {"cache.key_cookies", "", Type::kNames, LIST(cache.key_cookies), "LIST", 0, 0, "",
       "Cookies whose values are part of the key."},
      {"cache.max_variants", "", Type::kCount, COUNT(cache.max_variants), "N", 1, 10'000, "",
       "The most responses stored for one URL that differ by Vary; a further one replaces the oldest.", {}, kRestart},
      {"cache.slice_above", "", Type::kBytes, BYTES(cache.slice_above), "SIZE", kMiB, 1ULL << 50, "",
       "Where a range is asked for, responses with a larger body are fetched and stored in slices."},
      {"cache.slice_size", "", Type::kBytes, BYTES(cache.slice_size), "SIZE", 64 * kKiB, 64 * kMiB, "",
       "The size of a slice.", {}, kRestart},
      {"cache.content_tags", "", Type::kSwitch, SWITCH(cache.content_tags), "BOOL", 0, 0, "",
       "A stored response without an entity tag gets one from the hash of its content.", {}, kRestart},
      {"cache.early_hints", "", Type::kSwitch, SWITCH(cache.early_hints), "BOOL", 0, 0, "",
       "An origin's 103 (Early Hints) is remembered and sent ahead of later answers for the same key."},
      {"cache.status_key", "", Type::kSwitch, SWITCH(cache.status_key), "BOOL", 0, 0, "",
       "Cache-Status tells the cache key to every client, not only to trusted ones that send `Freshet-Debug: key`."},

      {"admin.listen", "--admin", Type::kAddress, ADDRESS(admin.listen), "HOST:PORT", 0, 0, "no TCP address",
       "TCP address of the admin plane, beside its unix socket. Where it is not a loopback address, admin.token is needed.", {}, kRestart},
      {"admin.socket", "", Type::kPath, TEXT(admin.socket), "FILE", 0, 0, "admin.sock in the cache directory",
       "Unix socket of the admin plane, for the process's owner and group.", {}, kRestart},
      {"admin.token", "", Type::kToken, TEXT(admin.token), "TOKEN", 0, 0, "none; only loopback addresses are served",
       "What clients of the admin plane's TCP address show as `Authorization: Bearer TOKEN`. /healthz and /readyz need none.", {}, kRestart},

      {"purge.allow", "", Type::kNetworks, LIST(purge.allow), "LIST", 0, 0, "",
       "Clients that may send PURGE: addresses or networks, and unix for those that come by a unix socket."},
      {"purge.token", "", Type::kToken, TEXT(purge.token), "TOKEN", 0, 0, "none is accepted",
       "Who sends PURGE with `Authorization: Bearer TOKEN` may do so from anywhere."},

      {"log.access", "", Type::kPath, TEXT(log.access), "FILE", 0, 0, "",
       "The access log, a JSON line for each request: a file, `-` for standard output, or `off`."},
      {"log.level", "", Type::kChoice, MEMBER(LogLevel, log.level), "WORD", 0, 0, "",
       "The lowest level that the event log on standard error shows.", {"debug", "info", "warn", "error"}},
      {"log.format", "", Type::kLogFormat, TEXT(log.format), "FORMAT", 0, 0, "",
       "What a line of the access log is: json, common, combined, or a text with fields as {client} \"{request}\" {status} {ms} {header:Referer}."},
      {"log.sample", "", Type::kRatio, MEMBER(double, log.sample), "RATIO", 0, 1000, "",
       "The part of the requests that the access log has, chosen at random; what went wrong (5xx, the edge's own errors, broken transfers) is always in it."},
      {"log.request_id", "", Type::kSwitch, SWITCH(log.request_id), "BOOL", 0, 0, "",
       "Every request has an id in X-Request-Id: a trusted proxy's or a new one, in the access log, to the origin and to the client."},
  };
}
// clang-format on

Error with_key(const SettingRow& row, const std::string& reason) {
  return Error{std::string(row.key) + ": " + reason};
}

std::string number_text(const SettingRow& row, std::uint64_t value) {
  switch (row.type) {
    case Type::kBytes:
      return format_size(value);
    case Type::kDuration:
      return format_duration(SettingMs{static_cast<std::int64_t>(value)});
    case Type::kRatio:
      return format_ratio(static_cast<double>(value) / 1000.0);
    default:
      return std::to_string(value);
  }
}

Status check_bounds(const SettingRow& row, std::uint64_t value, std::string_view text) {
  const std::string shown(text);
  if (value < row.least) {
    return with_key(row, shown + " is below the least allowed, " + number_text(row, row.least));
  }
  if (value > row.most) {
    return with_key(row, shown + " is above the most allowed, " + number_text(row, row.most));
  }
  return {};
}

// The number behind a text, in the unit of the row's bounds.
Result<std::uint64_t> parse_number(const SettingRow& row, std::string_view text) {
  if (row.type == Type::kBytes) return parse_size(text);
  if (row.type == Type::kCount) return parse_count(text);
  const Result<SettingMs> duration = parse_duration(text);
  if (!duration.ok()) return Error{duration.error()};
  return static_cast<std::uint64_t>(duration.value().count());
}

// No text has no part.
std::vector<std::string> split(std::string_view text, char separator) {
  std::vector<std::string> parts;
  while (!text.empty()) {
    const std::size_t end = text.find(separator);
    parts.emplace_back(text.substr(0, end));
    text = end == std::string_view::npos ? std::string_view() : text.substr(end + 1);
  }
  return parts;
}

// One overload for each kind of member.
struct Setter {
  const SettingRow& row;
  std::string_view text;

  Status operator()(std::uint64_t& member) const {
    const Result<std::uint64_t> number = parse_number(row, text);
    if (!number.ok()) return with_key(row, number.error());
    if (Status bounded = check_bounds(row, number.value(), text); !bounded.ok()) return bounded;
    member = number.value();
    return {};
  }
  Status operator()(unsigned& member) const {
    std::uint64_t wide = 0;
    if (Status set = (*this)(wide); !set.ok()) return set;
    member = static_cast<unsigned>(wide);
    return {};
  }
  Status operator()(SettingMs& member) const {
    std::uint64_t wide = 0;
    if (Status set = (*this)(wide); !set.ok()) return set;
    member = SettingMs{static_cast<std::int64_t>(wide)};
    return {};
  }
  Status operator()(double& member) const {
    const Result<double> ratio = parse_ratio(text);
    if (!ratio.ok()) return with_key(row, ratio.error());
    const double thousandths = ratio.value() * 1000.0;
    if (thousandths < static_cast<double>(row.least)) {
      return with_key(row, std::string(text) + " is below the least allowed, " + number_text(row, row.least));
    }
    if (thousandths > static_cast<double>(row.most)) {
      return with_key(row, std::string(text) + " is above the most allowed, " + number_text(row, row.most));
    }
    member = ratio.value();
    return {};
  }
  Status operator()(std::string& member) const {
    if (text.find('\0') != std::string_view::npos)
      return with_key(row, in_quotes(text) + " holds a NUL byte");
    if (row.type == Type::kOrigin) {
      const auto url = revalidate::parse_origin_url(text);
      if (!url.ok()) return with_key(row, url.error() + " (try http://127.0.0.1:3000)");
    } else if (row.type == Type::kToken && !text.empty()) {
      if (const Status good = check_token(text); !good.ok()) return with_key(row, good.error());
    } else if (row.type == Type::kLogFormat) {
      const auto format = LogFormat::parse(text);
      if (!format.ok()) return with_key(row, format.error());
    } else if (text.empty() && row.computed_default.empty()) {
      return with_key(row, "is empty");
    }
    member = std::string(text);
    return {};
  }
  Status operator()(HostPort& member) const {
    if (text.empty() && !row.computed_default.empty()) {
      member = HostPort{};
      return {};
    }
    Result<HostPort> address = parse_host_port(text);
    if (!address.ok()) return with_key(row, address.error());
    member = address.take();
    return {};
  }
  Status operator()(bool& member) const {
    if (text != "true" && text != "false") return with_key(row, in_quotes(text) + " is not true or false");
    member = text == "true";
    return {};
  }
  Status operator()(SetCookiePolicy& member) const { return choose(member); }
  Status operator()(ClientDirectives& member) const { return choose(member); }
  Status operator()(TlsVersion& member) const { return choose(member); }
  Status operator()(ClientCertificates& member) const { return choose(member); }
  Status operator()(LogLevel& member) const { return choose(member); }
  Status operator()(std::vector<std::string>& member) const { return set_list(member, split(text, ',')); }
  Status operator()(std::vector<ListenAddress>& member) const { return set_list(member, split(text, ',')); }

  Status operator()(std::vector<TlsCertificateFiles>& member) const {
    std::vector<TlsCertificateFiles> certificates;
    for (const std::string& element : split(text, ',')) {
      std::vector<std::string> parts = split(element, ':');
      if (parts.size() != 2 && parts.size() != 3) {
        return with_key(row, in_quotes(element) + " is not CERT:KEY or CERT:KEY:OCSP");
      }
      parts.resize(3);
      certificates.push_back({parts[0], parts[1], parts[2]});
    }
    return set_certificates(member, std::move(certificates));
  }

  Status set_certificates(std::vector<TlsCertificateFiles>& member,
                          std::vector<TlsCertificateFiles> certificates) const {
    for (const TlsCertificateFiles& files : certificates) {
      if (files.certificate.empty()) return with_key(row, "cert is missing");
      if (files.key.empty()) return with_key(row, "key is missing, of " + files.certificate);
    }
    member = std::move(certificates);
    return {};
  }

  Status set_list(std::vector<std::string>& member, std::vector<std::string> list) const {
    for (const std::string& element : list) {
      const Status good = check_element(element);
      if (!good.ok()) return with_key(row, good.error());
    }
    member = std::move(list);
    return {};
  }

  Status set_list(std::vector<ListenAddress>& member, const std::vector<std::string>& list) const {
    std::vector<ListenAddress> addresses;
    for (const std::string& element : list) {
      auto address = ListenAddress::parse(element);
      if (!address.ok()) return with_key(row, address.error());
      addresses.push_back(address.take());
    }
    member = std::move(addresses);
    return {};
  }

  [[nodiscard]] Status check_element(const std::string& element) const {
    const bool in_key = std::string_view(row.key) == "cache.key_fields";
    if (in_key && storage::is_token(element) && !revalidate::may_reach_the_origin(element)) {
      return Error{'"' + element + "\" does not reach the origin as the client sent it"};
    }
    if (row.type == Type::kNames) return check_name(element);
    return row.type == Type::kPatterns ? check_pattern(element) : check_network(element);
  }

  // The enumerators stand in the order of row.choices.
  template <typename Enum>
  Status choose(Enum& member) const {
    std::string allowed;
    for (std::size_t i = 0; i < row.choices.size(); ++i) {
      if (row.choices[i] == text) {
        member = static_cast<Enum>(i);
        return {};
      }
      allowed += (i == 0 ? "" : i + 1 == row.choices.size() ? " or " : ", ") + std::string(row.choices[i]);
    }
    return with_key(row, in_quotes(text) + " is not one of " + allowed);
  }
};

struct Getter {
  const SettingRow& row;

  std::string operator()(std::uint64_t value) const { return number_text(row, value); }
  std::string operator()(unsigned value) const { return std::to_string(value); }
  std::string operator()(SettingMs value) const { return format_duration(value); }
  std::string operator()(double value) const { return format_ratio(value); }
  std::string operator()(const std::string& value) const { return value; }
  std::string operator()(const HostPort& value) const { return format_host_port(value); }
  std::string operator()(bool value) const { return value ? "true" : "false"; }
  std::string operator()(SetCookiePolicy value) const { return choice(static_cast<std::size_t>(value)); }
  std::string operator()(ClientDirectives value) const { return choice(static_cast<std::size_t>(value)); }
  std::string operator()(TlsVersion value) const { return choice(static_cast<std::size_t>(value)); }
  std::string operator()(ClientCertificates value) const { return choice(static_cast<std::size_t>(value)); }
  std::string operator()(LogLevel value) const { return choice(static_cast<std::size_t>(value)); }
  std::string operator()(const std::vector<std::string>& value) const {
    std::string text;
    for (const std::string& element : value) text += (text.empty() ? "" : ",") + element;
    return text;
  }
  std::string operator()(const std::vector<ListenAddress>& value) const {
    std::string text;
    for (const ListenAddress& address : value) text += (text.empty() ? "" : ",") + address.text();
    return text;
  }
  std::string operator()(const std::vector<TlsCertificateFiles>& value) const {
    std::string text;
    for (const TlsCertificateFiles& files : value) {
      text += (text.empty() ? "" : ",") + files.certificate + ":" + files.key;
      if (!files.ocsp.empty()) text += ":" + files.ocsp;
    }
    return text;
  }
  std::string choice(std::size_t index) const { return std::string(row.choices[index]); }
};

// The number of single-byte edits, neighbours swapped counting as one, that turn `a` into `b`.
std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::vector<std::size_t>> d(a.size() + 1, std::vector<std::size_t>(b.size() + 1));
  for (std::size_t i = 0; i <= a.size(); ++i) {
    for (std::size_t j = 0; j <= b.size(); ++j) {
      if (i == 0 || j == 0) {
        d[i][j] = i + j;
        continue;
      }
      const std::size_t replaced = d[i - 1][j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1);
      d[i][j] = std::min({d[i - 1][j] + 1, d[i][j - 1] + 1, replaced});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
        d[i][j] = std::min(d[i][j], d[i - 2][j - 2] + 1);
      }
    }
  }
  return d[a.size()][b.size()];
}

std::string_view last_part(std::string_view key) {
  return key.substr(key.find('.') + 1);
}

Error unknown_setting(std::string_view key) {
  std::vector<std::string_view> names;
  for (const SettingRow& row : setting_table()) names.push_back(row.key);
  std::string_view near = nearest_name(key, names);
  // `memory`, or `server.memory`: the right name in the wrong section, or in none.
  for (const SettingRow& row : setting_table()) {
    if (near.empty() && last_part(row.key) == last_part(key)) near = row.key;
  }
  const std::string hint = near.empty() ? "" : "; did you mean " + std::string(near) + "?";
  return Error{std::string(key.substr(0, 100)) + ": unknown setting" + hint};
}

}  // namespace

const std::vector<SettingRow>& setting_table() {
  static const std::vector<SettingRow> table = make_table();
  return table;
}

const SettingRow* find_setting(std::string_view key) {
  for (const SettingRow& row : setting_table()) {
    if (row.key == key) return &row;
  }
  return nullptr;
}

std::string_view nearest_name(std::string_view name, const std::vector<std::string_view>& names) {
  std::string_view best;
  if (name.size() > 100) return best;
  std::size_t best_distance = std::max<std::size_t>(name.size() / 4, 1) + 1;
  for (const std::string_view candidate : names) {
    const std::size_t distance = edit_distance(name, candidate);
    if (distance < best_distance) {
      best = candidate;
      best_distance = distance;
    }
  }
  return best;
}

Status set_setting(Settings& settings, std::string_view key, std::string_view text) {
  const SettingRow* const row = find_setting(key);
  if (row == nullptr) return unknown_setting(key);
  const Setter setter{*row, text};
  return std::visit([&](auto member) { return setter(member(settings)); }, row->member);
}

Status set_setting(Settings& settings, const SettingRow& row, std::vector<std::string> list) {
  FRESHET_CHECK(is_list(row.type));
  if (row.type == SettingType::kListen) {
    auto addresses = std::get<std::vector<ListenAddress>& (*)(Settings&)>(row.member);
    return Setter{row, ""}.set_list(addresses(settings), list);
  }
  auto member = std::get<std::vector<std::string>& (*)(Settings&)>(row.member);
  return Setter{row, ""}.set_list(member(settings), std::move(list));
}

Status set_setting(Settings& settings, const SettingRow& row, std::vector<TlsCertificateFiles> certificates) {
  auto member = std::get<std::vector<TlsCertificateFiles>& (*)(Settings&)>(row.member);
  return Setter{row, ""}.set_certificates(member(settings), std::move(certificates));
}

std::string setting_text(const Settings& settings, const SettingRow& row) {
  Settings copy = settings;
  return std::visit([&](auto member) { return Getter{row}(member(copy)); }, row.member);
}

std::vector<const SettingRow*> changed_settings(const Settings& before, const Settings& after) {
  std::vector<const SettingRow*> changed;
  for (const SettingRow& row : setting_table()) {
    if (setting_text(before, row) != setting_text(after, row)) changed.push_back(&row);
  }
  return changed;
}

std::string default_text(const SettingRow& row) {
  if (!row.computed_default.empty()) return std::string(row.computed_default);
  const std::string text = setting_text(Settings{}, row);
  return text.empty() ? "none" : text;
}

}  // namespace freshet::proxy
