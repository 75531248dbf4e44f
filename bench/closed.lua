-- What wrk posts: the bodies in the file that BODIES names, one a line, in turn. At the end it prints one line of JSON.
local requests = {}
local turn = 0

function init()
  local headers = { ["Content-Type"] = "application/json" }
  for body in io.lines(os.getenv("BODIES")) do
    requests[#requests + 1] = wrk.format("POST", wrk.path, headers, body)
  end
end

function request()
  turn = turn % #requests + 1
  return requests[turn]
end

function done(summary, latency)
  local failed = summary.errors
  io.write(string.format(
    '\nRESULT {"micros":%d,"answers":%d,"refused":%d,"broken":%d,"p50":%d,"p99":%d}\n',
    summary.duration, summary.requests, failed.status,
    failed.connect + failed.read + failed.write + failed.timeout,
    latency:percentile(50), latency:percentile(99)))
end
