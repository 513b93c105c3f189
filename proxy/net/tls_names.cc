#include "proxy/net/tls_names.h"

#include <algorithm>

#include "storage/http/field_name.h"

namespace freshet::proxy {

namespace {

constexpr std::string_view kWildcard = "*.";

std::string normalised(std::string_view name) {
  if (!name.empty() && name.back() == '.') name.remove_suffix(1);
  std::string text(name);
  std::transform(text.begin(), text.end(), text.begin(), storage::ascii_lower);
  return text;
}

}  // namespace

void TlsNames::add(std::size_t certificate, int kind, const std::vector<std::string>& names) {
  for (const std::string& written : names) {
    std::string name = normalised(written);
    const bool wildcard = name.starts_with(kWildcard);
    if (wildcard) name.erase(0, kWildcard.size());
    if (name.empty() || name.find('*') != std::string::npos) continue;
    Slot& slot = (wildcard ? wildcards_ : exact_)[name];
    if (std::find(slot.kinds.begin(), slot.kinds.end(), kind) != slot.kinds.end()) continue;
    slot.kinds.push_back(kind);
    slot.certificates.push_back(certificate);
  }
}

std::vector<const TlsNames::Choice*> TlsNames::choices() const {
  std::vector<const Choice*> all;
  for (const auto& entry : exact_) all.push_back(&entry.second.certificates);
  for (const auto& entry : wildcards_) all.push_back(&entry.second.certificates);
  return all;
}

const TlsNames::Choice* TlsNames::find(std::string_view host) const {
  const std::string name = normalised(host);
  if (const auto found = exact_.find(name); found != exact_.end()) return &found->second.certificates;
  const std::size_t dot = name.find('.');
  if (dot == 0 || dot == std::string::npos) return nullptr;
  const auto found = wildcards_.find(name.substr(dot + 1));
  return found == wildcards_.end() ? nullptr : &found->second.certificates;
}

}  // namespace freshet::proxy
