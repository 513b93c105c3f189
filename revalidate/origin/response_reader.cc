#include "revalidate/origin/response_reader.h"

#include <algorithm>
#include <utility>

namespace freshet::revalidate {

namespace {

constexpr std::size_t kLargestHead = std::size_t{256} << 10;  // curl has a limit of its own a little above
constexpr std::string_view kVersion = "HTTP/1.";

}  // namespace

ResponseReader::ResponseReader(std::size_t max_head)
    : max_head_(std::min(max_head, kLargestHead)), head_(max_head_), chunked_(max_head_) {}

void ResponseReader::begin(bool head_request, OriginHandler& handler) {
  handler_ = &handler;
  head_.reset(head_request);
  chunked_.reset();
  received_ = 0;
}

ResponseReader::Step ResponseReader::fail(OriginFailure failure, std::string detail) {
  error_ = OriginError{failure, std::move(detail)};
  return Step::kFailed;
}

ResponseReader::Step ResponseReader::read_line(std::string_view line, std::size_t behind) {
  switch (head_.read_line(line)) {
    case HeadReader::Event::kMore:
      return Step::kMore;
    case HeadReader::Event::kInformational:
      handler_->on_informational(head_.take());
      return handler_ != nullptr ? Step::kInformational : Step::kGone;
    case HeadReader::Event::kFinal:
      if (head_.framing() == BodyFraming::kLength && *head_.body_size() > 0 && *head_.body_size() <= behind) {
        handler_->expect_content(*head_.body_size());
      }
      handler_->on_head(head_.take(), head_.body_size());
      return handler_ != nullptr ? Step::kHead : Step::kGone;
    case HeadReader::Event::kMalformed:
      return fail(OriginFailure::kMalformed, head_.why());
    case HeadReader::Event::kTooLarge:
      break;
  }
  return fail(OriginFailure::kTooLarge, "the response head is over the limit");
}

ResponseReader::Step ResponseReader::check_partial_line(std::string_view line) {
  if (line.size() > max_head_) {
    return fail(OriginFailure::kTooLarge, "the response head is over the limit");
  }
  const std::string_view begins = line.substr(0, kVersion.size());
  if (!head_.in_fields() && begins != kVersion.substr(0, begins.size())) {
    return fail(OriginFailure::kMalformed, "a bad status line");
  }
  return Step::kMore;
}

ResponseReader::Step ResponseReader::read_body(std::string_view bytes, std::size_t& used) {
  used = 0;
  if (head_.framing() == BodyFraming::kNone) return Step::kWhole;
  if (head_.framing() == BodyFraming::kChunked) return read_chunked(bytes, used);
  if (const auto size = head_.body_size()) {
    bytes =
        bytes.substr(0, static_cast<std::size_t>(std::min<std::uint64_t>(*size - received_, bytes.size())));
  }
  if (!bytes.empty()) {
    const Step step = hand_on(bytes);
    if (step != Step::kMore) return step;
    used = bytes.size();
  }
  return head_.body_size() == received_ ? Step::kWhole : Step::kMore;
}

ResponseReader::Step ResponseReader::read_chunked(std::string_view bytes, std::size_t& used) {
  while (used < bytes.size() && !chunked_.at_end()) {
    const std::string_view rest = bytes.substr(used);
    const std::size_t size = chunked_.data_size(rest.size());
    if (size == 0) {
      used += chunked_.read_framing(rest);
      if (chunked_.failed()) return fail(OriginFailure::kMalformed, chunked_.why());
      continue;
    }
    const Step step = hand_on(rest.substr(0, size));
    if (step != Step::kMore) return step;
    chunked_.took_data(size);
    used += size;
  }
  return chunked_.at_end() ? Step::kWhole : Step::kMore;
}

ResponseReader::Step ResponseReader::hand_on(std::string_view bytes) {
  const OriginHandler::Body answer = handler_->on_body(bytes);
  if (handler_ == nullptr) return Step::kGone;
  if (answer == OriginHandler::Body::kPause) return Step::kPaused;
  received_ += bytes.size();
  return Step::kMore;
}

std::optional<OriginError> ResponseReader::missing_at_end() const {
  if (!head_.done()) return OriginError{OriginFailure::kReset, "closed before a whole response head"};
  if (head_.framing() == BodyFraming::kChunked && !chunked_.at_end()) {
    return OriginError{OriginFailure::kTruncated, "closed before the last chunk"};
  }
  const std::uint64_t size = head_.body_size().value_or(received_);
  if (received_ == size) return std::nullopt;
  return OriginError{OriginFailure::kTruncated,
                     "closed with " + std::to_string(size - received_) + " bytes of the body missing"};
}

OriginFailure ResponseReader::broken() const {
  return head_.done() ? OriginFailure::kTruncated : OriginFailure::kReset;
}

}  // namespace freshet::revalidate
