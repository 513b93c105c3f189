// ComparingWriter: takes a body that may be the one that is stored already (the origin answers 200 to a
// revalidation, or has no validators), compares it with the stored one as it comes, and writes nothing until
// the first difference.
//
//     comparing ──first difference──> copying ──> forwarding      all goes to a writer of the store
//         │                              └──────────┴──> refused   not stored (unless kept whole)
//         └──commit(), all equal──> on_equal                       no body byte was written
//
// At the first difference (also: more bytes, or fewer at the end) the real writer is begun and given the
// equal prefix from the stored body, in steps that its own writing paces, then what came meanwhile. What
// waits while the stored body is being read, or copied, is bounded: over 1 MiB it asks for a pause, over
// 4 MiB it gives up.
//
// append(), commit() and the destructor on the thread of `executor`, where all its own steps run too; the
// other calls from any thread. Under append() (the fill's lock) nothing is called that could call back:
// on_difference and begin_real run from the executor, or inside commit(). The destructor drops all, but what
// has been committed goes on until it is visible. RFC 9111, 4.3.3.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>

#include "storage/response_store.h"

namespace freshet::storage {

class ComparingWriter final : public StoreWriter {
 public:
  // `begin_real`: the writer for what differs; null: the store takes nothing now. `on_difference`: once, when
  // the body is known to be another than the stored one (never where it gave up before). `on_equal`: gets the
  // head that was committed, in the place of a write, from inside commit() or from the executor, before
  // `visible(true)`. Both may be empty.
  ComparingWriter(StoredResponsePtr old, std::function<std::unique_ptr<StoreWriter>()> begin_real,
                  Executor& executor, std::function<void()> on_difference,
                  std::function<void(StoredHead)> on_equal);
  ~ComparingWriter() override;

  bool append(const Chunk& chunk) override;
  [[nodiscard]] bool wants_pause() const override;
  void when_room(std::function<void()> room) override;
  // What is equal so far can be read from the stored body.
  [[nodiscard]] std::uint64_t readable() const override;
  // The stored body as far as it is equal, the real writer's from there on.
  [[nodiscard]] std::shared_ptr<const StoredBody> written_body() const override;
  // 0 until the real writer has been begun.
  [[nodiscard]] std::uint64_t body_id() const override;
  // By the real writer's pace, once all goes to it.
  void when_written(Executor& executor, std::function<void()> done) override;
  void commit(StoredHead head, std::optional<ChunkList> whole, Executor& executor,
              std::function<void(bool stored)> visible) override;

  // After the commit has become visible: all bytes were equal, and as many.
  [[nodiscard]] bool equal() const;

 private:
  class Body;
  class Core;

  const std::shared_ptr<Core> core_;
};

}  // namespace freshet::storage
