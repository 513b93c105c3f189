#include "proxy/exchange/multipart.h"

#include <random>
#include <utility>

#include "storage/base/hash.h"

namespace freshet::proxy {

std::string random_boundary() {
  thread_local std::random_device device;
  const auto word = [] { return (std::uint64_t{device()} << 32U) | device(); };
  const std::uint64_t high = word();
  return storage::Digest128{high, word()}.hex();
}

Multipart::Multipart(std::vector<storage::ByteRange> parts, std::uint64_t size,
                     std::optional<std::string_view> part_type, std::string boundary)
    : parts_(std::move(parts)), size_(size), boundary_(std::move(boundary)) {
  if (part_type) part_type_.append("Content-Type: ").append(*part_type).append("\r\n");
}

std::string Multipart::content_type() const {
  return "multipart/byteranges; boundary=" + boundary_;
}

std::string Multipart::head_of(std::size_t part) const {
  std::string head(part == 0 ? "--" : "\r\n--");
  head.append(boundary_).append("\r\n").append(part_type_).append("Content-Range: ");
  storage::append_content_range(head, parts_[part], size_);
  head.append("\r\n\r\n");
  return head;
}

std::string Multipart::closing() const {
  return "\r\n--" + boundary_ + "--\r\n";
}

std::uint64_t Multipart::content_length() const {
  std::uint64_t length = closing().size();
  for (std::size_t i = 0; i < parts_.size(); ++i) length += head_of(i).size() + parts_[i].size();
  return length;
}

std::optional<Multipart::Part> Multipart::next_part() {
  if (next_ == parts_.size()) return std::nullopt;
  Part part{parts_[next_], head_of(next_)};
  ++next_;
  return part;
}

}  // namespace freshet::proxy
