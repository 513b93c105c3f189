#include "storage/http/method.h"

#include <array>
#include <cstddef>

namespace freshet::storage {

std::string_view method_name(Method method) {
  constexpr std::array<std::string_view, 10> kNames = {"",       "GET",   "HEAD",    "POST",  "PUT",
                                                       "DELETE", "PATCH", "OPTIONS", "TRACE", "CONNECT"};
  return kNames[static_cast<std::size_t>(method)];
}

Method method_from(std::string_view text) {
  if (text == "GET") return Method::kGet;
  if (text == "HEAD") return Method::kHead;
  if (text == "POST") return Method::kPost;
  if (text == "PUT") return Method::kPut;
  if (text == "DELETE") return Method::kDelete;
  if (text == "PATCH") return Method::kPatch;
  if (text == "OPTIONS") return Method::kOptions;
  if (text == "TRACE") return Method::kTrace;
  if (text == "CONNECT") return Method::kConnect;
  return Method::kOther;
}

bool is_safe(Method method) {
  return method == Method::kGet || method == Method::kHead || method == Method::kOptions ||
         method == Method::kTrace;
}

bool is_idempotent(Method method) {
  return is_safe(method) || method == Method::kPut || method == Method::kDelete;
}

}  // namespace freshet::storage
