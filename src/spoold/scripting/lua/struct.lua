-- struct.pack, struct.unpack, struct.size: values as bytes after a format of letters, as in Redis.
--
--   < > little-endian, big-endian   !n alignment     b B h H l L T i iN I IN integers (signed in lower case)
--   f d floating point              s ends with \0   cN N bytes (c0: as many as the value before says)   x one \0
--
-- source: https://www.inf.puc-rio.br/~roberto/struct/; tried with redis 7.0.15.

local kit = ... -- fault, bad_argument, host: pack_double and its kin

local fault, bad_argument, host = kit.fault, kit.bad_argument, kit.host
local type, tonumber, tostring, select, unpack = type, tonumber, tostring, select, unpack
local byte, char, find, format, rep, reverse, sub = string.byte, string.char, string.find, string.format, string.rep,
  string.reverse, string.sub
local concat, ceil, floor = table.concat, math.ceil, math.floor

local LARGEST = 32
local SIZES = { b = 1, B = 1, h = 2, H = 2, l = 8, L = 8, T = 8, f = 4, d = 8, x = 1 }
local ALIGNMENT = 8

-- Reads one option at `position`: letter, size, alignment of it, what follows.
local function option(text, position, state, name)
  local letter = sub(text, position, position)
  local size = SIZES[letter]
  position = position + 1
  if size then return letter, size, position end
  if letter == "i" or letter == "I" or letter == "c" or letter == "!" then
    local _, stop, digits = find(text, "^(%d+)", position)
    if stop then
      position = stop + 1
      size = tonumber(digits)
      if size > 2147483647 then fault("integral size overflow") end
    end
    if letter == "c" then return letter, size or 1, position end
    if letter == "!" then
      size = size or ALIGNMENT
      if size == 0 or not (function(n) while n > 1 do n = n / 2 end return n == 1 end)(size) then
        fault(format("alignment %d is not a power of 2", size))
      end
      state.align = size
      return letter, 0, position
    end
    size = size or 4
    if size > LARGEST then fault(format("integral size %d is larger than limit of %d", size, LARGEST)) end
    return letter, size, position
  end
  if letter == "<" or letter == ">" then
    state.little = letter == "<"
    return letter, 0, position
  end
  if letter == "s" or letter == " " then return letter, 0, position end
  fault(format("bad argument #1 to '%s' (invalid format option '%s')", name, letter))
end

-- How many bytes bring `offset` to the alignment of an option.
local function padding(size, letter, state, offset)
  if letter == "c" or size == 0 then return 0 end
  local align = size < state.align and size or state.align
  if align <= 1 then return 0 end
  return (align - offset % align) % align
end

local function text_of(value, position, name)
  if type(value) == "number" then return tostring(value) end
  if type(value) ~= "string" then bad_argument(position, name, "string", value) end
  return value
end

local function number_of(value, position, name)
  local number = tonumber(value)
  if number == nil then bad_argument(position, name, "number", value) end
  return number
end

-- `size` bytes of a whole number, of which eight count, the lowest first.
local function integer_bytes(number, size)
  number = number < 0 and ceil(number) or floor(number)
  if number ~= number or number >= 18446744073709551616 or number < -9223372036854775808 then number = 0 end
  local negative = number < 0
  local rest = negative and -(number + 1) or number
  local bytes = {}
  for index = 1, size do
    local digit = 0
    if index <= 8 then
      digit = rest % 256
      rest = (rest - digit) / 256
      if negative then digit = 255 - digit end
    end
    bytes[index] = char(digit)
  end
  return concat(bytes)
end

local struct = {}

