#include "storage/rocksdb/crc32c.h"

#include <cstddef>
#include <cstdint>
#include <dlfcn.h>
#include <gtest/gtest.h>
#include <string>

namespace rocksdb::crc32c {
std::uint32_t Extend(std::uint32_t crc, const char* data, std::size_t size);
}

namespace freshet::storage {
namespace {

std::uint32_t bit_by_bit(const std::string& bytes) {
  std::uint32_t crc = ~std::uint32_t{0};
  for (const char byte : bytes) {
    crc ^= static_cast<unsigned char>(byte);
    for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ ((crc & 1) != 0 ? 0x82f63b78U : 0U);
  }
  return ~crc;
}

std::string noise(std::size_t size) {
  std::string bytes;
  std::uint32_t state = 4711;
  while (bytes.size() < size)
    bytes.push_back(static_cast<char>((state = state * 1664525 + 1013904223) >> 24));
  return bytes;
}

TEST(Crc32c, IsThatOfTheRfc) {
  EXPECT_TRUE(crc32c_is_right());
  EXPECT_EQ(crc32c("123456789"), 0xe3069283);
  EXPECT_EQ(crc32c(std::string(32, '\0')), 0x8a9136aa);
}

TEST(Crc32c, OfAnySizeAndPlaceIsThatOfItsBits) {
  const std::string bytes = noise(8000);
  for (std::size_t size = 0; size < 4000; size += size < 40 ? 1 : 37) {
    const std::string part = bytes.substr(size % 11, size);
    EXPECT_EQ(crc32c(part), bit_by_bit(part)) << size;
  }
}

TEST(Crc32c, GoesOnFromWhatCameBefore) {
  const std::string bytes = noise(7000);
  for (const std::size_t cut : {0, 1, 9, 1535, 1536, 1537, 4000}) {
    const std::uint32_t begun = rocksdb::crc32c::Extend(0, bytes.data(), cut);
    EXPECT_EQ(rocksdb::crc32c::Extend(begun, bytes.data() + cut, bytes.size() - cut), bit_by_bit(bytes));
  }
}

#if defined(__x86_64__)
TEST(Crc32c, IsWhatTheLibraryFindsByItsName) {
  const auto mine = reinterpret_cast<std::uintptr_t>(&rocksdb::crc32c::Extend);
  EXPECT_EQ(reinterpret_cast<std::uintptr_t>(::dlsym(RTLD_DEFAULT, "_ZN7rocksdb6crc32c6ExtendEjPKcm")), mine);
}
#endif

}  // namespace
}  // namespace freshet::storage
