#include "revalidate/origin_contacts.h"

#include <gtest/gtest.h>

#include "tests/support/responses.h"

namespace freshet::revalidate {
namespace {

using tests::key_in_shard;

OriginContact contact_of(int status) {
  OriginContact contact;
  contact.status = status;
  return contact;
}

TEST(OriginContacts, TellsThoseOfTheKeyTheNewestFirst) {
  OriginContacts contacts;
  EXPECT_TRUE(contacts.of(key_in_shard(1, 1)).empty());
  contacts.add(key_in_shard(1, 1), contact_of(200));
  contacts.add(key_in_shard(1, 2), contact_of(404));
  contacts.add(key_in_shard(1, 1), contact_of(304));
  const std::vector<OriginContact> found = contacts.of(key_in_shard(1, 1));
  ASSERT_EQ(found.size(), 2U);
  EXPECT_EQ(found[0].status, 304);
  EXPECT_EQ(found[1].status, 200);
  EXPECT_TRUE(contacts.of(key_in_shard(2, 1)).empty());
}

TEST(OriginContacts, TheNewestOverwriteTheOldest) {
  OriginContacts contacts;
  contacts.add(key_in_shard(1, 1), contact_of(200));
  for (std::size_t i = 0; i < OriginContacts::kOfShard; ++i)
    contacts.add(key_in_shard(1, 2), contact_of(500));
  EXPECT_TRUE(contacts.of(key_in_shard(1, 1)).empty());
  EXPECT_EQ(contacts.of(key_in_shard(1, 2)).size(), OriginContacts::kOfShard);
}

}  // namespace
}  // namespace freshet::revalidate
