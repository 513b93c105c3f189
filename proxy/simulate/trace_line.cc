#include "proxy/simulate/trace_line.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>

#include "proxy/simulate/flat_json.h"

namespace freshet::proxy {

namespace {

using storage::Error;
using storage::Status;

constexpr double kLargestSeconds = 9e15 / 1000;
constexpr std::size_t kShownText = 40;

// For messages: in quotes, control bytes as dots, cut.
std::string shown(std::string_view text) {
  std::string out = "\"" + std::string(text.substr(0, kShownText)) + (text.size() > kShownText ? "..." : "");
  std::replace_if(
      out.begin(), out.end(), [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; }, '.');
  return out + "\"";
}

template <typename Number>
bool read_whole(std::string_view text, Number& number) {
  const char* const end = text.data() + text.size();
  const auto [rest, fault] = std::from_chars(text.data(), end, number);
  return fault == std::errc{} && rest == end;
}

Status read_seconds(std::string_view what, std::string_view text, std::int64_t& milliseconds) {
  double seconds = 0;
  if (!read_whole(text, seconds) || !std::isfinite(seconds)) {
    return Error{std::string(what) + " " + shown(text) + " is not a number"};
  }
  if (seconds < 0) return Error{std::string(what) + " " + shown(text) + " is negative"};
  if (seconds > kLargestSeconds)
    return Error{std::string(what) + " " + shown(text) + " is too large for seconds"};
  milliseconds = static_cast<std::int64_t>(std::llround(seconds * 1000));
  return {};
}

Status read_size(std::string_view what, std::string_view text, std::uint64_t& size) {
  if (!read_whole(text, size))
    return Error{std::string(what) + " " + shown(text) + " is not a number of bytes"};
  if (size > kLargestTraceSize) return Error{std::string(what) + " " + shown(text) + " is over 1 PiB"};
  return {};
}

// Takes one field of a CSV line off `rest`; false: a quote that does not end, or something behind it.
bool take_field(std::string_view& rest, std::string& field) {
  field.clear();
  if (rest.empty() || rest.front() != '"') {
    const std::size_t comma = std::min(rest.find(','), rest.size());
    field = rest.substr(0, comma);
    rest.remove_prefix(comma);
    return true;
  }
  for (rest.remove_prefix(1);; rest.remove_prefix(1)) {
    const std::size_t quote = rest.find('"');
    if (quote == std::string_view::npos) return false;
    field += rest.substr(0, quote);
    rest.remove_prefix(quote + 1);
    if (rest.empty() || rest.front() == ',') return true;
    if (rest.front() != '"') return false;
    field += '"';
  }
}

Status split_csv(std::string_view line, std::array<std::string, 4>& fields, std::size_t& count) {
  for (count = 0;;) {
    if (count == fields.size()) return Error{"has more columns than time,key,size,ttl"};
    if (!take_field(line, fields[count++])) return Error{"has a quote that does not end"};
    if (line.empty()) return {};
    line.remove_prefix(1);
  }
}

Status parse_csv(std::string_view line, TraceLine& out) {
  std::array<std::string, 4> fields;
  std::size_t count = 0;
  if (Status split = split_csv(line, fields, count); !split.ok()) return split;
  if (count < 3) return Error{"has fewer columns than time,key,size: " + shown(line)};
  if (Status read = read_seconds("time", fields[0], out.time); !read.ok()) return read;
  if (fields[1].empty()) return Error{"has an empty key"};
  out.key = std::move(fields[1]);
  std::uint64_t size = 0;
  if (Status read = read_size("size", fields[2], size); !read.ok()) return read;
  out.size = size;
  return fields[3].empty() ? Status() : read_seconds("ttl", fields[3], out.ttl);
}

bool keeps_status(std::uint64_t status) {
  constexpr std::array kKept{200, 203, 204, 300, 301, 308, 404, 410};
  return std::find(kKept.begin(), kKept.end(), status) != kKept.end();
}

// What of an exchange a cache could have answered.
void judge(std::string_view method, std::uint64_t status, std::uint64_t bytes, bool whole, TraceLine& out) {
  const bool is_head = method == "HEAD";
  const bool keeps = keeps_status(status);
  out.left_out = (method != "GET" && !is_head) || (!keeps && status != 206 && status != 304);
  if (keeps && whole && !is_head) out.size = bytes;
}

struct LoggedExchange {
  std::string_view method, target, status, bytes, cache;
  bool broken = false;
};

Status parse_log(std::string_view line, TraceLine& out) {
  FlatJson json(line);
  LoggedExchange logged;
  while (json.next()) {
    if (json.name() == "method") logged.method = json.value();
    if (json.name() == "target") logged.target = json.value();
    if (json.name() == "status") logged.status = json.value();
    if (json.name() == "bytes") logged.bytes = json.value();
    if (json.name() == "cache") logged.cache = json.value();
    if (json.name() == "broken") logged.broken = json.value() == "true";
  }
  if (!json.error().empty()) return Error{json.error()};
  if (logged.method.empty()) return Error{"has no \"method\""};
  if (logged.target.empty()) return Error{"has no \"target\""};
  std::uint64_t status = 0;
  std::uint64_t bytes = 0;
  if (!read_whole(logged.status, status)) return Error{"status " + shown(logged.status) + " is not a number"};
  if (Status read = read_size("bytes", logged.bytes, bytes); !read.ok()) return read;
  judge(logged.method, status, bytes, !logged.broken, out);
  out.left_out = out.left_out || logged.cache == "pass";
  out.key = logged.target;
  return {};
}

// Where the request of a log line, which begins behind its quote, ends: at a quote that no backslash
// precedes.
std::size_t end_of_request(std::string_view text) {
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '"') return i;
    if (text[i] == '\\') ++i;
  }
  return std::string_view::npos;
}

