// What reaches the admin plane: heads and purge orders of any kind. An order that is taken is in the form of
// cache keys, so it is taken again and stays as it is; whatever is refused is refused with a reason.
#include <cstdint>
#include <string_view>

#include "proxy/admin/admin_request.h"
#include "proxy/admin/purge_order.h"
#include "storage/base/check.h"

using namespace freshet::proxy;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  AdminRequest request;
  if (parse_admin_head(text, request) == 0) {
    std::size_t content = 0;
    (void)admin_content_size(request, 1000, content);
    (void)admin_refusal(request, AdminAccess{});
  }
  PurgeOrder order;
  const auto errors = parse_purge_order(text, order);
  for (const PurgeError& error : errors) FRESHET_CHECK(!error.reason.empty());
  if (!errors.empty()) {
    FRESHET_CHECK(parse_purge_reply(purge_errors_json(errors)).ok());
    return 0;
  }
  PurgeOrder again;
  FRESHET_CHECK(parse_purge_order(purge_order_json(order), again).empty());
  FRESHET_CHECK(again.urls == order.urls && again.tags == order.tags && again.scopes() == order.scopes());
  FRESHET_CHECK(!invalidation_of(order, {}, SearchRules()).scopes.empty());
  return 0;
}
