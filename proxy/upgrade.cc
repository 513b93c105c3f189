#include "proxy/upgrade.h"

#include <cerrno>
#include <csignal>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <spawn.h>
#include <sys/wait.h>
#include <system_error>
#include <unistd.h>
#include <utility>

#include "proxy/net/service_manager.h"
#include "storage/base/log.h"

namespace freshet::proxy {

using storage::Error;
using storage::LogLevel;
using storage::Milliseconds;
using storage::Status;

namespace {

constexpr Milliseconds kStartBound{60'000};  // until "ready"
constexpr Milliseconds kTellBound{2'000};    // of an invalidation that the next process is told
constexpr int kMostStarts = 4;
constexpr int kChannelDescriptor = 3;
constexpr std::size_t kSocketsOfAMessage = 32;
// More than a process gives, or has reserved ahead of what it has given (2^40); also of one that took over
// and died.
constexpr storage::Sequence kNumbersOfAProcess = storage::Sequence{1} << 44U;

// Where this program stands on disk, whatever has been put there since.
std::string own_program() {
  std::error_code failure;
  std::string path = std::filesystem::read_symlink("/proc/self/exe", failure).string();
  constexpr std::string_view kDeleted = " (deleted)";
  if (path.ends_with(kDeleted)) path.resize(path.size() - kDeleted.size());
  return path;
}

std::vector<std::string> own_arguments() {
  std::ifstream file("/proc/self/cmdline", std::ios::binary);
  const std::string all{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  std::vector<std::string> arguments;
  for (std::size_t at = 0; at < all.size(); at += arguments.back().size() + 1)
    arguments.emplace_back(all.c_str() + at);
  return arguments;
}

// Without what was meant for this process alone.
std::vector<std::string> environment_for_next() {
  std::vector<std::string> variables;
  for (char** each = environ; *each != nullptr; ++each) {
    const std::string_view variable(*each);
    if (variable.starts_with("LISTEN_") || variable.starts_with(kUpgradeVariable)) continue;
    variables.emplace_back(variable);
  }
  variables.push_back(std::string(kUpgradeVariable) + "=" + std::to_string(kChannelDescriptor));
  return variables;
}

std::vector<char*> pointers(std::vector<std::string>& texts) {
  std::vector<char*> all;
  all.reserve(texts.size() + 1);
  for (std::string& text : texts) all.push_back(text.data());
  all.push_back(nullptr);
  return all;
}

// With the channel alone of all that is open here, but for the standard streams. 0, or the error number.
int spawn_program(const std::string& program, int channel, pid_t& process) {
  std::vector<std::string> arguments = own_arguments();
  std::vector<std::string> environment = environment_for_next();
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, channel, kChannelDescriptor);
  posix_spawn_file_actions_addclosefrom_np(&actions, kChannelDescriptor + 1);
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  sigset_t none;
  sigemptyset(&none);
  posix_spawnattr_setsigmask(&attributes, &none);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK);
  const int error = posix_spawn(&process, program.c_str(), &actions, &attributes, pointers(arguments).data(),
                                pointers(environment).data());
  posix_spawnattr_destroy(&attributes);
  posix_spawn_file_actions_destroy(&actions);
  return error;
}

}  // namespace

Upgrade::Upgrade(storage::IoLoop& loop, UpgradeHooks hooks, std::map<int, std::string> names)
    : loop_(loop),
      hooks_(std::move(hooks)),
      names_(std::move(names)),
      program_(own_program()),
      deadline_(loop.timer([this] { fail("it was not ready in time"); })) {}

Upgrade::~Upgrade() {
  if (apart_.joinable()) apart_.join();
  if (phase_ == Phase::kStarting || phase_ == Phase::kFlushing) reap(true);
}

void Upgrade::start(Done done) {
  if (phase_ != Phase::kIdle) return done(-1, "an upgrade is under way already");
  done_ = std::move(done);
  why_failed_.clear();
  starts_ = 0;
  phase_ = Phase::kStarting;
  storage::log_event(LogLevel::kInfo, "upgrade: starting " + program_);
  sockets_ = all_listening_sockets(names_);
  if (Status spawned = spawn(); !spawned) fail(spawned.error());
}

bool Upgrade::give_up() {
  if (phase_ == Phase::kStarting || phase_ == Phase::kFlushing) fail("this process was told to end");
  return phase_ == Phase::kIdle;
}

Status Upgrade::spawn() {
  Descriptor others;
  auto channel = UpgradeChannel::open(others);
  if (!channel) return Error{channel.error()};
  ++starts_;
  if (const int error = spawn_program(program_, others.get(), next_); error != 0) {
    next_ = -1;
    return Error{"cannot start " + program_ + ": " + std::strerror(error)};
  }
  others.reset();
  {
    const storage::MutexLock lock(told_mutex_);
    channel_ = channel.take();
    gone_ = false;
    heard_ = told_;
  }
  watch_ = loop_.watch(channel_.descriptor(), storage::IoInterest::kRead,
                       [this](storage::IoReady /*ready*/) { on_readable(); });
  deadline_->arm(kStartBound);
  return send_sockets();
}

// A process that dies meanwhile is heard of where the channel is read.
Status Upgrade::send_sockets() {
  for (std::size_t at = 0; at < sockets_.size();) {
    std::string words = "sockets";
    std::vector<int> descriptors;
    for (; at < sockets_.size() && descriptors.size() < kSocketsOfAMessage; ++at) {
      words += "\n" + sockets_[at].name;
      descriptors.push_back(sockets_[at].socket.get());
    }
    (void)channel_.send(words, descriptors);
  }
  (void)channel_.send("all");
  return {};
}

void Upgrade::on_readable() {
  UpgradeChannel::Message message;
  for (;;) {
    switch (channel_.receive(message, false)) {
      case UpgradeChannel::Received::kNothing:
        return;
      case UpgradeChannel::Received::kGone:
        return on_gone();
      case UpgradeChannel::Received::kMessage:
        on_message(message.words);
        break;
    }
  }
}

void Upgrade::on_message(const std::string& words) {
  if (words == "done") {
    const storage::MutexLock lock(told_mutex_);
    ++heard_;
    told_changed_.notify_all();
  } else if (words.starts_with("failed ")) {
    why_failed_ = words.substr(7);
  } else if (words == "ready") {
    on_ready();
  } else if (words == "attached" && phase_ == Phase::kHanded) {
    phase_ = Phase::kOver;
    sockets_.clear();
    finish("");
  }
}

void Upgrade::on_ready() {
  deadline_->cancel();
  if (phase_ == Phase::kHanded) {  // it was started again
    const storage::Sequence first =
        hooks_.numbers_end() + kNumbersOfAProcess * static_cast<storage::Sequence>(starts_);
    (void)channel_.send("begin " + std::to_string(first));
    (void)channel_.send("go");
    if (closed_) (void)channel_.send("closed");
    return;
  }
  if (phase_ != Phase::kStarting) return;
  phase_ = Phase::kFlushing;
  run_apart([this] {
    hooks_.flush();
    loop_.post([this] {
      if (phase_ == Phase::kFlushing) hand_over();
    });
  });
}

void Upgrade::hand_over() {
  phase_ = Phase::kHandingOver;
  (void)channel_.send("begin " + std::to_string(hooks_.numbers_end() + kNumbersOfAProcess));
  hooks_.detach(*this);
  hooks_.stop_accepting([this] { go(); });
}

void Upgrade::go() {
  hooks_.close_log();
  phase_ = Phase::kHanded;
  tell_service_manager("MAINPID=" + std::to_string(next_));
  storage::log_event(LogLevel::kInfo, "upgrade: process " + std::to_string(next_) +
                                          " serves from now on; this one answers what it has accepted");
  (void)channel_.send("go");
  hooks_.drain();
  run_apart([this] { release(); });
  bool gone = false;
  {
    const storage::MutexLock lock(told_mutex_);
    gone = gone_;
  }
  if (gone) start_again();
}

void Upgrade::release() {
  const Status released = hooks_.release();
  loop_.post([this, released] {
    if (released) return say_closed();
    storage::log_event(LogLevel::kError,
                       "upgrade: cannot let go of the disk tier but by ending: " + released.error());
    hooks_.end();
  });
}

void Upgrade::say_closed() {
  closed_ = true;
  (void)channel_.send("closed");
}

void Upgrade::on_gone() {
  watch_.reset();
  {
    const storage::MutexLock lock(told_mutex_);
    gone_ = true;
    told_changed_.notify_all();
  }
  if (phase_ == Phase::kStarting || phase_ == Phase::kFlushing)
    return fail(why_failed_.empty() ? "it ended before it was ready" : why_failed_);
  reap(false);
  if (phase_ == Phase::kHanded) start_again();
}

void Upgrade::start_again() {
  storage::log_event(LogLevel::kError, "upgrade: process " + std::to_string(next_) +
                                           " ended before it had taken over; starting again");
  const Status spawned = starts_ < kMostStarts ? spawn() : Status(Error{"it ends again and again"});
  if (spawned) return;
  storage::log_event(LogLevel::kError, "upgrade: nobody takes over: " + spawned.error());
  finish(spawned.error());
  hooks_.end();
}

// As if nothing had been.
void Upgrade::fail(const std::string& error) {
  deadline_->cancel();
  if (phase_ == Phase::kHanded) {  // started again, and silent: on_gone() follows
    if (next_ > 0) ::kill(next_, SIGKILL);
    return;
  }
  watch_.reset();
  reap(true);
  {
    const storage::MutexLock lock(told_mutex_);
    channel_.close();
  }
  sockets_.clear();
  phase_ = Phase::kIdle;
  storage::log_event(LogLevel::kError, "upgrade: refused, this process goes on: " + error);
  finish(error);
}

void Upgrade::finish(const std::string& error) {
  if (!done_) return;
  std::exchange(done_, nullptr)(error.empty() ? next_ : -1, error);
}

void Upgrade::reap(bool kill) {
  if (next_ <= 0) return;
  if (kill) ::kill(next_, SIGKILL);
  (void)::waitpid(next_, nullptr, kill ? 0 : WNOHANG);
}

void Upgrade::run_apart(std::function<void()> work) {
  if (apart_.joinable()) apart_.join();
  apart_ = std::thread(std::move(work));
}

void Upgrade::invalidate(const storage::CacheKey& key) {
  tell_and_wait("key " + key.text);
}

void Upgrade::invalidate_tag(std::string_view tag) {
  tell_and_wait("tag " + std::string(tag));
}

void Upgrade::tell_and_wait(std::string words) {
  if (words.size() > UpgradeChannel::kLongest) words = "everything";
  const storage::MutexLock lock(told_mutex_);
  if (gone_ || !channel_.send(words)) return;
  const std::uint64_t mine = ++told_;
  const storage::MonoTime until = storage::mono_now() + kTellBound;
  while (heard_ < mine && !gone_ && storage::mono_now() < until)
    told_changed_.wait_for(told_mutex_, until - storage::mono_now());
}

}  // namespace freshet::proxy
