#include "proxy/net/ticket_keys.h"

#include <chrono>
#include <gtest/gtest.h>
#include <string>

namespace freshet::proxy {
namespace {

using std::chrono::hours;
using std::chrono::seconds;
using storage::MonoTime;

constexpr hours kPeriod{12};
const MonoTime kStart{hours{1000}};

// 80 bytes, each the same, in base64.
std::string line_of(char byte) {
  static constexpr std::string_view kDigits =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string text;
  const auto b = static_cast<unsigned char>(byte);
  const auto digit = [&](unsigned value) { text.push_back(kDigits[value & 63]); };
  for (int i = 0; i < 26; ++i) {
    digit(b >> 2U);
    digit(static_cast<unsigned>(b << 4U) | (b >> 4U));
    digit(static_cast<unsigned>(b << 2U) | (b >> 6U));
    digit(b);
  }
  digit(b >> 2U);
  digit(static_cast<unsigned>(b << 4U) | (b >> 4U));
  digit(static_cast<unsigned>(b << 2U));
  return text + "=";
}

std::optional<bool> opens(TicketKeys& keys, const TicketKey& key, MonoTime now) {
  const auto found = keys.find(key.name.data(), now);
  if (!found) return std::nullopt;
  EXPECT_EQ(found->key.aes, key.aes);
  EXPECT_EQ(found->key.hmac, key.hmac);
  return found->renew;
}

TEST(TicketKeys, AKeySealsForOnePeriodAndOpensForTwoMore) {
  TicketKeys keys(kPeriod, kStart);
  const TicketKey first = keys.current(kStart);
  EXPECT_EQ(keys.current(kStart + kPeriod - seconds{1}).name, first.name);
  EXPECT_EQ(opens(keys, first, kStart + kPeriod - seconds{1}), false);
  const TicketKey second = keys.current(kStart + kPeriod);
  EXPECT_NE(second.name, first.name);
  EXPECT_NE(second.aes, first.aes);
  EXPECT_NE(second.hmac, first.hmac);
  EXPECT_EQ(opens(keys, first, kStart + kPeriod), true);
  EXPECT_EQ(opens(keys, first, kStart + 3 * kPeriod - seconds{1}), true);
  EXPECT_EQ(opens(keys, second, kStart + 3 * kPeriod - seconds{1}), true);
  EXPECT_EQ(opens(keys, first, kStart + 3 * kPeriod), std::nullopt);
  EXPECT_EQ(opens(keys, second, kStart + 3 * kPeriod), true);
}

TEST(TicketKeys, AfterALongSilenceNoOldKeyOpens) {
  TicketKeys keys(kPeriod, kStart);
  const TicketKey first = keys.current(kStart);
  const MonoTime later = kStart + 100 * kPeriod + seconds{5};
  EXPECT_EQ(opens(keys, first, later), std::nullopt);
  const TicketKey next = keys.current(later);
  EXPECT_EQ(keys.current(later + kPeriod - seconds{10}).name, next.name);
}

TEST(TicketKeys, AnUnknownNameOpensNothing) {
  TicketKeys keys(kPeriod, kStart);
  const std::string name(TicketKey::kNameSize, 'x');
  EXPECT_FALSE(keys.find(reinterpret_cast<const unsigned char*>(name.data()), kStart));
}

TEST(TicketKeys, OfAFileTheFirstSealsAllOpenAndTimeChangesNothing) {
  const auto parsed =
      TicketKeys::parse("# made by hand\n" + line_of('a') + "\n\n  " + line_of('b') + " \r\n");
  ASSERT_TRUE(parsed) << parsed.error();
  ASSERT_EQ(parsed.value().size(), 2U);
  const TicketKey a = parsed.value()[0];
  const TicketKey b = parsed.value()[1];
  EXPECT_EQ(a.name[0], 'a');
  EXPECT_EQ(a.hmac[31], 'a');
  EXPECT_EQ(b.aes[31], 'b');
  TicketKeys keys(parsed.value());
  EXPECT_EQ(keys.current(kStart + 100 * kPeriod).name, a.name);
  EXPECT_EQ(opens(keys, a, kStart), false);
  EXPECT_EQ(opens(keys, b, kStart), true);
  keys.replace({b});
  EXPECT_EQ(keys.current(kStart).name, b.name);
  EXPECT_EQ(opens(keys, a, kStart), std::nullopt);
}

TEST(TicketKeys, AFileThatIsNotSoIsRefusedWithItsLine) {
  const auto error = [](const std::string& text) { return TicketKeys::parse(text).error(); };
  EXPECT_EQ(error(""), "there is no key in it");
  EXPECT_EQ(error("# nothing\n\n"), "there is no key in it");
  EXPECT_EQ(error(line_of('a') + "\nshort\n"), "line 2: is not 80 bytes in base64");
  EXPECT_EQ(error(line_of('a').substr(1)), "line 1: is not 80 bytes in base64");
  EXPECT_EQ(error(line_of('a') + "A"), "line 1: is not 80 bytes in base64");
  EXPECT_EQ(error(std::string(108, '!')), "line 1: is not 80 bytes in base64");
  EXPECT_EQ(error(std::string(108, 'A')), "line 1: is not 80 bytes in base64");
  EXPECT_EQ(error(std::string(106, 'A') + "=="), "line 1: is not 80 bytes in base64");
  EXPECT_EQ(error(line_of('a') + "\n\n" + line_of('a')), "line 3: the key is there already");
}

}  // namespace
}  // namespace freshet::proxy
