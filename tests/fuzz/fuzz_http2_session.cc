// An HTTP/2 client that means no good, against a session with all that stands behind it but sockets to an
// origin and a disk: exchanges, flights, the store in memory. The input is a script, so that its mutations
// change frames and their order instead of breaking the first length: frames well formed and not, what the
// origin does, when the client reads, when each side leaves. Looked for: whatever the sanitizers see, checks
// of our own, and output that is no sequence of frames.
#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <fcntl.h>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <sys/socket.h>
#include <unistd.h>
#include <utility>
#include <vector>

#include "proxy/http2/http2_session.h"
#include "proxy/net/event_loop.h"
#include "proxy/observe/access_log.h"
#include "proxy/observe/top_targets.h"
#include "revalidate/flight.h"
#include "revalidate/flight_table.h"
#include "revalidate/origin/origin_health.h"
#include "revalidate/origin/origin_pool.h"
#include "revalidate/policy/response_facts.h"
#include "storage/base/check.h"
#include "storage/base/log.h"
#include "storage/invalidation/generations.h"
#include "storage/memory/memory_store.h"

namespace {

using namespace freshet;
using namespace freshet::proxy;
using revalidate::OriginHandler;

constexpr int kMostSteps = 400;
constexpr int kTurnsAtTheEnd = 30;

class Script {
 public:
  explicit Script(std::string_view bytes) : rest_(bytes) {}
  [[nodiscard]] bool over() const { return rest_.empty(); }
  unsigned byte() {
    if (rest_.empty()) return 0;
    const auto value = static_cast<unsigned char>(rest_.front());
    rest_.remove_prefix(1);
    return value;
  }
  unsigned below(unsigned limit) { return byte() % limit; }
  std::uint32_t number() { return byte() << 24U | byte() << 16U | byte() << 8U | byte(); }
  std::string text(std::size_t size) {
    const std::string_view taken = rest_.substr(0, size);
    rest_.remove_prefix(taken.size());
    return std::string(taken);
  }

 private:
  std::string_view rest_;
};

// An origin that does what the script says, in the order that OriginClient promises.
class ScriptedOrigin final : public revalidate::OriginClient {
 public:
  std::unique_ptr<revalidate::OriginCall> start(revalidate::OriginRequest request, OriginHandler& handler,
                                                revalidate::UploadSource* upload) override {
    auto call = std::make_unique<Call>(*this, handler, upload, request.method == "HEAD");
    calls_.push_back(call.get());
    return call;
  }

  // One thing that some call in progress may do now.
  void act(Script& script) {
    if (calls_.empty()) return;
    calls_[script.below(static_cast<unsigned>(calls_.size()))]->act(script);
  }
  [[nodiscard]] bool idle() const { return calls_.empty(); }

 private:
  class Call final : public revalidate::OriginCall {
   public:
    Call(ScriptedOrigin& origin, OriginHandler& handler, revalidate::UploadSource* upload, bool head)
        : origin_(origin), handler_(handler), upload_(upload), head_(head) {}
    ~Call() override { leave(); }
    void resume() override { paused_ = false; }
    void upload_ready() override { upload_waits_ = false; }

    void act(Script& script) {
      const unsigned what = script.below(16);
      if (what == 0) return fail(revalidate::OriginFailure::kReset);
      if (!sent_) {
        sent_ = true;
        return handler_.on_sent();
      }
      if (upload_ != nullptr && !upload_waits_ && what < 6) return read_upload();
      if (!answered_) return what == 1 ? inform() : answer(script);
      if (!paused_) body(script, what);
    }

