// What start-up finds out for settings that nobody gave: the number of cores, the cache directory, the admin
// socket; and the checks that need more than one setting or a look at the file system.
//
// Called at start, on the main thread, after the file and the flags.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "proxy/config/settings.h"

namespace freshet::proxy {

// The surroundings that the defaults depend on, as values.
struct Surroundings {
  unsigned cores = 1;
  std::optional<std::string> cache_directory;  // $CACHE_DIRECTORY: systemd made one for the service
  std::optional<std::string> xdg_cache_home;
  std::optional<std::string> home;
  std::optional<std::string> admin_token;  // $FRESHET_ADMIN_TOKEN, for commands that ask an edge
};

[[nodiscard]] Surroundings read_surroundings();

// /var/cache/freshet for the service (and where there is no home), else a directory below the user's cache.
[[nodiscard]] std::string default_cache_dir(const Surroundings& surroundings);

void fill_defaults(Settings& settings, const Surroundings& surroundings);

// What is wrong between settings that are each right, as "key: reason".
[[nodiscard]] std::vector<std::string> check_settings(const Settings& settings);

}  // namespace freshet::proxy
