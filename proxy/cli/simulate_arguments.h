// The words behind `freshet simulate`: what the command line may say, and what it then asks for. The parser
// adds them to its subcommand and, when that was given, turns them into options. Called at start, on the main
// thread.
#pragma once

#include <cstdint>
#include <string>

#include "proxy/simulate/simulation.h"
#include "storage/base/result.h"

namespace CLI {
class App;
class Option;
}  // namespace CLI

namespace freshet::proxy {

class SimulateArguments {
 public:
  // The object is referred to by `command` from then on.
  void add_to(CLI::App& command);

  // An error is one line, which begins with the option that is wrong.
  [[nodiscard]] storage::Result<SimulationOptions> options() const;

 private:
  [[nodiscard]] storage::Status take_trace(SimulationOptions& options) const;
  [[nodiscard]] storage::Status take_generator(SimulationOptions& options) const;

  std::string trace_;
  std::string format_;
  std::string max_bad_lines_ = "100";
  std::string policies_ = "all";
  std::string sizes_ = "1%,10%";
  std::string overhead_ = "0";
  bool json_ = false;
  std::string generate_;
  std::string requests_ = "1000000";
  std::string objects_ = "100000";
  std::string alpha_ = "0.9";
  std::string seed_ = "1";
  bool print_ = false;
  std::vector<CLI::Option*> of_traces_;      // those that say nothing to a generator
  std::vector<CLI::Option*> of_generators_;  // and the other way round
};

}  // namespace freshet::proxy
