#include "proxy/http1/chunked_decoder.h"

namespace freshet::proxy {

ChunkedDecoder::Outcome ChunkedDecoder::decode(std::string_view input, std::size_t& consumed,
                                               std::string_view& data) {
  consumed = coding_.read_framing(input);
  data = input.substr(consumed, coding_.data_size(input.size() - consumed));
  if (!data.empty()) {
    consumed += data.size();
    coding_.took_data(data.size());
    return Outcome::kData;
  }
  if (coding_.failed()) return Outcome::kBad;
  return coding_.at_end() ? Outcome::kDone : Outcome::kNeedMore;
}

}  // namespace freshet::proxy
