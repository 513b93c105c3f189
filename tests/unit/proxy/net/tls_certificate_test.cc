#include "proxy/net/tls_certificate.h"

#include <gtest/gtest.h>
#include <string>
#include <sys/stat.h>
#include <vector>

#include "tests/unit/proxy/net/certificate_files.h"

namespace freshet::proxy {
namespace {

using std::chrono::hours;
using storage::WallTime;

class TlsCertificateTest : public testing::Test {
 protected:
  [[nodiscard]] std::string error_of(const TlsCertificateFiles& files) {
    const auto loaded = TlsCertificate::load(files, storage::wall_now(), warnings_);
    return loaded ? "" : loaded.error();
  }
  std::unique_ptr<TlsCertificate> load(const TlsCertificateFiles& files, WallTime now = storage::wall_now()) {
    auto loaded = TlsCertificate::load(files, now, warnings_);
    EXPECT_TRUE(loaded) << loaded.error();
    return loaded.take();
  }

  CertificateFiles files_;
  std::vector<std::string> warnings_;
};

TEST_F(TlsCertificateTest, TheNamesAreThoseOfTheCertificate) {
  const auto loaded = load(files_.make("a", "DNS:a.test,IP:127.0.0.1,DNS:*.b.test"));
  EXPECT_EQ(loaded->names(), (std::vector<std::string>{"a.test", "*.b.test"}));
  EXPECT_TRUE(warnings_.empty()) << warnings_.front();
  EXPECT_GT(loaded->expires(), storage::wall_now() + hours{24 * 29});
  EXPECT_LT(loaded->expires(), storage::wall_now() + hours{24 * 31});
  EXPECT_TRUE(load(files_.make("b", ""))->names().empty());
}

TEST_F(TlsCertificateTest, RsaAndEcdsaAreDifferentKinds) {
  const auto rsa = load(files_.make("r", "DNS:a.test", "rsa"));
  const auto first = load(files_.make("e", "DNS:a.test"));
  const auto second = load(files_.make("f", "DNS:a.test"));
  EXPECT_NE(rsa->key_kind(), first->key_kind());
  EXPECT_EQ(first->key_kind(), second->key_kind());
}

TEST_F(TlsCertificateTest, AChainIsReadInItsOrder) {
  TlsCertificateFiles both = files_.make("a", "DNS:a.test");
  const auto other = files_.make("b", "DNS:b.test");
  both.certificate = files_.write(
      "both", read_small_file(both.certificate).value() + read_small_file(other.certificate).value());
  const auto loaded = load(both);
  EXPECT_EQ(loaded->chain().size(), 2U);
  EXPECT_EQ(loaded->names(), std::vector<std::string>{"a.test"});
}

TEST_F(TlsCertificateTest, WhatCannotBeReadIsAnErrorThatNamesFileAndReason) {
  const TlsCertificateFiles good = files_.make("a", "DNS:a.test");
  const TlsCertificateFiles other = files_.make("b", "DNS:b.test");
  const std::string missing = files_.path("missing");
  EXPECT_EQ(error_of({missing, good.key, ""}), missing + ": cannot be read: no such file or directory");
  EXPECT_EQ(error_of({good.certificate, missing, ""}),
            missing + ": cannot be read: no such file or directory");
  const std::string empty = files_.write("empty", "");
  EXPECT_EQ(error_of({empty, good.key, ""}), empty + ": no certificate in it (PEM is expected)");
  EXPECT_EQ(error_of({good.key, good.key, ""}), good.key + ": no certificate in it (PEM is expected)");
  EXPECT_TRUE(error_of({good.certificate, empty, ""}).starts_with(empty + ": no private key in it"));
  EXPECT_TRUE(
      error_of({good.certificate, good.certificate, ""}).starts_with(good.certificate + ": no private key"));
  EXPECT_EQ(error_of({good.certificate, other.key, ""}),
            other.key + ": is not the key of the certificate in " + good.certificate);
  std::string text = read_small_file(good.certificate).value();
  text[text.size() / 2] = '!';
  const std::string damaged = files_.write("damaged", text);
  EXPECT_TRUE(error_of({damaged, good.key, ""}).starts_with(damaged + ": holds a damaged certificate"));
  // Also where a good one stands before it.
  const std::string half = files_.write("half", read_small_file(good.certificate).value() + text);
  EXPECT_TRUE(error_of({half, good.key, ""}).starts_with(half + ": holds a damaged certificate"));
}

TEST_F(TlsCertificateTest, AKeyWithAPassphraseIsRefusedAndNobodyIsAskedForIt) {
  const TlsCertificateFiles good = files_.make("a", "DNS:a.test");
  files_.openssl("pkey -in a.key -aes256 -passout pass:secret -out locked.key");
  const std::string locked = files_.path("locked.key");
  EXPECT_EQ(error_of({good.certificate, locked, ""}),
            locked + ": the key has a passphrase, which nobody could type at start");
}

TEST_F(TlsCertificateTest, AKeyThatEverybodyMayReadAndAnExpiredCertificateAreWarnings) {
  const TlsCertificateFiles good = files_.make("a", "DNS:a.test");
  ::chmod(good.key.c_str(), 0644);
  load(good, storage::wall_now() + hours{24 * 31});
  ASSERT_EQ(warnings_.size(), 2U);
  EXPECT_TRUE(warnings_[0].starts_with(good.key + ": everybody on this machine may read"));
  EXPECT_EQ(warnings_[1], good.certificate + ": the certificate has expired");
  warnings_.clear();
  ::chmod(good.key.c_str(), 0640);
  load(good, storage::wall_now() - hours{1});
  ASSERT_EQ(warnings_.size(), 1U);
  EXPECT_EQ(warnings_[0], good.certificate + ": the certificate is not valid yet");
}

TEST_F(TlsCertificateTest, AnOcspResponseIsStapledWhileItHoldsAndOnlyToItsCertificate) {
  TlsCertificateFiles good = files_.make("a", "DNS:a.test");
  const TlsCertificateFiles other = files_.make("b", "DNS:b.test");
  files_.openssl("x509 -in a.pem -noout -serial -out serial");
  std::string serial = read_small_file(files_.path("serial")).value();
  serial = serial.substr(serial.find('=') + 1);
  serial.resize(serial.find('\n'));
  files_.write("index", "V\t351231235959Z\t\t" + serial + "\tunknown\t/CN=a\n");
  files_.openssl("ocsp -issuer a.pem -cert a.pem -no_nonce -reqout request");
  files_.openssl(
      "ocsp -index index -CA a.pem -rsigner a.pem -rkey a.key -reqin request -respout ocsp -ndays 1");
  good.ocsp = files_.path("ocsp");
  const WallTime now = storage::wall_now();
  const auto loaded = load(good);
  EXPECT_EQ(loaded->stapled(now), read_small_file(good.ocsp).value());
  EXPECT_EQ(loaded->stapled(now + hours{25}), "");
  EXPECT_TRUE(warnings_.empty());
  load(good, now + hours{25});
  ASSERT_EQ(warnings_.size(), 1U);
  EXPECT_EQ(warnings_[0], good.ocsp + ": has expired; it is not sent");
  EXPECT_EQ(error_of({other.certificate, other.key, good.ocsp}),
            good.ocsp + ": is not about this certificate");
  const std::string noise = files_.write("noise", "noise");
  EXPECT_EQ(error_of({good.certificate, good.key, noise}), noise + ": is no OCSP response (DER is expected)");
}

}  // namespace
}  // namespace freshet::proxy
