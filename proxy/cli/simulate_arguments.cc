#include "proxy/cli/simulate_arguments.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <charconv>
#include <cmath>

#include "proxy/config/setting_values.h"

namespace freshet::proxy {

namespace {

using storage::Error;

constexpr std::uint64_t kMostRequests = 4'000'000'000;
constexpr std::uint64_t kMostObjects = 100'000'000;
constexpr std::uint64_t kMostOverhead = kGiB;

std::string joined(const std::vector<std::string_view>& names) {
  std::string out;
  for (const std::string_view name : names) out += (out.empty() ? "" : ", ") + std::string(name);
  return out;
}

bool is_one_of(const std::vector<std::string_view>& names, std::string_view name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

// The parts between commas; empty ones too.
std::vector<std::string> parts_of(std::string_view list) {
  std::vector<std::string> parts;
  for (;;) {
    const std::size_t comma = list.find(',');
    parts.emplace_back(list.substr(0, comma));
    if (comma == list.npos) return parts;
    list.remove_prefix(comma + 1);
  }
}

bool read_decimal(std::string_view text, double& number) {
  const char* const end = text.data() + text.size();
  const auto [rest, fault] = std::from_chars(text.data(), end, number, std::chars_format::fixed);
  return fault == std::errc{} && rest == end && std::isfinite(number);
}

Result<std::vector<std::string>> parse_policies(const std::string& text) {
  const std::vector<std::string_view> names = simulation_policy_names();
  if (text == "all") return std::vector<std::string>(names.begin(), names.end());
  std::vector<std::string> policies = parts_of(text);
  for (const std::string& policy : policies) {
    if (is_one_of(names, policy)) continue;
    return Error{"--policy: " + in_quotes(policy) + " is no policy; there are " + joined(names) + " and all"};
  }
  return policies;
}

Result<SizeWish> parse_wish(const std::string& text) {
  const auto wrong = [&](const std::string& why) { return Error{"--size: " + in_quotes(text) + " " + why}; };
  SizeWish wish;
  wish.text = text;
  if (!text.empty() && text.back() == '%') {
    if (!read_decimal(std::string_view(text).substr(0, text.size() - 1), wish.percent)) {
      return wrong("is not a percentage such as 10% or 0.1%");
    }
    if (wish.percent <= 0 || wish.percent > 100) return wrong("must be over 0% and at most 100%");
    return wish;
  }
  const Result<std::uint64_t> bytes = parse_size(text);
  if (!bytes.ok()) return Error{"--size: " + bytes.error()};
  if (bytes.value() == 0) return wrong("would keep nothing");
  wish.bytes = bytes.value();
  return wish;
}

// A whole number of bounds; `name` is the option.
Status take_count(const char* name, const std::string& text, std::uint64_t least, std::uint64_t most,
                  std::uint64_t& count) {
  const Result<std::uint64_t> parsed = parse_count(text);
  const std::string option = std::string(name) + ": ";
  if (!parsed.ok()) return Error{option + parsed.error()};
  if (parsed.value() < least || parsed.value() > most) {
    return Error{option + in_quotes(text) + " is not from " + std::to_string(least) + " to " +
                 std::to_string(most)};
  }
  count = parsed.value();
  return {};
}

}  // namespace

void SimulateArguments::add_to(CLI::App& command) {
  const auto option = [&](const char* name, std::string& text, const char* type, const std::string& what) {
    return command.add_option(name, text, what)->type_name(type);
  };
  of_traces_ = {
      option("trace", trace_, "TRACE", "The trace or access log; -: standard input"),
      option(
          "--format", format_, "FORMAT",
          "csv (time,key,size[,ttl]), log (freshet's access log) or common (common or combined log format). "
          "Default: by the first line."),
      option(
          "--max-bad-lines", max_bad_lines_, "N",
          "Lines that cannot be read are skipped; more than N of them: the trace is refused. Default: 100."),
  };
  option("--policy", policies_, "NAME,...", "Of " + joined(simulation_policy_names()) + ". Default: all.");
  option("--size", sizes_, "SIZE,...",
         "Bytes such as 1GiB, or percent of the trace's footprint. Default: 1%,10%.");
  option("--overhead", overhead_, "BYTES", "What a stored response costs beside its content. Default: 0.");
  command.add_flag("--json", json_, "Print JSON");
  of_generators_ = {
      option("--generate", generate_, "KIND",
             "Make a trace instead: " + joined(generator_names()) + ", the same for the same numbers."),
      option("--requests", requests_, "N", "Of the generated trace. Default: 1000000."),
      option("--objects", objects_, "N", "Of its Zipf distribution. Default: 100000."),
      option("--alpha", alpha_, "A", "Of its Zipf distribution. Default: 0.9."),
      option("--seed", seed_, "N", "Default: 1."),
      command.add_flag("--print", print_, "Print the generated trace as CSV, simulate nothing"),
  };
}

Status SimulateArguments::take_trace(SimulationOptions& options) const {
  options.trace.path = trace_;
  if (!format_.empty()) {
    options.trace.format = trace_format_of(format_);
    if (!options.trace.format) {
      return Error{"--format: " + in_quotes(format_) + " is no format; there are csv, log and common"};
    }
  }
  return take_count("--max-bad-lines", max_bad_lines_, 0, kMostRequests, options.trace.most_bad_lines);
}

Status SimulateArguments::take_generator(SimulationOptions& options) const {
  GeneratorOptions& generator = options.generator.emplace();
  generator.kind = generate_;
  if (!is_one_of(generator_names(), generate_)) {
    return Error{"--generate: " + in_quotes(generate_) + " is no kind of trace; there are " +
                 joined(generator_names())};
  }
  if (Status s = take_count("--requests", requests_, 1, kMostRequests, generator.requests); !s.ok()) return s;
  if (Status s = take_count("--objects", objects_, 1, kMostObjects, generator.objects); !s.ok()) return s;
  if (Status s = take_count("--seed", seed_, 0, ~std::uint64_t{0}, generator.seed); !s.ok()) return s;
  if (!read_decimal(alpha_, generator.alpha) || generator.alpha < 0 || generator.alpha > 4) {
    return Error{"--alpha: " + in_quotes(alpha_) + " is not a number from 0 to 4"};
  }
  options.print = print_;
  return {};
}

Result<SimulationOptions> SimulateArguments::options() const {
  SimulationOptions options;
  options.json = json_;
  const bool generated = !generate_.empty();
  if (generated == !trace_.empty()) {
    return Error{generated ? "simulate: takes a trace or --generate, not both"
                           : "simulate: no trace; give a file, - for standard input, or --generate KIND"};
  }
  for (const CLI::Option* const other : generated ? of_traces_ : of_generators_) {
    if (other->count() == 0) continue;
    return Error{other->get_name() + ": goes with " + (generated ? "a trace" : "--generate") + " only"};
  }
  if (Status s = generated ? take_generator(options) : take_trace(options); !s.ok()) return Error{s.error()};
  Result<std::vector<std::string>> policies = parse_policies(policies_);
  if (!policies.ok()) return Error{policies.error()};
  options.policies = policies.take();
  for (const std::string& part : parts_of(sizes_)) {
    Result<SizeWish> wish = parse_wish(part);
    if (!wish.ok()) return Error{wish.error()};
    options.sizes.push_back(wish.take());
  }
  const Result<std::uint64_t> overhead = parse_size(overhead_);
  if (!overhead.ok()) return Error{"--overhead: " + overhead.error()};
  if (overhead.value() > kMostOverhead)
    return Error{"--overhead: " + in_quotes(overhead_) + " is over 1 GiB"};
  options.overhead = overhead.value();
  return options;
}

}  // namespace freshet::proxy
