#include "proxy/net/service_manager.h"

#include <array>
#include <cstddef>
#include <cstdlib>
#include <gtest/gtest.h>
#include <string>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "proxy/net/descriptor.h"

namespace freshet::proxy {
namespace {

// A manager's socket, by path or (with @) in the abstract namespace.
class Manager {
 public:
  explicit Manager(const std::string& name) : socket_(::socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0)) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    name.copy(address.sun_path, name.size());
    if (name.front() == '@') address.sun_path[0] = '\0';
    const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + name.size());
    EXPECT_EQ(::bind(socket_.get(), reinterpret_cast<const sockaddr*>(&address), size), 0);
  }
  std::string heard() {
    std::array<char, 100> text{};
    const ssize_t got = ::recv(socket_.get(), text.data(), text.size(), 0);
    return got < 0 ? "nothing" : std::string(text.data(), static_cast<std::size_t>(got));
  }

 private:
  Descriptor socket_;
};

TEST(ServiceManager, IsToldByPathAndInTheAbstractNamespace) {
  std::string folder = testing::TempDir() + "notify.XXXXXX";
  ASSERT_NE(mkdtemp(folder.data()), nullptr);
  const std::string path = folder + "/s";
  Manager by_path(path);
  EXPECT_TRUE(tell_service_manager("READY=1", path));
  EXPECT_EQ(by_path.heard(), "READY=1");
  unlink(path.c_str());
  rmdir(folder.c_str());

  const std::string abstract = "@freshet-notify-test-" + std::to_string(getpid());
  Manager by_name(abstract);
  EXPECT_TRUE(tell_service_manager("STOPPING=1", abstract));
  EXPECT_EQ(by_name.heard(), "STOPPING=1");
}

TEST(ServiceManager, NobodyThereDoesNoHarm) {
  EXPECT_FALSE(tell_service_manager("READY=1", ""));
  EXPECT_FALSE(tell_service_manager("READY=1", "relative"));
  EXPECT_FALSE(tell_service_manager("READY=1", "/no/such/socket"));
  EXPECT_FALSE(tell_service_manager("READY=1", "/" + std::string(200, 'x')));
}

}  // namespace
}  // namespace freshet::proxy
