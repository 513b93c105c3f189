#include "proxy/http1/request_content.h"

#include <algorithm>
#include <cstring>

namespace freshet::proxy {

void RequestContent::begin(const RequestFraming& framing) {
  chunked_ = framing.body == RequestFraming::Body::kChunked;
  left_ = framing.body == RequestFraming::Body::kLength ? framing.length : 0;
  complete_ = !chunked_ && left_ == 0;
  if (chunked_) decoder_.reset();
}

RequestContent::Outcome RequestContent::take(std::string_view input, char* buffer, std::size_t capacity,
                                             std::size_t& consumed, std::size_t& size) {
  consumed = size = 0;
  if (complete_) return Outcome::kEnd;
  return chunked_ ? take_chunked(input, buffer, capacity, consumed, size)
                  : take_counted(input, buffer, capacity, consumed, size);
}

RequestContent::Outcome RequestContent::take_counted(std::string_view input, char* buffer,
                                                     std::size_t capacity, std::size_t& consumed,
                                                     std::size_t& size) {
  size = static_cast<std::size_t>(std::min<std::uint64_t>({left_, input.size(), capacity}));
  if (size == 0) return Outcome::kNeedMore;
  std::memcpy(buffer, input.data(), size);
  consumed = size;
  left_ -= size;
  complete_ = left_ == 0;
  return Outcome::kData;
}

RequestContent::Outcome RequestContent::take_chunked(std::string_view input, char* buffer,
                                                     std::size_t capacity, std::size_t& consumed,
                                                     std::size_t& size) {
  // The decoder hands out all of a piece, so it is shown no more input than fits into the buffer.
  while (size < capacity) {
    std::size_t used = 0;
    std::string_view data;
    const std::size_t shown = std::min(input.size() - consumed, capacity - size);
    const auto outcome = decoder_.decode(input.substr(consumed, shown), used, data);
    consumed += used;
    if (!data.empty()) {
      std::memcpy(buffer + size, data.data(), data.size());
      size += data.size();
    }
    if (outcome == ChunkedDecoder::Outcome::kBad) return Outcome::kBad;
    if (outcome == ChunkedDecoder::Outcome::kDone) {
      complete_ = true;
      return size > 0 ? Outcome::kData : Outcome::kEnd;
    }
    if (outcome == ChunkedDecoder::Outcome::kNeedMore && consumed == input.size()) break;
  }
  return size > 0 ? Outcome::kData : Outcome::kNeedMore;
}

}  // namespace freshet::proxy
