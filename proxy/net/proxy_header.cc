#include "proxy/net/proxy_header.h"

#include <algorithm>
#include <array>
#include <charconv>

namespace freshet::proxy {

namespace {

constexpr std::string_view kSignature{"\r\n\r\n\0\r\nQUIT\n", 12};
constexpr std::string_view kWord = "PROXY";
constexpr std::size_t kLongestLine = 107;  // with its CRLF
constexpr std::size_t kFixed = 16;         // of version 2: signature, version and command, family, length

constexpr unsigned kCrc32c = 0x03;  // the type of the checksum's TLV

// Of an unsigned number of two bytes.
std::size_t number_at(std::string_view bytes, std::size_t at) {
  return static_cast<std::size_t>(static_cast<unsigned char>(bytes[at])) << 8 |
         static_cast<unsigned char>(bytes[at + 1]);
}

constexpr std::array<std::uint32_t, 256> make_crc_table() {
  std::array<std::uint32_t, 256> table{};
  for (std::uint32_t i = 0; i < table.size(); ++i) {
    std::uint32_t value = i;
    for (int bit = 0; bit < 8; ++bit) value = (value >> 1) ^ ((value & 1) != 0 ? 0x82f63b78U : 0U);
    table[i] = value;
  }
  return table;
}

constexpr std::array<std::uint32_t, 256> kCrcTable = make_crc_table();

// RFC 4960, appendix B.
std::uint32_t crc32c(std::string_view bytes) {
  std::uint32_t crc = ~0U;
  for (const char byte : bytes)
    crc = (crc >> 8) ^ kCrcTable[(crc ^ static_cast<unsigned char>(byte)) & 0xffU];
  return ~crc;
}

std::optional<std::uint16_t> parse_port(std::string_view digits) {
  if (digits.size() > 1 && digits.front() == '0') return std::nullopt;
  std::uint16_t port = 0;
  const char* const last = digits.data() + digits.size();
  const auto [end, error] = std::from_chars(digits.data(), last, port);
  if (error != std::errc{} || end != last) return std::nullopt;
  return port;
}

std::optional<IpAddress> parse_address(std::string_view text, bool v6) {
  if ((text.find(':') != std::string_view::npos) != v6) return std::nullopt;
  return IpAddress::parse(text);
}

// Up to the next blank, which goes too.
std::string_view next_word(std::string_view& rest) {
  const std::size_t blank = std::min(rest.find(' '), rest.size());
  const std::string_view word = rest.substr(0, blank);
  rest.remove_prefix(std::min(blank + 1, rest.size()));
  return word;
}

IpAddress v4_at(std::string_view block, std::size_t at) {
  IpAddress ip;
  ip.bytes[10] = ip.bytes[11] = 0xff;
  std::copy_n(block.begin() + static_cast<std::ptrdiff_t>(at), 4, ip.bytes.begin() + 12);
  return ip;
}

IpAddress v6_at(std::string_view block, std::size_t at) {
  IpAddress ip;
  std::copy_n(block.begin() + static_cast<std::ptrdiff_t>(at), 16, ip.bytes.begin());
  return ip;
}

}  // namespace

std::size_t ProxyHeader::take(std::string_view bytes) {
  const std::size_t before = bytes.size();
  while (state_ == State::kMore && !bytes.empty()) {
    const std::size_t count = std::min(wanted(), bytes.size());
    bytes_.append(bytes.substr(0, count));
    bytes.remove_prefix(count);
    look();
  }
  return before - bytes.size();
}

// A line goes on byte by byte to its end; version 2 tells how long it is.
std::size_t ProxyHeader::wanted() const {
  const std::size_t have = bytes_.size();
  if (have == 0 || bytes_.front() != kSignature.front()) return 1;
  if (have < kSignature.size()) return kSignature.size() - have;
  if (have < kFixed) return kFixed - have;
  return kFixed + number_at(bytes_, 14) - have;
}

void ProxyHeader::look() {
  if (bytes_.front() == kSignature.front()) return look_at_binary();
  look_at_line();
}

void ProxyHeader::look_at_line() {
  const std::string_view line = bytes_;
  const std::size_t known = std::min(line.size(), kWord.size());
  if (line.substr(0, known) != kWord.substr(0, known)) return fail("no PROXY header");
  if (line.ends_with("\r\n")) return read_line(line.substr(0, line.size() - 2));
  if (line.ends_with('\n')) return fail("a line that ends without CR");
  if (line.size() == kLongestLine) return fail("a line of over 107 bytes");
}

void ProxyHeader::read_line(std::string_view line) {
  if (line.find_first_of(std::string_view("\r\0", 2)) != std::string_view::npos) {
    return fail("CR or NUL in the line");
  }
  std::string_view rest = line.substr(kWord.size());
  if (!rest.starts_with(' ')) return fail("no PROXY header");
  rest.remove_prefix(1);
  const std::string_view protocol = next_word(rest);
  if (protocol == "UNKNOWN") {  // whatever else it says
    local_ = true;
    state_ = State::kDone;
    return;
  }
  if (protocol != "TCP4" && protocol != "TCP6") return fail("a protocol that is not TCP4, TCP6 or UNKNOWN");
  const bool v6 = protocol == "TCP6";
  const auto source = parse_address(next_word(rest), v6);
  const auto destination = parse_address(next_word(rest), v6);
  if (!source || !destination) return fail("an address that is none of that family");
  const auto source_port = parse_port(next_word(rest));
  // A blank behind it would be left.
  const auto destination_port = parse_port(rest);
  if (!source_port || !destination_port) return fail("a port that is none");
  source_ = SocketAddress::of(*source, *source_port);
  state_ = State::kDone;
}

void ProxyHeader::look_at_binary() {
  const std::size_t known = std::min(bytes_.size(), kSignature.size());
  if (std::string_view(bytes_).substr(0, known) != kSignature.substr(0, known)) {
    return fail("no PROXY header");
  }
  if (bytes_.size() < kFixed) return;
  const std::size_t length = number_at(bytes_, 14);
  if (length > kLongest) return fail("a header of over 4096 bytes");
  if (bytes_.size() == kFixed + length) read_binary();
}

void ProxyHeader::read_binary() {
  const auto version_and_command = static_cast<unsigned char>(bytes_[12]);
  if (version_and_command >> 4 != 2) return fail("a version that is not 2");
  const unsigned command = version_and_command & 0xfU;
  if (command > 1) return fail("an unknown command");
  if (command == 0) {  // the proxy speaks for itself; the rest says nothing
    local_ = true;
    state_ = State::kDone;
    return;
  }
  const unsigned family = static_cast<unsigned char>(bytes_[13]) >> 4;
  const unsigned transport = static_cast<unsigned char>(bytes_[13]) & 0xfU;
  if (family > 3 || transport > 2 || (family == 0) != (transport == 0)) {
    return fail("an unknown family or protocol");
  }
  constexpr std::array<std::size_t, 4> kAddressBytes = {0, 12, 36, 216};
  const std::size_t addresses = kAddressBytes[family];
  const std::string_view block = std::string_view(bytes_).substr(kFixed);
  if (block.size() < addresses) return fail("addresses that are cut short");
  read_values(kFixed + addresses);
  if (state_ == State::kBad) return;
  local_ = family == 0;
  read_addresses(family, block);
  state_ = State::kDone;
}

void ProxyHeader::read_addresses(unsigned family, std::string_view block) {
  if (family == 1)
    source_ = SocketAddress::of(v4_at(block, 0), static_cast<std::uint16_t>(number_at(block, 8)));
  if (family == 2)
    source_ = SocketAddress::of(v6_at(block, 0), static_cast<std::uint16_t>(number_at(block, 32)));
}

// Type, length and value, again and again to the end. The checksum's is over the whole header with its own
// bytes zero.
void ProxyHeader::read_values(std::size_t at) {
  bool summed = false;
  while (at < bytes_.size()) {
    if (bytes_.size() - at < 3) return fail("a value that is cut short");
    const unsigned type = static_cast<unsigned char>(bytes_[at]);
    const std::size_t length = number_at(bytes_, at + 1);
    at += 3;
    if (bytes_.size() - at < length) return fail("a value that is cut short");
    if (type == kCrc32c) {
      if (length != 4 || summed) return fail("a checksum that is none");
      summed = true;
      const std::uint32_t told = static_cast<std::uint32_t>(number_at(bytes_, at)) << 16 |
                                 static_cast<std::uint32_t>(number_at(bytes_, at + 2));
      std::string copy = bytes_;
      copy.replace(at, 4, 4, '\0');
      if (crc32c(copy) != told) return fail("a checksum that does not fit");
    }
    at += length;
  }
}

void ProxyHeader::fail(std::string_view why) {
  state_ = State::kBad;
  error_ = why;
}

}  // namespace freshet::proxy
