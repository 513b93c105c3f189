#include "proxy/net/proxy_header.h"

#include <cstdint>
#include <gtest/gtest.h>
#include <string>
#include <string_view>
#include <vector>

namespace freshet::proxy {
namespace {

using State = ProxyHeader::State;

const std::string kSignature("\r\n\r\n\0\r\nQUIT\n", 12);

std::string bytes(const std::vector<int>& values) {
  std::string text;
  for (const int value : values) text += static_cast<char>(value);
  return text;
}

std::string length_of(const std::string& rest) {
  return bytes({static_cast<int>(rest.size() >> 8), static_cast<int>(rest.size() & 0xff)});
}

// Version 2: `command` 0x21 is PROXY, 0x20 LOCAL; `family` 0x11 is TCP over IPv4.
std::string binary(int command, int family, const std::string& rest) {
  return kSignature + bytes({command, family}) + length_of(rest) + rest;
}

std::string value(int type, const std::string& text) {
  return bytes({type}) + length_of(text) + text;
}

const std::string kV4 = bytes({192, 0, 2, 1, 198, 51, 100, 7, 0x1f, 0x90, 0, 80});
const std::string kV6 = bytes({0x20, 1,    0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,    9,    0x20, 1,
                               0xd,  0xb8, 0,   0,    0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0x1f, 0x90, 0,    80});

// What a header says: its source, "local", "unix", or why it is bad. The same however it is cut into
// pieces, and nothing behind it is taken.
std::string said(const std::string& header) {
  const std::string behind = "GET / HTTP/1.1\r\n";
  std::string first;
  for (const std::size_t piece : {header.size() + behind.size(), std::size_t{1}, std::size_t{5}}) {
    ProxyHeader parser;
    const std::string all = header + behind;
    std::size_t at = 0;
    while (parser.state() == State::kMore && at < header.size()) {
      const std::size_t count = std::min(piece, all.size() - at);
      at += parser.take(std::string_view(all).substr(at, count));
    }
    std::string text = "more";
    if (parser.state() == State::kBad) {
      text = parser.error();
    } else if (parser.state() == State::kDone) {
      EXPECT_EQ(at, header.size());
      text = parser.is_local() ? "local" : parser.source() ? parser.source()->text() : "unix";
      EXPECT_TRUE(!parser.is_local() || !parser.source());
    }
    if (first.empty()) first = text;
    EXPECT_EQ(text, first) << "in pieces of " << piece;
  }
  return first;
}

bool wants_more(const std::string& beginning) {
  ProxyHeader parser;
  return parser.take(beginning) == beginning.size() && parser.state() == State::kMore;
}

TEST(ProxyHeader, TellsTheClientInALine) {
  EXPECT_EQ(said("PROXY TCP4 192.0.2.1 198.51.100.7 8080 80\r\n"), "192.0.2.1:8080");
  EXPECT_EQ(said("PROXY TCP4 255.255.255.255 255.255.255.255 65535 65535\r\n"), "255.255.255.255:65535");
  EXPECT_EQ(said("PROXY TCP4 0.0.0.0 0.0.0.0 0 0\r\n"), "0.0.0.0:0");
  EXPECT_EQ(said("PROXY TCP6 2001:db8::9 2001:DB8::1 8080 80\r\n"), "[2001:db8::9]:8080");
  EXPECT_EQ(said("PROXY TCP6 ::ffff:192.0.2.1 ::1 8080 80\r\n"), "192.0.2.1:8080");
  const std::string full = "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff";
  EXPECT_EQ(said("PROXY TCP6 " + full + " " + full + " 65535 65535\r\n"), "[" + full + "]:65535");
}

TEST(ProxyHeader, ALineMayTellNothing) {
  EXPECT_EQ(said("PROXY UNKNOWN\r\n"), "local");
  EXPECT_EQ(said("PROXY UNKNOWN whatever  it says\r\n"), "local");
  const std::string longest = "PROXY UNKNOWN ";
  EXPECT_EQ(said(longest + std::string(105 - longest.size(), 'x') + "\r\n"), "local");
  EXPECT_EQ(said(longest + std::string(106 - longest.size(), 'x') + "\r\n"), "a line of over 107 bytes");
}

TEST(ProxyHeader, RefusesALineThatIsWrong) {
  for (const std::string request :
       {"GET / HTTP/1.1\r\n", "PRI * HTTP/2.0\r\n", "proxy UNKNOWN\r\n", "PROXYUNKNOWN\r\n", "PROXY\r\n",
        "PROXY\tTCP4\r\n", " PROXY UNKNOWN\r\n", "\x16\x03\x01", "\n"}) {
    EXPECT_EQ(said(request), "no PROXY header") << request;
  }
  for (const std::string protocol : {"", "TCP", "TCP5", "tcp4", "UDP4", "UNKNOWN1", " TCP4"}) {
    EXPECT_EQ(said("PROXY " + protocol + " 192.0.2.1 192.0.2.2 1 2\r\n"),
              "a protocol that is not TCP4, TCP6 or UNKNOWN")
        << protocol;
  }
  for (const std::string pair :
       {"192.0.2.256 192.0.2.2", "192.0.2.01 192.0.2.2", "192.0.2 192.0.2.2", "::1 ::1",
        " 192.0.2.1 192.0.2.2", "192.0.2.1  192.0.2.2", "192.0.2.1 host", "::ffff:192.0.2.1 192.0.2.2"}) {
    EXPECT_EQ(said("PROXY TCP4 " + pair + " 1 2\r\n"), "an address that is none of that family") << pair;
  }
  for (const std::string pair : {"192.0.2.1 192.0.2.2", "::1 192.0.2.2", "[::1] ::1", "::1::1 ::1",
                                 "fe80::1%eth0 ::1", "12345::1 ::1"}) {
    EXPECT_EQ(said("PROXY TCP6 " + pair + " 1 2\r\n"), "an address that is none of that family") << pair;
  }
  for (const std::string ports : {"", "1", "1 ", " 1 2", "1  2", "1 2 ", "1 2 3", "01 2", "1 00", "65536 1",
                                  "1 65536", "-1 2", "+1 2", "1 a", "0x1 2", "1 2\t"}) {
    EXPECT_EQ(said("PROXY TCP4 192.0.2.1 192.0.2.2 " + ports + "\r\n"), "a port that is none") << ports;
  }
  EXPECT_EQ(said("PROXY TCP4 192.0.2.1 192.0.2.2\r\n"), "a port that is none");
  EXPECT_EQ(said("PROXY TCP4 192.0.2.1 192.0.2.2 1 2\n"), "a line that ends without CR");
  EXPECT_EQ(said("PROXY UNKNOWN\rx\r\n"), "CR or NUL in the line");
  EXPECT_EQ(said("PROXY UNKNOWN" + std::string(1, '\0') + "\r\n"), "CR or NUL in the line");
  EXPECT_TRUE(wants_more("PROXY TCP4 192.0.2.1"));
  EXPECT_EQ(said("PROXY UNKNOWN " + std::string(200, 'x')), "a line of over 107 bytes");
}

TEST(ProxyHeader, TellsTheClientInBinary) {
  EXPECT_EQ(said(binary(0x21, 0x11, kV4)), "192.0.2.1:8080");
  EXPECT_EQ(said(binary(0x21, 0x21, kV6)), "[2001:db8::9]:8080");
  EXPECT_EQ(said(binary(0x21, 0x31, std::string(216, '\0'))), "unix");
  // The client came by UDP (QUIC), and the proxy speaks for it on a stream.
  EXPECT_EQ(said(binary(0x21, 0x12, kV4)), "192.0.2.1:8080");
  EXPECT_EQ(said(binary(0x21, 0x22, kV6)), "[2001:db8::9]:8080");
}

TEST(ProxyHeader, BinaryMayTellNothing) {
  EXPECT_EQ(said(binary(0x20, 0x00, "")), "local");
  // Whatever stands in it.
  EXPECT_EQ(said(binary(0x20, 0x11, kV4)), "local");
  EXPECT_EQ(said(binary(0x20, 0xff, "noise")), "local");
  EXPECT_EQ(said(binary(0x21, 0x00, "")), "local");
  EXPECT_EQ(said(binary(0x21, 0x00, value(4, "xx"))), "local");
}

TEST(ProxyHeader, SkipsValues) {
  const std::string authority = value(2, "example.org");
  const std::string ssl = value(0x20, bytes({1, 0, 0, 0, 0}) + value(0x21, "TLSv1.3"));
  EXPECT_EQ(said(binary(0x21, 0x11, kV4 + authority + ssl + value(4, "") + value(0xea, "own"))),
            "192.0.2.1:8080");
  EXPECT_EQ(said(binary(0x21, 0x11, kV4 + value(4, std::string(4096 - 12 - 3, 'x')))), "192.0.2.1:8080");
}

TEST(ProxyHeader, RefusesBinaryThatIsWrong) {
  for (std::size_t i = 1; i < kSignature.size(); ++i) {
    std::string header = binary(0x21, 0x11, kV4);
    header[i] = 'x';
    EXPECT_EQ(said(header), "no PROXY header") << i;
  }
  for (const int version : {0x01, 0x11, 0x31, 0xf1})
    EXPECT_EQ(said(binary(version, 0x11, kV4)), "a version that is not 2");
  for (const int command : {0x22, 0x2f}) EXPECT_EQ(said(binary(command, 0x11, kV4)), "an unknown command");
  for (const int family : {0x41, 0x13, 0x10, 0x01, 0xff, 0x30})
    EXPECT_EQ(said(binary(0x21, family, std::string(216, 'x'))), "an unknown family or protocol") << family;
  EXPECT_EQ(said(binary(0x21, 0x11, kV4.substr(1))), "addresses that are cut short");
  EXPECT_EQ(said(binary(0x21, 0x21, kV4)), "addresses that are cut short");
  EXPECT_EQ(said(binary(0x21, 0x31, std::string(215, '\0'))), "addresses that are cut short");
  EXPECT_EQ(said(binary(0x21, 0x11, kV4 + bytes({4}))), "a value that is cut short");
  EXPECT_EQ(said(binary(0x21, 0x11, kV4 + bytes({4, 0}))), "a value that is cut short");
  EXPECT_EQ(said(binary(0x21, 0x11, kV4 + bytes({4, 0, 1}))), "a value that is cut short");
  EXPECT_EQ(said(binary(0x21, 0x00, kV4 + "x")), "a value that is cut short");
  EXPECT_EQ(said(binary(0x21, 0x11, std::string(4097, 'x'))), "a header of over 4096 bytes");
  EXPECT_TRUE(wants_more(binary(0x21, 0x11, kV4).substr(0, 27)));
  EXPECT_TRUE(wants_more(kSignature));
}

// CRC-32C of the whole header with its own bytes zero, found with another implementation.
TEST(ProxyHeader, ChecksTheChecksum) {
  const std::string good = binary(0x21, 0x11, kV4 + value(3, bytes({0x66, 0x50, 0x5f, 0x7f})));
  EXPECT_EQ(said(good), "192.0.2.1:8080");
  for (std::size_t i = kSignature.size() + 4; i < good.size(); ++i) {
    if (i >= 28 && i < 31) continue;  // type and length of the value: another header
    std::string changed = good;
    changed[i] = static_cast<char>(changed[i] ^ 1);
    EXPECT_EQ(said(changed), "a checksum that does not fit") << i;
  }
  EXPECT_EQ(said(binary(0x21, 0x11, kV4 + value(3, "abc"))), "a checksum that is none");
  EXPECT_EQ(said(binary(0x21, 0x11, kV4 + value(3, "abcde"))), "a checksum that is none");
  // Where the proxy speaks for itself nothing is looked at.
  EXPECT_EQ(said(binary(0x20, 0x11, kV4 + value(3, "abcd"))), "local");
}

}  // namespace
}  // namespace freshet::proxy
