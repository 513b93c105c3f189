#include "proxy/observe/request_id.h"

#include <gtest/gtest.h>
#include <set>

namespace freshet::proxy {
namespace {

TEST(RequestId, EachIsAnother) {
  std::set<std::string> all;
  for (int worker = 0; worker < 3; ++worker) {
    RequestIds ids;
    for (int i = 0; i < 1000; ++i) {
      std::string id;
      ids.make(id);
      EXPECT_EQ(id.size(), 32U);
      EXPECT_EQ(id.find_first_not_of("0123456789abcdef"), id.npos) << id;
      EXPECT_TRUE(is_sane_request_id(id));
      EXPECT_TRUE(all.insert(id).second);
    }
  }
}

TEST(RequestId, WhichAreTaken) {
  EXPECT_TRUE(is_sane_request_id("7b3c3a4e-1f1e-4d35-9a55-2b0f5f2f4c11"));
  EXPECT_TRUE(is_sane_request_id("Root=1-67891233-abcdef012345678912345678"));
  EXPECT_TRUE(is_sane_request_id("YWJj/+=="));
  EXPECT_TRUE(is_sane_request_id(std::string(128, 'a')));
  EXPECT_FALSE(is_sane_request_id(std::string(129, 'a')));
  EXPECT_FALSE(is_sane_request_id(""));
  for (const char* const bad : {"a b", "a\tb", "a\"b", "a,b", "a\\b", "\xc3\xa9", "a;b", "<a>"}) {
    EXPECT_FALSE(is_sane_request_id(bad)) << bad;
  }
}

TEST(RequestId, TheTraceOfATraceparent) {
  const std::string trace = "4bf92f3577b34da6a3ce929d0e0e4736";
  EXPECT_EQ(trace_id_of("00-" + trace + "-00f067aa0ba902b7-01"), trace);
  EXPECT_EQ(trace_id_of("cc-" + trace + "-00f067aa0ba902b7-01-what-comes-later"), trace);
  for (const std::string& bad :
       {std::string(), "00-" + trace, "ff-" + trace + "-00f067aa0ba902b7-01",
        "00-" + trace + "-00f067aa0ba902b7-01-more", "cc-" + trace + "-00f067aa0ba902b7-01.more",
        "00-" + trace + "-0000000000000000-01", "00-" + std::string(32, '0') + "-00f067aa0ba902b7-01",
        std::string("00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01"),
        "00 " + trace + "-00f067aa0ba902b7-01", "00-" + trace + "-00f067aa0ba902b7-0\n"}) {
    EXPECT_EQ(trace_id_of(bad), "") << bad;
  }
}

}  // namespace
}  // namespace freshet::proxy
