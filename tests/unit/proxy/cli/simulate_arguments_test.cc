#include "proxy/cli/simulate_arguments.h"

#include <gtest/gtest.h>

#include "proxy/cli/command_line.h"

namespace freshet::proxy {
namespace {

using Words = std::vector<const char*>;

Command parse(Words words) {
  words.insert(words.begin(), {"freshet", "simulate"});
  return parse_command_line(static_cast<int>(words.size()), words.data(), Surroundings());
}

SimulationOptions options_of(const Words& words) {
  const Command command = parse(words);
  const auto* const simulate = std::get_if<SimulateCommand>(&command);
  if (simulate != nullptr) return simulate->options;
  const auto* const failure = std::get_if<FailedCommand>(&command);
  ADD_FAILURE() << (failure != nullptr ? failure->lines.front() : "no simulation");
  return {};
}

std::string error_of(const Words& words) {
  const Command command = parse(words);
  const auto* const failure = std::get_if<FailedCommand>(&command);
  return failure == nullptr ? "no error" : failure->lines.front();
}

TEST(SimulateArguments, ATraceIsEnough) {
  const SimulationOptions options = options_of({"trace.csv"});
  EXPECT_EQ(options.trace.path, "trace.csv");
  EXPECT_FALSE(options.trace.format.has_value());
  EXPECT_EQ(options.trace.most_bad_lines, 100U);
  EXPECT_FALSE(options.generator.has_value());
  EXPECT_FALSE(options.json);
  EXPECT_EQ(options.overhead, 0U);
  EXPECT_EQ(options.policies.size(), simulation_policy_names().size());
  ASSERT_EQ(options.sizes.size(), 2U);
  EXPECT_EQ(options.sizes[0].percent, 1);
  EXPECT_EQ(options.sizes[1].percent, 10);
}

TEST(SimulateArguments, EveryOptionOfATrace) {
  const SimulationOptions options =
      options_of({"-", "--format", "common", "--max-bad-lines=3", "--policy", "lru,bound",
                  "--size=1GiB,0.5%,7", "--overhead", "1K", "--json"});
  EXPECT_EQ(options.trace.path, "-");
  EXPECT_EQ(options.trace.format, TraceFormat::Common);
  EXPECT_EQ(options.trace.most_bad_lines, 3U);
  EXPECT_EQ(options.policies, (std::vector<std::string>{"lru", "bound"}));
  ASSERT_EQ(options.sizes.size(), 3U);
  EXPECT_EQ(options.sizes[0].text, "1GiB");
  EXPECT_EQ(options.sizes[0].bytes, 1ULL << 30);
  EXPECT_EQ(options.sizes[1].percent, 0.5);
  EXPECT_EQ(options.sizes[2].bytes, 7U);
  EXPECT_EQ(options.overhead, 1024U);
  EXPECT_TRUE(options.json);
}

TEST(SimulateArguments, EveryOptionOfAGenerator) {
  const SimulationOptions options = options_of(
      {"--generate", "churn", "--requests=5", "--objects=4", "--alpha=1.2", "--seed=0", "--print"});
  ASSERT_TRUE(options.generator.has_value());
  EXPECT_EQ(options.generator->kind, "churn");
  EXPECT_EQ(options.generator->requests, 5U);
  EXPECT_EQ(options.generator->objects, 4U);
  EXPECT_EQ(options.generator->alpha, 1.2);
  EXPECT_EQ(options.generator->seed, 0U);
  EXPECT_TRUE(options.print);
}

TEST(SimulateArguments, GeneratorsHaveTheDefaultsThatTheHelpTells) {
  const SimulationOptions options = options_of({"--generate=zipf"});
  const GeneratorOptions defaults;
  EXPECT_EQ(options.generator->requests, defaults.requests);
  EXPECT_EQ(options.generator->objects, defaults.objects);
  EXPECT_EQ(options.generator->alpha, defaults.alpha);
  EXPECT_EQ(options.generator->seed, defaults.seed);
}

TEST(SimulateArguments, Policies) {
  EXPECT_EQ(error_of({"t", "--policy", "lur"}).substr(0, 59),
            "freshet: --policy: \"lur\" is no policy; there are lru, sieve");
  EXPECT_NE(error_of({"t", "--policy", "lru,"}).find("\"\" is no policy"), std::string::npos);
}

TEST(SimulateArguments, Sizes) {
  EXPECT_EQ(error_of({"t", "--size", "0"}), "freshet: --size: \"0\" would keep nothing");
  EXPECT_EQ(error_of({"t", "--size", "0%"}), "freshet: --size: \"0%\" must be over 0% and at most 100%");
  EXPECT_EQ(error_of({"t", "--size", "101%"}), "freshet: --size: \"101%\" must be over 0% and at most 100%");
  EXPECT_EQ(error_of({"t", "--size", "-1%"}), "freshet: --size: \"-1%\" must be over 0% and at most 100%");
  EXPECT_EQ(error_of({"t", "--size", "x%"}),
            "freshet: --size: \"x%\" is not a percentage such as 10% or 0.1%");
  EXPECT_EQ(error_of({"t", "--size", "nan%"}),
            "freshet: --size: \"nan%\" is not a percentage such as 10% or 0.1%");
  EXPECT_NE(error_of({"t", "--size", "lots"}).find("--size: \"lots\" is not"), std::string::npos);
  EXPECT_NE(error_of({"t", "--size", ""}).find("--size: "), std::string::npos);
}

TEST(SimulateArguments, OtherMistakes) {
  EXPECT_EQ(error_of({}),
            "freshet: simulate: no trace; give a file, - for standard input, or --generate KIND");
  EXPECT_EQ(error_of({"t", "--generate", "zipf"}),
            "freshet: simulate: takes a trace or --generate, not both");
  EXPECT_EQ(error_of({"t", "--seed", "1"}), "freshet: --seed: goes with --generate only");
  EXPECT_EQ(error_of({"t", "--print"}), "freshet: --print: goes with --generate only");
  EXPECT_EQ(error_of({"--generate", "zipf", "--format", "csv"}), "freshet: --format: goes with a trace only");
  EXPECT_EQ(error_of({"t", "--format", "xml"}),
            "freshet: --format: \"xml\" is no format; there are csv, log and common");
  EXPECT_EQ(error_of({"--generate", "zip"}),
            "freshet: --generate: \"zip\" is no kind of trace; there are zipf, zipf-one-hit, scan, size-mix, "
            "churn, "
            "loop");
  EXPECT_EQ(error_of({"--generate", "zipf", "--requests", "0"}),
            "freshet: --requests: \"0\" is not from 1 to 4000000000");
  EXPECT_EQ(error_of({"--generate", "zipf", "--objects", "x"}),
            "freshet: --objects: \"x\" is not a whole number (try 100)");
  EXPECT_EQ(error_of({"--generate", "zipf", "--alpha", "5"}),
            "freshet: --alpha: \"5\" is not a number from 0 to 4");
  EXPECT_EQ(error_of({"t", "--overhead", "2G"}), "freshet: --overhead: \"2G\" is over 1 GiB");
  EXPECT_EQ(error_of({"t", "--polcy", "lru"}), "freshet: \"--polcy\" is no option; did you mean --policy?");
  EXPECT_EQ(error_of({"t", "--policy", "lru", "--policy", "sieve"}),
            "freshet: --policy: is given more than once");
  EXPECT_EQ(error_of({"t", "u"}), "freshet: \"u\" is not expected here");
}

}  // namespace
}  // namespace freshet::proxy
