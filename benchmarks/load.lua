-- For wrk: sends a photo as JSON and counts the answers by their kind, with the seconds of those that are accepted.
-- The file name in the JSON is the time of sending, which the answer repeats, so that each answer has its own seconds;
-- the latencies of wrk itself mix in those of rejected requests.
local ffi = require("ffi")
ffi.cdef [[
  typedef struct { long seconds; long nanoseconds; } modiste_time;
  int clock_gettime(int clock, modiste_time *time);
]]
local clock = ffi.new("modiste_time")
local threads = {}

local function now() -- in microseconds
  ffi.C.clock_gettime(1, clock)
  return tonumber(clock.seconds) * 1e6 + math.floor(tonumber(clock.nanoseconds) / 1e3)
end

function setup(thread)
  table.insert(threads, thread)
end

function init(arguments)
  local file = assert(io.open(arguments[1], "rb"))
  image = file:read("*a")
  file:close()
  headers = { ["Content-Type"] = "application/json" }
  accepted, rejected, failed, times = 0, 0, 0, {}
end

function request()
  local body = string.format('{"file": "%.0f", "image": "%s"}', now(), image)
  return wrk.format("POST", "/predict", headers, body)
end

function response(status, fields, body)
  local sent = status == 200 and tonumber(string.match(body, '"file":"(%d+)"'))
  if sent then
    local milliseconds = string.format("%d", (now() - sent) / 1e3) -- wrk copies tables with text as keys only
    accepted = accepted + 1
    times[milliseconds] = (times[milliseconds] or 0) + 1
  elseif status == 503 and (fields["retry-after"] or fields["Retry-After"]) then
    rejected = rejected + 1
  else
    failed = failed + 1
  end
end

function done(summary)
  local errors = summary.errors
  local counts = { accepted = 0, rejected = 0, failed = errors.connect + errors.read + errors.write }
  for _, thread in ipairs(threads) do
    for name, count in pairs(counts) do
      counts[name] = count + thread:get(name)
    end
    for milliseconds, count in pairs(thread:get("times")) do
      io.write(string.format("TIME %s %d\n", milliseconds, count))
    end
  end
  for name, count in pairs(counts) do
    io.write(string.format("COUNT %s %d\n", name, count))
  end
  io.write(string.format("COUNT microseconds %d\n", summary.duration))
end
