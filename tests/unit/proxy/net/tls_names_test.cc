#include "proxy/net/tls_names.h"

#include <gtest/gtest.h>

namespace freshet::proxy {
namespace {

constexpr int kRsa = 6;
constexpr int kEcdsa = 408;
using Choice = TlsNames::Choice;

Choice find(const TlsNames& names, std::string_view host) {
  const Choice* const found = names.find(host);
  return found == nullptr ? Choice{} : *found;
}

TEST(TlsNames, AnExactNameIsFoundWhateverItsCaseAndLastDot) {
  TlsNames names;
  names.add(0, kEcdsa, {"Example.ORG"});
  EXPECT_EQ(find(names, "example.org"), Choice{0});
  EXPECT_EQ(find(names, "EXAMPLE.org."), Choice{0});
  EXPECT_EQ(find(names, "www.example.org"), Choice{});
  EXPECT_EQ(find(names, "org"), Choice{});
  EXPECT_EQ(find(names, ""), Choice{});
  EXPECT_EQ(find(names, "."), Choice{});
}

TEST(TlsNames, AWildcardStandsForOneLabel) {
  TlsNames names;
  names.add(0, kEcdsa, {"*.example.org"});
  EXPECT_EQ(find(names, "a.example.org"), Choice{0});
  EXPECT_EQ(find(names, "A.Example.Org."), Choice{0});
  EXPECT_EQ(find(names, "a.b.example.org"), Choice{});
  EXPECT_EQ(find(names, "example.org"), Choice{});
  EXPECT_EQ(find(names, ".example.org"), Choice{});
}

TEST(TlsNames, AnExactNameGoesBeforeAWildcard) {
  TlsNames names;
  names.add(0, kEcdsa, {"*.example.org"});
  names.add(1, kEcdsa, {"a.example.org"});
  EXPECT_EQ(find(names, "a.example.org"), Choice{1});
  EXPECT_EQ(find(names, "b.example.org"), Choice{0});
}

TEST(TlsNames, KeysOfDifferentKindsStandSideBySideAndOfTwoOfOneKindTheFirstCounts) {
  TlsNames names;
  names.add(0, kRsa, {"a.test", "b.test"});
  names.add(1, kEcdsa, {"a.test"});
  names.add(2, kRsa, {"a.test", "c.test"});
  EXPECT_EQ(find(names, "a.test"), (Choice{0, 1}));
  EXPECT_EQ(find(names, "b.test"), Choice{0});
  EXPECT_EQ(find(names, "c.test"), Choice{2});
  EXPECT_EQ(names.choices().size(), 3U);
}

TEST(TlsNames, WhatNoClientCanAskForIsPassedOver) {
  TlsNames names;
  names.add(0, kRsa, {"", ".", "*", "*.", "a.*.test", "w*.test", "*.*.test"});
  EXPECT_TRUE(names.choices().empty());
}

}  // namespace
}  // namespace freshet::proxy
