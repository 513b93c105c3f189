#include "proxy/cli/command_line.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <deque>
#include <memory>
#include <optional>

#include "proxy/cli/simulate_arguments.h"
#include "proxy/config/config_file.h"
#include "proxy/config/setting_table.h"
#include "proxy/config/setting_values.h"
#include "proxy/config/tls_settings.h"

namespace freshet::proxy {

namespace {

// One setting's flag and the text that came with it.
struct Flag {
  const SettingRow* row;
  std::string text;
  CLI::Option* option = nullptr;
};

// How a command finds the edge that it asks.
struct EdgeOptions {
  std::string cache_dir;
  std::string config;
  std::string admin;
  std::string token;
  bool json = false;
};

struct TopArguments {
  std::string interval = "1s";
  std::string sort = "requests";
  bool once = false;
};

struct Parser {
  CLI::App app{"freshet: a caching reverse proxy that revalidates first", "freshet"};
  CLI::App* run = nullptr;
  CLI::App* check = nullptr;
  CLI::App* simulate = nullptr;
  CLI::App* purge = nullptr;
  CLI::App* reload = nullptr;
  CLI::App* stats = nullptr;
  CLI::App* upgrade = nullptr;
  CLI::App* top = nullptr;
  CLI::App* explain = nullptr;
  EdgeOptions purge_edge;
  EdgeOptions reload_edge;
  EdgeOptions stats_edge;
  EdgeOptions upgrade_edge;
  EdgeOptions top_edge;
  EdgeOptions explain_edge;
  TopArguments top_arguments;
  ExplainOrder explain_order;
  PurgeOrder order;
  bool wait = false;
  std::deque<Flag> flags;  // stands still: CLI11 keeps references
  std::vector<std::string> assignments;
  std::string run_config;
  std::string check_config;
  SimulateArguments simulate_arguments;
};

std::string settings_by_name() {
  std::string out =
      "Settings by name (--set NAME=VALUE, or in the file; `freshet reload` applies what has changed "
      "there):\n";
  for (const SettingRow& row : setting_table()) {
    std::string line = "  " + std::string(row.key) + "=" + std::string(row.placeholder);
    line.resize(std::max<std::size_t>(line.size() + 2, 38), ' ');
    out += line + "default: " + default_text(row) + "\n";
    out += "      " + std::string(row.prose) + (row.restart ? " Changes with a restart alone." : "") + "\n";
  }
  return out;
}

void add_setting_flags(Parser& parser) {
  for (const SettingRow& row : setting_table()) {
    if (row.flag.empty()) continue;
    Flag& flag = parser.flags.emplace_back(Flag{&row, ""});
    flag.option = parser.run->add_option(std::string(row.flag), flag.text,
                                         std::string(row.prose) + " Default: " + default_text(row) + ".");
    flag.option->type_name(std::string(row.placeholder));
  }
}

void add_edge_options(CLI::App& command, EdgeOptions& edge) {
  command
      .add_option("--cache-dir", edge.cache_dir,
                  "Ask the edge that has this cache directory, through its unix socket. Default: as for run.")
      ->type_name("DIR");
  command.add_option("--config", edge.config, "Ask the edge that runs by this file")->type_name("FILE");
  command.add_option("--admin", edge.admin, "Ask the edge whose admin plane is here")->type_name("HOST:PORT");
  command
      .add_option("--token", edge.token,
                  "The edge's admin.token. Default: $FRESHET_ADMIN_TOKEN, or what --config has.")
      ->type_name("TOKEN");
}

void add_json_option(CLI::App& command, EdgeOptions& edge) {
  command.add_flag("--json", edge.json, "Print JSON");
}

void add_top_command(Parser& parser) {
  CLI::App& top =
      *parser.app.add_subcommand("top", "Watch the running edge: requests, hits, what is asked for most");
  parser.top = &top;
  TopArguments& arguments = parser.top_arguments;
  top.add_option("--interval", arguments.interval, "How long between two looks. Default: 1s.")
      ->type_name("TIME");
  top.add_option("--sort", arguments.sort, "Targets by requests, bytes, misses or time. Default: requests.")
      ->type_name("WORD");
  top.add_flag("--once", arguments.once,
               "Print what happens in one interval, and end; so also where the output is no terminal");
  add_edge_options(top, parser.top_edge);
  top.footer("Keys: r, b, m, t sort by requests, bytes, misses, time; space looks at once; q ends.");
}

void add_explain_command(Parser& parser) {
  CLI::App& explain =
      *parser.app.add_subcommand("explain", "Tell what the running edge would do with a request, and why");
  parser.explain = &explain;
  ExplainOrder& order = parser.explain_order;
  explain.add_option("URL", order.url, "An absolute URL, as clients ask for it")->type_name("")->required();
  explain.add_option("-H,--header", order.fields, "A field of the request; may be given several times")
      ->type_name("'NAME: VALUE'")
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll)
      ->expected(1)
      ->allow_extra_args(false);
  explain.add_option("--method", order.method, "Default: GET.")->type_name("METHOD");
  explain.add_flag("--trusted", order.trusted, "As if one of server.trusted_proxies had sent it");
  add_edge_options(explain, parser.explain_edge);
  add_json_option(explain, parser.explain_edge);
  explain.footer("Nothing is asked of the origin, and nothing that is stored changes.");
}

void add_purge_command(Parser& parser) {
  CLI::App& purge = *parser.app.add_subcommand("purge", "Forget stored responses, at once and for good");
  parser.purge = &purge;
  const auto add_scopes = [&](const char* name, std::vector<std::string>& list, const char* type,
                              const char* prose) {
    purge.add_option(name, list, prose)
        ->type_name(type)
        ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll)
        ->expected(1)
        ->allow_extra_args(false);
  };
  purge.add_option("URL", parser.order.urls, "Absolute URLs; each with all its variants")
      ->type_name("")
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  add_scopes("--prefix", parser.order.prefixes, "URL/",
             "All beneath; ends with /. May be given several times");
  add_scopes("--host", parser.order.hosts, "HOST", "All of a host; likewise");
  add_scopes("--tag", parser.order.tags, "TAG", "Whatever carries the tag; likewise");
  purge.add_flag("--all", parser.order.all, "Everything");
  purge.add_flag("--soft", parser.order.soft,
                 "Make stale instead: the origin is asked whether it has changed");
  purge.add_flag("--wait", parser.wait, "Where the edge's disk fails, ask again until the purge is on it");
  add_edge_options(purge, parser.purge_edge);
  add_json_option(purge, parser.purge_edge);
  purge.footer(
      "Exit status: 0 on disk, 1 not reached or refused, 2 wrong usage, 3 applied but not on disk: a crash "
      "would "
      "undo it.");
}

