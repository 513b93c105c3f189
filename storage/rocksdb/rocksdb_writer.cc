#include "storage/rocksdb/rocksdb_writer.h"

#include <algorithm>
#include <utility>

#include "storage/base/check.h"

namespace freshet::storage {

namespace {

// What a waiting write costs beside its bytes: the head, the closures.
constexpr std::uint64_t kWriteOverhead = 1024;

// Not stored, for want of room or of time; counted once.
void refuse_write(StoreCore& core, WriteProgress& progress) {
  if (progress.aborted) return;
  if (!progress.failed.exchange(true)) core.counters().add(Counter::kDiskWritesRefused);
}

void write_chunk(StoreCore& core, WriteProgress& progress, const ChunkLabel& label, ChunkList parts) {
  if (progress.aborted || progress.failed) return;
  Database::Batch batch;
  batch.chunks.push_back({label, std::move(parts)});
  if (!core.write(batch)) {
    progress.failed = true;
    return;
  }
  core.counters().add(Counter::kDiskWriteBytes, label.size);
  progress.readable.store((std::uint64_t{label.number} + 1) * kBodyChunkSize, std::memory_order_release);
}

// The last chunk and the head, in one batch. Whether the response is there now.
bool write_commit(StoreCore& core, WriteProgress& progress, Removals::Ticket ticket, const ChunkLabel& label,
                  ChunkList parts, StoredHead& head) {
  if (progress.failed || core.removals().supersedes(head.key.digest, ticket)) return false;
  if (!core.is_current(head)) return false;
  // Its beginning has been dropped meanwhile.
  if (label.number > 0 && core.is_dead_place({label.family, label.body_id})) return false;
  head.body_id = label.body_id;
  Database::Batch batch;
  batch.chunks.push_back({label, std::move(parts)});
  const std::string place = head_key(head.key.digest, variant_digest(head.selecting));
  batch.head_puts.emplace_back(place, encode_head(head, {label.family, label.body_id}));
  core.bound_variants(head, place, batch);
  if (!core.write(batch)) return false;
  core.note_head(head);
  core.counters().add(Counter::kDiskWrites);
  core.counters().add(Counter::kDiskWriteBytes, label.size);
  return true;
}

}  // namespace

RocksdbWriter::RocksdbWriter(std::shared_ptr<StoreCore> core, CacheKey key)
    : core_(std::move(core)), key_(std::move(key)), progress_(std::make_shared<WriteProgress>()) {}

RocksdbWriter::~RocksdbWriter() {
  if (!committed_) progress_->aborted = true;
  if (!committed_ && next_chunk_ > 0) core_->open_bodies().remove(progress_->body_id);
}

bool RocksdbWriter::refuse() {
  refuse_write(*core_, *progress_);
  pending_.clear();
  return false;
}

bool RocksdbWriter::append(const Chunk& chunk) {
  if (progress_->failed) return false;
  if (core_->closed() || appended_ + chunk.size() > core_->largest_body()) return refuse();
  appended_ += chunk.size();
  std::size_t taken = 0;
  while (taken < chunk.size()) {
    // A full chunk waits until there is more: the last one goes with the head.
    if (pending_size_ == kBodyChunkSize) hand_over();
    if (progress_->failed) return false;
    const std::size_t size = std::min<std::size_t>(chunk.size() - taken, kBodyChunkSize - pending_size_);
    pending_.push_back(chunk.slice(taken, size));
    pending_size_ += static_cast<std::uint32_t>(size);
    taken += size;
  }
  return true;
}

void RocksdbWriter::hand_over() {
  const std::uint64_t cost = pending_size_ + kWriteOverhead;
  if (body_id() == 0 || !core_->charge_body(cost)) {
    refuse();
    return;
  }
  if (next_chunk_ == 0) core_->open_bodies().add(body_id());
  const ChunkLabel label{body_id(), key_.digest, next_chunk_++, pending_size_, progress_->family};
  core_->post_write(
      key_.digest, cost, [progress = progress_] { return !progress->aborted && !progress->failed; },
      [core = core_, progress = progress_, label, parts = std::exchange(pending_, {})](bool room) mutable {
        if (!room) return refuse_write(*core, *progress);
        write_chunk(*core, *progress, label, std::move(parts));
      });
  pending_size_ = 0;
}

std::uint64_t RocksdbWriter::readable() const {
  return progress_->readable.load(std::memory_order_acquire);
}

// Taken as late as may be, so that ids grow in the order of the bytes on disk.
std::uint64_t RocksdbWriter::body_id() const {
  if (progress_->body_id.load() == 0) {
    // Who comes back so soon is no newcomer.
    if (core_->ghosts().take(key_.digest)) progress_->family = BodyFamily::kMain;
    progress_->body_id = core_->next_body_id();
  }
  return progress_->body_id.load();
}

std::shared_ptr<const StoredBody> RocksdbWriter::written_body() const {
  return std::make_shared<GrowingBody>(core_, key_.digest, progress_);
}

void RocksdbWriter::when_written(Executor& executor, std::function<void()> done) {
  core_->post_change(key_.digest, [&executor, done = std::move(done)] { executor.post(done); });
}

void RocksdbWriter::commit(StoredHead head, std::optional<ChunkList> whole, Executor& executor,
                           std::function<void(bool stored)> visible) {
  FRESHET_CHECK(!committed_);
  FRESHET_CHECK(head.key == key_);
  if (appended_ == 0 && whole) {
    for (const Chunk& chunk : *whole) {
      if (!append(chunk)) break;
    }
  }
  // What came piece by piece stands in buffers with room for more; `whole` has no more memory than it needs.
  if (next_chunk_ == 0 && whole && total_size(*whole) == pending_size_) pending_ = std::move(*whole);
  const std::uint64_t cost = pending_size_ + head.response.fields.memory_size() + kWriteOverhead;
  bool takes = !core_->closed() && !progress_->failed && appended_ == stored_body_size(head);
  if (takes && (body_id() == 0 || !core_->charge_body(cost))) takes = refuse();
  if (!takes) {
    executor.post([visible = std::move(visible)] { visible(false); });
    return;
  }
  committed_ = true;
  const ChunkLabel label{body_id(), key_.digest, next_chunk_, pending_size_, progress_->family};
  const Removals::Ticket ticket = core_->removals().next_ticket();
  // A removal of the key does not wait behind what it makes void.
  const auto is_void = [core = core_, progress = progress_, key = key_.digest, ticket] {
    return progress->failed || core->removals().supersedes(key, ticket);
  };
  core_->post_write(
      key_.digest, cost, [is_void] { return !is_void(); },
      [core = core_, progress = progress_, is_void, ticket, label, &executor,
       parts = std::exchange(pending_, {}), head = std::move(head),
       visible = std::move(visible)](bool room) mutable {
        if (!room && !is_void()) refuse_write(*core, *progress);
        const bool stored = room && write_commit(*core, *progress, ticket, label, std::move(parts), head);
        // Not before there is a head that refers to it.
        if (label.number > 0) core->open_bodies().remove(label.body_id);
        executor.post([visible = std::move(visible), stored] { visible(stored); });
      });
}

}  // namespace freshet::storage
