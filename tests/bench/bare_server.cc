// A server that only answers prebuilt bytes, with plain libevent events: what a hit costs at least (the
// ceiling of tests/bench/run), and the origin of its rows.
//
//   bare_server PORT FOLDER SIZE... [--tls CERTIFICATE KEY]
//
// GET /SIZE?whatever has SIZE bytes, may be kept for a day and has an entity tag; with If-None-Match it is a
// 304. GET /requests says how many requests came before, these questions not counted. One thread. It trusts
// its clients: it finds the end of a head and looks at nothing else. Says "ready" when it listens. FOLDER
// gets one file SIZE with the same bytes each, for peers that serve files. No HTTP/2. Ends on SIGTERM.

#include <algorithm>
#include <arpa/inet.h>
#include <array>
#include <cerrno>
#include <charconv>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <event2/event.h>
#include <fstream>
#include <map>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <string>
#include <string_view>
#include <sys/socket.h>
#include <unistd.h>
#include <vector>

namespace {

constexpr size_t kBufferSize = 16 * 1024;

[[noreturn]] void fail(const std::string& what) {
  std::fprintf(stderr, "bare_server: %s\n", what.c_str());
  std::exit(1);
}

std::string http_date() {
  std::array<char, 64> text{};
  const std::time_t now = std::time(nullptr);
  std::tm parts{};
  gmtime_r(&now, &parts);
  return {text.data(), std::strftime(text.data(), text.size(), "%a, %d %b %Y %H:%M:%S GMT", &parts)};
}

// What is answered, built once.
class Answers {
 public:
  explicit Answers(const std::vector<size_t>& sizes) {
    for (const size_t size : sizes) {
      const std::string fields = "Date: " + http_date() + "\r\nCache-Control: max-age=86400\r\nETag: \"" +
                                 std::to_string(size) + "\"\r\n";
      bodies_[size] = body(size);
      whole_[size] = "HTTP/1.1 200 OK\r\n" + fields +
                     "Content-Type: application/octet-stream\r\nContent-Length: " + std::to_string(size) +
                     "\r\n\r\n" + bodies_[size];
      not_modified_[size] = "HTTP/1.1 304 Not Modified\r\n" + fields + "\r\n";
    }
  }

  void write_files(const std::string& folder) const {
    for (const auto& [size, bytes] : bodies_) std::ofstream(folder + "/" + std::to_string(size)) << bytes;
  }

  // The answer to a request head; lives until the next call.
  std::string_view to(std::string_view head) {
    if (head.starts_with("GET /requests ")) return count();
    ++requests_;
    size_t size = 0;
    const std::string_view target = head.substr(std::min<size_t>(head.size(), 5));
    std::from_chars(target.data(), target.data() + target.size(), size);
    const bool conditional = head.find("\nIf-None-Match:") != std::string_view::npos ||
                             head.find("\nif-none-match:") != std::string_view::npos;
    const auto& answers = conditional ? not_modified_ : whole_;
    const auto found = answers.find(size);
    return found != answers.end() ? std::string_view(found->second) : kNotFound;
  }

 private:
  static constexpr std::string_view kNotFound =
      "HTTP/1.1 404 Not Found\r\nCache-Control: no-store\r\nContent-Length: 0\r\n\r\n";

  static std::string body(size_t size) {
    std::string bytes;
    bytes.reserve(size);
    while (bytes.size() < size) bytes += "freshet ";
    bytes.resize(size);
    return bytes;
  }

  std::string_view count() {
    const std::string digits = std::to_string(requests_);
    count_ =
        "HTTP/1.1 200 OK\r\nCache-Control: no-store\r\nContent-Length: " + std::to_string(digits.size()) +
        "\r\n\r\n" + digits;
    return count_;
  }

  std::map<size_t, std::string> bodies_, whole_, not_modified_;
  std::string count_;
  uint64_t requests_ = 0;
};

// One client. Answers one request at a time, and reads on when its answer is with the kernel. Deletes itself.
class Connection {
 public:
  Connection(event_base* base, int fd, SSL_CTX* tls, Answers& answers) : fd_(fd), answers_(answers) {
    if (tls != nullptr) {
      ssl_ = SSL_new(tls);
      SSL_set_fd(ssl_, fd);
      SSL_set_accept_state(ssl_);
    }
    readable_ = event_new(base, fd, EV_READ | EV_PERSIST, on_event, this);
    writable_ = event_new(base, fd, EV_WRITE, on_event, this);
    event_add(readable_, nullptr);
  }
  ~Connection() {
    event_free(readable_);
    event_free(writable_);
    SSL_free(ssl_);
    close(fd_);
  }
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

 private:
  enum class Io : uint8_t { done, again, closed };

  static void on_event(int, short, void* self) {
    auto* connection = static_cast<Connection*>(self);
    if (!connection->advance()) delete connection;
  }

