-- MessagePack for scripts, as in Redis: pack any values, unpack all of them, one, or so many from a place on.
--
-- source: https://github.com/msgpack/msgpack/blob/master/spec.md; what Redis makes of numbers, of tables that are no
-- arrays and of deep ones was tried with redis 7.0.15.

local kit = ... -- fault, bad_argument, host: pack_double and its kin

local fault, bad_argument, host = kit.fault, kit.bad_argument, kit.host
local type, tonumber, tostring, select, next, rawget, unpack = type, tonumber, tostring, select, next, rawget, unpack
local byte, char, format, sub = string.byte, string.char, string.format, string.sub
local concat, floor = table.concat, math.floor

local DEEPEST = 16 -- tables deeper than this are packed as nothing

local function big_endian(number, size)
  local bytes = {}
  for index = size, 1, -1 do
    local digit = number % 256
    bytes[index] = digit
    number = (number - digit) / 256
  end
  return char(unpack(bytes))
end

local function packed_number(number)
  if floor(number) == number and number >= -9223372036854775808 and number < 9223372036854775808 then
    if number >= 0 then
      if number < 128 then return char(number) end
      if number < 256 then return char(0xCC, number) end
      if number < 65536 then return "\205" .. big_endian(number, 2) end
      if number < 4294967296 then return "\206" .. big_endian(number, 4) end
      return "\207" .. big_endian(number, 8)
    end
    if number >= -32 then return char(256 + number) end
    if number >= -128 then return char(0xD0, 256 + number) end
    if number >= -32768 then return "\209" .. big_endian(65536 + number, 2) end
    if number >= -2147483648 then return "\210" .. big_endian(4294967296 + number, 4) end
    -- What a double can't hold beside 2^64 is kept apart: the upper half takes the borrow.
    local low = number % 4294967296
    return "\211" .. big_endian(4294967296 + (number - low) / 4294967296, 4) .. big_endian(low, 4)
  end
  local single = host.pack_float(number)
  if number ~= number or host.unpack_float(single) == number then return "\202" .. single end
  return "\203" .. host.pack_double(number)
end

local function packed_string(text)
  local length = #text
  if length < 32 then return char(0xA0 + length) .. text end
  if length < 256 then return char(0xD9, length) .. text end
  if length < 65536 then return "\218" .. big_endian(length, 2) .. text end
  return "\219" .. big_endian(length, 4) .. text
end

local function head(length, small, marks)
  if length < 16 then return char(small + length) end
  if length < 65536 then return char(marks) .. big_endian(length, 2) end
  return char(marks + 1) .. big_endian(length, 4)
end

-- Whether the keys of a table are 1 to n, and n.
local function array_length(table_)
  local count, highest = 0, 0
  for key in next, table_ do
    if type(key) ~= "number" or key <= 0 or floor(key) ~= key then return nil end
    count = count + 1
    if key > highest then highest = key end
  end
  return highest == count and count or nil
end

