// CurlHeaderList: the fields of an OriginRequest in the form that libcurl takes: a linked list of lines in
// one buffer. Private to the curl client. RFC 9112, section 3.
#pragma once

#include <curl/curl.h>
#include <string>
#include <vector>

#include "storage/http/header_fields.h"

namespace freshet::revalidate {

class CurlHeaderList {
 public:
  // The list stands until the next build(). Switches curl's own Host, Accept, User-Agent and Expect off, then
  // the fields in order and spelling.
  curl_slist* build(const storage::HeaderFields& fields);

 private:
  std::string text_;  // the lines, each ended by NUL
  std::vector<curl_slist> nodes_;
};

}  // namespace freshet::revalidate
