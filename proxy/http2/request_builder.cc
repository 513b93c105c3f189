#include "proxy/http2/request_builder.h"

#include <algorithm>
#include <utility>

#include "proxy/http1/authority.h"
#include "proxy/http1/char_class.h"
#include "storage/http/field_syntax.h"

namespace freshet::proxy {

using storage::equals_ignoring_case;
using storage::FieldName;
using storage::RequestHead;

namespace {

// Longer than any registered method; as in HTTP/1.
constexpr std::size_t kMaxMethod = 64;
// HeaderFields keeps a name's length in 16 bits.
constexpr std::size_t kMaxFieldLine = 65535;
// ": " and CRLF, that HTTP/1 would have added.
constexpr std::size_t kLineOverhead = 4;
constexpr std::size_t kRequestLineOverhead = std::string_view("  HTTP/1.1\r\n").size();

bool is_lower_token(std::string_view name) {
  return !name.empty() && std::all_of(name.begin(), name.end(), [](char c) {
    return has_class(c, kTokenChar) && !(c >= 'A' && c <= 'Z');
  });
}

// RFC 9113, 8.2.2.
bool is_connection_field(FieldName id) {
  switch (id) {
    case FieldName::kConnection:
    case FieldName::kKeepAlive:
    case FieldName::kProxyConnection:
    case FieldName::kTransferEncoding:
    case FieldName::kUpgrade:
      return true;
    default:
      return false;
  }
}

}  // namespace

void RequestBuilder::begin(const RequestParserOptions& limits, bool trusted, RequestHead& head) {
  limits_ = &limits;
  trusted_ = trusted;
  head.clear();
  head.version = storage::HttpVersion::kHttp2;
  malformed_ = has_method_ = has_scheme_ = has_path_ = has_authority_ = has_host_ = in_fields_ = false;
  scheme_is_ours_ = expects_continue_ = takes_trailers_ = false;
  status_ = 0;
  reason_ = {};
  size_ = lines_ = 0;
  content_length_.reset();
  host_.clear();
  cookies_.clear();
}

void RequestBuilder::malformed(std::string_view reason) {
  if (!malformed_) reason_ = reason;
  malformed_ = true;
}

void RequestBuilder::refuse(int status, std::string_view reason) {
  if (status_ != 0 || malformed_) return;
  status_ = status;
  reason_ = reason;
}

void RequestBuilder::add(std::string_view name, std::string_view value, RequestHead& head) {
  if (malformed_) return;
  size_ += name.size() + value.size() + kLineOverhead;
  // What is refused already is only read on so that the connection's compression state stays right.
  if (size_ > limits_->max_head) return refuse(431, "header fields too large");
  if (!name.empty() && name.front() == ':') return pseudo(name, value, head);
  regular(name, value, head);
}

void RequestBuilder::pseudo(std::string_view name, std::string_view value, RequestHead& head) {
  if (in_fields_) return malformed("pseudo-header field behind others");
  const auto once = [&](bool& seen) {
    if (std::exchange(seen, true)) malformed("pseudo-header field given twice");
    return !malformed_;
  };
  if (name == ":method") {
    if (!once(has_method_)) return;
    if (!storage::is_token(value)) return malformed("malformed :method");
    if (value.size() > kMaxMethod) return refuse(501, "method too long");
    head.method_text = value;
    head.method = storage::method_from(value);
  } else if (name == ":scheme") {
    if (!once(has_scheme_)) return;
    scheme_is_ours_ = equals_ignoring_case(value, limits_->scheme);
    head.scheme = limits_->scheme;
    for (const std::string_view scheme : {"http", "https"}) {
      if (!trusted_ || !equals_ignoring_case(value, scheme)) continue;
      head.scheme = scheme;
      scheme_is_ours_ = true;
    }
  } else if (name == ":path") {
    if (!once(has_path_)) return;
    const char* const end = value.data() + value.size();
    if (skip_class(value.data(), end, kTargetChar) != end) return malformed("malformed :path");
    head.target = value;
  } else if (name == ":authority") {
    if (!once(has_authority_)) return;
    if (!parse_authority(value)) return malformed("malformed :authority");
    head.authority = value;
  } else {
    malformed("unknown pseudo-header field");
  }
}

void RequestBuilder::regular(std::string_view name, std::string_view value, RequestHead& head) {
  in_fields_ = true;
  if (!is_lower_token(name)) return malformed("malformed field name");
  const char* const end = value.data() + value.size();
  if (skip_value(value.data(), end) != end || storage::trim_whitespace(value).size() != value.size()) {
    return malformed("malformed field value");
  }
  if (name.size() + value.size() + kLineOverhead > std::min(limits_->max_field, kMaxFieldLine)) {
    return refuse(431, "header field too large");
  }
  const FieldName id = storage::intern_field_name(name);
  if (is_connection_field(id)) return malformed("connection-specific field");
  if (!notice(id, value)) return;
  if (++lines_ > limits_->max_fields) return refuse(431, "too many header fields");
  head.fields.add_interned(id, name, value);
}

bool RequestBuilder::notice(FieldName id, std::string_view value) {
  switch (id) {
    case FieldName::kHost:
      if (std::exchange(has_host_, true)) malformed("more than one Host");
      host_ = value;
      return false;
    case FieldName::kCookie:
      if (!cookies_.empty()) cookies_.append("; ");
      cookies_.append(value);
      return false;
    case FieldName::kContentLength:
      content_length(value);
      break;
    case FieldName::kTe:
      if (!equals_ignoring_case(value, "trailers")) malformed("TE other than trailers");
      takes_trailers_ = true;
      break;
    case FieldName::kExpect:
      expects_continue_ |= equals_ignoring_case(value, "100-continue");
      break;
    default:
      break;
  }
  return !malformed_;
}

void RequestBuilder::content_length(std::string_view value) {
  const auto length = value.size() <= 18 ? storage::parse_decimal(value) : std::nullopt;
  if (!length) return malformed("malformed Content-Length");
  if (content_length_) return malformed("more than one Content-Length");
  content_length_ = length;
}

RequestBuilder::Outcome RequestBuilder::finish(RequestHead& head) {
  check_line(head);
  check_authority(head);
  if (malformed_) return Outcome::kMalformed;
  if (!cookies_.empty()) {
    const std::size_t size = cookies_.size() + std::string_view("cookie").size() + kLineOverhead;
    if (size > std::min(limits_->max_field, kMaxFieldLine)) refuse(431, "header field too large");
    if (status_ == 0) head.fields.add_interned(FieldName::kCookie, "cookie", cookies_);
  }
  return status_ == 0 ? Outcome::kDone : Outcome::kRefused;
}

// RFC 9113, 8.3.1 and 8.5. Where a limit cut the lines short, the status stands.
void RequestBuilder::check_line(RequestHead& head) {
  if (status_ == 431) return;
  if (!has_method_) return malformed("no :method");
  if (head.method == storage::Method::kConnect) {
    if (has_scheme_ || has_path_) return malformed("CONNECT with :scheme or :path");
    if (!has_authority_) return malformed("CONNECT without :authority");
    const auto parsed = parse_authority(head.authority);
    if (!parsed || !parsed->port) return malformed("CONNECT target is not host:port");
    head.scheme = limits_->scheme;
    head.target = head.authority;
    return;
  }
  if (!has_scheme_ || !has_path_) return malformed("no :scheme or no :path");
  const bool asterisk = head.target == "*" && head.method == storage::Method::kOptions;
  if (!asterisk && (head.target.empty() || head.target[0] != '/')) return malformed("malformed :path");
  if (head.method_text.size() + head.target.size() + kRequestLineOverhead > limits_->max_request_line) {
    return refuse(414, "request line too long");
  }
  // RFC 9110, 7.4: an https target that came in clear is not ours to answer, nor the other way.
  if (!scheme_is_ours_) refuse(421, "scheme is not this connection's");
}

void RequestBuilder::check_authority(RequestHead& head) {
  if (status_ == 431 || malformed_) return;
  if (has_host_ && !parse_authority(host_)) return malformed("malformed Host");
  if (!has_authority_ && !has_host_) return malformed("neither :authority nor Host");
  if (has_authority_ && has_host_ && !equals_ignoring_case(head.authority, host_)) {
    return malformed("Host is not :authority");
  }
  if (!has_authority_) head.authority = host_;
  head.fields.add_interned(FieldName::kHost, "host", head.authority);
}

}  // namespace freshet::proxy
