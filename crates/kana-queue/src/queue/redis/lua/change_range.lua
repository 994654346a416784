-- Answers the first and the last change there is, or empty strings.
local first = call('XRANGE', CHANGES, '-', '+', 'COUNT', 1)[1]
if not first then return { '', '' } end
return { first[1], call('XREVRANGE', CHANGES, '+', '-', 'COUNT', 1)[1][1] }
