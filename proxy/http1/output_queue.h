// OutputQueue: what a connection still has to send: heads and framing in one buffer, bodies by reference, in
// order, written with as few calls as the transport takes. Owned by a session; on its worker's thread.
// After everything is written its buffers are kept for the next response, unless they have become large.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "proxy/net/transport.h"
#include "storage/base/chunk.h"

namespace freshet::proxy {

class OutputQueue {
 public:
  enum class Written { kAll, kBlocked, kBudget, kBroken };

  // A head or framing is appended to text() and then noted by end_text().
  [[nodiscard]] std::string& text() { return text_; }
  void end_text();
  void append(const storage::Chunk& chunk);

  // Bytes that wait.
  [[nodiscard]] std::size_t size() const { return size_; }

  // Writes until all is written, there is no more room, `budget` bytes are written (so that no connection
  // holds up the others of its worker), or the connection is broken. `total` grows by what was written.
  [[nodiscard]] Written write_to(Transport& transport, std::size_t budget, std::uint64_t& total);

  void clear();

 private:
  // A run of text_ (then `chunk` is empty) or a chunk.
  struct Piece {
    std::size_t text_offset = 0;
    std::size_t size = 0;
    storage::Chunk chunk;
  };

  void consume(std::size_t written);
  void forget_sent();

  std::string text_;
  std::vector<Piece> pieces_;
  std::size_t text_noted_ = 0;    // bytes of text_ that stand in pieces_
  std::size_t first_ = 0;         // pieces before it are written
  std::size_t first_offset_ = 0;  // and so many bytes of it
  std::size_t size_ = 0;
};

}  // namespace freshet::proxy
