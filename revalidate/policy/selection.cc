#include "revalidate/policy/selection.h"

#include <algorithm>
#include <vector>

#include "revalidate/policy/response_facts.h"
#include "storage/http/field_syntax.h"

namespace freshet::revalidate {

namespace {

using storage::FieldName;
using storage::RequestHead;
using storage::SelectingField;
using storage::SelectingFields;

// What the edge writes into the origin's request for each client: a response that varies by it is nobody
// else's.
bool is_rewritten_per_client(std::string_view lower_name) {
  return lower_name == "x-forwarded-for" || lower_name == "forwarded";
}

std::string lower_case(std::string_view text) {
  std::string lower(text);
  std::transform(lower.begin(), lower.end(), lower.begin(), storage::ascii_lower);
  return lower;
}

// Lists with more members than this are compared as they stand: no client needs so many, and the work of
// sorting is done for each request.
constexpr std::size_t kMaxSorted = 64;

// q without what it can be written without: "1.000" is left out, "0.50" is "0.5", ".0" is gone.
void shorten_weight(std::string& member) {
  const std::size_t at = member.rfind(";q=");
  if (at == std::string::npos) return;
  const std::size_t dot = member.find('.', at);
  if (dot != std::string::npos) {
    if (member.find_first_not_of("0123456789", dot + 1) != std::string::npos) return;
    while (member.back() == '0') member.pop_back();
    if (member.back() == '.') member.pop_back();
  }
  if (std::string_view(member).substr(at) == ";q=1") member.resize(at);
}

// One member of Accept-Encoding or Accept-Language: no whitespace, lower case, its weight in the shortest
// form.
std::string weighted_member(std::string_view element) {
  std::string member;
  for (const char c : element) {
    if (c != ' ' && c != '\t') member.push_back(storage::ascii_lower(c));
  }
  shorten_weight(member);
  return member;
}

// RFC 9110, 8.4.1.1 and 8.4.1.3: two names for one coding.
void use_one_name(std::string& member) {
  if (member.starts_with("x-gzip") || member.starts_with("x-compress")) member.erase(0, 2);
}

bool is_refusal(std::string_view member) {
  return member.ends_with(";q=0");
}

// RFC 9110, 12.5.3: what is not listed is not accepted, so to refuse it says nothing more; unless "*" accepts
// the rest, or it is identity, which is accepted unless refused.
void drop_idle_refusals(std::vector<std::string>& codings) {
  const bool has_star = std::any_of(codings.begin(), codings.end(),
                                    [](std::string_view each) { return each.starts_with("*"); });
  if (has_star) return;
  std::erase_if(codings,
                [](std::string_view each) { return is_refusal(each) && !each.starts_with("identity;"); });
}

void normalise_weighted(std::vector<std::string>& members, bool codings) {
  if (members.size() > kMaxSorted) return;
  for (std::string& member : members) {
    member = weighted_member(member);
    if (codings) use_one_name(member);
  }
  if (codings) drop_idle_refusals(members);
  std::sort(members.begin(), members.end());
  members.erase(std::unique(members.begin(), members.end()), members.end());
}

std::string join(const std::vector<std::string>& members) {
  std::string joined;
  for (const std::string& member : members) {
    if (!joined.empty()) joined.append(",");
    joined.append(member);
  }
  return joined;
}

// q as thousandths; RFC 9110, 12.4.2. Malformed counts as 1.
int weight_of(std::string_view member) {
  const std::size_t at = member.find(";q=");
  if (at == std::string_view::npos) return 1000;
  const std::string_view q = member.substr(at + 3);
  if (q.empty() || q[0] != '0') return 1000;
  int weight = 0;
  int unit = 100;
  for (std::size_t i = 2; i < q.size() && unit > 0 && q[i] >= '0' && q[i] <= '9'; ++i, unit /= 10) {
    weight += unit * (q[i] - '0');
  }
  return weight;
}

// Whether the request wants `language` more than any other (RFC 9110, 12.5.4).
bool prefers_language(const RequestHead& request, std::string_view language) {
  const auto accepted = normalised_value(request, "accept-language");
  if (!accepted) return false;
  int wanted = 0;
  int others = 0;
  storage::ListReader reader(*accepted);
  std::string_view member;
  while (reader.next(member)) {
    const bool same = storage::equals_ignoring_case(member.substr(0, member.find(';')), language);
    int& best = same ? wanted : others;
    best = std::max(best, weight_of(member));
  }
  return wanted > others;
}

bool language_matches(const storage::StoredHead& stored, const RequestHead& request) {
  const auto language = stored.response.fields.first(FieldName::kContentLanguage);
  if (!language || language->empty() || language->find(',') != std::string_view::npos) return false;
  return stored.response.fields.count(FieldName::kContentLanguage) == 1 &&
         prefers_language(request, *language);
}

}  // namespace

std::optional<std::string> normalised_value(const RequestHead& request, std::string_view lower_case_name) {
  const FieldName id = storage::intern_field_name(lower_case_name);
  const bool weighted = id == FieldName::kAcceptEncoding || id == FieldName::kAcceptLanguage;
  bool present = false;
  std::vector<std::string> members;
  for (const storage::HeaderFields::Line line : request.fields) {
    if (line.id != id) continue;
    if (id == FieldName::kOther && !storage::equals_ignoring_case(line.name, lower_case_name)) continue;
    present = true;
    storage::ListReader reader(line.value);
    std::string_view element;
    while (reader.next(element)) members.emplace_back(element);
  }
  if (!present) return std::nullopt;
  if (weighted) normalise_weighted(members, id == FieldName::kAcceptEncoding);
  return join(members);
}

std::optional<SelectingFields> selecting_fields(const storage::ResponseHead& response,
                                                const RequestHead& request) {
  SelectingFields selecting;
  bool unusable = false;
  storage::for_each_element(response.fields, FieldName::kVary, [&](std::string_view element) {
    std::string name = lower_case(element);
    // "*" is a token character, so this says it apart.
    unusable |= name == "*" || !storage::is_token(name) || is_rewritten_per_client(name);
    selecting.push_back({std::move(name), std::nullopt});
  });
  if (unusable) return std::nullopt;
  const auto by_name = [](const SelectingField& a, const SelectingField& b) { return a.name < b.name; };
  std::sort(selecting.begin(), selecting.end(), by_name);
  selecting.erase(std::unique(selecting.begin(), selecting.end()), selecting.end());
  for (SelectingField& field : selecting) field.value = normalised_value(request, field.name);
  return selecting;
}

SelectingFields selecting_fields_like(const SelectingFields& like, const RequestHead& request) {
  SelectingFields selecting;
  selecting.reserve(like.size());
  for (const SelectingField& field : like) {
    selecting.push_back({field.name, normalised_value(request, field.name)});
  }
  return selecting;
}

namespace {

// The request's normalised values by name, each made once however many variants are looked at.
class RequestValues {
 public:
  explicit RequestValues(const RequestHead& request) : request_(request) {}

