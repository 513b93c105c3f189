#include "proxy/observe/access_log.h"

#include <algorithm>
#include <cstdio>
#include <fcntl.h>
#include <fstream>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>
#include <sys/stat.h>
#include <thread>
#include <unistd.h>
#include <vector>

namespace freshet::proxy {
namespace {

class TemporaryDirectory {
 public:
  TemporaryDirectory() {
    std::string name = testing::TempDir() + "freshet_log_XXXXXX";
    path_ = ::mkdtemp(name.data());
  }
  TemporaryDirectory(const TemporaryDirectory&) = delete;
  TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;
  ~TemporaryDirectory() {
    for (const char* name : {"/log", "/log.1"}) ::unlink((path_ + name).c_str());
    ::rmdir(path_.c_str());
  }
  [[nodiscard]] std::string file(const std::string& name) const { return path_ + "/" + name; }

 private:
  std::string path_;
};

std::vector<std::string> lines_of(const std::string& path) {
  std::ifstream in(path);
  std::vector<std::string> lines;
  for (std::string line; std::getline(in, line);) lines.push_back(line);
  return lines;
}

ExchangeRecord record_for(std::string_view path) {
  ExchangeRecord record;
  record.method = "GET";
  record.host = "h";
  record.path = path;
  record.status = 200;
  return record;
}

TEST(AccessLog, WritesEveryLineOfEveryWorkerBeforeItEnds) {
  const TemporaryDirectory directory;
  constexpr int kWorkers = 3;
  constexpr int kLines = 5'000;  // several blocks each
  {
    auto log = AccessLog::open(directory.file("log")).take();
    std::vector<std::thread> workers;
    for (int w = 0; w < kWorkers; ++w) {
      AccessLogWriter& writer = log->make_writer();
      workers.emplace_back([w, &writer] {
        for (int i = 0; i < kLines; ++i) {
          writer.write(record_for("/" + std::to_string(w) + "/" + std::to_string(i)));
        }
      });
    }
    for (std::thread& worker : workers) worker.join();
    EXPECT_EQ(log->lines_dropped(), 0U);
  }
  const std::vector<std::string> lines = lines_of(directory.file("log"));
  ASSERT_EQ(lines.size(), static_cast<std::size_t>(kWorkers * kLines));
  // Whole lines, and each worker's in its own order.
  std::vector<int> next(kWorkers, 0);
  for (const std::string& line : lines) {
    const auto target = nlohmann::json::parse(line)["target"].get<std::string>();
    const int worker = target[2] - '0';
    EXPECT_EQ(target,
              "h/" + std::to_string(worker) + "/" + std::to_string(next[static_cast<std::size_t>(worker)]++));
  }
}

TEST(AccessLog, AppendsToWhatIsThereAndIsNotForEverybody) {
  const TemporaryDirectory directory;
  for (int run = 0; run < 2; ++run) {
    auto log = AccessLog::open(directory.file("log")).take();
    log->make_writer().write(record_for("/"));
  }
  EXPECT_EQ(lines_of(directory.file("log")).size(), 2U);
  struct stat about {};
  ASSERT_EQ(::stat(directory.file("log").c_str(), &about), 0);
  EXPECT_EQ(about.st_mode & 0007, 0U);
}

TEST(AccessLog, DropsAndCountsWhereNobodyReads) {
  const TemporaryDirectory directory;
  const std::string path = directory.file("log");
  ASSERT_EQ(::mkfifo(path.c_str(), 0600), 0);
  const int reader = ::open(path.c_str(), O_RDONLY | O_NONBLOCK);
  std::uint64_t dropped = 0;
  {
    AccessLogOptions options;
    options.blocks_per_writer = 2;
    auto log = AccessLog::open(path, options).take();
    AccessLogWriter& writer = log->make_writer();
    // More than the pipe and both blocks hold.
    for (int i = 0; i < 20'000; ++i) writer.write(record_for("/"));
    dropped = log->lines_dropped();
    EXPECT_GT(dropped, 10'000U);
  }
  ::close(reader);
}

TEST(AccessLog, ReopensAfterRotation) {
  const TemporaryDirectory directory;
  const std::string path = directory.file("log");
  {
    auto log = AccessLog::open(path).take();
    AccessLogWriter& writer = log->make_writer();
    writer.write(record_for("/before"));
    while (log->lines_written() < 1) std::this_thread::yield();
    ASSERT_EQ(std::rename(path.c_str(), directory.file("log.1").c_str()), 0);
    log->reopen();
    while (::access(path.c_str(), F_OK) != 0) std::this_thread::yield();
    writer.write(record_for("/after"));
  }
  ASSERT_EQ(lines_of(directory.file("log.1")).size(), 1U);
  const std::vector<std::string> lines = lines_of(path);
  ASSERT_EQ(lines.size(), 1U);
  EXPECT_NE(lines[0].find("h/after"), std::string::npos);
}

// As `logrotate` does with copytruncate: the file stays, and begins anew.
TEST(AccessLog, GoesOnAtTheBeginningOfATruncatedFile) {
  const TemporaryDirectory directory;
  const std::string path = directory.file("log");
  {
    auto log = AccessLog::open(path).take();
    AccessLogWriter& writer = log->make_writer();
    writer.write(record_for("/before"));
    while (log->lines_written() < 1) std::this_thread::yield();
    ASSERT_EQ(::truncate(path.c_str(), 0), 0);
    writer.write(record_for("/after"));
  }
  const std::vector<std::string> lines = lines_of(path);
  ASSERT_EQ(lines.size(), 1U);
  EXPECT_EQ(nlohmann::json::parse(lines[0])["target"], "h/after");
}

TEST(AccessLog, ASampleAndAllThatWentWrong) {
  const TemporaryDirectory directory;
  constexpr std::uint64_t kEach = 10'000;
  std::uint64_t left_out = 0;
  {
    AccessLogOptions options;
    options.sample = 0.1;
    options.format = LogFormat::parse("{status} {cache} {broken}").take();
    auto log = AccessLog::open(directory.file("log"), options).take();
    AccessLogWriter& writer = log->make_writer();
    ExchangeRecord good = record_for("/");
    ExchangeRecord failed = record_for("/");
    failed.status = 502;
    ExchangeRecord refused = record_for("/");
    refused.status = 400;
    refused.outcome = CacheOutcome::kError;
    ExchangeRecord broken = record_for("/");
    broken.complete = false;
    for (std::uint64_t i = 0; i < kEach; ++i) writer.write(good);
    for (int i = 0; i < 10; ++i) {
      for (const ExchangeRecord& wrong : {failed, refused, broken}) writer.write(wrong);
    }
    left_out = log->lines_left_out();
    EXPECT_EQ(log->lines_dropped(), 0U);
  }
  const std::vector<std::string> lines = lines_of(directory.file("log"));
  const auto count = [&](const std::string& line) {
    return static_cast<std::uint64_t>(std::count(lines.begin(), lines.end(), line));
  };
  EXPECT_EQ(count("502 miss false"), 10U);
  EXPECT_EQ(count("400 error false"), 10U);
  EXPECT_EQ(count("200 miss true"), 10U);
  // A tenth of them: ten standard deviations on either side.
  EXPECT_GT(count("200 miss false"), 700U);
  EXPECT_LT(count("200 miss false"), 1300U);
  EXPECT_EQ(left_out, kEach - count("200 miss false"));
}

TEST(AccessLog, OffWritesNothing) {
  auto log = AccessLog::open("off").take();
  EXPECT_FALSE(log->enabled());
  log->make_writer().write(record_for("/"));
  EXPECT_EQ(log->lines_dropped(), 0U);
}

TEST(AccessLog, APathThatCannotBeOpened) {
  const auto log = AccessLog::open("/nonexistent/log");
  ASSERT_FALSE(log.ok());
  EXPECT_EQ(log.error(), "\"/nonexistent/log\" cannot be opened: No such file or directory");
}

TEST(AccessLog, AFullDiskLosesLinesAndCountsThem) {
  auto log = AccessLog::open("/dev/full").take();
  log->make_writer().write(record_for("/"));
  while (log->lines_dropped() < 1) std::this_thread::yield();
  EXPECT_EQ(log->lines_written(), 0U);
}

}  // namespace
}  // namespace freshet::proxy
