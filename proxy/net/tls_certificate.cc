#include "proxy/net/tls_certificate.h"

#include <array>
#include <cerrno>
#include <ctime>
#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/ocsp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <sys/stat.h>
#include <system_error>
#include <unistd.h>
#include <utility>

#include "proxy/net/descriptor.h"

namespace freshet::proxy {

using storage::Error;
using storage::Result;
using storage::Status;
using storage::WallTime;

namespace {

constexpr std::size_t kLargestFile = std::size_t{4} << 20;

template <auto function>
struct FreeBy {
  template <typename T>
  void operator()(T* object) const {
    function(object);
  }
};
using Bio = std::unique_ptr<BIO, FreeBy<&BIO_free>>;
using OcspResponse = std::unique_ptr<OCSP_RESPONSE, FreeBy<&OCSP_RESPONSE_free>>;
using OcspBasic = std::unique_ptr<OCSP_BASICRESP, FreeBy<&OCSP_BASICRESP_free>>;
using Names = std::unique_ptr<GENERAL_NAMES, FreeBy<&GENERAL_NAMES_free>>;

// The system's words, as they stand in the middle of a line.
std::string system_reason(int error) {
  std::string text = std::system_category().message(error);
  if (!text.empty() && text[0] >= 'A' && text[0] <= 'Z') text[0] = static_cast<char>(text[0] - 'A' + 'a');
  return text;
}

Error in_file(const std::string& path, const std::string& reason) {
  return Error{path + ": " + reason};
}

// The library's reason for what failed just now.
std::string library_reason() {
  const char* const reason = ERR_reason_error_string(ERR_peek_last_error());
  std::string text = reason == nullptr ? "unknown reason" : reason;
  ERR_clear_error();
  return text;
}

Bio bio_of(const std::string& text) {
  return Bio(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
}

struct WipedText {
  std::string text;
  ~WipedText() { OPENSSL_cleanse(text.data(), text.size()); }
};

// The library would ask on the terminal.
int no_passphrase(char* /*buffer*/, int /*size*/, int /*writing*/, void* asked) {
  *static_cast<bool*>(asked) = true;
  return -1;
}

WallTime time_of(const ASN1_TIME* time) {
  std::tm parts{};
  if (time == nullptr || ASN1_TIME_to_tm(time, &parts) != 1) return WallTime::max();
  return storage::wall_from_seconds(timegm(&parts));
}

}  // namespace

Result<std::string> read_small_file(const std::string& path) {
  const Descriptor file{::open(path.c_str(), O_RDONLY | O_CLOEXEC)};
  if (!file.valid()) return Error{"cannot be read: " + system_reason(errno)};
  std::string text;
  std::array<char, 16 * 1024> piece{};
  for (;;) {
    const ssize_t got = ::read(file.get(), piece.data(), piece.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return Error{"cannot be read: " + system_reason(errno)};
    if (got == 0) break;
    text.append(piece.data(), static_cast<std::size_t>(got));
    if (text.size() > kLargestFile) return Error{"is larger than 4M"};
  }
  OPENSSL_cleanse(piece.data(), piece.size());
  return text;
}

std::optional<std::string> secret_file_warning(const std::string& path) {
  struct stat found {};
  if (::stat(path.c_str(), &found) != 0 || (found.st_mode & (S_IROTH | S_IWOTH)) == 0) return std::nullopt;
  return path + ": everybody on this machine may read or change it (chmod 640)";
}

void TlsCertificate::Release::operator()(x509_st* certificate) const {
  X509_free(certificate);
}

void TlsCertificate::Release::operator()(evp_pkey_st* key) const {
  EVP_PKEY_free(key);
}

Result<std::unique_ptr<TlsCertificate>> TlsCertificate::load(const TlsCertificateFiles& files, WallTime now,
                                                             std::vector<std::string>& warnings) {
  ERR_clear_error();
  std::unique_ptr<TlsCertificate> made(new TlsCertificate);
  if (Status status = made->load_chain(files.certificate); !status) return Error{status.error()};
  if (Status status = made->load_key(files.key); !status) return Error{status.error()};
  if (X509_check_private_key(made->leaf(), made->key()) != 1) {
    ERR_clear_error();
    return in_file(files.key, "is not the key of the certificate in " + files.certificate);
  }
  if (!files.ocsp.empty()) {
    if (Status status = made->load_ocsp(files.ocsp); !status) return Error{status.error()};
    if (made->ocsp_expires_ <= now) warnings.push_back(files.ocsp + ": has expired; it is not sent");
  }
  made->find_names();
  if (auto warning = secret_file_warning(files.key)) warnings.push_back(*warning);
  if (made->expires_ <= now) warnings.push_back(files.certificate + ": the certificate has expired");
  if (time_of(X509_get0_notBefore(made->leaf())) > now) {
    warnings.push_back(files.certificate + ": the certificate is not valid yet");
  }
  return made;
}

Status TlsCertificate::load_chain(const std::string& path) {
  const Result<std::string> text = read_small_file(path);
  if (!text) return in_file(path, text.error());
  const Bio bio = bio_of(text.value());
  while (X509* const next = PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr)) {
    chain_.emplace_back(next);
  }
  const unsigned long error = ERR_peek_last_error();
  const bool at_end = ERR_GET_LIB(error) == ERR_LIB_PEM && ERR_GET_REASON(error) == PEM_R_NO_START_LINE;
  if (!at_end) return in_file(path, "holds a damaged certificate: " + library_reason());
  ERR_clear_error();
  if (chain_.empty()) return in_file(path, "no certificate in it (PEM is expected)");
  expires_ = time_of(X509_get0_notAfter(leaf()));
  return {};
}

Status TlsCertificate::load_key(const std::string& path) {
  Result<std::string> read = read_small_file(path);
  if (!read) return in_file(path, read.error());
  const WipedText secret{read.take()};
  const Bio bio = bio_of(secret.text);
  bool asked = false;
  key_.reset(PEM_read_bio_PrivateKey(bio.get(), nullptr, no_passphrase, &asked));
  const std::string reason = key_ ? "" : library_reason();
  if (asked) return in_file(path, "the key has a passphrase, which nobody could type at start");
  if (!key_) return in_file(path, "no private key in it (PEM is expected): " + reason);
  return {};
}

Status TlsCertificate::load_ocsp(const std::string& path) {
  Result<std::string> read = read_small_file(path);
  if (!read) return in_file(path, read.error());
  ocsp_ = read.take();
  const auto* data = reinterpret_cast<const unsigned char*>(ocsp_.data());
  const OcspResponse response(d2i_OCSP_RESPONSE(nullptr, &data, static_cast<long>(ocsp_.size())));
  if (!response) {
    ERR_clear_error();
    return in_file(path, "is no OCSP response (DER is expected)");
  }
  if (OCSP_response_status(response.get()) != OCSP_RESPONSE_STATUS_SUCCESSFUL) {
    return in_file(path, std::string("the OCSP responder refused: ") +
                             OCSP_response_status_str(OCSP_response_status(response.get())));
  }
  const OcspBasic basic(OCSP_response_get1_basic(response.get()));
  for (int i = 0; basic && i < OCSP_resp_count(basic.get()); ++i) {
    OCSP_SINGLERESP* const single = OCSP_resp_get0(basic.get(), i);
    ASN1_INTEGER* serial = nullptr;
    auto* const id = const_cast<OCSP_CERTID*>(OCSP_SINGLERESP_get0_id(single));  // NOLINT: as it wants it
    OCSP_id_get0_info(nullptr, nullptr, nullptr, &serial, id);
    if (ASN1_INTEGER_cmp(serial, X509_get0_serialNumber(leaf())) != 0) continue;
    ASN1_GENERALIZEDTIME* next = nullptr;
    OCSP_single_get0_status(single, nullptr, nullptr, nullptr, &next);
    ocsp_expires_ = time_of(next);
    return {};
  }
  ERR_clear_error();
  return in_file(path, "is not about this certificate");
}

void TlsCertificate::find_names() {
  const Names found(
      static_cast<GENERAL_NAMES*>(X509_get_ext_d2i(leaf(), NID_subject_alt_name, nullptr, nullptr)));
  for (int i = 0; found && i < sk_GENERAL_NAME_num(found.get()); ++i) {
    const GENERAL_NAME* const name = sk_GENERAL_NAME_value(found.get(), i);
    if (name->type != GEN_DNS) continue;
    names_.emplace_back(reinterpret_cast<const char*>(ASN1_STRING_get0_data(name->d.dNSName)),
                        static_cast<std::size_t>(ASN1_STRING_length(name->d.dNSName)));
  }
}

int TlsCertificate::key_kind() const {
  return EVP_PKEY_get_base_id(key_.get());
}

std::string_view TlsCertificate::stapled(WallTime now) const {
  return now < ocsp_expires_ ? std::string_view(ocsp_) : std::string_view();
}

}  // namespace freshet::proxy
