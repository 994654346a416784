-- What does every function use: names, the time, records, and the changes that readers follow?
--
-- The lines before this one (../functions.rs) define ROOT, OWN_LIMITS (times in ms), SILENCE, GROUP, CHANGES_KEPT,
-- EVENTS_MAX, WORKER_SEPARATOR, LOST_PER_JOB_MAX, RUNS_MAX, LAYOUT, and LIBRARY, the name that every function's name begins
-- with. ../encoding.rs says how records, heads and events are encoded. The names of keys and of their fields are part of that format: a queue outlives the
-- kana that wrote it. Libraries cannot be reached while functions are loaded, so every call binds them.
local call, sub, byte, pack, unpack_at
local JOBS = ROOT .. ':jobs'
local ATTEMPTS, BACK, AGAIN, STATE = ROOT .. ':tally', ROOT .. ':back', ROOT .. ':again', ROOT .. ':state'
local CHANGES, NUDGES, DEAD, LETTERS = ROOT .. ':changes', ROOT .. ':nudges', ROOT .. ':dead', ROOT .. ':graves'
-- When this library was last used.
local USED = 'used:' .. LIBRARY
local OPEN, ENDS, IDLE, RUNS = ROOT .. ':open', ROOT .. ':ends', ROOT .. ':idle', ROOT .. ':runs'

-- How much longer than its outcomes Redis keeps a bucket of them. A sweep removes it before, off Redis's main thread:
-- where Redis itself lets a million fields expire, it answers nobody for more than half a second.
local REMOVAL_MARGIN = 600000

-- The limits in force: the queue's, as `state` has them, whatever the caller's own are. So no two calls disagree.
local JOBS_MAX, LEASE, ATTEMPTS_MAX, CLAIMS_MAX, OUTCOME_TTL, DEAD_TTL, DEAD_MAX
local in_force
local function use_limits(text)
  text = text or OWN_LIMITS
  if text == in_force then return end
  local values = {}
  for _, limits in ipairs({ OWN_LIMITS, text }) do
    for name, value in string.gmatch(limits, '([%a_]+)=(%d+)') do values[name] = tonumber(value) end
  end
  JOBS_MAX, LEASE, ATTEMPTS_MAX, CLAIMS_MAX = values.jobs_max, values.lease, values.attempts_max, values.claims_max
  OUTCOME_TTL, DEAD_TTL, DEAD_MAX = values.outcome_ttl, values.dead_ttl, values.dead_max
  in_force = text
end

-- Arguments given to one command; Lua's stack holds 8,000.
local ARGS_MAX = 2000

-- The time, in ms, and the state of the call under way; register() sets them when it begins.
local NOW, epoch, cut
-- The changes to publish when the call ends: of each job its id, and where it stands.
local events = {}

