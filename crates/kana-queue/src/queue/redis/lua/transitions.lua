-- How does a job leave a worker: with an outcome, or back into a line? And which leases have expired?

-- Nudges pending at most: each wakes one worker that waits, and a worker that is awake looks by itself.
local NUDGES_MAX = 64

-- Redis answers nobody else while a call runs, so each call looks at so many held jobs, ends so many attempts and reads so
-- many bytes of images, at most: a few milliseconds. Its caller calls again where more is left.
local HELD_MAX, ENDED_MAX, BYTES_MAX = 1000, 100, 1024 * 1024

-- Bytes of images read, and attempts ended, in this call.
local bytes_read, ended = 0, 0
local function is_enough() return ended >= ENDED_MAX or bytes_read >= BYTES_MAX end

-- What finish() writes: records by bucket, entries that are over, settled jobs by batch.
local fresh, over, closed, nudges, stamp, once
local function clear() fresh, over, closed, nudges, stamp, once = {}, {}, {}, 0, nil, pack('>I4', 1) end
initialisers[1] = function()
  clear()
  bytes_read, ended = 0, 0
end

local function finish()
  for key, pairs_ in pairs(fresh) do
    in_parts(pairs_, function(...) call('HSET', key, ...) end)
    local count = call('HINCRBY', OPEN, key, -#pairs_ / 2)
    if count <= 0 then
      call('HDEL', OPEN, key)
      call('PEXPIREAT', key, NOW + OUTCOME_TTL + REMOVAL_MARGIN)
      call('ZADD', ENDS, NOW + OUTCOME_TTL, key)
    end
  end
  for key, count in pairs(closed) do
    if call('HINCRBY', key, 'open', -count) <= 0 then call('PEXPIRE', key, OUTCOME_TTL) end
  end
  if #over > 0 then
    in_parts(over, function(...) call('XACK', JOBS, GROUP, ...) call('XDEL', JOBS, ...) end)
    if call('EXISTS', ATTEMPTS, BACK, AGAIN) > 0 then
      in_parts(over, function(...) call('HDEL', ATTEMPTS, ...) end)
      for _, entry in ipairs(over) do
        local at = place(entry)
        call('ZREM', BACK, at)
        call('ZREM', AGAIN, at)
      end
    end
  end
  for _ = 1, math.min(nudges, NUDGES_MAX) do call('XADD', NUDGES, 'MAXLEN', NUDGES_MAX, '*', 'n', '') end
  flush_events()
  clear()
end

-- Gives a job its outcome. `tail` is its worker and its verdict, `claimed` eight bytes.
local function conclude(id, record, claimed, attempts, tail)
  local entry, rest = entry_of(record), rest_of(record)
  if not stamp then stamp = 'S' .. pack('>LI2', NOW, epoch) end
  local settled = stamp .. claimed .. (attempts == 1 and once or pack('>I4', attempts)) .. tail .. rest
  local key, batch = bucket(id), ROOT .. ':batch:' .. sub(rest, 1, 16)
  local list = fresh[key]
  if not list then list = {} fresh[key] = list end
  list[#list + 1] = id
  list[#list + 1] = settled
  closed[batch] = (closed[batch] or 0) + 1
  over[#over + 1] = entry
  publish(id, settled)
end

local function tail_of(worker, verdict) return pack('>I2', #worker) .. worker .. pack('>I4', #verdict) .. verdict end

-- Puts a job back in line, at the place that it was given when it was submitted.
local function requeue(id, record, attempts)
  local entry = entry_of(record)
  call('XACK', JOBS, GROUP, entry)
  store_attempts(entry, attempts)
  call('ZADD', attempts.again and AGAIN or BACK, 0, place(entry))
  nudges = nudges + 1
  publish_queued(id, rest_of(record), attempts.claims)
end

local LAST = {
  failed = function(worker, why) return 'worker ' .. worker .. ' failed: ' .. why end,
  expired = function(worker) return 'the lease of worker ' .. worker .. ' expired' end,
  crashed = function(worker) return 'worker ' .. worker .. ' crashed' end,
  stopped = function(worker) return 'worker ' .. worker .. ' was stopped' end,
}

local function reason(attempts, worker, how, why)
  -- The pod, whichever of its incarnations.
  worker = string.match(worker, '^[^' .. WORKER_SEPARATOR .. ']*')
  local last = LAST[how](worker, why)
  if attempts.failures >= ATTEMPTS_MAX then
    return attempts.failures .. ' of ' .. ATTEMPTS_MAX .. ' attempts failed; the last time, ' .. last
  end
  return 'claimed ' .. attempts.claims .. ' times and never finished; the last time, ' .. last
end

-- Removes the oldest dead letters where there are more than may be. What a lower limit leaves over, sweeps remove.
local function trim_dead_letters()
  local surplus = call('XLEN', DEAD) - DEAD_MAX
  while surplus > 0 and not is_enough() do
    local oldest = call('XRANGE', DEAD, '-', '+', 'COUNT', 1)[1]
    bytes_read, ended, surplus = bytes_read + #oldest[2][4], ended + 1, surplus - 1
    call('XDEL', DEAD, oldest[1])
    call('HDEL', LETTERS, sub(oldest[2][2], 1, 16))
  end
  return surplus > 0
end

local function dead_letter(id, fields, attempts, worker, why)
  local letter = pack('>LI4I2', NOW, attempts.claims, #worker) .. worker .. why
  call('HSET', LETTERS, id, call('XADD', DEAD, '*', 'job', fields[2], 'image', fields[4], 'letter', letter))
  trim_dead_letters()
end

-- Bytes of a reason that are kept of a lost attempt.
local LOSS_REASON_BYTES_MAX = 200
local LOSSES = { failed = 0, expired = 1, crashed = 2, stopped = 3 }

-- Keeps how an attempt ended, for people to look at: as long as the outcomes of its minute, and as long again, since the
-- job has none yet.
local function lose(id, held, how, why)
  local key, reason = lost_bucket(id), sub(why or '', 1, LOSS_REASON_BYTES_MAX)
  local lost = pack('>LLBI2', NOW - held[3], NOW, LOSSES[how], #held[2]) .. held[2] .. pack('>I2', #reason) .. reason
  lost = pack('>I2', #lost) .. lost
  local all, count, at = (call('HGET', key, id) or '') .. lost, 0, 1
  while at < #all do count, at = count + 1, at + 2 + unpack_at('>I2', all, at) end
  if count > LOST_PER_JOB_MAX then all = sub(all, 3 + unpack_at('>I2', all)) end
  call('HSET', key, id, all)
  call('PEXPIRE', key, 2 * OUTCOME_TTL)
end

-- Ends the attempt under way without an outcome: the job waits for another, or is dead-lettered.
local function end_attempt(held, how, why)
  local entry, worker = held[1], held[2]
  ended = ended + 1
  local found = call('XRANGE', JOBS, entry, entry)[1]
  -- Somebody else deleted it: the audit finds its record, and says so.
  if not found then call('XACK', JOBS, GROUP, entry) return 'late' end
  local fields = found[2]
  bytes_read = bytes_read + #fields[2] + #(fields[4] or '')
  local id = sub(fields[2], 1, 16)
  local record = #id == 16 and record_of(id)
  if not record or is_settled(record) or entry_of(record) ~= entry then
    -- No job of ours, or no longer.
    over[#over + 1] = entry
    return 'late'
  end
  lose(id, held, how, why)
  local attempts = attempts_of(entry, held)
  if how ~= 'stopped' then attempts.failures = attempts.failures + 1 end
  attempts.again = true
  if attempts.failures < ATTEMPTS_MAX and attempts.claims < CLAIMS_MAX then
    requeue(id, record, attempts)
    return 'retried'
  end
  local why_dead = reason(attempts, worker, how, why)
  local settler = how == 'failed' and worker or ''
  conclude(id, record, pack('>L', NOW - held[3]), attempts.claims, tail_of(settler, '\1' .. why_dead))
  dead_letter(id, fields, attempts, worker, why_dead)
  return 'dead'
end

-- Up to `count` of the entries that workers hold after `cursor`, which is an entry or nil; `worker` only those of that
-- one. The second value is the cursor of the next page, nil after the last.
local function held_after(cursor, count, ...)
  local page = call('XPENDING', JOBS, GROUP, cursor and '(' .. cursor or '-', '+', count, ...)
  return page, #page == count and page[count][1] or nil
end

-- What a lease still lasts at least after the server was away: enough for the next heartbeats, and not so long that the
-- jobs of a dead worker wait for ever where the server is away again and again.
local function grace() return math.floor(LEASE / 2) end

-- Leases whose last heartbeat was before this count as extended at this moment: what renews them all writes one number.
local renewed = 0

-- How long ago a lease was extended.
local function idle_of(held) return math.min(held[3], NOW - renewed) end

-- Whether a worker holds an entry as `held` says, by its delivery of that number, with a lease that lasts.
local function is_held_by(held, worker, deliveries)
  return held and held[2] == worker and tonumber(held[4]) == deliveries and idle_of(held) < LEASE
end

-- Lets the leases after `cursor` count as extended now, where their last heartbeats lie ahead of the clock. Answers the
-- cursor of those that are left, or nil.
local function extend_page(cursor)
  local by_worker = {}
  local page, next_cursor = held_after(cursor, HELD_MAX)
  for _, held in ipairs(page) do
    local list = by_worker[held[2]]
    if not list then list = {} by_worker[held[2]] = list end
    list[#list + 1] = held[1]
  end
  for worker, entries in pairs(by_worker) do
    entries[#entries + 1] = 'JUSTID'
    call('XCLAIM', JOBS, GROUP, worker, 0, unpack(entries))
  end
  return next_cursor
end

-- Ends the attempts after `cursor` whose leases have expired. Answers the earliest of `first` and the heartbeats of the
-- others, and the cursor of those that are left, or nil.
local function expire_page(cursor, first)
  local page, next_cursor = held_after(cursor, HELD_MAX)
  for _, held in ipairs(page) do
    local idle = idle_of(held)
    if idle < LEASE then
      first = math.min(first, NOW - idle)
    else
      end_attempt(held, 'expired')
      if is_enough() then return first, held[1] end
    end
  end
  return first, next_cursor
end

-- How much later the clock may be than the last time that was written down.
local CLOCK_STALE_MAX = 100

-- What the server calls this run of its own.
local function run_of_server() return string.match(call('INFO', 'server'), 'run_id:(%x+)') end

-- Requeues what expired, a page of it at each call, and answers which line was last claimed from; the second value says
-- whether pages are left. Time in which nobody called is no lapse: then the machines, the network or Redis stood still,
-- and nobody could extend a lease. While the server was down for a moment nobody could either; while its clock was ahead
-- leases were given that would now last too long.
local function catch_up()
  local state = call('HMGET', STATE, 'clock', 'lapse', 'run', 'epoch', 'cut', 'last', 'renewed', 'page', 'limits')
  local clock, lapse = tonumber(state[1]) or 0, tonumber(state[2]) or 0
  epoch, cut, renewed = tonumber(state[4]) or 0, tonumber(state[5]) or 0, tonumber(state[7]) or 0
  use_limits(state[9])
  local is_back, was_silent = NOW < clock, NOW > clock + SILENCE
  if not is_back and not was_silent and NOW < lapse and not state[8] then
    if NOW > clock + CLOCK_STALE_MAX then call('HSET', STATE, 'clock', NOW, USED, NOW) end
    return state[6], false
  end
  -- What the pages before this one were read for, the earliest heartbeat in them, and the last entry of them.
  local task, first, cursor = string.match(state[8] or '', '(%a+) (%d+) (.*)')
  local run = run_of_server()
  if is_back then
    epoch, cut = (epoch + 1) % 65536, NOW
    call('HSET', STATE, 'epoch', epoch, 'cut', cut)
    task, first, cursor = 'extend', NOW, nil
    renewed = NOW
  elseif was_silent then
    renewed, lapse = NOW, NOW + LEASE
  elseif state[3] ~= run then
    renewed, lapse = math.max(renewed, NOW - (LEASE - grace())), NOW + grace()
  end
  if not task and NOW >= lapse then task, first = 'expire', NOW end
  if task == 'extend' then
    cursor = extend_page(cursor)
  elseif task == 'expire' then
    first, cursor = expire_page(cursor, tonumber(first))
    finish()
  end
  if task then lapse = first + LEASE end
  call('HSET', STATE, 'clock', NOW, USED, NOW, 'lapse', lapse, 'run', run, 'renewed', renewed)
  if cursor then
    call('HSET', STATE, 'page', task .. ' ' .. first .. ' ' .. cursor)
  elseif state[8] then
    call('HDEL', STATE, 'page')
  end
  return state[6], cursor ~= nil
end

-- The change of a job that a worker claimed, from the head of its entry.
local function publish_running(head, claims, worker)
  publish(sub(head, 1, 16), 'R' .. pack('>I4I2', claims, #worker) .. worker .. sub(head, 17))
end

-- Jobs that were never read from the stream. Where the group is gone, the reader learns of that.
local function unread_count()
  for _, group in ipairs(call('XINFO', 'GROUPS', JOBS)) do
    local fields = {}
    for n = 1, #group, 2 do fields[group[n]] = group[n + 1] end
    if fields['name'] == GROUP then
      return call('XLEN', JOBS) - fields['pending'] - call('ZCARD', BACK) - call('ZCARD', AGAIN)
    end
  end
  return 1
end

-- How many of the unread jobs one worker takes: its share, where others wait for jobs at this moment.
local function share_of(unread, limit)
  local others = call('ZCOUNT', IDLE, '(' .. NOW, '+inf')
  return math.min(limit, math.ceil(unread / (others + 1)))
end
