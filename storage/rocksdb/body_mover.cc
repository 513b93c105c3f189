#include "storage/rocksdb/body_mover.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "storage/rocksdb/disk_body.h"

namespace freshet::storage {

namespace {

struct PlacedHead {
  std::string at;
  StoredHead head;
};

// The heads that refer to the body, as far as they are current.
std::vector<PlacedHead> heads_at(StoreCore& core, const Digest128& key, const BodyPlace& place) {
  std::vector<std::pair<std::string, std::string>> records;
  const auto collect = [&](std::string_view at, std::string_view record) {
    if (peek_place(record) == place) records.emplace_back(at, record);
  };
  std::vector<PlacedHead> heads;
  if (core.database().scan_heads(key, false, collect) != ReadStatus::kFound) return heads;
  for (auto& [at, record] : records) {
    std::optional<StoredHead> head = decode_head(record);
    if (head && core.is_current(*head)) heads.push_back({std::move(at), std::move(*head)});
  }
  return heads;
}

bool is_removed(StoreCore& core, const Digest128& key, std::uint64_t body_id) {
  const Removals::View removed = core.removals().view(key);
  return removed.all_gone || std::find(removed.bodies_gone.begin(), removed.bodies_gone.end(), body_id) !=
                                 removed.bodies_gone.end();
}

class Move {
 public:
  Move(std::shared_ptr<StoreCore> core, const BodyPlace& from, const Digest128& key, std::uint64_t size)
      : core_(std::move(core)), from_(from), key_(key), size_(size) {}

  // All chunks but the last.
  bool begin(const std::function<bool()>& go_on) {
    to_ = {BodyFamily::kMain, core_->next_body_id()};
    last_ = chunk_count_of(size_) - 1;
    for (std::uint32_t i = 0; i < last_; ++i) {
      Database::Batch batch;
      if (to_.id == 0 || !go_on() || !put_chunk(i, batch) || !core_->write(batch)) return false;
    }
    return to_.id != 0;
  }

  bool finish() {
    Database::Batch batch;
    if (!put_chunk(last_, batch)) return false;  // reading may take its time
    const MutexLock lock(core_->change_mutex());
    std::vector<PlacedHead> heads = heads_at(*core_, key_, from_);
    if (heads.empty() || is_removed(*core_, key_, heads.front().head.body_id)) return false;
    for (const PlacedHead& each : heads) batch.head_puts.emplace_back(each.at, encode_head(each.head, to_));
    if (!core_->write(batch)) return false;
    core_->counters().add(Counter::kDiskCopiedForward);
    core_->counters().add(Counter::kDiskCopiedBytes, static_cast<std::int64_t>(size_));
    return true;
  }

 private:
  bool put_chunk(std::uint32_t number, Database::Batch& batch) {
    ChunkLabel label = chunk_label(key_, from_, size_, number);
    Chunk bytes;
    const ReadStatus read = core_->database().read_chunk(label, Database::Caching::kPass, bytes);
    // A damaged one is counted and removed by the look-up that wants it.
    if (read != ReadStatus::kFound) return false;
    label = chunk_label(key_, to_, size_, number);
    batch.chunks.push_back({label, {std::move(bytes)}});
    return true;
  }

  const std::shared_ptr<StoreCore> core_;
  const BodyPlace from_;
  const Digest128 key_;
  const std::uint64_t size_;
  BodyPlace to_;
  std::uint32_t last_ = 0;
};

}  // namespace

std::uint64_t move_body(const std::shared_ptr<StoreCore>& core, const BodyPlace& from, const Digest128& key,
                        std::uint64_t largest, const std::function<bool()>& go_on) {
  const std::vector<PlacedHead> heads = heads_at(*core, key, from);
  if (heads.empty()) return 0;
  const std::uint64_t size = stored_body_size(heads.front().head);
  if (size > largest || is_removed(*core, key, heads.front().head.body_id)) return 0;
  Move move(core, from, key, size);
  return move.begin(go_on) && move.finish() ? size : 0;
}

}  // namespace freshet::storage
