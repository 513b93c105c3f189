#include "proxy/exchange/body_pump.h"

#include <algorithm>
#include <utility>

namespace freshet::proxy {

using storage::Chunk;
using storage::Fill;
using storage::StoredBody;

namespace {

constexpr std::size_t kPiece = 256 * 1024;

}  // namespace

BodyPump::BodyPump(storage::Executor& executor, std::function<void()> wake)
    : executor_(executor), wake_(std::move(wake)) {}

void BodyPump::start(const storage::StoredResponsePtr& response, std::uint64_t begin, std::uint64_t end) {
  reset();
  response_ = response;
  offset_ = begin;
  end_ = std::min(end, response->head().body_size);
}

void BodyPump::start(std::unique_ptr<storage::FillReader> reader, std::uint64_t begin, std::uint64_t end) {
  reset();
  reader_ = std::move(reader);
  offset_ = begin;
  end_ = end;
}

void BodyPump::start(const storage::StoredResponsePtr& response,
                     std::unique_ptr<revalidate::SliceReader> slices, std::uint64_t begin,
                     std::uint64_t end) {
  start(response, begin, end);
  slices_ = std::move(slices);
}

void BodyPump::go_on_with(std::uint64_t begin, std::uint64_t end) {
  offset_ = begin;
  end_ = response_ ? std::min(end, response_->head().body_size) : end;
}

void BodyPump::reset() {
  if (read_) read_->abandoned = true;
  read_.reset();
  response_.reset();
  damaged_.reset();
  reader_.reset();
  slices_.reset();
}

BodyPump::Next BodyPump::next(Chunk& chunk) {
  if (offset_ >= end_) return Next::kEnd;
  if (read_) return take_read(chunk);
  if (reader_) return next_of_fill(chunk);
  if (slices_) return next_of_slices(chunk);
  return next_of_body(*response_->body(), chunk);
}

BodyPump::Next BodyPump::next_of_fill(Chunk& chunk) {
  switch (reader_->read(offset_, kPiece, chunk)) {
    case Fill::Read::kData:
      return advance(chunk);
    case Fill::Read::kWait:
      return Next::kWait;
    case Fill::Read::kEnd:
      return Next::kEnd;
    case Fill::Read::kFailed:
      return Next::kBroken;
    case Fill::Read::kBehind:
      break;
  }
  const std::shared_ptr<const StoredBody> written = reader_->fill().written_body();
  return written ? next_of_body(*written, chunk) : Next::kBroken;
}

BodyPump::Next BodyPump::next_of_slices(Chunk& chunk) {
  switch (slices_->read(offset_, end_, chunk)) {
    case revalidate::SliceReader::Next::kData:
      return advance(chunk);
    case revalidate::SliceReader::Next::kWait:
      return Next::kWait;
    case revalidate::SliceReader::Next::kChanged:
      damaged_ = response_;
      return Next::kBroken;
    case revalidate::SliceReader::Next::kFailed:
      break;
  }
  return Next::kBroken;
}

BodyPump::Next BodyPump::next_of_body(const StoredBody& body, Chunk& chunk) {
  switch (body.try_read(offset_, chunk)) {
    case StoredBody::TryRead::kData:
      return advance(chunk);
    case StoredBody::TryRead::kFailed:
      damaged_ = response_;
      return Next::kBroken;
    case StoredBody::TryRead::kWouldBlock:
      break;
  }
  read_ = std::make_shared<DiskRead>();
  body.read(offset_, executor_, [this, read = read_](storage::Result<Chunk> result) {
    if (read->abandoned) return;
    read->done = true;
    read->failed = !result.ok();
    if (result.ok()) read->chunk = result.take();
    wake_();
  });
  return Next::kWait;
}

BodyPump::Next BodyPump::take_read(Chunk& chunk) {
  if (!read_->done) return Next::kWait;
  const std::shared_ptr<DiskRead> read = std::exchange(read_, nullptr);
  if (read->failed) {
    damaged_ = response_;
    return Next::kBroken;
  }
  chunk = std::move(read->chunk);
  return advance(chunk);
}

// Clips the piece to the end; `chunk` begins at offset_.
BodyPump::Next BodyPump::advance(Chunk& chunk) {
  const std::uint64_t left = end_ - offset_;
  if (chunk.size() > left) chunk = chunk.slice(0, static_cast<std::size_t>(left));
  offset_ += chunk.size();
  return Next::kData;
}

storage::HeaderFields BodyPump::trailers() const {
  return reader_ ? reader_->fill().trailers() : storage::HeaderFields{};
}

}  // namespace freshet::proxy