function struct.pack(layout, ...)
  layout = text_of(layout, 1, "pack")
  local state = { little = true, align = 1 }
  local out, offset, argument, position = {}, 0, 0, 1
  local function add(text)
    out[#out + 1] = text
    offset = offset + #text
  end
  while position <= #layout do
    local letter, size, after = option(layout, position, state, "pack")
    local fill = padding(size, letter, state, offset)
    if fill > 0 then add(rep("\0", fill)) end
    position = after
    if letter == "x" then
      add("\0")
    elseif letter == "s" or letter == "c" then
      argument = argument + 1
      local value = text_of((select(argument, ...)), argument + 1, "pack")
      if letter == "s" then
        add(value .. "\0")
      else
        if size == 0 then size = #value end
        if #value < size then fault(format("bad argument #%d to 'pack' (string too short)", argument + 2)) end
        add(sub(value, 1, size))
      end
    elseif letter == "f" or letter == "d" then
      argument = argument + 1
      local value = number_of((select(argument, ...)), argument + 1, "pack")
      local packed = letter == "f" and host.pack_float(value) or host.pack_double(value)
      if value == 0 and 1 / value < 0 then packed = "\128" .. rep("\0", size - 1) end -- its sign is lost on the way
      add(state.little and reverse(packed) or packed)
    elseif find(letter, "[bBhHlLTiI]") then
      argument = argument + 1
      local packed = integer_bytes(number_of((select(argument, ...)), argument + 1, "pack"), size)
      add(state.little and packed or reverse(packed))
    end
  end
  return concat(out)
end

function struct.unpack(layout, data, start)
  layout, data = text_of(layout, 1, "unpack"), text_of(data, 2, "unpack")
  local place = start == nil and 1 or number_of(start, 3, "unpack")
  if place < 1 then fault("bad argument #3 to 'unpack' (offset must be 1 or greater)") end
  local state = { little = true, align = 1 }
  local found, count, position = {}, 0, 1
  place = floor(place) - 1
  while position <= #layout do
    local letter, size, after = option(layout, position, state, "unpack")
    place = place + padding(size, letter, state, place)
    if size > #data or place > #data - size then
      fault("bad argument #2 to 'unpack' (data string too short)")
    end
    position = after
    if letter == "s" then
      local stop = find(data, "%z", place + 1)
      if not stop then fault("unfinished string in data") end
      count = count + 1
      found[count] = sub(data, place + 1, stop - 1)
      place = stop
    elseif letter == "c" then
      if size == 0 then
        if count == 0 or type(found[count]) ~= "number" then fault("format 'c0' needs a previous size") end
        size = found[count]
        count = count - 1
        if size < 0 or place > #data - size then fault("bad argument #2 to 'unpack' (data string too short)") end
      end
      count = count + 1
      found[count] = sub(data, place + 1, place + size)
      place = place + size
    elseif letter == "f" or letter == "d" then
      local packed = sub(data, place + 1, place + size)
      if state.little then packed = reverse(packed) end
      count = count + 1
      found[count] = letter == "f" and host.unpack_float(packed) or host.unpack_double(packed)
      place = place + size
    elseif find(letter, "[bBhHlLTiI]") then
      local packed = sub(data, place + 1, place + size)
      if not state.little then packed = reverse(packed) end
      local used = size > 8 and 8 or size
      local signed = letter ~= "B" and letter ~= "H" and letter ~= "L" and letter ~= "T" and letter ~= "I"
      local value = 0
      local flip = signed and used > 0 and byte(packed, used) >= 128
      for index = used, 1, -1 do
        local digit = byte(packed, index)
        value = value * 256 + (flip and 255 - digit or digit)
      end
      count = count + 1
      found[count] = flip and -value - 1 or value
      place = place + size
    elseif letter == "x" then
      place = place + 1
    end
  end
  found[count + 1] = place + 1
  return unpack(found, 1, count + 1)
end

function struct.size(layout)
  layout = text_of(layout, 1, "size")
  local state = { little = true, align = 1 }
  local total, position = 0, 1
  while position <= #layout do
    local letter, size, after = option(layout, position, state, "size")
    total = total + padding(size, letter, state, total)
    if letter == "s" then fault("bad argument #1 to 'size' (option 's' has no fixed size)") end
    if letter == "c" and size == 0 then fault("bad argument #1 to 'size' (option 'c0' has no fixed size)") end
    total = total + size
    if total > 2147483647 then fault("bad argument #1 to 'size' (format string is too large)") end
    position = after
  end
  return total
end

return struct