void add_reload_command(Parser& parser) {
  CLI::App& reload = *parser.app.add_subcommand(
      "reload", "Have the running edge read its configuration anew, all or nothing");
  parser.reload = &reload;
  add_edge_options(reload, parser.reload_edge);
  add_json_option(reload, parser.reload_edge);
  reload.footer(
      "The edge reads the file that it was started with; its own options win over it, as then. Exit status: "
      "0 "
      "applied, 1 not reached or refused, with all that is wrong, 2 wrong usage.");
}

std::unique_ptr<Parser> make_parser() {
  auto parser = std::make_unique<Parser>();
  CLI::App& app = parser->app;
  app.set_version_flag("--version", "freshet " FRESHET_VERSION, "Print the version and end");
  app.require_subcommand(1);
  app.get_formatter()->column_width(32);

  parser->run = app.add_subcommand("run", "Serve clients");
  add_setting_flags(*parser);
  parser->run->add_option("--config", parser->run_config, "Read settings from this TOML file")
      ->type_name("FILE");
  parser->run
      ->add_option("--set", parser->assignments, "Set any setting by its name; may be given several times")
      ->type_name("NAME=VALUE")
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll)
      ->expected(1)
      ->allow_extra_args(false);
  parser->run->footer([] { return settings_by_name(); });

  parser->check =
      app.add_subcommand("check", "Read a configuration file and say what is wrong with it; exit status 2");
  parser->check->add_option("--config", parser->check_config, "The file")->type_name("FILE")->required();
  parser->simulate = app.add_subcommand("simulate", "Try eviction policies and cache sizes on a trace");
  parser->simulate_arguments.add_to(*parser->simulate);

  add_purge_command(*parser);
  add_reload_command(*parser);
  parser->stats = app.add_subcommand("stats", "Show what the running edge's store holds and does");
  add_edge_options(*parser->stats, parser->stats_edge);
  add_json_option(*parser->stats, parser->stats_edge);
  parser->upgrade =
      app.add_subcommand("upgrade", "Have the program on disk take over from the running edge, without loss");
  add_edge_options(*parser->upgrade, parser->upgrade_edge);
  add_top_command(*parser);
  add_explain_command(*parser);
  // Last: a subcommand inherits the footer that stands when it is made.
  app.footer("`freshet run --origin http://127.0.0.1:3000` is enough for one origin.");
  return parser;
}

