#include "proxy/http1/output_queue.h"

#include <algorithm>
#include <array>
#include <sys/uio.h>

namespace freshet::proxy {

namespace {

constexpr std::size_t kPiecesAtOnce = 64;
// Sent text that may stand in the buffer.
constexpr std::size_t kMostSentText = 64 * 1024;
// A body that is no larger is copied behind its head: one piece to send costs less than two.
constexpr std::size_t kMostCopied = 2 * 1024;

}  // namespace

void OutputQueue::end_text() {
  const std::size_t added = text_.size() - text_noted_;
  if (added == 0) return;
  // Next to text that stands already: one piece (pipelined answers without bodies, chunk framing).
  if (pieces_.size() > first_ && pieces_.back().chunk.empty()) {
    pieces_.back().size += added;
  } else {
    pieces_.push_back({text_noted_, added, {}});
  }
  text_noted_ = text_.size();
  size_ += added;
}

void OutputQueue::append(const storage::Chunk& chunk) {
  if (chunk.empty()) return;
  if (chunk.size() <= kMostCopied) text_.append(chunk.view());
  end_text();
  if (chunk.size() <= kMostCopied) return;
  pieces_.push_back({0, chunk.size(), chunk});
  size_ += chunk.size();
}

OutputQueue::Written OutputQueue::write_to(Transport& transport, std::size_t budget, std::uint64_t& total) {
  end_text();
  while (size_ > 0) {
    if (budget == 0) return Written::kBudget;
    std::array<iovec, kPiecesAtOnce> vectors;  // NOLINT(cppcoreguidelines-pro-type-member-init)
    std::size_t count = 0;
    std::size_t wanted = 0;
    for (std::size_t i = first_; i < pieces_.size() && count < kPiecesAtOnce && wanted < budget; ++i) {
      const Piece& piece = pieces_[i];
      const char* data = piece.chunk.empty() ? text_.data() + piece.text_offset : piece.chunk.data();
      const std::size_t skip = i == first_ ? first_offset_ : 0;
      const std::size_t length = std::min(piece.size - skip, budget - wanted);
      vectors[count++] = {const_cast<char*>(data) + skip, length};  // NOLINT: writev does not write to it
      wanted += length;
    }
    std::size_t written = 0;
    const TransportOutcome outcome = transport.write(vectors.data(), count, written);
    total += written;
    if (written == size_) {
      clear();
      return Written::kAll;
    }
    consume(written);
    budget -= written;
    if (outcome == TransportOutcome::kBlocked) return Written::kBlocked;
    if (outcome != TransportOutcome::kDone) return Written::kBroken;
  }
  return Written::kAll;
}

void OutputQueue::consume(std::size_t written) {
  size_ -= written;
  while (written > 0) {
    Piece& piece = pieces_[first_];
    const std::size_t left = piece.size - first_offset_;
    if (written < left) {
      first_offset_ += written;
      return forget_sent();
    }
    written -= left;
    piece.chunk = {};  // what is sent is let go at once
    ++first_;
    first_offset_ = 0;
  }
  if (size_ == 0) return clear();
  forget_sent();
}

// For a client that is never quite served: a long response, or answer after answer.
void OutputQueue::forget_sent() {
  if (first_ >= 4 * kPiecesAtOnce) {
    pieces_.erase(pieces_.begin(), pieces_.begin() + static_cast<std::ptrdiff_t>(first_));
    first_ = 0;
  }
  const auto is_text = [](const Piece& piece) { return piece.chunk.empty(); };
  const auto begin = pieces_.begin() + static_cast<std::ptrdiff_t>(first_);
  const auto text = std::find_if(begin, pieces_.end(), is_text);
  if (text != pieces_.end() && text == begin) {
    text->text_offset += first_offset_;
    text->size -= first_offset_;
    first_offset_ = 0;
  }
  const std::size_t sent = text == pieces_.end() ? text_noted_ : text->text_offset;
  // At least as much is dropped as is moved.
  if (sent < kMostSentText || sent < text_.size() - sent) return;
  text_.erase(0, sent);
  text_noted_ -= sent;
  for (auto piece = text; piece != pieces_.end(); ++piece) {
    if (is_text(*piece)) piece->text_offset -= sent;
  }
}

void OutputQueue::clear() {
  text_.clear();
  pieces_.clear();
  text_noted_ = first_ = first_offset_ = size_ = 0;
  // What many answers at once have made large is given back.
  if (text_.capacity() > kMostSentText) text_.shrink_to_fit();
  if (pieces_.capacity() > 16 * kPiecesAtOnce) pieces_.shrink_to_fit();
}

}  // namespace freshet::proxy
