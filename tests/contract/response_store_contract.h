// The contract that every ResponseStore keeps, as one parameterised suite: memory, RocksDB and both together
// run the same tests. A tier joins with
//
//   INSTANTIATE_TEST_SUITE_P(Memory, ResponseStoreContract,
//                            testing::Values(ContractFactory{"memory", make_subject}), contract_name);
//
// Also what such tests need: an executor that the test runs by hand, self-describing bodies, look-ups and
// reads that wait.
#pragma once

#include <deque>
#include <functional>
#include <gtest/gtest.h>
#include <memory>
#include <optional>
#include <ostream>
#include <string>
#include <string_view>

#include "storage/base/mutex.h"
#include "storage/response_store.h"

namespace freshet::storage {

// Runs what was posted on the thread that waits.
class WaitingExecutor final : public Executor {
 public:
  void post(Task task) override;
  // Runs tasks until one of them has made `done` true.
  void run_until(const bool& done);
  // Runs what was posted by now.
  void run_posted();

 private:
  Mutex mutex_;
  CondVar posted_;
  std::deque<Task> tasks_ GUARDED_BY(mutex_);
};

// One for each thread, which lives to the end of the process: a store may still post to it when the caller
// has been told what it waited for.
[[nodiscard]] WaitingExecutor& executor_of_this_thread();

// A store with all that it stands on.
class ContractSubject {
 public:
  virtual ~ContractSubject() = default;
  [[nodiscard]] virtual ResponseStore& store() = 0;
};

struct ContractFactory {
  std::string name;
  std::function<std::unique_ptr<ContractSubject>()> make;
};
inline std::ostream& operator<<(std::ostream& out, const ContractFactory& factory) {
  return out << factory.name;
}
[[nodiscard]] std::string contract_name(const testing::TestParamInfo<ContractFactory>& info);

class ResponseStoreContract : public testing::TestWithParam<ContractFactory> {
 protected:
  // What the store still has to tell is told while it is there.
  void TearDown() override;

  std::unique_ptr<ContractSubject> subject_ = GetParam().make();
  ResponseStore& store_ = subject_->store();
};

[[nodiscard]] CacheKey test_key(std::string_view path);
// `size` bytes that differ with `seed` and with their place.
[[nodiscard]] std::string test_body(std::size_t size, unsigned seed);
// A 200 with an ETag that says `seed`, received at second `when`.
[[nodiscard]] StoredHead test_head(const CacheKey& key, std::size_t body_size, unsigned seed, long long when);

// Stores and waits; whether it became visible.
bool put(ResponseStore& store, StoredHead head, const std::string& body);
// Looks up, with I/O where needed; null: nothing there.
[[nodiscard]] VariantSetPtr find(ResponseStore& store, const CacheKey& key);
// The whole body; nothing where a read failed.
[[nodiscard]] std::optional<std::string> read_body(const StoredBody& body, std::uint64_t size);
[[nodiscard]] std::optional<std::string> read_body(const StoredResponse& response);

}  // namespace freshet::storage