  // False when the connection is to be closed.
  bool advance() {
    for (;;) {
      if (!answer_.empty()) {
        const Io io = send_answer();
        if (io == Io::closed) return false;
        if (io == Io::again) return event_add(writable_, nullptr) == 0;
      }
      const std::string_view in(in_.data() + begin_, end_ - begin_);
      const size_t head = in.find("\r\n\r\n");
      if (head != std::string_view::npos) {
        answer_ = answers_.to(in.substr(0, head + 2));
        begin_ += head + 4;
        if (begin_ == end_) begin_ = end_ = 0;
        continue;
      }
      if (served_ && begin_ == end_ &&
          (ssl_ == nullptr || SSL_has_pending(ssl_) == 0)) {  // an event tells of the next
        served_ = false;
        return true;
      }
      const Io io = receive();
      if (io != Io::done) return io == Io::again;
    }
  }

  Io send_answer() {
    while (!answer_.empty()) {
      const ssize_t sent = ssl_ != nullptr
                               ? tls_result(SSL_write(ssl_, answer_.data(), static_cast<int>(answer_.size())))
                               : send(fd_, answer_.data(), answer_.size(), MSG_NOSIGNAL);
      if (sent <= 0) return sent < 0 && errno == EAGAIN ? Io::again : Io::closed;
      answer_.remove_prefix(static_cast<size_t>(sent));
    }
    served_ = true;
    return Io::done;
  }

  Io receive() {
    if (end_ == in_.size()) return Io::closed;  // a head that long nobody sends here
    const size_t room = in_.size() - end_;
    const ssize_t got = ssl_ != nullptr
                            ? tls_result(SSL_read(ssl_, in_.data() + end_, static_cast<int>(room)))
                            : recv(fd_, in_.data() + end_, room, 0);
    if (got <= 0) return got < 0 && errno == EAGAIN ? Io::again : Io::closed;
    end_ += static_cast<size_t>(got);
    return Io::done;
  }

  // As send and recv tell it. A handshake that cannot write is so short here that reading is what it waits
  // for.
  ssize_t tls_result(int result) {
    if (result > 0) return result;
    const int error = SSL_get_error(ssl_, result);
    ERR_clear_error();
    errno = error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE ? EAGAIN : EPROTO;
    return -1;
  }

  const int fd_;
  Answers& answers_;
  SSL* ssl_ = nullptr;
  event* readable_;
  event* writable_;
  std::array<char, kBufferSize> in_;
  size_t begin_ = 0, end_ = 0;
  std::string_view answer_;
  bool served_ = false;
};

struct Server {
  event_base* base;
  SSL_CTX* tls;
  Answers answers;
};

void on_accept(int listener, short, void* argument) {
  auto* server = static_cast<Server*>(argument);
  for (;;) {
    const int fd = accept4(listener, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) return;
    const int on = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    new Connection(server->base, fd, server->tls, server->answers);
  }
}

int listen_on(uint16_t port) {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  const int on = 1;
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0 || listen(fd, 4096) != 0) {
    fail("cannot listen on port " + std::to_string(port));
  }
  return fd;
}

SSL_CTX* server_context(const std::string& certificate, const std::string& key) {
  SSL_CTX* context = SSL_CTX_new(TLS_server_method());
  SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  SSL_CTX_set_read_ahead(context, 1);
  if (SSL_CTX_use_certificate_chain_file(context, certificate.c_str()) != 1 ||
      SSL_CTX_use_PrivateKey_file(context, key.c_str(), SSL_FILETYPE_PEM) != 1) {
    fail("cannot read certificate or key");
  }
  return context;
}

}  // namespace

int main(int argc, char** argv) {
  const std::vector<std::string> words(argv + 1, argv + argc);
  std::vector<size_t> sizes;
  SSL_CTX* tls = nullptr;
  for (size_t i = 2; i < words.size(); ++i) {
    if (words[i] == "--tls" && i + 2 < words.size()) {
      tls = server_context(words[i + 1], words[i + 2]);
      break;
    }
    sizes.push_back(std::strtoul(words[i].c_str(), nullptr, 10));
  }
  if (sizes.empty()) fail("usage: bare_server PORT FOLDER SIZE... [--tls CERTIFICATE KEY]");
  std::signal(SIGPIPE, SIG_IGN);
  std::signal(SIGTERM, [](int) { _exit(0); });

  Server server{.base = event_base_new(), .tls = tls, .answers = Answers(sizes)};
  server.answers.write_files(words[1]);
  const int listener = listen_on(static_cast<uint16_t>(std::strtoul(words[0].c_str(), nullptr, 10)));
  event_add(event_new(server.base, listener, EV_READ | EV_PERSIST, on_accept, &server), nullptr);
  std::puts("ready");
  std::fflush(stdout);
  return event_base_dispatch(server.base);
}
