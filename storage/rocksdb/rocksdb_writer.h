// RocksdbWriter: one response on its way to disk. Whole chunks of 256 KiB go to the lane of writes while the
// body arrives; commit() sends the last one together with the head, which makes the response visible. A body
// of one chunk costs one write.
//
// Belongs to one thread at a time; readable() and written_body() from any. Dropping it before commit()
// leaves chunks that nothing refers to: they go with their files.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>

#include "storage/response_store.h"
#include "storage/rocksdb/disk_body.h"
#include "storage/rocksdb/store_core.h"

namespace freshet::storage {

class RocksdbWriter final : public StoreWriter {
 public:
  RocksdbWriter(std::shared_ptr<StoreCore> core, CacheKey key);
  ~RocksdbWriter() override;

  bool append(const Chunk& chunk) override;
  [[nodiscard]] std::uint64_t readable() const override;
  [[nodiscard]] std::shared_ptr<const StoredBody> written_body() const override;
  [[nodiscard]] std::uint64_t body_id() const override;
  void when_written(Executor& executor, std::function<void()> done) override;
  void commit(StoredHead head, std::optional<ChunkList> whole, Executor& executor,
              std::function<void(bool stored)> visible) override;
  void commit_whole(const StoredResponsePtr& response, Executor& executor,
                    std::function<void(bool stored)> visible) override;

 private:
  void commit_head(std::shared_ptr<const StoredHead> head, std::optional<ChunkList> whole, Executor& executor,
                   std::function<void(bool stored)> visible);
  void hand_over();
  bool refuse();

  const std::shared_ptr<StoreCore> core_;
  const CacheKey key_;
  const std::shared_ptr<WriteProgress> progress_;
  ChunkList pending_;  // of the chunk that is being filled
  std::uint32_t pending_size_ = 0;
  std::uint32_t next_chunk_ = 0;
  std::uint64_t appended_ = 0;
  bool committed_ = false;
};

}  // namespace freshet::storage
