#include "storage/rocksdb/rocksdb_writer.h"

#include <algorithm>
#include <utility>

#include "storage/base/check.h"

namespace freshet::storage {

namespace {

// What a waiting write costs beside its bytes: the head, the closures.
constexpr std::uint64_t kWriteOverhead = 1024;

using HeadPtr = std::shared_ptr<const StoredHead>;

// Not stored, for want of room or of time; counted once.
void refuse_write(StoreCore& core, WriteProgress& progress) {
  if (progress.aborted) return;
  if (!progress.failed.exchange(true)) core.counters().add(Counter::kDiskWritesRefused);
}

// A part of a body, charged to what waits to be written until it is.
class BodyWrite : public Change {
 public:
  BodyWrite(std::shared_ptr<StoreCore> core, std::shared_ptr<WriteProgress> progress, const ChunkLabel& label,
            ChunkList parts, std::uint64_t cost)
      : core_(std::move(core)),
        progress_(std::move(progress)),
        label_(label),
        parts_(std::move(parts)),
        cost_(cost) {}
  ~BodyWrite() override { core_->discharge(cost_); }
  [[nodiscard]] std::uint64_t room_needed() const final { return cost_; }

 protected:
  const std::shared_ptr<StoreCore> core_;
  const std::shared_ptr<WriteProgress> progress_;
  const ChunkLabel label_;
  ChunkList parts_;
  bool prepared_ = false;

 private:
  const std::uint64_t cost_;
};

class ChunkWrite final : public BodyWrite {
 public:
  using BodyWrite::BodyWrite;

  [[nodiscard]] bool reads() const override { return false; }
  [[nodiscard]] bool is_wanted() const override { return !progress_->aborted && !progress_->failed; }
  void prepare(bool room, Database::Batch& batch) override {
    if (!room) return refuse_write(*core_, *progress_);
    batch.chunks.push_back({label_, std::move(parts_)});
    prepared_ = true;
  }
  void finish(bool written) override {
    if (!prepared_) return;
    if (!written) {
      progress_->failed = true;
      return;
    }
    core_->counters().add(Counter::kDiskWriteBytes, label_.size);
    progress_->readable.store((std::uint64_t{label_.number} + 1) * kBodyChunkSize, std::memory_order_release);
  }
};

// The last chunk and the head, in one batch.
class CommitWrite final : public BodyWrite {
 public:
  using Visible = std::function<void(bool stored)>;

  CommitWrite(std::shared_ptr<StoreCore> core, std::shared_ptr<WriteProgress> progress,
              const ChunkLabel& label, ChunkList parts, std::uint64_t cost, HeadPtr head, Executor& executor,
              Visible visible)
      : BodyWrite(std::move(core), std::move(progress), label, std::move(parts), cost),
        ticket_(core_->removals().next_ticket()),
        head_(std::move(head)),
        executor_(executor),
        visible_(std::move(visible)) {}

  // Whether its beginning was written, and how many variants there are.
  [[nodiscard]] bool reads() const override { return label_.number > 0 || !head_->selecting.empty(); }
  // A removal of the key does not wait behind what it makes void.
  [[nodiscard]] bool is_wanted() const override {
    return !progress_->failed && !core_->removals().supersedes(head_->key.digest, ticket_);
  }
  void prepare(bool room, Database::Batch& batch) override {
    if (!is_wanted()) return;
    if (!room) return refuse_write(*core_, *progress_);
    if (!core_->is_current(*head_)) return;
    // Its beginning has been dropped meanwhile.
    const BodyPlace body{label_.family, label_.body_id};
    if (label_.number > 0 && core_->is_dead_place(body)) return;
    batch.chunks.push_back({label_, std::move(parts_)});
    const std::string place = head_key(head_->key.digest, variant_digest(head_->selecting));
    batch.head_puts.emplace_back(place, encode_head(*head_, body));
    core_->bound_variants(*head_, place, batch);
    prepared_ = true;
  }
  void finish(bool written) override {
    const bool stored = prepared_ && written;
    if (stored) {
      core_->note_head(*head_);
      core_->counters().add(Counter::kDiskWrites);
      core_->counters().add(Counter::kDiskWriteBytes, label_.size);
    }
    // Not before there is a head that refers to it.
    if (label_.number > 0) core_->open_bodies().remove(label_.body_id);
    executor_.post([visible = std::move(visible_), stored] { visible(stored); });
  }

 private:
  const Removals::Ticket ticket_;
  const HeadPtr head_;
  Executor& executor_;
  Visible visible_;
};

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
  core_->post_change(
      std::make_unique<ChunkWrite>(core_, progress_, label, std::exchange(pending_, {}), cost));
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
  core_->post_change([&executor, done = std::move(done)] { executor.post(done); });
}

void RocksdbWriter::commit(StoredHead head, std::optional<ChunkList> whole, Executor& executor,
                           std::function<void(bool stored)> visible) {
  head.body_id = body_id();
  commit_head(std::make_shared<const StoredHead>(std::move(head)), std::move(whole), executor,
              std::move(visible));
}

// The lane borrows the head: no copy to make here and to free there.
void RocksdbWriter::commit_whole(const StoredResponsePtr& response, Executor& executor,
                                 std::function<void(bool stored)> visible) {
  Chunk body;
  static_cast<void>(response->body()->try_read(0, body));
  commit_head({response, &response->head()}, ChunkList{std::move(body)}, executor, std::move(visible));
}

void RocksdbWriter::commit_head(std::shared_ptr<const StoredHead> head, std::optional<ChunkList> whole,
                                Executor& executor, std::function<void(bool stored)> visible) {
  FRESHET_CHECK(!committed_);
  FRESHET_CHECK(head->key == key_);
  if (appended_ == 0 && whole) {
    for (const Chunk& chunk : *whole) {
      if (!append(chunk)) break;
    }
  }
  // What came piece by piece stands in buffers with room for more; `whole` has no more memory than it needs.
  if (next_chunk_ == 0 && whole && total_size(*whole) == pending_size_) pending_ = std::move(*whole);
  const std::uint64_t cost = pending_size_ + head->response.fields.memory_size() + kWriteOverhead;
  bool takes = !core_->closed() && !progress_->failed && appended_ == stored_body_size(*head);
  if (takes && (head->body_id == 0 || !core_->charge_body(cost))) takes = refuse();
  if (!takes) {
    executor.post([visible = std::move(visible)] { visible(false); });
    return;
  }
  committed_ = true;
  const ChunkLabel label{head->body_id, key_.digest, next_chunk_, pending_size_, progress_->family};
  core_->post_change(std::make_unique<CommitWrite>(core_, progress_, label, std::exchange(pending_, {}), cost,
                                                   std::move(head), executor, std::move(visible)));
}

}  // namespace freshet::storage
