// Http1Call: one request of Http1Client's, as its caller holds it. Queued -> on a connection -> ended, when
// `client` is null. Private to Http1Client and its connections.
#pragma once

#include "revalidate/origin/http1_client.h"
#include "revalidate/origin/origin_client.h"

namespace freshet::revalidate {

class Http1Connection;

class Http1Call final : public OriginCall {
 public:
  Http1Call(Http1Client::Impl& owner, OriginRequest asked, OriginHandler& told)
      : client(&owner), request(std::move(asked)), handler(&told) {}
  ~Http1Call() override;

  void resume() override;
  void upload_ready() override {}  // there is no body

  Http1Client::Impl* client;
  const OriginRequest request;
  OriginHandler* const handler;
  Http1Connection* connection = nullptr;
  bool queued = false;
  bool announced = false;  // on_sent() was called
};

}  // namespace freshet::revalidate
