-- JSON for scripts, with the names, options, number formats and error texts of the library that Redis has.
--
-- In Lua, not through Python: no value crosses, and the time and memory limits of scripts hold for it too.
-- Settings (cjson.encode_max_depth …) last as long as the Lua state, as there.
-- source: https://kyne.com.au/~mark/software/lua-cjson-manual.html, version 2.1; tried with redis 7.0.15.

local kit = ... -- fault, bad_argument, null

local fault, bad_argument, null = kit.fault, kit.bad_argument, kit.null
local type, tonumber, tostring, next, rawget, select = type, tonumber, tostring, next, rawget, select
local find, sub, byte, char, format, gsub, lower, rep = string.find, string.sub, string.byte, string.char,
  string.format, string.gsub, string.lower, string.rep
local concat, floor, huge = table.concat, math.floor, math.huge

local ESCAPES = { ['"'] = '\\"', ["\\"] = "\\\\", ["/"] = "\\/", ["\b"] = "\\b", ["\f"] = "\\f", ["\n"] = "\\n",
  ["\r"] = "\\r", ["\t"] = "\\t", ["\127"] = "\\u007f" }
for code = 0, 31 do
  local letter = char(code)
  ESCAPES[letter] = ESCAPES[letter] or format("\\u%04x", code)
end

local UNESCAPES = { ['"'] = '"', ["\\"] = "\\", ["/"] = "/", b = "\b", f = "\f", n = "\n", r = "\r", t = "\t" }

local PUNCTUATION = { ["{"] = "T_OBJ_BEGIN", ["}"] = "T_OBJ_END", ["["] = "T_ARR_BEGIN", ["]"] = "T_ARR_END",
  [":"] = "T_COLON", [","] = "T_COMMA" }

local WORDS = { { "true", "T_BOOLEAN", true }, { "false", "T_BOOLEAN", false }, { "null", "T_NULL", null } }

local function utf8(code)
  if code < 0x80 then return char(code) end
  if code < 0x800 then return char(0xC0 + floor(code / 64), 0x80 + code % 64) end
  if code < 0x10000 then
    return char(0xE0 + floor(code / 4096), 0x80 + floor(code / 64) % 64, 0x80 + code % 64)
  end
  return char(0xF0 + floor(code / 262144), 0x80 + floor(code / 4096) % 64, 0x80 + floor(code / 64) % 64,
    0x80 + code % 64)
end

