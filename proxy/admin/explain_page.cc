#include "proxy/admin/explain_page.h"

#include <algorithm>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <utility>

#include "proxy/admin/value_text.h"

namespace freshet::proxy {

using nlohmann::json;

namespace {

std::string text_of(const json& from, const char* name) {
  const auto member = from.find(name);
  return member != from.end() && member->is_string() ? member->get<std::string>() : "";
}
bool is_set(const json& from, const char* name) {
  const auto member = from.find(name);
  return member != from.end() && member->is_boolean() && member->get<bool>();
}
std::int64_t number_of(const json& from, const char* name) {
  const auto member = from.find(name);
  return member != from.end() && member->is_number() ? member->get<std::int64_t>() : 0;
}
const json& list_of(const json& from, const char* name) {
  static const json kNone = json::array();
  const auto member = from.find(name);
  return member != from.end() && member->is_array() ? *member : kNone;
}
const json& object_of(const json& from, const char* name) {
  static const json kNone = json::object();
  const auto member = from.find(name);
  return member != from.end() && member->is_object() ? *member : kNone;
}

// Bytes of clients and origins on a terminal: none that it would act upon.
std::string printable(std::string text) {
  for (char& c : text) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) c = '?';
  }
  return text;
}

std::string joined(const json& list) {
  std::string out;
  for (const json& each : list) {
    if (each.is_string()) out += (out.empty() ? "" : ", ") + each.get<std::string>();
  }
  return out;
}

// "The stored response is fresh. (fresh; RFC 9111, 4.2)"
std::string reason_text(const json& from) {
  const std::string section = text_of(from, "section");
  return text_of(from, "sentence") + " (" + text_of(from, "reason") +
         (section.empty() ? "" : "; " + section) + ")";
}

