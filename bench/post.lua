-- wrk script: posts BENCH_BODY, with the bearer token where one is given. It looks at no answer: wrk counts the
-- ones that were no success by itself, and would parse each of them for a script that does.
wrk.method = "POST"
wrk.body = os.getenv("BENCH_BODY")
wrk.headers["Content-Type"] = "application/json"
local token = os.getenv("BENCH_TOKEN")
if token ~= nil and token ~= "" then
  wrk.headers["Authorization"] = "Bearer " .. token
end

done = function(summary, latency, requests)
  local errors = summary.errors
  local failed = errors.connect + errors.read + errors.write + errors.status + errors.timeout
  io.write(string.format("done requests=%d failed=%d duration_us=%d p50_us=%d p99_us=%d\n",
    summary.requests, failed, summary.duration, latency:percentile(50), latency:percentile(99)))
end
