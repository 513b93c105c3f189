// Result<T>: a value, or an Error that must be looked at. The data path returns it where another program
// would throw; a caller that drops one does not compile.
//
// An Error says what failed in one line, without the place it is reported from; who reports it adds that.
// Owned by whoever holds it; no thread rules.
#pragma once

#include <optional>
#include <string>
#include <utility>

#include "storage/base/check.h"

namespace freshet::storage {

struct Error {
  std::string message;
};

template <typename T>
class [[nodiscard]] Result {
 public:
  Result(T value) : value_(std::move(value)) {}              // NOLINT(google-explicit-constructor)
  Result(Error error) : error_(std::move(error.message)) {}  // NOLINT(google-explicit-constructor)

  [[nodiscard]] bool ok() const { return value_.has_value(); }
  explicit operator bool() const { return ok(); }

  // Only when ok().
  T& value() {
    FRESHET_CHECK(ok());
    return *value_;
  }
  const T& value() const {
    FRESHET_CHECK(ok());
    return *value_;
  }
  T&& take() {
    FRESHET_CHECK(ok());
    return std::move(*value_);
  }
  T& operator*() { return value(); }
  T* operator->() { return &value(); }

  // Only when not ok().
  [[nodiscard]] const std::string& error() const {
    FRESHET_CHECK(!ok());
    return error_;
  }

 private:
  std::optional<T> value_;
  std::string error_;
};

// A Result without a value.
class [[nodiscard]] Status {
 public:
  Status() = default;
  Status(Error error) : error_(std::move(error.message)) {}  // NOLINT(google-explicit-constructor)

  [[nodiscard]] bool ok() const { return !error_.has_value(); }
  explicit operator bool() const { return ok(); }
  [[nodiscard]] const std::string& error() const {
    FRESHET_CHECK(!ok());
    return *error_;
  }

 private:
  std::optional<std::string> error_;
};

}  // namespace freshet::storage
