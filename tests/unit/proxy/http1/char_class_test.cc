#include "proxy/http1/char_class.h"

#include <gtest/gtest.h>
#include <string>

namespace freshet::proxy {
namespace {

TEST(CharClass, TheScansStopWhereTheTableStops) {
  for (int byte = 0; byte < 256; ++byte) {
    for (std::size_t size = 1; size <= 36; ++size) {
      for (std::size_t place = 0; place < size; ++place) {
        std::string text(size, '\xff');
        for (std::size_t i = 0; i < size; i += 2) text[i] = i % 3 == 0 ? '\t' : ' ';
        text[place] = static_cast<char>(byte);
        const char* const end = text.data() + text.size();
        ASSERT_EQ(skip_value(text.data(), end) - text.data(),
                  skip_class(text.data(), end, kValueChar) - text.data())
            << byte << ' ' << size << ' ' << place;
        for (char& c : text) c = c == ' ' || c == '\t' ? 'a' : c;
        text[place] = static_cast<char>(byte);
        ASSERT_EQ(skip_target(text.data(), end) - text.data(),
                  skip_class(text.data(), end, kTargetChar) - text.data())
            << byte << ' ' << size << ' ' << place;
      }
    }
  }
}

TEST(CharClass, ClassesHoldWhatTheGrammarSays) {
  std::string token;
  std::string not_target;
  for (int byte = 0; byte < 128; ++byte) {
    const char c = static_cast<char>(byte);
    if (has_class(c, kTokenChar)) token += c;
    if (!has_class(c, kTargetChar) && byte > 0x1f) not_target += c;
  }
  EXPECT_EQ(token, "!#$%&'*+-.0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ^_`abcdefghijklmnopqrstuvwxyz|~");
  EXPECT_EQ(not_target, " #\x7f");
  EXPECT_TRUE(has_class('\x80', kValueChar));
  EXPECT_FALSE(has_class('\x80', kTokenChar));
}

}  // namespace
}  // namespace freshet::proxy
