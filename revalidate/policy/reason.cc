#include "revalidate/policy/reason.h"

#include <array>

namespace freshet::revalidate {

namespace {

struct Row {
  std::string_view token;
  std::string_view sentence;
  std::string_view section;
};

constexpr std::array<Row, kReasonCount> kRows = {{
#define FRESHET_REASON_ROW(id, token, sentence, section) {token, sentence, section},
    FRESHET_REASONS(FRESHET_REASON_ROW)
#undef FRESHET_REASON_ROW
}};

const Row& row(Reason reason) {
  return kRows[static_cast<std::size_t>(reason)];
}

}  // namespace

std::string_view reason_token(Reason reason) {
  return row(reason).token;
}
std::string_view reason_sentence(Reason reason) {
  return row(reason).sentence;
}
std::string_view reason_section(Reason reason) {
  return row(reason).section;
}

}  // namespace freshet::revalidate
