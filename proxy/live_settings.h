// LiveSettings: what the workers take from the settings and may change while they run. Constant once made: a
// reload makes another, and gives it to each worker. The components' own option structs, filled; nothing
// here knows how a setting is named or read.
//
// What is in progress goes on with what it began with: a request with the options that held when its head
// began, a connection with its place in the event loop and its protocol.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "proxy/config/settings.h"
#include "proxy/exchange/exchange.h"
#include "proxy/http1/http1_session.h"
#include "proxy/http2/http2_session.h"
#include "proxy/net/ip_address.h"
#include "proxy/net/socket_address.h"
#include "proxy/net/tls_context.h"
#include "revalidate/policy/policy_options.h"
#include "revalidate/slices.h"

namespace freshet::proxy {

// Peers that are believed something, by the settings.
struct TrustedPeers {
  std::vector<IpNetwork> networks;
  bool unix_sockets = false;

  [[nodiscard]] bool contains(const SocketAddress& peer) const;
  // As ClientInfo has an address.
  [[nodiscard]] bool contains(const std::string& client) const;
};

struct LiveSettings {
  RequestParserOptions parser;
  Http1Timeouts timeouts;
  Http2Options http2;
  TrustedPeers trusted_proxies;
  TrustedPeers proxy_protocol_from;
  std::shared_ptr<const ExchangeOptions> exchange;
  std::uint64_t max_object = 0;
  revalidate::SliceOptions slices;
  std::uint64_t max_connections = 0;
  const TlsCredentials* tls = nullptr;  // null: there has been no TLS so far
};

// `search_rules` are what the workers have learned, and stay.
[[nodiscard]] LiveSettings live_settings(const Settings& settings, std::shared_ptr<SearchRules> search_rules);
[[nodiscard]] revalidate::PolicyOptions policy_from(const Settings& settings);

}  // namespace freshet::proxy
