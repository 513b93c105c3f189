#include "proxy/reload.h"

#include <string_view>

#include "proxy/config/setting_table.h"
#include "storage/base/log.h"

namespace freshet::proxy {

using storage::LogLevel;

namespace {

// Of a setting; a secret is not told.
std::string shown(const Settings& settings, const SettingRow& row) {
  if (row.type == SettingType::kToken) return "another";
  const std::string text = setting_text(settings, row);
  return text.empty() ? "none" : text;
}

std::string joined(const std::vector<std::string>& names) {
  std::string text;
  for (const std::string& name : names) text += (text.empty() ? "" : ", ") + name;
  return text;
}

}  // namespace

std::vector<std::string> restart_only_changes(const Settings& now, const Settings& next) {
  std::vector<std::string> lines;
  for (const SettingRow* const row : changed_settings(now, next)) {
    if (!row->restart) continue;
    lines.push_back(std::string(row->key) + ": changes with a restart alone (" + shown(now, *row) + " now, " +
                    shown(next, *row) + " in the configuration)");
  }
  return lines;
}

Reload::Reload(Settings& settings, ReadSettings read, Apply apply)
    : settings_(settings), read_(std::move(read)), apply_(std::move(apply)) {}

void Reload::ask(const std::string& who, ReloadDone done) {
  Asked asked{who, std::move(done)};
  if (stopped_) return refuse(asked, {"the edge is stopping"});
  waiting_.push_back(std::move(asked));
  run_next();
}

void Reload::run_next() {
  while (!applying_ && !waiting_.empty()) {
    const Asked next = std::move(waiting_.front());
    waiting_.pop_front();
    run(next);
  }
}

void Reload::stop() {
  stopped_ = true;
  while (!waiting_.empty()) {
    const Asked next = std::move(waiting_.front());
    waiting_.pop_front();
    refuse(next, {"the edge is stopping"});
  }
}

void Reload::run(const Asked& asked) {
  auto read = read_();
  if (auto* const errors = std::get_if<std::vector<std::string>>(&read)) {
    return refuse(asked, std::move(*errors));
  }
  const Settings next = std::get<Settings>(std::move(read));
  std::vector<std::string> errors = restart_only_changes(settings_, next);
  if (!errors.empty()) return refuse(asked, std::move(errors));
  std::vector<std::string> changed;
  for (const SettingRow* const row : changed_settings(settings_, next)) changed.emplace_back(row->key);
  applying_ = true;
  errors = apply_(next, [this, asked, next, changed] { finish(asked, next, changed); });
  if (errors.empty()) return;
  applying_ = false;
  refuse(asked, std::move(errors));
}

void Reload::refuse(const Asked& asked, std::vector<std::string> errors) {
  ++refused_;
  for (const std::string& error : errors) storage::log_event(LogLevel::kError, "reload: " + error);
  storage::log_event(LogLevel::kError,
                     "reload, asked for by " + asked.who + ": refused; what was read before stays in use");
  if (asked.done) asked.done({false, {}, std::move(errors)});
}

void Reload::finish(const Asked& asked, const Settings& next, std::vector<std::string> changed) {
  applying_ = false;
  ++applied_;
  holds_since_ = storage::wall_now();
  settings_ = next;
  storage::log_event(LogLevel::kInfo, "reload, asked for by " + asked.who + ": applied; " +
                                          (changed.empty() ? "no setting has changed" : joined(changed)));
  if (asked.done) asked.done({true, std::move(changed), {}});
  run_next();
}

}  // namespace freshet::proxy