   private:
    // Nothing of ours after a handler's last callback: it may have destroyed us.
    void leave() {
      origin_.calls_.erase(std::remove(origin_.calls_.begin(), origin_.calls_.end(), this),
                           origin_.calls_.end());
    }
    void fail(revalidate::OriginFailure failure) {
      leave();
      handler_.on_failure({failure, "the script says so"});
    }
    void complete(storage::HeaderFields trailers) {
      leave();
      handler_.on_complete(std::move(trailers));
    }
    void read_upload() {
      std::array<char, 1000> buffer{};
      std::size_t size = 0;
      switch (upload_->next(buffer.data(), buffer.size(), size)) {
        case revalidate::UploadSource::Next::kData:
          FRESHET_CHECK(size > 0 && size <= buffer.size());
          break;
        case revalidate::UploadSource::Next::kWait:
          upload_waits_ = true;
          break;
        case revalidate::UploadSource::Next::kEnd:
          upload_ = nullptr;
          break;
        case revalidate::UploadSource::Next::kFailed:
          fail(revalidate::OriginFailure::kUploadFailed);
          break;
      }
    }
    void inform() {
      storage::ResponseHead head;
      head.status = 103;
      head.fields.add("Link", "</a.css>; rel=preload");
      handler_.on_informational(std::move(head));
    }
    void answer(Script& script) {
      constexpr std::array<int, 8> kStatuses = {200, 200, 200, 404, 304, 204, 206, 500};
      storage::ResponseHead head;
      head.status = kStatuses[script.below(kStatuses.size())];
      const unsigned fields = script.byte();
      if ((fields & 1U) != 0) head.fields.add("Cache-Control", "public, max-age=60");
      if ((fields & 2U) != 0) head.fields.add("ETag", "\"1\"");
      if ((fields & 4U) != 0) head.fields.add("Vary", "Accept");
      if ((fields & 8U) != 0) head.fields.add("X-Long", std::string(20'000, 'x'));
      if ((fields & 16U) != 0) head.fields.add("Connection", "X-Y, close");
      if ((fields & 32U) != 0) head.fields.add("X-Y", "\x80 caf\xe9 \t.");
      if (head_ || head.status == 204 || head.status == 304) {
        left_ = 0;
      } else if ((fields & 64U) != 0) {
        left_ = script.byte() * 500;
        head.fields.add("Content-Length", std::to_string(*left_));
      }
      answered_ = true;
      handler_.on_head(std::move(head), left_);
    }
    void body(Script& script, unsigned what) {
      if (left_ == 0U || (!left_ && what > 12)) {
        storage::HeaderFields trailers;
        if (script.below(2) == 1) trailers.add("X-Sum", "1");
        return complete(std::move(trailers));
      }
      const std::size_t size = std::min<std::uint64_t>(1 + script.byte() * 150, left_.value_or(1U << 20U));
      const std::string bytes(size, 'b');
      // Before the call: it may destroy us, and then it is not paused.
      const auto left = left_;
      if (left_) *left_ -= size;
      paused_ = true;
      ScriptedOrigin& origin = origin_;
      const auto taken = handler_.on_body(bytes);
      if (std::find(origin.calls_.begin(), origin.calls_.end(), this) == origin.calls_.end()) return;
      if (taken == OriginHandler::Body::kPause) {
        left_ = left;
      } else {
        paused_ = false;
      }
    }

    ScriptedOrigin& origin_;
    OriginHandler& handler_;
    revalidate::UploadSource* upload_;
    const bool head_;
    bool sent_ = false;
    bool answered_ = false;
    bool paused_ = false;
    bool upload_waits_ = false;
    std::optional<std::uint64_t> left_;
  };

  std::vector<Call*> calls_;
};

// What comes from the session has to be frames, of at most the size that we have said we take.
class FrameReader {
 public:
  void take(std::string_view bytes) {
    bytes_.append(bytes);
    while (bytes_.size() >= 9) {
      const auto at = [&](std::size_t i) {
        return static_cast<std::uint32_t>(static_cast<unsigned char>(bytes_[i]));
      };
      const std::uint32_t size = at(0) << 16U | at(1) << 8U | at(2);
      FRESHET_CHECK(size <= most_);
      FRESHET_CHECK(at(3) <= 9 || at(3) == 12 || at(3) == 16);
      FRESHET_CHECK((at(5) & 0x80U) == 0);
      if (bytes_.size() < 9 + size) return;
      bytes_.erase(0, 9 + size);
    }
  }
  void allow(std::uint32_t size) { most_ = std::max(most_, size); }