FailedCommand failed(std::vector<std::string> reasons) {
  for (std::string& reason : reasons) reason.insert(0, "freshet: ");
  return {std::move(reasons)};
}
FailedCommand failed(const std::string& reason) {
  return failed(std::vector<std::string>{reason});
}

// Returns the reason, or nothing.
std::string apply_flags(const Parser& parser, Settings& settings) {
  for (const Flag& flag : parser.flags) {
    if (flag.option->count() == 0) continue;
    const Status set = set_setting(settings, flag.row->key, flag.text);
    if (set.ok()) continue;
    // The user wrote the flag, so the line names it instead of the key.
    return std::string(flag.row->flag) + set.error().substr(flag.row->key.size());
  }
  return "";
}

std::string apply_assignments(const Parser& parser, Settings& settings) {
  for (const std::string& assignment : parser.assignments) {
    const std::size_t equals = assignment.find('=');
    if (equals == std::string::npos) return "--set " + in_quotes(assignment) + ": is not NAME=VALUE";
    const std::string key = assignment.substr(0, equals);
    for (const Flag& flag : parser.flags) {
      if (flag.row->key == key && flag.option->count() > 0) {
        return "--set " + key + ": is also given by " + std::string(flag.row->flag);
      }
    }
    const Status set = set_setting(settings, key, assignment.substr(equals + 1));
    if (!set.ok()) return "--set " + set.error();
  }
  return "";
}

// Where the edge is that a command is to ask; the reason, or nothing.
std::string find_edge(const EdgeOptions& given, const Surroundings& surroundings, EdgePlace& place,
                      std::vector<std::string>& errors) {
  Settings settings;
  if (!given.config.empty()) {
    ConfigErrors wrong = load_config_file(given.config, settings);
    if (!wrong.ok()) {
      errors = std::move(wrong.lines);
      return errors.front();
    }
  }
  if (!given.cache_dir.empty()) {
    settings.cache.dir = given.cache_dir;
    settings.admin.socket.clear();
  }
  if (!given.admin.empty()) {
    const auto address = parse_host_port(given.admin);
    if (!address.ok()) return "--admin: " + address.error();
    if (!given.cache_dir.empty()) return "--admin and --cache-dir name two ways to the edge; give one";
    place.tcp = address.value();
  }
  fill_defaults(settings, surroundings);
  place.socket = settings.admin.socket;
  place.token = !given.token.empty() ? given.token : surroundings.admin_token.value_or(settings.admin.token);
  return "";
}

// `reason` empty: nothing is wrong.
std::optional<Command> edge_failure(const std::string& reason, std::vector<std::string> errors) {
  if (reason.empty()) return std::nullopt;
  return errors.empty() ? failed(reason) : failed(std::move(errors));
}

Command purge_command(Parser& parser, const Surroundings& surroundings) {
  PurgeCommand command;
  std::vector<std::string> errors;
  const std::string reason = find_edge(parser.purge_edge, surroundings, command.edge, errors);
  if (auto failure = edge_failure(reason, std::move(errors))) return *failure;
  if (parser.order.scopes() == 0) {
    return failed("nothing to purge: give URLs, --prefix, --host, --tag or --all");
  }
  PurgeOrder checked = parser.order;
  const std::vector<PurgeError> wrong = normalise(checked);
  if (!wrong.empty()) return FailedCommand{purge_error_lines(parser.order, wrong)};
  command.order = std::move(parser.order);
  command.wait = parser.wait;
  command.json = parser.purge_edge.json;
  return command;
}

