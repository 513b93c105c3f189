#include "proxy/live_settings.h"

#include <algorithm>
#include <chrono>
#include <utility>

namespace freshet::proxy {

namespace {

RequestParserOptions parser_from(const ServerSettings& server) {
  RequestParserOptions parser;
  parser.max_request_line = server.max_request_line;
  parser.max_field = server.max_field;
  parser.max_fields = server.max_fields;
  parser.max_head = server.max_head;
  return parser;
}

// Clients of unix sockets are in the list.
bool has_unix(const std::vector<std::string>& texts) {
  return std::find(texts.begin(), texts.end(), "unix") != texts.end();
}

// Each has been checked with the settings.
std::vector<IpNetwork> networks_from(const std::vector<std::string>& texts) {
  std::vector<IpNetwork> networks;
  for (const std::string& text : texts) {
    if (const auto network = IpNetwork::parse(text)) networks.push_back(*network);
  }
  return networks;
}

TrustedPeers peers_from(const std::vector<std::string>& texts) {
  return {networks_from(texts), has_unix(texts)};
}

ExchangeOptions exchange_from(const Settings& settings, std::shared_ptr<SearchRules> search_rules) {
  ExchangeOptions options;
  options.search_rules = std::move(search_rules);
  options.early_hints = settings.cache.early_hints;
  options.status_key = settings.cache.status_key;
  options.request_ids = settings.log.request_id;
  options.key_rules.ignore_query = settings.cache.ignore_query;
  options.key_rules.sort_query = settings.cache.sort_query;
  options.key_rules.fields = settings.cache.key_fields;
  options.key_rules.cookies = settings.cache.key_cookies;
  options.purge.allow = networks_from(settings.purge.allow);
  options.purge.trusted_proxies = networks_from(settings.server.trusted_proxies);
  options.purge.allow_unix = has_unix(settings.purge.allow);
  options.purge.trust_unix = has_unix(settings.server.trusted_proxies);
  options.purge.token = settings.purge.token;
  return options;
}

Http1Timeouts timeouts_from(const ServerSettings& server) {
  Http1Timeouts timeouts;
  timeouts.head = server.head_timeout;
  timeouts.idle = server.idle_timeout;
  timeouts.body = server.body_timeout;
  timeouts.send = server.send_timeout;
  return timeouts;
}

Http2Options http2_from(const Http2Settings& settings) {
  Http2Options options;
  options.enabled = settings.enabled;
  options.max_streams = settings.max_streams;
  options.stream_window = settings.stream_window;
  options.window = settings.window;
  options.flood_allowance = settings.flood_allowance;
  return options;
}

}  // namespace

bool TrustedPeers::contains(const SocketAddress& peer) const {
  const auto ip = peer.ip();
  if (!ip) return peer.is_unix() && unix_sockets;
  return std::any_of(networks.begin(), networks.end(),
                     [&](const IpNetwork& network) { return network.contains(*ip); });
}

bool TrustedPeers::contains(const std::string& client) const {
  const auto ip = IpAddress::parse(client);
  if (!ip) return client == kUnixPeer && unix_sockets;
  return std::any_of(networks.begin(), networks.end(),
                     [&](const IpNetwork& network) { return network.contains(*ip); });
}

revalidate::PolicyOptions policy_from(const Settings& settings) {
  revalidate::PolicyOptions policy;
  switch (settings.cache.set_cookie) {
    case SetCookiePolicy::kSafe:
      policy.set_cookie = revalidate::SetCookiePolicy::kSafe;
      break;
    case SetCookiePolicy::kRfc:
      policy.set_cookie = revalidate::SetCookiePolicy::kRfc;
      break;
    case SetCookiePolicy::kStrip:
      policy.set_cookie = revalidate::SetCookiePolicy::kStrip;
      break;
  }
  using std::chrono::duration_cast;
  policy.heuristic_fraction = settings.cache.heuristic_fraction;
  policy.heuristic_max = duration_cast<storage::Seconds>(settings.cache.heuristic_max);
  policy.stale_if_error = duration_cast<storage::Seconds>(settings.cache.stale_if_error);
  policy.targeted_fields = settings.cache.targeted_fields;
  policy.surrogate_control = policy.announce_surrogate = settings.cache.surrogate_control;
  policy.tag_fields = settings.cache.tag_fields;
  policy.forward_tags = settings.cache.forward_tags;
  policy.ignore_client_directives = settings.cache.client_directives == ClientDirectives::kIgnore;
  policy.reload_interval = settings.cache.reload_interval;
  policy.content_tags = settings.cache.content_tags;
  return policy;
}

LiveSettings live_settings(const Settings& settings, std::shared_ptr<SearchRules> search_rules) {
  LiveSettings live;
  live.parser = parser_from(settings.server);
  live.timeouts = timeouts_from(settings.server);
  live.http2 = http2_from(settings.http2);
  live.trusted_proxies = peers_from(settings.server.trusted_proxies);
  live.proxy_protocol_from = peers_from(settings.server.proxy_protocol_from);
  live.exchange = std::make_shared<const ExchangeOptions>(exchange_from(settings, std::move(search_rules)));
  live.max_object = settings.cache.max_object;
  live.slices = {settings.cache.slice_above, settings.cache.slice_size};
  live.max_connections = settings.server.max_connections;
  return live;
}

}  // namespace freshet::proxy
