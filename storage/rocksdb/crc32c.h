// CRC-32C by the processor's own instruction, in the place of RocksDB's. Each record of the write log carries
// one over all its bytes; Debian builds RocksDB for processors without the instruction (x86-64), and there it
// is a third of what a write costs. The sum is the same, so files are.
//
// The program's definition of `rocksdb::crc32c::Extend` goes before that of the shared library, as with any
// symbol of ELF. Where the library is linked otherwise, or the processor is another, RocksDB's own is used.
#pragma once

#include <cstdint>
#include <string_view>

namespace freshet::storage {

// As RocksDB computes it.
[[nodiscard]] std::uint32_t crc32c(std::string_view bytes);

// Whether that is the known sum of a known text. Asked before a store is opened, by which the definition is
// linked.
[[nodiscard]] bool crc32c_is_right();

}  // namespace freshet::storage
