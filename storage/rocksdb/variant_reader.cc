#include "storage/rocksdb/variant_reader.h"

#include <algorithm>
#include <utility>

#include "storage/rocksdb/disk_body.h"

namespace freshet::storage {

namespace {

// With more variants than this, bodies are not read along with the heads: one of them is wanted at most.
constexpr std::size_t kBodiesReadAlong = 4;
// Up to this size a body is copied, so that a tier above may keep it without pinning a block of the cache.
// One that is larger is handed over as it was read: most are sent once and not kept.
constexpr std::uint64_t kLargestCopied = std::uint64_t{16} * 1024;
constexpr int kAttempts = 8;

bool contains(const std::vector<std::uint64_t>& ids, std::uint64_t id) {
  return std::find(ids.begin(), ids.end(), id) != ids.end();
}

// That of another variant with the same body; null: none yet.
std::shared_ptr<const StoredBody> shared_body(const std::vector<StoredResponsePtr>& found,
                                              const StoredHead& head) {
  for (const StoredResponsePtr& other : found) {
    const StoredHead& its = other->head();
    if (its.body_id == head.body_id && stored_body_size(its) == stored_body_size(head)) return other->body();
  }
  return nullptr;
}

}  // namespace

ReadStatus VariantReader::read(VariantSetPtr& variants) {
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    const Removals::View removed = core_.removals().view(key_.digest);
    if (removed.all_gone) return ReadStatus::kMissing;
    std::vector<StoredResponsePtr> found;
    const ReadStatus status = read_once(removed, found);
    if (status == ReadStatus::kWouldBlock) return status;
    // A removal that landed while this was reading wins.
    const bool undisturbed = core_.removals().unchanged(key_.digest, removed) && !moved_;
    drop_doomed();
    if (!undisturbed) continue;
    if (found.empty()) return ReadStatus::kMissing;
    variants = make_variants(std::move(found));
    return ReadStatus::kFound;
  }
  // So many removals at once: a miss is always right.
  return cache_only_ ? ReadStatus::kWouldBlock : ReadStatus::kMissing;
}

ReadStatus VariantReader::read_once(const Removals::View& removed, std::vector<StoredResponsePtr>& found) {
  moved_ = false;
  heads_.clear();
  gone_.clear();
  doomed_bodies_.clear();
  dead_heads_.clear();
  const ReadStatus scanned = scan(removed);
  if (scanned != ReadStatus::kFound) return scanned;
  // Copied forward since the heads were read, or dropped: only the heads as they are now can tell.
  if (!gone_.empty() && cache_only_) return ReadStatus::kWouldBlock;
  for (const PlacedHead& from : gone_) moved_ = moved_ || has_moved(from);
  if (moved_) return ReadStatus::kFound;
  core_.counters().add(Counter::kDiskEvictions, static_cast<std::int64_t>(gone_.size()));
  std::stable_sort(heads_.begin(), heads_.end(), [](const PlacedHead& a, const PlacedHead& b) {
    return a.head.response_time > b.head.response_time;
  });
  for (PlacedHead& from : heads_) {
    StoredHead& head = from.head;
    ReadStatus status = ReadStatus::kFound;
    std::shared_ptr<const StoredBody> body = shared_body(found, head);
    if (body == nullptr) body = body_of(from, status);
    // Gone or copied forward: only the head can tell.
    if (status == ReadStatus::kMissing && cache_only_) return ReadStatus::kWouldBlock;
    if (status == ReadStatus::kWouldBlock) return status;
    if (status == ReadStatus::kMissing && has_moved(from)) {
      moved_ = true;
      return ReadStatus::kFound;
    }
    if (status == ReadStatus::kMissing) core_.counters().add(Counter::kDiskEvictions);
    if (status == ReadStatus::kDamaged) core_.report_damage("a body of " + key_.text);
    if (status == ReadStatus::kFailed) core_.report_error("cannot read a body of " + key_.text);
    if (status == ReadStatus::kMissing || status == ReadStatus::kDamaged)
      doomed_bodies_.push_back(head.body_id);
    if (body == nullptr) continue;
    found.push_back(
        std::make_shared<const StoredResponse>(std::move(head), std::move(body), core_.describe()));
  }
  return ReadStatus::kFound;
}

ReadStatus VariantReader::scan(const Removals::View& removed) {
  const ReadStatus status = core_.database().scan_heads(
      key_.digest, cache_only_,
      [this, &removed](std::string_view at, std::string_view record) { take_head(removed, at, record); });
  if (status == ReadStatus::kDamaged) {
    core_.report_damage("a block of heads, at " + key_.text);
    core_.delete_damaged_key(key_.digest);
  }
  if (status == ReadStatus::kFailed) core_.report_error("cannot read the heads of " + key_.text);
  return status;
}

void VariantReader::take_head(const Removals::View& removed, std::string_view at, std::string_view record) {
  BodyPlace place;
  std::optional<StoredHead> head = decode_head(record, &place);
  if (!head || at != head_key(head->key.digest, variant_digest(head->selecting))) {
    core_.report_damage("a head of " + key_.text);
    dead_heads_.emplace_back(at);
    return;
  }
  if (head->key.text != key_.text || contains(removed.bodies_gone, head->body_id)) return;
  if (core_.database().is_gone(place)) {
    dead_heads_.emplace_back(at);  // deleted if it still says so
    gone_.push_back({std::move(*head), place});
  } else if (!core_.is_current(*head)) {
    // This head alone: another that shares the body may be current.
    dead_heads_.emplace_back(at);
  } else {
    heads_.push_back({std::move(*head), place});
  }
}

std::shared_ptr<const StoredBody> VariantReader::body_of(const PlacedHead& from, ReadStatus& status) const {
  const StoredHead& head = from.head;
  const auto on_disk = [&] {
    return std::make_shared<DiskBody>(core_.shared_from_this(), key_.digest, head.body_id, from.place,
                                      stored_body_size(head));
  };
  if (heads_.size() > kBodiesReadAlong) {
    status = core_.database().body_may_exist(from.place) ? ReadStatus::kFound : ReadStatus::kMissing;
    return status == ReadStatus::kFound ? on_disk() : nullptr;
  }
  Chunk first;
  std::optional<FilePlace> place;
  const ChunkLabel label = chunk_label(key_.digest, from.place, stored_body_size(head), 0);
  const auto caching = cache_only_ ? Database::Caching::kOnly : Database::Caching::kFill;
  status = core_.database().read_chunk(label, caching, first, &place);
  if (status != ReadStatus::kFound) return nullptr;
  if (is_use_) core_.used().mark(from.place.id);
  if (first.size() <= kLargestCopied && stored_body_size(head) == first.size())
    return make_memory_body(first.empty() ? ChunkList{} : ChunkList{Chunk::copy_of(first.view())});
  const std::shared_ptr<const DiskBody> body = on_disk();
  body->found_whole(0, std::move(place));
  if (stored_body_size(head) > kBodyChunkSize) return body;
  return std::make_shared<ReadBody>(core_.held_chunks().hold(std::move(first), label.size), body);
}

bool VariantReader::has_moved(const PlacedHead& from) const {
  std::string record;
  const std::string at = head_key(key_.digest, variant_digest(from.head.selecting));
  return core_.database().read_head(at, record) == ReadStatus::kFound && peek_place(record) != from.place;
}

void VariantReader::drop_doomed() {
  for (const std::uint64_t id : doomed_bodies_) core_.remove_body(key_.digest, id);
  for (std::string& at : dead_heads_) core_.delete_dead_head(std::move(at));
}

}  // namespace freshet::storage
