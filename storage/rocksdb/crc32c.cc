#include "storage/rocksdb/crc32c.h"

#include <array>
#include <cstddef>
#include <cstring>
#include <dlfcn.h>
#include <string>

// As librocksdb 7.8 has it, in a header that is not installed.
namespace rocksdb::crc32c {
std::uint32_t Extend(std::uint32_t crc, const char* data, std::size_t size);
}

namespace freshet::storage {

#if defined(__x86_64__)

namespace {

// Reflected.
constexpr std::uint32_t kPolynomial = 0x82f63b78;
// The instruction takes three cycles, and the processor has three of them under way at a time.
constexpr std::size_t kBlock = 512;

// What so many bytes of zeros, kBlock of them, make of a sum: it is linear, so a table for each byte of it.
class Shift {
 public:
  Shift() {
    std::array<std::uint32_t, 32> of_bit{};
    for (std::size_t bit = 0; bit < of_bit.size(); ++bit) of_bit[bit] = over_zeros(std::uint32_t{1} << bit);
    for (std::size_t place = 0; place < tables_.size(); ++place) {
      for (std::size_t value = 0; value < 256; ++value) {
        for (std::size_t bit = 0; bit < 8; ++bit) {
          if ((value >> bit & 1) != 0) tables_[place][value] ^= of_bit[8 * place + bit];
        }
      }
    }
  }
  [[nodiscard]] std::uint64_t operator()(std::uint64_t crc) const {
    return tables_[0][crc & 255] ^ tables_[1][crc >> 8 & 255] ^ tables_[2][crc >> 16 & 255] ^
           tables_[3][crc >> 24 & 255];
  }

 private:
  static std::uint32_t over_zeros(std::uint32_t crc) {
    for (std::size_t i = 0; i < 8 * kBlock; ++i) crc = (crc >> 1) ^ ((crc & 1) != 0 ? kPolynomial : 0);
    return crc;
  }

  std::array<std::array<std::uint32_t, 256>, 4> tables_{};
};

std::uint64_t word(const char* data) {
  std::uint64_t value = 0;
  std::memcpy(&value, data, sizeof value);
  return value;
}

__attribute__((target("sse4.2"))) std::uint32_t extend_by_instruction(std::uint32_t begin, const char* data,
                                                                      std::size_t size) {
  static const Shift shift;
  std::uint64_t crc = ~begin;
  for (; size >= 3 * kBlock; data += 3 * kBlock, size -= 3 * kBlock) {
    std::uint64_t second = 0;
    std::uint64_t third = 0;
    for (std::size_t i = 0; i < kBlock; i += 8) {
      crc = __builtin_ia32_crc32di(crc, word(data + i));
      second = __builtin_ia32_crc32di(second, word(data + kBlock + i));
      third = __builtin_ia32_crc32di(third, word(data + 2 * kBlock + i));
    }
    crc = shift(shift(crc) ^ second) ^ third;
  }
  for (; size >= 8; data += 8, size -= 8) crc = __builtin_ia32_crc32di(crc, word(data));
  auto last = static_cast<std::uint32_t>(crc);
  for (; size > 0; ++data, --size) last = __builtin_ia32_crc32qi(last, static_cast<unsigned char>(*data));
  return ~last;
}

// Where neither the processor nor the library has one.
std::uint32_t extend_by_bits(std::uint32_t begin, const char* data, std::size_t size) {
  std::uint32_t crc = ~begin;
  for (; size > 0; ++data, --size) {
    crc ^= static_cast<unsigned char>(*data);
    for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ ((crc & 1) != 0 ? kPolynomial : 0);
  }
  return ~crc;
}

using Extend = std::uint32_t (*)(std::uint32_t crc, const char* data, std::size_t size);

Extend choose() {
  if (__builtin_cpu_supports("sse4.2")) return extend_by_instruction;
  void* const next = ::dlsym(RTLD_NEXT, "_ZN7rocksdb6crc32c6ExtendEjPKcm");
  Extend of_library = nullptr;
  std::memcpy(&of_library, &next, sizeof next);
  return of_library != nullptr ? of_library : extend_by_bits;
}

}  // namespace

std::uint32_t extend_crc32c(std::uint32_t crc, const char* data, std::size_t size) {
  static const Extend chosen = choose();
  return chosen(crc, data, size);
}

#endif

std::uint32_t crc32c(std::string_view bytes) {
  return rocksdb::crc32c::Extend(0, bytes.data(), bytes.size());
}

// RFC 3720, B.4.
bool crc32c_is_right() {
  return crc32c(std::string(32, '\xff')) == 0x62a8ab43;
}

}  // namespace freshet::storage

#if defined(__x86_64__)
namespace rocksdb::crc32c {
std::uint32_t Extend(std::uint32_t crc, const char* data, std::size_t size) {
  return freshet::storage::extend_crc32c(crc, data, size);
}
}  // namespace rocksdb::crc32c
#endif