 private:
  std::string bytes_;
  std::uint32_t most_ = 16384;
};

std::string frame(unsigned type, unsigned flags, std::uint32_t stream, std::string_view payload) {
  std::string bytes;
  const auto add = [&](std::uint32_t value) { bytes += static_cast<char>(value & 0xffU); };
  const auto size = static_cast<std::uint32_t>(payload.size());
  for (const unsigned shift : {16U, 8U, 0U}) add(size >> shift);
  add(type);
  add(flags);
  for (const unsigned shift : {24U, 16U, 8U, 0U}) add(stream >> shift);
  return bytes.append(payload);
}

// A literal without indexing and without Huffman coding (RFC 7541, 6.2.2); all sizes here are under 127.
void add_field(std::string& block, std::string_view name, std::string_view value) {
  block += '\0';
  block += static_cast<char>(name.size());
  block += name;
  block += static_cast<char>(value.size());
  block += value;
}

class Client {
 public:
  Client(int descriptor, Script& script) : descriptor_(descriptor), script_(script) {}
  ~Client() { leave(); }
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  void begin(bool properly) {
    if (!properly) return;
    send("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
    send(frame(4, 0, 0, ""));
  }

  void write_frame() {
    switch (script_.below(14)) {
      case 0:
      case 1:
      case 2:
        return request();
      case 3:
        return send(frame(0, script_.byte() & 9U, stream(), padded(std::string(script_.byte() * 40, 'd'))));
      case 4:
        return send(frame(3, 0, stream(), four(script_.below(15))));
      case 5:
        return settings();
      case 6:
        return send(frame(6, script_.below(2), 0, std::string(8, 'p')));
      case 7:
        return send(frame(8, 0, script_.below(3) == 0 ? 0 : stream(), four(script_.number())));
      case 8:
        return send(frame(2, 0, stream(), four(script_.number()) + "w"));
      case 9:
        return send(frame(7, 0, 0, four(script_.byte()) + four(script_.below(15)) + "bye"));
      case 10:
        return send(frame(9, script_.below(2) * 4, stream(), block()));
      case 11:
        return send(frame(16, 0, 0, four(stream()) + "u=" + std::to_string(script_.below(10)) + ",i"));
      case 12: {
        const unsigned type = script_.byte();
        const unsigned flags = script_.byte();
        const std::uint32_t id = script_.number();
        return send(frame(type, flags, id, script_.text(script_.byte())));
      }
      default:
        return send(script_.text(script_.byte()));
    }
  }

  void read() {
    std::array<char, 16384> buffer{};
    for (ssize_t got = 1; descriptor_ >= 0 && got > 0;) {
      got = ::recv(descriptor_, buffer.data(), buffer.size(), MSG_DONTWAIT);
      if (got > 0) reader_.take({buffer.data(), static_cast<std::size_t>(got)});
    }
  }

  void end_output() {
    if (descriptor_ >= 0) ::shutdown(descriptor_, SHUT_WR);
  }
  void leave() {
    if (descriptor_ >= 0) ::close(std::exchange(descriptor_, -1));
  }

 private:
  void send(std::string_view bytes) {
    if (descriptor_ >= 0)
      static_cast<void>(::send(descriptor_, bytes.data(), bytes.size(), MSG_DONTWAIT | MSG_NOSIGNAL));
  }
  static std::string four(std::uint32_t value) {
    std::string bytes;
    for (const unsigned shift : {24U, 16U, 8U, 0U}) bytes += static_cast<char>(value >> shift & 0xffU);
    return bytes;
  }
  // One that was opened, or will be.
  std::uint32_t stream() {
    const unsigned choice = script_.byte();
    return choice < 8 ? choice : next_ < 2 ? 1 : 1 + 2 * (choice % ((next_ + 1) / 2));
  }
  std::string padded(const std::string& payload) const { return payload.empty() ? payload : "\1" + payload; }

  std::string block() {
    constexpr std::array<std::string_view, 8> kMethods = {"GET",  "GET",   "GET",     "HEAD",
                                                          "POST", "PURGE", "CONNECT", "OPTIONS"};
    constexpr std::array<std::string_view, 6> kPaths = {"/a", "/b", "/c?d=e", "*", "", "/\x01"};
    constexpr std::array<std::string_view, 16> kNames = {
        "range",          "if-none-match", "cache-control",
        "content-length", "host",          "te",
        "cookie",         "priority",      "expect",
        "X-Capital",      "connection",    "accept",
        ":path",          "if-range",      "transfer-encoding",
        "x-forwarded-for"};
    constexpr std::array<std::string_view, 10> kValues = {"bytes=0-9", "\"1\"",    "no-cache", "5",
                                                          "a",         "trailers", "u=0, i",   "100-continue",
                                                          "chunked",   "x\r\ny"};
    std::string fields;
    const unsigned which = script_.byte();
    if ((which & 1U) == 0) add_field(fields, ":method", kMethods[script_.below(kMethods.size())]);
    if ((which & 2U) == 0) add_field(fields, ":scheme", (which & 32U) == 0 ? "http" : "https");
    if ((which & 4U) == 0) add_field(fields, ":authority", (which & 64U) == 0 ? "a" : "a b");
    if ((which & 8U) == 0) add_field(fields, ":path", kPaths[script_.below(kPaths.size())]);
    if ((which & 128U) != 0) add_field(fields, ":protocol", "websocket");
    for (unsigned left = script_.below(6); left > 0; --left) {
      const std::string_view name = kNames[script_.below(kNames.size())];
      add_field(fields, name, kValues[script_.below(kValues.size())]);
    }
    if ((which & 16U) != 0) fields += script_.text(script_.below(16));
    return fields;
  }

  void request() {
    const unsigned how = script_.byte();
    std::uint32_t id = 0;
    if (how < 224) {
      id = std::exchange(next_, next_ + 2);
    } else {
      id = stream();
    }
    // END_STREAM more often than not, END_HEADERS nearly always, else CONTINUATION behind it.
    const unsigned end = (how & 3U) != 0 ? 1 : 0;
    if ((how & 28U) != 0) return send(frame(1, 4 | end, id, block()));
    const std::string fields = block();
    const std::size_t half = fields.size() / 2;
    send(frame(1, end, id, fields.substr(0, half)));
    for (unsigned empty = script_.below(12); empty > 0; --empty) send(frame(9, 0, id, ""));
    send(frame(9, 4, id, fields.substr(half)));
  }

  void settings() {
    std::string entries;
    for (unsigned left = script_.below(5); left > 0; --left) {
      const unsigned id = script_.below(10);
      // Small windows and frames are what is hard.
      const std::uint32_t value = script_.below(4) == 0 ? script_.number() : script_.byte() * 100;
      if (id == 5) reader_.allow(value & 0xffffffU);
      entries += std::string{'\0', static_cast<char>(id)} + four(value);
    }
    send(frame(4, script_.below(8) == 0 ? 1 : 0, 0, entries));
  }

  int descriptor_;
  Script& script_;
  FrameReader reader_;
  std::uint32_t next_ = 1;
};

// One worker's parts, and one session in it.
// NOLINTNEXTLINE(clang-analyzer-optin.performance.Padding)
class World {
 public:
  explicit World(std::string_view bytes) : script_(bytes) {
    const unsigned setup = script_.byte();
    std::array<int, 2> pair{};
    FRESHET_CHECK(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair.data()) == 0);
    client_ = std::make_unique<Client>(pair[1], script_);
    session_ = std::make_unique<Http2Session>(sessions_, Transport(Descriptor(pair[0])),
                                              ClientInfo{"127.0.0.1", (setup & 2U) != 0}, std::string_view{});
    sessions_.retire = [this](ClientSession& session) {
      FRESHET_CHECK(&session == session_.get());
      loop_.post([this] { session_.reset(); });
    };
    client_->begin((setup & 1U) == 0);
  }
  ~World() {
    session_.reset();
    while (!flights_.active.empty()) (*flights_.active.begin())->abandon();
  }
  World(const World&) = delete;
  World& operator=(const World&) = delete;

