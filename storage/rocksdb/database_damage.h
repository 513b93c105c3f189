// A store that is damaged where it is opened: what is told by RocksDB's status, and what is done. Internal to
// database*.cc: this header includes RocksDB.
#pragma once

#include <rocksdb/status.h>
#include <string>

#include "storage/base/result.h"
#include "storage/rocksdb/database.h"

namespace freshet::storage {

// Where CURRENT is gone RocksDB would begin a new store among the files of the old one. Looked at under
// RocksDB's lock, so that no other process is just making it.
[[nodiscard]] bool lost_its_beginning(const DatabaseOptions& options);

// No more can be told of the store: which tables are its, or which numbers were given.
[[nodiscard]] bool is_damage(const rocksdb::Status& status);
// A lenient RocksDB would leave records of the log out, and go on with later ones.
[[nodiscard]] bool is_of_log(const rocksdb::Status& status);

// Renames the store and begins an empty directory in its place. The last one alone is kept: they count in no
// limit.
[[nodiscard]] Status move_aside(const std::string& directory, const std::string& why);

}  // namespace freshet::storage
