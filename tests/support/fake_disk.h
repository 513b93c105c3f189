// FakeDisk: a store that behaves as a disk tier does, under the test's hand. A look-up reads at once and is
// answered when the test lets it (so that something can happen in between); commits run a hook first; how
// much of what was written can be read back is the test's to say. For tests on one thread, which own it.
#pragma once

#include <algorithm>
#include <cstdint>
#include <deque>
#include <functional>
#include <iterator>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "storage/response_store.h"

namespace freshet::tests {

// A body that grows while it is written.
class WrittenBody final : public storage::StoredBody {
 public:
  TryRead try_read(std::uint64_t offset, storage::Chunk& chunk) const override {
    if (offset >= readable) return TryRead::kFailed;
    const std::string_view there = std::string_view(bytes).substr(0, static_cast<std::size_t>(readable));
    chunk = storage::Chunk::copy_of(there.substr(static_cast<std::size_t>(offset)));
    return TryRead::kData;
  }
  void read(std::uint64_t offset, storage::Executor& executor,
            std::function<void(storage::Result<storage::Chunk>)> done) const override {
    storage::Chunk chunk;
    const bool ok = try_read(offset, chunk) == TryRead::kData;
    executor.post([ok, chunk, done = std::move(done)] {
      if (ok) {
        done(chunk);
      } else {
        done(storage::Error{"not there"});
      }
    });
  }
  [[nodiscard]] std::size_t memory_size() const override { return 0; }
  [[nodiscard]] bool on_disk() const override { return pins || kept; }
  [[nodiscard]] bool is_gone() const override { return gone; }
  [[nodiscard]] bool pins_memory() const override { return pins; }
  [[nodiscard]] std::shared_ptr<const storage::StoredBody> without_pin() const override { return unpinned; }

  std::string bytes;
  bool pins = false;  // the test's: as if it had been read with its head
  bool kept = false;  // the same, without a pin
  bool gone = false;
  std::shared_ptr<const storage::StoredBody> unpinned;
  std::uint64_t readable = 0;  // the test's setting while it grows
};

// A writer that keeps all it is given; refuses what goes beyond `limit`.
class FakeWriter : public storage::StoreWriter {
 public:
  FakeWriter(std::shared_ptr<WrittenBody> body, std::size_t limit) : body_(std::move(body)), limit_(limit) {}
  bool append(const storage::Chunk& chunk) override {
    refused_ = refused_ || body_->bytes.size() + chunk.size() > limit_;
    if (!refused_) body_->bytes.append(chunk.view());
    return !refused_;
  }
  [[nodiscard]] std::uint64_t readable() const override { return body_->readable; }
  [[nodiscard]] std::shared_ptr<const storage::StoredBody> written_body() const override { return body_; }
  void commit(storage::StoredHead /*head*/, std::optional<storage::ChunkList> /*whole*/,
              storage::Executor& /*executor*/, std::function<void(bool)> visible) override {
    visible(false);
  }

 protected:
  [[nodiscard]] bool refused() const { return refused_; }
  [[nodiscard]] const std::shared_ptr<WrittenBody>& body() const { return body_; }

 private:
  const std::shared_ptr<WrittenBody> body_;
  const std::size_t limit_;
  bool refused_ = false;
};

class FakeDisk final : public storage::ResponseStore {
 public:
  // The test's settings.
  bool needs_io = true;                 // try_lookup() cannot tell
  bool takes_writes = true;             // begin() gives a writer
  std::size_t limit = ~std::size_t{0};  // a writer refuses what goes beyond
  std::function<void()> before_commit;  // runs inside commit(), before the response is visible
  std::function<bool(const storage::StoredHead&)> is_current;  // asked at the commit; empty: always

  // What happened.
  std::vector<std::shared_ptr<WrittenBody>> written;  // one for each writer
  int lookups = 0;
  int freshens = 0;
  int added_variants = 0;

