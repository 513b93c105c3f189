#include "proxy/admin/explain_order.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>

#include "proxy/admin/scope_text.h"
#include "proxy/http1/authority.h"
#include "storage/http/field_syntax.h"

namespace freshet::proxy {

using nlohmann::json;
using storage::Error;
using storage::FieldName;
using storage::RequestHead;
using storage::Result;
using storage::Status;

namespace {

std::string shown(std::string_view text) {
  return "\"" + std::string(text.substr(0, 200)) + "\"";
}

// The reason, or nothing.
Status read_member(const std::string& name, const json& value, ExplainOrder& order) {
  if (name == "trusted") {
    if (!value.is_boolean()) return Error{"trusted is not true or false"};
    order.trusted = value.get<bool>();
  } else if (name == "url" || name == "method") {
    if (!value.is_string()) return Error{name + " is not a string"};
    (name == "url" ? order.url : order.method) = value.get<std::string>();
  } else if (name == "fields") {
    const auto is_string = [](const json& each) { return each.is_string(); };
    if (!value.is_array() || !std::all_of(value.begin(), value.end(), is_string)) {
      return Error{"fields is not a list of strings \"Name: value\""};
    }
    order.fields = value.get<std::vector<std::string>>();
  } else {
    return Error{shown(name) + " is no member; there are url, method, fields and trusted"};
  }
  return {};
}

// scheme://authority and the target of a URL in the form of cache keys.
void take_url(std::string_view url, RequestHead& request) {
  const std::size_t colon = url.find("://");
  const std::size_t path = url.find('/', colon + 3);
  request.scheme = url.substr(0, colon);
  request.authority = url.substr(colon + 3, path - colon - 3);
  request.target = url.substr(path);
}

Status add_field(std::string_view line, RequestHead& request) {
  const std::size_t colon = line.find(':');
  if (colon == std::string_view::npos) return Error{"the field " + shown(line) + " is not \"Name: value\""};
  const std::string_view name = line.substr(0, colon);
  const std::string_view value = storage::trim_whitespace(line.substr(colon + 1));
  if (!storage::is_token(name)) return Error{"the field " + shown(line) + " has no valid name"};
  if (!storage::is_field_value(value)) return Error{"the field " + shown(line) + " has a control byte"};
  const FieldName id = storage::intern_field_name(name);
  if (id == FieldName::kContentLength || id == FieldName::kTransferEncoding) {
    return Error{std::string(name) + " cannot be asked about: a request with content is always passed on"};
  }
  if (id == FieldName::kHost) {
    if (!parse_authority(value)) return Error{"the field " + shown(line) + " has no valid host"};
    request.authority = value;
    request.fields.remove(FieldName::kHost);
  }
  request.fields.add(name, value);
  return {};
}

}  // namespace

std::string explain_order_json(const ExplainOrder& order) {
  json value = {{"url", order.url}, {"method", order.method}, {"fields", order.fields}};
  if (order.trusted) value["trusted"] = true;
  return value.dump(-1, ' ', false, json::error_handler_t::replace);
}

Result<ExplainOrder> parse_explain_order(std::string_view text) {
  const json value = json::parse(text.begin(), text.end(), nullptr, false);
  if (!value.is_object()) return Error{"the content is not a JSON object"};
  ExplainOrder order;
  for (const auto& [name, member] : value.items()) {
    if (Status read = read_member(name, member, order); !read) return Error{read.error()};
  }
  return order;
}

Result<RequestHead> request_of(const ExplainOrder& order) {
  auto url = parse_scope_url(order.url);
  if (!url) return Error{"the URL " + shown(order.url) + " " + url.error()};
  if (!storage::is_token(order.method)) return Error{"the method " + shown(order.method) + " is no token"};
  if (order.method == "PURGE") return Error{"PURGE cannot be asked about: it acts at once"};
  RequestHead request;
  request.method_text = order.method;
  request.method = storage::method_from(order.method);
  take_url(*url, request);
  request.fields.add(FieldName::kHost, request.authority);
  for (const std::string& line : order.fields) {
    if (Status added = add_field(line, request); !added) return Error{added.error()};
  }
  return request;
}

}  // namespace freshet::proxy
