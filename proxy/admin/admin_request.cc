#include "proxy/admin/admin_request.h"

#include <algorithm>

namespace freshet::proxy {

namespace {

std::string_view reason_phrase(int status) {
  switch (status) {
    case 200:
      return "OK";
    case 400:
      return "Bad Request";
    case 404:
      return "Not Found";
    case 405:
      return "Method Not Allowed";
    case 431:
      return "Request Header Fields Too Large";
    case 503:
      return "Service Unavailable";
    case 505:
      return "HTTP Version Not Supported";
    default:
      return "";
  }
}

bool is_target_byte(char c) {
  return c > 0x20 && c < 0x7f;
}

}  // namespace

int parse_admin_head(std::string_view head, AdminRequest& request) {
  const std::string_view line = head.substr(0, head.find("\r\n"));
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
  return request.method == "GET" || request.method == "HEAD" ? 0 : 405;
}

std::string admin_reply_text(const AdminReply& reply, bool head_only) {
  std::string text = "HTTP/1.1 " + std::to_string(reply.status) + " ";
  text += reason_phrase(reply.status);
  text += "\r\nContent-Type: " + reply.content_type;
  text += "\r\nContent-Length: " + std::to_string(reply.body.size());
  if (reply.status == 405) text += "\r\nAllow: GET, HEAD";
  text += "\r\nCache-Control: no-store\r\nConnection: close\r\n\r\n";
  if (!head_only) text += reply.body;
  return text;
}

}  // namespace freshet::proxy
