// ChunkedDecoder: the body of an HTTP/1.1 request in chunked transfer coding, incrementally, as strictly as
// storage/http/chunked_coding.h says. It hands out views of the body's bytes as they stand in the input.
//
// No I/O; owned by one session, used on its thread. Life: decode() again and again until kDone or kBad.
#pragma once

#include <cstddef>
#include <string_view>

#include "storage/http/chunked_coding.h"

namespace freshet::proxy {

class ChunkedDecoder {
 public:
  enum class Outcome {
    kNeedMore,  // all of `input` is consumed
    kData,      // `data` is the next piece of the body, never empty; call again with what is left
    kDone,      // the body has ended; what is left of `input` is the next request
    kBad,       // not chunked coding: answer 400 and close
  };

  explicit ChunkedDecoder(const storage::ChunkedLimits& limits) : coding_(limits) {}

  // Takes `consumed` bytes from the front of `input`; `data` is a view into them.
  [[nodiscard]] Outcome decode(std::string_view input, std::size_t& consumed, std::string_view& data);

  // After kDone: checked for syntax only; not to be merged into the head (RFC 9110, 6.5.1).
  [[nodiscard]] const storage::HeaderFields& trailers() const { return coding_.trailers(); }
  [[nodiscard]] std::string_view bad_reason() const { return coding_.why(); }

  void reset() { coding_.reset(); }

 private:
  storage::ChunkedCoding coding_;
};

}  // namespace freshet::proxy
