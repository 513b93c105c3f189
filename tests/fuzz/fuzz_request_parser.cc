// Whatever a client sends: the parser has one outcome however the bytes are cut; what it accepts, written out
// again, reads the same (so nobody behind the edge can read something else); and the same cuts change nothing
// in a chunked body.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "proxy/http1/authority.h"
#include "proxy/http1/chunked_decoder.h"
#include "proxy/http1/request_parser.h"
#include "storage/base/check.h"

namespace {

using freshet::proxy::ChunkedDecoder;
using freshet::proxy::RequestFraming;
using freshet::proxy::RequestParser;
using freshet::proxy::RequestParserOptions;
using freshet::storage::FieldName;
using freshet::storage::RequestHead;

struct Parsed {
  RequestParser::Outcome outcome = RequestParser::Outcome::kNeedMore;
  int status = 0;
  std::size_t consumed = 0;
  RequestHead head;
  RequestFraming framing;
};

Parsed parse(std::string_view text, std::size_t step, const RequestParserOptions& options) {
  RequestParser parser(options);
  Parsed parsed;
  for (std::size_t size = 0; size < text.size() && parsed.outcome == RequestParser::Outcome::kNeedMore;) {
    size = std::min(size + step, text.size());
    const std::vector<char> copy(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(size));
    parsed.outcome = parser.parse({copy.data(), copy.size()}, parsed.head, parsed.framing, parsed.consumed);
  }
  if (parsed.outcome == RequestParser::Outcome::kBad) parsed.status = parser.bad_status();
  return parsed;
}

void check_same(const Parsed& a, const Parsed& b) {
  FRESHET_CHECK(a.head.method_text == b.head.method_text);
  FRESHET_CHECK(a.head.target == b.head.target);
  FRESHET_CHECK(a.head.version == b.head.version);
  FRESHET_CHECK(a.head.fields.wire() == b.head.fields.wire());
  FRESHET_CHECK(a.framing.body == b.framing.body);
  FRESHET_CHECK(a.framing.length == b.framing.length);
  FRESHET_CHECK(a.framing.keep_alive == b.framing.keep_alive);
  FRESHET_CHECK(a.framing.expect_continue == b.framing.expect_continue);
}

void check_reads_the_same_again(const Parsed& parsed) {
  std::string text = parsed.head.method_text + " " + parsed.head.target + " " +
                     std::string(freshet::storage::http_version_text(parsed.head.version)) + "\r\n";
  text.append(parsed.head.fields.wire()).append("\r\n");
  RequestParserOptions roomy;
  roomy.max_request_line = roomy.max_field = roomy.max_head = std::size_t{1} << 20;
  const Parsed again = parse(text, text.size(), roomy);
  FRESHET_CHECK(again.outcome == RequestParser::Outcome::kDone);
  FRESHET_CHECK(again.consumed == text.size());
  check_same(parsed, again);
  if (!parsed.head.fields.has(FieldName::kHost)) return;
  FRESHET_CHECK(parsed.head.authority == again.head.authority);
  FRESHET_CHECK(freshet::proxy::parse_authority(parsed.head.authority).has_value());
}

struct Decoded {
  ChunkedDecoder::Outcome outcome = ChunkedDecoder::Outcome::kNeedMore;
  std::string body;
  std::size_t taken = 0;
  std::string trailers;
};

Decoded decode(std::string_view text, std::size_t step) {
  ChunkedDecoder decoder{freshet::storage::ChunkedLimits{}};
  Decoded decoded;
  for (std::size_t size = 0; size < text.size() && decoded.outcome == ChunkedDecoder::Outcome::kNeedMore;) {
    size = std::min(size + step, text.size());
    do {
      std::size_t consumed = 0;
      std::string_view data;
      decoded.outcome = decoder.decode(text.substr(decoded.taken, size - decoded.taken), consumed, data);
      decoded.body += data;
      decoded.taken += consumed;
    } while (decoded.outcome == ChunkedDecoder::Outcome::kData);
  }
  decoded.trailers = decoder.trailers().wire();
  return decoded;
}

void check_chunked(std::string_view text) {
  const Decoded whole = decode(text, std::max<std::size_t>(text.size(), 1));
  const Decoded bytes = decode(text, 1);
  FRESHET_CHECK(whole.outcome == bytes.outcome);
  FRESHET_CHECK(whole.body == bytes.body);
  FRESHET_CHECK(whole.taken == bytes.taken);
  FRESHET_CHECK(whole.trailers == bytes.trailers);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  RequestParserOptions options;
  options.max_request_line = 512;
  options.max_field = 256;
  options.max_fields = 16;
  options.max_head = 1024;
  const Parsed whole = parse(text, std::max<std::size_t>(size, 1), options);
  for (const std::size_t step : {std::size_t{1}, std::size_t{13}}) {
    const Parsed pieces = parse(text, step, options);
    // A line without its end may be refused at once when it came in one piece.
    if (whole.outcome == RequestParser::Outcome::kBad &&
        pieces.outcome == RequestParser::Outcome::kNeedMore) {
      continue;
    }
    FRESHET_CHECK(pieces.outcome == whole.outcome);
    FRESHET_CHECK(pieces.status == whole.status);
    FRESHET_CHECK(pieces.consumed == whole.consumed);
    if (whole.outcome == RequestParser::Outcome::kDone) check_same(whole, pieces);
  }
  if (whole.outcome == RequestParser::Outcome::kDone) {
    FRESHET_CHECK(whole.consumed <= size);
    check_reads_the_same_again(whole);
    check_chunked(text.substr(whole.consumed));
  } else {
    FRESHET_CHECK(whole.consumed == 0);
    check_chunked(text);
  }
  return 0;
}
