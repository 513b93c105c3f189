// The load of tests/bench/run: N connections that ask again as soon as they have their answer, one thread.
// Looks at every answer: the status and the length have to be as they should, else it is counted as wrong.
// Bodies are thrown away in the kernel (MSG_TRUNC), so that the load is not what is measured.
//
//   loader --port N [--connections 32] (--seconds S | --requests N) --target /4096?%d [--draw
//   one|sequence:FIRST|zipf:COUNT]
//          [--field 'Name: value'] [--status 200] [--length N] [--tls keep|full|resumed] [--seed N]
//
// --draw: %d in the target is 0, counts up from FIRST, or is drawn below COUNT with weight 1/rank.
// --tls keep: TLS 1.3 over kept connections; full: a handshake for each answer; resumed: the same with a
// session ticket. Prints one line of JSON: answers, wrong, firstWrong, seconds, p50, p99 (ms). No answer at
// all for ten seconds is wrong.

#include <algorithm>
#include <arpa/inet.h>
#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <memory>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <nlohmann/json.hpp>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <string>
#include <string_view>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>
#include <utility>
#include <vector>

#include "tests/bench/latencies.h"
#include "tests/bench/url_draw.h"

namespace {

using Clock = std::chrono::steady_clock;
using freshet::bench::Latencies;
using freshet::bench::UrlDraw;

constexpr uint64_t kEnough = 100;  // wrong answers

enum class Tls : uint8_t { none, keep, full, resumed };

struct Options {
  uint16_t port = 0;
  size_t connections = 32;
  double seconds = 0;
  uint64_t requests = UINT64_MAX;
  std::string target = "/";
  std::string draw = "one";
  std::string fields;
  int status = 200;
  uint64_t length = 0;
  Tls tls = Tls::none;
  uint64_t seed = 4711;
};

[[noreturn]] void fail(const std::string& what) {
  std::fprintf(stderr, "loader: %s\n", what.c_str());
  std::exit(2);
}

// A connection that waits: on loopback the kernel accepts at once.
int connect_to(uint16_t port) {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0)
    fail(std::string("cannot connect: ") + std::strerror(errno));
  const int on = 1;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  return fd;
}

bool same_name(std::string_view a, std::string_view b) {
  const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c | 0x20) : c; };
  return a.size() == b.size() &&
         std::equal(a.begin(), a.end(), b.begin(), [&](char x, char y) { return lower(x) == lower(y); });
}

// UINT64_MAX: the head has none.
uint64_t content_length(std::string_view head) {
  constexpr std::string_view kName = "content-length:";
  for (size_t line = head.find('\n'); line != std::string_view::npos; line = head.find('\n', line + 1)) {
    if (same_name(head.substr(line + 1, kName.size()), kName))
      return std::strtoull(head.data() + line + 1 + kName.size(), nullptr, 10);
  }
  return UINT64_MAX;
}

class Loader;

class Connection {
 public:
  Connection(Loader& loader, size_t index) : loader_(loader), index_(index) {}
  ~Connection() { drop(); }
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  void begin();
  void advance();

 private:
  void connect();
  void drop();
  void send_request();
  bool read_head();
  bool read_body();
  void finish();
  void wrong(const std::string& why);
  ssize_t receive(char* to, size_t room);

  Loader& loader_;
  const size_t index_;
  int fd_ = -1;
  SSL* ssl_ = nullptr;
  Clock::time_point asked_;
  std::string request_;
  bool sent_ = false;
  std::array<char, 16 * 1024> in_{};
  size_t have_ = 0;
  uint64_t body_left_ = 0;
  bool in_body_ = false;
};

class Loader {
 public:
  explicit Loader(const Options& given)
      : options(given), draw_(given.draw, given.seed), epoll_(epoll_create1(EPOLL_CLOEXEC)) {
    const size_t number = given.target.find("%d");
    before_ = "GET " + given.target.substr(0, number);
    after_ = (number == std::string::npos ? "" : given.target.substr(number + 2)) +
             " HTTP/1.1\r\nHost: bench.example\r\n" + given.fields + "\r\n";
    numbered_ = number != std::string::npos;
    if (given.tls != Tls::none) start_tls();
  }

  // Until the time or the requests are over.
  void run() {
    if (options.tls == Tls::resumed) take_session();
    began_ = Clock::now();
    const auto seconds = std::chrono::duration<double>(options.seconds > 0 ? options.seconds : 1e6);
    const auto end = began_ + std::chrono::duration_cast<Clock::duration>(seconds);
    for (size_t i = 0; i < options.connections; ++i)
      connections_.push_back(std::make_unique<Connection>(*this, i));
    for (const auto& each : connections_) each->begin();
    std::array<epoll_event, 512> events{};
    auto last = began_;
    now_ = began_;
    while (now_ < end && answers_ + wrong_ < options.requests && wrong_ < kEnough) {
      const int count = epoll_wait(epoll_, events.data(), events.size(), 100);
      now_ = Clock::now();
      for (int i = 0; i < count; ++i) connections_[events.at(static_cast<size_t>(i)).data.u64]->advance();
      if (count > 0) last = now_;
      if (now_ - last > std::chrono::seconds(10)) return add_wrong("no answer for ten seconds");
    }
  }

