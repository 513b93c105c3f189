// CurlTransfer: one curl easy handle, and the request that it carries now. Idle -> begin() -> in the multi
// handle (curl calls the functions below) -> verdict() when curl is done, or abandon() -> end() -> idle
// again. Handles are kept, and only what differs from the last request is set anew.
//
// Private to the curl client, which owns it, on its thread. It calls the handler's on_sent() to on_body();
// the last callback is the client's to make, outside of curl.
#pragma once

#include <array>
#include <curl/curl.h>
#include <functional>
#include <optional>
#include <string>

#include "revalidate/origin/curl_client.h"
#include "revalidate/origin/curl_header_list.h"
#include "revalidate/origin/idle_connections.h"
#include "revalidate/origin/response_reader.h"

namespace freshet::revalidate {

class CurlCall;

class CurlTransfer {
 public:
  enum class End {
    kComplete,
    kFailed,
    kAgain
  };  // kAgain: nothing was sent; begin_again() on a new connection
  struct Verdict {
    End end = End::kFailed;
    OriginError error;
    storage::HeaderFields trailers;
  };

  // `timed_out` is called from the loop when the origin took too long.
  CurlTransfer(const CurlClient::Options& options, storage::IoLoop& loop, IdleConnections& idle,
               storage::Counters& counters, std::function<void(CurlTransfer&)> timed_out);
  ~CurlTransfer();
  CurlTransfer(const CurlTransfer&) = delete;
  CurlTransfer& operator=(const CurlTransfer&) = delete;

  [[nodiscard]] CURL* easy() const { return easy_; }
  void begin(OriginRequest request, OriginHandler& handler, UploadSource* upload);
  void begin_again();
  // No callback comes any more; curl is told to stop at its next call.
  void abandon();
  [[nodiscard]] Verdict verdict(CURLcode code);
  void end();

  [[nodiscard]] OriginHandler* handler() const { return reader_.handler(); }
  void unpause(bool receive, bool send);  // calls into curl
  [[nodiscard]] bool has_head() const { return reader_.has_head(); }

  // The client's own notes.
  CurlCall* call = nullptr;
  bool in_multi = false;
  bool unpause_receive = false;  // put off until curl has given control back
  bool unpause_send = false;

 private:
  static std::size_t on_header(char* bytes, std::size_t one, std::size_t size, void* self);
  static std::size_t on_write(char* bytes, std::size_t one, std::size_t size, void* self);
  static std::size_t on_read(char* buffer, std::size_t one, std::size_t capacity, void* self);
  static int on_request(void* self, char* ip, char* local_ip, int port, int local_port);
  static int on_text(CURL*, curl_infotype type, char* text, std::size_t size, void* self);
  static int on_close(void* idle, curl_socket_t descriptor);

  template <typename Value>
  void set(CURLoption option, Value value);
  void set_constants(const CurlClient::Options& options);
  void set_method();

  bool header_line(std::string_view line);
  bool final_head();
  [[nodiscard]] bool response_is_whole();
  enum class Taken { kAll, kPaused, kStop };
  Taken body_bytes(std::string_view bytes);
  std::size_t upload_bytes(char* buffer, std::size_t capacity);
  bool may_send();
  bool fail(OriginFailure failure, std::string detail);  // always false
  [[nodiscard]] OriginError error_from(CURLcode code) const;
  void forbid_reuse();
  void watch_progress();

  const CurlClient::Options& options_;
  IdleConnections& idle_;
  storage::Counters& counters_;
  std::function<void(CurlTransfer&)> timed_out_;
  std::unique_ptr<storage::IoTimer> watchdog_;
  CURL* easy_;
  std::array<char, CURL_ERROR_SIZE> error_text_{};
  CurlHeaderList header_list_;

  OriginRequest request_;
  UploadSource* upload_ = nullptr;
  ResponseReader reader_;

  std::optional<OriginError> error_;  // why we stopped curl
  bool whole_ = false;                // the response is whole, though curl may not be done
  bool want_fresh_ = false;           // the kept connection is not fit
  bool close_notified_ = false;       // TLS only
  bool allowed_to_send_ = false;
  bool upload_done_ = false;
  bool receive_paused_ = false;
  bool send_paused_ = false;
  bool forbids_reuse_ = false;
  bool fresh_connect_ = false;
  long connects_ = 0;
  std::string ends_;  // of the connection in use: both addresses and ports
  std::uint64_t uploaded_ = 0;
  std::size_t handed_on_ = 0;  // of the bytes that curl will show once more after a pause
  storage::MonoTime last_activity_;
};

}  // namespace freshet::revalidate
