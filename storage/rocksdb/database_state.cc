#include <rocksdb/write_batch.h>
#include <utility>

#include "storage/rocksdb/database_rocks.h"

namespace freshet::storage {

namespace {

constexpr const char* kIdPrefix = "ids/";
constexpr const char* kLogKey = "invalidation-log";
// Of earlier programs.
constexpr const char* kTagPrefix = "tag/";
constexpr const char* kTagEnd = "tag0";  // the first key behind those
constexpr const char* kTagFloorKey = "tag-floor";

}  // namespace

Result<std::uint64_t> Database::reserve_ids(const std::string& name, std::uint64_t count) {
  const MutexLock lock(ids_mutex_);
  const std::string key = kIdPrefix + name;
  std::string stored;
  const rocksdb::Status read = rocks_->db->Get({}, rocks_->state, key, &stored);
  std::uint64_t next = 1;
  if (read.ok()) {
    const auto decoded = decode_u64(stored);
    if (!decoded) return Error{"the record of reserved ids '" + name + "' is damaged"};
    next = *decoded;
  } else if (!read.IsNotFound()) {
    return Error{read.ToString()};
  }
  rocksdb::WriteOptions synced;
  synced.sync = true;
  const rocksdb::Status written = rocks_->db->Put(synced, rocks_->state, key, encode_u64(next + count));
  if (!written.ok()) return Error{written.ToString()};
  if (Status logged = rocks_->files->log_status(); !logged.ok()) return Error{logged.error()};
  return next;
}

Result<std::vector<std::pair<Digest128, Sequence>>> Database::old_tags() const {
  std::vector<std::pair<Digest128, Sequence>> tags;
  const std::string prefix = kTagPrefix;
  const std::unique_ptr<rocksdb::Iterator> at(rocks_->db->NewIterator({}, rocks_->state));
  for (at->Seek(prefix); at->Valid() && at->key().starts_with(prefix); at->Next()) {
    const auto tag = decode_digest(view(at->key()).substr(prefix.size()));
    const auto sequence = decode_u64(view(at->value()));
    if (!tag || !sequence) return Error{"a record of an invalidated tag is damaged"};
    tags.emplace_back(*tag, *sequence);
  }
  if (!at->status().ok()) return Error{at->status().ToString()};
  std::string stored;
  const rocksdb::Status read = rocks_->db->Get({}, rocks_->state, kTagFloorKey, &stored);
  if (read.IsNotFound()) return tags;
  if (!read.ok()) return Error{read.ToString()};
  const auto floor = decode_u64(stored);
  if (!floor) return Error{"the record of the oldest invalidated tags is damaged"};
  tags.emplace_back(Digest128{}, *floor);
  return tags;
}

Result<bool> Database::bind_log(std::uint64_t id) {
  std::string stored;
  const rocksdb::Status read = rocks_->db->Get({}, rocks_->state, kLogKey, &stored);
  if (!read.ok() && !read.IsNotFound()) return Error{read.ToString()};
  if (read.ok() && stored == encode_u64(id)) return true;
  rocksdb::WriteBatch out;
  if (read.ok()) out.DeleteRange(rocks_->heads, "", std::string(kHeadKeySize + 1, '\xff'));
  out.DeleteRange(rocks_->state, kTagPrefix, kTagEnd);
  out.Delete(rocks_->state, kTagFloorKey);
  out.Put(rocks_->state, kLogKey, encode_u64(id));
  rocksdb::WriteOptions synced;
  synced.sync = true;
  const rocksdb::Status written = rocks_->db->Write(synced, &out);
  if (!written.ok()) return Error{written.ToString()};
  return read.IsNotFound();
}

}  // namespace freshet::storage
