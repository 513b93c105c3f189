// What the head of an HTTP/1 request costs to parse, without sockets: the least that a load generator sends,
// what a browser sends, and a large cookie. Instructions for one request: `valgrind --tool=callgrind
// --toggle-collect='*parse_again*' parser_bench`, over the calls.
#include <benchmark/benchmark.h>
#include <string>

#include "proxy/http1/request_parser.h"

namespace freshet::proxy {
namespace {

const std::string kLeast = "GET /1k/a HTTP/1.1\r\nHost: 127.0.0.1:8080\r\n\r\n";

const std::string kBrowserFields =
    "Host: shop.example.com\r\n"
    "Connection: keep-alive\r\n"
    "Cache-Control: max-age=0\r\n"
    "sec-ch-ua: \"Chromium\";v=\"130\", \"Not?A_Brand\";v=\"99\"\r\n"
    "sec-ch-ua-mobile: ?0\r\n"
    "sec-ch-ua-platform: \"Linux\"\r\n"
    "Upgrade-Insecure-Requests: 1\r\n"
    "User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0.0.0 "
    "Safari/537.36\r\n"
    "Accept: text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,image/apng,*/*;"
    "q=0.8,application/signed-exchange;v=b3;q=0.7\r\n"
    "Sec-Fetch-Site: same-origin\r\n"
    "Sec-Fetch-Mode: navigate\r\n"
    "Sec-Fetch-User: ?1\r\n"
    "Sec-Fetch-Dest: document\r\n"
    "Referer: http://shop.example.com/catalogue/\r\n"
    "Accept-Encoding: gzip, deflate, br, zstd\r\n"
    "Accept-Language: en-GB,en-US;q=0.9,en;q=0.8\r\n";

const std::string kBrowser =
    "GET /catalogue/shoes/4711?colour=blue&size=44 HTTP/1.1\r\n" + kBrowserFields + "\r\n";

std::string large_cookie() {
  std::string text = "GET /account HTTP/1.1\r\n" + kBrowserFields + "Cookie: ";
  const std::size_t begin = text.size();
  for (int i = 0; text.size() < begin + 4096 - 40; ++i) {
    text += "name" + std::to_string(i) + "=0123456789abcdefABCDEF-_.~; ";
  }
  return text + "end=1\r\n\r\n";
}

__attribute__((noinline)) bool parse_again(RequestParser& parser, std::string_view text,
                                           storage::RequestHead& head, RequestFraming& framing) {
  std::size_t consumed = 0;
  return parser.parse(text, head, framing, consumed) == RequestParser::Outcome::kDone &&
         consumed == text.size();
}

void parse(benchmark::State& state, const std::string& text) {
  RequestParser parser{RequestParserOptions{}};
  storage::RequestHead head;
  RequestFraming framing;
  for ([[maybe_unused]] auto _ : state) {  // NOLINT(clang-analyzer-deadcode.DeadStores)
    if (!parse_again(parser, text, head, framing)) state.SkipWithError("another outcome");
  }
  state.SetBytesProcessed(static_cast<std::int64_t>(text.size()) * state.iterations());
}

BENCHMARK_CAPTURE(parse, least, kLeast)->Iterations(100000);
BENCHMARK_CAPTURE(parse, browser, kBrowser)->Iterations(100000);
BENCHMARK_CAPTURE(parse, cookie, large_cookie())->Iterations(100000);

}  // namespace
}  // namespace freshet::proxy

BENCHMARK_MAIN();