  [[nodiscard]] std::string report() const {
    const double seconds = std::chrono::duration<double>(Clock::now() - began_).count();
    return nlohmann::json{{"answers", answers_}, {"wrong", wrong_},           {"firstWrong", first_wrong_},
                          {"seconds", seconds},  {"p50", latencies_.at(0.5)}, {"p99", latencies_.at(0.99)}}
        .dump();
  }

  void write_request(std::string& to) {
    to = before_;
    if (numbered_) to += std::to_string(draw_.next());
    to += after_;
  }
  [[nodiscard]] bool more() const { return begun_ < options.requests; }
  [[nodiscard]] Clock::time_point now() const { return now_; }
  void begun() { ++begun_; }
  void add_answer(Clock::duration took) {
    ++answers_;
    latencies_.add(took);
  }
  void add_wrong(const std::string& why) {
    if (wrong_++ == 0) first_wrong_ = why;
  }
  [[nodiscard]] uint64_t wrong_so_far() const { return wrong_; }
  void watch(int fd, size_t index) const {
    epoll_event event{.events = EPOLLIN | EPOLLRDHUP, .data = {.u64 = index}};
    epoll_ctl(epoll_, EPOLL_CTL_ADD, fd, &event);
  }

  SSL* new_ssl(int fd) {
    SSL* ssl = SSL_new(context_);
    SSL_set_fd(ssl, fd);
    SSL_ctrl(ssl, SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name, host_.data());
    if (options.tls == Tls::resumed && session_ != nullptr) {
      SSL_SESSION* session = SSL_SESSION_dup(session_);
      SSL_set_session(ssl, session);
      SSL_SESSION_free(session);
    }
    SSL_set_connect_state(ssl);
    return ssl;
  }

  const Options options;