// The largest unit that fits.
std::string ago_text(std::int64_t ms) {
  const std::int64_t seconds = ms / 1000;
  if (seconds < 60) return std::to_string(seconds) + " s";
  if (seconds < 3600) return std::to_string(seconds / 60) + " min";
  if (seconds < 86'400) return std::to_string(seconds / 3600) + " h";
  return std::to_string(seconds / 86'400) + " d";
}

class Page {
 public:
  explicit Page(const json& answer) : all_(answer) {}

  std::string write() {
    head();
    key();
    for (const json& stored : list_of(all_, "stored")) response(stored);
    if (list_of(all_, "stored").empty()) section("stored", "nothing, in memory or on disk");
    purges("purges", list_of(all_, "purges"), "what was stored before them is gone (hard) or stale (soft)");
    contacts();
    return std::move(out_);
  }

 private:
  static constexpr std::size_t kLabel = 14;

  void line(const std::string& text) { out_ += printable(text) + "\n"; }
  void row(std::string label, const std::string& text) {
    label.insert(0, 2, ' ');
    label.resize(std::max(kLabel, label.size() + 1), ' ');
    line(label + text);
  }
  void section(const std::string& title, const std::string& text = "") {
    out_ += "\n";
    std::string begin = title;
    if (!text.empty()) begin.resize(std::max(kLabel, begin.size() + 1), ' ');
    line(begin + text);
  }

  [[nodiscard]] std::string what_happens() const {
    const json& answer = object_of(all_, "answer");
    const std::string what = text_of(answer, "what");
    const std::string status = std::to_string(number_of(answer, "status"));
    if (what == "hit") return "HIT: " + status + " from the store, the origin is not asked";
    if (what == "stale") return "STALE: " + status + " from the store, the origin is not asked";
    if (what == "stale-while-revalidate") {
      return "STALE: " + status + " from the store at once, and the origin is asked behind it";
    }
    if (what == "revalidate") return "REVALIDATE: the origin is asked whether what is stored is still good";
    if (what == "pass") return "PASS: the origin is asked, for this request alone";
    if (what == "error") return "ERROR: " + status + " from the edge itself, the origin is not asked";
    return "MISS: the origin is asked for the whole answer";
  }

  void head() {
    const json& request = object_of(all_, "request");
    const json& answer = object_of(all_, "answer");
    line(text_of(request, "method") + " " + text_of(request, "url"));
    for (const json& field : list_of(request, "fields")) {
      if (field.is_string()) line("  " + field.get<std::string>());
    }
    section(what_happens());
    row("why", reason_text(answer));
    if (answer.contains("part")) row("", reason_text(object_of(answer, "part")));
    // Nothing is stored: what became of the last answer says why.
    const json& contacts = list_of(all_, "contacts");
    if (text_of(answer, "what") == "miss" && list_of(all_, "stored").empty() && !contacts.empty()) {
      row("last time", contact_text(contacts.front()));
    }
    if (is_set(answer, "in_slices"))
      row("", "The content is in slices; those that are missing are asked for.");
    row("says", "Cache-Status: " + text_of(answer, "cache_status") +
                    (answer.contains("status") && answer["status"].is_null() ? "; ..." : ""));
    origin();
  }

  void origin() {
    const json& origin = object_of(all_, "origin");
    if (origin.empty()) return;
    row("asks", text_of(origin, "method") + " " + text_of(origin, "target") +
                    (is_set(origin, "conditional") ? ", with conditions" : ", without conditions"));
    for (const auto& [name, value] : object_of(origin, "conditions").items()) {
      row("", name + ": " + (value.is_string() ? value.get<std::string>() : "") +
                  (is_set(origin, "own_conditions") ? "" : " (the client's own)"));
    }
    if (!text_of(origin, "range").empty()) row("", "Range: " + text_of(origin, "range"));
    if (is_set(origin, "joins")) row("", "A request for this is under way: this one waits for its answer.");
    if (is_set(origin, "not_shareable"))
      row("", "Answers for this key were not to be shared lately: asked alone.");
    const json& failure = object_of(all_, "if_origin_fails");
    if (failure.empty()) return;
    const std::string status = std::to_string(number_of(failure, "status"));
    row("if it fails", failure.contains("reason") ? status + " from the store: " + reason_text(failure)
                                                  : status + ": nothing that is stored may stand in");
  }

  void key() {
    const json& key = object_of(all_, "key");
    section("key", text_of(key, "uri"));
    row("digest", text_of(key, "digest"));
    const json& request = object_of(all_, "request");
    if (request.contains("asked_url")) row("asked", text_of(request, "asked_url"));
    if (key.contains("ignored_query")) row("ignored", joined(list_of(key, "ignored_query")));
    if (is_set(key, "sorted_query")) row("query", "sorted by name");
    if (key.contains("no_vary_search")) row("query", "by No-Vary-Search: " + text_of(key, "no_vary_search"));
    for (const json& part : list_of(key, "adds")) {
      const bool absent = part.contains("value") && part["value"].is_null();
      row("with", text_of(part, "what") + " " + text_of(part, "name") +
                      (absent ? ", which the request has not" : ": " + text_of(part, "value")));
    }
  }

  static std::string where(const json& stored) {
    const bool memory = is_set(stored, "in_memory");
    const bool disk = is_set(stored, "on_disk");
    if (memory && disk) return "in memory and on disk";
    return memory ? "in memory" : disk ? "on disk" : "nowhere any more";
  }

  void response(const json& stored) {
    std::string what = std::to_string(number_of(stored, "status")) + ", " +
                       bytes_text(static_cast<double>(number_of(stored, "bytes"))) + ", " + where(stored);
    if (is_set(stored, "in_slices")) what += ", its content in slices";
    if (!is_set(stored, "selected")) what += "; not for this request";
    section("stored", what);
    standing(stored);
    for (const json& field : list_of(stored, "selecting")) {
      const auto shown = [&](const char* name) {
        return field.contains(name) && field[name].is_null() ? "absent" : "\"" + text_of(field, name) + "\"";
      };
      const bool same = field.value("stored", json()) == field.value("request", json());
      row("varies by", text_of(field, "name") + ": stored for " + shown("stored") +
                           (same ? ", as this request" : ", this request: " + shown("request")));
    }
    for (const json& field : list_of(stored, "cache_control")) {
      if (field.is_string()) row("said", field.get<std::string>());
    }
    validators(object_of(stored, "validators"));
    if (stored.contains("tags")) row("tags", joined(list_of(stored, "tags")));
    freshness(object_of(stored, "freshness"));
    purges("", list_of(stored, "purges"), "");
  }

  void standing(const json& stored) {
    const std::string standing = text_of(stored, "standing");
    if (standing == "stale") row("purged", "softly: it has to be validated before it counts as fresh");
    if (standing == "dead") row("purged", "it is never served again");
    if (is_set(stored, "outdated")) row("outdated", "an answer to HEAD has shown other content");
  }

  void validators(const json& validators) {
    if (validators.contains("etag")) {
      row("validator",
          "ETag " + text_of(validators, "etag") +
              (is_set(validators, "etag_is_ours") ? ", made here of the content: the origin does not know it"
                                                  : ", the origin's"));
    }
    if (validators.contains("last_modified")) {
      row("validator", "Last-Modified " + text_of(validators, "last_modified"));
    }
    if (validators.empty()) row("validator", "none: it cannot be validated");
  }

  void freshness(const json& freshness) {
    for (const json& each : list_of(freshness, "lines")) {
      std::string name = text_of(each, "name");
      name.resize(std::max<std::size_t>(name.size() + 1, 23), ' ');
      std::string value = text_of(each, "value");
      if (value.size() < 12) value.insert(0, 12 - value.size(), ' ');
      std::string text = "  ";
      text.append(name).append(value).append("  ").append(text_of(each, "from"));
      line(text);
    }
  }

  // Of a response: those that have an effect on it; of the key: all.
  void purges(const std::string& title, const json& purges, const std::string& of) {
    bool first = true;
    for (const json& each : purges) {
      if (title.empty() && !is_set(each, "takes_effect")) continue;
      if (!title.empty() && std::exchange(first, false)) section(title, of);
      const std::string text = text_of(each, "text");
      row(text_of(each, "strength"), text_of(each, "scope") + (text.empty() ? "" : " " + text) +
                                         ", sequence " + std::to_string(number_of(each, "sequence")));
    }
  }

  static std::string contact_text(const json& contact) {
    const bool answered = contact.contains("status") && !contact["status"].is_null();
    std::string text = text_of(contact, "method") +
                       (is_set(contact, "conditional") ? " with conditions" : "") + ": " +
                       (answered ? std::to_string(number_of(contact, "status")) : "no answer") + " in " +
                       std::to_string(number_of(contact, "took_ms")) + " ms";
    if (contact.contains("reason")) text += ". " + reason_text(contact);
    return text;
  }

  void contacts() {
    const json& contacts = list_of(all_, "contacts");
    if (contacts.empty()) return section("origin", "not asked for this lately, as far as is remembered");
    section("origin", "asked last");
    for (const json& each : contacts) row(ago_text(number_of(each, "ago_ms")) + " ago", contact_text(each));
  }

  const json& all_;
  std::string out_;
};

}  // namespace

storage::Result<std::string> explain_page(std::string_view text) {
  const json answer = json::parse(text.begin(), text.end(), nullptr, false);
  if (!answer.is_object() || !answer.contains("answer")) {
    return storage::Error{"the edge's answer is not an explanation"};
  }
  return Page(answer).write();
}

}  // namespace freshet::proxy
