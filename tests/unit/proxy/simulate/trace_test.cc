#include "proxy/simulate/trace.h"

#include <gtest/gtest.h>

#include "tests/unit/proxy/simulate/trace_of.h"

namespace freshet::proxy {
namespace {

TEST(Trace, CountsRequestsObjectsAndBytes) {
  const Trace trace = trace_of("abcab", 10);
  EXPECT_EQ(trace.requests(), 5U);
  EXPECT_EQ(trace.objects(), 3U);
  EXPECT_EQ(trace.versions(), 3U);
  EXPECT_EQ(trace.bytes(), 50U);
  EXPECT_EQ(trace.footprint(), 30U);
  EXPECT_EQ(trace[3].object, trace[0].object);
  EXPECT_EQ(trace[3].version, trace[0].version);
  EXPECT_EQ(trace.digest(trace[1].object), key_of('b'));
}

TEST(Trace, AnotherSizeIsAnotherVersionAlsoWhenItComesBack) {
  Trace trace;
  trace.add(key_of('a'), 10);
  trace.add(key_of('a'), 30);
  trace.add(key_of('a'), 10);
  EXPECT_EQ(trace.objects(), 1U);
  EXPECT_EQ(trace.versions(), 3U);
  EXPECT_EQ(trace.footprint(), 30U);
  EXPECT_NE(trace[2].version, trace[0].version);
}

TEST(Trace, WhatNothingCanHaveKeptFreshIsANewVersion) {
  Trace trace;
  trace.add(key_of('a'), 1, 0, 100);
  trace.add(key_of('a'), 1, 50, 100);   // may have been fetched now: fresh until 150
  trace.add(key_of('a'), 1, 149, 0);    // a hit, if it was
  trace.add(key_of('a'), 1, 150, 100);  // in no case
  EXPECT_EQ(trace[2].version, trace[0].version);
  EXPECT_NE(trace[3].version, trace[0].version);
  EXPECT_EQ(trace[1].time, 50);
  EXPECT_EQ(trace[1].expires, 150);
}

TEST(Trace, RequestsBeforeTheFirstTtlNeverExpire) {
  Trace trace;
  trace.add(key_of('a'), 1, 5);
  trace.add(key_of('b'), 1, 6, 10);
  trace.add(key_of('a'), 1, 7);
  EXPECT_EQ(trace[0].expires, kNeverExpires);
  EXPECT_EQ(trace[1].expires, 16);
  EXPECT_EQ(trace[2].expires, kNeverExpires);
  EXPECT_EQ(trace[2].time, 7);
}

TEST(Trace, LastSize) {
  Trace trace;
  trace.add(key_of('a'), 10);
  trace.add(key_of('a'), 20);
  bool known = false;
  EXPECT_EQ(trace.last_size(key_of('a'), known), 20U);
  EXPECT_TRUE(known);
  EXPECT_EQ(trace.last_size(key_of('b'), known), 0U);
  EXPECT_FALSE(known);
}

}  // namespace
}  // namespace freshet::proxy
