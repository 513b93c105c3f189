#include "proxy/http1/response_writer.h"

#include <algorithm>
#include <array>
#include <charconv>

#include "storage/http/http_date.h"
#include "storage/http/status_code.h"

namespace freshet::proxy {

using storage::Method;
using storage::Seconds;
using storage::WallTime;

namespace {

void append_number(std::string& out, std::uint64_t value) {
  std::array<char, 20> digits;  // NOLINT(cppcoreguidelines-pro-type-member-init)
  out.append(digits.data(), std::to_chars(digits.data(), digits.data() + digits.size(), value).ptr);
}

// What most answers begin with; empty: another status, or a phrase of the origin's own.
std::string_view common_status_line(int status, std::string_view reason) {
  constexpr std::string_view kOk = "HTTP/1.1 200 OK\r\n";
  constexpr std::string_view kNotModified = "HTTP/1.1 304 Not Modified\r\n";
  if (status == 200 && (reason.empty() || reason == "OK")) return kOk;
  if (status == 304 && reason.empty()) return kNotModified;
  return {};
}

}  // namespace

ResponseFraming frame_response(int status, Method method, std::optional<std::uint64_t> body_size,
                               storage::HttpVersion version, bool keep_alive) {
  ResponseFraming framing;
  framing.keep_alive = keep_alive;
  if (!storage::status_has_no_body(status)) {
    framing.content_length = body_size;
    framing.has_body = method != Method::kHead && body_size != std::uint64_t{0};
    if (framing.has_body && !body_size) {
      framing.chunked = version != storage::HttpVersion::kHttp10;
      framing.keep_alive = keep_alive && framing.chunked;
    }
  }
  framing.say_keep_alive = framing.keep_alive && version == storage::HttpVersion::kHttp10;
  return framing;
}

void append_status_line(std::string& out, int status, std::string_view reason) {
  if (const std::string_view line = common_status_line(status, reason); !line.empty()) {
    out.append(line);
    return;
  }
  out.append("HTTP/1.1 ");
  append_number(out, static_cast<std::uint64_t>(status));
  out.push_back(' ');
  out.append(reason.empty() ? storage::reason_phrase(status) : reason);
  out.append("\r\n");
}

void append_field(std::string& out, std::string_view name, std::string_view value) {
  out.append(name).append(": ").append(value).append("\r\n");
}

void append_field(std::string& out, std::string_view name, std::uint64_t value) {
  out.append(name).append(": ");
  append_number(out, value);
  out.append("\r\n");
}

void append_decimal(std::string& out, std::uint64_t value) {
  append_number(out, value);
}

void append_framing(std::string& out, const ResponseFraming& framing) {
  constexpr std::string_view kContentLength = "Content-Length: ";
  constexpr std::string_view kEnd = "\r\n\r\n";
  if (framing.content_length && framing.keep_alive && !framing.say_keep_alive && !framing.chunked) {
    // Most answers have this and no more.
    std::array<char, kContentLength.size() + 20 + kEnd.size()> text;  // NOLINT: filled below
    char* const digits = std::copy(kContentLength.begin(), kContentLength.end(), text.data());
    char* const end = std::to_chars(digits, digits + 20, *framing.content_length).ptr;
    out.append(text.data(), std::copy(kEnd.begin(), kEnd.end(), end));
    return;
  }
  if (framing.content_length) append_field(out, "Content-Length", *framing.content_length);
  if (framing.chunked) out.append("Transfer-Encoding: chunked\r\n");
  if (!framing.keep_alive) out.append("Connection: close\r\n");
  if (framing.say_keep_alive) out.append("Connection: keep-alive\r\n");
  out.append("\r\n");
}

void append_chunk_begin(std::string& out, std::uint64_t size) {
  std::array<char, 16> digits;  // NOLINT(cppcoreguidelines-pro-type-member-init)
  out.append(digits.data(), std::to_chars(digits.data(), digits.data() + digits.size(), size, 16).ptr);
  out.append("\r\n");
}

std::string_view DateLine::at(WallTime now) {
  const std::int64_t second = std::chrono::floor<Seconds>(now).time_since_epoch().count();
  if (second != second_ || line_.empty()) {
    second_ = second;
    line_.assign("Date: ");
    storage::append_http_date(line_, now);
    line_.append("\r\n");
  }
  return line_;
}

}  // namespace freshet::proxy
