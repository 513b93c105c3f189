// XXH3-128 behind our own name: digests of cache keys and of content. Not cryptographic: the whole key is
// compared wherever a collision would matter.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace freshet::storage {

struct Digest128 {
  std::uint64_t high = 0;
  std::uint64_t low = 0;
  friend bool operator==(const Digest128&, const Digest128&) = default;
  friend bool operator<(const Digest128& a, const Digest128& b) {
    return a.high != b.high ? a.high < b.high : a.low < b.low;
  }
  // 32 lower-case hex digits.
  [[nodiscard]] std::string hex() const;
};

struct Digest128Hash {
  std::size_t operator()(const Digest128& digest) const { return static_cast<std::size_t>(digest.low); }
};

[[nodiscard]] Digest128 digest128(std::string_view bytes);

// The digest of bytes that come piece by piece.
class StreamDigest {
 public:
  StreamDigest();
  ~StreamDigest();
  StreamDigest(StreamDigest&&) noexcept;
  StreamDigest& operator=(StreamDigest&&) noexcept;
  void update(std::string_view bytes);
  // The digest of what came so far.
  [[nodiscard]] Digest128 digest() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace freshet::storage
