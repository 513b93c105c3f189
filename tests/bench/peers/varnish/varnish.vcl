# Varnish on one core; its parameters stand in ../../proxies.mjs.
# ../../proxies.mjs fills in ${...}, and leaves out a line marked @tls, @logs, @quiet (no logs) or @root where that is not so.
vcl 4.1;

backend origin {
  .host = "127.0.0.1";
  .port = "${origin}";
}

sub vcl_backend_response {
  set beresp.grace = 0s;   # an expired response is not served: the other peers may not either
  set beresp.keep = 10m;   # but kept for a conditional request
}
