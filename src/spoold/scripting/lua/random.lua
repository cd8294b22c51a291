-- math.random as Redis has it: the same numbers after the same seed, on every machine.
--
-- The generator is POSIX's lrand48: x = (0x5DEECE66D * x + 11) mod 2^48, of which the upper 31 bits are used. Doubles
-- hold 53 bits, so the state is kept in two halves of 24.
-- source: POSIX drand48(); tried with redis 7.0.15.

local kit = ... -- fault, bad_argument

local fault, bad_argument = kit.fault, kit.bad_argument
local ceil, floor = math.ceil, math.floor
local tonumber, select = tonumber, select

local HALF = 16777216 -- 2^24
local FACTOR_LOW, FACTOR_HIGH = 0xECE66D, 0x5DE
local RANGE = 2147483647

local low, high

local function seed(number)
  number = (number < 0 and ceil(number) or floor(number)) % 4294967296
  high = floor(number / 256)
  low = number % 256 * 65536 + 0x330E
end

local function draw()
  local product = FACTOR_LOW * low + 11
  local carry = floor(product / HALF)
  high = (FACTOR_LOW * high % HALF + FACTOR_HIGH * low % HALF + carry) % HALF
  low = product % HALF
  return floor((high * HALF + low) / 131072)
end

local function argument(position, name, ...)
  local value = select(position, ...)
  local number = tonumber(value)
  if number == nil then bad_argument(position, name, "number", value, select("#", ...) < position) end
  return number < 0 and ceil(number) or floor(number)
end

local random = {}

function random.randomseed(...) seed(argument(1, "randomseed", ...)) end

function random.random(...)
  local fraction = draw() % RANGE / RANGE
  local count = select("#", ...)
  if count == 0 then return fraction end
  local first = argument(1, "random", ...)
  if count == 1 then
    if first < 1 then fault("bad argument #1 to 'random' (interval is empty)") end
    return floor(fraction * first) + 1
  end
  if count > 2 then fault("wrong number of arguments") end
  local last = argument(2, "random", ...)
  if first > last then fault("bad argument #2 to 'random' (interval is empty)") end
  return floor(fraction * (last - first + 1)) + first
end

seed(kit.host.seed)

return random
