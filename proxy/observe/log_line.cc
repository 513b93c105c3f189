#include "proxy/observe/log_line.h"

#include <algorithm>
#include <charconv>
#include <cstring>
#include <ctime>

namespace freshet::proxy {

namespace {

constexpr std::size_t kLongestPath = 4096;
constexpr std::size_t kLongestWord = 240;
constexpr std::string_view kReplacement = "\xEF\xBF\xBD";  // U+FFFD
// The path; host, client, method, protocol and reason; keys and numbers.
static_assert(6 * (kLongestPath + 5 * kLongestWord) + 512 <= kLongestLogLine);

char* append(char* out, std::string_view text) {
  std::memcpy(out, text.data(), text.size());
  return out + text.size();
}

template <typename Integer>
char* append_number(char* out, Integer value) {
  return std::to_chars(out, out + 24, value).ptr;
}

// 1 for bytes that stand for themselves inside a JSON string.
constexpr std::array<bool, 256> make_plain() {
  std::array<bool, 256> plain{};
  for (std::size_t c = 0x20; c < 0x7f; ++c) plain[c] = c != '"' && c != '\\';
  return plain;
}
constexpr std::array<bool, 256> kPlain = make_plain();

bool is_plain(char c) {
  return kPlain[static_cast<unsigned char>(c)];
}

// The length of the well-formed UTF-8 sequence (RFC 3629) at the front of `text`, which is not ASCII; 0:
// none.
std::size_t utf8_length(std::string_view text) {
  const auto byte = [&](std::size_t i) -> unsigned { return static_cast<unsigned char>(text[i]); };
  const unsigned first = byte(0);
  const std::size_t length = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
  if (first < 0xc2 || first > 0xf4 || text.size() < length) return 0;
  // Overlong forms, surrogates and what is above U+10FFFF show in the second byte.
  const unsigned least = first == 0xe0 ? 0xa0 : first == 0xf0 ? 0x90 : 0x80;
  const unsigned most = first == 0xed ? 0x9f : first == 0xf4 ? 0x8f : 0xbf;
  if (byte(1) < least || byte(1) > most) return 0;
  for (std::size_t i = 2; i < length; ++i) {
    if ((byte(i) & 0xc0) != 0x80) return 0;
  }
  return length;
}

char* append_escape(char* out, unsigned char c) {
  constexpr std::string_view kHex = "0123456789abcdef";
  if (c == '"' || c == '\\') {
    *out++ = '\\';
    *out++ = static_cast<char>(c);
    return out;
  }
  out = append(out, "\\u00");
  *out++ = kHex[c >> 4];
  *out++ = kHex[c & 15];
  return out;
}

char* append_cut(char* out, std::string_view text, std::size_t longest) {
  out = append_json_text(out, text.substr(0, longest));
  return text.size() > longest ? append(out, "...") : out;
}

// Milliseconds with three decimals: 0.021.
char* append_ms(char* out, std::chrono::microseconds time) {
  const std::int64_t us = std::max<std::int64_t>(time.count(), 0);
  out = append_number(out, us / 1000);
  const std::int64_t rest = us % 1000;
  *out++ = '.';
  *out++ = static_cast<char>('0' + rest / 100);
  *out++ = static_cast<char>('0' + rest / 10 % 10);
  *out++ = static_cast<char>('0' + rest % 10);
  return out;
}

char* append_word(char* out, std::string_view key_and_quote, std::string_view word) {
  out = append(out, key_and_quote);
  out = append_cut(out, word, kLongestWord);
  *out++ = '"';
  return out;
}

}  // namespace

char* append_json_text(char* out, std::string_view text) {
  while (!text.empty()) {
    std::size_t plain = 0;
    while (plain < text.size() && is_plain(text[plain])) ++plain;
    out = append(out, text.substr(0, plain));
    text.remove_prefix(plain);
    if (text.empty()) break;
    const auto first = static_cast<unsigned char>(text.front());
    std::size_t taken = 1;
    if (first < 0x80) {
      out = append_escape(out, first);
    } else if (const std::size_t length = utf8_length(text); length > 0) {
      out = append(out, text.substr(0, length));
      taken = length;
    } else {
      out = append(out, kReplacement);
    }
    text.remove_prefix(taken);
  }
  return out;
}

char* LineFormatter::append_time(char* out, storage::WallTime time) {
  const std::int64_t ms = std::max<std::int64_t>(time.time_since_epoch().count(), 0);
  const std::int64_t second = ms / 1000;
  if (second != second_) {
    const std::time_t seconds = static_cast<std::time_t>(second);
    std::tm parts{};
    std::array<char, 32> text{};
    gmtime_r(&seconds, &parts);
    std::strftime(text.data(), text.size(), "%Y-%m-%dT%H:%M:%S.", &parts);
    std::memcpy(date_.data(), text.data(), date_.size());
    second_ = second;
  }
  out = append(out, {date_.data(), date_.size()});
  const std::int64_t rest = ms % 1000;
  *out++ = static_cast<char>('0' + rest / 100);
  *out++ = static_cast<char>('0' + rest / 10 % 10);
  *out++ = static_cast<char>('0' + rest % 10);
  *out++ = 'Z';
  return out;
}

char* LineFormatter::format(char* out, const ExchangeRecord& record) {
  out = append(out, R"({"time":")");
  out = append_time(out, record.time);
  out = append_word(out, R"(","client":")", record.client);
  out = append_word(out, R"(,"method":")", record.method);
  out = append(out, R"(,"target":")");
  out = append_cut(out, record.host, kLongestWord);
  out = append_cut(out, record.path, kLongestPath);
  out = append_word(out, R"(","protocol":")", record.protocol);
  out = append(out, R"(,"status":)");
  out = append_number(out, record.status);
  out = append(out, R"(,"bytes":)");
  out = append_number(out, record.body_bytes);
  out = append(out, R"(,"head_bytes":)");
  out = append_number(out, record.head_bytes);
  out = append(out, R"(,"cache":")");
  out = append(out, cache_outcome_name(record.outcome));
  out = append_word(out, R"(","reason":")", record.reason);
  if (record.origin_time) {
    out = append(out, R"(,"origin_status":)");
    out = append_number(out, record.origin_status);
    out = append(out, R"(,"origin_ms":)");
    out = append_ms(out, *record.origin_time);
  }
  out = append(out, R"(,"ms":)");
  out = append_ms(out, record.total_time);
  if (record.saved_bytes > 0) {
    out = append(out, R"(,"saved_bytes":)");
    out = append_number(out, record.saved_bytes);
  }
  return append(out, record.complete ? "}\n" : ",\"broken\":true}\n");
}

}  // namespace freshet::proxy
