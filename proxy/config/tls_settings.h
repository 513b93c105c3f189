// From the [tls] settings to TlsOptions, and the look at the files that they name, which `freshet check`
// takes before anybody starts.
//
// Called at start, on the main thread.
#pragma once

#include <string>
#include <vector>

#include "proxy/config/settings.h"
#include "proxy/net/tls_options.h"

namespace freshet::proxy {

// The certificate of tls.cert and tls.key comes before those of tls.certificates.
[[nodiscard]] TlsOptions tls_options(const TlsSettings& settings);

// What is wrong between the settings, as "key: reason"; no file is read.
[[nodiscard]] std::vector<std::string> check_tls_settings(const TlsSettings& settings);

// Reads the files as `run` would. `warnings` gets what works but should not be so.
[[nodiscard]] std::vector<std::string> check_tls_files(const TlsSettings& settings,
                                                       std::vector<std::string>& warnings);

}  // namespace freshet::proxy
