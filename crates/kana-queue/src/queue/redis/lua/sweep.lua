-- Does what time asks for, and repairs what strangers did. Answers { unheld jobs requeued, jobs lost, 1 where more has
-- expired than one call ends }.
local _, more = catch_up()

-- How often the expensive parts are done, whoever asks: two of them fit into a lease.
local PERIOD = 2000
-- Entries and records looked at in one sweep.
local LOOK_MAX = 500
-- Records in one page of an audit, of which each that is not settled is looked for in the stream, with its image.
local SCAN_COUNT = 10
-- A consumer that holds nothing and has not asked for anything for so long is gone: every live one asks more often.
local CONSUMER_IDLE_MAX = 60000

-- One at a time: each comes with its image.
local letter = call('XRANGE', DEAD, '-', '+', 'COUNT', 1)[1]
while letter and unpack_at('>L', letter[2][6]) + DEAD_TTL <= NOW do
  if is_enough() then
    more = true
    break
  end
  bytes_read, ended = bytes_read + #letter[2][4], ended + 1
  call('XDEL', DEAD, letter[1])
  call('HDEL', LETTERS, sub(letter[2][2], 1, 16))
  letter = call('XRANGE', DEAD, '-', '+', 'COUNT', 1)[1]
end
if trim_dead_letters() then more = true end
more = more and 1 or 0

-- Buckets whose last outcome has expired. One that was opened again, or that a kana before this one closed, has another
-- time than that written down: Redis removes it, or the kana that closes it writes down another.
local ends = call('ZRANGEBYSCORE', ENDS, '-inf', NOW, 'WITHSCORES', 'LIMIT', 0, ENDED_MAX)
for n = 1, #ends, 2 do
  if call('PEXPIRETIME', ends[n]) == ends[n + 1] + REMOVAL_MARGIN then call('UNLINK', ends[n]) end
  call('ZREM', ENDS, ends[n])
end

local state = call('HMGET', STATE, 'swept', 'orphans', 'audit')
local swept = tonumber(state[1]) or 0
if NOW >= swept and NOW - swept < PERIOD then return { 0, 0, more } end

local delivered = '0-0'
for _, group in ipairs(call('XINFO', 'GROUPS', JOBS)) do
  local fields = {}
  for n = 1, #group, 2 do fields[group[n]] = group[n + 1] end
  if fields['name'] == GROUP then delivered = fields['last-delivered-id'] end
end
-- A nudge that somebody received and never deleted is nobody's loss: its consumer goes with it.
for _, stream in ipairs({ JOBS, NUDGES }) do
  for _, consumer in ipairs(call('XINFO', 'CONSUMERS', stream, GROUP)) do
    local fields = {}
    for n = 1, #consumer, 2 do fields[consumer[n]] = consumer[n + 1] end
    if (fields['pending'] == 0 or stream == NUDGES) and fields['idle'] >= CONSUMER_IDLE_MAX then
      call('XGROUP', 'DELCONSUMER', stream, GROUP, fields['name'])
    end
  end
end
-- Only now: where the group was gone, all of this was refused, and is asked for again at once.
call('HSET', STATE, 'swept', NOW)

-- Delivered, and neither held nor in a line: somebody deleted the consumer that held it. What is held or in a line is
-- known without its image, and between two such neighbours there is nothing, or one of these.
local unheld = 0
local start = state[2] and string.match(state[2], '[%d-]+')
local page, bound = held_after(start, LOOK_MAX)
local known = {}
for n, held in ipairs(page) do known[n] = place(held[1]) end
if bound then bound = place(bound) end
for _, line in ipairs({ BACK, AGAIN }) do
  local places = call('ZRANGEBYLEX', line, start and '(' .. place(start) or '-', '+', 'LIMIT', 0, LOOK_MAX)
  for _, at in ipairs(places) do known[#known + 1] = at end
  if #places == LOOK_MAX and not (bound and bound < places[LOOK_MAX]) then bound = places[LOOK_MAX] end
end
table.sort(known)

local function requeue_unheld(found)
  local entry, id = found[1], sub(found[2][2], 1, 16)
  bytes_read, ended = bytes_read + #found[2][2] + #(found[2][4] or ''), ended + 1
  local record = #id == 16 and record_of(id)
  if record and not is_settled(record) and entry_of(record) == entry then
    local attempts = attempts_of(entry)
    -- Far from any number that its last holder may have been given.
    attempts.deliveries, attempts.claims, attempts.again = attempts.deliveries + 100, math.max(attempts.claims, 1), true
    requeue(id, record, attempts)
    unheld = unheld + 1
  else
    over[#over + 1] = entry
  end
end

-- Requeues what lies after `start` and before `last`, where that comes with '(', or up to it.
local function requeue_between(last)
  local found = call('XRANGE', JOBS, start and '(' .. start or '-', last, 'COUNT', 1)[1]
  while found and not is_enough() do
    requeue_unheld(found)
    start = found[1]
    found = call('XRANGE', JOBS, '(' .. start, last, 'COUNT', 1)[1]
  end
  return not found
end

local last_delivered, all = place(delivered), true
for _, at in ipairs(known) do
  if (bound and at > bound) or at > last_delivered then break end
  all = requeue_between('(' .. entry_at(at))
  if not all then break end
  start = entry_at(at)
end
all = all and not bound and requeue_between(delivered)
if all then call('HDEL', STATE, 'orphans') elseif start then call('HSET', STATE, 'orphans', start) end
finish()

-- Fewer entries than open jobs: somebody deleted entries, and each such job is lost.
local lost, open, buckets = 0, 0, call('HGETALL', OPEN)
for n = 2, #buckets, 2 do open = open + tonumber(buckets[n]) end
if open > call('XLEN', JOBS) then
  local looked, is_through = 0, true
  for n = 1, #buckets, 2 do
    local cursor, at = '0', state[3]
    if at and sub(at, 1, #buckets[n] + 1) == buckets[n] .. ' ' then cursor = sub(at, #buckets[n] + 2) end
    if not at or cursor ~= '0' then
      state[3] = false
      repeat
        local page = call('HSCAN', buckets[n], cursor, 'COUNT', SCAN_COUNT)
        cursor = page[1]
        for m = 1, #page[2], 2 do
          local id, record = page[2][m], page[2][m + 1]
          local found = not is_settled(record) and call('XRANGE', JOBS, entry_of(record), entry_of(record))
          if found and found[1] then
            bytes_read = bytes_read + #(found[1][2][4] or '')
          elseif found then
            local why = 'lost: its image was deleted from the queue by somebody else before it was done'
            conclude(id, record, pack('>L', NOW), attempts_of(entry_of(record)).claims, tail_of('', '\1' .. why))
            lost, ended = lost + 1, ended + 1
          end
        end
        looked = looked + SCAN_COUNT
      until cursor == '0' or looked >= 10 * LOOK_MAX or is_enough()
      if cursor ~= '0' then
        call('HSET', STATE, 'audit', buckets[n] .. ' ' .. cursor)
        is_through = false
        break
      end
    end
  end
  if is_through then call('HDEL', STATE, 'audit') end
  finish()
end
return { unheld, lost, more }