  const std::optional<std::string>& get(const std::string& name) {
    for (const SelectingField& each : known_) {
      if (each.name == name) return each.value;
    }
    known_.push_back({name, normalised_value(request_, name)});
    return known_.back().value;
  }

 private:
  const RequestHead& request_;
  SelectingFields known_;
};

// By Date; where that says nothing, the order stays.
bool is_more_recent(const storage::StoredResponse& a, const storage::StoredResponse& b) {
  const auto date_of_a = facts_of(a).date();
  const auto date_of_b = facts_of(b).date();
  return date_of_a && date_of_b && *date_of_a > *date_of_b;
}

bool matches_values(const storage::StoredHead& stored, const RequestHead& request, RequestValues& values) {
  for (const SelectingField& field : stored.selecting) {
    if (field.name == "*") return false;
    if (values.get(field.name) == field.value) continue;
    if (field.name != "accept-language" || !language_matches(stored, request)) return false;
  }
  return true;
}

}  // namespace

bool matches(const storage::StoredHead& stored, const RequestHead& request) {
  RequestValues values(request);
  return matches_values(stored, request, values);
}

storage::StoredResponsePtr select(const storage::VariantSet& variants, const RequestHead& request) {
  // Most keys: one response, the same for every request.
  if (variants.size() == 1 && variants.front()->head().selecting.empty()) return variants.front();
  RequestValues values(request);
  const storage::StoredResponsePtr* selected = nullptr;
  for (const storage::StoredResponsePtr& stored : variants) {
    if (!matches_values(stored->head(), request, values)) continue;
    if (selected == nullptr || is_more_recent(*stored, **selected)) selected = &stored;
  }
  return selected != nullptr ? *selected : nullptr;
}

}  // namespace freshet::revalidate
