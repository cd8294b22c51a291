-- The bit library: numbers as 32 bits, as in Redis.
--
-- Lua 5.1 has no operations on bits, so the work is done in Python.
-- source: https://bitop.luajit.org/api.html; tried with redis 7.0.15.

local kit = ... -- bad_argument, host: the operations on whole numbers

local bad_argument, host = kit.bad_argument, kit.host
local select, tonumber = select, tonumber
local format, sub, upper = string.format, string.sub, string.upper

local function argument(position, name, ...)
  local value = select(position, ...)
  local number = tonumber(value)
  if number == nil then bad_argument(position, name, "number", value, select("#", ...) < position) end
  return number
end

local bit = {}

for _, name in ipairs({ "tobit", "bnot", "bswap" }) do
  local work = host[name]
  bit[name] = function(...) return (work(argument(1, name, ...))) end
end

for _, name in ipairs({ "lshift", "rshift", "arshift", "rol", "ror" }) do
  local work = host[name]
  bit[name] = function(...)
    local number, by = argument(1, name, ...), argument(2, name, ...)
    return (work(number, by))
  end
end

for _, name in ipairs({ "band", "bor", "bxor" }) do
  local work = host[name]
  bit[name] = function(...)
    local result = host.tobit(argument(1, name, ...))
    for position = 2, select("#", ...) do result = work(result, argument(position, name, ...)) end
    return result
  end
end

function bit.tohex(...)
  local number = host.tobit(argument(1, "tohex", ...)) % 4294967296
  local digits = select("#", ...) > 1 and host.tobit(argument(2, "tohex", ...)) or 8
  local text = format("%08x", number)
  if digits < 0 then
    digits = -digits
    text = upper(text)
  end
  if digits >= 8 then return text end
  return sub(text, 9 - digits)
end

return bit
