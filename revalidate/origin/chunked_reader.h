// ChunkedReader: the chunked transfer coding of an origin's response, as strictly as
// storage/http/chunked_coding.h reads it. A body may be long, so extensions are bounded for each chunk, not
// over all; trailers by their bytes, not by their number. Owned by one transfer; used on its thread.
#pragma once

#include <cstddef>
#include <limits>

#include "storage/http/chunked_coding.h"

namespace freshet::revalidate {

class ChunkedReader : public storage::ChunkedCoding {
 public:
  // `max_framing`: bytes of one chunk's extensions, and of the whole trailer section.
  explicit ChunkedReader(std::size_t max_framing)
      : ChunkedCoding({max_framing, kUnlimited, max_framing, kUnlimited}) {}

 private:
  static constexpr std::size_t kUnlimited = std::numeric_limits<std::size_t>::max();
};

}  // namespace freshet::revalidate
