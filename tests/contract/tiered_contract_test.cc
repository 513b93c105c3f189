// Memory before RocksDB: with room in memory, and with so little that the disk must answer.
#include "storage/rocksdb/invalidation_database.h"
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

// The invalidation of a tag outlives the process, since what carries the tag does.
TEST(TieredRestart, AnInvalidatedTagStaysSo) {
  const TemporaryDirectory directory;
  Counters counters;
  const auto run = [&](const std::function<void(TieredStore&)>& use) {
    Generations generations;
    RocksdbOptions options;
    options.directory = directory.path() + "/responses";
    options.byte_limit = 256ULL << 20;
    options.memory = 32ULL << 20;
    options.is_current = [&](const StoredHead& head) { return generations.is_current(head); };
    Result<std::unique_ptr<RocksdbStore>> opened = RocksdbStore::open(options, {}, counters);
    ASSERT_TRUE(opened.ok());
    const std::unique_ptr<RocksdbStore> disk = opened.take();
    Result<std::unique_ptr<InvalidationDatabase>> log =
        InvalidationDatabase::open({directory.path() + "/invalidations"});
    ASSERT_TRUE(log.ok());
    ASSERT_TRUE(restore_invalidations(*disk, **log, generations).ok());
    MemoryStore memory(MemoryStoreOptions{}, {}, counters);
    TieredStore store(memory, disk.get(), generations, counters, log->get());
    use(store);
    store.settle();
  };
  const auto tagged = [](std::string_view path, std::string tag, Sequence filled_at) {
    StoredHead head = test_head(test_key(path), 5, 1, 1000);
    head.tags = {std::move(tag)};
    head.filled_at = filled_at;
    return head;
  };
  run([&](TieredStore& store) {
    const Sequence now = store.generations().current();
    ASSERT_TRUE(put(store, tagged("/a", "group:a", now), test_body(5, 1)));
    ASSERT_TRUE(put(store, tagged("/b", "group:b", now), test_body(5, 1)));
    store.invalidate_tag("group:a");
    ASSERT_TRUE(put(store, tagged("/later", "group:a", store.generations().current()), test_body(5, 1)));
  });
  run([&](TieredStore& store) {
    EXPECT_EQ(find(store, test_key("/a")), nullptr);
    EXPECT_NE(find(store, test_key("/b")), nullptr);
    EXPECT_NE(find(store, test_key("/later")), nullptr);
    ASSERT_TRUE(put(store, tagged("/a", "group:a", store.generations().current()), test_body(5, 1)));
    EXPECT_NE(find(store, test_key("/a")), nullptr);
  });
}

INSTANTIATE_TEST_SUITE_P(
    Tiered, ResponseStoreContract,
    testing::Values(
        ContractFactory{"ample", [] { return std::make_unique<TieredSubject>(std::size_t{64} << 20); }},
        ContractFactory{"tiny", [] { return std::make_unique<TieredSubject>(std::size_t{64} << 10); }}),
    contract_name);

}  // namespace
}  // namespace freshet::storage
