-- Releases jobs that were read from the stream among others, but are to be claimed alone. ARGV: entries.
for _, entry in ipairs(ARGV) do
  local held = holder(entry)
  local found = held and call('XRANGE', JOBS, entry, entry)[1]
  if found then
    local id = sub(found[2][2], 1, 16)
    local record = record_of(id)
    if record and not is_settled(record) then
      requeue(id, record, { deliveries = tonumber(held[4]), claims = 0, failures = 0, again = true })
    end
  end
end
finish()
return redis.status_reply('OK')