Command upgrade_command(const Parser& parser, const Surroundings& surroundings) {
  UpgradeCommand command;
  std::vector<std::string> errors;
  const std::string reason = find_edge(parser.upgrade_edge, surroundings, command.edge, errors);
  if (auto failure = edge_failure(reason, std::move(errors))) return *failure;
  return command;
}

Command reload_command(const Parser& parser, const Surroundings& surroundings) {
  ReloadCommand command;
  std::vector<std::string> errors;
  const std::string reason = find_edge(parser.reload_edge, surroundings, command.edge, errors);
  const bool in_file = !errors.empty();
  if (auto failure = edge_failure(reason, std::move(errors))) {
    // A mistake in the file that leads to the edge: the edge would refuse it too.
    if (in_file) std::get<FailedCommand>(*failure).status = kEdgeFailedExitStatus;
    return *failure;
  }
  command.json = parser.reload_edge.json;
  return command;
}

Command stats_command(const Parser& parser, const Surroundings& surroundings) {
  StatsCommand command;
  std::vector<std::string> errors;
  const std::string reason = find_edge(parser.stats_edge, surroundings, command.edge, errors);
  if (auto failure = edge_failure(reason, std::move(errors))) return *failure;
  command.json = parser.stats_edge.json;
  return command;
}

Command top_command(const Parser& parser, const Surroundings& surroundings) {
  TopCommand command;
  std::vector<std::string> errors;
  const std::string reason = find_edge(parser.top_edge, surroundings, command.edge, errors);
  if (auto failure = edge_failure(reason, std::move(errors))) return *failure;
  const auto interval = parse_duration(parser.top_arguments.interval);
  if (!interval.ok()) return failed("--interval: " + interval.error());
  if (interval.value() < kShortestTopInterval || interval.value() > kLongestTopInterval) {
    return failed("--interval: " + parser.top_arguments.interval + " is not from " +
                  format_duration(kShortestTopInterval) + " to " + format_duration(kLongestTopInterval));
  }
  const auto sort = top_sort_of(parser.top_arguments.sort);
  if (!sort) {
    return failed("--sort: " + in_quotes(parser.top_arguments.sort) +
                  " is not one of requests, bytes, misses or time");
  }
  command.interval = interval.value();
  command.sort = *sort;
  command.once = parser.top_arguments.once;
  return command;
}

Command explain_command(Parser& parser, const Surroundings& surroundings) {
  ExplainCommand command;
  std::vector<std::string> errors;
  const std::string reason = find_edge(parser.explain_edge, surroundings, command.edge, errors);
  if (auto failure = edge_failure(reason, std::move(errors))) return *failure;
  if (const auto request = request_of(parser.explain_order); !request) return failed(request.error());
  command.order = std::move(parser.explain_order);
  command.json = parser.explain_edge.json;
  return command;
}

Command run_command(const Parser& parser, const Surroundings& surroundings) {
  Settings settings;
  if (!parser.run_config.empty()) {
    ConfigErrors errors = load_config_file(parser.run_config, settings);
    if (!errors.ok()) return failed(std::move(errors.lines));
  }
  if (const std::string reason = apply_flags(parser, settings); !reason.empty()) return failed(reason);
  if (const std::string reason = apply_assignments(parser, settings); !reason.empty()) return failed(reason);
  if (settings.origin.url.empty()) {
    return failed("no origin: give --origin URL, or url in the [origin] table of the configuration file");
  }
  fill_defaults(settings, surroundings);
  const std::vector<std::string> wrong = check_settings(settings);
  if (!wrong.empty()) return failed(wrong);
  return RunCommand{std::move(settings)};
}

Command check_command(const Parser& parser, const Surroundings& surroundings) {
  Settings settings;
  ConfigErrors errors = load_config_file(parser.check_config, settings);
  if (!errors.ok()) return FailedCommand{std::move(errors.lines)};
  fill_defaults(settings, surroundings);
  std::vector<std::string> wrong = check_settings(settings);
  std::vector<std::string> warnings;
  if (wrong.empty()) wrong = check_tls_files(settings.tls, warnings);
  for (std::string& line : wrong) line.insert(0, parser.check_config + ": ");
  if (!wrong.empty()) return FailedCommand{std::move(wrong)};
  std::string text;
  for (const std::string& line : warnings) text += parser.check_config + ": warning: tls: " + line + "\n";
  return PrintCommand{text + parser.check_config + ": ok\n"};
}

