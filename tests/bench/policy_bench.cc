// What policy costs on the hit path, without sockets and store: the facts of a request as a browser sends it,
// the selection among a key's variants, decide_reuse() and the preconditions. `tests/bench/run policy` runs
// it.
#include <benchmark/benchmark.h>

#include "revalidate/policy/preconditions.h"
#include "revalidate/policy/reuse.h"
#include "revalidate/policy/selection.h"
#include "tests/unit/revalidate/policy/policy_fixture.h"

namespace freshet::revalidate {
namespace {

using namespace test;

RequestHead browser_request(const Lines& more = {}) {
  Lines lines = {{"Host", "example.com"},
                 {"User-Agent", "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0"},
                 {"Accept", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"},
                 {"Accept-Language", "en-US,en;q=0.5"},
                 {"Accept-Encoding", "gzip, deflate, br, zstd"},
                 {"Referer", "https://example.com/"},
                 {"Connection", "keep-alive"}};
  lines.insert(lines.end(), more.begin(), more.end());
  return request(lines);
}

StoredResponsePtr page(const Lines& more = {}) {
  Lines lines = {{"Content-Type", "text/html; charset=utf-8"},
                 {"Cache-Control", "public, max-age=600"},
                 {"Date", date_at(0)},
                 {"ETag", "\"5f-1a2b3c\""},
                 {"Last-Modified", date_at(-86400)}};
  lines.insert(lines.end(), more.begin(), more.end());
  return stored(lines);
}

// Facts, reuse and preconditions: all that policy does for a request whose response is selected.
void decide(benchmark::State& state, const RequestHead& asked, ReuseDecision::Kind kind,
            Precondition outcome) {
  const PolicyOptions options;
  const StoredResponsePtr selected = page();
  for ([[maybe_unused]] auto _ : state) {  // NOLINT(clang-analyzer-deadcode.DeadStores)
    const RequestFacts facts = make_request_facts(asked, false, options);
    const ReuseDecision decision = decide_reuse(facts, selected.get(), true, at(60), options);
    const PreconditionResult result =
        evaluate_preconditions(facts, asked, validators_of(facts_of(*selected)), 1024);
    if (decision.kind != kind || result.outcome != outcome) state.SkipWithError("another decision");
    benchmark::DoNotOptimize(decision);
    benchmark::DoNotOptimize(result);
  }
}

void fresh_hit(benchmark::State& state) {
  decide(state, browser_request(), ReuseDecision::Kind::kServe, Precondition::kProceed);
}
BENCHMARK(fresh_hit);

void fresh_hit_not_modified(benchmark::State& state) {
  decide(state, browser_request({{"If-None-Match", "\"5f-1a2b3c\""}, {"If-Modified-Since", date_at(-86400)}}),
         ReuseDecision::Kind::kServe, Precondition::kNotModified);
}
BENCHMARK(fresh_hit_not_modified);

void fresh_hit_with_cookie(benchmark::State& state) {
  decide(state, browser_request({{"Cookie", "session=0123456789abcdef; theme=dark"}}),
         ReuseDecision::Kind::kServe, Precondition::kProceed);
}
BENCHMARK(fresh_hit_with_cookie);

void reload(benchmark::State& state) {
  decide(state, browser_request({{"Cache-Control", "max-age=0"}, {"If-None-Match", "\"5f-1a2b3c\""}}),
         ReuseDecision::Kind::kValidate, Precondition::kNotModified);
}
BENCHMARK(reload);

// Of several variants by Accept-Encoding, the last is the one.
void select_variant(benchmark::State& state) {
  const RequestHead asked = browser_request();
  std::vector<StoredResponsePtr> list;
  for (int i = 0; i < 4; ++i) {
    StoredHead head = stored_head({{"Vary", "Accept-Encoding"}, {"ETag", "\"a\""}});
    const std::string coding = i < 3 ? "coding" + std::to_string(i) : "gzip, deflate, br, zstd";
    head.selecting = *selecting_fields(head.response, request({{"Accept-Encoding", coding}}));
    list.push_back(keep(std::move(head)));
  }
  const storage::VariantSet variants(std::move(list));
  for ([[maybe_unused]] auto _ : state) {  // NOLINT(clang-analyzer-deadcode.DeadStores)
    if (select(variants, asked) != variants.back()) state.SkipWithError("another variant");
  }
}
BENCHMARK(select_variant);

}  // namespace
}  // namespace freshet::revalidate

BENCHMARK_MAIN();