local function pack(value, out, depth)
  local kind = type(value)
  if kind == "string" then
    out[#out + 1] = packed_string(value)
  elseif kind == "number" then
    out[#out + 1] = packed_number(value)
  elseif kind == "boolean" then
    out[#out + 1] = value and "\195" or "\194"
  elseif kind == "table" and depth < DEEPEST then
    local length = array_length(value)
    if length then
      out[#out + 1] = head(length, 0x90, 0xDC)
      for index = 1, length do pack(rawget(value, index), out, depth + 1) end
      return
    end
    local count = 0
    for _ in next, value do count = count + 1 end
    out[#out + 1] = head(count, 0x80, 0xDE)
    for key, item in next, value do
      pack(key, out, depth + 1)
      pack(item, out, depth + 1)
    end
  else
    out[#out + 1] = "\192"
  end
end

local function short() fault("Missing bytes in input.") end

local function number_at(text, position, size)
  if position + size - 1 > #text then short() end
  local value = 0
  for index = position, position + size - 1 do value = value * 256 + byte(text, index) end
  return value
end

local function signed_at(text, position, size)
  if position + size - 1 > #text then short() end
  local flip = byte(text, position) >= 128
  local value = 0
  for index = position, position + size - 1 do
    local digit = byte(text, index)
    value = value * 256 + (flip and 255 - digit or digit)
  end
  return flip and -value - 1 or value
end

local function bytes_at(text, position, size)
  if position + size - 1 > #text then short() end
  return sub(text, position, position + size - 1), position + size
end

local read

local function read_array(text, position, count, depth)
  local made = {}
  for index = 1, count do made[index], position = read(text, position, depth) end
  return made, position
end

local function read_map(text, position, count, depth)
  local made, key, value = {}, nil, nil
  for _ = 1, count do
    key, position = read(text, position, depth)
    value, position = read(text, position, depth)
    if key ~= nil and key == key then made[key] = value end
  end
  return made, position
end

local DEEPEST_READ = 180 -- a C call for each level would end there too

-- One value: it, and where what follows starts.
function read(text, position, depth)
  local mark = byte(text, position)
  if not mark then short() end
  position = position + 1
  if mark < 0x80 then return mark, position end
  if mark >= 0xE0 then return mark - 256, position end
  if mark >= 0xA0 and mark < 0xC0 then return bytes_at(text, position, mark - 0xA0) end
  depth = depth + 1
  if depth > DEEPEST_READ then fault("Bad data format in input.") end
  if mark < 0x90 then return read_map(text, position, mark - 0x80, depth) end
  if mark < 0xA0 then return read_array(text, position, mark - 0x90, depth) end
  if mark == 0xC0 then return nil, position end
  if mark == 0xC2 then return false, position end
  if mark == 0xC3 then return true, position end
  if mark == 0xCA then
    local packed, after = bytes_at(text, position, 4)
    return host.unpack_float(packed), after
  end
  if mark == 0xCB then
    local packed, after = bytes_at(text, position, 8)
    return host.unpack_double(packed), after
  end
  if mark >= 0xCC and mark <= 0xCF then
    local size = 2 ^ (mark - 0xCC)
    return number_at(text, position, size), position + size
  end
  if mark >= 0xD0 and mark <= 0xD3 then
    local size = 2 ^ (mark - 0xD0)
    return signed_at(text, position, size), position + size
  end
  if mark >= 0xD9 and mark <= 0xDB then
    local size = 2 ^ (mark - 0xD9)
    return bytes_at(text, position + size, number_at(text, position, size))
  end
  if mark == 0xDC or mark == 0xDD then
    local size = mark == 0xDC and 2 or 4
    return read_array(text, position + size, number_at(text, position, size), depth)
  end
  if mark == 0xDE or mark == 0xDF then
    local size = mark == 0xDE and 2 or 4
    return read_map(text, position + size, number_at(text, position, size), depth)
  end
  fault("Bad data format in input.")
end

local cmsgpack = {
  _NAME = "cmsgpack", _VERSION = "lua-cmsgpack 0.4.0", _COPYRIGHT = "spoold's own", _DESCRIPTION = "MessagePack in Lua",
}

function cmsgpack.pack(...)
  local count = select("#", ...)
  if count == 0 then fault("bad argument #0 to 'pack' (MessagePack pack needs input.)") end
  local out = {}
  for index = 1, count do pack((select(index, ...)), out, 0) end
  return concat(out)
end

local function text_of(value, given, name)
  if type(value) == "number" then return tostring(value) end
  if type(value) ~= "string" then
    bad_argument(1, name, "string", value, given == 0)
  end
  return value
end

-- limit: how many values, 0 = all. tells: whether the place behind the last comes first (-1 at the end).
local function unpacked(text, limit, offset, tells)
  if limit < 0 or offset < 0 then
    fault(format("Invalid request to unpack with offset of %d and limit of %d.", offset, #text))
  end
  if offset > #text then fault(format("Start offset %d greater than input length %d.", offset, #text)) end
  local all = limit == 0
  local found, count, position = {}, tells and 1 or 0, offset + 1
  while position <= #text and (all or limit > 0) do
    count = count + 1
    found[count], position = read(text, position, 0)
    limit = limit - 1
  end
  if tells then found[1] = position > #text and -1 or position - 1 end
  return unpack(found, 1, count)
end

function cmsgpack.unpack(...) return unpacked(text_of((...), select("#", ...), "unpack"), 0, 0, false) end

function cmsgpack.unpack_one(text, offset)
  return unpacked(text_of(text, 1, "unpack_one"), 1, tonumber(offset or 0) or 0, true)
end

function cmsgpack.unpack_limit(text, limit, offset)
  local number = tonumber(limit)
  if number == nil then bad_argument(2, "unpack_limit", "number", limit) end
  return unpacked(text_of(text, 1, "unpack_limit"), number, tonumber(offset or 0) or 0, number ~= 0)
end

return cmsgpack