  [[nodiscard]] LookupResult try_lookup(const storage::CacheKey& key) override {
    if (needs_io) return {Found::kNeedsIo, nullptr};
    storage::VariantSetPtr variants = variants_of(key);
    return {variants ? Found::kYes : Found::kNo, std::move(variants)};
  }

  // Reads now; answers when the test calls answer_lookups().
  void lookup(const storage::CacheKey& key, storage::Executor& executor,
              std::function<void(storage::VariantSetPtr)> done) override {
    ++lookups;
    answers_.emplace_back(&executor,
                          [variants = variants_of(key), done = std::move(done)] { done(variants); });
  }
  void answer_lookups() {
    for (auto& answer : std::exchange(answers_, {})) answer.first->post(std::move(answer.second));
  }

  [[nodiscard]] std::unique_ptr<storage::StoreWriter> begin(
      const storage::CacheKey& /*key*/, std::optional<std::uint64_t> /*expected_size*/) override {
    if (!takes_writes) return nullptr;
    written.push_back(std::make_shared<WrittenBody>());
    return std::make_unique<Writer>(*this, written.back(), written.size());
  }

  void freshen(const storage::StoredResponsePtr& old, const storage::StoredResponsePtr& fresh) override {
    ++freshens;
    const auto place = responses_.find({fresh->head().key.text, fresh->variant()});
    if (place == responses_.end() || place->second->head().body_id != old->head().body_id) return;
    place->second = fresh;
  }
  void add_variant(const storage::StoredResponsePtr& old, const storage::StoredResponsePtr& added) override {
    ++added_variants;
    const auto place = responses_.find({old->head().key.text, old->variant()});
    if (place != responses_.end() && place->second->head().body_id == old->head().body_id) put(added);
  }
  void remove(const storage::CacheKey& key) override {
    for (auto place = responses_.begin(); place != responses_.end();) {
      place = place->first.first == key.text ? responses_.erase(place) : std::next(place);
    }
  }
  void remove(const storage::StoredResponse& response) override {
    responses_.erase({response.head().key.text, response.variant()});
  }
  void settle() override {}

  void put(const storage::StoredResponsePtr& response) {
    responses_[{response->head().key.text, response->variant()}] = response;
  }
  [[nodiscard]] storage::VariantSetPtr variants_of(const storage::CacheKey& key) const {
    std::vector<storage::StoredResponsePtr> found;
    for (const auto& each : responses_) {
      if (each.first.first == key.text) found.push_back(each.second);
    }
    std::stable_sort(found.begin(), found.end(), [](const auto& a, const auto& b) {
      return a->head().response_time > b->head().response_time;
    });
    return storage::make_variants(std::move(found));
  }

 private:
  class Writer final : public FakeWriter {
   public:
    Writer(FakeDisk& disk, std::shared_ptr<WrittenBody> body, std::uint64_t id)
        : FakeWriter(std::move(body), disk.limit), disk_(disk), id_(id) {}
    [[nodiscard]] std::uint64_t body_id() const override { return id_; }
    void commit(storage::StoredHead head, std::optional<storage::ChunkList> /*whole*/,
                storage::Executor& executor, std::function<void(bool)> visible) override {
      if (disk_.before_commit) disk_.before_commit();
      const bool stored = !refused() && (!disk_.is_current || disk_.is_current(head));
      if (stored) {
        body()->readable = body()->bytes.size();
        disk_.put(
            std::make_shared<const storage::StoredResponse>(std::move(head), body(), storage::Describe{}));
      }
      executor.post([stored, visible = std::move(visible)] { visible(stored); });
    }

   private:
    FakeDisk& disk_;
    const std::uint64_t id_;
  };

  std::map<std::pair<std::string, storage::Digest128>, storage::StoredResponsePtr> responses_;
  std::deque<std::pair<storage::Executor*, storage::Task>> answers_;
};

}  // namespace freshet::tests
