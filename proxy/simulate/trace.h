// Trace: the requests that a cache is to be tried with, in memory, so that every policy and size sees the
// same. A request takes four bytes (twenty where the trace has ttl), an object about 50.
//
// An object is what a key names. Asked for with another size it has changed: a new *version*, which no cache
// can have had; so it is where nothing that could have been fetched for it before is still fresh. A version
// is what a hit needs, and what the offline optimum reasons about.
//
// Filled by one thread; read by any.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <unordered_map>
#include <vector>

#include "storage/base/hash.h"

namespace freshet::proxy {

inline constexpr std::int64_t kNeverExpires = std::numeric_limits<std::int64_t>::max();

class Trace {
 public:
  struct Request {
    std::uint32_t object = 0;
    std::uint32_t version = 0;
    std::uint64_t size = 0;
    std::int64_t time = 0;                 // milliseconds
    std::int64_t expires = kNeverExpires;  // what is fetched now is stale from then on
  };

  // `time` and `ttl` in milliseconds; a ttl of kNeverExpires is none. At most 2^32 - 2 requests.
  void add(const storage::Digest128& key, std::uint64_t size, std::int64_t time = 0,
           std::int64_t ttl = kNeverExpires);
  // No more requests will come: gives up what only add() needs.
  void finish() { index_ = {}; }

  [[nodiscard]] std::size_t requests() const { return version_of_.size(); }
  [[nodiscard]] std::size_t objects() const { return objects_.size(); }
  [[nodiscard]] std::size_t versions() const { return versions_.size(); }
  // Bytes of all requests.
  [[nodiscard]] std::uint64_t bytes() const { return bytes_; }
  // Bytes of the unique objects, each at its largest: what a cache that never misses twice holds.
  [[nodiscard]] std::uint64_t footprint() const { return footprint_; }

  [[nodiscard]] Request operator[](std::size_t i) const;
  [[nodiscard]] const storage::Digest128& digest(std::uint32_t object) const {
    return objects_[object].digest;
  }
  // The size of the object as last asked for; 0 where the key is not known. Before finish() only.
  [[nodiscard]] std::uint64_t last_size(const storage::Digest128& key, bool& known) const;

 private:
  struct Object {
    storage::Digest128 digest;
    std::uint64_t largest = 0;
    std::uint32_t version = 0;
    std::int64_t fresh_until = 0;  // of whatever may have been fetched of its version
  };
  struct Version {
    std::uint64_t size;
    std::uint32_t object;
  };

  std::uint32_t object_of(const storage::Digest128& key);
  void remember_times(std::int64_t time, std::int64_t expires);

  std::unordered_map<storage::Digest128, std::uint32_t, storage::Digest128Hash> index_;
  std::vector<Object> objects_;
  std::vector<Version> versions_;
  std::vector<std::uint32_t> version_of_;  // request: version
  // Request: time and expiry. Empty until a ttl comes.
  std::vector<std::int64_t> times_;
  std::vector<std::int64_t> expiries_;
  std::uint64_t bytes_ = 0;
  std::uint64_t footprint_ = 0;
};

}  // namespace freshet::proxy
