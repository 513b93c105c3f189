#include "proxy/net/listen_address.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <netinet/in.h>

namespace freshet::proxy {

using storage::Error;
using storage::Result;

namespace {

constexpr std::string_view kPassed = "systemd:";
constexpr std::string_view kMode = "mode=";

// The last word, if `text` has several; taken from it.
std::string_view take_last_word(std::string_view& text) {
  const std::size_t blank = text.rfind(' ');
  if (blank == std::string_view::npos) return {};
  const std::string_view word = text.substr(blank + 1);
  text = text.substr(0, blank);
  return word;
}

bool parse_mode(std::string_view digits, unsigned& mode) {
  const char* const last = digits.data() + digits.size();
  const auto [end, error] = std::from_chars(digits.data(), last, mode, 8);
  return digits.size() == 4 && digits.front() == '0' && error == std::errc{} && end == last;
}

// As systemd.socket(5) has it for FileDescriptorName=.
bool is_passed_name(std::string_view name) {
  return !name.empty() && name.size() <= 255 &&
         std::all_of(name.begin(), name.end(), [](char c) { return c > ' ' && c < 0x7f && c != ':'; });
}

Error invalid(std::string_view text, std::string_view reason) {
  return Error{std::string("\"").append(text.substr(0, 120)).append("\" ").append(reason)};
}

}  // namespace

Result<ListenAddress> ListenAddress::parse(std::string_view text) {
  ListenAddress made;
  std::string_view where = text;
  bool moded = false;
  // From the end, for a path may have blanks.
  for (std::string_view rest = text; !rest.empty(); where = rest) {
    const std::string_view word = take_last_word(rest);
    if (word == "proxy_protocol") {
      made.proxy_protocol = true;
    } else if (word == "v6only") {
      made.v6_only = true;
    } else if (word.starts_with(kMode)) {
      if (!parse_mode(word.substr(kMode.size()), made.mode)) return invalid(text, "has no mode such as 0660");
      moded = true;
    } else {
      break;
    }
  }
  made.where = where;
  if (where.starts_with(kPassed)) {
    if (!is_passed_name(where.substr(kPassed.size())))
      return invalid(text, "names no socket (try systemd:http)");
    if (moded || made.v6_only) return invalid(text, "has a word that is its socket unit's to say");
    return made;
  }
  if (where.empty()) return invalid(text, "is not HOST:PORT (try 127.0.0.1:8080 or [::1]:8080)");
  auto address = SocketAddress::parse(where);
  if (!address) return Error{address.error()};
  if (moded && !address->is_unix()) return invalid(text, "has a mode, which only a unix socket has");
  if (made.v6_only && address->family() != AF_INET6) return invalid(text, "says v6only of what is not IPv6");
  if (address->is_unix() && !address->path().starts_with('/')) {
    return invalid(text, "needs a path that begins with / (try unix:/run/freshet/http.sock)");
  }
  return made;
}

std::string ListenAddress::text() const {
  std::string text = where;
  if (v6_only) text += " v6only";
  if (mode != kUsualMode) {
    std::array<char, 8> digits{};
    text +=
        " mode=0" + std::string(digits.data(), std::to_chars(digits.data(), digits.data() + 8, mode, 8).ptr);
  }
  if (proxy_protocol) text += " proxy_protocol";
  return text;
}

std::string_view ListenAddress::passed_name() const {
  const std::string_view text = where;
  return text.starts_with(kPassed) ? text.substr(kPassed.size()) : std::string_view();
}

}  // namespace freshet::proxy