  void run() {
    session_->start();
    loop_.post([this] { step(); });
    loop_.run();
  }

 private:
  // One thing a turn, so that the session has its say in between; at the end all leave.
  void step() {
    if (script_.over() || ++steps_ > kMostSteps) return end();
    switch (script_.below(8)) {
      case 0:
      case 1:
      case 2:
        client_->write_frame();
        break;
      case 3:
      case 4:
        origin_.act(script_);
        break;
      case 5:
        client_->read();
        break;
      case 6:
        for (unsigned left = script_.below(32); left > 0; --left) client_->write_frame();
        break;
      default:
        seldom();
        break;
    }
    loop_.post([this] { step(); });
  }

  void seldom() {
    switch (script_.below(16)) {
      case 0:
        client_->end_output();
        break;
      case 1:
        client_->leave();
        break;
      case 2:
        if (session_ && !std::exchange(drained_, true)) session_->drain();
        break;
      default:
        break;
    }
  }

  void end() {
    if (++turns_ == kTurnsAtTheEnd) client_->leave();
    if (turns_ == 2 * kTurnsAtTheEnd) {
      // Whose client has left is over, unless it waits for the origin's answer and cannot know.
      return loop_.stop();
    }
    client_->read();
    origin_.act(script_);
    loop_.post([this] { end(); });
  }

