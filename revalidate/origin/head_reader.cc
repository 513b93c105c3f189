#include "revalidate/origin/head_reader.h"

#include "revalidate/origin/field_line.h"
#include "storage/http/field_syntax.h"
#include "storage/http/status_code.h"

namespace freshet::revalidate {

namespace {

using storage::FieldName;

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

// RFC 9110, 8.6: digits only; nothing if it is anything else or over 2^63 - 1.
std::optional<std::uint64_t> parse_length(std::string_view text) {
  if (text.empty() || text.size() > 18) return std::nullopt;
  std::uint64_t value = 0;
  for (const char c : text) {
    if (!is_digit(c)) return std::nullopt;
    value = value * 10 + static_cast<std::uint64_t>(c - '0');
  }
  return value;
}

}  // namespace

void HeadReader::reset(bool head_request) {
  head_ = {};
  size_ = 0;
  head_request_ = head_request;
  in_fields_ = false;
  done_ = false;
  must_close_ = false;
  framing_ = BodyFraming::kNone;
  body_size_.reset();
  why_ = "";
}

HeadReader::Event HeadReader::malformed(const char* why) {
  why_ = why;
  return Event::kMalformed;
}

HeadReader::Event HeadReader::read_line(std::string_view line) {
  if (done_) return malformed("a field line after the head");
  size_ += line.size();
  if (size_ > max_size_) return Event::kTooLarge;
  if (!in_fields_) return read_status_line(line);
  if (line == "\r\n") return end_of_head();
  const FieldLine parsed = parse_field_line(line);
  if (parsed.why != nullptr) return malformed(parsed.why);
  head_.fields.add(parsed.name, parsed.value);
  return Event::kMore;
}

// "HTTP/1.x SP 3DIGIT [SP reason]"; the space before an absent reason may lack, as many servers have it.
HeadReader::Event HeadReader::read_status_line(std::string_view line) {
  if (!ends_cleanly(line)) return malformed("a status line with a bare CR, bare LF or NUL");
  line.remove_suffix(2);
  if (line.size() < 12 || line.substr(0, 7) != "HTTP/1." || line[8] != ' ')
    return malformed("a bad status line");
  if (line[7] != '0' && line[7] != '1') return malformed("an HTTP version other than 1.0 and 1.1");
  if (!is_digit(line[9]) || !is_digit(line[10]) || !is_digit(line[11])) return malformed("a bad status code");
  if (line.size() > 12 && line[12] != ' ') return malformed("a bad status code");
  head_ = {};
  minor_version_ = line[7] - '0';
  head_.status = (line[9] - '0') * 100 + (line[10] - '0') * 10 + (line[11] - '0');
  if (head_.status < 100 || head_.status > 599) return malformed("a status code outside 100 to 599");
  if (head_.status == 101) return malformed("101 without an Upgrade in the request");
  if (line.size() > 13) head_.reason = line.substr(13);
  in_fields_ = true;
  return Event::kMore;
}

HeadReader::Event HeadReader::end_of_head() {
  in_fields_ = false;
  if (head_.status < 200) {
    const bool framed =
        head_.fields.has(FieldName::kContentLength) || head_.fields.has(FieldName::kTransferEncoding);
    return framed ? malformed("a 1xx response that announces a body") : Event::kInformational;
  }
  done_ = true;
  return decide_framing();
}

// RFC 9112, 6.3, in its order; where it lets a client guess, the answer is kMalformed.
HeadReader::Event HeadReader::decide_framing() {
  const storage::HeaderFields& fields = head_.fields;
  const std::size_t lengths = fields.count(FieldName::kContentLength);
  const std::size_t codings = fields.count(FieldName::kTransferEncoding);
  if (lengths > 1) return malformed("two Content-Length fields");
  if (lengths > 0 && codings > 0) return malformed("Content-Length with Transfer-Encoding");
  std::optional<std::uint64_t> length;
  if (lengths == 1) {
    length = parse_length(*fields.first(FieldName::kContentLength));
    if (!length) return malformed("a Content-Length that is no number");
  }
  if (codings > 0) {
    if (minor_version_ == 0) return malformed("Transfer-Encoding in an HTTP/1.0 response");
    if (codings > 1 ||
        !storage::equals_ignoring_case(*fields.first(FieldName::kTransferEncoding), "chunked")) {
      return malformed("a transfer coding other than chunked");
    }
  }
  must_close_ = minor_version_ == 0 || storage::has_element(fields, FieldName::kConnection, "close");
  if (head_request_ || storage::status_has_no_body(head_.status)) {
    framing_ = BodyFraming::kNone;
    body_size_ = 0;
    if (head_.status == 204 && (codings > 0 || length.value_or(0) > 0)) must_close_ = true;
  } else if (codings > 0) {
    framing_ = BodyFraming::kChunked;
  } else if (length) {
    framing_ = BodyFraming::kLength;
    body_size_ = length;
  } else {
    framing_ = BodyFraming::kUntilClose;
    must_close_ = true;
  }
  return Event::kFinal;
}

}  // namespace freshet::revalidate
