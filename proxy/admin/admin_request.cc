#include "proxy/admin/admin_request.h"

#include <algorithm>
#include <charconv>

#include "proxy/exchange/purge.h"
#include "proxy/http1/authority.h"
#include "proxy/net/ip_address.h"
#include "storage/http/field_syntax.h"
#include "storage/http/status_code.h"

namespace freshet::proxy {

using storage::FieldName;

namespace {

bool is_target_byte(char c) {
  return c > 0x20 && c < 0x7f;
}

bool is_value_byte(char c) {
  return c == '\t' || (c >= 0x20 && c != 0x7f) || static_cast<signed char>(c) < 0;
}

int parse_request_line(std::string_view line, AdminRequest& request) {
  const std::size_t first = line.find(' ');
  const std::size_t last = line.rfind(' ');
  if (first == std::string_view::npos || first == 0 || last <= first + 1) return 400;
  const std::string_view target = line.substr(first + 1, last - first - 1);
  const std::string_view version = line.substr(last + 1);
  if (target.front() != '/' || !std::all_of(target.begin(), target.end(), is_target_byte)) return 400;
  if (version.substr(0, 5) != "HTTP/") return 400;
  if (version != "HTTP/1.1" && version != "HTTP/1.0") return 505;
  const std::size_t question = target.find('?');
  request.method = std::string(line.substr(0, first));
  request.path = std::string(target.substr(0, question));
  request.query =
      question == std::string_view::npos ? std::string() : std::string(target.substr(question + 1));
  return 0;
}

bool parse_field_line(std::string_view line, AdminRequest& request) {
  const std::size_t colon = line.find(':');
  if (colon == std::string_view::npos || !storage::is_token(line.substr(0, colon))) return false;
  const std::string_view value = storage::trim_whitespace(line.substr(colon + 1));
  if (!std::all_of(value.begin(), value.end(), is_value_byte)) return false;
  request.fields.add(line.substr(0, colon), value);
  return true;
}

bool is_loopback_host(std::string_view authority) {
  const auto parsed = parse_authority(authority);
  if (!parsed) return false;
  std::string host(parsed->host);
  std::transform(host.begin(), host.end(), host.begin(), storage::ascii_lower);
  if (host == "localhost" || host.ends_with(".localhost")) return true;
  if (host.starts_with('[')) host = host.substr(1, host.size() - 2);
  const auto address = IpAddress::parse(host);
  return address &&
         (IpNetwork::parse("127.0.0.0/8")->contains(*address) || IpNetwork::parse("::1")->contains(*address));
}

// Of the page that has sent the request, where one has.
bool is_of_elsewhere(const AdminRequest& request) {
  const auto origin = request.fields.first(FieldName::kOrigin);
  if (!origin) return false;
  const std::string host(request.fields.first(FieldName::kHost).value_or(""));
  return *origin != "http://" + host && *origin != "https://" + host;
}

}  // namespace

int parse_admin_head(std::string_view head, AdminRequest& request) {
  request = {};
  std::size_t end = head.find("\r\n");
  if (const int refused = parse_request_line(head.substr(0, end), request); refused != 0) return refused;
  head.remove_prefix(end + 2);
  while (!head.starts_with("\r\n")) {
    end = head.find("\r\n");
    if (end == std::string_view::npos || !parse_field_line(head.substr(0, end), request)) return 400;
    head.remove_prefix(end + 2);
  }
  if (request.fields.count(FieldName::kHost) > 1) return 400;
  const bool known = request.method == "GET" || request.method == "HEAD" || request.method == "POST";
  return known ? 0 : 405;
}

int admin_content_size(const AdminRequest& request, std::size_t most, std::size_t& size) {
  if (request.fields.has(FieldName::kTransferEncoding)) return 411;
  const auto length = request.fields.combined(FieldName::kContentLength);
  if (!length) return 411;
  const char* const end = length->data() + length->size();
  const auto [stop, error] = std::from_chars(length->data(), end, size);
  if (stop != end || (error != std::errc{} && error != std::errc::result_out_of_range)) return 400;
  if (error != std::errc{} || size > most) return 413;
  std::string type = request.fields.combined(FieldName::kContentType).value_or("");
  type.resize(std::min(type.find(';'), type.size()));
  std::transform(type.begin(), type.end(), type.begin(), storage::ascii_lower);
  return storage::trim_whitespace(type) == "application/json" ? 0 : 415;
}

std::optional<AdminReply> admin_refusal(const AdminRequest& request, const AdminAccess& access) {
  if (access.local_socket) return std::nullopt;
  if (!access.token.empty()) {
    const std::string shown = request.fields.combined(FieldName::kAuthorization).value_or("");
    if (shows_token(shown, access.token)) return std::nullopt;
    return plain_admin_reply(
        401, "the admin plane asks for `Authorization: Bearer TOKEN`, the setting admin.token\n");
  }
  const auto host = request.fields.first(FieldName::kHost);
  if (host && !is_loopback_host(*host)) {
    return plain_admin_reply(
        403, "Host is no loopback name or address; set admin.token to be asked by other names\n");
  }
  if (is_of_elsewhere(request)) return plain_admin_reply(403, "the Origin is another site\n");
  return std::nullopt;
}

AdminReply plain_admin_reply(int status, std::string text) {
  AdminReply reply;
  reply.status = status;
  reply.body = std::move(text);
  return reply;
}

std::string admin_reply_text(const AdminReply& reply, bool head_only) {
  std::string text = "HTTP/1.1 " + std::to_string(reply.status) + " ";
  text += storage::reason_phrase(reply.status);
  text += "\r\nContent-Type: " + reply.content_type;
  text += "\r\nContent-Length: " + std::to_string(reply.body.size());
  if (reply.status == 405) text += "\r\nAllow: " + reply.allow;
  if (reply.status == 401) text += "\r\nWWW-Authenticate: Bearer";
  text += "\r\nX-Content-Type-Options: nosniff";
  text += "\r\nCache-Control: no-store\r\nConnection: close\r\n\r\n";
  if (!head_only) text += reply.body;
  return text;
}

}  // namespace freshet::proxy