  Script script_;
  EventLoop loop_;
  storage::Counters counters_;
  revalidate::PolicyOptions policy_;
  ScriptedOrigin origin_;
  revalidate::OriginPool pool_{revalidate::OriginPool::Options{}, counters_};
  revalidate::OriginHealth health_{"origin"};
  storage::Generations generations_;
  storage::MemoryStore memory_{
      {std::size_t{8} << 20, 0, 64}, revalidate::DescribeResponse(policy_), counters_};
  storage::TieredStore store_{memory_, nullptr, generations_, counters_};
  revalidate::FlightTable table_{revalidate::FlightTableOptions{}};
  storage::FillBudget budget_{std::size_t{4} << 20};
  std::unique_ptr<AccessLog> log_ = AccessLog::open("off").take();
  TopTargets top_;
  revalidate::FlightContext flights_{loop_,   origin_,   pool_,   health_, store_, table_, budget_,
                                     policy_, counters_, 1 << 20, {},      {},     {}};
  ExchangeContext exchanges_{flights_,
                             store_,
                             policy_,
                             counters_,
                             &log_->make_writer(),
                             top_.make(),
                             "origin",
                             [this] { return loop_.wall_time(); },
                             [this] { return loop_.mono_time(); },
                             std::make_shared<const ExchangeOptions>(),
                             {}};
  CoarseTimers timers_{loop_};
  Http2Options options_ = [] {
    Http2Options options;
    options.max_streams = 10;
    options.stream_window = 4000;
    options.window = 70'000;
    options.flood_allowance = 60;
    return options;
  }();
  RequestParserOptions limits_ = [] {
    RequestParserOptions limits;
    limits.max_head = 2000;
    return limits;
  }();
  Http2Context sessions_{loop_, timers_, exchanges_, limits_, Http1Timeouts{}, options_};
  std::unique_ptr<Client> client_;
  std::unique_ptr<Http2Session> session_;
  int steps_ = 0;
  int turns_ = 0;
  bool drained_ = false;
};

}  // namespace

extern "C" int LLVMFuzzerInitialize(int* /*count*/, char*** /*arguments*/) {
  storage::set_log_level(storage::LogLevel::kError);
  return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  World world({reinterpret_cast<const char*>(data), size});
  world.run();
  return 0;
}
