#include "storage/rocksdb/database.h"

#include <array>
#include <rocksdb/sst_file_reader.h>
#include <rocksdb/write_batch.h>
#include <utility>

#include "storage/base/log.h"
#include "storage/rocksdb/database_rocks.h"
#include "storage/rocksdb/nowait_files.h"

namespace freshet::storage {

namespace {

ReadStatus read_status(const rocksdb::Status& status) {
  if (status.ok()) return ReadStatus::kFound;
  if (status.IsNotFound()) return ReadStatus::kMissing;
  if (status.IsBusy() || status.IsIncomplete()) return ReadStatus::kWouldBlock;
  return status.IsCorruption() ? ReadStatus::kDamaged : ReadStatus::kFailed;
}

// A block of the cache, pinned as long as a chunk needs it. The slice goes first: it gives the block back
// to the cache.
struct PinnedRecord {
  explicit PinnedRecord(std::shared_ptr<rocksdb::Cache> owner) : cache(std::move(owner)) {}
  std::shared_ptr<rocksdb::Cache> cache;
  rocksdb::PinnableSlice slice;
};

// Where the record's bytes stand, if that read gave them: the record's header, which no other has, is to
// stand before them. (The memory that was read into may have become another block since.)
std::optional<FilePlace> checked_place(const LastRead& last, std::string_view record) {
  const std::string_view header = record.substr(0, kChunkHeaderSize);
  std::optional<FilePlace> place = last.place_of(record.data(), record.size());
  const std::shared_ptr<const TableFile> file = place ? place->file.lock() : nullptr;
  std::array<char, kChunkHeaderSize> found{};
  if (!file || !file->read_now(place->offset, found.size(), found.data())) return std::nullopt;
  if (std::string_view(found.data(), found.size()) != header) return std::nullopt;
  place->offset += kChunkHeaderSize;
  return place;
}

}  // namespace

Database::Database(std::unique_ptr<Rocks> rocks) : rocks_(std::move(rocks)) {}
Database::~Database() = default;

ReadStatus Database::scan_heads(
    const Digest128& key, bool cache_only,
    const std::function<void(std::string_view key, std::string_view record)>& visit) const {
  const NoWaitScope no_wait(cache_only);
  rocksdb::ReadOptions read;
  read.prefix_same_as_start = true;
  read.background_purge_on_iterator_cleanup = true;
  const std::unique_ptr<rocksdb::Iterator> at(rocks_->db->NewIterator(read, rocks_->heads));
  const std::string prefix = head_key_prefix(key);
  for (at->Seek(prefix); at->Valid(); at->Next()) {
    if (!at->key().starts_with(prefix)) break;
    visit(view(at->key()), view(at->value()));
  }
  return read_status(at->status());
}

ReadStatus Database::walk_heads(
    std::string& from, const std::string& end, std::size_t most,
    const std::function<void(std::string_view key, std::string_view record)>& visit) const {
  const rocksdb::Slice upper(end);
  rocksdb::ReadOptions read;
  read.total_order_seek = true;
  read.fill_cache = false;
  if (!end.empty()) read.iterate_upper_bound = &upper;
  read.background_purge_on_iterator_cleanup = true;
  const std::unique_ptr<rocksdb::Iterator> at(rocks_->db->NewIterator(read, rocks_->heads));
  std::size_t seen = 0;
  for (at->Seek(from); at->Valid(); at->Next()) {
    if (seen++ == most) {
      from = at->key().ToString();
      return ReadStatus::kFound;
    }
    visit(view(at->key()), view(at->value()));
  }
  from.clear();
  return read_status(at->status());
}

void Database::compact_heads(const std::string& from, const std::string& end) {
  rocksdb::CompactRangeOptions options;
  options.exclusive_manual_compaction = false;
  options.bottommost_level_compaction = rocksdb::BottommostLevelCompaction::kForceOptimized;
  const rocksdb::Slice first(from);
  const rocksdb::Slice last(end);
  const rocksdb::Status done =
      rocks_->db->CompactRange(options, rocks_->heads, &first, end.empty() ? nullptr : &last);
  if (!done.ok()) log_event(LogLevel::kWarning, "disk tier: heads not compacted: " + done.ToString());
}

ReadStatus Database::read_head(const std::string& head_key, std::string& record) const {
  return read_status(rocks_->db->Get({}, rocks_->heads, head_key, &record));
}

ReadStatus Database::read_chunk(const ChunkLabel& label, Caching caching, Chunk& bytes,
                                std::optional<FilePlace>* place) const {
  auto pinned = std::make_shared<PinnedRecord>(rocks_->cache);
  const std::string key = chunk_key(label.body_id, label.number);
  const NoWaitScope no_wait(caching == Caching::kOnly);
  rocksdb::ReadOptions read;
  read.fill_cache = caching != Caching::kPass;
  std::optional<LastRead> last;
  if (place != nullptr) last.emplace();
  const ReadStatus status = read_status(rocks_->db->Get(read, rocks_->of(label.family), key, &pinned->slice));
  if (status != ReadStatus::kFound) return status;
  if (!is_chunk(view(pinned->slice), label)) return ReadStatus::kDamaged;
  const char* data = pinned->slice.data() + kChunkHeaderSize;
  if (last) *place = checked_place(*last, view(pinned->slice));
  bytes = Chunk(std::move(pinned), data, label.size);
  return ReadStatus::kFound;
}

bool Database::body_may_exist(const BodyPlace& place) const {
  std::string ignored;
  const NoWaitScope no_wait(true);
  return rocks_->db->KeyMayExist({}, rocks_->of(place.family), chunk_key(place.id, 0), &ignored);
}

Status Database::write(const Batch& batch) {
  const MutexLock one_at_a_time(write_mutex_);
  rocksdb::WriteBatch& out = rocks_->batch;
  out.Clear();
  std::vector<rocksdb::Slice> parts;
  for (const ChunkPut& put : batch.chunks) {
    const std::string key = chunk_key(put.label.body_id, put.label.number);
    const std::string header = encode_chunk_header(put.label);
    const rocksdb::Slice key_slice(key);
    parts.assign(1, slice(header));
    for (const Chunk& part : put.parts) parts.push_back(slice(part.view()));
    const rocksdb::Status added = out.Put(rocks_->of(put.label.family), rocksdb::SliceParts(&key_slice, 1),
                                          rocksdb::SliceParts(parts.data(), static_cast<int>(parts.size())));
    if (!added.ok()) return to_status(added);
  }
  for (const std::string& key : batch.head_deletes) out.Delete(rocks_->heads, key);
  for (const auto& [key, record] : batch.head_puts) out.Put(rocks_->heads, key, record);
  for (const Digest128& key : batch.key_deletes) {
    const std::string prefix = head_key_prefix(key);
    out.DeleteRange(rocks_->heads, prefix, prefix + std::string(kHeadKeySize / 2 + 1, '\xff'));
  }
  const rocksdb::Status written = rocks_->db->Write({}, &out);
  // Not before: a sync in between would take the mark away and miss the write.
  unsynced_ = true;
  rocks_->written_since += out.GetDataSize();
  return written.ok() ? rocks_->files->log_status() : to_status(written);
}

ReadStatus Database::walk_file(const BodyFile& file, std::uint64_t from,
                               const std::function<bool(const ChunkLabel& label)>& visit) const {
  // The file by itself: an iterator of the family would look into each newer file for every body.
  rocksdb::SstFileReader table(rocks_->table_options);
  const rocksdb::Status opened = table.Open(rocks_->options.directory + "/" + file.name);
  if (!opened.ok()) return read_status(opened);
  const std::string begin = chunk_key(std::max(from, file.lowest), 0);
  rocksdb::ReadOptions read;
  read.fill_cache = false;
  const std::unique_ptr<rocksdb::Iterator> at(table.NewIterator(read));
  at->Seek(begin);
  while (at->Valid()) {
    std::optional<ChunkLabel> label = decode_chunk_header(view(at->value()));
    const std::uint64_t id = body_id_of_chunk_key(view(at->key())).value_or(file.highest);
    if (label && label->body_id == id && label->number == 0) {
      label->family = file.family;
      if (!visit(*label)) break;
    }
    // Further chunks of the same body are not looked at.
    if (label && label->number == 0 && label->size < kBodyChunkSize) {
      at->Next();
    } else {
      at->Seek(chunk_key(id + 1, 0));
    }
  }
  return read_status(at->status());
}

const DiskBudget& Database::budget() const {
  return rocks_->budget;
}

void Database::when_files_change(std::function<void()> changed) {
  rocks_->events.listen(std::move(changed));
}

Status Database::flush() {
  return to_status(
      rocks_->db->Flush({}, {rocks_->heads, rocks_->bodies[0], rocks_->bodies[1], rocks_->state}));
}

}  // namespace freshet::storage
