// TlsNames: which certificate is for which host name (SNI, RFC 6066, 3). Filled once with the names that
// stand in the certificates, then only asked. Pure; any thread may ask.
//
// A name is found exactly, else by a wildcard, which stands for one label and nothing else (RFC 9525, 6.3).
// Certificates with keys of different kinds may stand side by side for one name; of two with the same kind
// the one that was added first counts. Case does not matter, nor does a dot at the end.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace freshet::proxy {

class TlsNames {
 public:
  // Certificates by their number, in the order of the settings: at most one for each kind of key.
  using Choice = std::vector<std::size_t>;

  // `kind` of the key is any number that tells kinds apart. Names that no client can ask for are passed over.
  void add(std::size_t certificate, int kind, const std::vector<std::string>& names);

  // Null: no certificate has the name.
  [[nodiscard]] const Choice* find(std::string_view host) const;
  // Of every name, in no order; they stay where they are.
  [[nodiscard]] std::vector<const Choice*> choices() const;

 private:
  struct Slot {
    Choice certificates;
    std::vector<int> kinds;
  };
  using Slots = std::unordered_map<std::string, Slot>;

  Slots exact_;
  Slots wildcards_;  // by what follows "*."
};

}  // namespace freshet::proxy