Command simulate_command(const Parser& parser) {
  Result<SimulationOptions> options = parser.simulate_arguments.options();
  if (!options.ok()) return failed(options.error());
  return SimulateCommand{options.take()};
}

std::vector<std::string_view> flag_names(const CLI::App& app) {
  std::vector<std::string_view> names;
  for (const CLI::Option* option : app.get_options()) {
    for (const std::string& name : option->get_lnames()) names.push_back(name);
  }
  return names;
}

// CLI11 tells unknown words in a line of its own making; ours names the word and what it may have meant.
std::string unknown_word(const Parser& parser, const std::string& word) {
  const CLI::App* app = &parser.app;
  std::string commands;
  std::vector<std::string_view> names;
  for (const CLI::App* const command : parser.app.get_subcommands({})) {
    if (command->parsed()) app = command;
    names.push_back(command->get_name());
  }
  for (std::size_t i = 0; i < names.size(); ++i) {
    commands += (i == 0 ? "" : i + 1 == names.size() ? " and " : ", ") + std::string(names[i]);
  }
  if (word.substr(0, 2) != "--") {
    const bool has_command = app != &parser.app;
    if (has_command || word.substr(0, 1) == "-") return in_quotes(word) + " is not expected here";
    const std::string_view near = nearest_name(word, names);
    return in_quotes(word) + " is no command" +
           (near.empty() ? "; the commands are " + commands : "; did you mean " + std::string(near) + "?");
  }
  const std::string name =
      word.substr(2, word.find('=') == std::string::npos ? word.npos : word.find('=') - 2);
  const std::string_view near = nearest_name(name, flag_names(*app));
  return in_quotes("--" + name) + " is no option" +
         (near.empty() ? "; --help lists them" : "; did you mean --" + std::string(near) + "?");
}

// The option that was given twice where once is allowed; empty: none.
std::string repeated_option(const Parser& parser) {
  for (const CLI::App* const app : parser.app.get_subcommands({})) {
    for (const CLI::Option* const option : app->get_options()) {
      const bool takes_all = option->get_multi_option_policy() == CLI::MultiOptionPolicy::TakeAll;
      if (option->count() > 1 && !takes_all) return option->get_name();
    }
  }
  return "";
}

std::string in_one_line(std::string text) {
  while (!text.empty() && text.back() == '\n') text.pop_back();
  std::replace(text.begin(), text.end(), '\n', ' ');
  return text;
}

}  // namespace

int report(const FailedCommand& command) {
  for (const std::string& line : command.lines) std::fprintf(stderr, "%s\n", line.c_str());
  return command.status;
}

Command parse_command_line(int argc, const char* const* argv, const Surroundings& surroundings) {
  const std::unique_ptr<Parser> parser = make_parser();
  if (argc <= 1) return failed("no command; `freshet run --origin URL` serves, `freshet --help` tells more");
  try {
    parser->app.parse(argc, argv);
  } catch (const CLI::CallForHelp&) {
    return PrintCommand{parser->app.help()};
  } catch (const CLI::CallForVersion& version) {
    return PrintCommand{std::string(version.what()) + "\n"};
  } catch (const CLI::ParseError& error) {
    const std::vector<std::string> extra = parser->app.remaining(true);
    if (!extra.empty()) return failed(unknown_word(*parser, extra.front()));
    if (const std::string name = repeated_option(*parser); !name.empty()) {
      return failed(name + ": is given more than once");
    }
    return failed(in_one_line(error.what()));
  }
  if (parser->run->parsed()) return run_command(*parser, surroundings);
  if (parser->simulate->parsed()) return simulate_command(*parser);
  if (parser->purge->parsed()) return purge_command(*parser, surroundings);
  if (parser->upgrade->parsed()) return upgrade_command(*parser, surroundings);
  if (parser->reload->parsed()) return reload_command(*parser, surroundings);
  if (parser->stats->parsed()) return stats_command(*parser, surroundings);
  if (parser->top->parsed()) return top_command(*parser, surroundings);
  if (parser->explain->parsed()) return explain_command(*parser, surroundings);
  return check_command(*parser, surroundings);
}

}  // namespace freshet::proxy
