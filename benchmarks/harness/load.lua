-- What wrk sends: the body on standard input, to the address it was called with, and headers (arguments: name, value, …).
-- What it tells at the end: one line of JSON, latencies in microseconds.

function init(arguments)
  wrk.method = "POST"
  wrk.body = io.read("*a")
  for place = 1, #arguments, 2 do
    wrk.headers[arguments[place]] = arguments[place + 1]
  end
end

function done(summary, latency)
  local errors = summary.errors
  io.write(string.format(
    '{"answers": %d, "microseconds": %d, "p50": %d, "p99": %d, "not_2xx": %d, "socket_errors": %d}\n',
    summary.requests, summary.duration, latency:percentile(50), latency:percentile(99), errors.status,
    errors.connect + errors.read + errors.write + errors.timeout
  ))
end
