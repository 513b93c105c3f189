// Http2Callbacks: what nghttp2 calls, and how its sessions are set up; one table for a worker. Each callback
// finds the session and the stream and hands on, no more. Nothing that runs an exchange is called from here:
// nghttp2 may not be entered from its own callbacks.
#pragma once

#include <cstddef>
#include <cstdint>
#include <nghttp2/nghttp2.h>

namespace freshet::proxy {

struct Http2Options;
class Http2Session;
class Http2Stream;

class Http2Callbacks {
 public:
  // `max_head`: as make_session() is given.
  explicit Http2Callbacks(std::size_t max_head);
  ~Http2Callbacks();
  Http2Callbacks(const Http2Callbacks&) = delete;
  Http2Callbacks& operator=(const Http2Callbacks&) = delete;

  // A server's session, its settings ready to be sent. `max_head`: what we tell of our limit.
  [[nodiscard]] nghttp2_session* make_session(Http2Session& owner, const Http2Options& options,
                                              std::size_t max_head) const;
  [[nodiscard]] static nghttp2_data_provider provider_of(Http2Stream& stream);

 private:
  static int on_begin_headers(nghttp2_session* frames, const nghttp2_frame* frame, void* user);
  static int on_header(nghttp2_session* frames, const nghttp2_frame* frame, const std::uint8_t* name,
                       std::size_t name_size, const std::uint8_t* value, std::size_t value_size,
                       std::uint8_t flags, void* user);
  static int on_invalid_header(nghttp2_session* frames, const nghttp2_frame* frame, const std::uint8_t* name,
                               std::size_t name_size, const std::uint8_t* value, std::size_t value_size,
                               std::uint8_t flags, void* user);
  static int on_frame(nghttp2_session* frames, const nghttp2_frame* frame, void* user);
  static int on_invalid_frame(nghttp2_session* frames, const nghttp2_frame* frame, int error, void* user);
  static int on_data(nghttp2_session* frames, std::uint8_t flags, std::int32_t id, const std::uint8_t* data,
                     std::size_t size, void* user);
  static int on_close(nghttp2_session* frames, std::int32_t id, std::uint32_t error, void* user);
  static int on_sent(nghttp2_session* frames, const nghttp2_frame* frame, void* user);
  static int on_not_sent(nghttp2_session* frames, const nghttp2_frame* frame, int error, void* user);
  static ssize_t read_body(nghttp2_session* frames, std::int32_t id, std::uint8_t* buffer, std::size_t most,
                           std::uint32_t* flags, nghttp2_data_source* source, void* user);
  static int send_data(nghttp2_session* frames, nghttp2_frame* frame, const std::uint8_t* head,
                       std::size_t size, nghttp2_data_source* source, void* user);

  nghttp2_session_callbacks* callbacks_ = nullptr;
  nghttp2_option* option_ = nullptr;
};

}  // namespace freshet::proxy
