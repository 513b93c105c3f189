#include "storage/rocksdb/record.h"

#include <algorithm>
#include <type_traits>

#include "storage/base/check.h"

namespace freshet::storage {

namespace {

constexpr std::uint8_t kFirstHeadRecordForm = 1;  // format version 1; read, no longer written
constexpr std::uint8_t kHeadRecordForm = 2;
constexpr std::uint8_t kChunkRecordForm = 1;
constexpr std::uint8_t kFlagCredentials = 1;
constexpr std::uint8_t kFlagOwnEntityTag = 2;
constexpr std::uint8_t kFlagSliced = 4;
constexpr std::uint8_t kFlagOutdated = 8;
constexpr std::uint8_t kAllFlags = 15;
constexpr std::size_t kBodyIdOffset = 2;  // in a head record
constexpr std::size_t kPlaceOffset = 24;  // the family of its extent; then the place's id
constexpr std::size_t kChecksumSize = 8;

template <typename T>
void put(std::string& out, T value) {
  auto bits = static_cast<std::make_unsigned_t<T>>(value);
  for (std::size_t i = 0; i < sizeof(T); ++i) {
    out.push_back(static_cast<char>(static_cast<unsigned char>(bits & 0xff)));
    if constexpr (sizeof(T) > 1) bits = static_cast<std::make_unsigned_t<T>>(bits >> 8);
  }
}

template <typename T>
void put_big_endian(std::string& out, T value) {
  for (std::size_t i = sizeof(T); i-- > 0;) {
    out.push_back(static_cast<char>(static_cast<unsigned char>((value >> (8 * i)) & 0xff)));
  }
}

template <typename Length>
void put_text(std::string& out, std::string_view text) {
  put(out, static_cast<Length>(text.size()));
  out.append(text);
}

void put_digest(std::string& out, const Digest128& digest) {
  put_big_endian(out, digest.high);
  put_big_endian(out, digest.low);
}

std::uint64_t checksum(std::string_view bytes) {
  return digest128(bytes).low;
}

// Takes numbers and texts from the front; after the first that does not fit, ok() is false for good.
class Reader {
 public:
  explicit Reader(std::string_view bytes) : rest_(bytes) {}

  template <typename T>
  T number() {
    const std::string_view bytes = take(sizeof(T));
    std::make_unsigned_t<T> value = 0;
    for (std::size_t i = 0; i < bytes.size(); ++i) {
      const auto byte = static_cast<unsigned char>(bytes[i]);
      value = static_cast<std::make_unsigned_t<T>>(value |
                                                   (static_cast<std::make_unsigned_t<T>>(byte) << (8 * i)));
    }
    return static_cast<T>(value);
  }
  template <typename Length>
  std::string_view text() {
    return take(number<Length>());
  }
  std::string_view take(std::size_t size) {
    if (size > rest_.size()) {
      ok_ = false;
      rest_ = {};
      return {};
    }
    const std::string_view taken = rest_.substr(0, size);
    rest_.remove_prefix(size);
    return taken;
  }
  [[nodiscard]] bool ok() const { return ok_; }
  [[nodiscard]] bool at_end() const { return ok_ && rest_.empty(); }

