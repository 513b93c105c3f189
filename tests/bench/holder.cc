// Opens connections, has one request answered on each, and holds them all, idle, until its input ends.
//
//   holder --port N --connections N --target /1024 --length N [--tls] [--h2]
//
// Prints "holding N" once all are idle. One that is not answered with 200 and so many bytes is an error, exit
// status 2.

#include <algorithm>
#include <arpa/inet.h>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <iterator>
#include <netinet/in.h>
#include <openssl/ssl.h>
#include <string>
#include <string_view>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>
#include <vector>

namespace {

struct Options {
  uint16_t port = 0;
  size_t connections = 0;
  std::string target = "/";
  size_t length = 0;
  bool tls = false;
  bool h2 = false;
};

[[noreturn]] void fail(const std::string& what) {
  std::fprintf(stderr, "holder: %s\n", what.c_str());
  std::exit(2);
}

Options read_options(int argc, char** argv) {
  Options options;
  for (int i = 1; i < argc; ++i) {
    const std::string_view name = argv[i];
    if (name == "--tls" || name == "--h2") {
      (name == "--tls" ? options.tls : options.h2) = true;
      continue;
    }
    if (++i == argc) fail("no value for " + std::string(name));
    if (name == "--port")
      options.port = static_cast<uint16_t>(std::atoi(argv[i]));
    else if (name == "--connections")
      options.connections = std::strtoull(argv[i], nullptr, 10);
    else if (name == "--length")
      options.length = std::strtoull(argv[i], nullptr, 10);
    else if (name == "--target")
      options.target = argv[i];
    else
      fail("unknown option " + std::string(name));
  }
  return options;
}

// One connection, blocking.
class Line {
 public:
  Line(const Options& options, SSL_CTX* context) : fd_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(options.port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (connect(fd_, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0)
      fail(std::string("cannot connect: ") + std::strerror(errno));
    if (!options.tls) return;
    ssl_ = SSL_new(context);
    SSL_set_fd(ssl_, fd_);
    if (SSL_connect(ssl_) != 1) fail("the handshake failed");
  }

  void write_all(const std::string& bytes) const {
    const auto size = static_cast<ssize_t>(bytes.size());
    const ssize_t sent = ssl_ != nullptr ? SSL_write(ssl_, bytes.data(), static_cast<int>(bytes.size()))
                                         : send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent != size) fail("the connection was closed");
  }

  // What is there, behind `text`.
  void read_more(std::string& text) const {
    std::array<char, 16 * 1024> bytes{};
    const ssize_t got = ssl_ != nullptr ? SSL_read(ssl_, bytes.data(), static_cast<int>(bytes.size()))
                                        : recv(fd_, bytes.data(), bytes.size(), 0);
    if (got <= 0) fail("the connection ended before the answer");
    text.append(bytes.data(), static_cast<size_t>(got));
  }

 private:
  int fd_;
  SSL* ssl_ = nullptr;
};

void ask_http1(const Line& line, const Options& options) {
  line.write_all("GET " + options.target + " HTTP/1.1\r\nHost: bench.example\r\n\r\n");
  std::string text;
  size_t head = std::string::npos;
  while ((head = text.find("\r\n\r\n")) == std::string::npos || text.size() < head + 4 + options.length)
    line.read_more(text);
  if (!text.starts_with("HTTP/1.1 200 ") || text.size() != head + 4 + options.length) fail("a wrong answer");
}

std::string frame(size_t length, int type, int flags, int stream) {
  std::string head;
  for (const int shift : {16, 8, 0}) head += static_cast<char>(length >> shift);
  head += static_cast<char>(type);
  head += static_cast<char>(flags);
  head += std::string(3, '\0');
  head += static_cast<char>(stream);
  return head;
}

// A field of which the static table has the name (RFC 7541, 6.2.2).
std::string literal(int index, const std::string& value) {
  return static_cast<char>(index) + (static_cast<char>(value.size()) + value);
}

void ask_http2(const Line& line, const Options& options) {
  constexpr int kData = 0, kHeaders = 1, kSettings = 4, kEndOfStream = 1;
  // :method GET and :scheme are whole entries of that table.
  const std::string fields = "\x82" + std::string(options.tls ? "\x87" : "\x86") +
                             literal(4, options.target) + literal(1, "bench.example");
  line.write_all("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + frame(0, kSettings, 0, 0) +
                 frame(fields.size(), kHeaders, 5, 1) + fields + frame(0, kSettings, 1, 0));
  std::string text;
  size_t content = 0;
  for (bool ended = false; !ended;) {
    while (text.size() < 9) line.read_more(text);
    const auto byte = [&](size_t at) { return static_cast<size_t>(static_cast<unsigned char>(text[at])); };
    const size_t length = byte(0) << 16 | byte(1) << 8 | byte(2);
    const size_t type = byte(3);
    while (text.size() < 9 + length) line.read_more(text);
    if (type == kHeaders && byte(9) != 0x88) fail("an answer that is not 200");
    if (type == kData) content += length;
    ended = byte(8) == 1 && type <= kHeaders && (byte(4) & kEndOfStream) != 0;
    text.erase(0, 9 + length);
  }
  if (content != options.length) fail("a wrong answer");
}

SSL_CTX* make_context(const Options& options) {
  SSL_CTX* context = SSL_CTX_new(TLS_client_method());
  SSL_CTX_set_min_proto_version(context, TLS1_3_VERSION);
  SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS);
  const std::string protocol = options.h2 ? "\2h2" : "\10http/1.1";
  SSL_CTX_set_alpn_protos(context, reinterpret_cast<const unsigned char*>(protocol.data()),
                          static_cast<unsigned>(protocol.size()));
  return context;
}

}  // namespace

int main(int argc, char** argv) {
  const Options options = read_options(argc, argv);
  std::signal(SIGPIPE, SIG_IGN);
  rlimit limit{};
  getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
  SSL_CTX* const context = make_context(options);
  std::vector<Line> lines;
  lines.reserve(options.connections);
  while (lines.size() < options.connections) {
    lines.emplace_back(options, context);
    options.h2 ? ask_http2(lines.back(), options) : ask_http1(lines.back(), options);
  }
  std::printf("holding %zu\n", lines.size());
  std::fflush(stdout);
  while (std::getchar() != EOF) {
  }
  std::_Exit(0);
}
