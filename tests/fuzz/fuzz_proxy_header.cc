// The PROXY header: the same reading however it is cut, nothing taken behind its end, nothing but an address
// of its own family told.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "proxy/net/proxy_header.h"
#include "storage/base/check.h"

using freshet::proxy::ProxyHeader;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  ProxyHeader whole;
  const std::size_t taken = whole.take(bytes);
  FRESHET_CHECK(taken <= size && taken <= 16 + ProxyHeader::kLongest);
  FRESHET_CHECK(whole.state() != ProxyHeader::State::kMore || taken == size);
  ProxyHeader cut;
  std::size_t at = 0;
  while (at < size && cut.state() == ProxyHeader::State::kMore) at += cut.take(bytes.substr(at, 1));
  FRESHET_CHECK(cut.state() == whole.state() && cut.error() == whole.error());
  FRESHET_CHECK(cut.is_local() == whole.is_local());
  FRESHET_CHECK(cut.source().has_value() == whole.source().has_value());
  if (whole.state() != ProxyHeader::State::kDone) return 0;
  FRESHET_CHECK(at == taken);
  if (whole.source()) FRESHET_CHECK(!whole.is_local() && whole.source()->text() == cut.source()->text());
  return 0;
}
