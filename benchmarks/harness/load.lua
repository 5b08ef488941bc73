-- wrk sends the body from standard input, with the headers of its arguments (name, value, …).
-- At the end it prints one line of JSON; latencies are in microseconds.

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