 private:
  std::string_view rest_;
  bool ok_ = true;
};

void put_selecting(std::string& out, const SelectingFields& fields) {
  put(out, static_cast<std::uint16_t>(fields.size()));
  for (const SelectingField& field : fields) {
    put_text<std::uint16_t>(out, field.name);
    put(out, static_cast<std::uint8_t>(field.value ? 1 : 0));
    put_text<std::uint32_t>(out, field.value ? std::string_view(*field.value) : std::string_view());
  }
}

void read_selecting(Reader& in, SelectingFields& fields) {
  const auto count = in.number<std::uint16_t>();
  for (std::uint16_t i = 0; i < count && in.ok(); ++i) {
    SelectingField& field = fields.emplace_back();
    field.name = in.text<std::uint16_t>();
    const bool present = in.number<std::uint8_t>() != 0;
    const std::string_view value = in.text<std::uint32_t>();
    if (present) field.value = std::string(value);
  }
}

void put_fields(std::string& out, const HeaderFields& fields) {
  put(out, static_cast<std::uint32_t>(fields.wire().size()));
  put(out, static_cast<std::uint32_t>(fields.size()));
  for (const HeaderFields::Line line : fields) {
    put_text<std::uint16_t>(out, line.name);
    put_text<std::uint32_t>(out, line.value);
  }
}

void read_fields(Reader& in, HeaderFields& fields, std::size_t record_size) {
  const std::size_t wire_size = in.number<std::uint32_t>();
  const std::size_t count = in.number<std::uint32_t>();
  // Each line takes at least six bytes here: a count that does not fit must not reserve memory.
  fields.reserve(std::min(wire_size, record_size), std::min(count, record_size / 6));
  for (std::size_t i = 0; i < count && in.ok(); ++i) {
    const std::string_view name = in.text<std::uint16_t>();
    const std::string_view value = in.text<std::uint32_t>();
    if (in.ok()) fields.add(name, value);
  }
}

void put_tags(std::string& out, const std::vector<std::string>& tags) {
  put(out, static_cast<std::uint32_t>(tags.size()));
  for (const std::string& tag : tags) put_text<std::uint32_t>(out, tag);
}

void read_tags(Reader& in, std::vector<std::string>& tags) {
  const auto count = in.number<std::uint32_t>();
  for (std::uint32_t i = 0; i < count && in.ok(); ++i) tags.emplace_back(in.text<std::uint32_t>());
}

std::uint8_t flags_of(const StoredHead& head) {
  unsigned flags = 0;
  if (head.request_had_credentials) flags |= kFlagCredentials;
  if (head.own_entity_tag) flags |= kFlagOwnEntityTag;
  if (head.sliced) flags |= kFlagSliced;
  if (head.outdated) flags |= kFlagOutdated;
  return static_cast<std::uint8_t>(flags);
}

// False: a flag of an unknown meaning.
bool take_flags(std::uint8_t form, std::uint8_t flags, StoredHead& head) {
  if ((flags & ~(form == kFirstHeadRecordForm ? kFlagCredentials : kAllFlags)) != 0) return false;
  head.request_had_credentials = (flags & kFlagCredentials) != 0;
  head.own_entity_tag = (flags & kFlagOwnEntityTag) != 0;
  head.sliced = (flags & kFlagSliced) != 0;
  head.outdated = (flags & kFlagOutdated) != 0;
  return true;
}

bool is_known_form(std::uint8_t form) {
  return form == kFirstHeadRecordForm || form == kHeadRecordForm;
}

void put_extents(std::string& out, const StoredHead& head, const BodyPlace& place) {
  put(out, kBodyChunkSize);
  put(out, std::uint16_t{1});
  put(out, static_cast<std::uint8_t>(place.family));
  put(out, place.id);
  put(out, std::uint32_t{0});
  put(out, chunk_count_of(stored_body_size(head)));
}

bool read_extents(Reader& in, const StoredHead& head, BodyPlace& place) {
  const auto chunk_size = in.number<std::uint32_t>();
  const auto count = in.number<std::uint16_t>();
  const auto family = in.number<std::uint8_t>();
  place = {static_cast<BodyFamily>(family), in.number<std::uint64_t>()};
  const auto first_chunk = in.number<std::uint32_t>();
  const auto chunk_count = in.number<std::uint32_t>();
  return in.ok() && chunk_size == kBodyChunkSize && count == 1 && family < kBodyFamilies &&
         first_chunk == 0 && chunk_count == chunk_count_of(stored_body_size(head));
}

WallTime read_time(Reader& in) {
  return WallTime{Milliseconds{in.number<std::int64_t>()}};
}

}  // namespace

std::uint32_t chunk_count_of(std::uint64_t body_size) {
  return body_size == 0 ? 1 : static_cast<std::uint32_t>((body_size + kBodyChunkSize - 1) / kBodyChunkSize);
}

std::string head_key_prefix(const Digest128& key) {
  std::string out;
  out.reserve(kHeadKeySize);
  put_digest(out, key);
  return out;
}

std::optional<Digest128> decode_digest(std::string_view bytes) {
  if (bytes.size() != 16) return std::nullopt;
  Digest128 digest;
  for (std::size_t i = 0; i < 8; ++i) digest.high = (digest.high << 8) | static_cast<unsigned char>(bytes[i]);
  for (std::size_t i = 8; i < 16; ++i) digest.low = (digest.low << 8) | static_cast<unsigned char>(bytes[i]);
  return digest;
}

std::string head_key(const Digest128& key, const Digest128& variant) {
  std::string out = head_key_prefix(key);
  put_digest(out, variant);
  return out;
}

std::string chunk_key(std::uint64_t body_id, std::uint32_t number) {
  std::string out;
  out.reserve(kChunkKeySize);
  put_big_endian(out, body_id);
  put_big_endian(out, number);
  return out;
}

std::optional<std::uint64_t> body_id_of_chunk_key(std::string_view key) {
  if (key.size() != kChunkKeySize) return std::nullopt;
  std::uint64_t id = 0;
  for (std::size_t i = 0; i < 8; ++i) id = (id << 8) | static_cast<unsigned char>(key[i]);
  return id;
}

std::string encode_head(const StoredHead& head, const BodyPlace& place) {
  std::string out;
  out.reserve(head.key.text.size() + head.response.fields.wire().size() + 6 * head.response.fields.size() +
              192);
  put(out, kHeadRecordForm);
  put(out, flags_of(head));
  put(out, head.body_id);
  put(out, head.body_size);
  put_extents(out, head, place);
  put(out, static_cast<std::int64_t>(head.request_time.time_since_epoch().count()));
  put(out, static_cast<std::int64_t>(head.response_time.time_since_epoch().count()));
  put(out, static_cast<std::int64_t>(head.age_received.count()));
  put(out, head.filled_at);
  put(out, head.validated_at);
  put_text<std::uint32_t>(out, head.key.text);
  put_selecting(out, head.selecting);
  put(out, static_cast<std::uint16_t>(head.response.status));
  put_text<std::uint16_t>(out, std::string_view(head.response.reason).substr(0, 0xffff));
  put_fields(out, head.response.fields);
  put_tags(out, head.tags);
  put(out, checksum(out));
  return out;
}

std::optional<StoredHead> decode_head(std::string_view record, BodyPlace* place) {
  if (record.size() < kChecksumSize) return std::nullopt;
  const std::string_view content = record.substr(0, record.size() - kChecksumSize);
  if (decode_u64(record.substr(content.size())) != checksum(content)) return std::nullopt;
  Reader in(content);
  const auto form = in.number<std::uint8_t>();
  StoredHead head;
  if (!is_known_form(form) || !take_flags(form, in.number<std::uint8_t>(), head)) return std::nullopt;
  head.body_id = in.number<std::uint64_t>();
  head.body_size = in.number<std::uint64_t>();
  BodyPlace found;
  if (!read_extents(in, head, found)) return std::nullopt;
  if (place != nullptr) *place = found;
  head.request_time = read_time(in);
  head.response_time = read_time(in);
  head.age_received = Seconds{in.number<std::int64_t>()};
  head.filled_at = in.number<std::uint64_t>();
  head.validated_at = in.number<std::uint64_t>();
  head.key.text = in.text<std::uint32_t>();
  read_selecting(in, head.selecting);
  head.response.status = in.number<std::uint16_t>();
  head.response.reason = in.text<std::uint16_t>();
  read_fields(in, head.response.fields, record.size());
  if (form != kFirstHeadRecordForm) read_tags(in, head.tags);
  if (!in.at_end()) return std::nullopt;
  head.key.digest = digest128(head.key.text);
  return head;
}

std::optional<std::uint64_t> peek_body_id(std::string_view record) {
  if (record.size() < kBodyIdOffset + 8 || !is_known_form(static_cast<std::uint8_t>(record[0]))) {
    return std::nullopt;
  }
  return decode_u64(record.substr(kBodyIdOffset, 8));
}

std::optional<BodyPlace> peek_place(std::string_view record) {
  if (record.size() < kPlaceOffset + 9 || !is_known_form(static_cast<std::uint8_t>(record[0]))) {
    return std::nullopt;
  }
  const auto family = static_cast<std::uint8_t>(record[kPlaceOffset]);
  if (family >= kBodyFamilies) return std::nullopt;
  return BodyPlace{static_cast<BodyFamily>(family), *decode_u64(record.substr(kPlaceOffset + 1, 8))};
}

std::string encode_chunk_header(const ChunkLabel& label) {
  std::string out;
  out.reserve(kChunkHeaderSize);
  put(out, (std::uint32_t{kChunkRecordForm} << 24) | (label.number & 0xffffff));
  put(out, label.size);
  put(out, label.body_id);
  put_digest(out, label.key);
  FRESHET_CHECK(out.size() == kChunkHeaderSize);
  return out;
}

bool is_chunk(std::string_view record, const ChunkLabel& expected) {
  return record.size() == kChunkHeaderSize + expected.size &&
         record.starts_with(encode_chunk_header(expected));
}

std::optional<ChunkLabel> decode_chunk_header(std::string_view record) {
  if (record.size() < kChunkHeaderSize) return std::nullopt;
  Reader in(record.substr(0, 16));
  const auto number = in.number<std::uint32_t>();
  const auto size = in.number<std::uint32_t>();
  const auto id = in.number<std::uint64_t>();
  if ((number >> 24) != kChunkRecordForm || record.size() != kChunkHeaderSize + size) return std::nullopt;
  return ChunkLabel{id, *decode_digest(record.substr(16, 16)), number & 0xffffff, size};
}

std::string encode_u32(std::uint32_t value) {
  std::string out;
  put(out, value);
  return out;
}

std::string encode_u64(std::uint64_t value) {
  std::string out;
  put(out, value);
  return out;
}

std::optional<std::uint32_t> decode_u32(std::string_view bytes) {
  if (bytes.size() != 4) return std::nullopt;
  return Reader(bytes).number<std::uint32_t>();
}

std::optional<std::uint64_t> decode_u64(std::string_view bytes) {
  if (bytes.size() != 8) return std::nullopt;
  return Reader(bytes).number<std::uint64_t>();
}

}  // namespace freshet::storage
