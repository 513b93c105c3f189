// ResponseStore: the verbs that every tier has. memory/memory_store, rocksdb/rocksdb_store and tiered_store
// (memory before disk) implement it, and one contract suite (tests/contract) holds for all three.
//
// Life of a write: begin() gives a writer; append() the body as it comes; commit() makes the response
// visible, whole, in one step. A writer that is dropped without commit() has stored nothing (G2). All calls
// may come from any thread; a writer belongs to one thread at a time. Nothing here blocks but settle().
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "storage/stored_response.h"
#include "storage/variant_set.h"

namespace freshet::storage {

class StoreWriter {
 public:
  virtual ~StoreWriter() = default;

  // Takes the next bytes of the body. False: the store has given up on this response (too large, too much
  // waiting to be written, a failing disk); it stays false, and commit() will store nothing unless it is
  // given the whole body and another tier takes it.
  virtual bool append(const Chunk& chunk) = 0;

  // True: the writer would rather have no more for now, until `room`, which is posted once, and for which the
  // thread that appends asks while it is true. Any thread.
  [[nodiscard]] virtual bool wants_pause() const { return false; }
  virtual void when_room(std::function<void()> /*room*/) {}

  // How many bytes from the beginning can be read back through written_body() by now. Any thread.
  [[nodiscard]] virtual std::uint64_t readable() const = 0;
  // Reads what has been written; null where this store keeps nothing until commit().
  [[nodiscard]] virtual std::shared_ptr<const StoredBody> written_body() const = 0;

  // The id under which commit() will keep the body on disk (StoredHead::body_id); 0 where there is none.
  [[nodiscard]] virtual std::uint64_t body_id() const { return 0; }

  // `done` is posted to `executor` when what was appended so far has been written, as far as it will be
  // before the commit: a pace for who has more than the store can write at once.
  virtual void when_written(Executor& executor, std::function<void()> done) {
    executor.post(std::move(done));
  }

  // The body is complete. stored_body_size(head) is its length; `whole` are its bytes where the caller kept
  // them all (a memory tier stores nothing without). Replaces the stored response of the same key and
  // variant. `visible` is called once, when a look-up on any thread would find the response or when it is
  // certain that none will: from inside commit() or posted to `executor`.
  virtual void commit(StoredHead head, std::optional<ChunkList> whole, Executor& executor,
                      std::function<void(bool stored)> visible) = 0;

  // In the place of append() and commit(): the whole response, whose body lies in memory in one piece and
  // whose head has the body_id() of before. A memory tier keeps this very one.
  virtual void commit_whole(const StoredResponsePtr& response, Executor& executor,
                            std::function<void(bool stored)> visible) {
    Chunk body;
    static_cast<void>(response->body()->try_read(0, body));
    commit(response->head(), ChunkList{std::move(body)}, executor, std::move(visible));
  }
};

class ResponseStore {
 public:
  enum class Found { kYes, kNo, kNeedsIo };
  struct LookupResult {
    Found found = Found::kNo;
    VariantSetPtr variants;   // with kYes
    bool memory_hit = false;  // the memory tier before a disk gave them: for the caller to count
  };

  virtual ~ResponseStore() = default;

  // Without I/O. kNeedsIo: only lookup() can tell.
  [[nodiscard]] virtual LookupResult try_lookup(const CacheKey& key) = 0;
  // With I/O, elsewhere; `done` is posted to `executor` with the variants or null.
  virtual void lookup(const CacheKey& key, Executor& executor, std::function<void(VariantSetPtr)> done) = 0;

  // lookup() that leaves no trace: it counts as no use, nothing is promoted. For who wants to know, not to
  // serve.
  virtual void peek(const CacheKey& key, Executor& executor, std::function<void(VariantSetPtr)> done) {
    lookup(key, executor, std::move(done));
  }

  // `expected_size`: the body's length if it is known. Null: this store takes nothing now.
  [[nodiscard]] virtual std::unique_ptr<StoreWriter> begin(const CacheKey& key,
                                                           std::optional<std::uint64_t> expected_size) = 0;

  // Puts `fresh`, which shares `old`'s body, in `old`'s place. Where `old` is no longer stored, nothing
  // happens (an eviction or a purge between wins). Writes no body byte (G3).
  virtual void freshen(const StoredResponsePtr& old, const StoredResponsePtr& fresh) = 0;

  // Stores `added`, which shares `old`'s body but answers requests with other selecting fields, beside `old`
  // (RFC 9111, 4.3.4: a 304 may select a stored response for a request that it was not stored for). Where
  // `old` is no longer stored, nothing happens. Writes no body byte.
  virtual void add_variant(const StoredResponsePtr& old, const StoredResponsePtr& added) = 0;

  // Forgets all variants of the key: no look-up that begins after this returns finds them.
  virtual void remove(const CacheKey& key) = 0;
  // Forgets one stored response, if it is still the one that is stored, and all that share its body (which is
  // damaged).
  virtual void remove(const StoredResponse& response) = 0;

  // Much was invalidated: time to make room of what is dead.
  virtual void sweep_soon() {}

  // Blocks until all that was committed, freshened or removed before is visible and as durable as it will
  // be. For shutdown and tests; never on an event loop.
  virtual void settle() = 0;
};

}  // namespace freshet::storage
