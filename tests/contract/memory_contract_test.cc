#include "storage/memory/memory_store.h"
#include "tests/contract/response_store_contract.h"

namespace freshet::storage {
namespace {

class MemorySubject final : public ContractSubject {
 public:
  [[nodiscard]] ResponseStore& store() override { return store_; }

 private:
  Counters counters_;
  MemoryStore store_{MemoryStoreOptions{}, {}, counters_};
};

INSTANTIATE_TEST_SUITE_P(Memory, ResponseStoreContract,
                         testing::Values(ContractFactory{"memory",
                                                         [] { return std::make_unique<MemorySubject>(); }}),
                         contract_name);

}  // namespace
}  // namespace freshet::storage
