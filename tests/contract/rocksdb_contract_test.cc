#include "storage/rocksdb/rocksdb_store.h"
#include "tests/contract/response_store_contract.h"
#include "tests/unit/storage/rocksdb/temporary_directory.h"

namespace freshet::storage {
namespace {

class RocksdbSubject final : public ContractSubject {
 public:
  RocksdbSubject() {
    RocksdbOptions options;
    options.directory = directory_.path();
    options.byte_limit = 256ULL << 20;
    options.memory = 32ULL << 20;
    Result<std::unique_ptr<RocksdbStore>> opened = RocksdbStore::open(options, {}, counters_);
    FRESHET_CHECK(opened.ok());
    store_ = opened.take();
  }
  [[nodiscard]] ResponseStore& store() override { return *store_; }

 private:
  TemporaryDirectory directory_;
  Counters counters_;
  std::unique_ptr<RocksdbStore> store_;
};

INSTANTIATE_TEST_SUITE_P(Rocksdb, ResponseStoreContract,
                         testing::Values(ContractFactory{"rocksdb",
                                                         [] { return std::make_unique<RocksdbSubject>(); }}),
                         contract_name);

}  // namespace
}  // namespace freshet::storage