local function new()
  local cjson = { _NAME = "cjson", _VERSION = "2.1.0", null = null }
  local encode_depth, decode_depth, keep_buffer = 1000, 1000, true
  local sparse_convert, sparse_ratio, sparse_safe = false, 2, 10
  local number_format = "%.14g"
  local precision = 14
  local encode_invalid, decode_invalid = false, true

  -- Writing -----------------------------------------------------------------------------------------------------

  local function quoted(text)
    if find(text, '[%c"\\/\127]') then text = gsub(text, '[%c"\\/\127]', ESCAPES) end
    return '"' .. text .. '"'
  end

  local function number(value)
    if value ~= value or value == huge or value == -huge then
      if encode_invalid == "null" then return "null" end
      if not encode_invalid then fault("Cannot serialise number: must not be NaN or Inf") end
      return value ~= value and "nan" or (value > 0 and "inf" or "-inf")
    end
    return format(number_format, value)
  end

  -- How many items an array of these keys has; nil if they are those of an object.
  local function array_length(table_)
    local highest, items = 0, 0
    for key in next, table_ do
      if type(key) ~= "number" or key < 1 or key > 2147483647 or floor(key) ~= key then return nil end
      if key > highest then highest = key end
      items = items + 1
    end
    if sparse_ratio > 0 and highest > items * sparse_ratio and highest > sparse_safe then
      if not sparse_convert then fault("Cannot serialise table: excessively sparse array") end
      return nil
    end
    return highest > 0 and highest or nil
  end

  local write

  local function write_table(table_, out, count, depth)
    depth = depth + 1
    if depth > encode_depth then fault("Cannot serialise, excessive nesting (" .. depth .. ")") end
    local length = array_length(table_)
    if length then
      out[count + 1] = "["
      count = count + 1
      for position = 1, length do
        if position > 1 then
          count = count + 1
          out[count] = ","
        end
        count = write(rawget(table_, position), out, count, depth)
      end
      out[count + 1] = "]"
      return count + 1
    end
    out[count + 1] = "{"
    count = count + 1
    local separator = ""
    for key, value in next, table_ do
      local kind = type(key)
      if kind == "string" then
        out[count + 1] = separator .. quoted(key) .. ":"
      elseif kind == "number" then
        out[count + 1] = separator .. '"' .. number(key) .. '":'
      else
        fault("Cannot serialise " .. kind .. ": table key must be a number or string")
      end
      count = write(value, out, count + 1, depth)
      separator = ","
    end
    out[count + 1] = "}"
    return count + 1
  end

  function write(value, out, count, depth)
    local kind = type(value)
    if kind == "string" then
      out[count + 1] = quoted(value)
    elseif kind == "number" then
      out[count + 1] = number(value)
    elseif kind == "boolean" then
      out[count + 1] = value and "true" or "false"
    elseif kind == "table" then
      return write_table(value, out, count, depth)
    elseif value == nil or value == null then
      out[count + 1] = "null"
    else
      fault("Cannot serialise " .. kind .. ": type not supported")
    end
    return count + 1
  end

  function cjson.encode(...)
    if select("#", ...) ~= 1 then fault("bad argument #1 to 'encode' (expected 1 argument)") end
    local out = {}
    write((...), out, 0, 0)
    return concat(out)
  end

  -- Reading -----------------------------------------------------------------------------------------------------

  local function unexpected(expected, found, position)
    fault("Expected " .. expected .. " but found " .. found .. " at character " .. position)
  end

  -- The string whose opening quote stands at `start`; returns it and what follows, or nil, a fault and its place.
  local function read_string(text, start)
    local position = start + 1
    local stop = find(text, '["\\%z]', position)
    if stop and byte(text, stop) == 34 then return sub(text, position, stop - 1), stop + 1 end
    local parts, count = {}, 0
    while true do
      if not stop then return nil, "unexpected end of string", #text + 1 end
      count = count + 1
      parts[count] = sub(text, position, stop - 1)
      local mark = byte(text, stop)
      if mark == 34 then return concat(parts), stop + 1 end
      if mark == 0 then return nil, "unexpected end of string", stop end
      local letter = sub(text, stop + 1, stop + 1)
      local plain = UNESCAPES[letter]
      if plain then
        count = count + 1
        parts[count] = plain
        position = stop + 2
      elseif letter == "u" then
        local _, last, digits = find(text, "^(%x%x%x%x)", stop + 2)
        local code = last and tonumber(digits, 16)
        if code and code >= 0xDC00 and code < 0xE000 then code = nil end
        if code and code >= 0xD800 and code < 0xDC00 then
          local _, low_last, low_digits = find(text, "^\\u(%x%x%x%x)", last + 1)
          local low = low_last and tonumber(low_digits, 16) or 0
          if low < 0xDC00 or low > 0xDFFF then
            code = nil
          else
            code, last = 0x10000 + (code - 0xD800) * 1024 + (low - 0xDC00), low_last
          end
        end
        if not code then return nil, "invalid unicode escape code", stop end
        count = count + 1
        parts[count] = utf8(code)
        position = last + 1
      else
        return nil, "invalid escape code", stop
      end
      stop = find(text, '["\\%z]', position)
    end
  end

  -- The longest number that strtod would read at `start`, and where it ends; nil if there is none.
  local function read_number(text, start)
    local _, stop = find(text, "^[+-]?0[xX]%x+", start)
    if not stop then
      _, stop = find(text, "^[+-]?%d+%.?%d*", start)
      if stop then
        local _, exponent = find(text, "^[eE][+-]?%d+", stop + 1)
        stop = exponent or stop
      end
    end
    if stop then
      local digits = sub(text, start, stop)
      local value = tonumber(digits)
      if value == nil and byte(digits) == 43 then value = tonumber(sub(digits, 2)) end
      return value, stop
    end
    local _, sign_stop, sign = find(text, "^([+-]?)", start)
    local word = lower(sub(text, sign_stop + 1, sign_stop + 8))
    local value, length
    if word == "infinity" then value, length = huge, 8
    elseif sub(word, 1, 3) == "inf" then value, length = huge, 3
    elseif sub(word, 1, 3) == "nan" then value, length = 0 / 0, 3
    else return nil end
    if value ~= value then value = sign == "-" and value or -value
    elseif sign == "-" then value = -value end
    return value, sign_stop + length
  end

  -- Whether what stands at `start` is one of the numbers that JSON does not know.
  local function is_invalid_number(text, start)
    local _, stop = find(text, "^%-?", start)
    local first, second = byte(text, stop + 1, stop + 2)
    if byte(text, start) == 43 then return true end
    if first == 48 then
      return second == 120 or second == 88 or (second ~= nil and second >= 48 and second <= 57)
    end
    if first and first >= 49 and first <= 57 then return false end
    return find(lower(sub(text, stop + 1, stop + 3)), "^inf") ~= nil or lower(sub(text, stop + 1, stop + 3)) == "nan"
  end

  -- The next token: its name, its value, where it starts, where what follows starts.
  local function token(text, position)
    position = find(text, "[^ \t\r\n]", position) or #text + 1
    local letter = sub(text, position, position)
    local punctuation = PUNCTUATION[letter]
    if punctuation then return punctuation, nil, position, position + 1 end
    if letter == '"' then
      local value, after, place = read_string(text, position)
      if value == nil then return after, nil, place, nil, true end
      return "T_STRING", value, position, after
    end
    if letter == "" then return "T_END", nil, position, position end
    if find(letter, "[%d+-]") then
      if not decode_invalid and is_invalid_number(text, position) then
        return "invalid number", nil, position, nil, true
      end
      local value, stop = read_number(text, position)
      if value == nil then return "invalid number", nil, position, nil, true end
      return "T_NUMBER", value, position, stop + 1
    end
    for index = 1, 3 do
      local word = WORDS[index]
      if sub(text, position, position + #word[1] - 1) == word[1] then
        return word[2], word[3], position, position + #word[1]
      end
    end
    if decode_invalid and find(letter, "[iInN]") then
      local value, stop = read_number(text, position)
      if value ~= nil then return "T_NUMBER", value, position, stop + 1 end
    end
    return "invalid token", nil, position, nil, true
  end

  local read

  local function descend(depth, position)
    if depth > decode_depth then
      fault("Found too many nested data structures (" .. depth .. ") at character " .. position)
    end
  end

  local function read_object(text, position, depth, start)
    descend(depth, start)
    local made = {}
    local name, key, place, after = token(text, position)
    if name == "T_OBJ_END" then return made, after end
    while true do
      if name ~= "T_STRING" then unexpected("object key string", name, place) end
      local value
      name, value, place, after = token(text, after)
      if name ~= "T_COLON" then unexpected("colon", name, place) end
      name, value, place, after = token(text, after)
      made[key], after = read(text, name, value, place, after, depth)
      name, value, place, after = token(text, after)
      if name == "T_OBJ_END" then return made, after end
      if name ~= "T_COMMA" then unexpected("comma or object end", name, place) end
      name, key, place, after = token(text, after)
    end
  end

  local function read_array(text, position, depth, start)
    descend(depth, start)
    local made, count = {}, 0
    local name, value, place, after = token(text, position)
    if name == "T_ARR_END" then return made, after end
    while true do
      count = count + 1
      made[count], after = read(text, name, value, place, after, depth)
      name, value, place, after = token(text, after)
      if name == "T_ARR_END" then return made, after end
      if name ~= "T_COMMA" then unexpected("comma or array end", name, place) end
      name, value, place, after = token(text, after)
    end
  end

  function read(text, name, value, place, after, depth)
    if name == "T_STRING" or name == "T_NUMBER" or name == "T_BOOLEAN" or name == "T_NULL" then return value, after end
    if name == "T_OBJ_BEGIN" then return read_object(text, after, depth + 1, place) end
    if name == "T_ARR_BEGIN" then return read_array(text, after, depth + 1, place) end
    unexpected("value", name, place)
  end

  function cjson.decode(...)
    if select("#", ...) ~= 1 then fault("bad argument #1 to 'decode' (expected 1 argument)") end
    local text = ...
    if type(text) == "number" then text = tostring(text) end
    if type(text) ~= "string" then bad_argument(1, "decode", "string", text) end
    if #text >= 2 and (byte(text) == 0 or byte(text, 2) == 0) then
      fault("JSON parser does not support UTF-16 or UTF-32")
    end
    local name, value, place, after = token(text, 1)
    local made
    made, after = read(text, name, value, place, after, 0)
    name, value, place = token(text, after)
    if name ~= "T_END" then unexpected("the end", name, place) end
    return made
  end

  -- Settings ----------------------------------------------------------------------------------------------------

  local function integer(name, position, value, lowest, highest)
    local number_ = tonumber(value)
    if number_ == nil then bad_argument(position, name, "number", value) end
    if number_ < lowest or number_ > highest then
      fault(format("bad argument #%d to '%s' (expected integer between %d and %d)", position, name, lowest, highest))
    end
    return floor(number_)
  end

  local function choice(name, position, value, words)
    if type(value) == "boolean" then return value end
    for _, word in next, words do
      if value == word[1] then return word[2] end
    end
    if type(value) ~= "string" then bad_argument(position, name, "string", value) end
    fault(format("bad argument #%d to '%s' (invalid option '%s')", position, name, value))
  end

  local ON_OFF = { { "off", false }, { "on", true } }
  local ON_OFF_NULL = { { "off", false }, { "on", true }, { "null", "null" } }

  function cjson.encode_max_depth(value)
    if value ~= nil then encode_depth = integer("encode_max_depth", 1, value, 1, 2147483647) end
    return encode_depth
  end

  function cjson.decode_max_depth(value)
    if value ~= nil then decode_depth = integer("decode_max_depth", 1, value, 1, 2147483647) end
    return decode_depth
  end

  function cjson.encode_number_precision(value)
    if value ~= nil then
      precision = integer("encode_number_precision", 1, value, 1, 14)
      number_format = "%." .. precision .. "g"
    end
    return precision
  end

  function cjson.encode_keep_buffer(value)
    if value ~= nil then keep_buffer = choice("encode_keep_buffer", 1, value, ON_OFF) end
    return keep_buffer
  end

  function cjson.encode_sparse_array(convert, ratio, safe)
    if convert ~= nil then sparse_convert = choice("encode_sparse_array", 1, convert, ON_OFF) end
    if ratio ~= nil then sparse_ratio = integer("encode_sparse_array", 2, ratio, 0, 2147483647) end
    if safe ~= nil then sparse_safe = integer("encode_sparse_array", 3, safe, 0, 2147483647) end
    return sparse_convert, sparse_ratio, sparse_safe
  end

  function cjson.encode_invalid_numbers(value)
    if value ~= nil then encode_invalid = choice("encode_invalid_numbers", 1, value, ON_OFF_NULL) end
    return encode_invalid
  end

  function cjson.decode_invalid_numbers(value)
    if value ~= nil then decode_invalid = choice("decode_invalid_numbers", 1, value, ON_OFF) end
    return decode_invalid
  end

  cjson.new = new
  return cjson
end

return new()