-- Calls f with at most ARGS_MAX of the values at a time.
local function in_parts(values, f)
  for first = 1, #values, ARGS_MAX do
    f(unpack(values, first, math.min(first + ARGS_MAX - 1, #values)))
  end
end

-- The hash with the records of all jobs whose ids begin alike: those of one minute (UUID version 7).
local bucket_of, bucket_is = '', ''
local function bucket(id)
  local prefix = sub(id, 1, 4)
  if prefix ~= bucket_of then bucket_of, bucket_is = prefix, ROOT .. ':at:' .. prefix end
  return bucket_is
end

-- The hash with the lost attempts of the jobs whose records are in one bucket.
local function lost_bucket(id) return ROOT .. ':lost:' .. sub(id, 1, 4) end

local function is_settled(record) return byte(record) == 83 end

-- How often the clock was set back, and what it showed then. An outcome from before counts as settled then at the
-- latest: otherwise it would be kept for longer than its time-to-live.
local function read_epoch()
  local state = call('HMGET', STATE, 'epoch', 'cut', 'limits')
  epoch, cut = tonumber(state[1]) or 0, tonumber(state[2]) or 0
  use_limits(state[3])
end

-- The record, unless it is unknown or its outcome has expired.
local function alive(record)
  if not record or not is_settled(record) then return record or nil end
  if not epoch then read_epoch() end
  local settled, at = unpack_at('>LI2', record, 2)
  if at ~= epoch then settled = math.min(settled, cut) end
  return settled + OUTCOME_TTL > NOW and record or nil
end

-- The records of jobs, by position; nil for those unknown or expired.
local function records(ids)
  local found, first = {}, 1
  while first <= #ids do
    local prefix, last = sub(ids[first], 1, 4), first
    while last < #ids and last - first < ARGS_MAX and sub(ids[last + 1], 1, 4) == prefix do last = last + 1 end
    local values = call('HMGET', bucket(ids[first]), unpack(ids, first, last))
    for n, value in ipairs(values) do found[first + n - 1] = alive(value) end
    first = last + 1
  end
  return found
end

local function record_of(id) return alive(call('HGET', bucket(id), id)) end

-- The stream entry and the head's rest of a record that is not settled.
local function waiting_record(entry, rest) return 'W' .. string.char(#entry) .. entry .. rest end
local function entry_of(record) return sub(record, 3, 2 + byte(record, 2)) end
local function rest_of(record) return sub(record, 3 + byte(record, 2)) end

-- Stream entries as they sort among others of a line.
local function place(entry)
  local ms, seq = string.match(entry, '(%d+)-(%d+)')
  return string.format('%015d-%010d', ms, seq)
end
local function entry_at(at)
  local ms, seq = string.match(at, '^0*(%d+)-0*(%d+)$')
  return ms .. '-' .. seq
end

-- Who holds an entry: { entry, worker, ms since the last heartbeat, deliveries }, or nil.
local function holder(entry) return call('XPENDING', JOBS, GROUP, entry, entry, 1)[1] end

-- A job's attempts so far; `held` where a worker holds it.
local function attempts_of(entry, held)
  local text = call('HGET', ATTEMPTS, entry)
  if text then
    local deliveries, claims, failures, again = string.match(text, '(%d+) (%d+) (%d+) (%d)')
    return { deliveries = tonumber(deliveries), claims = tonumber(claims), failures = tonumber(failures), again = again == '1' }
  end
  if held then return { deliveries = tonumber(held[4]), claims = 1, failures = 0, again = false } end
  return { deliveries = 0, claims = 0, failures = 0, again = false }
end

local function store_attempts(entry, attempts)
  local again = attempts.again and 1 or 0
  call('HSET', ATTEMPTS, entry, attempts.deliveries .. ' ' .. attempts.claims .. ' ' .. attempts.failures .. ' ' .. again)
end

local function flush_events()
  for first = 1, #events, 2 * EVENTS_MAX do
    local last = math.min(first + 2 * EVENTS_MAX - 1, #events)
    call('XADD', CHANGES, 'MAXLEN', '~', CHANGES_KEPT, '*', unpack(events, first, last))
  end
  events = {}
end
local function publish(id, body)
  events[#events + 1] = id
  events[#events + 1] = body
end
local function publish_queued(id, rest, claims) publish(id, 'Q' .. pack('>I4', claims) .. rest) end

-- Every call begins with fresh state, whatever became of the one before.
local initialisers = {}
local function register(name, flags, body)
  redis.register_function({
    function_name = LIBRARY .. '_' .. name,
    flags = flags,
    callback = function(_, args)
      call, sub, byte, pack, unpack_at = redis.call, string.sub, string.byte, struct.pack, struct.unpack
      local time = call('TIME')
      if not in_force then use_limits() end
      NOW, epoch, events = time[1] * 1000 + math.floor(time[2] / 1000), nil, {}
      for _, initialise in ipairs(initialisers) do initialise() end
      return body(args)
    end,
  })
end
