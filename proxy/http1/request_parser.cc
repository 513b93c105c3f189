#include "proxy/http1/request_parser.h"

#include <algorithm>
#include <cstring>

#include "proxy/http1/authority.h"
#include "proxy/http1/char_class.h"

namespace freshet::proxy {

using storage::equals_ignoring_case;
using storage::FieldName;
using storage::Method;
using storage::RequestHead;

namespace {

// Robustness asks for one (RFC 9112, 2.2); old clients send one after a body.
constexpr unsigned kMaxEmptyLines = 4;
// Longer than any registered method.
constexpr std::size_t kMaxMethod = 64;
// HeaderFields keeps a name's length in 16 bits.
constexpr std::size_t kMaxFieldLine = 65535;

std::string_view between(const char* begin, const char* end) {
  return {begin, static_cast<std::size_t>(end - begin)};
}

struct IsColon {
  template <typename Block>
  static Block match(Block b) {
    return b.equal(':');
  }
};

// The fields that say whom the request is for, how it is framed, and what becomes of the connection.
constexpr bool decides(FieldName id) {
  switch (id) {
    case FieldName::kConnection:
    case FieldName::kContentLength:
    case FieldName::kExpect:
    case FieldName::kHost:
    case FieldName::kTransferEncoding:
    case FieldName::kUpgrade:
      return true;
    default:
      return false;
  }
}

bool is_blank(char c) {
  return c == ' ' || c == '\t';
}

std::string_view trim(std::string_view text) {
  while (!text.empty() && is_blank(text.front())) text.remove_prefix(1);
  while (!text.empty() && is_blank(text.back())) text.remove_suffix(1);
  return text;
}

}  // namespace

RequestParser::RequestParser(const RequestParserOptions& options) : options_(options) {
  options_.max_field = std::min(options_.max_field, kMaxFieldLine);
}

RequestParser::Outcome RequestParser::parse(std::string_view buffer, RequestHead& head,
                                            RequestFraming& framing, std::size_t& consumed) {
  consumed = 0;
  if (state_.bad) return Outcome::kBad;
  if (!state_.begun) {
    head.clear();
    framing = RequestFraming{};
    state_.begun = true;
  }
  if (state_.scanned > state_.line && buffer.size() < line_limit() &&
      std::memchr(buffer.data() + state_.scanned, '\n', buffer.size() - state_.scanned) == nullptr) {
    state_.scanned = buffer.size();
    return Outcome::kNeedMore;
  }
  Step step = Step::kNext;
  if (!state_.in_fields) step = request_line(buffer, head);
  while (step == Step::kNext) step = field_line(buffer, head, framing);
  if (step == Step::kEnd) step = finish(buffer, head, framing);
  if (step == Step::kShort) {
    state_.scanned = buffer.size();
    return Outcome::kNeedMore;
  }
  if (step == Step::kBad) return Outcome::kBad;
  consumed = state_.line;
  state_ = State{};
  return Outcome::kDone;
}

RequestParser::Step RequestParser::bad(int status, std::string_view reason) {
  state_.bad = true;
  bad_status_ = status;
  bad_reason_ = reason;
  return Step::kBad;
}

// Where the current line has to end at the latest.
std::size_t RequestParser::line_limit() const {
  const std::size_t longest = state_.in_fields ? options_.max_field : options_.max_request_line;
  return std::min(state_.line + longest, options_.max_head);
}

// The line does not end in what there is of it: a limit, or the rest has not arrived.
RequestParser::Step RequestParser::short_of(std::string_view buffer, std::size_t limit, int status,
                                            std::string_view reason) {
  return buffer.size() >= limit ? bad(status, reason) : Step::kShort;
}

RequestParser::Step RequestParser::skip_empty_lines(std::string_view buffer) {
  for (;;) {
    const std::string_view rest = buffer.substr(state_.line);
    if (rest.empty()) return Step::kShort;
    if (rest[0] != '\r') return Step::kNext;
    if (rest.size() < 2) return Step::kShort;
    if (rest[1] != '\n') return bad(400, "bare CR before the request line");
    if (++state_.empty_lines > kMaxEmptyLines)
      return bad(400, "too many empty lines before the request line");
    state_.line += 2;
  }
}

RequestParser::Step RequestParser::request_line(std::string_view buffer, RequestHead& head) {
  const Step skipped = skip_empty_lines(buffer);
  if (skipped != Step::kNext) return skipped;
  const std::size_t limit = line_limit();
  const auto too_short = [&] { return short_of(buffer, limit, 414, "request line too long"); };
  const char* const line = buffer.data() + state_.line;
  const char* const end = buffer.data() + std::min(buffer.size(), limit);

  const char* p = skip_class(line, end, kTokenChar);
  if (static_cast<std::size_t>(p - line) > kMaxMethod) return bad(501, "method too long");
  if (p == end) return too_short();
  if (*p != ' ' || p == line) return bad(400, "malformed method");
  head.method_text.assign(line, static_cast<std::size_t>(p - line));
  head.method = storage::method_from(head.method_text);

  const char* const target_begin = p + 1;
  p = skip_target(target_begin, end);
  if (p == end) return too_short();
  if (*p != ' ' || p == target_begin) return bad(400, "malformed request target");
  const std::string_view target_text = between(target_begin, p);

  const char* const version_begin = p + 1;
  p = skip_target(version_begin, end);
  if (p == end) return too_short();
  if (*p != '\r') return bad(400, "malformed request line");
  if (p + 1 == end) return too_short();
  if (p[1] != '\n') return bad(400, "bare CR in the request line");

  if (version(between(version_begin, p), head) == Step::kBad) return Step::kBad;
  if (target(target_text, head) == Step::kBad) return Step::kBad;
  state_.line = static_cast<std::size_t>(p + 2 - buffer.data());
  state_.in_fields = true;
  return Step::kNext;
}

RequestParser::Step RequestParser::version(std::string_view text, RequestHead& head) {
  const auto digit = [](char c) { return c >= '0' && c <= '9'; };
  if (text.size() != 8 || text.substr(0, 5) != "HTTP/" || !digit(text[5]) || text[6] != '.' ||
      !digit(text[7])) {
    return bad(400, "malformed HTTP version");
  }
  if (text[5] != '1') return bad(505, "HTTP version not supported");
  // A minor version above ours is read as ours (RFC 9110, 2.5).
  head.version = text[7] == '0' ? storage::HttpVersion::kHttp10 : storage::HttpVersion::kHttp11;
  return Step::kNext;
}

// RFC 9112, 3.2.
RequestParser::Step RequestParser::target(std::string_view text, RequestHead& head) {
  head.scheme = options_.scheme;
  if (head.method == Method::kConnect) {
    const auto parsed = parse_authority(text);
    if (!parsed || !parsed->port) return bad(400, "CONNECT target is not host:port");
    state_.form = Form::kAuthority;
    head.authority = text;
    head.target = text;
    return Step::kNext;
  }
  if (text[0] == '/') {
    state_.form = Form::kOrigin;
    head.target = text;
    return Step::kNext;
  }
  if (text == "*") {
    if (head.method != Method::kOptions) return bad(400, "target \"*\" without OPTIONS");
    state_.form = Form::kAsterisk;
    head.target = text;
    return Step::kNext;
  }
  return absolute_form(text, head);
}

RequestParser::Step RequestParser::absolute_form(std::string_view text, RequestHead& head) {
  const std::size_t colon = text.find("://");
  if (colon == std::string_view::npos) return bad(400, "malformed request target");
  const std::string_view scheme = text.substr(0, colon);
  if (!equals_ignoring_case(scheme, "http") && !equals_ignoring_case(scheme, "https")) {
    return bad(400, "scheme of the request target is not http or https");
  }
  // RFC 9110, 7.4: an https target that came in clear is not ours to answer, nor the other way.
  if (!equals_ignoring_case(scheme, options_.scheme)) return bad(421, "scheme is not this connection's");
  const std::string_view rest = text.substr(colon + 3);
  const std::size_t authority_end = std::min(rest.find_first_of("/?"), rest.size());
  const std::string_view authority_text = rest.substr(0, authority_end);
  if (!parse_authority(authority_text)) return bad(400, "malformed authority in the request target");
  state_.form = Form::kAbsolute;
  head.authority = authority_text;
  const std::string_view path = rest.substr(authority_end);
  if (path.empty()) {
    head.target = head.method == Method::kOptions ? "*" : "/";  // RFC 9112, 3.2.4
  } else {
    head.target = path[0] == '?' ? "/" : "";
    head.target += path;
  }
  return Step::kNext;
}

// A field line's name, as far as its colon: its end, or where it is wrong or ends too early. A name that is
// known by heart is not looked at byte by byte.
const char* RequestParser::field_name(const char* line, const char* end, FieldName& id) {
  constexpr std::ptrdiff_t kMostKnown = 32;
  const char* const colon =
      storage::find_class<IsColon>(line, end - line > kMostKnown ? line + kMostKnown : end);
  if (colon != end && *colon == ':') {
    id = storage::intern_field_name(between(line, colon));
    if (id != FieldName::kOther) return colon;
  }
  id = FieldName::kOther;
  return skip_class(line, end, kTokenChar);
}

// One field line, or the empty line that ends the head (RFC 9112, 5).
RequestParser::Step RequestParser::field_line(std::string_view buffer, RequestHead& head,
                                              RequestFraming& framing) {
  const std::size_t limit = line_limit();
  const auto too_short = [&] { return short_of(buffer, limit, 431, "header fields too large"); };
  const char* const line = buffer.data() + state_.line;
  const char* const end = buffer.data() + std::min(buffer.size(), limit);
  if (line == end) return too_short();
  if (*line == '\r') {
    if (line + 1 == end) return too_short();
    if (line[1] != '\n') return bad(400, "bare CR in the header");
    state_.line += 2;
    return Step::kEnd;
  }
  FieldName id = FieldName::kOther;
  const char* const colon = field_name(line, end, id);
  if (colon == end) return too_short();
  if (*colon != ':' || colon == line) return bad_name(*colon, colon == line);

  const char* value_begin = colon + 1;
  while (value_begin != end && is_blank(*value_begin)) ++value_begin;
  const char* const cr = skip_value(value_begin, end);
  if (cr == end) return too_short();
  if (*cr != '\r')
    return bad(400, *cr == '\n' ? "bare LF in the header" : "control character in a field value");
  if (cr + 1 == end) return too_short();
  if (cr[1] != '\n') return bad(400, "bare CR in a field value");
  const char* value_end = cr;
  while (value_end != value_begin && is_blank(value_end[-1])) --value_end;
  const std::string_view value = between(value_begin, value_end);

  if (head.fields.size() == options_.max_fields) return bad(431, "too many header fields");
  // As HeaderFields has it, the line goes there in one piece.
  if (colon[1] == ' ' && value_begin == colon + 2 && value_end == cr) {
    head.fields.add_line(id, between(line, cr + 2));
  } else {
    head.fields.add_interned(id, between(line, colon), value);
  }
  state_.line = static_cast<std::size_t>(cr + 2 - buffer.data());
  return decides(id) ? notice(id, value, buffer, framing) : Step::kNext;
}

RequestParser::Step RequestParser::bad_name(char stop, bool empty) {
  if (empty && is_blank(stop)) return bad(400, "folded field line");
  if (stop == '\n') return bad(400, "bare LF in the header");
  if (empty && stop == ':') return bad(400, "empty field name");
  if (is_blank(stop)) return bad(400, "whitespace before the colon of a field line");
  return bad(400, "malformed field name");
}

// What decides() names.
RequestParser::Step RequestParser::notice(FieldName id, std::string_view value, std::string_view buffer,
                                          RequestFraming& framing) {
  switch (id) {
    case FieldName::kHost:
      if (state_.hosts++ > 0) break;
      state_.host_begin = static_cast<std::size_t>(value.data() - buffer.data());
      state_.host_size = value.size();
      break;
    case FieldName::kContentLength:
      return content_length(value, framing);
    case FieldName::kTransferEncoding:
      return transfer_encoding(value, framing);
    case FieldName::kConnection:
      connection(value);
      break;
    case FieldName::kUpgrade:
      state_.upgrade_field = true;
      break;
    case FieldName::kExpect:
      state_.expect |= equals_ignoring_case(value, "100-continue");
      break;
    default:
      break;
  }
  return Step::kNext;
}

// A second one is refused even if it says the same: RFC 9112, 6.3 allows either, and one reading is safer.
RequestParser::Step RequestParser::content_length(std::string_view value, RequestFraming& framing) {
  if (state_.content_length) return bad(400, "more than one Content-Length");
  state_.content_length = true;
  if (value.empty() || value.size() > 18) return bad(400, "malformed Content-Length");
  std::uint64_t length = 0;  // 18 digits fit
  for (const char c : value) {
    if (c < '0' || c > '9') return bad(400, "malformed Content-Length");
    length = length * 10 + static_cast<std::uint64_t>(c - '0');
  }
  framing.body = RequestFraming::Body::kLength;
  framing.length = length;
  return Step::kNext;
}

RequestParser::Step RequestParser::transfer_encoding(std::string_view value, RequestFraming& framing) {
  if (state_.transfer_encoding) return bad(400, "more than one Transfer-Encoding");
  state_.transfer_encoding = true;
  if (!equals_ignoring_case(value, "chunked")) return bad(400, "transfer coding other than chunked");
  framing.body = RequestFraming::Body::kChunked;
  return Step::kNext;
}

void RequestParser::connection(std::string_view value) {
  while (!value.empty()) {
    const std::size_t comma = std::min(value.find(','), value.size());
    const std::string_view option = trim(value.substr(0, comma));
    value.remove_prefix(std::min(comma + 1, value.size()));
    state_.close |= equals_ignoring_case(option, "close");
    state_.keep_alive |= equals_ignoring_case(option, "keep-alive");
    state_.connection_upgrade |= equals_ignoring_case(option, "upgrade");
  }
}

RequestParser::Step RequestParser::finish(std::string_view buffer, RequestHead& head,
                                          RequestFraming& framing) {
  if (state_.transfer_encoding && state_.content_length) {
    return bad(400, "Content-Length with Transfer-Encoding");
  }
  const bool http_1_1 = head.version == storage::HttpVersion::kHttp11;
  if (state_.transfer_encoding && !http_1_1) return bad(400, "Transfer-Encoding in HTTP/1.0");
  framing.keep_alive = !state_.close && (http_1_1 || state_.keep_alive);
  // What follows is meant for the tunnel's other end, and must not be taken for a request to us.
  if (head.method == Method::kConnect) framing.keep_alive = false;
  framing.expect_continue = state_.expect && http_1_1 && framing.has_body();
  framing.upgrade = state_.connection_upgrade && state_.upgrade_field && http_1_1;
  return authority(buffer, head);
}

// RFC 9112, 3.2 and 3.2.2: an absolute-form target wins over Host, but Host has to be right in any case.
RequestParser::Step RequestParser::authority(std::string_view buffer, RequestHead& head) {
  if (state_.hosts > 1) return bad(400, "more than one Host");
  if (state_.hosts == 0) {
    return head.version == storage::HttpVersion::kHttp11 ? bad(400, "no Host") : Step::kEnd;
  }
  const std::string_view host = buffer.substr(state_.host_begin, state_.host_size);
  if (!parse_authority(host)) return bad(400, "malformed Host");
  if (state_.form == Form::kOrigin || state_.form == Form::kAsterisk) {
    head.authority = host;
  } else if (host != head.authority) {
    head.fields.set(FieldName::kHost, head.authority);
  }
  return Step::kEnd;
}

}  // namespace freshet::proxy
