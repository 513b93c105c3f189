#include <algorithm>
#include <cstdlib>
#include <optional>
#include <utility>

#include "storage/rocksdb/database_rocks.h"

namespace freshet::storage {

namespace {

constexpr std::uint64_t kPage = 4096;
// More ids than may be given and not yet written: what waits to be written is bounded.
constexpr std::uint64_t kIdsOnTheWay = 1 << 17;

}  // namespace

bool Database::Rocks::is_gone(const BodyPlace& place) const {
  const auto family = static_cast<std::size_t>(place.family);
  if (place.id < floors[family].load(std::memory_order_relaxed)) return true;
  return place.id < first_id.load(std::memory_order_relaxed) &&
         place.id > ceilings[family].load(std::memory_order_relaxed);
}

bool Database::Rocks::is_dead(std::string_view record) const {
  const std::optional<BodyPlace> place = peek_place(record);
  return (place && is_gone(*place)) || (options.head_is_dead && options.head_is_dead(record));
}

bool Database::is_gone(const BodyPlace& place) const {
  return rocks_->is_gone(place);
}

bool Database::is_doubtful(const BodyPlace& place) const {
  return place.id <= rocks_->dropped[static_cast<std::size_t>(place.family)];
}

void Database::begin_bodies_at(std::uint64_t first_id) {
  rocks_->first_id = first_id;
}

std::vector<BodyFile> Database::body_files(BodyFamily family) const {
  rocksdb::ColumnFamilyMetaData data;
  rocks_->db->GetColumnFamilyMetaData(rocks_->of(family), &data);
  std::vector<BodyFile> found;
  for (const rocksdb::LevelMetaData& level : data.levels) {
    for (const rocksdb::SstFileMetaData& file : level.files) {
      const auto lowest = body_id_of_chunk_key(file.smallestkey);
      const auto highest = body_id_of_chunk_key(file.largestkey);
      if (lowest && highest) found.push_back({family, file.relative_filename, file.size, *lowest, *highest});
    }
  }
  // RocksDB has the newest first.
  std::reverse(found.begin(), found.end());
  return found;
}

void Database::update_floor(BodyFamily family, std::uint64_t on_the_way) {
  std::optional<std::uint64_t> lowest;
  for (const BodyFile& file : body_files(family))
    lowest = std::min(file.lowest, lowest.value_or(file.lowest));
  // Only upwards: a body that was gone stays gone.
  std::atomic<std::uint64_t>& floor = rocks_->floors[static_cast<std::size_t>(family)];
  if (!lowest) return;
  const std::uint64_t written = std::min(*lowest, rocks_->first_id.load());  // by earlier processes
  floor = std::max({floor.load(), written, *lowest - std::min(*lowest, on_the_way)});
}

bool Database::drop_file(const BodyFile& file) {
  // RocksDB takes a file that is merged while it is dropped for damage, and waits for ever in whoever changes
  // its list of files next. One whose merging has begun stays, without an error.
  const MutexLock lock(drop_mutex_);
  if (!rocks_->set_merging(file.family, false)) return false;
  const rocksdb::Status dropped = rocks_->db->DeleteFile(file.name);
  if (!dropped.ok()) return false;
  std::atomic<std::uint64_t>& highest = rocks_->dropped[static_cast<std::size_t>(file.family)];
  highest = std::max(highest.load(), file.highest);
  update_floor(file.family, kIdsOnTheWay);
  const std::vector<BodyFile> left = body_files(file.family);
  return std::none_of(left.begin(), left.end(),
                      [&file](const BodyFile& other) { return other.name == file.name; });
}

std::uint64_t Database::measure() {
  const MutexLock lock(measure_mutex_);  // else what was written before would be taken off twice
  std::vector<rocksdb::Env::FileAttributes> files;
  const std::uint64_t written = rocks_->written_since;
  if (!rocks_->env->GetChildrenFileAttributes(rocks_->options.directory, &files).ok()) return estimate();
  std::uint64_t bytes = 0;
  for (const auto& file : files) bytes += (file.size_bytes + kPage - 1) / kPage * kPage;
  rocks_->measured = bytes;
  rocks_->written_since -= written;
  return bytes;
}

std::uint64_t Database::estimate() const {
  return rocks_->measured + rocks_->written_since;
}

// A family of many small files (a trickle, many restarts, memtables cut short for another's sake) has them
// merged, the newest first, until they are few again.
void Database::maintain() {
  if (rocks_->seen.damaged.exchange(false)) rocks_->forget_damaged_heads();
  const MutexLock lock(drop_mutex_);
  for (const BodyFamily family : {BodyFamily::kNewcomers, BodyFamily::kMain}) {
    const bool merging = rocks_->merging[static_cast<std::size_t>(family)];
    std::string count;
    rocks_->db->GetProperty(rocks_->of(family), "rocksdb.num-files-at-level0", &count);
    // A look-up walks them: 4 µs at 500.
    const int most = rocks_->options.most_body_files;
    const bool wanted = std::atoi(count.c_str()) > (merging ? most * 5 / 8 : most);
    (void)rocks_->set_merging(family, wanted);
  }
}

bool Database::Rocks::set_merging(BodyFamily family, bool wanted) {
  bool& now = merging[static_cast<std::size_t>(family)];
  if (now == wanted) return true;
  // Writes the OPTIONS file anew: hence only for a change.
  const rocksdb::Status set = db->SetOptions(
      of(family),
      {{"compaction_options_fifo", "{max_table_files_size=" + std::to_string(kNeverFull) +
                                       ";allow_compaction=" + (wanted ? "true" : "false") + ";}"}});
  if (set.ok()) now = wanted;
  return set.ok();
}

std::uint64_t Database::Rocks::file_bytes(rocksdb::ColumnFamilyHandle* family) const {
  std::uint64_t bytes = 0;
  db->GetIntProperty(family, rocksdb::DB::Properties::kLiveSstFilesSize, &bytes);
  return bytes;
}

std::uint64_t Database::body_file_bytes(BodyFamily family) const {
  return rocks_->file_bytes(rocks_->of(family));
}
std::uint64_t Database::head_file_bytes() const {
  return rocks_->file_bytes(rocks_->heads);
}

}  // namespace freshet::storage
