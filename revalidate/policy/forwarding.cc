#include "revalidate/policy/forwarding.h"

#include <algorithm>
#include <array>
#include <vector>

#include "revalidate/policy/content_tag.h"
#include "revalidate/policy/policy_options.h"
#include "storage/cache_key.h"
#include "storage/http/field_syntax.h"

namespace freshet::revalidate {

namespace {

using storage::FieldName;
using storage::HeaderFields;
using storage::RequestHead;

// Hop-by-hop whatever Connection says (RFC 9110, 7.6.1), and what only the next hop may see.
bool is_connection_specific(FieldName id) {
  switch (id) {
    case FieldName::kConnection:
    case FieldName::kKeepAlive:
    case FieldName::kProxyConnection:
    case FieldName::kTe:
    case FieldName::kTrailer:
    case FieldName::kUpgrade:
    case FieldName::kHttp2Settings:
    case FieldName::kProxyAuthenticate:
    case FieldName::kProxyAuthenticationInfo:
    case FieldName::kProxyAuthorization:
      return true;
    default:
      return false;
  }
}

// Equal but for case, with '_' for '-': gateways behind which a program reads variables (CGI, WSGI) cannot
// tell the two apart.
bool reads_as(std::string_view name, std::string_view lower) {
  if (name.size() != lower.size()) return false;
  for (std::size_t i = 0; i < name.size(); ++i) {
    const char c = name[i] == '_' ? '-' : storage::ascii_lower(name[i]);
    if (c != lower[i]) return false;
  }
  return true;
}

bool reads_as_prefix(std::string_view name, std::string_view lower) {
  return name.size() > lower.size() && reads_as(name.substr(0, lower.size()), lower);
}

// Makes some server, gateway or framework see another target, method, scheme or client than the edge saw, or
// takes what only its own front end should say; "proxy" becomes HTTP_PROXY.
bool is_overriding(std::string_view name) {
  constexpr std::array<std::string_view, 5> kPrefixes = {"x-original-", "x-envoy-", "x-invoke-",
                                                         "x-middleware-", "x-accel-"};
  constexpr std::array<std::string_view, 33> kNames = {"x-rewrite-url",
                                                       "x-override-url",
                                                       "x-proxy-url",
                                                       "x-http-path-override",
                                                       "x-http-destinationurl",
                                                       "x-http-method-override",
                                                       "x-method-override",
                                                       "x-http-method",
                                                       "x-host",
                                                       "x-host-override",
                                                       "x-http-host-override",
                                                       "x-url-scheme",
                                                       "x-scheme",
                                                       "x-protocol",
                                                       "x-https",
                                                       "x-arr-ssl",
                                                       "front-end-https",
                                                       "x-sendfile-type",
                                                       "proxy",
                                                       "client-cert",  // RFC 9440, 4
                                                       "client-cert-chain",
                                                       "client-ip",
                                                       "x-client-ip",
                                                       "true-client-ip",
                                                       "x-cluster-client-ip",
                                                       "cf-connecting-ip",
                                                       "fastly-client-ip",
                                                       "x-azure-clientip",
                                                       "x-originating-ip",
                                                       "x-remote-ip",
                                                       "x-remote-addr",
                                                       "x-proxyuser-ip",
                                                       "x-forward-for"};
  return std::any_of(kPrefixes.begin(), kPrefixes.end(),
                     [&](std::string_view each) { return reads_as_prefix(name, each); }) ||
         std::any_of(kNames.begin(), kNames.end(),
                     [&](std::string_view each) { return reads_as(name, each); });
}

bool is_forwarding_field(std::string_view name) {
  return reads_as_prefix(name, "x-forwarded-") || reads_as(name, "x-forwarded") ||
         reads_as(name, "forwarded") || reads_as(name, "x-real-ip");
}

bool is_condition(FieldName id) {
  return id == FieldName::kIfNoneMatch || id == FieldName::kIfModifiedSince || id == FieldName::kIfMatch ||
         id == FieldName::kIfUnmodifiedSince;
}

// The names that Connection lists, less those that are no field names.
std::vector<std::string_view> connection_names(const HeaderFields& fields) {
  std::vector<std::string_view> names;
  storage::for_each_element(fields, FieldName::kConnection, [&](std::string_view name) {
    if (!storage::equals_ignoring_case(name, "keep-alive") && !storage::equals_ignoring_case(name, "close")) {
      names.push_back(name);
    }
  });
  return names;
}

bool is_named(const std::vector<std::string_view>& names, std::string_view name) {
  return std::any_of(names.begin(), names.end(),
                     [&](std::string_view each) { return storage::equals_ignoring_case(each, name); });
}

bool is_framing(FieldName id) {
  return id == FieldName::kContentLength || id == FieldName::kTransferEncoding;
}

// What steers how a message is read, routed, kept or trusted: no trailer can (RFC 9110, 6.5.1).
bool is_needed_in_front(const HeaderFields::Line& line) {
  switch (line.id) {
    case FieldName::kAge:
    case FieldName::kAuthorization:
    case FieldName::kCacheControl:
    case FieldName::kCdnCacheControl:
    case FieldName::kContentEncoding:
    case FieldName::kContentRange:
    case FieldName::kContentType:
    case FieldName::kCookie:
    case FieldName::kDate:
    case FieldName::kExpect:
    case FieldName::kExpires:
    case FieldName::kHost:
    case FieldName::kLocation:
    case FieldName::kMaxForwards:
    case FieldName::kPragma:
    case FieldName::kRange:
    case FieldName::kRetryAfter:
    case FieldName::kSetCookie:
    case FieldName::kSurrogateControl:
    case FieldName::kVary:
    case FieldName::kWwwAuthenticate:
      return true;
    default:
      return is_condition(line.id) || line.id == FieldName::kIfRange;
  }
}

// Whether a client's field goes to the origin as it is.
bool is_forwarded(const HeaderFields::Line& line, const ForwardingContext& context) {
  if (is_connection_specific(line.id) || is_framing(line.id)) return false;
  if (line.id == FieldName::kHost || line.id == FieldName::kExpect) return false;
  if (line.id == FieldName::kMaxForwards) return false;
  if (is_condition(line.id)) return context.keep_conditions;
  if (line.id == FieldName::kRange || line.id == FieldName::kIfRange) return context.keep_range;
  if (is_overriding(line.name)) return false;
  const bool of_a_proxy = line.id == FieldName::kXForwardedFor || line.id == FieldName::kXForwardedProto ||
                          line.id == FieldName::kXForwardedHost || line.id == FieldName::kForwarded;
  if (of_a_proxy) return context.client_is_trusted;
  if (reads_as(line.name, "surrogate-capability")) return false;
  return !is_forwarding_field(line.name);
}

// RFC 7239, 6: an IPv6 address stands in brackets and quotes, and who came by a unix socket has none; RFC
// 7239, 4: what is no token is quoted.
void append_node(std::string& out, std::string_view address) {
  if (address.empty() || address == "unix") {
    out.append("unknown");
  } else if (address.find(':') != std::string_view::npos) {
    out.append("\"[").append(address).append("]\"");
  } else {
    out.append(address);
  }
}

void append_token_or_quoted(std::string& out, std::string_view text) {
  if (storage::is_token(text)) {
    out.append(text);
  } else {
    storage::append_quoted(out, text);
  }
}

void add_forwarding_fields(const RequestHead& request, const ForwardingContext& context,
                           std::string_view authority, HeaderFields& fields) {
  std::string chain = fields.combined(FieldName::kXForwardedFor).value_or("");
  if (!chain.empty()) chain.append(", ");
  chain.append(context.client_address.empty() ? "unknown" : context.client_address);
  fields.set(FieldName::kXForwardedFor, chain);
  // What a trusted proxy said of its client stays.
  if (!fields.has(FieldName::kXForwardedProto)) fields.add(FieldName::kXForwardedProto, request.scheme);
  if (!fields.has(FieldName::kXForwardedHost) && !authority.empty()) {
    fields.add(FieldName::kXForwardedHost, authority);
  }

  std::string element = fields.combined(FieldName::kForwarded).value_or("");
  if (!element.empty()) element.append(", ");
  element.append("for=");
  append_node(element, context.client_address);
  if (!authority.empty()) {
    element.append(";host=");
    append_token_or_quoted(element, authority);
  }
  element.append(";proto=").append(request.scheme);
  fields.set(FieldName::kForwarded, element);
}

void add_max_forwards(const RequestHead& request, HeaderFields& fields) {
  const auto text = request.fields.first(FieldName::kMaxForwards);
  if (!text) return;
  const bool counts =
      request.method == storage::Method::kTrace || request.method == storage::Method::kOptions;
  const auto value = storage::parse_decimal(*text);
  if (!counts || !value) {
    fields.add(FieldName::kMaxForwards, *text);
  } else {
    fields.add(FieldName::kMaxForwards, std::to_string(*value == 0 ? 0 : *value - 1));
  }
}

}  // namespace

std::string normalised_authority(std::string_view scheme, std::string_view authority) {
  const std::string_view port = scheme == "https" ? ":443" : ":80";
  if (authority.ends_with(port)) authority.remove_suffix(port.size());
  if (authority.ends_with(':')) authority.remove_suffix(1);
  std::string normalised;
  storage::append_authority(normalised, authority);
  return normalised;
}

void remove_connection_fields(RequestHead& request) {
  if (!request.fields.has(FieldName::kConnection)) return;
  // Copies: the views would not outlive the first removal.
  std::vector<std::string> doomed;
  for (const std::string_view name : connection_names(request.fields)) {
    const FieldName id = storage::intern_field_name(name);
    if (id != FieldName::kHost && !is_framing(id) && !is_connection_specific(id)) doomed.emplace_back(name);
  }
  for (const std::string& name : doomed) request.fields.remove(name);
}

HeaderFields origin_request_fields(const RequestHead& request, const ForwardingContext& context) {
  const std::string authority = normalised_authority(request.scheme, request.authority);
  const std::vector<std::string_view> named = connection_names(request.fields);
  HeaderFields fields;
  fields.reserve(request.fields.wire().size() + 256, request.fields.size() + 8);
  fields.add(FieldName::kHost, context.host.empty() ? std::string_view(authority) : context.host);
  for (const HeaderFields::Line line : request.fields) {
    if (is_forwarded(line, context) && !is_named(named, line.name)) {
      fields.add_interned(line.id, line.name, line.value);
    }
  }
  if (context.keep_conditions || context.keep_range) strip_content_tags(fields);
  add_max_forwards(request, fields);
  add_forwarding_fields(request, context, authority, fields);
  append_via(fields, request.version);
  if (context.announce_surrogate) {
    std::string capability(kEdgeName);
    fields.add("Surrogate-Capability", capability.append("=\"Surrogate/1.0\""));
  }
  if (context.keep_upgrade) {
    if (const auto upgrade = request.fields.combined(FieldName::kUpgrade)) {
      fields.add(FieldName::kUpgrade, *upgrade);
      fields.add(FieldName::kConnection, "upgrade");
    }
  }
  return fields;
}

bool may_reach_the_origin(std::string_view name) {
  return is_forwarded({storage::intern_field_name(name), name, {}}, ForwardingContext{});
}

bool is_final_recipient(const RequestHead& request) {
  if (request.method != storage::Method::kTrace && request.method != storage::Method::kOptions) return false;
  const auto text = request.fields.first(FieldName::kMaxForwards);
  return text && storage::parse_decimal(*text) == 0U;
}

bool is_hop_by_hop(const HeaderFields::Line& line) {
  return is_connection_specific(line.id) || is_framing(line.id);
}

HeaderFields end_to_end_fields(const HeaderFields& received) {
  const std::vector<std::string_view> named = connection_names(received);
  HeaderFields fields;
  fields.reserve(received.wire().size() + 64, received.size() + 2);
  for (const HeaderFields::Line line : received) {
    if (!is_hop_by_hop(line) && !is_named(named, line.name)) {
      fields.add_interned(line.id, line.name, line.value);
    }
  }
  return fields;
}

HeaderFields forwarded_trailers(const HeaderFields& received) {
  HeaderFields fields;
  for (const HeaderFields::Line line : received) {
    if (!is_hop_by_hop(line) && !is_needed_in_front(line))
      fields.add_interned(line.id, line.name, line.value);
  }
  return fields;
}

void append_via(HeaderFields& fields, storage::HttpVersion version) {
  std::string via(storage::http_version_text(version).substr(std::string_view("HTTP/").size()));
  fields.add(FieldName::kVia, via.append(" ").append(kEdgeName));
}

}  // namespace freshet::revalidate
