// The configuration file: TOML with the tables [server], [origin], [cache], [admin] and [log], whose keys are
// the settings of setting_table.h. Every mistake in a file is reported, not only the first, each in one line
// that begins with FILE:LINE. A file with a mistake in it changes nothing.
//
// Called at start, on the main thread. toml++ is named in the .cc alone.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "proxy/config/settings.h"

namespace freshet::proxy {

struct ConfigErrors {
  std::vector<std::string> lines;  // "freshet.toml:3: cache.memory: ..."

  [[nodiscard]] bool ok() const { return lines.empty(); }
};

// Reads `path` and sets what it names in `settings`.
[[nodiscard]] ConfigErrors load_config_file(const std::string& path, Settings& settings);
// The same from text; `name` stands for the file in errors.
[[nodiscard]] ConfigErrors load_config_text(std::string_view text, const std::string& name,
                                            Settings& settings);

// The annotated example: every setting with its meaning and its default, commented out. deploy/freshet.toml
// is this text.
[[nodiscard]] std::string example_config();

}  // namespace freshet::proxy
