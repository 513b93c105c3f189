// Recorder: an OriginHandler that notes what it is told, with hooks for what a test does meanwhile.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "revalidate/origin/origin_client.h"

namespace freshet::revalidate {

class Recorder final : public OriginHandler {
 public:
  void on_sent() override {
    ++sent;
    if (at_sent) at_sent();
  }
  void on_informational(storage::ResponseHead got) override {
    informational.push_back(got.status);
    if (at_informational) at_informational();
  }
  void expect_content(std::uint64_t size) override { expected = size; }
  void on_head(storage::ResponseHead got, std::optional<std::uint64_t> size) override {
    ++heads;
    head = std::move(got);
    body_size = size;
    if (at_head) at_head();
  }
  Body on_body(std::string_view bytes) override {
    if (at_body) {
      const Body answer = at_body(bytes);
      if (answer == Body::kPause) return answer;
    }
    body.append(bytes);
    return Body::kTaken;
  }
  void on_complete(storage::HeaderFields got) override {
    ++completed;
    trailers = std::move(got);
    if (at_end) at_end();
  }
  void on_failure(OriginError got) override {
    ++failed;
    error = std::move(got);
    if (at_end) at_end();
  }
  [[nodiscard]] bool ended() const { return completed + failed > 0; }

  std::function<void()> at_sent;
  std::function<void()> at_informational;
  std::function<void()> at_head;
  std::function<Body(std::string_view)> at_body;
  std::function<void()> at_end;

  std::uint64_t expected = 0;
  int sent = 0;
  int heads = 0;
  int completed = 0;
  int failed = 0;
  std::vector<int> informational;
  storage::ResponseHead head;
  std::optional<std::uint64_t> body_size;
  std::string body;
  storage::HeaderFields trailers;
  OriginError error;
};

}  // namespace freshet::revalidate