constexpr std::string_view kBeforeRequest = "] \"";

Status parse_common(std::string_view line, TraceLine& out) {
  const std::size_t date = line.find(" [");
  const std::size_t request_at = date == line.npos ? line.npos : line.find(kBeforeRequest, date);
  if (request_at == line.npos)
    return Error{"is not host ident user [date] \"request\" status bytes: " + shown(line)};
  std::string_view rest = line.substr(request_at + kBeforeRequest.size());
  const std::size_t end = end_of_request(rest);
  if (end == rest.npos) return Error{"has a request whose quote does not end"};
  const std::string_view request = rest.substr(0, end);
  rest.remove_prefix(std::min(end + 2, rest.size()));
  const std::string_view status_text = rest.substr(0, rest.find(' '));
  rest.remove_prefix(std::min(status_text.size() + 1, rest.size()));
  const std::string_view bytes_text = rest.substr(0, rest.find(' '));
  std::uint64_t status = 0;
  std::uint64_t bytes = 0;
  if (!read_whole(status_text, status)) return Error{"status " + shown(status_text) + " is not a number"};
  if (bytes_text != "-") {
    if (Status read = read_size("bytes", bytes_text, bytes); !read.ok()) return read;
  }
  const std::string_view method = request.substr(0, request.find(' '));
  judge(method, status, bytes, true, out);
  // What was refused may have been anything but a request.
  if (out.left_out) return {};
  std::string_view target = request.substr(std::min(method.size() + 1, request.size()));
  target = target.substr(0, target.rfind(" HTTP/"));
  if (target.empty()) return Error{"has a request without a target: " + shown(request)};
  out.key = target;
  return {};
}

}  // namespace

std::optional<TraceFormat> trace_format_of(std::string_view name) {
  if (name == "csv") return TraceFormat::Csv;
  if (name == "log") return TraceFormat::Log;
  if (name == "common") return TraceFormat::Common;
  return std::nullopt;
}

TraceFormat detect_trace_format(std::string_view line) {
  if (line.substr(0, 1) == "{") return TraceFormat::Log;
  const std::size_t date = line.find(" [");
  const bool common = date != line.npos && line.find(kBeforeRequest, date) != line.npos;
  return common ? TraceFormat::Common : TraceFormat::Csv;
}

bool is_csv_heading(std::string_view line) {
  const std::string_view first = line.substr(0, line.find(','));
  return first == "time" || first == "\"time\"";
}

Status parse_trace_line(TraceFormat format, std::string_view line, TraceLine& out) {
  out = TraceLine();
  if (format == TraceFormat::Csv) return parse_csv(line, out);
  return format == TraceFormat::Log ? parse_log(line, out) : parse_common(line, out);
}

}  // namespace freshet::proxy
