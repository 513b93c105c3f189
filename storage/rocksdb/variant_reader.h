// VariantReader: one look-up: reads the heads of a key, leaves out what is removed, superseded, dropped with
// its file or damaged, and gives each that is left its body. A response whose first chunk is gone is found
// out here, before anybody sends its head (G6): files are dropped oldest first, so where the first chunk
// still is, the others are.
//
// A value made for one look-up, on the event loop (`cache_only`: nothing waits for the disk) or on the io
// pool.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "storage/rocksdb/store_core.h"
#include "storage/stored_response.h"

namespace freshet::storage {

class VariantReader {
 public:
  VariantReader(StoreCore& core, const CacheKey& key, bool cache_only)
      : core_(core), key_(key), cache_only_(cache_only) {}

  // This look-up is no use of the bodies.
  void leave_no_trace() { is_use_ = false; }

  // kFound with the variants; kMissing; or kWouldBlock.
  ReadStatus read(VariantSetPtr& variants);

 private:
  struct PlacedHead {
    StoredHead head;
    BodyPlace place;
  };

  ReadStatus read_once(const Removals::View& removed, std::vector<StoredResponsePtr>& found);
  ReadStatus scan(const Removals::View& removed);
  void take_head(const Removals::View& removed, std::string_view at, std::string_view record);
  // The body, or null with the reason in `status`.
  std::shared_ptr<const StoredBody> body_of(const PlacedHead& from, ReadStatus& status) const;
  // Whether the head says another place by now: its body was copied forward.
  [[nodiscard]] bool has_moved(const PlacedHead& from) const;
  void drop_doomed();

  StoreCore& core_;
  const CacheKey& key_;
  const bool cache_only_;
  bool is_use_ = true;
  std::vector<PlacedHead> heads_;
  std::vector<PlacedHead> gone_;  // the file with their bodies was dropped
  bool moved_ = false;
  std::vector<std::uint64_t> doomed_bodies_;
  std::vector<std::string> dead_heads_;  // damaged, or not current
};

}  // namespace freshet::storage
