#include "storage/base/byte_scan.h"

#include <cstddef>
#include <cstring>
#include <gtest/gtest.h>
#include <string>
#include <sys/mman.h>
#include <unistd.h>

namespace freshet::storage {
namespace {

// One class with every verb of a block.
struct Odd {
  template <typename Block>
  static Block match(Block b) {
    return b.below(0x20).and_not(b.equal('\t')) | b.equal('\x7f') | (b.below(0x81) & b.equal('\x80')) |
           b.equal('\xff');
  }
};

bool is_odd(unsigned char c) {
  return (c < 0x20 && c != '\t') || c == 0x7f || c == 0x80 || c == 0xff;
}

struct IsComma {
  template <typename Block>
  static Block match(Block b) {
    return b.equal(',');
  }
};

// Two pages of memory, behind which nothing may be read, nor before them.
class Pages {
 public:
  Pages() : page_(static_cast<std::size_t>(sysconf(_SC_PAGESIZE))) {
    all_ = static_cast<char*>(mmap(nullptr, 4 * page_, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    EXPECT_EQ(mprotect(begin(), 2 * page_, PROT_READ | PROT_WRITE), 0);
  }
  ~Pages() { munmap(all_, 4 * page_); }
  Pages(const Pages&) = delete;
  Pages& operator=(const Pages&) = delete;

  [[nodiscard]] char* begin() const { return all_ + page_; }
  [[nodiscard]] char* end() const { return begin() + 2 * page_; }

 private:
  std::size_t page_;
  char* all_;
};

TEST(ByteScan, MatchesTheSameBytesAsThePlainTwinAndAsALoop) {
  for (int byte = 0; byte < 256; ++byte) {
    for (std::size_t size = 1; size <= 40; ++size) {
      for (std::size_t place = 0; place < size; ++place) {
        std::string text(size, 'x');
        text[place] = static_cast<char>(byte);
        const char* const end = text.data() + size;
        const std::size_t expected = is_odd(static_cast<unsigned char>(byte)) ? place : size;
        ASSERT_EQ(find_class<Odd>(text.data(), end) - text.data(), static_cast<std::ptrdiff_t>(expected))
            << byte << ' ' << size << ' ' << place;
        ASSERT_EQ((find_class<Odd, PlainBlock>(text.data(), end)), text.data() + expected);
      }
    }
  }
}

TEST(ByteScan, StopsAtTheFirstOfSeveral) {
  for (std::size_t first = 0; first < 40; ++first) {
    for (std::size_t second = first; second < 40; ++second) {
      std::string text(40, 'x');
      text[first] = text[second] = ',';
      const char* const end = text.data() + text.size();
      ASSERT_EQ(find_class<IsComma>(text.data(), end), text.data() + first);
      ASSERT_EQ((find_class<IsComma, PlainBlock>(text.data(), end)), text.data() + first);
    }
  }
}

TEST(ByteScan, ReadsNothingOutside) {
  const Pages pages;
  std::memset(pages.begin(), 'x', static_cast<std::size_t>(pages.end() - pages.begin()));
  for (std::size_t size = 0; size <= 70; ++size) {
    // To the end of what may be read, from each alignment; and from its beginning.
    ASSERT_EQ(find_class<Odd>(pages.end() - size, pages.end()), pages.end());
    ASSERT_EQ(find_class<Odd>(pages.begin(), pages.begin() + size), pages.begin() + size);
    ASSERT_EQ((find_class<Odd, PlainBlock>(pages.end() - size, pages.end())), pages.end());
  }
}

TEST(ByteScan, LooksAtNothingBehindTheEnd) {
  const std::string text(64, ',');
  for (std::size_t begin = 0; begin <= 20; ++begin) {
    for (std::size_t size = 0; size <= 40; ++size) {
      std::string plain = text;
      std::memset(plain.data() + begin, 'x', size);
      const char* const p = plain.data() + begin;
      ASSERT_EQ(find_class<IsComma>(p, p + size), p + size);
      ASSERT_EQ((find_class<IsComma, PlainBlock>(p, p + size)), p + size);
    }
  }
}

TEST(ByteScan, NoBytesAreNoMatch) {
  EXPECT_EQ(find_class<IsComma>(nullptr, nullptr), nullptr);
}

}  // namespace
}  // namespace freshet::storage
