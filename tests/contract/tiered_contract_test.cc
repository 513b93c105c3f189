// Memory before RocksDB: with room in memory, and with so little that the disk must answer.
#include "storage/rocksdb/rocksdb_store.h"
#include "storage/tiered_store.h"
#include "tests/contract/response_store_contract.h"
#include "tests/unit/storage/rocksdb/temporary_directory.h"

namespace freshet::storage {
namespace {

class TieredSubject final : public ContractSubject {
 public:
  explicit TieredSubject(std::size_t memory_budget)
      : memory_(MemoryStoreOptions{.budget = memory_budget}, {}, counters_) {
    RocksdbOptions options;
    options.directory = directory_.path();
    options.byte_limit = 256ULL << 20;
    options.memory = 32ULL << 20;
    options.is_current = [this](const StoredHead& head) { return generations_.is_current(head); };
    Result<std::unique_ptr<RocksdbStore>> opened = RocksdbStore::open(options, {}, counters_);
    FRESHET_CHECK(opened.ok());
    disk_ = opened.take();
    store_ = std::make_unique<TieredStore>(memory_, disk_.get(), generations_, counters_);
  }
  [[nodiscard]] ResponseStore& store() override { return *store_; }

 private:
  TemporaryDirectory directory_;
  Counters counters_;
  Generations generations_;
  MemoryStore memory_;
  std::unique_ptr<RocksdbStore> disk_;
  std::unique_ptr<TieredStore> store_;
};

INSTANTIATE_TEST_SUITE_P(
    Tiered, ResponseStoreContract,
    testing::Values(
        ContractFactory{"ample", [] { return std::make_unique<TieredSubject>(std::size_t{64} << 20); }},
        ContractFactory{"tiny", [] { return std::make_unique<TieredSubject>(std::size_t{64} << 10); }}),
    contract_name);

}  // namespace
}  // namespace freshet::storage