 private:
  void start_tls() {
    context_ = SSL_CTX_new(TLS_client_method());
    SSL_CTX_set_min_proto_version(context_, TLS1_3_VERSION);
    SSL_CTX_set_mode(context_, SSL_MODE_AUTO_RETRY);
    SSL_CTX_set_session_cache_mode(context_, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
    SSL_CTX_set_ex_data(context_, 0, this);
    SSL_CTX_sess_set_new_cb(context_, [](SSL* ssl, SSL_SESSION* session) {
      auto* self = static_cast<Loader*>(SSL_CTX_get_ex_data(SSL_get_SSL_CTX(ssl), 0));
      // Each connection gets a copy of one ticket: a session that was used is not to be used again, to
      // OpenSSL's mind.
      if (self->session_ == nullptr) self->session_ = SSL_SESSION_dup(session);
      return 0;
    });
  }

  // One handshake in full, and one answer, behind which the ticket comes.
  void take_session() {
    SSL* ssl = new_ssl(connect_to(options.port));
    std::string request;
    write_request(request);
    std::array<char, 4096> answer{};
    SSL_write(ssl, request.data(), static_cast<int>(request.size()));
    while (session_ == nullptr && SSL_read(ssl, answer.data(), answer.size()) > 0) {
    }
    if (session_ == nullptr) fail("the server gives no session ticket");
    SSL_shutdown(ssl);
    close(SSL_get_fd(ssl));
    SSL_free(ssl);
  }

  UrlDraw draw_;
  int epoll_;
  SSL_CTX* context_ = nullptr;
  SSL_SESSION* session_ = nullptr;
  std::string host_ = "bench.example";
  std::string before_, after_;
  bool numbered_;
  std::vector<std::unique_ptr<Connection>> connections_;
  Latencies latencies_;
  Clock::time_point began_, now_;
  uint64_t begun_ = 0, answers_ = 0, wrong_ = 0;
  std::string first_wrong_;
};

void Connection::begin() {
  if (!loader_.more()) return;
  asked_ = Clock::now();
  loader_.begun();
  loader_.write_request(request_);
  have_ = 0;
  sent_ = false;
  in_body_ = false;
  if (fd_ < 0) connect();
  // A handshake that was over at once has sent it.
  const bool ready = ssl_ == nullptr || SSL_is_init_finished(ssl_) == 1;
  if (fd_ >= 0 && !sent_ && ready) send_request();
}

void Connection::connect() {
  fd_ = connect_to(loader_.options.port);
  fcntl(fd_, F_SETFL, O_NONBLOCK);
  loader_.watch(fd_, index_);
  if (loader_.options.tls == Tls::none) return;
  ssl_ = loader_.new_ssl(fd_);
  advance();
}

void Connection::drop() {
  if (ssl_ != nullptr) {
    SSL_shutdown(ssl_);
    ERR_clear_error();
    SSL_free(std::exchange(ssl_, nullptr));
  }
  if (fd_ >= 0) close(std::exchange(fd_, -1));
}

// A request fits the socket's room, since the one before it has been answered.
void Connection::send_request() {
  const ssize_t sent = ssl_ != nullptr ? SSL_write(ssl_, request_.data(), static_cast<int>(request_.size()))
                                       : send(fd_, request_.data(), request_.size(), MSG_NOSIGNAL);
  sent_ = true;
  if (sent != static_cast<ssize_t>(request_.size())) wrong("the connection was closed before the request");
}

// Bytes, 0 at the end, -1 when there is nothing yet. Without a place to put them they are thrown away.
ssize_t Connection::receive(char* to, size_t room) {
  if (ssl_ == nullptr) {
    const ssize_t got = recv(fd_, to, room, to == nullptr ? MSG_TRUNC : 0);
    return got >= 0 ? got : errno == EAGAIN ? -1 : 0;
  }
  const int got = to != nullptr ? SSL_read(ssl_, to, static_cast<int>(room))
                                : SSL_read(ssl_, in_.data(), static_cast<int>(std::min(room, in_.size())));
  if (got > 0) return got;
  const int error = SSL_get_error(ssl_, got);
  ERR_clear_error();
  return error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE ? -1 : 0;
}

// What has come: the rest of a handshake, of a head, of a body.
void Connection::advance() {
  if (fd_ < 0) return;
  if (ssl_ != nullptr && SSL_is_init_finished(ssl_) == 0) {
    const int result = SSL_do_handshake(ssl_);
    if (result != 1) {
      const int error = SSL_get_error(ssl_, result);
      ERR_clear_error();
      if (error != SSL_ERROR_WANT_READ) wrong("the handshake failed");
      return;
    }
    const bool resumed = SSL_session_reused(ssl_) == 1;
    if (resumed != (loader_.options.tls == Tls::resumed))
      return wrong(resumed ? "the session was resumed" : "the session was not resumed");
    send_request();
  }
  while (fd_ >= 0 && sent_ && (in_body_ ? read_body() : read_head())) {
  }
}

// False when there is no more to read now.
bool Connection::read_head() {
  const ssize_t got = receive(in_.data() + have_, in_.size() - have_);
  if (got < 0) return false;
  if (got == 0) return wrong("the connection was closed before the answer"), false;
  have_ += static_cast<size_t>(got);
  const std::string_view text(in_.data(), have_);
  const size_t end = text.find("\r\n\r\n");
  if (end == std::string_view::npos) return true;
  const std::string_view head = text.substr(0, end + 2);
  const Options& options = loader_.options;
  if (head.size() < 12 || std::strtol(in_.data() + 9, nullptr, 10) != options.status) {
    return wrong("answered: " + std::string(head.substr(0, head.find('\r')))), false;
  }
  // A 304 has no body, whatever length it tells.
  const uint64_t length = options.status == 304 ? 0 : content_length(head);
  const size_t more = have_ - end - 4;
  if (length != options.length || more > length)
    return wrong("the length is not " + std::to_string(options.length) + ": " + std::string(head)), false;
  body_left_ = length - more;
  in_body_ = true;
  return read_body();
}

bool Connection::read_body() {
  while (body_left_ > 0) {
    const ssize_t got = receive(nullptr, body_left_);
    if (got < 0) return false;
    if (got == 0) return wrong("the connection was closed inside the body"), false;
    body_left_ -= static_cast<uint64_t>(got);
  }
  loader_.add_answer(Clock::now() - asked_);
  if (loader_.options.tls == Tls::full || loader_.options.tls == Tls::resumed) drop();
  begin();
  return false;  // the next answer cannot be there yet; TLS 1.3 tickets are read before it
}

// Counted; a new connection goes on, until there are so many that something is wrong with all.
void Connection::wrong(const std::string& why) {
  loader_.add_wrong(why);
  drop();
  if (loader_.wrong_so_far() < kEnough) begin();
}

Options parse(const std::vector<std::string>& words) {
  Options options;
  for (size_t i = 0; i + 1 < words.size(); i += 2) {
    const std::string& name = words[i];
    const std::string& value = words[i + 1];
    const auto number = [&value] { return std::strtoull(value.c_str(), nullptr, 10); };
    if (name == "--port")
      options.port = static_cast<uint16_t>(number());
    else if (name == "--connections")
      options.connections = number();
    else if (name == "--seconds")
      options.seconds = std::strtod(value.c_str(), nullptr);
    else if (name == "--requests")
      options.requests = number();
    else if (name == "--target")
      options.target = value;
    else if (name == "--draw")
      options.draw = value;
    else if (name == "--field")
      options.fields += value + "\r\n";
    else if (name == "--status")
      options.status = static_cast<int>(number());
    else if (name == "--length")
      options.length = number();
    else if (name == "--seed")
      options.seed = number();
    else if (name == "--tls")
      options.tls = value == "full" ? Tls::full : value == "resumed" ? Tls::resumed : Tls::keep;
    else
      fail("what is " + name + "?");
  }
  return options;
}

}  // namespace

int main(int argc, char** argv) {
  std::signal(SIGPIPE, SIG_IGN);
  Loader loader(parse(std::vector<std::string>(argv + 1, argv + argc)));
  loader.run();
  std::puts(loader.report().c_str());
}
