var __create = Object.create;
var __defProp = Object.defineProperty;
var __getOwnPropDesc = Object.getOwnPropertyDescriptor;
var __getOwnPropNames = Object.getOwnPropertyNames;
var __getProtoOf = Object.getPrototypeOf;
var __hasOwnProp = Object.prototype.hasOwnProperty;
var __require = /* @__PURE__ */ ((x2) => typeof require !== "undefined" ? require : typeof Proxy !== "undefined" ? new Proxy(x2, {
  get: (a, b) => (typeof require !== "undefined" ? require : a)[b]
}) : x2)(function(x2) {
  if (typeof require !== "undefined") return require.apply(this, arguments);
  throw Error('Dynamic require of "' + x2 + '" is not supported');
});
var __commonJS = (cb, mod) => function __require2() {
  try {
    return mod || (0, cb[__getOwnPropNames(cb)[0]])((mod = { exports: {} }).exports, mod), mod.exports;
  } catch (e) {
    throw mod = 0, e;
  }
};
var __copyProps = (to, from, except, desc) => {
  if (from && typeof from === "object" || typeof from === "function") {
    for (let key of __getOwnPropNames(from))
      if (!__hasOwnProp.call(to, key) && key !== except)
        __defProp(to, key, { get: () => from[key], enumerable: !(desc = __getOwnPropDesc(from, key)) || desc.enumerable });
  }
  return to;
};
var __toESM = (mod, isNodeMode, target) => (target = mod != null ? __create(__getProtoOf(mod)) : {}, __copyProps(
  // If the importer is in node compatibility mode or this is not an ESM
  // file that has been converted to a CommonJS file using a Babel-
  // compatible transform (i.e. "__esModule" has not been set), then set
  // "default" to the CommonJS "module.exports" for node compatibility.
  isNodeMode || !mod || !mod.__esModule ? __defProp(target, "default", { value: mod, enumerable: true }) : target,
  mod
));

// node_modules/jsonc-parser/lib/umd/main.js
var require_main = __commonJS({
  "node_modules/jsonc-parser/lib/umd/main.js"(exports, module) {
    (function(factory) {
      if (typeof module === "object" && typeof module.exports === "object") {
        var v = factory(__require, exports);
        if (v !== void 0) module.exports = v;
      } else if (typeof define === "function" && define.amd) {
        define(["require", "exports", "./impl/format", "./impl/edit", "./impl/scanner", "./impl/parser"], factory);
      }
    })(function(require3, exports2) {
      "use strict";
      Object.defineProperty(exports2, "__esModule", { value: true });
      exports2.applyEdits = exports2.modify = exports2.format = exports2.printParseErrorCode = exports2.ParseErrorCode = exports2.stripComments = exports2.visit = exports2.getNodeValue = exports2.getNodePath = exports2.findNodeAtOffset = exports2.findNodeAtLocation = exports2.parseTree = exports2.parse = exports2.getLocation = exports2.SyntaxKind = exports2.ScanError = exports2.createScanner = void 0;
      const formatter = require3("./impl/format");
      const edit = require3("./impl/edit");
      const scanner = require3("./impl/scanner");
      const parser = require3("./impl/parser");
      exports2.createScanner = scanner.createScanner;
      var ScanError;
      (function(ScanError2) {
        ScanError2[ScanError2["None"] = 0] = "None";
        ScanError2[ScanError2["UnexpectedEndOfComment"] = 1] = "UnexpectedEndOfComment";
        ScanError2[ScanError2["UnexpectedEndOfString"] = 2] = "UnexpectedEndOfString";
        ScanError2[ScanError2["UnexpectedEndOfNumber"] = 3] = "UnexpectedEndOfNumber";
        ScanError2[ScanError2["InvalidUnicode"] = 4] = "InvalidUnicode";
        ScanError2[ScanError2["InvalidEscapeCharacter"] = 5] = "InvalidEscapeCharacter";
        ScanError2[ScanError2["InvalidCharacter"] = 6] = "InvalidCharacter";
      })(ScanError || (exports2.ScanError = ScanError = {}));
      var SyntaxKind;
      (function(SyntaxKind2) {
        SyntaxKind2[SyntaxKind2["OpenBraceToken"] = 1] = "OpenBraceToken";
        SyntaxKind2[SyntaxKind2["CloseBraceToken"] = 2] = "CloseBraceToken";
        SyntaxKind2[SyntaxKind2["OpenBracketToken"] = 3] = "OpenBracketToken";
        SyntaxKind2[SyntaxKind2["CloseBracketToken"] = 4] = "CloseBracketToken";
        SyntaxKind2[SyntaxKind2["CommaToken"] = 5] = "CommaToken";
        SyntaxKind2[SyntaxKind2["ColonToken"] = 6] = "ColonToken";
        SyntaxKind2[SyntaxKind2["NullKeyword"] = 7] = "NullKeyword";
        SyntaxKind2[SyntaxKind2["TrueKeyword"] = 8] = "TrueKeyword";
        SyntaxKind2[SyntaxKind2["FalseKeyword"] = 9] = "FalseKeyword";
        SyntaxKind2[SyntaxKind2["StringLiteral"] = 10] = "StringLiteral";
        SyntaxKind2[SyntaxKind2["NumericLiteral"] = 11] = "NumericLiteral";
        SyntaxKind2[SyntaxKind2["LineCommentTrivia"] = 12] = "LineCommentTrivia";
        SyntaxKind2[SyntaxKind2["BlockCommentTrivia"] = 13] = "BlockCommentTrivia";
        SyntaxKind2[SyntaxKind2["LineBreakTrivia"] = 14] = "LineBreakTrivia";
        SyntaxKind2[SyntaxKind2["Trivia"] = 15] = "Trivia";
        SyntaxKind2[SyntaxKind2["Unknown"] = 16] = "Unknown";
        SyntaxKind2[SyntaxKind2["EOF"] = 17] = "EOF";
      })(SyntaxKind || (exports2.SyntaxKind = SyntaxKind = {}));
      exports2.getLocation = parser.getLocation;
      exports2.parse = parser.parse;
      exports2.parseTree = parser.parseTree;
      exports2.findNodeAtLocation = parser.findNodeAtLocation;
      exports2.findNodeAtOffset = parser.findNodeAtOffset;
      exports2.getNodePath = parser.getNodePath;
      exports2.getNodeValue = parser.getNodeValue;
      exports2.visit = parser.visit;
      exports2.stripComments = parser.stripComments;
      var ParseErrorCode;
      (function(ParseErrorCode2) {
        ParseErrorCode2[ParseErrorCode2["InvalidSymbol"] = 1] = "InvalidSymbol";
        ParseErrorCode2[ParseErrorCode2["InvalidNumberFormat"] = 2] = "InvalidNumberFormat";
        ParseErrorCode2[ParseErrorCode2["PropertyNameExpected"] = 3] = "PropertyNameExpected";
        ParseErrorCode2[ParseErrorCode2["ValueExpected"] = 4] = "ValueExpected";
        ParseErrorCode2[ParseErrorCode2["ColonExpected"] = 5] = "ColonExpected";
        ParseErrorCode2[ParseErrorCode2["CommaExpected"] = 6] = "CommaExpected";
        ParseErrorCode2[ParseErrorCode2["CloseBraceExpected"] = 7] = "CloseBraceExpected";
        ParseErrorCode2[ParseErrorCode2["CloseBracketExpected"] = 8] = "CloseBracketExpected";
        ParseErrorCode2[ParseErrorCode2["EndOfFileExpected"] = 9] = "EndOfFileExpected";
        ParseErrorCode2[ParseErrorCode2["InvalidCommentToken"] = 10] = "InvalidCommentToken";
        ParseErrorCode2[ParseErrorCode2["UnexpectedEndOfComment"] = 11] = "UnexpectedEndOfComment";
        ParseErrorCode2[ParseErrorCode2["UnexpectedEndOfString"] = 12] = "UnexpectedEndOfString";
        ParseErrorCode2[ParseErrorCode2["UnexpectedEndOfNumber"] = 13] = "UnexpectedEndOfNumber";
        ParseErrorCode2[ParseErrorCode2["InvalidUnicode"] = 14] = "InvalidUnicode";
        ParseErrorCode2[ParseErrorCode2["InvalidEscapeCharacter"] = 15] = "InvalidEscapeCharacter";
        ParseErrorCode2[ParseErrorCode2["InvalidCharacter"] = 16] = "InvalidCharacter";
      })(ParseErrorCode || (exports2.ParseErrorCode = ParseErrorCode = {}));
      function printParseErrorCode2(code) {
        switch (code) {
          case 1:
            return "InvalidSymbol";
          case 2:
            return "InvalidNumberFormat";
          case 3:
            return "PropertyNameExpected";
          case 4:
            return "ValueExpected";
          case 5:
            return "ColonExpected";
          case 6:
            return "CommaExpected";
          case 7:
            return "CloseBraceExpected";
          case 8:
            return "CloseBracketExpected";
          case 9:
            return "EndOfFileExpected";
          case 10:
            return "InvalidCommentToken";
          case 11:
            return "UnexpectedEndOfComment";
          case 12:
            return "UnexpectedEndOfString";
          case 13:
            return "UnexpectedEndOfNumber";
          case 14:
            return "InvalidUnicode";
          case 15:
            return "InvalidEscapeCharacter";
          case 16:
            return "InvalidCharacter";
        }
        return "<unknown ParseErrorCode>";
      }
      exports2.printParseErrorCode = printParseErrorCode2;
      function format(documentText, range, options) {
        return formatter.format(documentText, range, options);
      }
      exports2.format = format;
      function modify(text2, path, value, options) {
        return edit.setProperty(text2, path, value, options);
      }
      exports2.modify = modify;
      function applyEdits2(text2, edits) {
        let sortedEdits = edits.slice(0).sort((a, b) => {
          const diff = a.offset - b.offset;
          if (diff === 0) {
            return a.length - b.length;
          }
          return diff;
        });
        let lastModifiedOffset = text2.length;
        for (let i2 = sortedEdits.length - 1; i2 >= 0; i2--) {
          let e = sortedEdits[i2];
          if (e.offset + e.length <= lastModifiedOffset) {
            text2 = edit.applyEdit(text2, e);
          } else {
            throw new Error("Overlapping edit");
          }
          lastModifiedOffset = e.offset;
        }
        return text2;
      }
      exports2.applyEdits = applyEdits2;
    });
  }
});

// ../../tmp/tryrepair.ts
import { readFileSync as readFileSync2 } from "node:fs";

// src/recorder/repairBench.ts
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

// src/engine/tensor.ts
function sizeOf(shape2) {
  return shape2.reduce((size, length) => size * length, 1);
}
function tensor(shape2, data) {
  if (data.length !== sizeOf(shape2)) {
    throw new RangeError(
      `${data.length} entries do not fill shape ${formatShape(shape2)} (${sizeOf(shape2)} entries)`
    );
  }
  return { shape: [...shape2], data: data instanceof Float64Array ? data : Float64Array.from(data) };
}
function zeros(shape2) {
  return { shape: [...shape2], data: new Float64Array(sizeOf(shape2)) };
}
function scalar(value) {
  return { shape: [], data: Float64Array.of(value) };
}
function strides(shape2) {
  const result = Array.from(shape2, () => 1);
  for (let axis = shape2.length - 2; axis >= 0; axis--) {
    result[axis] = result[axis + 1] * shape2[axis + 1];
  }
  return result;
}
function map(a, fn) {
  const data = new Float64Array(a.data.length);
  for (let at = 0; at < data.length; at++) data[at] = fn(a.data[at], at);
  return { shape: a.shape, data };
}
function add(a, b) {
  return map(a, (value, at) => value + b.data[at]);
}
var knownLargest = /* @__PURE__ */ new WeakMap();
function largestMagnitude(value) {
  const known = knownLargest.get(value);
  if (known !== void 0) return known;
  const { data } = value;
  let found = 0;
  for (let at = 0; at < data.length; at++) {
    const size = Math.abs(data[at]);
    if (size > found && size < Infinity) found = size;
  }
  knownLargest.set(value, found);
  return found;
}
function sameShape(a, b) {
  return a.length === b.length && a.every((length, axis) => length === b[axis]);
}
function formatShape(shape2) {
  return `(${shape2.join(", ")})`;
}

// src/formats/dtype.ts
var READERS = {
  bool: [1, (view, at) => view.getUint8(at) === 0 ? 0 : 1],
  int8: [1, (view, at) => view.getInt8(at)],
  uint8: [1, (view, at) => view.getUint8(at)],
  int16: [2, (view, at, little) => view.getInt16(at, little)],
  uint16: [2, (view, at, little) => view.getUint16(at, little)],
  int32: [4, (view, at, little) => view.getInt32(at, little)],
  uint32: [4, (view, at, little) => view.getUint32(at, little)],
  int64: [8, (view, at, little) => Number(view.getBigInt64(at, little))],
  uint64: [
    8,
    (view, at, little) => Number(view.getBigUint64(at, little))
  ],
  float16: [
    2,
    (view, at, little) => fromFloat16(view.getUint16(at, little))
  ],
  bfloat16: [
    2,
    (view, at, little) => fromBfloat16(view.getUint16(at, little))
  ],
  float32: [4, (view, at, little) => view.getFloat32(at, little)],
  float64: [8, (view, at, little) => view.getFloat64(at, little)]
};
var DTYPES = Object.keys(READERS);
function isDType(name) {
  return Object.hasOwn(READERS, name);
}
function byteSize(dtype) {
  return READERS[dtype][0];
}
var HOST_IS_LITTLE_ENDIAN = new Uint8Array(new Uint16Array([1]).buffer)[0] === 1;
function decode(dtype, bytes, littleEndian, count) {
  const [size, read] = READERS[dtype];
  if (bytes.length < count * size) {
    throw new RangeError(`${bytes.length} bytes do not hold ${count} entries of ${size} bytes`);
  }
  if (littleEndian && HOST_IS_LITTLE_ENDIAN && (dtype === "float32" || dtype === "float64"))
    return decodeNative(dtype, bytes, count);
  if (dtype === "float16" || dtype === "bfloat16")
    return decodeHalf(dtype, bytes, littleEndian, count);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const data = new Float64Array(count);
  for (let i2 = 0; i2 < count; i2++) data[i2] = read(view, i2 * size, littleEndian);
  return data;
}
var ALIGNED = new Uint8Array(2 ** 16);
function decodeNative(dtype, bytes, count) {
  const data = new Float64Array(count);
  const size = byteSize(dtype);
  const most = ALIGNED.length / size;
  const entries = new (dtype === "float32" ? Float32Array : Float64Array)(ALIGNED.buffer);
  for (let at = 0; at < count; at += most) {
    const length = Math.min(most, count - at);
    ALIGNED.set(bytes.subarray(at * size, (at + length) * size));
    data.set(entries.subarray(0, length), at);
  }
  return data;
}
var patterns = /* @__PURE__ */ new Map();
function decodeHalf(dtype, bytes, littleEndian, count) {
  const read = dtype === "float16" ? fromFloat16 : fromBfloat16;
  const table = patterns.get(dtype) ?? Float64Array.from({ length: 2 ** 16 }, (_, bits2) => read(bits2));
  patterns.set(dtype, table);
  const [low, high] = littleEndian ? [0, 1] : [1, 0];
  const data = new Float64Array(count);
  for (let n = 0; n < count; n++) data[n] = table[bytes[2 * n + low] | bytes[2 * n + high] << 8];
  return data;
}
function fromFloat16(bits2) {
  const sign = bits2 & 32768 ? -1 : 1;
  const exponent = bits2 >> 10 & 31;
  const fraction2 = bits2 & 1023;
  if (exponent === 31) return fraction2 === 0 ? sign * Infinity : NaN;
  if (exponent === 0) return sign * fraction2 * 2 ** -24;
  return sign * (1024 + fraction2) * 2 ** (exponent - 25);
}
function fromBfloat16(bits2) {
  const sign = bits2 & 32768 ? -1 : 1;
  const exponent = bits2 >> 7 & 255;
  const fraction2 = bits2 & 127;
  if (exponent === 255) return fraction2 === 0 ? sign * Infinity : NaN;
  if (exponent === 0) return sign * fraction2 * 2 ** -133;
  return sign * (128 + fraction2) * 2 ** (exponent - 134);
}

// src/formats/shown.ts
var HIDDEN = /[\p{Cc}\p{Zl}\p{Zp}\p{Cs}\u061C\u200E\u200F\u202A-\u202E\u2066-\u2069]/gu;
var SHORT = { "\n": "\\n", "\r": "\\r", "	": "\\t" };
function escaped(character) {
  const code = character.charCodeAt(0);
  const digits = code.toString(16);
  return SHORT[character] ?? (code < 256 ? `\\x${digits.padStart(2, "0")}` : `\\u${digits.padStart(4, "0")}`);
}
var visible = (text2) => text2.replaceAll(HIDDEN, escaped);
var LONGEST = 200;
function oneLine(text2) {
  return text2.length > LONGEST ? `${visible(text2.slice(0, LONGEST))}\u2026` : visible(text2);
}

// src/formats/formatError.ts
var FormatError = class extends Error {
  name = "FormatError";
  file;
  entry;
  found;
  expected;
  constructor(file, entry, found, expected2) {
    const place = entry === "" ? file : `${file}: ${oneLine(entry)}`;
    super(`${place}: found ${oneLine(found)}, expected ${expected2}`);
    this.file = file;
    this.entry = entry;
    this.found = found;
    this.expected = expected2;
  }
};

// src/lines/recording.ts
var MAGIC = "ATLINES1";
var TAIL = 16;
var asText = (bytes) => new TextDecoder("utf-8").decode(bytes);
function headerOf(name, bytes) {
  const magic = asText(bytes.subarray(Math.max(0, bytes.length - MAGIC.length)));
  if (bytes.length < TAIL || magic !== MAGIC)
    throw new FormatError(name, "", `${bytes.length} bytes that end in "${magic}"`, `"${MAGIC}"`);
  const end = bytes.length - TAIL;
  const length = new DataView(bytes.buffer, bytes.byteOffset + end, 8).getBigUint64(0, true);
  if (length > BigInt(end))
    throw new FormatError(name, "", `a header of ${length} bytes`, `at most ${end}`);
  const text2 = asText(bytes.subarray(end - Number(length), end));
  let header;
  try {
    header = JSON.parse(text2);
  } catch (error) {
    throw new FormatError(name, "header", error.message, "JSON");
  }
  return checked(name, header, end - Number(length));
}
var LISTS = ["files", "functions", "statements", "events", "notes", "args"];
function checked(name, header, room) {
  const fail = (entry, found2, expected2) => {
    throw new FormatError(name, entry, JSON.stringify(found2) ?? "nothing", expected2);
  };
  if (typeof header !== "object" || header === null) return fail("header", header, "an object");
  const found = header;
  if (found.version !== 1) fail("version", found.version, "1");
  for (const list of LISTS) if (!Array.isArray(found[list])) fail(list, found[list], "an array");
  const { statements, functions: functions2, files, events } = found;
  functions2.forEach(({ file }, n) => {
    if (!files[file]) fail(`functions[${n}].file`, file, `one of ${files.length} files`);
  });
  statements.forEach((each, n) => {
    const place = `statements[${n}]`;
    if (!files[each.file]) fail(`${place}.file`, each.file, `one of ${files.length} files`);
    if (!functions2[each.function])
      fail(`${place}.function`, each.function, `one of ${functions2.length} functions`);
  });
  events.forEach((event, n) => {
    const place = `events[${n}]`;
    if (event.id !== n) fail(`${place}.id`, event.id, `${n}`);
    if (!statements[event.statement])
      fail(`${place}.statement`, event.statement, `one of ${statements.length} statements`);
    if (!Array.isArray(event.shape)) fail(`${place}.shape`, event.shape, "axis lengths");
    for (const key of ["same", "alias"]) {
      const other = event[key];
      if (other !== void 0 && !(other >= 0 && other < n))
        fail(`${place}.${key}`, other, "an earlier event");
    }
    for (const read of event.reads ?? [])
      if (!events[read]) fail(`${place}.reads`, read, "an event");
    if (event.at && !(event.at[0] >= 0 && event.at[0] + event.at[1] <= room))
      fail(`${place}.at`, event.at, `bytes within ${room}`);
    if (event.at && isDType(event.dtype)) {
      const size = sizeOf(event.shape) * byteSize(event.dtype);
      if (event.at[1] < size) fail(`${place}.at`, event.at, `${size} bytes`);
    }
  });
  return found;
}
function parseRecording(bytes, name = "recording") {
  const header = headerOf(name, bytes);
  const decoded = /* @__PURE__ */ new Map();
  const read = (event) => {
    if (event.value !== void 0 && event.shape.length === 0) return scalar(Number(event.value));
    if (event.same !== void 0) return tensor2(event.same);
    if (!event.at || !isDType(event.dtype)) return null;
    const part = bytes.subarray(event.at[0], event.at[0] + event.at[1]);
    const data = decode(event.dtype, part, true, sizeOf(event.shape));
    return { shape: event.shape, data };
  };
  const tensor2 = (id) => {
    const known = decoded.get(id);
    if (known !== void 0) return known;
    const value = read(header.events[id]);
    decoded.set(id, value);
    return value;
  };
  return { ...header, tensor: tensor2 };
}

// src/process/ownProcess.ts
import { spawn as spawn2 } from "node:child_process";
import { randomUUID } from "node:crypto";

// src/process/watchdog.ts
import { spawn } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
var MARK = "ATTENTION_PROCESSES";
var ROUNDS = 20;
var WATCH = `trap '' HUP INT TERM
read -r group
read -r _
round=0
while [ $round -lt ${ROUNDS} ]; do
  [ -n "$group" ] && kill -9 "-$group"
  found=$(grep -ls "$1" /proc/[0-9]*/environ)
  [ -n "$found" ] || break
  for each in $found; do
    each=\${each#/proc/}
    kill -9 "\${each%/environ}"
  done
  round=$((round + 1))
done`;
function startWatchdog(id) {
  if (process.platform === "win32") return null;
  const shell = spawn("/bin/sh", ["-c", WATCH, "sh", id], {
    stdio: ["pipe", "ignore", "ignore"],
    detached: true,
    cwd: "/"
  });
  shell.on("error", () => void 0);
  shell.stdin.on("error", () => void 0);
  shell.unref();
  shell.stdin.unref();
  return shell;
}
function marked(id) {
  let names;
  try {
    names = readdirSync("/proc").filter((name) => /^\d+$/.test(name));
  } catch {
    return [];
  }
  return names.map(Number).filter((pid) => {
    try {
      return readFileSync(`/proc/${pid}/environ`, "latin1").includes(id);
    } catch {
      return false;
    }
  });
}
function endOne(pid) {
  try {
    process.kill(pid, "SIGKILL");
  } catch {
  }
}
function endTree(pid, id) {
  if (process.platform === "win32") {
    spawn("taskkill", ["/pid", `${pid}`, "/T", "/F"], { stdio: "ignore" }).on(
      "error",
      () => endOne(pid)
    );
    return;
  }
  for (let round = 0; round < ROUNDS; round++) {
    endOne(-pid);
    const found = marked(id);
    if (found.length === 0) return;
    found.forEach(endOne);
  }
}

// src/process/ownProcess.ts
var MOST_LINGER = 1e3;
var MOST_DYING = 5e3;
var LONGEST_TIMER = 2 ** 31 - 1;
function start(options) {
  return new Running(options);
}
var Running = class {
  done;
  #options;
  #id = randomUUID();
  #watchdog;
  #child;
  #cancel = () => this.#end("cancelled");
  /** It has ended, or will not end. */
  #isGone = () => void 0;
  #error = null;
  #left;
  #why = null;
  #outputCut = false;
  #timer;
  constructor(options) {
    this.#options = options;
    this.#left = options.mostOutput ?? Infinity;
    this.#watchdog = startWatchdog(this.#id);
    this.#child = this.#spawn();
    this.#watchdog?.stdin?.write(`${this.pid ?? ""}
`);
    this.#listen();
    this.done = this.#ended();
    const { timeout, signal } = options;
    if (timeout !== void 0) this.#wait(timeout, () => this.#end("timedOut"));
    signal?.addEventListener("abort", this.#cancel);
    if (signal?.aborted) this.#cancel();
  }
  get pid() {
    return this.#child?.pid;
  }
  send(bytes) {
    this.#channel?.write(bytes);
  }
  kill() {
    this.#end(null);
  }
  get #channel() {
    return this.#child?.stdio[3] ?? null;
  }
  /** null where the operating system takes no such command or arguments. */
  #spawn() {
    const { command, args = [], cwd, env = process.env, onMessage } = this.#options;
    const { stdin, inherit } = this.#options;
    const input = stdin === void 0 ? "ignore" : "pipe";
    const streams = inherit ? ["inherit", "inherit", "inherit"] : [input, "pipe", "pipe"];
    try {
      return spawn2(command, args, {
        cwd,
        env: { ...env, [MARK]: `${env[MARK] ?? ""} ${this.#id}` },
        stdio: [...streams, onMessage ? "pipe" : "ignore"],
        detached: process.platform !== "win32",
        windowsHide: true
      });
    } catch (error) {
      this.#error = error;
      return null;
    }
  }
  #wait(milliseconds, then) {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(then, Math.min(milliseconds, LONGEST_TIMER));
  }
  #end(why) {
    const { pid } = this;
    if (pid === void 0 || this.#child?.exitCode !== null || this.#child.signalCode) return;
    this.#why ??= why;
    endTree(pid, this.#id);
    this.#wait(MOST_DYING, this.#isGone);
  }
  #listen() {
    const { onStdout, onStderr, onMessage, stdin } = this.#options;
    const child = this.#child;
    if (!child) return;
    for (const stream of child.stdio) stream?.on("error", () => void 0);
    const pass = (stream, receive) => {
      stream?.setEncoding("utf8").on("data", (text2) => {
        const passed = text2.slice(0, this.#left);
        this.#left -= passed.length;
        if (passed.length < text2.length) this.#outputCut = true;
        if (passed) receive?.(passed);
      });
    };
    pass(child.stdout, onStdout);
    pass(child.stderr, onStderr);
    if (onMessage) this.#channel?.on("data", onMessage);
    if (stdin !== void 0) child.stdin?.end(stdin);
  }
  async #ended() {
    const child = this.#child;
    const closed = child && new Promise((resolve2) => child.once("close", () => resolve2()));
    await new Promise((resolve2) => {
      this.#isGone = resolve2;
      child?.once("exit", () => resolve2());
      child?.on("error", (error) => {
        this.#error = error;
        resolve2();
      });
      if (!child) resolve2();
    });
    clearTimeout(this.#timer);
    this.#options.signal?.removeEventListener("abort", this.#cancel);
    if (child?.pid !== void 0) {
      endTree(child.pid, this.#id);
      const lingered = new Promise((resolve2) => this.#wait(MOST_LINGER, resolve2));
      await Promise.race([closed, lingered]);
      clearTimeout(this.#timer);
    }
    for (const stream of child?.stdio ?? []) stream?.destroy();
    this.#watchdog?.kill("SIGKILL");
    this.#watchdog?.stdin?.destroy();
    return {
      code: child?.pid === void 0 ? null : child.exitCode,
      signal: child?.signalCode ?? null,
      timedOut: this.#why === "timedOut",
      cancelled: this.#why === "cancelled",
      outputCut: this.#outputCut,
      error: this.#error
    };
  }
};

// src/recorder/repairBench.ts
async function openBench(options) {
  const folder = await mkdtemp(join(tmpdir(), "attention-repair-"));
  return new PythonBench(options, folder);
}
var PythonBench = class {
  #options;
  #folder;
  #process;
  #waiting = /* @__PURE__ */ new Map();
  #buffer = Buffer.alloc(0);
  #next = 0;
  #isOver = false;
  constructor(options, folder) {
    this.#options = options;
    this.#folder = folder;
    this.#process = start({
      command: options.python,
      args: ["-W", "ignore", options.recorder, "--repair", "3"],
      cwd: options.cwd,
      ...options.signal && { signal: options.signal },
      onMessage: (bytes) => this.#read(bytes)
    });
    void this.#process.done.then(() => this.#end());
  }
  async frame(request) {
    const { sources, file, line: line2, occurrence, pairs, seconds } = request;
    const place = { file, line: line2, occurrence };
    const { reply, out } = await this.#ask({ job: "frame", sources, place, pairs, seconds });
    if (reply.error !== void 0) return null;
    const { candidates: candidates2, others, tried } = reply;
    const bytes = await readFile(out);
    await this.#forget(out);
    const decoded = candidates2.map(({ values, ...candidate }) => ({
      ...candidate,
      values: values.map(({ shape: shape2, at }) => {
        const size = shape2.reduce((product3, each) => product3 * each, 1);
        return tensor(shape2, new Float64Array(bytes.buffer.slice(bytes.byteOffset + at, bytes.byteOffset + at + 8 * size)));
      })
    }));
    return { candidates: decoded, others, tried };
  }
  async record(sources, args) {
    const { reply, out } = await this.#ask({ job: "record", sources, ...args && { args } });
    try {
      if (reply.error !== void 0) return null;
      return parseRecording(new Uint8Array(await readFile(out)), out);
    } catch {
      return null;
    } finally {
      await this.#forget(out);
    }
  }
  async vary(sources) {
    const { reply } = await this.#ask({ job: "vary", sources });
    const { seeds = [], sizes = [] } = reply;
    return { seeds, sizes };
  }
  async close() {
    this.#process.kill();
    await this.#process.done;
    await rm(this.#folder, { recursive: true, force: true });
  }
  async #forget(out) {
    await rm(out, { force: true });
    await rm(`${out}.files`, { recursive: true, force: true });
  }
  #ask(request) {
    const { file, args, cwd, root: root2, pytest, timeout } = this.#options;
    const id = this.#next++;
    const out = join(this.#folder, String(id));
    if (this.#isOver) return Promise.resolve({ reply: { id, error: "Python has ended" }, out });
    const whole = { file, args, cwd, root: root2, pytest, timeout, ...request, id, out };
    return new Promise((resolve2) => {
      this.#waiting.set(id, (reply) => resolve2({ reply, out }));
      this.#process.send(Buffer.from(`${JSON.stringify(whole)}
`));
    });
  }
  #read(bytes) {
    this.#buffer = Buffer.concat([this.#buffer, bytes]);
    for (let at = this.#buffer.indexOf(10); at >= 0; at = this.#buffer.indexOf(10)) {
      const line2 = this.#buffer.subarray(0, at).toString("utf8");
      this.#buffer = this.#buffer.subarray(at + 1);
      const reply = JSON.parse(line2);
      this.#waiting.get(reply.id)?.(reply);
      this.#waiting.delete(reply.id);
    }
  }
  #end() {
    this.#isOver = true;
    for (const [id, answer] of this.#waiting) answer({ id, error: "Python has ended" });
    this.#waiting.clear();
  }
};

// src/compare/dtypes.ts
var BITS = new Float64Array(1);
var WORDS = new Uint32Array(BITS.buffer);
function rounder(bits2, least, largest2) {
  const magic = Float64Array.from(
    { length: 2048 },
    (_, biased) => 1.5 * 2 ** (52 + Math.max(biased - 1023, least) - bits2 + 1)
  );
  return (value) => {
    if (value === 0 || !Number.isFinite(value)) return value;
    if (Math.abs(value) > 2 * largest2) return value * Infinity;
    BITS[0] = value;
    const most = magic[WORDS[1] >>> 20 & 2047];
    const rounded = value + most - most;
    return Math.abs(rounded) > largest2 ? rounded * Infinity : rounded;
  };
}
var FLOAT64 = {
  name: "float64",
  epsilon: 2 ** -52,
  sumEpsilon: 2 ** -52,
  smallest: 2 ** -1074,
  round: (value) => value
};
var FLOAT32 = {
  name: "float32",
  epsilon: 2 ** -23,
  sumEpsilon: 2 ** -23,
  smallest: 2 ** -149,
  round: (value) => Math.fround(value)
};
var BFLOAT16 = {
  name: "bfloat16",
  epsilon: 2 ** -7,
  sumEpsilon: 2 ** -23,
  smallest: 2 ** -133,
  round: rounder(8, -126, 33895313892515355e22)
};
var FLOAT16 = {
  name: "float16",
  epsilon: 2 ** -10,
  sumEpsilon: 2 ** -23,
  smallest: 2 ** -24,
  round: rounder(11, -14, 65504)
};
var NARROW_FIRST = [BFLOAT16, FLOAT16, FLOAT32, FLOAT64];
var BY_NAME = new Map(NARROW_FIRST.map((type) => [type.name, type]));

// src/engine/axes.ts
function axisLabel(axis) {
  return axis.length === 1 ? axis[0] : `(${axis.join(" ")})`;
}
function parseSpec(spec) {
  return spec.split(/,|->/).map(
    (operand) => [...operand.matchAll(/\(([^)]*)\)|(\S)/g)].map(
      ([, merged, single]) => merged === void 0 ? [single] : merged.trim().split(/\s+/)
    )
  );
}
function axisLength(axis, extents) {
  return axis.reduce((length, letter) => length * extents[letter], 1);
}
function shapeOf(axes, extents) {
  return axes.map((axis) => axisLength(axis, extents));
}
function letterStrides(axes, extents) {
  const result = /* @__PURE__ */ new Map();
  let stride = 1;
  for (const letter of axes.flat().reverse()) {
    result.set(letter, stride);
    stride *= extents[letter];
  }
  return result;
}
function bindingAt(axes, extents, offset) {
  const binding = {};
  let rest = offset;
  for (const letter of axes.flat().reverse()) {
    binding[letter] = rest % extents[letter];
    rest = Math.floor(rest / extents[letter]);
  }
  return binding;
}
function offsetAt(axes, extents, binding) {
  let offset = 0;
  for (const letter of axes.flat()) offset = offset * extents[letter] + (binding[letter] ?? 0);
  return offset;
}
function offsetTable(letters, letterStride, extents) {
  const lengths = letters.map((letter) => extents[letter]);
  const table = new Int32Array(sizeOf(lengths));
  let filled = 1;
  for (let n = letters.length - 1; n >= 0; n--) {
    const stride = letterStride.get(letters[n]) ?? 0;
    for (let value = lengths[n] - 1; value >= 0; value--) {
      for (let at = 0; at < filled; at++) table[value * filled + at] = value * stride + table[at];
    }
    filled *= lengths[n];
  }
  return table;
}

// src/engine/config.ts
var MAX_NODE_ENTRIES = 2 ** 26;
var ConfigError = class extends Error {
  name = "ConfigError";
  entry;
  constructor(entry, message) {
    super(`${entry}: ${message}`);
    this.entry = entry.split(".");
  }
};

// src/engine/graph.ts
function nodeOf(graph, id) {
  const node = graph.nodes.find((each) => each.id === id);
  if (!node)
    throw new RangeError(
      `no node ${id}; the graph has ${graph.nodes.map((each) => each.id).join(" ")}`
    );
  return node;
}
function hasNode(graph, id) {
  return graph.nodes.some((node) => node.id === id);
}
function operationNodes(graph) {
  return graph.nodes.filter((node) => node.kind === "operation");
}
var GraphBuilder = class {
  #nodes = [];
  #extents;
  constructor(extents) {
    this.#extents = extents;
  }
  input(id, axes, value) {
    const shape2 = shapeOf(axes, this.#extents);
    if (!sameShape(shape2, value.shape)) {
      throw new RangeError(
        `${id} has shape ${formatShape(value.shape)}, its axes say ${formatShape(shape2)}`
      );
    }
    this.#nodes.push({ kind: "input", id, axes, shape: shape2, value });
  }
  /** Throws ConfigError where the result would be too large to be computed. */
  node(id, axes, operation, inputs) {
    for (const input of inputs) {
      if (!this.has(input))
        throw new RangeError(`${id} uses ${input}, which is not in the graph yet`);
    }
    const shape2 = shapeOf(axes, this.#extents);
    if (sizeOf(shape2) > MAX_NODE_ENTRIES) {
      const found = `found ${id} of shape ${formatShape(shape2)}, ${sizeOf(shape2)} entries`;
      throw new ConfigError("x", `${found}, expected at most ${MAX_NODE_ENTRIES}`);
    }
    this.#nodes.push({ kind: "operation", id, axes, shape: shape2, operation, inputs });
  }
  has(id) {
    return this.#nodes.some((node) => node.id === id);
  }
  build(head, selfAttention) {
    return { head, nodes: [...this.#nodes], extents: this.#extents, selfAttention };
  }
};

// src/compare/noise.ts
function uniform(seed) {
  let state = seed * 2654435761 + 97 | 1;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return state / 2 ** 31;
  };
}
function largestFibre(tensor2, axes, kept, extents) {
  const letters = axes.flat();
  const strides2 = letterStrides(axes, extents);
  const groups = letters.filter((letter) => kept.has(letter));
  const squares = new Float64Array(groups.reduce((size, letter) => size * extents[letter], 1));
  const steps = groups.map((letter) => ({
    stride: strides2.get(letter) ?? 1,
    length: extents[letter]
  }));
  for (let at = 0; at < tensor2.data.length; at++) {
    let group = 0;
    for (const { stride, length } of steps)
      group = group * length + Math.floor(at / stride) % length;
    const value = tensor2.data[at];
    if (Number.isFinite(value)) squares[group] += value * value;
  }
  let largest2 = 0;
  for (const square2 of squares) if (square2 > largest2) largest2 = square2;
  return Math.sqrt(largest2);
}
function sumSize(state, key) {
  const { program } = state;
  const { graph } = program;
  const axesOf2 = (id) => nodeOf(graph, id).axes;
  const fibre = (tensor2, id, out) => {
    const axes = axesOf2(id);
    return largestFibre(tensor2, axes, new Set(axesOf2(out).flat()), graph.extents);
  };
  if (key.startsWith("v:")) {
    const id = key.slice(2);
    const step2 = program.forward.get(id);
    if (step2?.operation.name !== "contraction") return 0;
    return step2.inputs.slice(0, 2).reduce((size, input) => size * fibre(state.value(input), input, id), 1);
  }
  if (!key.startsWith("c:")) return 0;
  const [from, slotText] = key.slice(2).split("#");
  const slot = Number(slotText);
  const step = program.backward.get(from);
  if (!step) return 0;
  const upstream = state.gradient(from);
  const to = step.inputs[slot];
  if (step.operation.name === "softmax") {
    const weights = state.value(from);
    let largest2 = 0;
    for (let at = 0; at < upstream.data.length; at++) {
      const term = Math.abs(upstream.data[at] * weights.data[at]);
      if (term > largest2 && Number.isFinite(term)) largest2 = term;
    }
    return 2 * largest2;
  }
  if (step.operation.name !== "contraction") return 0;
  if (slot === 2) {
    const count = upstream.data.length / Math.max(1, state.value(to).data.length);
    return fibre(upstream, from, to) * Math.sqrt(count);
  }
  const other = step.inputs[1 - slot];
  return fibre(upstream, from, to) * fibre(state.value(other), other, to);
}
function rounding(type, seed) {
  const random = uniform(seed);
  return (result, key, state) => {
    const own = type.name.endsWith("decimals") ? 2 ** -52 : type.epsilon / 2;
    const fixed3 = type.name.endsWith("decimals") ? type.epsilon / 2 : 0;
    const given2 = key.startsWith("given ");
    const sums = given2 ? 0 : sumSize(state, key) * type.sumEpsilon;
    const source = result.data;
    const { length } = source;
    const isSingle = type === FLOAT32 && !given2;
    const isNarrow = !isSingle && !given2 && type.epsilon > FLOAT64.epsilon;
    const moved = isSingle ? new Float32Array(length) : new Float64Array(length);
    for (let at = 0; at < length; at++) {
      const value = source[at];
      if (value === 0 && sums === 0) continue;
      const size = Math.abs(value);
      const off = size < Infinity ? value + random() * (own * size + sums + fixed3) : value;
      moved[at] = isNarrow ? type.round(off) : off;
    }
    if (isSingle) return { shape: result.shape, data: new Float64Array(moved) };
    return { shape: result.shape, data: moved };
  };
}

// src/compare/program.ts
var keyOf = (node, kind) => `${kind === "value" ? "v" : "g"}:${node}`;
var givenKey = (key) => `given ${key}`;
var contributionKey = (from, slot) => `c:${from}#${slot}`;
var NOTHING_GIVEN = { values: /* @__PURE__ */ new Map(), gradients: /* @__PURE__ */ new Map() };
var entriesOf = ({ nodes }) => nodes.reduce((sum2, { shape: shape2 }) => sum2 + sizeOf(shape2), 0);
function referenceProgram(graph) {
  const steps = new Map(operationNodes(graph).map((node) => [node.id, node]));
  return {
    graph,
    forward: steps,
    backward: steps,
    contributions: /* @__PURE__ */ new Map(),
    accumulators: /* @__PURE__ */ new Map()
  };
}
function sourcesOf({ backward }, node) {
  return [...backward].reverse().flatMap(
    ([from, { inputs }]) => inputs.flatMap((input, slot) => input === node ? [{ from, slot }] : [])
  );
}
function changedKeys(before2, after) {
  const keys = [];
  for (const [id, step] of after.forward) if (before2.forward.get(id) !== step) keys.push(`v:${id}`);
  for (const [id, step] of after.backward) {
    const old = before2.backward.get(id);
    if (old === step) continue;
    const inputs = [...old?.inputs ?? [], ...step.inputs];
    keys.push(
      `b:${id}`,
      ...step.inputs.map((_, slot) => contributionKey(id, slot)),
      ...inputs.map((to) => `g:${to}`)
    );
  }
  for (const [key, rewrites] of after.contributions)
    if (before2.contributions.get(key) !== rewrites) keys.push(key);
  for (const [id, rewrites] of after.accumulators)
    if (before2.accumulators.get(id) !== rewrites) keys.push(`g:${id}`);
  return keys;
}
var WORK_OF_ANY = 4e3;
var WORK_OF_ENTRY = 8;
var WORK_OF_PRODUCT = 0.1;
var clock = 0;
var CircularError = class extends Error {
};
var State = class _State {
  program;
  given;
  #perturb;
  #base;
  #changed;
  /** Shared with the states that are made from this one. */
  meter;
  #born = clock++;
  #memo = /* @__PURE__ */ new Map();
  #reads = /* @__PURE__ */ new Map();
  #stack = [];
  constructor(program, given2 = NOTHING_GIVEN, perturb, base) {
    this.program = program;
    this.given = given2;
    this.#perturb = perturb;
    this.#base = base;
    this.meter = base?.meter ?? { work: 0 };
    this.#changed = base ? base.#dependents(changedKeys(base.program, program)) : /* @__PURE__ */ new Set();
  }
  /** The same given tensors under an edited program; what the edit does not reach is shared. */
  under(program) {
    return new _State(program, this.given, this.#perturb, this);
  }
  /** The value used by later steps: the given one, or computed. */
  value(id) {
    return this.#use(`v:${id}`, this.given.values.get(id)) ?? this.predict(`v:${id}`);
  }
  gradient(id) {
    return this.#use(`g:${id}`, this.given.gradients.get(id)) ?? this.predict(`g:${id}`);
  }
  contribution(from, slot) {
    return this.predict(contributionKey(from, slot));
  }
  /** What the program computes for a key out of the given tensors. */
  predict(key) {
    return this.#get(key, () => {
      const id = key.slice(2);
      if (key.startsWith("v:")) return this.#computeValue(id);
      if (key.startsWith("c:")) return this.#computeContribution(key);
      return this.#computeGradient(id);
    });
  }
  /** All keys that `key` was computed from, itself included. */
  region(key) {
    const found = /* @__PURE__ */ new Set([key]);
    for (const each of found) for (const read of this.#readsOf(each)) found.add(read);
    return found;
  }
  /** Whether an edit of `program` can reach a key. */
  reaches(key) {
    return this.#changed.has(key);
  }
  #readsOf(key) {
    return this.#reads.get(key) ?? (this.#base && !this.#changed.has(key) ? this.#base.#readsOf(key) : []);
  }
  #dependents(keys) {
    const readers = /* @__PURE__ */ new Map();
    this.#collectReaders(readers);
    const found = new Set(keys);
    for (const each of found) for (const reader of readers.get(each) ?? []) found.add(reader);
    return found;
  }
  #collectReaders(readers) {
    for (const [key, reads] of this.#reads) {
      for (const read of reads) {
        const known = readers.get(read);
        if (known) known.push(key);
        else readers.set(read, [key]);
      }
    }
    if (this.#base) this.#base.#collectReaders(readers);
  }
  #use(key, given2) {
    if (!given2) return void 0;
    if (this.#perturb) return this.#get(givenKey(key), () => given2);
    const reader = this.#stack[this.#stack.length - 1];
    if (reader !== void 0) this.#reads.get(reader)?.add(givenKey(key));
    return given2;
  }
  #get(key, compute) {
    const reader = this.#stack[this.#stack.length - 1];
    if (reader !== void 0) this.#reads.get(reader)?.add(key);
    const known = this.#memo.get(key) ?? this.#inherited(key);
    if (known) return known.result;
    if (this.#stack.includes(key)) throw new CircularError(key);
    this.#stack.push(key);
    this.#reads.set(key, /* @__PURE__ */ new Set());
    try {
      let result = compute();
      if (!result) throw new RangeError(`nothing is computed for ${key}`);
      if (this.#perturb && !key.startsWith("b:"))
        result = this.#perturb(result, key, this);
      this.meter.work += this.#workOf(key, result);
      this.#memo.set(key, { result, at: clock++ });
      return result;
    } finally {
      this.#stack.pop();
    }
  }
  /** What computing a key cost: the entries of what is made, and the multiply-adds of a product. */
  #workOf(key, result) {
    const parts = "data" in result ? [result] : result;
    let work = WORK_OF_ANY;
    for (const { data } of parts) work += WORK_OF_ENTRY * data.length;
    const isBack = /^[bc]:/.test(key);
    const step = (isBack ? this.program.backward : this.program.forward).get(
      key.slice(2).split("#")[0]
    );
    const isComputed = /^[vb]:/.test(key) || this.program.contributions.has(key);
    if (!isComputed || step?.operation.name !== "contraction") return work;
    const operands = step.inputs.slice(0, 2).map((id) => this.#sizeOf(id));
    const products = Math.sqrt(
      this.#sizeOf(key.slice(2).split("#")[0]) * operands.reduce((a, b) => a * b, 1)
    );
    return work + WORK_OF_PRODUCT * (isBack ? 2 : 1) * products;
  }
  #sizeOf(id) {
    return sizeOf(nodeOf(this.program.graph, id).shape);
  }
  /** What the base had computed when this state began. Later results may depend on the edit. */
  #inherited(key) {
    if (!this.#base || this.#changed.has(key)) return void 0;
    const entry = this.#base.#known(key);
    return entry && entry.at < this.#born ? entry : void 0;
  }
  #known(key) {
    return this.#memo.get(key) ?? this.#inherited(key);
  }
  #computeValue(id) {
    const step = this.program.forward.get(id);
    if (step) return step.operation.forward(step.inputs.map((input) => this.value(input)));
    const node = this.program.graph.nodes.find((each) => each.id === id);
    if (node?.kind !== "input") throw new RangeError(`no step computes ${id}`);
    return node.value;
  }
  #computeContribution(key) {
    const [from, slot] = key.slice(2).split("#");
    const rewrites = this.program.contributions.get(key) ?? [];
    const plain2 = () => this.#get(`b:${from}`, () => this.#passBack(from))[Number(slot)];
    return rewrites.reduce((own, rewrite) => () => rewrite(own, this), plain2)();
  }
  #passBack(from) {
    const { operation, inputs } = this.program.backward.get(from);
    const application = { inputs: inputs.map((id) => this.value(id)), output: this.value(from) };
    return operation.vjp(application, this.gradient(from));
  }
  #computeGradient(id) {
    const plain2 = () => {
      if (id === "f") return scalar(1);
      const parts = sourcesOf(this.program, id).map(
        ({ from, slot }) => this.contribution(from, slot)
      );
      return parts.length > 0 ? parts.reduce(add) : zeros(this.value(id).shape);
    };
    const rewrites = this.program.accumulators.get(id) ?? [];
    return rewrites.reduce((own, rewrite) => () => rewrite(own, this), plain2)();
  }
};

// src/engine/formula.ts
var symbol = (name, indices = []) => ({
  kind: "symbol",
  name,
  indices
});
var number = (value) => ({ kind: "number", value });
var words = (text2) => ({ kind: "words", text: text2 });
var product = (...factors) => ({ kind: "product", factors });
var plus = (...terms) => terms.length === 1 ? terms[0] : { kind: "add", terms };
var minus = (left, right) => ({
  kind: "subtract",
  left,
  right
});
var fraction = (top, bottom) => ({
  kind: "fraction",
  top,
  bottom
});
var power = (base, exponent) => ({
  kind: "power",
  base,
  exponent
});
var partial = (top, bottom) => ({
  kind: "partial",
  top,
  bottom
});
var call = (name, argument) => ({
  kind: "call",
  name,
  argument
});
var equals = (left, right) => ({
  kind: "relation",
  left,
  sign: "=",
  right
});
var accumulates = (left, right) => ({
  kind: "relation",
  left,
  sign: "+=",
  right
});
var sum = (over, body) => over.length === 0 ? body : { kind: "sum", over, body };

// src/engine/gemm/kernelBytes.ts
var KERNEL = "AGFzbQEAAAABCgFgBn9/f39/fwACDwEDZW52Bm1lbW9yeQIAAAMCAQAHFQIIbXVsdGlwbHkAAAZtZW1vcnkCAAqrAwGoAwIKfwt7IAFBBXQhByACQQV0IQ0DQCAAIA5LBEAgBCEGQQAhCANAIAEgCEsEQCAHIAcgByAFIAhBBXRqIglqIgpqIgtqIQwgCf0ABAAhECAJ/QAEECERIAr9AAQAIRIgCv0ABBAhEyAL/QAEACEUIAv9AAQQIRUgDP0ABAAhFiAM/QAEECEXIAMgDWohDyADIQIDQCACIA9JBEAgECAC/QoDACIZIAb9AAQAIhj98gH98AEhECARIBkgBv0ABBAiGf3yAf3wASERIBIgAv0KAwgiGiAY/fIB/fABIRIgEyAaIBn98gH98AEhEyAUIAL9CgMQIhogGP3yAf3wASEUIBUgGiAZ/fIB/fABIRUgFiAC/QoDGCIaIBj98gH98AEhFiAXIBogGf3yAf3wASEXIAJBIGohAiAGQSBqIQYMAQsLIAkgEP0LBAAgCSAR/QsEECAKIBL9CwQAIAogE/0LBBAgCyAU/QsEACALIBX9CwQQIAwgFv0LBAAgDCAX/QsEECAIQQFqIQgMAQsLIA5BAWohDiADIA1qIQMgBSAHQQJ0aiEFDAELCws=";

// src/engine/gemm/blocked.ts
var BLOCK_M = 128;
var BLOCK_N = 512;
var BLOCK_K = 256;
var PAGE = 65536;
var kernel;
function load() {
  const lengths = [BLOCK_M * BLOCK_K, BLOCK_K * BLOCK_N, BLOCK_M * BLOCK_N];
  const bytes = lengths.reduce((sum2, length) => sum2 + 8 * length, 0);
  try {
    const memory = new WebAssembly.Memory({ initial: Math.ceil(bytes / PAGE) });
    const code = Uint8Array.from(atob(KERNEL), (letter) => letter.charCodeAt(0));
    const { exports } = new WebAssembly.Instance(new WebAssembly.Module(code), { env: { memory } });
    let at = 0;
    const [a, b, c] = lengths.map((length) => {
      const view = new Float64Array(memory.buffer, at, length);
      at += 8 * length;
      return view;
    });
    return { multiply: exports.multiply, a, b, c };
  } catch {
    return null;
  }
}
function blockedProduct(left, right, out) {
  kernel ??= load();
  if (!kernel) return false;
  const { multiply, a, b, c } = kernel;
  const [m, k, n] = [left.rows.length, left.cols.length, right.cols.length];
  for (let col = 0; col < n; col += BLOCK_N) {
    const panelsB = Math.ceil(Math.min(BLOCK_N, n - col) / 4);
    for (let row = 0; row < m; row += BLOCK_M) {
      const panelsA = Math.ceil(Math.min(BLOCK_M, m - row) / 4);
      c.fill(0, 0, 16 * panelsA * panelsB);
      for (let p = 0; p < k; p += BLOCK_K) {
        const depth = Math.min(BLOCK_K, k - p);
        pack(left.data, left.base, left.rows, row, panelsA, left.cols, p, depth, a);
        pack(right.data, right.base, right.cols, col, panelsB, right.rows, p, depth, b);
        multiply(panelsA, panelsB, depth, a.byteOffset, b.byteOffset, c.byteOffset);
      }
      unpack(c, 4 * panelsB, out, row, col);
    }
  }
  return true;
}
function pack(data, base, wide, from, panels, deep, first, depth, target) {
  for (let panel = 0; panel < panels; panel++) {
    for (let lane = 0; lane < 4; lane++) {
      const index = from + 4 * panel + lane;
      let at = 4 * panel * depth + lane;
      if (index >= wide.length) {
        for (let p = 0; p < depth; p++, at += 4) target[at] = 0;
        continue;
      }
      const start2 = base + wide[index];
      for (let p = 0; p < depth; p++, at += 4) target[at] = data[start2 + deep[first + p]];
    }
  }
}
function unpack(c, width, out, row, col) {
  const rows = Math.min(BLOCK_M, out.rows.length - row);
  const cols = Math.min(BLOCK_N, out.cols.length - col);
  for (let r = 0; r < rows; r++) {
    const to = out.base + out.rows[row + r];
    for (let j = 0; j < cols; j++) out.data[to + out.cols[col + j]] = c[r * width + j];
  }
}

// src/engine/gemm/plain.ts
var TINY = 1024;
function plainProduct(left, right, out) {
  const [m, k, n] = [left.rows.length, left.cols.length, right.cols.length];
  if (m * k * n <= TINY) tinyProduct(left, right, out);
  else packedProduct(left, right, out, [m, k, n]);
}
function tinyProduct(left, right, out) {
  const [a, b] = [left.data, right.data];
  for (let row = 0; row < left.rows.length; row++) {
    const from = left.base + left.rows[row];
    const to = out.base + out.rows[row];
    for (let col = 0; col < right.cols.length; col++) {
      const at = right.base + right.cols[col];
      let sum2 = 0;
      for (let p = 0; p < left.cols.length; p++)
        sum2 += a[from + left.cols[p]] * b[at + right.rows[p]];
      out.data[to + out.cols[col]] = sum2;
    }
  }
}
function packedProduct(left, right, out, [m, k, n]) {
  const a = pack2(left);
  const b = pack2(right);
  const sums = new Float64Array(n);
  for (let row = 0; row < m; row++) {
    sums.fill(0);
    for (let p = 0; p < k; p++) {
      const value = a[row * k + p];
      const from = p * n;
      for (let col = 0; col < n; col++) sums[col] += value * b[from + col];
    }
    const to = out.base + out.rows[row];
    for (let col = 0; col < n; col++) out.data[to + out.cols[col]] = sums[col];
  }
}
function pack2({ data, base, rows, cols }) {
  const packed = new Float64Array(rows.length * cols.length);
  for (let row = 0, at = 0; row < rows.length; row++) {
    const from = base + rows[row];
    for (let col = 0; col < cols.length; col++) packed[at++] = data[from + cols[col]];
  }
  return packed;
}

// src/engine/gemm/gemm.ts
var LARGE = 4096;
function gemm(left, right, out) {
  const [m, k, n] = [left.rows.length, left.cols.length, right.cols.length];
  const isLarge = m * n * k >= LARGE && Math.min(m, n, k) >= 4;
  if (!isLarge || !blockedProduct(left, right, out)) plainProduct(left, right, out);
}

// src/engine/ops/contraction.ts
function contract(left, leftAxes, right, rightAxes, outAxes, extents) {
  const strides2 = [leftAxes, rightAxes, outAxes].map((axes) => letterStrides(axes, extents));
  const [inLeft, inRight, inOut] = strides2;
  const letters = [.../* @__PURE__ */ new Set([...leftAxes.flat(), ...rightAxes.flat()])];
  const kind = (l, r, o) => letters.filter(
    (letter) => inLeft.has(letter) === l && inRight.has(letter) === r && inOut.has(letter) === o
  );
  const batch = kind(true, true, true);
  const rows = kind(true, false, true);
  const cols = kind(false, true, true);
  const summed = kind(true, true, false);
  const tables = (group) => strides2.map((stride) => offsetTable(group, stride, extents));
  const [batchLeft, batchRight, batchOut] = tables(batch);
  const [rowLeft, , rowOut] = tables(rows);
  const [, colRight, colOut] = tables(cols);
  const [sumLeft, sumRight] = tables(summed);
  const out = zeros(shapeOf(outAxes, extents));
  for (let each = 0; each < batchOut.length; each++) {
    gemm(
      { data: left.data, base: batchLeft[each], rows: rowLeft, cols: sumLeft },
      { data: right.data, base: batchRight[each], rows: sumRight, cols: colRight },
      { data: out.data, base: batchOut[each], rows: rowOut, cols: colOut }
    );
  }
  return out;
}
function reduce(source, axes, outAxes, extents) {
  const stride = letterStrides(axes, extents);
  const kept = offsetTable(outAxes.flat(), stride, extents);
  const summed = offsetTable(
    axes.flat().filter((letter) => !outAxes.flat().includes(letter)),
    stride,
    extents
  );
  const out = zeros(shapeOf(outAxes, extents));
  for (let at = 0; at < kept.length; at++) {
    let total2 = 0;
    for (const offset of summed) total2 += source.data[kept[at] + offset];
    out.data[at] = total2;
  }
  return out;
}
function addBias(target, axes, bias, biasAxes, extents) {
  const stride = letterStrides(axes, extents);
  const own = offsetTable(biasAxes.flat(), stride, extents);
  const rest = offsetTable(
    axes.flat().filter((letter) => !biasAxes.flat().includes(letter)),
    stride,
    extents
  );
  for (const base of rest) {
    for (let at = 0; at < own.length; at++) target.data[base + own[at]] += bias.data[at];
  }
}
var otherSlot = (slot) => 1 - slot;
function* runs(letters, extents, start2) {
  if (letters.length === 0) {
    yield start2;
    return;
  }
  const [first, ...rest] = letters;
  for (let value = 0; value < extents[first]; value++) {
    yield* runs(rest, extents, { ...start2, [first]: value });
  }
}
function contraction(spec, extents, summary) {
  const axes = parseSpec(spec);
  const operands = axes.slice(0, -1);
  const out = axes[axes.length - 1];
  const outLetters = out.flat();
  const summed = [...new Set(operands.flat(2))].filter((letter) => !outLetters.includes(letter));
  const missing = (letters, from) => letters.filter((letter) => !from.flat().includes(letter));
  const bindings = (slot, outputOffset, inputOffset) => {
    const output = bindingAt(out, extents, outputOffset);
    const input = bindingAt(operands[slot], extents, inputOffset);
    const agree2 = operands[slot].flat().every((letter) => (output[letter] ?? input[letter]) === input[letter]);
    return agree2 ? { ...output, ...input } : null;
  };
  return {
    name: "contraction",
    summary,
    forward([left, right, bias]) {
      const result = contract(left, operands[0], right, operands[1], out, extents);
      if (bias) addBias(result, out, bias, operands[2], extents);
      return result;
    },
    vjp({ inputs: [left, right, bias] }, upstream) {
      const contributions = [
        contract(upstream, out, right, operands[1], operands[0], extents),
        contract(left, operands[0], upstream, out, operands[1], extents)
      ];
      if (bias) contributions.push(reduce(upstream, out, operands[2], extents));
      return contributions;
    },
    partial({ inputs }, slot, outputOffset, inputOffset) {
      const binding = bindings(slot, outputOffset, inputOffset);
      if (!binding) return 0;
      if (slot === 2) return 1;
      const other = otherSlot(slot);
      return inputs[other].data[offsetAt(operands[other], extents, binding)];
    },
    reach(_, slot, inputOffset) {
      const input = bindingAt(operands[slot], extents, inputOffset);
      const free = missing(outLetters, operands[slot]);
      const offsets = Array.from(
        runs(free, extents, input),
        (binding) => offsetAt(out, extents, binding)
      );
      return offsets.sort((a, b) => a - b);
    },
    summands(_, outputOffset) {
      const output = bindingAt(out, extents, outputOffset);
      const at = (slot, binding) => ({
        slot,
        offset: offsetAt(operands[slot], extents, binding)
      });
      const products = Array.from(runs(summed, extents, output), (binding) => [
        at(0, binding),
        at(1, binding)
      ]);
      return operands.length === 3 ? [...products, [at(2, output)]] : products;
    },
    formula({ output, inputs }) {
      const operand = (slot) => symbol(inputs[slot], operands[slot]);
      const upstream = symbol(`d${output}`, out);
      const biasTerm = operands.length === 3 ? [operand(2)] : [];
      return {
        forward: equals(
          symbol(output, out),
          plus(sum(summed, product(operand(0), operand(1))), ...biasTerm)
        ),
        backward: operands.map(
          (own, slot) => accumulates(
            symbol(`d${inputs[slot]}`, own),
            sum(
              missing(outLetters, own),
              slot === 2 ? upstream : product(upstream, operand(otherSlot(slot)))
            )
          )
        )
      };
    }
  };
}

// src/lines/lettered.ts
var lengthsOf = (letters, extents) => letters.map((letter) => extents[letter]);
function lettered(axes, { data }) {
  return { letters: axes.flat(), data };
}
function mapEach(a, fn) {
  const data = new Float64Array(a.data.length);
  for (let at = 0; at < data.length; at++) data[at] = fn(a.data[at]);
  return { letters: a.letters, data };
}
var times = (a, factor) => mapEach(a, (value) => value * factor);
function offsetsIn(letters, inner, extents) {
  const own = strides(lengthsOf(inner, extents));
  const steps = letters.map((letter) => {
    const at = inner.indexOf(letter);
    return at < 0 ? 0 : own[at];
  });
  const lengths = lengthsOf(letters, extents);
  const table = new Int32Array(sizeOf(lengths));
  let filled = 1;
  for (let axis = letters.length - 1; axis >= 0; axis--) {
    for (let value = lengths[axis] - 1; value >= 0; value--) {
      const base = value * steps[axis];
      const start2 = value * filled;
      for (let at = 0; at < filled; at++) table[start2 + at] = base + table[at];
    }
    filled *= lengths[axis];
  }
  return table;
}
function zip(a, b, extents, fn) {
  const where = offsetsIn(a.letters, b.letters, extents);
  const data = new Float64Array(a.data.length);
  for (let at = 0; at < data.length; at++) data[at] = fn(a.data[at], b.data[where[at]]);
  return { letters: a.letters, data };
}
function reduce2(a, letter, extents, start2, fn) {
  const letters = a.letters.filter((each) => each !== letter);
  const where = offsetsIn(a.letters, letters, extents);
  const data = new Float64Array(sizeOf(lengthsOf(letters, extents))).fill(start2);
  for (let at = 0; at < a.data.length; at++) data[where[at]] = fn(data[where[at]], a.data[at]);
  return { letters, data };
}
var sumOver = (a, letter, extents) => reduce2(a, letter, extents, 0, (total2, value) => total2 + value);
function product2(a, b, out, extents) {
  const axes = (letters) => letters.map((letter) => [letter]);
  const asTensor = ({ letters, data: data2 }) => ({
    shape: lengthsOf(letters, extents),
    data: data2
  });
  const lone = (one, other) => one.letters.filter((letter) => !out.includes(letter) && !other.letters.includes(letter)).reduce((rest, letter) => sumOver(rest, letter, extents), one);
  const [left, right] = [lone(a, b), lone(b, a)];
  const { data } = contract(
    asTensor(left),
    axes(left.letters),
    asTensor(right),
    axes(right.letters),
    axes(out),
    extents
  );
  return { letters: [...out], data };
}
var isSubset = (some, all) => some.every((letter) => all.includes(letter));

// src/engine/ops/elementwise.ts
function elementwise(axes, own) {
  return {
    name: own.name,
    summary: own.summary,
    forward: ([input]) => map(input, own.value),
    vjp: ({ inputs: [input] }, upstream) => [
      map(upstream, (value, offset) => {
        const slope = own.slope(input.data[offset], offset);
        return slope === 0 ? 0 : value * slope;
      })
    ],
    partial: ({ inputs: [input] }, _slot, outputOffset, inputOffset) => outputOffset === inputOffset ? own.slope(input.data[inputOffset], inputOffset) : 0,
    // Where the slope is 0 (masked, dropped) nothing depends on the input.
    reach: ({ inputs: [input] }, _slot, inputOffset) => own.slope(input.data[inputOffset], inputOffset) === 0 ? [] : [inputOffset],
    formula: ({ output, inputs: [input] }) => ({
      forward: equals(symbol(output, axes), own.forward(symbol(input, axes))),
      backward: [
        accumulates(
          symbol(`d${input}`, axes),
          product(own.derivative(symbol(input, axes)), symbol(`d${output}`, axes))
        )
      ]
    })
  };
}
function scale(axes, factor) {
  return elementwise(axes, {
    name: "scale",
    summary: "Scales the scores, so that their size does not grow with the width of the keys.",
    value: (input) => factor * input,
    slope: () => factor,
    forward: (input) => product(number(factor), input),
    derivative: () => number(factor)
  });
}
function scaleAndSoftcap(axes, factor, cap) {
  const inner = (input) => call("tanh", product(number(factor / cap), input));
  return elementwise(axes, {
    name: "scale and softcap",
    summary: "Scales the scores and bends them smoothly into (\u2212softcap, softcap).",
    value: (input) => cap * Math.tanh(factor * input / cap),
    slope: (input) => factor * (1 - Math.tanh(factor * input / cap) ** 2),
    forward: (input) => product(number(cap), inner(input)),
    derivative: (input) => product(number(factor), minus(number(1), power(inner(input), number(2))))
  });
}
function addMask(axes, mask) {
  const masked = (offset) => mask.data[offset] === -Infinity;
  return elementwise(axes, {
    name: "mask",
    summary: "Adds the mask: \u2212\u221E where a query may not see a key.",
    value: (input, offset) => masked(offset) ? -Infinity : input + mask.data[offset],
    slope: (_input, offset) => masked(offset) ? 0 : 1,
    forward: (input) => plus(input, symbol("mask", axes)),
    derivative: () => symbol("seen", axes)
  });
}
function dropout(axes, keep, p) {
  const factor = (offset) => keep.data[offset] === 0 ? 0 : 1 / (1 - p);
  return elementwise(axes, {
    name: "dropout",
    summary: "Drops the weights that the keep-mask does not keep and scales the others by 1 / (1 \u2212 p).",
    value: (input, offset) => input * factor(offset),
    slope: (_input, offset) => factor(offset),
    forward: (input) => product(input, symbol("keep", axes), number(1 / (1 - p))),
    derivative: () => product(number(1 / (1 - p)), symbol("keep", axes))
  });
}

// src/engine/ops/softmax.ts
function softmax(axes, over, extents) {
  const stride = letterStrides(axes, extents);
  const step = stride.get(over) ?? 1;
  const length = extents[over];
  const rows = offsetTable(
    axes.flat().filter((letter) => letter !== over),
    stride,
    extents
  );
  const rowStart = (offset) => offset - Math.floor(offset / step) % length * step;
  return {
    name: "softmax",
    summary: "Turns scores into weights that sum to 1 over the keys.",
    forward([logits]) {
      const out = zeros(logits.shape);
      for (const row of rows) {
        let max2 = -Infinity;
        for (let n = 0, at = row; n < length; n++, at += step) {
          if (logits.data[at] > max2 || Number.isNaN(logits.data[at])) max2 = logits.data[at];
          if (Number.isNaN(max2)) break;
        }
        if (max2 === -Infinity) continue;
        let total2 = 0;
        for (let n = 0, at = row; n < length; n++, at += step) {
          const value = Math.exp(logits.data[at] - max2);
          out.data[at] = value;
          total2 += value;
        }
        for (let n = 0, at = row; n < length; n++, at += step) out.data[at] /= total2;
      }
      return out;
    },
    vjp({ output }, upstream) {
      const out = zeros(output.shape);
      for (const row of rows) {
        let dot = 0;
        for (let n = 0, at = row; n < length; n++, at += step) {
          if (output.data[at] !== 0) dot += output.data[at] * upstream.data[at];
        }
        for (let n = 0, at = row; n < length; n++, at += step) {
          if (output.data[at] !== 0) out.data[at] = output.data[at] * (upstream.data[at] - dot);
        }
      }
      return [out];
    },
    partial({ output }, _slot, outputOffset, inputOffset) {
      if (rowStart(outputOffset) !== rowStart(inputOffset)) return 0;
      const delta = outputOffset === inputOffset ? 1 : 0;
      return output.data[outputOffset] * (delta - output.data[inputOffset]);
    },
    reach({ output }, _slot, inputOffset) {
      if (output.data[inputOffset] === 0) return [];
      const start2 = rowStart(inputOffset);
      const row = Array.from({ length }, (_each, n) => start2 + n * step);
      return row.filter((offset) => output.data[offset] !== 0);
    },
    formula({ output, inputs: [input] }) {
      const other = "l";
      const renamed = axes.map((axis) => axis.map((letter) => letter === over ? other : letter));
      const upstream = symbol(`d${output}`, renamed);
      return {
        forward: equals(
          symbol(output, axes),
          fraction(
            call("exp", symbol(input, axes)),
            sum([other], call("exp", symbol(input, renamed)))
          )
        ),
        backward: [
          accumulates(
            symbol(`d${input}`, axes),
            sum(
              [other],
              product(
                upstream,
                symbol(output, renamed),
                minus(symbol("\u03B4", [[other, over]]), symbol(output, axes))
              )
            )
          )
        ]
      };
    }
  };
}

// src/engine/heads/mask.ts
function broadcast(entry, given2, { axes, extents, heads }) {
  const shape2 = shapeOf(axes, extents);
  const named2 = axes.map((axis, n) => `${axis.join("")} = ${shape2[n]}`).join(", ");
  const refuse2 = () => {
    throw new ConfigError(
      entry,
      `found shape ${formatShape(given2.shape)}, expected it to broadcast to (${named2})`
    );
  };
  if (given2.shape.length < 2 || given2.shape.length > 4) refuse2();
  const [from, to] = shape2.slice(-2);
  const batch = extents["b"] ?? 1;
  const headCount = axisLength(heads, extents);
  const full = [batch, headCount, from, to];
  const own = [...Array.from({ length: 4 - given2.shape.length }, () => 1), ...given2.shape];
  if (heads.length === 0 && given2.shape.length === 3) own.splice(0, 2, given2.shape[0], 1);
  if (own.some((length, n) => length !== 1 && length !== full[n])) refuse2();
  const out = zeros(shape2);
  const [perBatch, perHead, perRow, perEntry] = strides(own).map(
    (step, n) => own[n] === 1 ? 0 : step
  );
  let at = 0;
  for (let b = 0; b < batch; b++) {
    for (let h = 0; h < headCount; h++) {
      for (let u = 0; u < from; u++) {
        const start2 = b * perBatch + h * perHead + u * perRow;
        for (let w = 0; w < to; w++) out.data[at++] = given2.data[start2 + w * perEntry];
      }
    }
  }
  return out;
}
function alibiSlopes(count) {
  return Float64Array.from({ length: count }, (_, h) => 2 ** (-8 * (h + 1) / count));
}
function queryPosition(config, j, { extents, past }) {
  return config.mask === "causal-bottom-right" ? extents["i"] - extents["j"] + j : past + j;
}
function additiveMask(config, layout) {
  const { mask, window, alibi } = config;
  if (mask === "none" && window === void 0 && alibi === void 0) return null;
  const { axes, extents, heads } = layout;
  const given2 = typeof mask === "object" ? broadcast("mask", mask.tensor, layout) : null;
  const meaning = typeof mask === "object" ? mask.meaning : "add";
  const causal = mask === "causal" || mask === "causal-bottom-right";
  const headCount = axisLength(heads, extents);
  const slopes = alibi === true ? alibiSlopes(headCount) : alibi?.data;
  if (typeof alibi === "object" && (alibi.shape.length !== 1 || alibi.shape[0] !== headCount)) {
    throw new ConfigError(
      "alibi",
      `found shape ${formatShape(alibi.shape)}, expected one slope per head (${headCount})`
    );
  }
  const out = zeros(shapeOf(axes, extents));
  const letters = [...axes.flat()];
  const stride = letterStrides(axes, extents);
  const outer = offsetTable(
    letters.filter((letter) => letter !== "i" && letter !== "j"),
    stride,
    extents
  );
  const [strideI, strideJ] = [stride.get("i") ?? 0, stride.get("j") ?? 0];
  outer.forEach((base, block) => {
    const slope = slopes?.[block % headCount] ?? 0;
    for (let j = 0; j < extents["j"]; j++) {
      const position = queryPosition(config, j, layout);
      for (let i2 = 0; i2 < extents["i"]; i2++) {
        const at = base + i2 * strideI + j * strideJ;
        const distance2 = position - i2;
        const beyond = window !== void 0 && Math.abs(distance2) >= window;
        const value = given2?.data[at] ?? 0;
        const hidden = causal && distance2 < 0 || beyond || meaning === "attend" && given2 !== null && value === 0 || meaning === "ignore" && value !== 0;
        out.data[at] = hidden ? -Infinity : (meaning === "add" ? value : 0) - slope * Math.abs(distance2);
      }
    }
  });
  return out;
}

// src/engine/heads/weights.ts
function scaleFactor(config, keyWidth) {
  if (config.scale === void 0 && config.head === "kq")
    return config.softcap === void 0 ? null : 1;
  if (config.scale === void 0 || config.scale === "1/sqrt(d)") return 1 / Math.sqrt(keyWidth);
  return config.scale;
}
function addWeights(graph, config, layout) {
  const { axes, extents } = layout;
  let last = "S";
  const factor = scaleFactor(config, extents["a"]);
  if (factor !== null) {
    const { softcap } = config;
    const operation = softcap === void 0 ? scale(axes, factor) : scaleAndSoftcap(axes, factor, softcap);
    graph.node("Z", axes, operation, [last]);
    last = "Z";
  }
  const mask = additiveMask(config, layout);
  if (mask) {
    graph.node("M", axes, addMask(axes, mask), [last]);
    last = "M";
  }
  graph.node("P", axes, softmax(axes, "i", extents), [last]);
  if (!config.dropout) return "P";
  const { keep, p } = config.dropout;
  if (!(p >= 0 && p < 1)) throw new ConfigError("dropout.p", `found ${p}, expected 0 <= p < 1`);
  graph.node("Pd", axes, dropout(axes, broadcast("dropout.keep", keep, layout), p), ["P"]);
  return "Pd";
}

// src/lines/forms/form.ts
function partsOf(config, state) {
  const { graph } = state.program;
  const multi = graph.head === "multihead";
  const softmax2 = nodeOf(graph, "P");
  const logits = softmax2.kind === "operation" ? softmax2.inputs[0] : "S";
  return {
    ...{ graph, config, state, logits },
    extents: graph.extents,
    weights: hasNode(graph, "Pd") ? "Pd" : "P",
    keys: multi ? "Kh" : "K",
    queries: multi ? "Qh" : "Q",
    values: multi ? "Vh" : graph.head === "qkv" ? "V" : "x",
    output: multi ? "O" : "y",
    scores: nodeOf(graph, "S").axes.flat(),
    scale: scaleFactor(config, graph.extents["a"]) ?? 1
  };
}
var valueOf = ({ graph, state }, id) => lettered(nodeOf(graph, id).axes, state.value(id));
var gradientOf = ({ graph, state }, id) => lettered(nodeOf(graph, id).axes, state.gradient(id));
var MOST = 2e5;
var Forms = class {
  list = [];
  extents;
  constructor(extents) {
    this.extents = extents;
  }
  add(role, kind, node, title, { letters, data }) {
    this.list.push({ role, kind, node, title, letters, data });
  }
  /** Whether a form with these letters is small enough to be held; forms of many letters are for small problems. */
  fits(letters) {
    return sizeOf(lengthsOf(letters, this.extents)) <= MOST;
  }
};

// src/lines/forms/backward.ts
function addSoftmaxBackward(forms, parts) {
  const { extents, config, scale: scale2, logits } = parts;
  const weights = valueOf(parts, "P");
  const upstream = gradientOf(parts, "P");
  const weighed = zip(weights, upstream, extents, (a, b) => a * b);
  const rows = sumOver(weighed, "i", extents);
  const add2 = (title, form, role = "form") => forms.add(role, "gradient", logits, title, form);
  add2("D = \u03A3 P dP", rows);
  add2(
    "dP \u2212 D",
    zip(upstream, rows, extents, (a, b) => a - b)
  );
  add2("P dP", weighed, "partial");
  add2(
    "P D",
    zip(weights, rows, extents, (a, b) => a * b),
    "partial"
  );
  if (scale2 !== 1) {
    add2("scale P", times(weights, scale2), "partial");
    add2(
      "scale (dP \u2212 D)",
      times(
        zip(upstream, rows, extents, (a, b) => a - b),
        scale2
      ),
      "partial"
    );
    add2("scale P dP", times(weighed, scale2), "partial");
  }
  const { softcap } = config;
  if (softcap === void 0) return;
  const slope = mapEach(valueOf(parts, "S"), (s) => 1 - Math.tanh(s * scale2 / softcap) ** 2);
  const after = gradientOf(parts, logits);
  const capped = zip(after, slope, extents, (a, b) => a * b);
  forms.add("form", "gradient", "Z", "softcap dZ", times(gradientOf(parts, "Z"), softcap));
  forms.add("partial", "gradient", "S", "dS / scale", capped);
  forms.add("partial", "gradient", "S", "softcap dS / scale", times(capped, softcap));
}
function addUnscaled(forms, parts) {
  const { graph, scale: scale2, queries, keys } = parts;
  if (scale2 === 1 || scale2 === 0) return;
  const sides = [queries, keys, "Q", "K", "W_Q", "W_K", "b_Q", "b_K", "xPrime"];
  for (const id of new Set(sides)) {
    if (!hasNode(graph, id)) continue;
    forms.add("partial", "gradient", id, `d${id} / scale`, times(gradientOf(parts, id), 1 / scale2));
  }
}
function addContributions(forms, parts) {
  const { graph, state, extents, scale: scale2 } = parts;
  for (const { id, axes } of graph.nodes) {
    const sources = sourcesOf(state.program, id);
    const through = sources.map(({ from, slot }) => lettered(axes, state.contribution(from, slot)));
    const scores = sources.map(({ from }) => /^[QK]/.test(from));
    if (scale2 !== 1 && sources.length > 1)
      through.forEach((one, n) => {
        const title = `d${id} through ${sources[n].from}, before the scale`;
        if (scores[n]) forms.add("partial", "gradient", id, title, times(one, 1 / scale2));
      });
    for (let chosen = 1; chosen < 2 ** sources.length - 1; chosen++) {
      const some = sources.flatMap((_, n) => chosen >> n & 1 ? [n] : []);
      const total2 = some.map((n) => through[n]).reduce((a, b) => zip(a, b, extents, (one, other) => one + other));
      const names = some.map((n) => sources[n].from).join(" and ");
      forms.add("partial", "gradient", id, `d${id} through ${names}`, total2);
    }
  }
}
function addPerHead(forms, parts) {
  const { graph, extents, scores } = parts;
  const heads = scores.filter((letter) => /^[hrg]$/.test(letter));
  if (heads.length === 0) return;
  const product3 = (a, b, out) => forms.fits(out) ? product2(a, b, out, extents) : null;
  const batch = scores.includes("b") ? ["b"] : [];
  if (hasNode(graph, "W_O")) {
    const own = [...batch, ...heads, "j", "o"];
    const each = product3(valueOf(parts, "O"), valueOf(parts, "W_O"), own);
    if (each) forms.add("partial", "value", "y", "one head\u2019s part of y", each);
  }
  const inputs = [
    ["Q", "j"],
    ["K", "i"],
    ["V", "i"]
  ];
  for (const [id, at] of inputs) {
    if (!hasNode(graph, `W_${id}`)) continue;
    const token = nodeOf(graph, id).axes.flat().find((letter) => /^[ijt]$/.test(letter)) ?? at;
    const to = id === "Q" && hasNode(graph, "xPrime") ? "xPrime" : "x";
    const weight = valueOf(parts, `W_${id}`);
    const own = weight.letters.filter((letter) => heads.includes(letter));
    const out = [...batch, ...own, token, weight.letters[0]];
    const each = product3(gradientOf(parts, id), weight, out);
    const title = `one head\u2019s part of d${to} through ${id}`;
    if (each) forms.add("partial", "gradient", to, title, each);
  }
}

// src/lines/forms/projections.ts
function addBeforeBias(forms, parts) {
  const { graph, extents } = parts;
  const places = [
    ["Q", "b_Q", "Q"],
    ["K", "b_K", "K"],
    ["V", "b_V", "V"],
    ["y", "b_O", "y"]
  ];
  for (const [id, bias] of places) {
    if (!hasNode(graph, bias) || !hasNode(graph, id)) continue;
    const before2 = zip(valueOf(parts, id), valueOf(parts, bias), extents, (a, b) => a - b);
    forms.add("form", "value", id, `${id} before ${bias}`, before2);
  }
}
function addRepeated(forms, parts) {
  const { extents, scores, state, keys, values, queries, weights, output } = parts;
  if (!scores.includes("g")) return;
  const heads = scores.filter((letter) => /^[rg]$/.test(letter));
  const wide = (id) => {
    const narrow = valueOf(parts, id);
    const letters = narrow.letters.flatMap((letter) => letter === "r" ? heads : [letter]);
    const size = letters.reduce((total2, letter) => total2 * extents[letter], 1);
    const blank = { letters, data: new Float64Array(size) };
    return zip(blank, narrow, extents, (_, value) => value);
  };
  for (const id of [keys, values]) {
    const each = wide(id);
    forms.add("form", "value", id, `${id} repeated for its query heads`, each);
    const [from, other] = id === keys ? ["S", queries] : [weights, output];
    const [a, b] = id === keys ? [gradientOf(parts, from), valueOf(parts, other)] : [valueOf(parts, from), gradientOf(parts, other)];
    const gradient = product2(a, b, each.letters, extents);
    const title = `d${id} of each query head`;
    forms.add("partial", "gradient", id, title, gradient);
    const { scale: scale2 } = parts;
    if (id === keys && scale2 !== 1)
      forms.add("partial", "gradient", id, `${title} / scale`, times(gradient, 1 / scale2));
  }
  void state;
}
function addBilinear(forms, parts) {
  const { graph, extents, scores, scale: scale2 } = parts;
  if (!hasNode(graph, "W_K") || !hasNode(graph, "W_Q") || scores.includes("r")) return;
  if (hasNode(graph, "b_K") || hasNode(graph, "b_Q")) return;
  const heads = scores.filter((letter) => letter === "h");
  const self = !hasNode(graph, "xPrime");
  const [weightK, weightQ] = [valueOf(parts, "W_K"), valueOf(parts, "W_Q")];
  const own = self ? { ...extents, e: extents["c"] } : extents;
  const sided = self ? {
    letters: weightQ.letters.map((letter) => letter === "c" ? "e" : letter),
    data: weightQ.data
  } : weightQ;
  if (!hasNode(graph, "x")) return;
  const bilinear = product2(weightK, sided, [...heads, "c", "e"], own);
  forms.add("form", "value", "S", "W_K W_Q\u1D40", bilinear);
  const x2 = valueOf(parts, "x");
  const other = self ? {
    letters: x2.letters.map((letter) => letter === "c" ? "e" : letter === "i" ? "j" : letter),
    data: x2.data
  } : valueOf(parts, "xPrime");
  const batch = scores.includes("b") ? ["b"] : [];
  const left = product2(x2, bilinear, [...batch, ...heads, "i", "e"], own);
  const right = product2(other, bilinear, [...batch, ...heads, "j", "c"], own);
  forms.add("form", "value", "S", "x W_K W_Q\u1D40", left);
  forms.add("form", "value", "S", "x' (W_K W_Q\u1D40)\u1D40", right);
  const scoresGradient = gradientOf(parts, "S");
  const half2 = product2(scoresGradient, x2, [...batch, ...heads, "j", "c"], own);
  forms.add("partial", "gradient", "xPrime", "dS\u1D40 x", half2);
  const toKeys = product2(scoresGradient, other, [...batch, ...heads, "i", "e"], own);
  forms.add("partial", "gradient", "x", "dS x'", toKeys);
  const core = product2(toKeys, x2, [...heads, "c", "e"], own);
  forms.add("partial", "gradient", "W_K", "d(W_K W_Q\u1D40)", core);
  if (!forms.fits([...batch, ...heads, "i", "j", "c", "e"])) return;
  const terms = [
    ["dS_ij (W_K W_Q\u1D40) x'_j", scoresGradient, right, ["i", "j", "c"]],
    ["dS_ij x_i W_K W_Q\u1D40", scoresGradient, left, ["i", "j", "e"]]
  ];
  for (const [n, [title, a, b, out]] of terms.entries()) {
    const to = n === 0 || self ? "x" : "xPrime";
    const each = product2(a, b, [...batch, ...heads, ...out], own);
    forms.add("partial", "gradient", to, title, each);
  }
  if (scale2 === 1) return;
  forms.add("partial", "gradient", "x", "dS x' / scale", times(toKeys, 1 / scale2));
  forms.add("partial", "gradient", "xPrime", "dS\u1D40 x / scale", times(half2, 1 / scale2));
}
function addLossForms(forms, parts) {
  const { graph, config, extents } = parts;
  const { loss: loss2 } = config;
  const y = valueOf(parts, "y");
  const axes = nodeOf(graph, "y").axes;
  const targets = loss2.kind === "target" ? [loss2.T] : loss2.kind === "expression" ? Object.values(loss2.constants).filter(
    ({ data }) => data.length === y.data.length && data.length > 1
  ) : [];
  const upstream = gradientOf(parts, "y");
  forms.add("partial", "gradient", "y", "\u2212dy", times(upstream, -1));
  if (loss2.kind === "upstream") {
    const weighed = zip(y, upstream, extents, (a, b) => a * b);
    forms.add("form", "value", "f", "G y", weighed);
  }
  const squares = (of, title) => {
    const square2 = mapEach(of, (value) => value * value);
    forms.add("form", "value", "f", title, square2);
    const total2 = square2.data.reduce((sum3, value) => sum3 + value, 0);
    const sum2 = { letters: [], data: Float64Array.of(total2) };
    forms.add("form", "value", "f", `\u03A3 ${title}`, sum2);
    forms.add("form", "value", "f", `mean of ${title}`, times(sum2, 1 / square2.data.length));
  };
  if (loss2.kind === "half-squared-norm") squares(y, "y\xB2");
  for (const target of targets) {
    const T = lettered(axes, target);
    const off = zip(y, T, extents, (a, b) => a - b);
    forms.add("form", "gradient", "y", "the target", T);
    forms.add("form", "gradient", "y", "y \u2212 target", off);
    forms.add("partial", "gradient", "y", "target \u2212 y", times(off, -1));
    squares(off, "(y \u2212 target)\xB2");
  }
}
function addBiasParts(forms, parts) {
  const { graph, extents } = parts;
  for (const [id, bias] of [
    ["Q", "b_Q"],
    ["K", "b_K"],
    ["V", "b_V"],
    ["y", "b_O"]
  ]) {
    if (!hasNode(graph, bias)) continue;
    const gradient = gradientOf(parts, id);
    if (!gradient.letters.includes("b")) continue;
    const token = gradient.letters.find((letter) => /^[ijt]$/.test(letter));
    forms.add(
      "partial",
      "gradient",
      bias,
      `d${bias} of each sequence`,
      sumOver(gradient, token, extents)
    );
    forms.add(
      "partial",
      "gradient",
      bias,
      `d${bias} of each position`,
      sumOver(gradient, "b", extents)
    );
  }
  for (const [id, weight] of [
    ["Q", "W_Q"],
    ["K", "W_K"],
    ["V", "W_V"],
    ["y", "W_O"]
  ]) {
    if (!hasNode(graph, weight) || !hasNode(graph, id)) continue;
    const gradient = gradientOf(parts, id);
    if (!gradient.letters.includes("b")) continue;
    const source = id === "y" ? "C" : id === "Q" && hasNode(graph, "xPrime") ? "xPrime" : "x";
    const input = valueOf(parts, source);
    const aligned = id === "Q" && source === "x" ? {
      letters: input.letters.map((letter) => letter === "i" ? "j" : letter),
      data: input.data
    } : input;
    const letters = ["b", ...valueOf(parts, weight).letters];
    if (forms.fits(letters))
      forms.add(
        "partial",
        "gradient",
        weight,
        `d${weight} of each sequence`,
        product2(aligned, gradient, letters, extents)
      );
  }
}

// src/lines/forms/rope.ts
function addRope(forms, parts) {
  const { config, extents, graph } = parts;
  const { rope: rope2, past } = config;
  if (!rope2) return [];
  const width = extents["a"];
  const tokens = Math.max(extents["i"], extents["j"] + (past ? extents["p"] : 0));
  const own = { ...extents, u: width / 2, w: 2, s: tokens };
  const tables = [];
  const table = (title, value) => {
    tables.push(value);
    forms.add("form", "value", "Qh", title, value);
  };
  const frequency = Float64Array.from(
    { length: width / 2 },
    (_, pair) => rope2.base ** (-2 * pair / width)
  );
  const pairs = { letters: ["u"], data: frequency };
  const size = tokens * own.u;
  const angles = {
    letters: ["s", "u"],
    data: Float64Array.from(
      { length: size },
      (_, at) => Math.floor(at / own.u) * frequency[at % own.u]
    )
  };
  table("RoPE\u2019s frequencies", pairs);
  table("RoPE\u2019s angles", angles);
  const perFeature = rope2.pairing === "half" ? ["w", "u"] : ["u", "w"];
  const letters = ["s", ...perFeature];
  const blank = { letters, data: new Float64Array(size * 2) };
  const wide = zip(blank, angles, own, (_, angle) => angle);
  table("RoPE\u2019s angles of each feature", wide);
  for (const [name, fn] of [
    ["cosines", Math.cos],
    ["sines", Math.sin]
  ]) {
    table(`RoPE\u2019s ${name}`, mapEach(angles, fn));
    table(`RoPE\u2019s ${name} of each feature`, mapEach(wide, fn));
  }
  addTurned(forms, parts);
  void graph;
  return tables;
}
function addTurned(forms, parts) {
  const { config, extents, graph } = parts;
  const { rope: rope2, past } = config;
  if (!rope2 || past) return;
  const width = extents["a"];
  const half2 = width / 2;
  const pairOf = (at) => rope2.pairing === "half" ? at % half2 : at >> 1;
  const partner = (at) => rope2.pairing === "interleaved" ? at ^ 1 : at < half2 ? at + half2 : at - half2;
  const isFirst = (at) => rope2.pairing === "interleaved" ? at % 2 === 0 : at < half2;
  for (const id of ["Q", "K"]) {
    if (!hasNode(graph, id) || !hasNode(graph, `${id}h`)) continue;
    for (const kind of ["value", "gradient"]) {
      const source = kind === "value" ? valueOf(parts, id) : gradientOf(parts, `${id}h`);
      const letters = source.letters;
      const token = letters.findIndex((letter) => /^[ij]$/.test(letter));
      const after = letters.slice(token + 1).reduce((size, letter) => size * extents[letter], 1);
      if (letters[letters.length - 1] !== "a") continue;
      const positionOf = (at) => Math.floor(at / after) % extents[letters[token]];
      const angle = (at) => positionOf(at) * rope2.base ** (-2 * pairOf(at % width) / width);
      const turned = source.data.map((_, at) => {
        const feature = at % width;
        return source.data[at - feature + partner(feature)] * (isFirst(feature) ? -1 : 1);
      });
      const along = source.data.map((value, at) => value * Math.cos(angle(at)));
      const across = turned.map((value, at) => value * Math.sin(angle(at)));
      const plain2 = source.data.map((value, at) => value * Math.sin(angle(at)));
      const name = kind === "value" ? id : `d${id}h`;
      const add2 = (title, data) => forms.add("partial", kind, id, title, { letters, data });
      add2(`${name} turned by a quarter`, turned);
      add2(`${name} cos \u03B8`, along);
      add2(`${name} turned, sin \u03B8`, across);
      add2(`${name} sin \u03B8`, plain2);
      if (kind === "gradient")
        add2(`\u2212${name} turned, sin \u03B8`, times({ letters, data: across }, -1).data);
    }
  }
}

// src/lines/forms/scores.ts
var LOG2E = Math.LOG2E;
function addScores(forms, parts) {
  const { graph, config, scale: scale2, logits, queries, keys } = parts;
  const { softcap } = config;
  const scores = valueOf(parts, "S");
  if (softcap !== void 0) {
    const argument = times(scores, scale2 / softcap);
    forms.add("form", "value", "Z", "scale S", times(scores, scale2));
    forms.add("form", "value", "Z", "scale S / softcap", argument);
    forms.add("form", "value", "Z", "tanh(scale S / softcap)", mapEach(argument, Math.tanh));
    const slope = mapEach(argument, (value) => 1 - Math.tanh(value) ** 2);
    forms.add("form", "value", "Z", "1 \u2212 tanh\xB2", slope);
    forms.add(
      "form",
      "value",
      "Z",
      "tanh\xB2",
      mapEach(slope, (value) => 1 - value)
    );
    forms.add("form", "value", "Z", "scale (1 \u2212 tanh\xB2)", times(slope, scale2));
  } else if (scale2 !== 1) {
    forms.add("form", "value", "Z", "log2(e) scale S", times(scores, scale2 * LOG2E));
  }
  forms.add("form", "value", logits, `log2(e) ${logits}`, times(valueOf(parts, logits), LOG2E));
  if (scale2 === 1) return;
  for (const side of [queries, keys]) {
    for (const id of /* @__PURE__ */ new Set([side, side[0]])) {
      if (!hasNode(graph, id)) continue;
      const value = valueOf(parts, id);
      const factors = [
        ["scale", scale2],
        ["\u221Ascale", Math.sqrt(Math.abs(scale2))],
        ["log2(e) scale", LOG2E * scale2],
        ["log2(e)", LOG2E]
      ];
      for (const [name, factor] of factors)
        forms.add("form", "value", id, `${name} ${id}`, times(value, factor));
    }
  }
}
function addSoftmax(forms, parts) {
  const { extents, logits, output, weights } = parts;
  const value = valueOf(parts, logits);
  const add2 = (title, form) => forms.add("form", "value", "P", title, form);
  const peak = reduce2(value, "i", extents, -Infinity, Math.max);
  const shifted = zip(value, peak, extents, (a, b) => a - b);
  const exps = mapEach(shifted, Math.exp);
  const sums = sumOver(exps, "i", extents);
  const lse = zip(peak, sums, extents, (a, b) => a + Math.log(b));
  const plain2 = mapEach(value, Math.exp);
  const plainSums = sumOver(plain2, "i", extents);
  add2(`row maxima of ${logits}`, peak);
  add2(`${logits} \u2212 row maximum`, shifted);
  add2(`log2(e) (${logits} \u2212 row maximum)`, times(shifted, LOG2E));
  add2(`exp(${logits} \u2212 row maximum)`, exps);
  add2(`row sums of exp(${logits} \u2212 row maximum)`, sums);
  add2(
    "1 / row sums",
    mapEach(sums, (each) => 1 / each)
  );
  add2("log of the row sums", mapEach(sums, Math.log));
  add2("log2 of the row sums", mapEach(sums, Math.log2));
  add2(`log-sum-exp of ${logits}`, lse);
  add2("log-sum-exp, base 2", times(lse, LOG2E));
  add2(`log2(e) row maxima of ${logits}`, times(peak, LOG2E));
  add2(`exp(${logits})`, plain2);
  add2(`row sums of exp(${logits})`, plainSums);
  add2(
    `1 / row sums of exp(${logits})`,
    mapEach(plainSums, (each) => 1 / each)
  );
  add2(
    "log P",
    zip(value, lse, extents, (a, b) => a - b)
  );
  add2(
    "1 \u2212 P",
    mapEach(valueOf(parts, "P"), (each) => 1 - each)
  );
  const mixed = valueOf(parts, output);
  const scaled = (by) => zip(mixed, by, extents, (a, b) => a * b);
  forms.add("form", "value", output, `${output} before the division by the row sums`, scaled(sums));
  const unshifted = scaled(plainSums);
  forms.add("form", "value", output, `exp(${logits}) V`, unshifted);
  if (weights === "Pd") {
    const keep = zip(
      valueOf(parts, "Pd"),
      valueOf(parts, "P"),
      extents,
      (a, b) => b === 0 ? 0 : a / b
    );
    forms.add("form", "value", "Pd", "keep / (1 \u2212 p)", keep);
  }
}
function addJacobian(forms, parts) {
  const { extents } = parts;
  const weights = valueOf(parts, "P");
  const own = { ...extents, l: extents["i"] };
  const other = weights.letters.map((letter) => letter === "i" ? "l" : letter);
  const letters = [...weights.letters, "l"];
  if (!forms.fits(weights.letters) || letters.length > 5) return;
  const outer = product2(weights, { letters: other, data: weights.data }, letters, own);
  if (outer.data.length > 5e4) return;
  const diagonal = zip(
    outer,
    { letters: [...weights.letters], data: weights.data },
    own,
    (_, b) => b
  );
  const keys = own["i"];
  const before2 = weights.letters.slice(weights.letters.indexOf("i") + 1);
  const inner = before2.reduce((size, letter) => size * own[letter], 1);
  const isDiagonal = (at) => at % keys === Math.floor(at / keys / inner) % keys;
  const diag = diagonal.data.map((value, at) => isDiagonal(at) ? value : 0);
  const jacobian = diag.map((value, at) => value - outer.data[at]);
  forms.add("form", "value", "P", "P P\u1D40", outer);
  forms.add("form", "value", "P", "diag(P)", { letters, data: diag });
  forms.add("form", "value", "P", "the Jacobian of the softmax", { letters, data: jacobian });
}

// src/lines/forms/terms.ts
function addTerms(forms, parts) {
  const { graph, extents, scores, queries, keys, values, weights, output } = parts;
  const read = ([id, kind]) => kind === "value" ? valueOf(parts, id) : gradientOf(parts, id);
  const add2 = (a, b, node, kind, title) => {
    if (![a[0], b[0], node].every((id) => hasNode(graph, id))) return;
    const [left, right] = [read(a), read(b)];
    const letters = [.../* @__PURE__ */ new Set([...left.letters, ...right.letters])];
    if (!forms.fits(letters)) return;
    forms.add("partial", kind, node, title, product2(left, right, letters, extents));
  };
  add2([queries, "value"], [keys, "value"], "S", "value", "terms of S");
  add2([weights, "value"], [values, "value"], output, "value", `terms of ${output}`);
  add2([output, "gradient"], [values, "value"], weights, "gradient", `terms of d${weights}`);
  add2([weights, "value"], [output, "gradient"], values, "gradient", `terms of d${values}`);
  add2(["S", "gradient"], [keys, "value"], queries, "gradient", `terms of d${queries}`);
  add2(["S", "gradient"], [queries, "value"], keys, "gradient", `terms of d${keys}`);
  void scores;
}
function addProjectionTerms(forms, parts) {
  const { graph, extents } = parts;
  for (const id of ["Q", "K", "V", "y"]) {
    const weight = id === "y" ? "W_O" : `W_${id}`;
    if (!hasNode(graph, weight) || !hasNode(graph, id)) continue;
    const source = id === "y" ? "C" : id === "Q" && hasNode(graph, "xPrime") ? "xPrime" : "x";
    const input = valueOf(parts, source);
    const token = id === "Q" || id === "y" ? "j" : "i";
    const own = {
      letters: input.letters.map((letter) => /^[ij]$/.test(letter) ? token : letter),
      data: input.data
    };
    const matrix = valueOf(parts, weight);
    const gradient = gradientOf(parts, id);
    const letters = [.../* @__PURE__ */ new Set([...own.letters, ...matrix.letters])];
    if (!forms.fits(letters)) continue;
    const title = (of) => `terms of ${of}`;
    forms.add("partial", "value", id, title(id), product2(own, matrix, letters, extents));
    forms.add(
      "partial",
      "gradient",
      weight,
      title(`d${weight}`),
      product2(own, gradient, letters, extents)
    );
    forms.add(
      "partial",
      "gradient",
      source,
      title(`d${source}`),
      product2(gradient, matrix, letters, extents)
    );
  }
}

// src/lines/catalogue.ts
var SMALL = 4e4;
var SAMPLES = 3;
var FINE = { errors: 6, ulps: 24 };
var COARSE = { errors: 3, ulps: 1 };
var LEAST_RELATIVE = 1e-11;
function formsOf(parts) {
  const { graph } = parts;
  const forms = new Forms(parts.extents);
  for (const { id } of graph.nodes) {
    forms.add("node", "value", id, id, valueOf(parts, id));
    if (id !== "f") forms.add("node", "gradient", id, `d${id}`, gradientOf(parts, id));
  }
  addScores(forms, parts);
  addSoftmax(forms, parts);
  addSoftmaxBackward(forms, parts);
  addUnscaled(forms, parts);
  addContributions(forms, parts);
  addPerHead(forms, parts);
  addBeforeBias(forms, parts);
  addRepeated(forms, parts);
  addBilinear(forms, parts);
  addLossForms(forms, parts);
  addBiasParts(forms, parts);
  addRope(forms, parts);
  if (entriesOf(graph) > SMALL) return forms.list;
  addJacobian(forms, parts);
  addTerms(forms, parts);
  addProjectionTerms(forms, parts);
  return forms.list;
}
function visibleOf(parts) {
  if (parts.logits !== "M") return null;
  const { letters, data } = valueOf(parts, "M");
  const seen = data.map((value) => value === -Infinity ? 0 : 1);
  return seen.includes(0) ? { letters, data: seen } : null;
}
function lengthsFor({ letters, data }, extents) {
  const known = lengthsOf(letters, extents);
  const rope2 = {
    u: (extents["a"] ?? 0) / 2,
    w: 2,
    l: extents["i"],
    e: extents["e"] ?? extents["c"]
  };
  const filled = known.map((length, n) => length ?? rope2[letters[n]]);
  const open2 = filled.findIndex((length) => length === void 0);
  if (open2 < 0) return filled;
  const rest = filled.reduce((size, length, n) => n === open2 ? size : size * length, 1);
  filled[open2] = data.length / rest;
  return filled;
}
function largest(data) {
  let found = 0;
  for (let at = 0; at < data.length; at++) {
    const size = Math.abs(data[at]);
    if (size > found && size < Infinity) found = size;
  }
  return found;
}
function furthest(a, b) {
  let found = 0;
  for (let at = 0; at < a.length; at++) {
    const off = Math.abs(a[at] - b[at]);
    if (off > found && off < Infinity) found = off;
  }
  return found;
}
function buildCatalogue(config, graph, type) {
  const program = referenceProgram(graph);
  const state = new State(program);
  const parts = partsOf(config, state);
  const forms = formsOf(parts);
  const count = entriesOf(graph) > SMALL ? 1 : SAMPLES;
  const samples = Array.from(
    { length: count },
    (_, n) => formsOf(partsOf(config, new State(program, NOTHING_GIVEN, rounding(type, n + 1))))
  );
  const visible2 = visibleOf(parts);
  const { errors, ulps } = type.epsilon < 1e-6 ? FINE : COARSE;
  const entries = forms.map((form, id) => {
    const { letters, data, node, kind } = form;
    const lengths = lengthsFor(form, parts.extents);
    const size = largest(data);
    const error = Math.max(...samples.map((forms2) => furthest(data, forms2[id].data)));
    const plain2 = Math.max(ulps * type.epsilon, type === FLOAT64 ? LEAST_RELATIVE : 0) * size;
    return {
      ...form,
      ...{ id, lengths, size },
      key: keyOf(node, kind),
      strides: strides(lengths),
      tolerance: errors * error + plain2,
      hidden: hiddenIn(letters, visible2, parts)
    };
  });
  const noise = entries.filter(({ size, tolerance }) => size > 0 && size <= 4 * tolerance);
  const floor = Math.max(Number.MIN_VALUE, ...noise.map(({ tolerance }) => tolerance));
  return { graph, config, state, type, parts, entries, visible: visible2, floor };
}
function hiddenIn(letters, visible2, { extents }) {
  if (!visible2 || !isSubset(["i", "j"], letters)) return null;
  if (letters.some((letter) => extents[letter] === void 0)) return null;
  const shared = visible2.letters.filter((letter) => letters.includes(letter));
  const any = new Uint8Array(shared.reduce((size, letter) => size * extents[letter], 1));
  const fold = offsetsIn(visible2.letters, shared, extents);
  visible2.data.forEach((seen, at) => {
    if (seen) any[fold[at]] = 1;
  });
  const where = offsetsIn(letters, shared, extents);
  return Uint8Array.from(where, (at) => 1 - any[at]);
}

// src/lines/autograd.ts
function autogradSuspect(field, missing) {
  void field;
  void missing;
  return null;
}

// src/lines/blame.ts
function blameOf(field, suspect) {
  void field;
  return { event: suspect.event, note: "" };
}
function returnsInExchange(field) {
  void field;
  return null;
}

// src/lines/flow.ts
function handedOn({ events }, event) {
  const { alias, same, how } = event;
  if (how === "update" || how === "write" || how === "loop-end" || how === "gradient") return null;
  if (alias !== void 0 && same !== void 0) return alias;
  if (same === void 0) return null;
  const twin = event.reads.find((read) => read === same || events[read].same === same);
  return twin ?? null;
}
function flowOf(recording) {
  const { events } = recording;
  const runs2 = /* @__PURE__ */ new Map();
  for (const { id, statement, frame, loops, how } of events) {
    if (how === "gradient" || how === "leaf") continue;
    const key = `${statement} ${frame} ${loops.join()} ${how === "loop-end"}`;
    const run = runs2.get(key);
    if (run) run.push(id);
    else runs2.set(key, [id]);
  }
  const siblings = events.map(() => []);
  for (const run of runs2.values()) for (const id of run) siblings[id] = run;
  const users = events.map(() => []);
  const writes = writesByArray(recording);
  const sources = events.map((event) => {
    const from = handedOn(recording, event);
    const own = from === null ? event.reads.filter((read) => read < event.id) : [from];
    const all = event.how === "loop-end" ? [.../* @__PURE__ */ new Set([...own, ...writes.get(event.id) ?? []])] : own;
    for (const source of all) users[source].push(event.id);
    return all;
  });
  return { sources, users, siblings };
}
function writesByArray({ events }) {
  const found = /* @__PURE__ */ new Map();
  for (const { id, how, alias } of events) {
    if (how !== "loop-end") continue;
    const writes = [];
    for (let at = alias; at !== void 0; at = events[at].alias) {
      if (events[at].how !== "write" && events[at].how !== "update") break;
      writes.push(at);
    }
    found.set(id, writes);
  }
  return found;
}
var sameIndex = (a, b) => a.index !== void 0 && JSON.stringify(a.index) === JSON.stringify(b.index);
function leadsToRight(recording, flow, observed) {
  const { events } = recording;
  const leads = events.map(() => false);
  for (let id = events.length - 1; id >= 0; id--) {
    const event = events[id];
    leads[id] = flow.users[id].some((user) => {
      const other = events[user];
      if (other.how === "write" && event.how === "write" && other.alias !== void 0) {
        if (!sameIndex(event, other)) return false;
      }
      if (leads[user]) return true;
      if (observed[user].standing !== "right") return false;
      if (handedOn(recording, other) !== null) return true;
      return flow.siblings[user].every((each) => observed[each].standing === "right");
    });
  }
  return leads;
}
function cone(flow, from) {
  const found = new Set(from);
  for (const id of found) for (const user of flow.users[id]) found.add(user);
  return found;
}

// src/lines/valueIndex.ts
var BITS2 = new Float64Array(1);
var WORDS2 = new Int32Array(BITS2.buffer);
var MOST2 = 4e6;
var ValueIndex = class {
  #entries;
  #shift;
  #mask;
  #starts;
  #keys;
  #entryAt;
  #offsetAt;
  /** How many values are held. */
  size;
  /** `bits`: of a fraction that must agree but for one unit. */
  constructor(entries, bits2) {
    this.#entries = entries;
    this.#shift = 20 - bits2;
    const tables = this.#chosen();
    const size = tables.reduce((total2, { data }) => total2 + data.length, 0);
    const slots = 2 ** Math.max(4, Math.ceil(Math.log2(size + 1)));
    this.#mask = slots - 1;
    this.#starts = new Int32Array(slots + 1);
    for (const { data } of tables)
      for (const value of data)
        if (value !== 0 && Number.isFinite(value)) this.#starts[this.#slot(this.#key(value)) + 1]++;
    for (let slot = 0; slot < slots; slot++) this.#starts[slot + 1] += this.#starts[slot];
    this.size = this.#starts[slots];
    this.#keys = new Int32Array(this.size);
    this.#entryAt = new Int32Array(this.size);
    this.#offsetAt = new Int32Array(this.size);
    const next = this.#starts.slice();
    for (const { id, data } of tables)
      for (let offset = 0; offset < data.length; offset++) {
        const value = data[offset];
        if (value === 0 || !Number.isFinite(value)) continue;
        const key = this.#key(value);
        const at = next[this.#slot(key)]++;
        this.#keys[at] = key;
        this.#entryAt[at] = id;
        this.#offsetAt[at] = offset;
      }
  }
  /** Nodes before forms before partial ones, as many as there is room for. */
  #chosen() {
    const ranks = { node: 0, form: 1, partial: 2 };
    const sorted2 = [...this.#entries].sort(
      (a, b) => ranks[a.role] - ranks[b.role] || a.data.length - b.data.length
    );
    let room = MOST2;
    return sorted2.filter(({ data }) => {
      const fits = data.length <= room;
      if (fits) room -= data.length;
      return fits;
    });
  }
  #key(value) {
    BITS2[0] = value;
    return WORDS2[1] >> this.#shift;
  }
  #slot(key) {
    return Math.imul(key, 2654435761) >>> 7 & this.#mask;
  }
  /** Calls `visit` with each place whose number agrees with `value` in the leading bits, until it says true. */
  find(value, visit) {
    const middle = this.#key(value);
    for (let key = middle - 1; key <= middle + 1; key++) {
      const slot = this.#slot(key);
      for (let at = this.#starts[slot]; at < this.#starts[slot + 1]; at++) {
        if (this.#keys[at] !== key) continue;
        if (visit(this.#entries[this.#entryAt[at]], this.#offsetAt[at])) return;
      }
    }
  }
};

// src/lines/align.ts
var MASKED = -50;
var MASK_LIKE = -1e3;
var PROBES = 3;
var MOST_VERIFIED = 400;
var MOST_FOUND = 12;
var MARGIN = 8;
function tellingOf({ data }) {
  let [isMask, isConstant2, size] = [true, true, 0];
  let first = NaN;
  for (const value of data) {
    if (Number.isNaN(first)) first = value;
    else if (value !== first) isConstant2 = false;
    const magnitude = Math.abs(value);
    if (value !== 0 && value !== 1 && value > MASK_LIKE) isMask = false;
    if (magnitude > size && value > MASK_LIKE && magnitude < Infinity) size = magnitude;
  }
  return { probes: isConstant2 && data.length > 1 ? [] : probesOf(data), isConstant: isConstant2, isMask, size };
}
function probesOf(data) {
  const usable = (value) => value !== 0 && value > MASK_LIKE && Number.isFinite(value);
  const found = [];
  const part = Math.ceil(data.length / PROBES);
  for (let start2 = 0; start2 < data.length; start2 += part) {
    let best = -1;
    for (let at = start2; at < Math.min(data.length, start2 + part); at++)
      if (usable(data[at]) && (best < 0 || Math.abs(data[at]) > Math.abs(data[best]))) best = at;
    if (best >= 0) found.push(best);
  }
  return found.sort((a, b) => Math.abs(data[b]) - Math.abs(data[a]));
}
var Aligner = class {
  #catalogue;
  #index;
  #indexed;
  #bits;
  constructor(catalogue) {
    this.#catalogue = catalogue;
    const { epsilon } = catalogue.type;
    this.#bits = epsilon < 1e-12 ? 16 : epsilon < 1e-6 ? 10 : 5;
    this.#index = new ValueIndex(catalogue.entries, this.#bits);
    this.#indexed = catalogue.entries.length;
  }
  /** After entries were added. */
  refresh() {
    if (this.#catalogue.entries.length === this.#indexed) return;
    this.#index = new ValueIndex(this.#catalogue.entries, this.#bits);
    this.#indexed = this.#catalogue.entries.length;
  }
  /** All forms that `tensor` is a part of, one alignment for each entry. */
  align(tensor2, telling = tellingOf(tensor2)) {
    const shape2 = tensor2.shape.filter((length) => length !== 1);
    const own = { shape: shape2, data: tensor2.data };
    const found = /* @__PURE__ */ new Map();
    let verified = 0;
    for (const probe of telling.probes) {
      this.#index.find(tensor2.data[probe], (entry, offset) => {
        if (found.has(entry.id)) return false;
        if (!isClose(entry, offset, tensor2.data[probe])) return false;
        for (const options of readings(own, probe, entry, offset)) {
          verified++;
          if (!this.#verifies(own, probe, entry, offset, options)) continue;
          found.set(entry.id, alignmentOf(tensor2, entry, offset, options));
          break;
        }
        return verified > MOST_VERIFIED || found.size >= MOST_FOUND;
      });
      if (found.size > 0 || verified > MOST_VERIFIED) break;
    }
    return [...found.values()];
  }
  #verifies({ shape: shape2, data }, probe, entry, offset, options) {
    void probe;
    const { tolerance, hidden } = entry;
    const reference = entry.data;
    let agreeing = 0;
    let hiddenAsReference = true;
    let hiddenAsOne = true;
    let hiddenValue = NaN;
    let seenHidden = false;
    const check2 = (at, where) => {
      const value = data[at];
      const right = reference[where];
      if (hidden !== null && hidden[where] === 1) {
        if (hiddenAsReference && !isNear(value, right, tolerance)) hiddenAsReference = false;
        const kind = value <= MASKED ? -Infinity : value;
        if (!seenHidden) hiddenValue = kind;
        else if (kind !== hiddenValue && !(Number.isNaN(kind) && Number.isNaN(hiddenValue)))
          hiddenAsOne = false;
        seenHidden = true;
        return hiddenAsReference || hiddenAsOne;
      }
      if (!isNear(value, right, tolerance)) return false;
      if (Math.abs(right) > 2 * tolerance && right !== -Infinity) agreeing++;
      return true;
    };
    const walk = (axis, at, where) => {
      if (axis === shape2.length) return check2(at, where);
      const { offsets } = options[axis];
      const length = shape2[axis];
      for (let n = 0; n < length; n++)
        if (!walk(axis + 1, at * length + n, where + offsets[n])) return false;
      return true;
    };
    if (!walk(0, 0, offset)) return false;
    if (seenHidden && !hiddenAsReference && entry.key === "v:P" && hiddenValue !== 0) {
      if (entry.role === "node") return false;
    }
    const digits = Math.log2(Math.max(2, entry.size / (tolerance || Number.MIN_VALUE)));
    return agreeing * Math.min(digits, 40) > Math.log2(this.#index.size + 1) + MARGIN;
  }
};
function isNear(value, right, tolerance) {
  if (value === right) return true;
  if (right === -Infinity) return value <= MASKED;
  if (Number.isNaN(right)) return Number.isNaN(value);
  return Math.abs(value - right) <= tolerance;
}
var isClose = ({ data, hidden, tolerance }, offset, value) => hidden?.[offset] === 1 || isNear(value, data[offset], tolerance);
function* readings({ shape: shape2, data }, probe, entry, offset) {
  const steps = strides(shape2);
  const coordinates = entry.strides.map(
    (stride, n) => Math.floor(offset / stride) % entry.lengths[n]
  );
  const perAxis = [];
  for (let axis = 0; axis < shape2.length; axis++) {
    const at = Math.floor(probe / steps[axis]) % shape2[axis];
    const options = optionsFor(shape2[axis], at, entry, coordinates).filter(({ offsets }) => {
      for (const other of [at + 1, at - 1, 0, shape2[axis] - 1]) {
        if (other < 0 || other >= shape2[axis]) continue;
        if (!isClose(entry, offset + offsets[other], data[probe + (other - at) * steps[axis]]))
          return false;
      }
      return true;
    });
    if (options.length === 0) return;
    perAxis.push(options);
  }
  const chosen = [];
  function* choose2(axis, used) {
    if (axis === shape2.length) {
      yield [...chosen];
      return;
    }
    for (const option of perAxis[axis]) {
      const own = option.letters.reduce((bits2, letter) => bits2 | 1 << letter, 0);
      if (used & own) continue;
      chosen[axis] = option;
      yield* choose2(axis + 1, used | own);
    }
  }
  yield* choose2(0, 0);
}
function optionsFor(length, at, entry, coordinates) {
  const { lengths, strides: own } = entry;
  const options = [];
  const single = (letter, step) => {
    const start2 = coordinates[letter] - step * at;
    const last = start2 + step * (length - 1);
    if (start2 < 0 || last < 0 || start2 >= lengths[letter] || last >= lengths[letter]) return;
    const offsets = Int32Array.from({ length }, (_, n) => (n - at) * step * own[letter]);
    options.push({ letters: [letter], offsets, start: start2, step, count: length });
  };
  for (let letter = 0; letter < lengths.length; letter++) {
    if (lengths[letter] < length) continue;
    const most = Math.floor((lengths[letter] - 1) / (length - 1));
    for (let step = 1; step <= most; step++) {
      single(letter, step);
      single(letter, -step);
    }
  }
  for (const letters of sequences(lengths, length)) {
    const [outer, ...inner] = letters;
    const block = inner.reduce((size, letter) => size * lengths[letter], 1);
    const coordinate = inner.reduce(
      (sum2, letter) => sum2 * lengths[letter] + coordinates[letter],
      0
    );
    if (coordinate !== at % block) continue;
    const count = length / block;
    const start2 = coordinates[outer] - Math.floor(at / block);
    if (start2 < 0 || start2 + count > lengths[outer]) continue;
    const blockOffsets = new Int32Array(block);
    for (let n = 0; n < block; n++) {
      let rest = n;
      for (let k = inner.length - 1; k >= 0; k--) {
        blockOffsets[n] += rest % lengths[inner[k]] * own[inner[k]];
        rest = Math.floor(rest / lengths[inner[k]]);
      }
    }
    const base = Math.floor(at / block) * own[outer] + blockOffsets[at % block];
    const offsets = Int32Array.from(
      { length },
      (_, n) => Math.floor(n / block) * own[outer] + blockOffsets[n % block] - base
    );
    options.push({ letters, offsets, start: start2, step: 1, count });
  }
  return options;
}
function sequences(lengths, length) {
  const found = [];
  const extend = (inner, size) => {
    for (let letter = 0; letter < lengths.length; letter++) {
      if (inner.includes(letter) || lengths[letter] === 1) continue;
      if (inner.length > 0 && length / size <= lengths[letter] && length > size)
        found.push([letter, ...inner]);
      const next = size * lengths[letter];
      if (inner.length < 3 && next < length && length % next === 0)
        extend([letter, ...inner], next);
    }
  };
  extend([], 1);
  return found;
}
function alignmentOf({ shape: shape2 }, entry, offset, options) {
  const { letters, lengths, strides: own } = entry;
  const ranges = /* @__PURE__ */ new Map();
  letters.forEach((letter, n) => {
    ranges.set(letter, { start: Math.floor(offset / own[n]) % lengths[n], step: 1, count: 1 });
  });
  for (const option of options) {
    const [outer, ...inner] = option.letters;
    const { start: start2, step, count } = option;
    ranges.set(letters[outer], { start: start2, step, count });
    for (const letter of inner)
      ranges.set(letters[letter], { start: 0, step: 1, count: lengths[letter] });
  }
  let next = 0;
  const axes = shape2.map(
    (length) => length === 1 ? [] : options[next++].letters.map((letter) => letters[letter])
  );
  return { entry, axes, ranges };
}
var isWhole = ({ entry, ranges }) => entry.letters.every((letter, n) => ranges.get(letter).count === entry.lengths[n]);

// src/lines/goals.ts
function ancestorsOf(graph) {
  const direct = /* @__PURE__ */ new Map();
  const add2 = (key, ...from) => {
    direct.set(key, [...direct.get(key) ?? [], ...from]);
  };
  for (const { id, inputs } of operationNodes(graph)) {
    add2(keyOf(id, "value"), ...inputs.map((input) => keyOf(input, "value")));
    for (const input of inputs)
      add2(
        keyOf(input, "gradient"),
        keyOf(id, "gradient"),
        keyOf(id, "value"),
        ...inputs.map((other) => keyOf(other, "value"))
      );
  }
  const all = /* @__PURE__ */ new Map();
  for (const { id } of graph.nodes)
    for (const kind of ["value", "gradient"]) {
      const found = /* @__PURE__ */ new Set([keyOf(id, kind)]);
      for (const key of found) for (const from of direct.get(key) ?? []) found.add(from);
      all.set(keyOf(id, kind), found);
    }
  return all;
}
function goalsOf(graph) {
  const inputs = graph.nodes.filter(({ kind }) => kind === "input");
  return ["v:y", ...inputs.map(({ id }) => keyOf(id, "gradient"))];
}
function mark({ entry, ranges }, seen) {
  const { letters, strides: strides2 } = entry;
  const walk = (n, at) => {
    if (n === letters.length) {
      seen[at] = 1;
      return;
    }
    const { start: start2, step, count } = ranges.get(letters[n]);
    for (let k = 0; k < count; k++) walk(n + 1, at + (start2 + k * step) * strides2[n]);
  };
  walk(0, 0);
}
function coveredKeys({ entries }, observed) {
  const covered = /* @__PURE__ */ new Set();
  const partly = /* @__PURE__ */ new Map();
  const seenBefore = /* @__PURE__ */ new Set();
  for (const { found, pieces, added } of observed) {
    if (added) continue;
    for (const alignment of [...found, ...pieces]) {
      const { entry } = alignment;
      if (entry.role !== "node" || covered.has(entry.key)) continue;
      if (isWhole(alignment)) {
        covered.add(entry.key);
        continue;
      }
      const ranges = [...alignment.ranges.values()].map(({ start: start2, step, count }) => [start2, step, count]);
      const key = `${entry.id} ${ranges.join(";")}`;
      if (seenBefore.has(key)) continue;
      seenBefore.add(key);
      const seen = partly.get(entry) ?? new Uint8Array(entry.data.length);
      partly.set(entry, seen);
      mark(alignment, seen);
    }
  }
  for (const [entry, seen] of partly)
    if (seen.every((each, at) => each === 1 || entry.hidden?.[at] === 1)) covered.add(entry.key);
  for (const { role, key, size, tolerance } of entries)
    if (role === "node" && size <= 4 * tolerance) covered.add(key);
  return covered;
}

// src/formats/nodeAliases.ts
var ALIASES = {
  x: `xi xkv xkey xkeys xvalue xvalues input inputs inp hiddenstates hiddenstate embeddings embedding embeds
    memory source src kvinput keyinput encoderhiddenstates encoderoutput encoderoutputs encoderout keyvaluestates`,
  xPrime: `xp xj xquery xqueries tgt queryinput inputq inputquery decoderhiddenstates decoderinput`,
  W_Q: `wquery weightq qweight queryweight wqweight wqueryweight qprojweight queryprojweight toqweight
    qlinearweight linearqweight fcqweight qkernel querykernel qprojkernel`,
  W_K: `wkey weightk kweight keyweight wkweight wkeyweight kprojweight keyprojweight tokweight
    klinearweight linearkweight fckweight kkernel keykernel kprojkernel`,
  W_V: `wvalue weightv vweight valueweight wvweight wvalueweight vprojweight valueprojweight tovweight
    vlinearweight linearvweight fcvweight vkernel valuekernel vprojkernel`,
  W_O: `wout woutput weighto oweight woweight woutweight oprojweight outprojweight outputprojweight toout0weight
    tooutweight olinearweight linearoutweight linearoweight fcoweight okernel outkernel outprojkernel cprojweight`,
  b_Q: `bquery biasq qbias querybias wqbias wquerybias qprojbias queryprojbias toqbias qlinearbias linearqbias`,
  b_K: `bkey biask kbias keybias wkbias wkeybias kprojbias keyprojbias tokbias klinearbias linearkbias`,
  b_V: `bvalue biasv vbias valuebias wvbias wvaluebias vprojbias valueprojbias tovbias vlinearbias linearvbias`,
  b_O: `bout boutput biaso obias outbias wobias woutbias oprojbias outprojbias outputprojbias tooutbias
    toout0bias olinearbias linearoutbias linearobias cprojbias`,
  Q: `query queries querystates querylayer qstates qall`,
  K: `key keys keystates keylayer kstates kall`,
  V: `value values valuestates valuelayer vstates vall`,
  Qh: `qhead qheads queryheads queryhead qperhead qsplit qrot qrotated qrope qroped qembed`,
  Kh: `khead kheads keyheads keyhead kperhead ksplit krot krotated krope kroped kembed`,
  Vh: `vhead vheads valueheads valuehead vperhead vsplit`,
  S: `score scores attnscore attnscores attentionscore attentionscores rawscore rawscores logit logits attnlogits
    attentionlogits rawlogits qk qkt kq dot dots dotproduct dotproducts sim similarity similarities energy energies
    qkmatmul`,
  Z: `scaledscore scaledscores scoresscaled scaledlogits logitsscaled scaledattnscores attnscoresscaled scaleddots
    cappedscores cappedlogits softcappedscores softcappedlogits preatt`,
  M: `maskedscore maskedscores scoresmasked maskedlogits logitsmasked maskedattnscores attnscoresmasked maskeddots`,
  P: `attn attns att attention attentions weights attnweight attnweights attentionweight attentionweights attweights
    prob probs probability probabilities attnprob attnprobs attentionprob attentionprobs pattn softmax softmaxout
    softmaxoutput alpha alphas attnmatrix attentionmatrix attnmap attnmaps attentionmap attentionmaps attndist
    attentiondistribution pattern attnpattern attentionpattern`,
  Pd: `pdrop pdropped pdropout droppedp attndropped droppedattn attnweightsdropped droppedattnweights probsdropped
    droppedprobs attnprobsdropped droppedattnprobs attnweightsdropout attnprobsdropout`,
  O: `oh ohead oheads headout headouts headoutput headoutputs headsout perheadoutput perheadoutputs outheads
    outputheads attnoutheads`,
  C: `context contexts ctx contextlayer contextvector contextvectors contextvec concat concatheads concatenated
    merged mergedheads headsmerged mergeheads`,
  y: `out output outputs result results attnout attnoutput attentionout attentionoutput yhat outputstates`,
  f: `loss lossvalue objective cost`
};

// src/formats/nodeIds.ts
var NODE_IDS = [
  "x xPrime W_K W_Q W_V W_O b_K b_Q b_V b_O",
  "K Q V Kh Qh Vh",
  "S Z M P Pd O C y f"
].flatMap((ids) => ids.split(" "));

// src/formats/nodeNames.ts
var BY_ALIAS = new Map(
  NODE_IDS.flatMap(
    (id) => [plain(id), ...ALIASES[id]?.split(/\s+/) ?? []].map((alias) => [alias, id])
  )
);
var ONLY_UPPER_CASE = ["m", "c", "z"];
var LONGEST_NAME = 200;
var NEUTRAL = /^(?:attn|attention|self_?attn|self_?attention|cross_?attn|mha|block|model|module|self|trace|tensors|forward|fwd|activations|acts|values|weights|params|state)[./:]+/i;
var GRADIENT_FOLDER = /^(?:grads?|gradients?|backward|bwd|d)[./:]+/i;
var PREFIXES = [
  /^(?:grads?|gradients?|g)[_\-\s]+(?:(?:of|wrt|to)[_\-\s]+)?(?=.)/i,
  /^grad(?:ient)?(?:Of|Wrt)?(?=[A-Z])/,
  /^grad/i,
  /^[d∂](?:L|f|J|E|loss|Loss)[_/\s]*[d∂][_\s]?(?=.)/,
  /^[d∂][_\s]?(?=.)/i,
  /^∇[_\s]?(?=.)/
];
var SUFFIX = /[._\-/:\s]?(?:grads?|gradients?)$/i;
function resolveName(name, names = {}, rank) {
  const found = Object.hasOwn(names, name) ? resolveId(names[name]) : resolveId(name) ?? resolveUsual(name.trim());
  return rank === 0 && found?.node !== "f" ? null : found;
}
function resolveId(name) {
  if (NODE_IDS.includes(name)) return { node: name, kind: "value" };
  if (name.startsWith("d") && NODE_IDS.includes(name.slice(1)))
    return { node: name.slice(1), kind: "gradient" };
  return null;
}
function resolveUsual(name) {
  if (name.length > LONGEST_NAME) return null;
  const value = byAlias(name);
  if (value !== void 0) return { node: value, kind: "value" };
  const gradient = gradientOf2(name);
  if (gradient !== void 0) return { node: gradient, kind: "gradient" };
  if (GRADIENT_FOLDER.test(name)) {
    const inside = resolveName(name.replace(GRADIENT_FOLDER, ""));
    return inside && { node: inside.node, kind: "gradient" };
  }
  return NEUTRAL.test(name) ? resolveName(name.replace(NEUTRAL, "")) : null;
}
function gradientOf2(name) {
  for (const prefix of PREFIXES) {
    const node = prefix.test(name) ? byAlias(name.replace(prefix, "")) : void 0;
    if (node !== void 0) return node;
  }
  return SUFFIX.test(name) ? byAlias(name.replace(SUFFIX, "")) : void 0;
}
function byAlias(name) {
  return ONLY_UPPER_CASE.includes(name) ? void 0 : BY_ALIAS.get(plain(name));
}
function plain(name) {
  return name.replaceAll(/['′’]/g, "prime").toLowerCase().replaceAll(/[\s_.\-/:]/g, "");
}

// src/lines/pieces.ts
function cut({ shape: shape2, data }, axis, blocks, start2, count) {
  const [inner] = strides(shape2).slice(axis, axis + 1);
  const outer = sizeOf(shape2.slice(0, axis));
  const length = shape2[axis];
  const block = length / blocks;
  const own = [...shape2.slice(0, axis), ...blocks > 1 ? [blocks] : [], count, ...shape2.slice(axis + 1)];
  const out = new Float64Array(outer * blocks * count * inner);
  let at = 0;
  for (let o = 0; o < outer; o++)
    for (let b = 0; b < blocks; b++)
      for (let n = 0; n < count; n++) {
        const from = (o * length + b * block + start2 + n) * inner | 0;
        out.set(data.subarray(from, from + inner), at);
        at += inner;
      }
  return { shape: own, data: out };
}
var MOST3 = 3;
function piecesOf(tensor2, aligner, { graph, parts }) {
  const { shape: shape2 } = tensor2;
  if (shape2.length === 0 || tensor2.data.length < 4) return [];
  const { extents } = parts;
  const heads = [.../* @__PURE__ */ new Set([1, graph.head === "multihead" ? headsOf(extents) : 1, extents["r"] ?? 1])];
  for (let axis = shape2.length - 1; axis >= 0; axis--) {
    for (const blocks of heads) {
      if (shape2[axis] % blocks !== 0) continue;
      for (const widths of splits(shape2[axis] / blocks, extents)) {
        let start2 = 0;
        const found = [];
        for (const width of widths) {
          const piece = cut(tensor2, axis, blocks, start2, width);
          start2 += width;
          const telling = tellingOf(piece);
          const [best] = aligner.align(piece, telling).filter(({ entry }) => entry.role !== "partial");
          if (!best) break;
          found.push(best);
        }
        if (found.length === widths.length) return found;
      }
    }
  }
  return [];
}
var headsOf = (extents) => (extents["h"] ?? 1) * (extents["r"] ?? 1) * (extents["g"] ?? 1);
function splits(length, extents) {
  const found = [];
  for (let parts = 2; parts <= MOST3; parts++)
    if (length % parts === 0) found.push(Array.from({ length: parts }, () => length / parts));
  const groups = extents["g"] ?? 1;
  const { a = 0, v = 0 } = extents;
  const kv = extents["h"] ?? extents["r"] ?? 1;
  const [queries, keys, values] = [kv * groups * a, kv * a, kv * v];
  const one = [groups * a, a, v];
  for (const [q, k, w] of [[queries, keys, values], one]) {
    const orders = [
      [q, k, w],
      [k, q, w],
      [k, w, q],
      [q, w, k],
      [w, q, k],
      [w, k, q],
      [k, w],
      [w, k],
      [q, k],
      [k, q]
    ];
    for (const order of orders)
      if (order.reduce((sum2, width) => sum2 + width, 0) === length && new Set(order).size > 1)
        found.push(order);
  }
  return found;
}

// src/lines/versions.ts
function partAt(whole, index) {
  const steps = strides(whole.shape);
  const lengths = [];
  const offsets = [];
  let base = 0;
  let axis = 0;
  for (const part of index) {
    if (part === null) continue;
    if (axis >= whole.shape.length) return null;
    if (typeof part === "number") {
      base += (part < 0 ? part + whole.shape[axis] : part) * steps[axis];
    } else {
      const [start2, stop, step] = part;
      const count = Math.max(0, Math.ceil((stop - start2) / step));
      lengths.push(count);
      offsets.push(Int32Array.from({ length: count }, (_, n) => (start2 + n * step) * steps[axis]));
    }
    axis++;
  }
  for (; axis < whole.shape.length; axis++) {
    lengths.push(whole.shape[axis]);
    offsets.push(Int32Array.from({ length: whole.shape[axis] }, (_, n) => n * steps[axis]));
  }
  const data = new Float64Array(sizeOf(lengths));
  let at = 0;
  const walk = (depth, where) => {
    if (depth === offsets.length) {
      data[at++] = whole.data[where];
      return;
    }
    for (const offset of offsets[depth]) walk(depth + 1, where + offset);
  };
  walk(0, base);
  return { shape: lengths, data };
}
var sameIndex2 = (a, b) => a !== void 0 && a !== "fancy" && JSON.stringify(a) === JSON.stringify(b);
var FAR = 4096;
function* earlierVersions({ events }, event) {
  let at = event.alias;
  for (let n = 0; at !== void 0 && n < FAR; n++) {
    yield events[at];
    at = events[at].alias;
  }
}
function before(recording, event) {
  const { index } = event;
  if (index === "fancy") return null;
  for (const earlier of earlierVersions(recording, event)) {
    if (earlier.how === "write") {
      if (index === void 0) return null;
      if (sameIndex2(earlier.index, index)) return recording.tensor(earlier.id);
      continue;
    }
    const whole = recording.tensor(earlier.id);
    if (!whole) return null;
    return index === void 0 ? whole : partAt(whole, index);
  }
  return null;
}
function isSum(recording, event) {
  const { kind, text: text2 } = recording.statements[event.statement];
  if (kind === "augmented") return /[^*/@%]\s*[+-]=/.test(text2) ? event : null;
  if (kind !== "assign" || event.how !== "bind") return null;
  const previous = event.reads.map((read) => recording.events[read]).find(({ name, frame }) => name === event.name && frame === event.frame);
  return previous ?? null;
}
function increment(recording, event) {
  const previous = isSum(recording, event);
  if (!previous) return null;
  const tensor2 = recording.tensor(event.id);
  const old = previous === event ? before(recording, event) : recording.tensor(previous.id);
  if (!tensor2 || !old || old.data.length !== tensor2.data.length) return null;
  const data = tensor2.data.map((value, at) => value - old.data[at]);
  return { shape: tensor2.shape, data };
}

// src/lines/observe.ts
var INTEGER = /^(u?int\d*|bool|complex\d*)$/;
function originalOf({ events }, id) {
  let at = id;
  for (let same = events[at].same; same !== void 0; same = events[at].same) at = same;
  return at;
}
var Observer = class {
  #recording;
  #catalogue;
  aligner;
  #contents = /* @__PURE__ */ new Map();
  constructor(recording, catalogue) {
    this.#recording = recording;
    this.#catalogue = catalogue;
    this.aligner = new Aligner(catalogue);
  }
  /** All events, in their order. */
  observe() {
    const done = [];
    for (const event of this.#recording.events) done.push(this.#one(event, done));
    return done;
  }
  /** Looks again at what was off, after forms were added. */
  refresh() {
    this.aligner.refresh();
    for (const [id, { standing }] of this.#contents) if (standing === "off") this.#contents.delete(id);
  }
  #one(event, before2) {
    const tensor2 = this.#recording.tensor(event.id);
    const nothing = { event, found: [], pieces: [], added: false, isMask: false };
    if (!tensor2) return { ...nothing, standing: "unknown" };
    const content = this.#contentOf(originalOf(this.#recording, event.id), event, tensor2);
    const found = ranked(content.found, event, this.#recording);
    const { pieces, isMask } = content;
    const all = { event, found, pieces, isMask, added: false };
    if (content.standing !== "off") return { ...all, standing: content.standing };
    const known = event.reads.some((read) => read < event.id && before2[read]?.standing !== "neutral");
    if (!known && event.of === void 0 && !isKnownWrite(event)) return { ...all, standing: "free" };
    const change = increment(this.#recording, event);
    if (change && tellingOf(change).probes.length > 0) {
      const of = this.aligner.align(change);
      if (of.length > 0) return { ...all, found: of, standing: "off", added: true };
    }
    return { ...all, standing: "off" };
  }
  #contentOf(id, event, tensor2) {
    const known = this.#contents.get(id);
    if (known) return known;
    const content = this.#look(event, tensor2);
    this.#contents.set(id, content);
    return content;
  }
  #look({ dtype }, tensor2) {
    const nothing = { found: [], pieces: [], isMask: false };
    if (tensor2.data.length === 0) return { ...nothing, standing: "neutral" };
    const telling = tellingOf(tensor2);
    if (INTEGER.test(dtype)) return { ...nothing, standing: "neutral", isMask: telling.isMask };
    const isNothing = telling.isMask || telling.size <= this.#catalogue.floor;
    if (isNothing || telling.probes.length === 0) {
      return { ...nothing, standing: "neutral", isMask: telling.isMask && tensor2.data.length > 1 };
    }
    const found = this.aligner.align(tensor2, telling);
    if (found.length > 0) {
      const standing = found.some(({ entry }) => entry.role !== "partial") ? "right" : "partial";
      return { found, pieces: [], isMask: false, standing };
    }
    const pieces = piecesOf(tensor2, this.aligner, this.#catalogue);
    if (pieces.length > 0) return { ...nothing, pieces, standing: "right" };
    const isScalar = tensor2.data.length === 1;
    const isVague = isScalar && (dtype === "float" ? false : this.#catalogue.type.epsilon > 1e-12);
    return { ...nothing, standing: isVague ? "neutral" : "off" };
  }
};
var isKnownWrite = ({ how, alias }) => how !== "bind" && alias !== void 0;
var ROLES = { node: 0, form: 2, partial: 4 };
function ranked(found, event, recording) {
  if (found.length < 2) return found;
  const named2 = nodeNamed(event, recording);
  const isGradient = event.how === "gradient" || event.name.endsWith(".grad") || named2?.kind === "gradient";
  const cost = ({ entry, axes }) => {
    const { node, kind, role } = entry;
    const fitsName = named2 !== null && named2.node[0] === node[0] && named2.kind === kind;
    const isExactly = named2?.node === node && named2.kind === kind;
    const merged = axes.some((letters) => letters.length > 1 && letters.some((each) => /[hrg]/.test(each)));
    const layout = /^[KQV]h$/.test(node) ? merged ? 0.4 : 0 : /^[KQVC]$/.test(node) ? merged ? 0 : 0.4 : 0;
    return ROLES[role] + layout - (isExactly ? 1.5 : fitsName ? 1 : 0) + (isGradient === (kind === "gradient") ? 0 : 0.8);
  };
  return [...found].sort((a, b) => cost(a) - cost(b) || a.entry.id - b.entry.id);
}
function nodeNamed(event, { events }) {
  const rank = Math.max(1, event.shape.length);
  const plain2 = event.name.replaceAll(/\[['"]?([A-Za-z_]\w*)['"]?\]/g, ".$1").replaceAll(/\[[^\]]*\]/g, "").replace(/^(self|ctx|cache|saved|params?|weights|w|proj|p)\./, "");
  const found = resolveName(plain2, {}, rank) ?? resolveName(plain2.split(".").slice(-1)[0], {}, rank);
  const isGradient = event.of !== void 0 || /(^|[._\[])(d_?)?grads?\b/i.test(event.name);
  void events;
  return found && isGradient ? { node: found.node, kind: "gradient" } : found;
}

// src/lines/suspects.ts
var keysOf = ({ found, pieces }) => [
  ...new Set([...found, ...pieces].map(({ entry }) => entry.key))
];
function operandsOf({ observed, flow, recording }, id) {
  const { events } = recording;
  const own = events[id];
  const keys = [];
  let isDoubtful = false;
  const seen = /* @__PURE__ */ new Set([id]);
  const queue = [...flow.sources[id]];
  for (const source of queue) {
    if (seen.has(source)) continue;
    seen.add(source);
    const { standing, added } = observed[source];
    const { name, frame } = events[source];
    const isVersion = name === own.name && frame === own.frame && source !== id;
    if (standing === "right" || standing === "partial") keys.push(keysOf(observed[source]));
    else if (standing === "neutral") queue.push(...flow.sources[source]);
    else if (standing === "free" || standing === "unknown") isDoubtful = true;
    else if (added) keys.push(keysOf(observed[source]));
    else if (isVersion && own.how === "loop-end") return null;
    else return null;
  }
  return keys.length > 0 ? { keys, isDoubtful } : null;
}
function suspectsOf(field) {
  const { recording, observed, flow } = field;
  const leads = leadsToRight(recording, flow, observed);
  const found = [];
  for (const { event, standing, added } of observed) {
    const { id, how } = event;
    if (leads[id] || how === "gradient" || how === "leaf") continue;
    if (standing !== "off" && standing !== "partial") continue;
    if (handedOn(recording, event) !== null) continue;
    const operands = operandsOf(field, id);
    if (!operands) continue;
    if (added && !isLast(field, id)) continue;
    const why = standing === "partial" ? "incomplete" : added || how === "loop-end" ? "sum" : "off";
    found.push({ event: id, operands: operands.keys, isDoubtful: operands.isDoubtful, why });
  }
  return plausible(field, withoutBeginnings(field, found));
}
function isLast({ recording: { events }, flow }, id) {
  const { name, frame } = events[id];
  return !flow.users[id].some((user) => {
    const other = events[user];
    return other.frame === frame && (other.name === name || other.alias === id);
  });
}
function withoutBeginnings({ flow, observed }, suspects) {
  const off = new Set(suspects.filter(({ why }) => why !== "incomplete").map(({ event }) => event));
  return suspects.filter(({ event, why }) => {
    if (why !== "incomplete") return true;
    for (const each of cone(flow, [event])) if (off.has(each)) return false;
    return !flow.sources[event].some(
      (source) => observed[source].standing === "partial" && suspects.some((other) => other.event === source)
    );
  });
}
function plausible(field, suspects) {
  const { catalogue, goals, covered, recording, observed, flow } = field;
  const ancestors = ancestorsOf(catalogue.graph);
  const missing = goals.filter((goal) => !covered.has(goal));
  const isForwardRight = covered.has("v:y");
  return suspects.filter(({ event, operands, why }) => {
    const of = missing.filter(
      (goal) => operands.every((keys) => keys.some((key) => ancestors.get(goal)?.has(key) && key !== goal))
    );
    const own = why === "incomplete" ? keysOf(observed[event]) : [];
    if (own.length > 0 && own.every((key) => covered.has(key))) return false;
    if (why === "incomplete" && !isMissingPath(field, event)) return false;
    if (of.length === 0) return false;
    const after = [...cone(flow, [event])];
    if (!isForwardRight) return after.some((id) => (recording.tensor(id)?.data.length ?? 0) > 1);
    return after.some((id) => {
      if (nodeNamed(recording.events[id], recording)?.kind === "gradient") return true;
      return flow.sources[id].some(
        (source) => observed[source].found.some(({ entry }) => entry.kind === "gradient" && entry.role !== "form")
      );
    });
  });
}
function isMissingPath({ observed, catalogue }, event) {
  const paths = (id) => observed[id].found.flatMap(({ entry }) => {
    const [, names2] = / through ([\w ]+)$/.exec(entry.title) ?? [];
    return names2 ? [[entry.key, names2.split(" and ")]] : [];
  });
  const [own] = paths(event);
  if (!own) return true;
  const [key, names] = own;
  if (names.length > 1) return true;
  const computed = new Set(
    observed.flatMap(({ event: { id } }) => paths(id).flatMap(([of, some]) => of === key ? some : []))
  );
  const needed = sourcesOf(catalogue.state.program, key.slice(2));
  return needed.some(({ from }) => !computed.has(from));
}

// src/lines/tiles.ts
function addTiles(catalogue, observed) {
  void catalogue;
  void observed;
  return false;
}

// src/lines/localise.ts
function localise(recording, catalogue) {
  const observer = new Observer(recording, catalogue);
  let observed = observer.observe();
  if (addTiles(catalogue, observed)) {
    observer.refresh();
    observed = observer.observe();
  }
  const flow = flowOf(recording);
  const covered = coveredKeys(catalogue, observed);
  const goals = goalsOf(catalogue.graph);
  const field = { recording, catalogue, observed, flow, covered, goals };
  const suspects = suspectsOf(field);
  const wrong = wrongOf(field, suspects);
  const seen = wrong.map((each) => each.seen);
  const consequences = cone(flow, seen);
  const isAligned = observed.some(
    ({ found, pieces }) => [...found, ...pieces].some(({ entry }) => entry.role === "node" && !isInput(catalogue, entry.node))
  );
  const verdict = wrong.length > 0 ? "diverges" : isAligned ? "match" : "unaligned";
  return { verdict, observed, flow, covered, wrong, consequences };
}
var isInput = ({ graph }, id) => graph.nodes.some((node) => node.id === id && node.kind === "input");
function wrongOf(field, suspects) {
  const sure = suspects.filter(({ isDoubtful, why }) => !isDoubtful && why !== "sum");
  const order = [sure, suspects.filter(({ isDoubtful }) => !isDoubtful), suspects];
  for (const some of order) {
    if (some.length === 0) continue;
    const reached = /* @__PURE__ */ new Set();
    const found2 = [];
    for (const suspect of some) {
      if (reached.has(suspect.event)) continue;
      for (const id of cone(field.flow, [suspect.event])) reached.add(id);
      const blamed = blameOf(field, suspect);
      const same = found2.some(
        (each) => statementOf(field, each.event) === statementOf(field, blamed.event)
      );
      if (!same) found2.push({ ...expected(field, blamed.event, suspect), ...blamed, seen: suspect.event });
    }
    return found2;
  }
  const missing = field.goals.filter((goal) => !field.covered.has(goal));
  const exchanged = returnsInExchange(field);
  if (exchanged) return [{ ...named(field, exchanged.event), ...exchanged, seen: exchanged.event }];
  if (missing.length === 0) return [];
  const found = autogradSuspect(field, missing);
  return found ? [found] : [];
}
var statementOf = ({ recording }, event) => recording.events[event].statement;
function named({ recording, catalogue }, event) {
  const found = nodeNamed(recording.events[event], recording);
  const isNode = found && catalogue.graph.nodes.some(({ id }) => id === found.node);
  return isNode ? found : { node: null, kind: "other" };
}
function expected(field, event, { operands }) {
  const { catalogue, covered, recording, observed } = field;
  const { graph } = catalogue;
  const own = observed[event].found[0];
  if (own && observed[event].standing === "partial") return { node: own.entry.node, kind: own.entry.kind };
  const size = sizeOf(recording.events[event].shape);
  const nodes = operationNodes(graph);
  const makers = /* @__PURE__ */ new Map();
  for (const { id, inputs } of nodes) {
    makers.set(keyOf(id, "value"), inputs.map((input) => keyOf(input, "value")));
    for (const input of inputs) {
      const key = keyOf(input, "gradient");
      const from = [
        keyOf(id, "gradient"),
        ...id === "P" ? [keyOf(id, "value")] : [],
        ...inputs.filter((other) => other !== input).map((other) => keyOf(other, "value"))
      ];
      makers.set(key, [...makers.get(key) ?? [], ...from]);
    }
  }
  const byName = named(field, event);
  const score = (key) => {
    const from = new Set(makers.get(key));
    const used = operands.filter((keys) => keys.some((each) => from.has(each))).length;
    const node = graph.nodes.find(({ id }) => id === key.slice(2));
    const total2 = sizeOf(node.shape);
    const fits = total2 === size ? 2 : size > 1 && total2 % size === 0 ? 1 : 0;
    const isNamed = byName.node !== null && keyOf(byName.node, byName.kind) === key;
    return used * 2 + fits + (isNamed ? 3 : 0);
  };
  const order = [
    ...nodes.map(({ id }) => keyOf(id, "value")),
    ...[...graph.nodes].reverse().map(({ id }) => keyOf(id, "gradient"))
  ];
  const open2 = order.filter((key) => !covered.has(key) && makers.has(key));
  const [best] = open2.map((key) => ({ key, value: score(key) })).sort((a, b) => b.value - a.value);
  if (!best || best.value === 0) return { node: null, kind: "other" };
  return { node: best.key.slice(2), kind: best.key.startsWith("v:") ? "value" : "gradient" };
}

// src/lines/judge.ts
var TYPES = [BFLOAT16, FLOAT16, FLOAT32, FLOAT64];
var SHARE = 0.1;
function typeOfRecording({ events }) {
  const counts = /* @__PURE__ */ new Map();
  let all = 0;
  for (const { dtype, shape: shape2 } of events) {
    if (shape2.length === 0 || !TYPES.some(({ name }) => name === dtype)) continue;
    counts.set(dtype, (counts.get(dtype) ?? 0) + 1);
    all++;
  }
  return TYPES.find(({ name }) => (counts.get(name) ?? 0) > SHARE * all) ?? FLOAT64;
}
function judge(recording, config, graph) {
  const catalogue = buildCatalogue(config, graph, typeOfRecording(recording));
  return { catalogue, localised: localise(recording, catalogue) };
}

// src/lines/repair/places.ts
var MOST_WRONG = 2;
var MOST_PLACES = 7;
function placesOf({ recording, judged }) {
  const { wrong, observed, consequences } = judged.localised;
  const found = /* @__PURE__ */ new Map();
  const add2 = (id) => {
    const event = recording.events[id];
    if (!event || found.has(event.statement) || found.size >= MOST_PLACES) return;
    if (recording.statements[event.statement].kind === "parameter") return;
    found.set(event.statement, placeAt(recording, event));
  };
  const some = wrong.slice(0, MOST_WRONG);
  for (const { event, seen } of some) {
    add2(event);
    add2(seen);
  }
  for (const { event, seen } of some)
    for (const from of [event, seen])
      for (const read of [...recording.events[from].reads].sort((a, b) => b - a))
        if (observed[read]?.standing !== "right" || recording.events[read].how !== "leaf") add2(read);
  for (const { seen } of some)
    for (const event of recording.events)
      if (event.reads.includes(seen) && consequences.has(event.id)) add2(event.id);
  for (const { event } of some) for (const next of neighboursOf(recording, event)) add2(next);
  return [...found.values()];
}
function placeAt(recording, event) {
  const { file, line: line2 } = recording.statements[event.statement];
  const executions = /* @__PURE__ */ new Set();
  const own = `${event.frame} ${event.loops.join(",")}`;
  for (const other of recording.events) {
    if (other.statement !== event.statement || other.how === "loop-end" || other.how === "gradient") continue;
    const key = `${other.frame} ${other.loops.join(",")}`;
    if (key === own) break;
    executions.add(key);
  }
  return {
    statement: event.statement,
    file: recording.files[file].path,
    line: line2,
    occurrence: executions.size,
    event: event.id
  };
}
function neighboursOf(recording, id) {
  const own = recording.events[id];
  const { file, function: inside, line: line2 } = recording.statements[own.statement];
  const first = /* @__PURE__ */ new Map();
  for (const event of recording.events) {
    const statement = recording.statements[event.statement];
    if (statement.file !== file || statement.function !== inside || event.frame !== own.frame) continue;
    if (!first.has(event.statement)) first.set(event.statement, event.id);
  }
  return [...first].filter(([statement]) => statement !== own.statement).sort(([a], [b]) => distance2(a) - distance2(b)).map(([, event]) => event);
  function distance2(statement) {
    return Math.abs(recording.statements[statement].line - line2);
  }
}

// src/lines/repair/progress.ts
function standingOf(recording, judged) {
  return { recording, judged, covered: judged.localised.covered };
}
var rightTensors = ({ judged }) => judged.localised.observed.filter(({ standing }) => standing === "right" || standing === "partial").length;
var includes = (all, some) => {
  for (const key of some) if (!all.has(key)) return false;
  return true;
};
function compareStandings(before2, after) {
  if (after.recording.exit.code !== before2.recording.exit.code) return "neither";
  if (!includes(after.covered, before2.covered)) return "neither";
  const gained = after.covered.size - before2.covered.size;
  if (gained === 0) return "neither";
  if (after.judged.localised.verdict === "match") return "right";
  return "better";
}

// src/lines/repair/text.ts
function applyEdits(text2, edits) {
  const characters = Array.from(text2);
  const parts = [];
  let at = 0;
  for (const [start2, end, replacement] of [...edits].sort((a, b) => a[0] - b[0] || a[1] - b[1])) {
    parts.push(characters.slice(at, start2).join(""), replacement);
    at = Math.max(at, end);
  }
  parts.push(characters.slice(at).join(""));
  return parts.join("");
}
var CONTEXT = 3;
function hunksOf(before2, after) {
  let head = 0;
  while (head < before2.length && head < after.length && before2[head] === after[head]) head++;
  let tail = 0;
  while (tail < before2.length - head && tail < after.length - head && before2[before2.length - 1 - tail] === after[after.length - 1 - tail])
    tail++;
  const a = before2.slice(head, before2.length - tail);
  const b = after.slice(head, after.length - tail);
  const hunks = [];
  let [i2, j] = [0, 0];
  for (const [x2, y] of [...commonOf(a, b), [a.length, b.length]]) {
    if (x2 > i2 || y > j)
      hunks.push({ old: [head + i2, head + x2], new: [head + j, head + y] });
    [i2, j] = [x2 + 1, y + 1];
  }
  return hunks;
}
function commonOf(a, b) {
  const length = Array.from({ length: a.length + 1 }, () => new Uint32Array(b.length + 1));
  for (let i2 = a.length - 1; i2 >= 0; i2--)
    for (let j = b.length - 1; j >= 0; j--)
      length[i2][j] = a[i2] === b[j] ? length[i2 + 1][j + 1] + 1 : Math.max(length[i2 + 1][j], length[i2][j + 1]);
  const pairs = [];
  for (let i2 = 0, j = 0; i2 < a.length && j < b.length; ) {
    if (a[i2] === b[j]) pairs.push([i2++, j++]);
    else if (length[i2 + 1][j] >= length[i2][j + 1]) i2++;
    else j++;
  }
  return pairs;
}
function split(text2) {
  const lines = text2.split("\n");
  const isEnded = lines.at(-1) === "";
  return { lines: isEnded ? lines.slice(0, -1) : lines, isEnded };
}
function unifiedDiff(file, before2, after) {
  const [old, now] = [split(before2), split(after)];
  const hunks = hunksOf(old.lines, now.lines);
  if (hunks.length === 0) return "";
  const out = [`--- a/${file}`, `+++ b/${file}`];
  for (const group of grouped(hunks)) {
    const [first, last] = [group[0], group.at(-1)];
    const from = Math.max(0, first.old[0] - CONTEXT);
    const to = Math.min(old.lines.length, last.old[1] + CONTEXT);
    const shift = first.new[0] - first.old[0];
    const body = [];
    let [removed, added] = [0, 0];
    let at = from;
    const put = (mark2, { lines, isEnded }, n) => {
      body.push(mark2 + lines[n]);
      if (n === lines.length - 1 && !isEnded) body.push("\\ No newline at end of file");
    };
    for (const hunk of group) {
      for (; at < hunk.old[0]; at++) put(" ", old, at);
      for (; at < hunk.old[1]; at++, removed++) put("-", old, at);
      for (let n = hunk.new[0]; n < hunk.new[1]; n++, added++) put("+", now, n);
    }
    for (; at < to; at++) put(" ", old, at);
    const length = to - from;
    const start2 = (line2, count) => count === 0 ? line2 : line2 + 1;
    const lengthNow = length - removed + added;
    out.push(`@@ -${start2(from, length)},${length} +${start2(from + shift, lengthNow)},${lengthNow} @@`);
    out.push(...body);
  }
  return `${out.join("\n")}
`;
}
function grouped(hunks) {
  const groups = [];
  for (const hunk of hunks) {
    const last = groups.at(-1);
    if (last && hunk.old[0] - last.at(-1).old[1] <= 2 * CONTEXT) last.push(hunk);
    else groups.push([hunk]);
  }
  return groups;
}

// src/lines/repair/repair.ts
var LIMITS = { seconds: 40, runs: 400, mistakes: 3 };
var MOST_SOURCES_TRIED = 90;
var SECONDS_IN_FRAME = 4;
async function repair(recording, judged, search) {
  const hunt = new Hunt(search);
  await hunt.from({ sources: {}, standing: standingOf(recording, judged), slips: [], cost: 0 }, search.limits.mistakes);
  return { candidates: hunt.candidates, runs: hunt.runs };
}
var Hunt = class {
  #search;
  #began;
  #seen = /* @__PURE__ */ new Set();
  #isOver = false;
  candidates = 0;
  runs = 0;
  constructor(search) {
    this.#search = search;
    this.#began = search.now();
  }
  get #isSpent() {
    const { limits, now } = this.#search;
    return this.#isOver || this.runs >= limits.runs || now() - this.#began > limits.seconds;
  }
  /** Looks for one more edit of the program; where it makes it better but not right, for another one after it. */
  async from(state, mistakes) {
    const better = [];
    for (const pairs of [false, true]) {
      for (const place of placesOf(state.standing)) {
        if (this.#isSpent) return;
        const reply = await this.#frame(state, place, pairs);
        if (!reply) continue;
        const share = pairs ? 0.5 : 1;
        const found = await this.#tryAll(state, place, reply, Math.ceil(MOST_SOURCES_TRIED * share));
        better.push(...found);
        if (this.#isOver) return;
        if (found.length > 0) break;
      }
      if (better.length > 0) break;
    }
    if (mistakes <= 1) return;
    better.sort((a, b) => b.standing.covered.size - a.standing.covered.size || a.cost - b.cost);
    for (const next of better.slice(0, 3)) {
      if (this.#isSpent) return;
      await this.from(next, mistakes - 1);
    }
  }
  async #frame(state, place, pairs) {
    const reply = await this.#search.bench.frame({
      sources: state.sources,
      file: place.file,
      line: place.line,
      occurrence: place.occurrence,
      pairs,
      seconds: SECONDS_IN_FRAME
    });
    if (reply) this.candidates += reply.tried;
    return reply;
  }
  /** Runs the program with each candidate, those first whose result is what should have come out. */
  async #tryAll(state, place, reply, most) {
    const { promising, others } = sorted(state.standing, place, reply);
    const better = [];
    const queue = [...promising, ...others.slice(0, most)];
    for (const [n, candidate] of queue.entries()) {
      if (this.#isSpent) break;
      if (n >= promising.length && better.length > 0) break;
      const next = await this.#run(state, place, candidate);
      if (!next) continue;
      const how = compareStandings(state.standing, next.standing);
      if (how === "right") {
        if (!await this.#search.found(next)) this.#isOver = true;
        if (this.#isOver) break;
      } else if (how === "better") better.push(next);
    }
    return better;
  }
  async #run(state, place, candidate) {
    const { recording } = state.standing;
    const before2 = state.sources[place.file] ?? recording.files.find(({ path }) => path === place.file)?.source;
    if (before2 === void 0) return null;
    const after = applyEdits(before2, candidate.edits);
    const sources = { ...state.sources, [place.file]: after };
    const key = JSON.stringify(sources);
    if (this.#seen.has(key)) return null;
    this.#seen.add(key);
    this.runs++;
    const recorded = await this.#search.bench.record(sources);
    if (!recorded) return null;
    const standing = standingOf(recorded, this.#search.judge(recorded));
    return {
      sources,
      standing,
      slips: [...state.slips, candidate.slip],
      cost: state.cost + candidate.cost
    };
  }
};
function sorted({ judged }, place, reply) {
  const { wrong } = judged.localised;
  const meant = wrong.find(({ event, seen }) => event === place.event || seen === place.event);
  const key = meant && meant.kind !== "other" && meant.node ? keyOf(meant.node, meant.kind) : null;
  const aligner = new Aligner(judged.catalogue);
  const isPromising = ({ values }) => values.some(
    (value) => aligner.align(value).some(({ entry }) => entry.key === key && entry.role !== "partial")
  );
  const promising = key ? reply.candidates.filter(isPromising) : [];
  const rest = reply.candidates.filter((each) => !promising.includes(each));
  const others = [...rest, ...reply.others].sort((a, b) => a.cost - b.cost);
  return { promising, others };
}

// src/lines/repair/fix.ts
function fixOf(file, before2, after, slips, verified) {
  const [old, now] = [before2.split("\n"), after.split("\n")];
  const hunks = hunksOf(old, now);
  const [first, last] = [hunks[0], hunks.at(-1)];
  const line2 = first.old[0] === first.old[1] ? Math.max(1, first.old[0]) : first.old[0] + 1;
  return {
    file,
    line: line2,
    endLine: Math.max(line2, last.old[1]),
    before: old.slice(first.old[0], last.old[1]).join("\n"),
    after: now.slice(first.new[0], last.new[1]).join("\n"),
    diff: unifiedDiff(file, before2, after),
    verified,
    slips,
    source: after
  };
}

// src/cli/support.ts
import { dirname, resolve } from "node:path";

// src/disk/regularFile.ts
import { constants } from "node:fs";
import { open, stat } from "node:fs/promises";
var NotRegularError = class extends Error {
};
var FLAGS = constants.O_RDONLY | (constants.O_NONBLOCK ?? 0);
function otherThanFile(found) {
  if (found.isFile()) return "";
  if (found.isDirectory()) return "a folder";
  if (found.isFIFO()) return "a FIFO";
  return found.isSocket() ? "a socket" : "a device";
}
function check(found) {
  const other = otherThanFile(found);
  if (other) throw new NotRegularError(`found ${other}, expected a regular file`);
  return found;
}
var regularSize = async (path) => check(await stat(path)).size;
async function diskSource(path) {
  const size = await regularSize(path);
  return {
    size,
    read: async (offset, length) => {
      const wanted = Math.max(0, Math.min(length, size - offset));
      if (wanted === 0) return new Uint8Array();
      const handle = await open(path, FLAGS);
      try {
        check(await handle.stat());
        const bytes = new Uint8Array(wanted);
        let filled = 0;
        while (filled < wanted) {
          const { bytesRead } = await handle.read(bytes, filled, wanted - filled, offset + filled);
          if (bytesRead === 0) break;
          filled += bytesRead;
        }
        return bytes.subarray(0, filled);
      } finally {
        await handle.close();
      }
    }
  };
}

// src/formats/limits.ts
var MAX_ENTRIES = 2 ** 27;
var MAX_UNPACKED_BYTES = 8 * MAX_ENTRIES;
var MAX_NPY_HEADER = 2 ** 16;
var MAX_SAFETENSORS_HEADER = 2 ** 24;
var MAX_TENSORS = 2 ** 16;
var MAX_AXES = 32;
var MAX_DEPTH = 64;
var MAX_SETUP_LENGTH = 2 ** 25;
var MAX_SETUP_VALUES = 2 ** 20;
var MAX_SETUP_BYTES = 4 * MAX_SETUP_LENGTH;
var MAX_JSON_BYTES = 2 ** 27;

// src/engine/ops/compose.ts
function compose(operations) {
  if (operations.length === 1) return operations[0];
  const known = /* @__PURE__ */ new WeakMap();
  const applications = (input) => {
    const cached = known.get(input);
    if (cached) return cached;
    let current = input;
    const steps = operations.map((operation) => {
      const output = operation.forward([current]);
      const application = { inputs: [current], output };
      current = output;
      return application;
    });
    known.set(input, steps);
    return steps;
  };
  const spread = (input, inputOffset) => {
    let reached = /* @__PURE__ */ new Map([[inputOffset, 1]]);
    applications(input).forEach((application, n) => {
      const next = /* @__PURE__ */ new Map();
      for (const [offset, slope] of reached) {
        for (const output of operations[n].reach(application, 0, offset)) {
          const partial2 = slope * operations[n].partial(application, 0, output, offset);
          next.set(output, (next.get(output) ?? 0) + partial2);
        }
      }
      reached = next;
    });
    return reached;
  };
  return {
    name: operations.map((operation) => operation.name).join(", "),
    summary: operations.map((operation) => operation.summary).join(" "),
    forward: ([input]) => operations.reduce((current, operation) => operation.forward([current]), input),
    vjp({ inputs: [input] }, upstream) {
      const steps = applications(input);
      return [
        operations.reduceRight(
          (current, operation, n) => operation.vjp(steps[n], current)[0],
          upstream
        )
      ];
    },
    partial: ({ inputs: [input] }, _slot, outputOffset, inputOffset) => spread(input, inputOffset).get(outputOffset) ?? 0,
    reach: ({ inputs: [input] }, _slot, inputOffset) => [...spread(input, inputOffset).keys()].sort((a, b) => a - b),
    // The last step's formula carries the meaning; its operand is the node's input, rearranged.
    formula: (names) => operations[operations.length - 1].formula(names)
  };
}

// src/engine/ops/layout.ts
function pick(data, table) {
  const out = new Float64Array(table.length);
  for (let at = 0; at < out.length; at++) out[at] = data[table[at]];
  return out;
}
function rearrange(spec, extents, summary) {
  const [from, to] = parseSpec(spec);
  const source = offsetTable(to.flat(), letterStrides(from, extents), extents);
  const target = offsetTable(from.flat(), letterStrides(to, extents), extents);
  const take = (input, table, axes) => ({
    shape: shapeOf(axes, extents),
    data: pick(input.data, table)
  });
  return {
    name: "rearrange",
    summary,
    forward: ([input]) => take(input, source, to),
    vjp: (_, upstream) => [take(upstream, target, from)],
    partial: (_, _slot, outputOffset, inputOffset) => source[outputOffset] === inputOffset ? 1 : 0,
    reach: (_, _slot, inputOffset) => [target[inputOffset]],
    summands: (_, outputOffset) => [[{ slot: 0, offset: source[outputOffset] }]],
    formula: ({ output, inputs: [input] }) => ({
      forward: equals(symbol(output, to), symbol(input, from)),
      backward: [accumulates(symbol(`d${input}`, from), symbol(`d${output}`, to))]
    })
  };
}
function prepend(axes, sourceAxes, past) {
  const [earlier, width] = past.shape.slice(-2);
  const blocks = sizeOf(past.shape.slice(0, -2));
  const pastBlock = earlier * width;
  const newBlock = (shape2) => shape2[shape2.length - 2] * width;
  const outputOf = (inputOffset, block) => inputOffset + pastBlock * (Math.floor(inputOffset / block) + 1);
  return {
    name: "prepend",
    summary: "Puts the keys or values of earlier tokens in front of the new ones.",
    forward([input]) {
      const block = newBlock(input.shape);
      const out = zeros([...past.shape.slice(0, -2), earlier + block / width, width]);
      for (let n = 0; n < blocks; n++) {
        const at = n * (pastBlock + block);
        out.data.set(past.data.subarray(n * pastBlock, (n + 1) * pastBlock), at);
        out.data.set(input.data.subarray(n * block, (n + 1) * block), at + pastBlock);
      }
      return out;
    },
    vjp({ inputs: [input] }, upstream) {
      const block = newBlock(input.shape);
      const out = zeros(input.shape);
      for (let n = 0; n < blocks; n++) {
        const at = n * (pastBlock + block) + pastBlock;
        out.data.set(upstream.data.subarray(at, at + block), n * block);
      }
      return [out];
    },
    partial: ({ inputs: [input] }, _slot, outputOffset, inputOffset) => outputOf(inputOffset, newBlock(input.shape)) === outputOffset ? 1 : 0,
    reach: ({ inputs: [input] }, _slot, inputOffset) => [
      outputOf(inputOffset, newBlock(input.shape))
    ],
    formula: ({ output, inputs: [input] }) => ({
      forward: equals(symbol(output, axes), words(`the earlier tokens, then ${input}`)),
      backward: [
        accumulates(symbol(`d${input}`, sourceAxes), words(`d${output} of the new tokens`))
      ]
    })
  };
}
var partnerAxis = (axis, n, all) => n === all.length - 1 ? [...axis.slice(0, -1), `${axis[axis.length - 1]}*`] : axis;
function rotary(axes, extents, options, sourceAxes = axes) {
  const { base, pairing, firstPosition } = options;
  const [tokens, width] = shapeOf(axes, extents).slice(-2);
  const half2 = width / 2;
  const partnerOf = (feature) => {
    if (pairing === "interleaved") return feature ^ 1;
    return feature < half2 ? feature + half2 : feature - half2;
  };
  const pairOf = (feature) => pairing === "interleaved" ? feature >> 1 : feature % half2;
  const angles = Float64Array.from({ length: tokens * width }, (_, at) => {
    const feature = at % width;
    return (firstPosition + Math.floor(at / width)) * base ** (-2 * pairOf(feature) / width);
  });
  const signOf = (feature) => (pairing === "interleaved" ? feature % 2 === 0 : feature < half2) ? -1 : 1;
  const partnerOffset = (offset) => offset - offset % width + partnerOf(offset % width);
  const cosines = angles.map((angle) => Math.cos(angle));
  const sines = angles.map((angle, at) => signOf(at % width) * Math.sin(angle));
  const cosine = (offset) => cosines[offset % angles.length];
  const sine = (offset) => sines[offset % angles.length];
  const rotate = (input, sign) => map(input, (value, at) => value * cosine(at) + sign * input.data[partnerOffset(at)] * sine(at));
  return {
    name: "rotary embedding",
    summary: "Rotates pairs of features (a, a*) of a token by an angle \u03B8 that grows with its position.",
    forward: ([input]) => rotate(input, 1),
    // A rotation's transpose is the rotation back.
    vjp: (_, upstream) => [rotate(upstream, -1)],
    partial(_, _slot, outputOffset, inputOffset) {
      if (outputOffset === inputOffset) return cosine(outputOffset);
      return partnerOffset(outputOffset) === inputOffset ? sine(outputOffset) : 0;
    },
    reach: (_, _slot, inputOffset) => [inputOffset, partnerOffset(inputOffset)].sort((a, b) => a - b),
    formula({ output, inputs: [input] }) {
      const turn = (name, own) => [
        product(call("cos", words("\u03B8")), symbol(name, own)),
        product(call("sin", words("\u03B8")), symbol(name, own.map(partnerAxis)))
      ];
      const [along, across] = turn(input, sourceAxes);
      const [upAlong, upAcross] = turn(`d${output}`, axes);
      return {
        forward: equals(symbol(output, axes), plus(along, product(words("\xB1"), across))),
        backward: [
          accumulates(
            symbol(`d${input}`, sourceAxes),
            minus(upAlong, product(words("\xB1"), upAcross))
          )
        ]
      };
    }
  };
}

// src/engine/heads/inputs.ts
function given(config, entry) {
  const value = entry === "x" ? config.x : config.weights[entry];
  const where = entry === "x" ? "x" : `weights.${entry}`;
  if (!value) throw new ConfigError(where, `not given, and the head ${config.head} needs it`);
  return value;
}
function tokenTensors({ x: x2, xPrime, start: start2 }) {
  const all = { x: x2, xPrime, "start.Q": start2?.Q, "start.K": start2?.K, "start.V": start2?.V };
  return Object.entries(all).flatMap(([entry, value]) => value ? [[entry, value]] : []);
}
function hasBatch(config) {
  const [first, ...others] = tokenTensors(config);
  if (!first)
    throw new ConfigError("x", "not given, and no start either: there is nothing to attend to");
  const axes = first[1].shape.length;
  for (const [entry, { shape: shape2 }] of others) {
    if (axes + shape2.length !== 5 || axes < 2 || axes > 3) continue;
    const expected2 = `${axes === 3 ? "a" : "no"} batch axis in front`;
    const as = `as in ${first[0]} of shape ${formatShape(first[1].shape)}`;
    throw new ConfigError(entry, `found shape ${formatShape(shape2)}, expected ${expected2}, ${as}`);
  }
  return axes === 3;
}
function inputNodes(config, letters, heads, token) {
  const b = hasBatch(config) ? "b " : "";
  const { x: x2, xPrime, weights, start: start2 } = config;
  const selfAttention = x2 !== void 0 && !xPrime && !start2?.Q;
  const features = { x: "c", xPrime: xPrime ? "e" : "c" };
  const inputs = [];
  const add2 = (id, entry, value, spec) => {
    if (!value) return;
    letters.fit(entry, value, spec);
    inputs.push({ id, spec, value });
  };
  const wide = (letter, head) => head ? `(${head} ${letter})` : letter;
  add2("x", "x", x2, `${b}${token} c`);
  add2("xPrime", "xPrime", xPrime, `${b}j e`);
  if (selfAttention) letters.set("j", letters.extents[token], `x shape ${formatShape(x2.shape)}`);
  const valueOut = config.head === "kq" ? "c" : "v";
  const shapes = {
    W_K: `c ${wide("a", heads.kv)}`,
    W_Q: `${features.xPrime} ${wide("a", heads.query)}`,
    W_V: `c ${wide("v", heads.kv)}`,
    W_O: `${wide(valueOut, heads.query)} o`,
    b_K: wide("a", heads.kv),
    b_Q: wide("a", heads.query),
    b_V: wide("v", heads.kv),
    b_O: "o"
  };
  const places = [
    ["K", token, wide("a", heads.kv)],
    ["Q", "j", wide("a", heads.query)],
    ["V", token, wide("v", heads.kv)]
  ];
  for (const [id, at, width] of places) add2(id, `start.${id}`, start2?.[id], `${b}${at} ${width}`);
  for (const id of Object.keys(shapes)) {
    const projection = id.slice(2);
    const replaced = projection !== "O" && start2?.[projection] !== void 0;
    if (!replaced) add2(id, `weights.${id}`, weights[id], shapes[id]);
  }
  return {
    b,
    selfAttention,
    features,
    token,
    addTo: (graph) => {
      for (const { id, spec, value } of inputs) graph.input(id, parseSpec(spec)[0], value);
    }
  };
}
function projector(graph, config, inputs, extents) {
  return (id, spec, summary) => {
    if (graph.has(id)) return;
    const [weight, bias] = [`W_${id}`, `b_${id}`];
    const source = id === "Q" && config.xPrime ? "xPrime" : "x";
    if (source === "x") given(config, "x");
    given(config, weight);
    const { b, features, token } = inputs;
    const feature = id === "Q" ? features.xPrime : features.x;
    const [axes] = parseSpec(spec);
    const width = axisLabel(axes[axes.length - 1]);
    const hasBias = config.weights[bias] !== void 0;
    const from = `${b}${id === "Q" ? "j" : token} ${feature}`;
    const whole = `${from}, ${feature} ${width}${hasBias ? `, ${width}` : ""} -> ${spec}`;
    const operation = contraction(whole, extents, summary);
    graph.node(id, axes, operation, [source, weight, ...hasBias ? [bias] : []]);
  };
}

// src/engine/heads/letters.ts
var Letters = class {
  #lengths = {};
  #origin = {};
  get extents() {
    return this.#lengths;
  }
  set(letter, length, origin) {
    this.#lengths[letter] = length;
    this.#origin[letter] = origin;
  }
  /** Learns the letters that `value` is the first to have and checks the others. Throws ConfigError. */
  fit(entry, value, spec) {
    const [axes] = parseSpec(spec);
    const found = `found shape ${formatShape(value.shape)}`;
    if (value.shape.length !== axes.length) {
      throw new ConfigError(
        entry,
        `${found}, expected ${axes.length} axes: ${this.#describe(axes)}`
      );
    }
    axes.forEach((axis, n) => this.#fitAxis(entry, found, axes, axis, value.shape[n]));
  }
  #fitAxis(entry, found, axes, axis, length) {
    const unknown = axis.filter((letter) => this.#lengths[letter] === void 0);
    const known = axis.filter((letter) => this.#lengths[letter] !== void 0);
    const share = axisLength(known, this.#lengths);
    if (unknown.length === 0) {
      if (share === length) return;
      const because = [...new Set(known.map((letter) => this.#origin[letter]))].join(" and ");
      throw new ConfigError(
        entry,
        `${found}, expected ${this.#describe(axes)}: ${share} comes from ${because}`
      );
    }
    if (length === 0)
      throw new ConfigError(entry, `${found}; an axis of length 0 leaves nothing to compute`);
    if (length % share !== 0) {
      const because = [...new Set(known.map((letter) => this.#origin[letter]))].join(" and ");
      throw new ConfigError(
        entry,
        `${found}, expected ${length} to be a multiple of ${share} (${because})`
      );
    }
    this.set(unknown[0], length / share, `${entry} ${found.slice("found ".length)}`);
  }
  /** "(i = 4, c)". */
  #describe(axes) {
    const label = (axis) => axis.every((letter) => this.#lengths[letter] !== void 0) ? `${axisLabel(axis)} = ${axisLength(axis, this.#lengths)}` : axisLabel(axis);
    return `(${axes.map(label).join(", ")})`;
  }
};

// src/engine/ops/loss.ts
function loss(axes, own) {
  return {
    name: own.name,
    summary: own.summary,
    forward: ([y]) => scalar(own.value(y)),
    vjp: ({ inputs: [y] }, upstream) => [
      { shape: y.shape, data: own.gradient(y).map((slope) => slope * upstream.data[0]) }
    ],
    partial: ({ inputs: [y] }, _slot, _outputOffset, inputOffset) => own.gradient(y)[inputOffset],
    reach: () => [0],
    formula: ({ output, inputs: [input] }) => {
      const { value, gradient } = own.formula(symbol(input, axes), axes);
      return {
        forward: equals(symbol(output), value),
        backward: [accumulates(symbol(`d${input}`, axes), gradient)]
      };
    }
  };
}
var square = (inner) => power(inner, number(2));
var halfSquaredNorm = {
  name: "half squared norm",
  summary: "Half the squared norm of y; its gradient is y itself.",
  value: ({ data }) => data.reduce((total2, value) => total2 + value * value, 0) / 2,
  gradient: ({ data }) => data,
  formula: (y, axes) => ({ value: product(number(0.5), sum(axes.flat(), square(y))), gradient: y })
};
function weightedSum(G) {
  return {
    name: "given upstream gradient",
    summary: "The sum of y weighted by a given G; its gradient is G.",
    value: ({ data }) => data.reduce((total2, value, at) => total2 + G.data[at] * value, 0),
    gradient: () => G.data,
    formula: (y, axes) => ({
      value: sum(axes.flat(), product(symbol("G", axes), y)),
      gradient: symbol("G", axes)
    })
  };
}
function halfSquaredError(T) {
  return {
    name: "half squared error",
    summary: "Half the squared distance of y from a target; its gradient is y minus the target.",
    value: ({ data }) => data.reduce((total2, value, at) => total2 + (value - T.data[at]) ** 2, 0) / 2,
    gradient: ({ data }) => data.map((value, at) => value - T.data[at]),
    formula: (y, axes) => {
      const error = minus(y, symbol("target", axes));
      return { value: product(number(0.5), sum(axes.flat(), square(error))), gradient: error };
    }
  };
}

// src/engine/ops/expression.ts
import { create, parseDependencies } from "mathjs/number";
var { parse } = create({ parseDependencies });
var ENTRY = "loss.expression";
var MAX_LENGTH = 2e3;
var LONGEST_QUOTE = 80;
var isConstant = (node) => node.type === "ConstantNode";
var isFunction = (node) => node.type === "FunctionNode";
var isOperator = (node) => node.type === "OperatorNode";
var isSymbol = (node) => node.type === "SymbolNode";
var isParenthesis = (node) => node.type === "ParenthesisNode";
function refuse(message) {
  throw new ConfigError(ENTRY, message);
}
function quoted(source) {
  const text2 = String(source).replaceAll(/\s+/g, " ");
  return `"${text2.length > LONGEST_QUOTE ? `${text2.slice(0, LONGEST_QUOTE)}\u2026` : text2}"`;
}
function parsed(expression) {
  if (expression.length > MAX_LENGTH) {
    refuse(`found ${expression.length} characters, expected at most ${MAX_LENGTH}`);
  }
  let root2;
  try {
    root2 = parse(expression);
  } catch (error) {
    return refuse(`${error.message} in ${quoted(expression)}`);
  }
  const isEmpty = isConstant(root2) && root2.value === void 0;
  return isEmpty ? refuse("found nothing, expected an expression of y") : root2;
}
var times2 = (a, b) => a === 0 || b === 0 ? 0 : a * b;
var sech = (x2) => 1 / Math.cosh(x2);
var functions = /* @__PURE__ */ new Map([
  ["abs", [Math.abs, Math.sign]],
  ["acos", [Math.acos, (x2) => -1 / Math.sqrt(1 - x2 * x2)]],
  ["acosh", [Math.acosh, (x2) => 1 / Math.sqrt(x2 * x2 - 1)]],
  ["asin", [Math.asin, (x2) => 1 / Math.sqrt(1 - x2 * x2)]],
  ["asinh", [Math.asinh, (x2) => 1 / Math.sqrt(x2 * x2 + 1)]],
  ["atan", [Math.atan, (x2) => 1 / (1 + x2 * x2)]],
  ["atanh", [Math.atanh, (x2) => 1 / (1 - x2 * x2)]],
  ["cbrt", [Math.cbrt, (x2) => 1 / (3 * Math.cbrt(x2) ** 2)]],
  ["cos", [Math.cos, (x2) => -Math.sin(x2)]],
  ["cosh", [Math.cosh, Math.sinh]],
  ["cube", [(x2) => x2 ** 3, (x2) => 3 * x2 * x2]],
  ["exp", [Math.exp, Math.exp]],
  ["log", [Math.log, (x2) => 1 / x2]],
  ["log10", [Math.log10, (x2) => 1 / (x2 * Math.LN10)]],
  ["log2", [Math.log2, (x2) => 1 / (x2 * Math.LN2)]],
  ["sech", [sech, (x2) => -sech(x2) * Math.tanh(x2)]],
  ["sin", [Math.sin, Math.cos]],
  ["sinh", [Math.sinh, Math.cosh]],
  ["sqrt", [Math.sqrt, (x2) => 1 / (2 * Math.sqrt(x2))]],
  ["square", [(x2) => x2 * x2, (x2) => 2 * x2]],
  ["tan", [Math.tan, (x2) => 1 + Math.tan(x2) ** 2]],
  ["tanh", [Math.tanh, (x2) => 1 - Math.tanh(x2) ** 2]]
]);
function call2(name, { value, slope }) {
  const [own, derivative] = functions.get(name);
  return { value: own(value), slope: slope === 0 ? 0 : times2(slope, derivative(value)) };
}
function power2(a, b) {
  const value = a.value ** b.value;
  const ofBase = b.value === 0 ? 0 : times2(a.slope, b.value * a.value ** (b.value - 1));
  const ofExponent = a.value === 0 ? 0 : times2(b.slope, value * Math.log(a.value));
  return { value, slope: ofBase + ofExponent };
}
var divide = (a, b) => {
  const value = a.value / b.value;
  return {
    value,
    slope: (a.slope === 0 ? 0 : a.slope / b.value) - times2(b.slope, value / b.value)
  };
};
var operators = /* @__PURE__ */ new Map([
  ["+", (a, b) => ({ value: a.value + b.value, slope: a.slope + b.slope })],
  ["-", (a, b) => ({ value: a.value - b.value, slope: a.slope - b.slope })],
  [
    "*",
    (a, b) => ({
      value: a.value * b.value,
      slope: times2(a.slope, b.value) + times2(b.slope, a.value)
    })
  ],
  ["/", divide],
  ["^", power2]
]);
var reductions = /* @__PURE__ */ new Map([
  ["sum", 1],
  ["mean", 1],
  ["dot", 2],
  ["norm", 1]
]);
function checkArguments({ args }, node, ...expected2) {
  if (expected2.includes(args.length)) return;
  const found = `${args.length} ${args.length === 1 ? "argument" : "arguments"}`;
  refuse(`found ${found} in ${String(node)}, expected ${expected2.join(" or ")}`);
}
function compiled(root2, leaves) {
  const called = (node) => {
    const name = isSymbol(node.fn) ? node.fn.name : "";
    const count = reductions.get(name);
    if (count !== void 0) {
      checkArguments(node, node, count);
      return leaves.reduction(name, node);
    }
    if (name === "pow" || name === "log" && node.args.length === 2) {
      checkArguments(node, node, 2);
      const [a, b] = node.args.map(compile);
      if (name === "pow") return (at) => power2(a(at), b(at));
      return (at) => divide(call2("log", a(at)), call2("log", b(at)));
    }
    if (!functions.has(name)) {
      const known = [...reductions.keys(), ...functions.keys(), "pow"].join(", ");
      refuse(`found the function ${name || quoted(node)}; known are ${known}`);
    }
    checkArguments(node, node, ...name === "log" ? [1, 2] : [1]);
    const [argument] = node.args.map(compile);
    return (at) => call2(name, argument(at));
  };
  const operated = (node) => {
    const [a, b] = node.args;
    const op = node.op.replace(/^\./, "");
    if (b === void 0 && (op === "-" || op === "+")) {
      const operand = compile(a);
      if (op === "+") return operand;
      return (at) => {
        const { value, slope } = operand(at);
        return { value: -value, slope: -slope };
      };
    }
    const apply = operators.get(op);
    if (!apply || b === void 0) return unknown(node);
    const [left, right] = [compile(a), compile(b)];
    return (at) => apply(left(at), right(at));
  };
  const unknown = (node) => refuse(`found ${quoted(node)}; f must be made of sums of elementwise terms of y`);
  const compile = (node) => {
    if (isParenthesis(node)) return compile(node.content);
    if (isSymbol(node)) return leaves.symbol(node.name);
    if (isFunction(node)) return called(node);
    if (isOperator(node)) return operated(node);
    const value = isConstant(node) ? node.value : void 0;
    if (typeof value !== "number") return unknown(node);
    return () => ({ value, slope: 0 });
  };
  return compile(root2);
}

// src/engine/ops/expressionLoss.ts
var knownNumbers = /* @__PURE__ */ new Map([
  ["pi", Math.PI],
  ["tau", 2 * Math.PI],
  ["e", Math.E]
]);
var fixed = (value) => {
  const dual = { value, slope: 0 };
  return () => dual;
};
function numberNamed(name, constants2) {
  if (Object.hasOwn(constants2, name)) {
    const { shape: shape2, data } = constants2[name];
    return shape2.length === 0 ? fixed(data[0]) : void 0;
  }
  const known = knownNumbers.get(name);
  if (known !== void 0) return fixed(known);
  if (name === "y") return void 0;
  const names = ["y", ...Object.keys(constants2), ...knownNumbers.keys()].join(", ");
  return refuse(`found the name ${name}; known are ${names}`);
}
function termOf(node, constants2) {
  return compiled(node, {
    symbol(name) {
      const number3 = numberNamed(name, constants2);
      if (number3) return number3;
      if (name === "y") return ({ y }) => y;
      const { data } = constants2[name];
      return ({ offset }) => ({ value: data[offset], slope: 0 });
    },
    reduction: (_, inner) => refuse(`found a sum inside a sum: ${quoted(inner)}`)
  });
}
function expressionLoss(expression, constants2) {
  const root2 = parsed(expression);
  const terms = [];
  const outside = {
    symbol: (name) => numberNamed(name, constants2) ?? refuse(
      `${quoted(expression)} is not one number: ${name} stands outside of ${[...reductions.keys()].join(", ")}`
    ),
    reduction(name, { args }) {
      const [a, b = a] = args.map((arg) => termOf(arg, constants2));
      const place = terms.length;
      if (name === "sum" || name === "mean") terms.push(a);
      else {
        terms.push((at) => {
          const [left, right] = [a(at), b(at)];
          const slope = times2(left.slope, right.value) + times2(right.slope, left.value);
          return { value: left.value * right.value, slope };
        });
      }
      if (name === "norm") return ({ sums }) => call2("sqrt", sums[place]);
      if (name !== "mean") return ({ sums }) => sums[place];
      return ({ sums, entries }) => {
        const { value, slope } = sums[place];
        return { value: value / entries, slope: slope / entries };
      };
    }
  };
  const combine = compiled(root2, outside);
  const entry = ({ data }, offset) => ({
    y: { value: data[offset], slope: 1 },
    offset
  });
  const totals = (y) => terms.map(
    (term) => y.data.reduce((total2, _, offset) => total2 + term(entry(y, offset)).value, 0)
  );
  const combined = (y, values, by) => combine({
    sums: values.map((value, k) => ({ value, slope: k === by ? 1 : 0 })),
    entries: y.data.length
  });
  const known = /* @__PURE__ */ new WeakMap();
  return {
    name: "expression",
    summary: `f = ${expression}, with its exact derivative.`,
    value: (y) => combined(y, totals(y)).value,
    gradient: (y) => {
      const cached = known.get(y);
      if (cached) return cached;
      const values = totals(y);
      const weights = terms.map((_, k) => combined(y, values, k).slope);
      const gradient = y.data.map(
        (_, offset) => (
          // At y = 0 the slope of a norm is 0 * infinity: 0 is its smallest subgradient, as in PyTorch.
          terms.reduce(
            (total2, term, k) => total2 + times2(weights[k], term(entry(y, offset)).slope),
            0
          )
        )
      );
      known.set(y, gradient);
      return gradient;
    },
    formula: (y) => ({
      value: words(expression),
      gradient: partial(symbol("f"), y)
    })
  };
}

// src/engine/heads/output.ts
function lossFunction({ loss: own }, shape2) {
  const fits = (entry, value) => {
    if (sameShape(value.shape, shape2)) return value;
    throw new ConfigError(
      entry,
      `found shape ${formatShape(value.shape)}, expected ${formatShape(shape2)}, the shape of y`
    );
  };
  switch (own.kind) {
    case "half-squared-norm":
      return halfSquaredNorm;
    case "upstream":
      return weightedSum(fits("loss.upstream", own.G));
    case "target":
      return halfSquaredError(fits("loss.target", own.T));
    case "expression": {
      for (const [name, value] of Object.entries(own.constants)) {
        if (value.shape.length > 0) fits(`loss.constants.${name}`, value);
      }
      return expressionLoss(own.expression, own.constants);
    }
  }
}
function addLoss(graph, config, axes, extents) {
  graph.node("f", [], loss(axes, lossFunction(config, shapeOf(axes, extents))), ["y"]);
}

// src/engine/heads/multihead.ts
var axesOf = (spec) => parseSpec(spec)[0];
function headLetters({ heads, kvHeads }, letters) {
  if (heads % kvHeads !== 0) {
    throw new ConfigError("kvHeads", `found ${kvHeads}, expected a divisor of heads = ${heads}`);
  }
  if (heads === kvHeads) {
    letters.set("h", heads, `heads = ${heads}`);
    return { query: "h", kv: "h" };
  }
  letters.set("r", kvHeads, `kvHeads = ${kvHeads}`);
  letters.set("g", heads / kvHeads, `heads / kvHeads = ${heads / kvHeads}`);
  return { query: "r g", kv: "r" };
}
function pastLength(past) {
  if (!past) return 0;
  const { shape: shape2 } = past.K;
  if (shape2.length < 3)
    throw new ConfigError(
      "past.K",
      `found shape ${formatShape(shape2)}, expected (kvHeads, tokens, width)`
    );
  return shape2[shape2.length - 2];
}
function buildMultihead(config) {
  const letters = new Letters();
  const { query, kv } = headLetters(config, letters);
  const { past, rope: rope2 } = config;
  const earlier = pastLength(past);
  const token = past ? "t" : "i";
  const inputs = inputNodes(config, letters, { query, kv }, token);
  const { b } = inputs;
  if (past) {
    letters.set(
      "i",
      earlier + letters.extents[token],
      `past.K ${formatShape(past.K.shape)} and the new tokens`
    );
    letters.set("p", earlier, `past.K shape ${formatShape(past.K.shape)}`);
    letters.fit("past.K", past.K, `${b}${kv} p a`);
    letters.fit("past.V", past.V, `${b}${kv} p v`);
  }
  const extents = letters.extents;
  if (rope2 && extents["a"] % 2 !== 0) {
    throw new ConfigError(
      "rope",
      `found keys of width ${extents["a"]}, expected an even width: features turn in pairs`
    );
  }
  const graph = new GraphBuilder(extents);
  inputs.addTo(graph);
  const project = projector(graph, config, inputs, extents);
  project(
    "K",
    `${b}${token} (${kv} a)`,
    "The keys of all heads: what each token offers to be found by."
  );
  project("Q", `${b}j (${query} a)`, "The queries of all heads: what each output looks for.");
  project(
    "V",
    `${b}${token} (${kv} v)`,
    "The values of all heads: what a token gives when it is attended to."
  );
  const split2 = (id, at, heads, width, before2) => {
    const merged2 = `${b}${at} (${heads} ${width})`;
    const apart = `${b}(${heads}) ${at} ${width}`;
    const steps = [
      rearrange(`${merged2} -> ${apart}`, extents, "Splits the features into heads.")
    ];
    if (rope2 && id !== "V") {
      const firstPosition = earlier;
      steps.push(rotary(axesOf(apart), extents, { ...rope2, firstPosition }, axesOf(merged2)));
    }
    const all = before2 ? `${b}(${heads}) i ${width}` : apart;
    if (before2) steps.push(prepend(axesOf(all), axesOf(merged2), before2));
    graph.node(`${id}h`, axesOf(all), compose(steps), [id]);
  };
  split2("K", token, kv, "a", past?.K);
  split2("Q", "j", query, "a");
  split2("V", token, kv, "v", past?.V);
  const order = config.axes === "key-first" ? "i j" : "j i";
  const scores = `${b}(${query}) ${order}`;
  const similarity = "How well each key fits each query, head by head: their dot product.";
  const fit = `${b}(${kv}) i a, ${b}(${query}) j a -> ${scores}`;
  graph.node("S", axesOf(scores), contraction(fit, extents, similarity), ["Kh", "Qh"]);
  const layout = { axes: axesOf(scores), extents, heads: query.split(" "), past: earlier };
  const weights = addWeights(graph, config, layout);
  const perHead = `${b}(${query}) j v`;
  const mix = `${b}(${kv}) i v, ${scores} -> ${perHead}`;
  const summary = "For each head and query, the mean of the values under its weights.";
  graph.node("O", axesOf(perHead), contraction(mix, extents, summary), ["Vh", weights]);
  const merge = `${perHead} -> ${b}j (${query} v)`;
  const merging = rearrange(merge, extents, "Puts the heads side by side.");
  const merged = axesOf(`${b}j (${query} v)`);
  if (!config.weights.W_O) {
    graph.node("y", merged, merging, ["O"]);
    addLoss(graph, config, merged, extents);
    return graph.build("multihead", inputs.selfAttention);
  }
  graph.node("C", merged, merging, ["O"]);
  const out = axesOf(`${b}j o`);
  const bias = config.weights.b_O ? ["b_O"] : [];
  const spec = `${b}j (${query} v), (${query} v) o${bias.length ? ", o" : ""} -> ${b}j o`;
  graph.node("y", out, contraction(spec, extents, "The output: the heads mixed by W_O."), [
    "C",
    "W_O",
    ...bias
  ]);
  addLoss(graph, config, out, extents);
  return graph.build("multihead", inputs.selfAttention);
}

// src/engine/heads/single.ts
function buildSingle(config) {
  const letters = new Letters();
  const inputs = inputNodes(config, letters, { query: "", kv: "" }, "i");
  const { b, features } = inputs;
  const extents = letters.extents;
  const graph = new GraphBuilder(extents);
  inputs.addTo(graph);
  const project = projector(graph, config, inputs, extents);
  project("K", `${b}i a`, "The keys: what each token offers to be found by.");
  project("Q", `${b}j a`, "The queries: what each output looks for.");
  if (config.head === "qkv")
    project("V", `${b}i v`, "The values: what each token gives when it is attended to.");
  const order = config.axes === "key-first" ? "i j" : "j i";
  const [scoreAxes] = parseSpec(`${b}${order}`);
  const similarity = "How well each key fits each query: their dot product.";
  graph.node("S", scoreAxes, contraction(`${b}i a, ${b}j a -> ${b}${order}`, extents, similarity), [
    "K",
    "Q"
  ]);
  const weights = addWeights(graph, config, { axes: scoreAxes, extents, heads: [], past: 0 });
  const [content, feature] = config.head === "qkv" ? ["V", "v"] : ["x", features.x];
  if (config.head === "kq") given(config, "x");
  const [outAxes] = parseSpec(`${b}j ${feature}`);
  const mix = `${b}i ${feature}, ${b}${order} -> ${b}j ${feature}`;
  const summary = "The output: for each query, the mean of the values under its weights.";
  graph.node("y", outAxes, contraction(mix, extents, summary), [content, weights]);
  addLoss(graph, config, outAxes, extents);
  return graph.build(config.head, inputs.selfAttention);
}

// src/engine/heads/build.ts
function buildGraph(config) {
  return config.head === "multihead" ? buildMultihead(config) : buildSingle(config);
}

// src/formats/didYouMean.ts
function nearest(word, choices) {
  const plain2 = simplify(word);
  const same = choices.find((choice) => simplify(choice) === plain2);
  if (same !== void 0 || plain2.length < 2 || plain2.length > 40) return same;
  const limit = Math.max(1, Math.floor(plain2.length / 3));
  let best;
  let least = limit + 1;
  for (const choice of choices) {
    const edits = distance(plain2, simplify(choice));
    if (edits < least) [best, least] = [choice, edits];
  }
  return best;
}
function suggest(word, choices) {
  const near = nearest(word, choices);
  return near === void 0 ? `expected ${anyOf(choices)}` : `did you mean "${near}"?`;
}
function anyOf(choices, most = 24) {
  const shown = choices.slice(0, most).map((choice) => `"${choice}"`);
  if (choices.length > most) shown.push(`\u2026 (${choices.length} in all)`);
  return `${choices.length > 1 ? "one of " : ""}${shown.join(", ")}`;
}
function simplify(word) {
  return word.toLowerCase().replaceAll(/[^a-z0-9]/g, "");
}
function distance(a, b) {
  let beforeLast = [];
  let last = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i2 = 1; i2 <= a.length; i2++) {
    const row = [i2];
    for (let j = 1; j <= b.length; j++) {
      const replace = last[j - 1] + (a[i2 - 1] === b[j - 1] ? 0 : 1);
      let edits = Math.min(replace, last[j] + 1, row[j - 1] + 1);
      if (i2 > 1 && j > 1 && a[i2 - 1] === b[j - 2] && a[i2 - 2] === b[j - 1]) {
        edits = Math.min(edits, beforeLast[j - 2] + 1);
      }
      row.push(edits);
    }
    [beforeLast, last] = [last, row];
  }
  return last[b.length];
}

// src/formats/random.ts
var RANDOM_DEFAULTS = { seed: 0, mean: 0, std: 1, low: 0, high: 1 };
function randomTensor(spec) {
  const next = sfc32(spec.seed);
  const data = new Float64Array(sizeOf(spec.shape));
  if (spec.distribution === "uniform") {
    const width = spec.high - spec.low;
    for (let i2 = 0; i2 < data.length; i2++) data[i2] = spec.low + width * ((next() >>> 12) * 2 ** -20);
  } else {
    for (let i2 = 0; i2 < data.length; i2 += 2) {
      const [first, second] = normalPair(next);
      data[i2] = spec.mean + spec.std * first;
      if (i2 + 1 < data.length) data[i2 + 1] = spec.mean + spec.std * second;
    }
  }
  return { shape: [...spec.shape], data };
}
function normalPair(next) {
  for (; ; ) {
    const a = next() * 2 ** -31 - 1;
    const b = next() * 2 ** -31 - 1;
    const s = a * a + b * b;
    if (s === 0 || s >= 1) continue;
    const r = Math.sqrt(-2 * Math.log(s) / s);
    return [roundDeviate(a * r), roundDeviate(b * r)];
  }
}
function roundDeviate(deviate) {
  return Math.floor(deviate * 2 ** 20 + 0.5) * 2 ** -20;
}
function splitmix32(seed) {
  let state = seed | 0;
  return () => {
    state = state + 2654435769 | 0;
    let z = Math.imul(state ^ state >>> 16, 569420461);
    z = Math.imul(z ^ z >>> 15, 1935289751);
    return z ^ z >>> 15;
  };
}
function sfc32(seed) {
  const start2 = splitmix32(seed);
  let [a, b, c, d] = [start2(), start2(), start2(), start2()];
  const next = () => {
    const output = a + b + d | 0;
    d = d + 1 | 0;
    a = b ^ b >>> 9;
    b = c + (c << 3) | 0;
    c = (c << 21 | c >>> 11) + output | 0;
    return output >>> 0;
  };
  for (let i2 = 0; i2 < 12; i2++) next();
  return next;
}

// node_modules/fflate/esm/index.mjs
import { createRequire } from "module";
var require2 = createRequire("/");
var _a;
var Worker;
var isMarkedAsUntransferable;
try {
  _a = require2("worker_threads"), Worker = _a.Worker, isMarkedAsUntransferable = _a.isMarkedAsUntransferable;
} catch (e) {
}
var u8 = Uint8Array;
var u16 = Uint16Array;
var i32 = Int32Array;
var fleb = new u8([
  0,
  0,
  0,
  0,
  0,
  0,
  0,
  0,
  1,
  1,
  1,
  1,
  2,
  2,
  2,
  2,
  3,
  3,
  3,
  3,
  4,
  4,
  4,
  4,
  5,
  5,
  5,
  5,
  0,
  /* unused */
  0,
  0,
  /* impossible */
  0
]);
var fdeb = new u8([
  0,
  0,
  0,
  0,
  1,
  1,
  2,
  2,
  3,
  3,
  4,
  4,
  5,
  5,
  6,
  6,
  7,
  7,
  8,
  8,
  9,
  9,
  10,
  10,
  11,
  11,
  12,
  12,
  13,
  13,
  /* unused */
  0,
  0
]);
var clim = new u8([16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15]);
var freb = function(eb, start2) {
  var b = new u16(31);
  for (var i2 = 0; i2 < 31; ++i2) {
    b[i2] = start2 += 1 << eb[i2 - 1];
  }
  var r = new i32(b[30]);
  for (var i2 = 1; i2 < 30; ++i2) {
    for (var j = b[i2]; j < b[i2 + 1]; ++j) {
      r[j] = j - b[i2] << 5 | i2;
    }
  }
  return { b, r };
};
var _a = freb(fleb, 2);
var fl = _a.b;
var revfl = _a.r;
fl[28] = 258, revfl[258] = 28;
var _b = freb(fdeb, 0);
var fd = _b.b;
var revfd = _b.r;
var rev = new u16(32768);
for (i = 0; i < 32768; ++i) {
  x = (i & 43690) >> 1 | (i & 21845) << 1;
  x = (x & 52428) >> 2 | (x & 13107) << 2;
  x = (x & 61680) >> 4 | (x & 3855) << 4;
  rev[i] = ((x & 65280) >> 8 | (x & 255) << 8) >> 1;
}
var x;
var i;
var hMap = (function(cd, mb, r) {
  var s = cd.length;
  var i2 = 0;
  var l = new u16(mb);
  for (; i2 < s; ++i2) {
    if (cd[i2])
      ++l[cd[i2] - 1];
  }
  var le = new u16(mb);
  for (i2 = 1; i2 < mb; ++i2) {
    le[i2] = le[i2 - 1] + l[i2 - 1] << 1;
  }
  var co;
  if (r) {
    co = new u16(1 << mb);
    var rvb = 15 - mb;
    for (i2 = 0; i2 < s; ++i2) {
      if (cd[i2]) {
        var sv = i2 << 4 | cd[i2];
        var r_1 = mb - cd[i2];
        var v = le[cd[i2] - 1]++ << r_1;
        for (var m = v | (1 << r_1) - 1; v <= m; ++v) {
          co[rev[v] >> rvb] = sv;
        }
      }
    }
  } else {
    co = new u16(s);
    for (i2 = 0; i2 < s; ++i2) {
      if (cd[i2]) {
        co[i2] = rev[le[cd[i2] - 1]++] >> 15 - cd[i2];
      }
    }
  }
  return co;
});
var flt = new u8(288);
for (i = 0; i < 144; ++i)
  flt[i] = 8;
var i;
for (i = 144; i < 256; ++i)
  flt[i] = 9;
var i;
for (i = 256; i < 280; ++i)
  flt[i] = 7;
var i;
for (i = 280; i < 288; ++i)
  flt[i] = 8;
var i;
var fdt = new u8(32);
for (i = 0; i < 32; ++i)
  fdt[i] = 5;
var i;
var flrm = /* @__PURE__ */ hMap(flt, 9, 1);
var fdrm = /* @__PURE__ */ hMap(fdt, 5, 1);
var max = function(a) {
  var m = a[0];
  for (var i2 = 1; i2 < a.length; ++i2) {
    if (a[i2] > m)
      m = a[i2];
  }
  return m;
};
var bits = function(d, p, m) {
  var o = p / 8 | 0;
  return (d[o] | d[o + 1] << 8) >> (p & 7) & m;
};
var bits16 = function(d, p) {
  var o = p / 8 | 0;
  return (d[o] | d[o + 1] << 8 | d[o + 2] << 16) >> (p & 7);
};
var shft = function(p) {
  return (p + 7) / 8 | 0;
};
var slc = function(v, s, e) {
  if (s == null || s < 0)
    s = 0;
  if (e == null || e > v.length)
    e = v.length;
  return new u8(v.subarray(s, e));
};
var ec = [
  "unexpected EOF",
  "invalid block type",
  "invalid length/literal",
  "invalid distance",
  "stream finished",
  "no stream handler",
  ,
  // determined by compression function
  "no callback",
  "invalid UTF-8 data",
  "extra field too long",
  "date not in range 1980-2099",
  "filename too long",
  "stream finishing",
  "invalid zip data"
  // determined by unknown compression method
];
var err = function(ind, msg, nt) {
  var e = new Error(msg || ec[ind]);
  e.code = ind;
  if (Error.captureStackTrace)
    Error.captureStackTrace(e, err);
  if (!nt)
    throw e;
  return e;
};
var inflt = function(dat, st, buf, dict) {
  var sl = dat.length, dl = dict ? dict.length : 0;
  if (!sl || st.f && !st.l)
    return buf || new u8(0);
  var noBuf = !buf;
  var resize = noBuf || st.i != 2;
  var noSt = st.i;
  if (noBuf)
    buf = new u8(sl * 3);
  var cbuf = function(l2) {
    var bl = buf.length;
    if (l2 > bl) {
      var nbuf = new u8(Math.max(bl * 2, l2));
      nbuf.set(buf);
      buf = nbuf;
    }
  };
  var final = st.f || 0, pos = st.p || 0, bt = st.b || 0, lm = st.l, dm = st.d, lbt = st.m, dbt = st.n;
  var tbts = sl * 8;
  do {
    if (!lm) {
      final = bits(dat, pos, 1);
      var type = bits(dat, pos + 1, 3);
      pos += 3;
      if (!type) {
        var s = shft(pos) + 4, l = dat[s - 4] | dat[s - 3] << 8, t = s + l;
        if (t > sl) {
          if (noSt)
            err(0);
          break;
        }
        if (resize)
          cbuf(bt + l);
        buf.set(dat.subarray(s, t), bt);
        st.b = bt += l, st.p = pos = t * 8, st.f = final;
        continue;
      } else if (type == 1)
        lm = flrm, dm = fdrm, lbt = 9, dbt = 5;
      else if (type == 2) {
        var hLit = bits(dat, pos, 31) + 257, hcLen = bits(dat, pos + 10, 15) + 4;
        var tl = hLit + bits(dat, pos + 5, 31) + 1;
        pos += 14;
        var ldt = new u8(tl);
        var clt = new u8(19);
        for (var i2 = 0; i2 < hcLen; ++i2) {
          clt[clim[i2]] = bits(dat, pos + i2 * 3, 7);
        }
        pos += hcLen * 3;
        var clb = max(clt), clbmsk = (1 << clb) - 1;
        var clm = hMap(clt, clb, 1);
        for (var i2 = 0; i2 < tl; ) {
          var r = clm[bits(dat, pos, clbmsk)];
          pos += r & 15;
          var s = r >> 4;
          if (s < 16) {
            ldt[i2++] = s;
          } else {
            var c = 0, n = 0;
            if (s == 16)
              n = 3 + bits(dat, pos, 3), pos += 2, c = ldt[i2 - 1];
            else if (s == 17)
              n = 3 + bits(dat, pos, 7), pos += 3;
            else if (s == 18)
              n = 11 + bits(dat, pos, 127), pos += 7;
            while (n--)
              ldt[i2++] = c;
          }
        }
        var lt = ldt.subarray(0, hLit), dt = ldt.subarray(hLit);
        lbt = max(lt);
        dbt = max(dt);
        lm = hMap(lt, lbt, 1);
        dm = hMap(dt, dbt, 1);
      } else
        err(1);
      if (pos > tbts) {
        if (noSt)
          err(0);
        break;
      }
    }
    if (resize)
      cbuf(bt + 131072);
    var lms = (1 << lbt) - 1, dms = (1 << dbt) - 1;
    var lpos = pos;
    for (; ; lpos = pos) {
      var c = lm[bits16(dat, pos) & lms], sym = c >> 4;
      pos += c & 15;
      if (pos > tbts) {
        if (noSt)
          err(0);
        break;
      }
      if (!c)
        err(2);
      if (sym < 256)
        buf[bt++] = sym;
      else if (sym == 256) {
        lpos = pos, lm = null;
        break;
      } else {
        var add2 = sym - 254;
        if (sym > 264) {
          var i2 = sym - 257, b = fleb[i2];
          add2 = bits(dat, pos, (1 << b) - 1) + fl[i2];
          pos += b;
        }
        var d = dm[bits16(dat, pos) & dms], dsym = d >> 4;
        if (!d)
          err(3);
        pos += d & 15;
        var dt = fd[dsym];
        if (dsym > 3) {
          var b = fdeb[dsym];
          dt += bits16(dat, pos) & (1 << b) - 1, pos += b;
        }
        if (pos > tbts) {
          if (noSt)
            err(0);
          break;
        }
        if (resize)
          cbuf(bt + 131072);
        var end = bt + add2;
        if (bt < dt) {
          var shift = dl - dt, dend = Math.min(dt, end);
          if (shift + bt < 0)
            err(3);
          for (; bt < dend; ++bt)
            buf[bt] = dict[shift + bt];
        }
        for (; bt < end; ++bt)
          buf[bt] = buf[bt - dt];
      }
    }
    st.l = lm, st.p = lpos, st.b = bt, st.f = final;
    if (lm)
      final = 1, st.m = lbt, st.d = dm, st.n = dbt;
  } while (!final);
  return bt != buf.length && noBuf ? slc(buf, 0, bt) : buf.subarray(0, bt);
};
var et = /* @__PURE__ */ new u8(0);
var Inflate = /* @__PURE__ */ (function() {
  function Inflate2(opts, cb) {
    if (typeof opts == "function")
      cb = opts, opts = {};
    this.ondata = cb;
    var dict = opts && opts.dictionary && opts.dictionary.subarray(-32768);
    this.s = { i: 0, b: dict ? dict.length : 0 };
    this.o = new u8(32768);
    this.p = new u8(0);
    if (dict)
      this.o.set(dict);
  }
  Inflate2.prototype.e = function(c) {
    if (!this.ondata)
      err(5);
    if (this.d)
      err(4);
    if (!this.p.length)
      this.p = c;
    else if (c.length) {
      var n = new u8(this.p.length + c.length);
      n.set(this.p), n.set(c, this.p.length), this.p = n;
    }
  };
  Inflate2.prototype.c = function(final) {
    this.s.i = +(this.d = final || false);
    var bts = this.s.b;
    var dt = inflt(this.p, this.s, this.o);
    this.ondata(slc(dt, bts, this.s.b), this.d);
    this.o = slc(dt, this.s.b - 32768), this.s.b = this.o.length;
    this.p = slc(this.p, this.s.p / 8 | 0), this.s.p &= 7;
  };
  Inflate2.prototype.push = function(chunk, final) {
    this.e(chunk), this.c(final);
  };
  return Inflate2;
})();
var td = typeof TextDecoder != "undefined" && /* @__PURE__ */ new TextDecoder();
var tds = 0;
try {
  td.decode(et, { stream: true });
  tds = 1;
} catch (e) {
}
var dutf8 = function(d) {
  for (var r = "", i2 = 0; ; ) {
    var c = d[i2++];
    var eb = (c > 127) + (c > 223) + (c > 239);
    if (i2 + eb > d.length)
      return { s: r, r: slc(d, i2 - 1) };
    if (!eb)
      r += String.fromCharCode(c);
    else if (eb == 3) {
      c = ((c & 15) << 18 | (d[i2++] & 63) << 12 | (d[i2++] & 63) << 6 | d[i2++] & 63) - 65536, r += String.fromCharCode(55296 | c >> 10, 56320 | c & 1023);
    } else if (eb & 1)
      r += String.fromCharCode((c & 31) << 6 | d[i2++] & 63);
    else
      r += String.fromCharCode((c & 15) << 12 | (d[i2++] & 63) << 6 | d[i2++] & 63);
  }
};
function strFromU8(dat, latin1) {
  if (latin1) {
    var r = "";
    for (var i2 = 0; i2 < dat.length; i2 += 16384)
      r += String.fromCharCode.apply(null, dat.subarray(i2, i2 + 16384));
    return r;
  } else if (td) {
    return td.decode(dat);
  } else {
    var _a2 = dutf8(dat), s = _a2.s, r = _a2.r;
    if (r.length)
      err(8);
    return s;
  }
}

// src/formats/namedTensor.ts
function checkedSize(file, entry, shape2, most = MAX_ENTRIES) {
  const found = `shape (${shape2.slice(0, MAX_AXES + 1).join(", ")})`;
  if (shape2.length > MAX_AXES)
    throw new FormatError(file, entry, found, `at most ${MAX_AXES} axes`);
  let size = 1;
  for (const length of shape2) {
    if (!Number.isSafeInteger(length) || length < 0) {
      throw new FormatError(file, entry, found, "axis lengths that are integers from 0");
    }
    size *= Math.max(length, 1);
    if (size > most) {
      throw new FormatError(file, entry, found, `at most ${most} entries`);
    }
  }
  return shape2.includes(0) ? 0 : size;
}

// src/formats/npyHeader.ts
var EXPECTED = "a header such as {'descr': '<f8', 'fortran_order': False, 'shape': (5, 8), }";
var TOKEN = /\s*(?:'([^'\\\n]*)'|"([^"\\\n]*)"|(True|False)|(-?\d{1,20})L?|([{}()[\]:,]))/y;
function parseNpyHeader(text2, file, entry) {
  const tokens = tokenize(text2, file, entry);
  let next = 0;
  const fail = (found) => {
    throw new FormatError(file, entry, found, EXPECTED);
  };
  const take = (kind, expected2) => {
    const token = tokens[next++];
    if (token?.kind === kind && (expected2 === void 0 || token.text === expected2))
      return token.text;
    return fail(token ? `${token.text} in the header` : "the end of the header");
  };
  const skip = (sign) => {
    if (tokens[next]?.kind !== "sign" || tokens[next].text !== sign) return false;
    next++;
    return true;
  };
  const tuple = () => {
    const lengths = [];
    take("sign", "(");
    while (!skip(")")) {
      if (lengths.push(Number(take("integer"))) > MAX_AXES) fail(`more than ${MAX_AXES} axes`);
      if (!skip(",")) {
        if (lengths.length === 1) fail("a shape that is no tuple");
        take("sign", ")");
        break;
      }
    }
    return lengths;
  };
  let descr;
  let fortranOrder;
  let shape2;
  take("sign", "{");
  while (!skip("}")) {
    const key = take("string");
    take("sign", ":");
    if (key === "descr" && descr === void 0) {
      if (tokens[next]?.text === "[") fail("a structured dtype, a record of fields");
      descr = take("string");
    } else if (key === "fortran_order" && fortranOrder === void 0)
      fortranOrder = take("word") === "True";
    else if (key === "shape" && shape2 === void 0) shape2 = tuple();
    else fail(`key '${key}'`);
    if (!skip(",")) {
      take("sign", "}");
      break;
    }
  }
  if (next < tokens.length) fail(`${tokens[next].text} behind the header`);
  if (descr === void 0 || fortranOrder === void 0 || shape2 === void 0)
    return fail("a missing key");
  return { descr, fortranOrder, shape: shape2 };
}
function tokenize(text2, file, entry) {
  const end = text2.trimEnd();
  const tokens = [];
  let at = 0;
  while (at < end.length) {
    TOKEN.lastIndex = at;
    const match = TOKEN.exec(end);
    if (!match)
      throw new FormatError(file, entry, `${end.slice(at, at + 20)} in the header`, EXPECTED);
    const [, single, double, word, integer, sign] = match;
    const string = single ?? double;
    if (string !== void 0) tokens.push({ kind: "string", text: string });
    else if (word !== void 0) tokens.push({ kind: "word", text: word });
    else if (integer !== void 0) tokens.push({ kind: "integer", text: integer });
    else tokens.push({ kind: "sign", text: sign });
    at = TOKEN.lastIndex;
  }
  return tokens;
}

// src/formats/npyLayout.ts
var NPY_MAGIC = "\x93NUMPY";
var KINDS = {
  b1: "bool",
  i1: "int8",
  i2: "int16",
  i4: "int32",
  i8: "int64",
  u1: "uint8",
  u2: "uint16",
  u4: "uint32",
  u8: "uint64",
  f2: "float16",
  f4: "float32",
  f8: "float64"
};
var REFUSED = {
  O: "Python objects (a pickle, which is not run)",
  U: "texts",
  S: "byte strings",
  c: "complex numbers",
  V: "records or raw bytes",
  M: "dates",
  m: "durations",
  f: "extended precision floats"
};
var NPY_PREFIX = 12;
function npyHeaderEnd(bytes, file, name, fileSize = bytes.length) {
  const fail = (found, expected2) => {
    throw new FormatError(file, name, found, expected2);
  };
  if (strFromU8(bytes.subarray(0, 6), true) !== NPY_MAGIC)
    fail("no NumPy magic bytes", "a .npy array");
  const [major = 0, minor = 0] = bytes.subarray(6, 8);
  if (major < 1 || major > 3 || minor !== 0)
    fail(`version ${major}.${minor}`, "version 1.0, 2.0 or 3.0");
  const headerAt = major === 1 ? 10 : 12;
  if (bytes.length < headerAt)
    fail(`the end after ${bytes.length} bytes`, "the length of the header");
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const headerLength = major === 1 ? view.getUint16(8, true) : view.getUint32(8, true);
  if (headerLength > MAX_NPY_HEADER)
    fail(`a header of ${headerLength} bytes`, `at most ${MAX_NPY_HEADER}`);
  const end = headerAt + headerLength;
  if (fileSize < end) fail(`the end after ${fileSize} bytes`, `a header up to byte ${end}`);
  return end;
}
function npyLayout(header, file, name, options = {}, most = MAX_ENTRIES) {
  const major = header[6];
  const text2 = strFromU8(header.subarray(major === 1 ? 10 : 12), major < 3);
  const { descr, fortranOrder, shape: shape2 } = parseNpyHeader(text2, file, name);
  const { dtype, littleEndian } = dtypeOf(descr, file, name, options);
  return { dtype, littleEndian, fortranOrder, shape: shape2, size: checkedSize(file, name, shape2, most) };
}
function dtypeOf(descr, file, name, { bfloat16 = false }) {
  const [, order = "", kind = ""] = /^([<>|=]?)([A-Za-z?].*)$/.exec(descr) ?? [];
  const littleEndian = order !== ">";
  if (bfloat16 && kind === "V2") return { dtype: "bfloat16", littleEndian };
  const plain2 = kind === "?" ? "b1" : kind;
  if (Object.hasOwn(KINDS, plain2)) return { dtype: KINDS[plain2], littleEndian };
  const words2 = REFUSED[kind[0]];
  const found = words2 === void 0 ? `dtype '${descr}'` : `dtype '${descr}', ${words2}`;
  const hint = kind === "V2" ? "; for bfloat16 save x.astype(np.float32)" : "";
  throw new FormatError(
    file,
    name,
    found,
    `booleans, integers or floats of 16, 32 or 64 bits${hint}`
  );
}

// src/formats/npy.ts
function fromFortran(shape2, data) {
  const result = new Float64Array(sizeOf(shape2));
  const to = strides(shape2);
  const index = Array.from(shape2, () => 0);
  let offset = 0;
  for (const value of data) {
    result[offset] = value;
    for (let axis = 0; axis < shape2.length; axis++) {
      offset += to[axis];
      if (++index[axis] < shape2[axis]) break;
      offset -= to[axis] * shape2[axis];
      index[axis] = 0;
    }
  }
  return result;
}

// src/formats/zip.ts
var END = 101010256;
var END64 = 101075792;
var LOCATOR64 = 117853008;
var MEMBER = 33639248;
var LOCAL = 67324752;
var STORED = 0;
var DEFLATED = 8;
var MOST_RATIO = 1032;
function checkMember(member, file) {
  const { name, flags, method, packedSize, unpackedSize } = member;
  const fail = (found, expected2) => {
    throw new FormatError(file, name, found, expected2);
  };
  if (flags & 1) fail("an encrypted member", "one without a password");
  if (method !== STORED && method !== DEFLATED)
    fail(`compression ${method}`, "none (0) or deflate (8)");
  const most = method === STORED ? packedSize : packedSize * MOST_RATIO;
  if (unpackedSize > most)
    fail(`a size of ${unpackedSize} bytes`, `at most ${most} from ${packedSize}`);
}
function readMember(view, bytes, at) {
  const nameEnd = at + 46 + view.getUint16(at + 28, true);
  const extraEnd = nameEnd + view.getUint16(at + 30, true);
  const sizes = [24, 20, 42].map((field) => view.getUint32(at + field, true));
  for (let extra = nameEnd; extra + 4 <= Math.min(extraEnd, bytes.length); ) {
    const end = extra + 4 + view.getUint16(extra + 2, true);
    let next = extra + 4;
    if (view.getUint16(extra, true) === 1) {
      for (let i2 = 0; i2 < 3 && next + 8 <= Math.min(end, bytes.length); i2++) {
        if (sizes[i2] !== 4294967295) continue;
        sizes[i2] = getUint64(view, next);
        next += 8;
      }
    }
    extra = end;
  }
  const [unpackedSize, packedSize, local] = sizes;
  return {
    name: strFromU8(bytes.subarray(at + 46, nameEnd)),
    flags: view.getUint16(at + 8, true),
    method: view.getUint16(at + 10, true),
    checksum: view.getUint32(at + 16, true),
    ...{ packedSize, unpackedSize, local },
    next: extraEnd + view.getUint16(at + 32, true)
  };
}
function hasSignature(view, at, signature, length) {
  return at >= 0 && at + length <= view.byteLength && view.getUint32(at, true) === signature;
}
function getUint64(view, at) {
  return view.getUint32(at + 4, true) * 2 ** 32 + view.getUint32(at, true);
}
var SLICE = 8;
var CRC_TABLES = new Int32Array(SLICE * 256);
for (let byte = 0; byte < 256; byte++) {
  let crc = byte;
  for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? crc >>> 1 ^ 3988292384 : crc >>> 1;
  CRC_TABLES[byte] = crc;
}
for (let at = 256; at < CRC_TABLES.length; at++) {
  const before2 = CRC_TABLES[at - 256];
  CRC_TABLES[at] = before2 >>> 8 ^ CRC_TABLES[before2 & 255];
}
function crc32(bytes, before2 = 0) {
  const T = CRC_TABLES;
  const whole = bytes.length - bytes.length % SLICE;
  let crc = ~before2;
  let at = 0;
  for (; at < whole; at += SLICE) {
    const low = crc ^ (bytes[at] | bytes[at + 1] << 8 | bytes[at + 2] << 16 | bytes[at + 3] << 24);
    crc = T[1792 + (low & 255)] ^ T[1536 + (low >>> 8 & 255)] ^ T[1280 + (low >>> 16 & 255)] ^ T[1024 + (low >>> 24)] ^ T[768 + bytes[at + 4]] ^ T[512 + bytes[at + 5]] ^ T[256 + bytes[at + 6]] ^ T[bytes[at + 7]];
  }
  for (; at < bytes.length; at++) crc = crc >>> 8 ^ T[(crc ^ bytes[at]) & 255];
  return ~crc >>> 0;
}

// src/formats/npz.ts
var META = "__meta__.json";
var LARGEST_META = 2 ** 20;
function codeLines(meta) {
  if (!meta || meta.length > LARGEST_META) return /* @__PURE__ */ new Map();
  try {
    const { lines = {} } = JSON.parse(strFromU8(meta));
    return new Map(
      Object.entries(lines).flatMap(([name, place]) => {
        const [file, line2] = Array.isArray(place) ? place : [];
        const isLine = typeof file === "string" && Number.isSafeInteger(line2) && Number(line2) > 0;
        return isLine ? [[name, { file, line: Number(line2) }]] : [];
      })
    );
  } catch {
    return /* @__PURE__ */ new Map();
  }
}

// src/formats/ranges/byteSource.ts
function inMemory(bytes) {
  return {
    size: bytes.length,
    read: (offset, length) => Promise.resolve(bytes.subarray(offset, offset + length))
  };
}
function partOf(source, begin, size) {
  return {
    size,
    read: (offset, length) => source.read(begin + offset, Math.max(0, Math.min(length, size - offset)))
  };
}
async function readExactly(source, offset, length, file, entry) {
  const bytes = await source.read(offset, length);
  if (bytes.length === length) return bytes;
  throw new FormatError(
    file,
    entry,
    `the end after byte ${offset + bytes.length}`,
    `${length} bytes from ${offset}`
  );
}
var PAGE2 = 2 ** 18;

// src/formats/ranges/fileTensor.ts
var MOST_ENTRIES = 2 ** 40;
function entriesOf2(tensor2, bytes, file) {
  const each = byteSize(tensor2.dtype);
  return {
    size: sizeOf(tensor2.shape),
    read: async (offset, length) => {
      const raw = await readExactly(bytes, offset * each, length * each, file, tensor2.name);
      return decode(tensor2.dtype, raw, tensor2.littleEndian, length);
    }
  };
}
function checkBytes(file, name, found, { dtype, shape: shape2 }) {
  const expected2 = sizeOf(shape2) * byteSize(dtype);
  if (found === expected2) return;
  const wanted = `${expected2} for ${dtype} of shape (${shape2.join(", ")})`;
  throw new FormatError(file, name, `${found} bytes of entries`, wanted);
}

// src/formats/jsonCursor.ts
var NUMBER = /^-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/;
var PYTHON_NUMBERS = [
  ["NaN", NaN],
  ["Infinity", Infinity],
  ["-Infinity", -Infinity]
];
var SHORT2 = 32;
var QUOTE = 34;
var BACKSLASH = 92;
var CHARACTERS = Array.from({ length: 256 }, (_, code) => String.fromCharCode(code));
var IN_NUMBER = Uint8Array.from(CHARACTERS, (each) => /[-+.0-9eE]/.test(each) ? 1 : 0);
var JsonCursor = class {
  file;
  #bytes;
  #at = 0;
  #depth = 0;
  constructor(file, bytes) {
    this.file = file;
    this.#bytes = bytes;
    if (bytes[0] === 239 && bytes[1] === 187 && bytes[2] === 191) this.#at = 3;
  }
  /** The next byte that is not white space, as a character; '' at the end. */
  peek() {
    const bytes = this.#bytes;
    let next = bytes[this.#at];
    while (next === 32 || next === 10 || next === 13 || next === 9)
      next = bytes[++this.#at];
    return this.#at < bytes.length ? CHARACTERS[next] : "";
  }
  /** Steps over `character` if it is the next one. */
  skip(character) {
    if (this.peek() !== character) return false;
    this.#at++;
    return true;
  }
  /** Calls back at each value of an object, which `visit` must read. */
  members(visit) {
    const seen = /* @__PURE__ */ new Set();
    this.#sequence("{", "}", () => {
      if (this.peek() !== '"') this.fail("a key in double quotes");
      const key = this.string();
      if (seen.has(key)) throw new FormatError(this.file, key, "this key twice", "it once");
      seen.add(key);
      if (!this.skip(":")) this.fail("a colon");
      visit(key);
    });
  }
  /** Calls back at each element of an array, which `visit` must read; returns how many there were. */
  elements(visit) {
    let index = 0;
    this.#sequence("[", "]", () => visit(index++));
    return index;
  }
  string() {
    const bytes = this.#bytes;
    let end = this.#at + 1;
    while (end < bytes.length && bytes[end] !== QUOTE) end += bytes[end] === BACKSLASH ? 2 : 1;
    try {
      const value = JSON.parse(strFromU8(bytes.subarray(this.#at, end + 1)));
      this.#at = end + 1;
      return value;
    } catch {
      return this.fail("a string in double quotes");
    }
  }
  /** A number, also NaN, Infinity and -Infinity as Python writes them; undefined if no number is next. */
  number() {
    this.peek();
    const bytes = this.#bytes;
    let end = this.#at;
    while (IN_NUMBER[bytes[end]] === 1) end++;
    if (end > this.#at) {
      const text2 = this.#text(this.#at, end);
      const [number3] = NUMBER.exec(text2) ?? [];
      if (number3 !== void 0) {
        this.#at += number3.length;
        return Number(number3);
      }
    }
    const special = PYTHON_NUMBERS.find(([word]) => this.#startsWith(word));
    this.#at += special?.[0].length ?? 0;
    return special?.[1];
  }
  boolean() {
    this.peek();
    for (const value of [true, false]) {
      if (this.#startsWith(String(value))) {
        this.#at += String(value).length;
        return value;
      }
    }
    return void 0;
  }
  /** Throws FormatError: found what stands here, expected something else. */
  fail(expected2, entry = this.#place()) {
    const next = this.peek();
    const rest = strFromU8(this.#bytes.subarray(this.#at, this.#at + 4 * 31)).slice(0, 31);
    const found = next === "" ? "the end of the text" : /^\S[^\s,\]}]{0,30}/.exec(rest)?.[0] ?? rest[0];
    throw new FormatError(this.file, entry, oneLine(found), expected2);
  }
  /** Throws FormatError unless nothing is left. */
  end() {
    if (this.peek() !== "") this.fail("the end of the text");
  }
  #sequence(open2, close, visit) {
    if (!this.skip(open2)) this.fail(open2);
    if (++this.#depth > MAX_DEPTH) this.fail(`at most ${MAX_DEPTH} nested brackets`);
    if (!this.skip(close)) {
      do
        visit();
      while (this.skip(","));
      if (!this.skip(close)) this.fail(`a comma or ${close}`);
    }
    this.#depth--;
  }
  #startsWith(word) {
    for (let n = 0; n < word.length; n++)
      if (this.#bytes[this.#at + n] !== word.charCodeAt(n)) return false;
    return true;
  }
  /** ASCII. */
  #text(begin, end) {
    if (end - begin > SHORT2) return strFromU8(this.#bytes.subarray(begin, end), true);
    let text2 = "";
    for (let at = begin; at < end; at++) text2 += CHARACTERS[this.#bytes[at]];
    return text2;
  }
  #place() {
    const before2 = this.#bytes.subarray(0, this.#at);
    let line2 = 1;
    let begin = 0;
    before2.forEach((byte, at) => {
      if (byte !== 10) return;
      line2++;
      begin = at + 1;
    });
    return `line ${line2}, column ${strFromU8(before2.subarray(begin)).length + 1}`;
  }
};

// src/formats/safetensors.ts
var DTYPE_NAMES = /* @__PURE__ */ new Map([
  ["BOOL", "bool"],
  ["U8", "uint8"],
  ["I8", "int8"],
  ["I16", "int16"],
  ["U16", "uint16"],
  ["I32", "int32"],
  ["U32", "uint32"],
  ["I64", "int64"],
  ["U64", "uint64"],
  ["F16", "float16"],
  ["BF16", "bfloat16"],
  ["F32", "float32"],
  ["F64", "float64"]
]);
function headerEnd(bytes, file) {
  if (bytes.length < 8)
    throw new FormatError(file, "", `${bytes.length} bytes`, "a .safetensors file");
  const view = new DataView(bytes.buffer, bytes.byteOffset, 8);
  const length = view.getUint32(4, true) * 2 ** 32 + view.getUint32(0, true);
  if (length < 2 || length > MAX_SAFETENSORS_HEADER) {
    throw new FormatError(
      file,
      "header",
      `length ${length}`,
      `2 to ${MAX_SAFETENSORS_HEADER} bytes`
    );
  }
  return 8 + length;
}
function parseHeader(bytes, file, fileSize = bytes.length, mostEntries = MAX_ENTRIES) {
  const start2 = headerEnd(bytes, file);
  if (bytes.length < start2) {
    throw new FormatError(
      file,
      "header",
      `the end of the file at byte ${bytes.length}`,
      `a header up to byte ${start2}`
    );
  }
  const cursor = new JsonCursor(file, bytes.subarray(8, start2));
  const entries = readEntries(cursor, start2, mostEntries);
  entries.sort((a, b) => a.begin - b.begin || a.end - b.end);
  let last = start2;
  for (const { name, begin, end } of entries) {
    const range = `bytes ${begin} to ${end}`;
    if (end > fileSize)
      throw new FormatError(file, name, range, `at most ${fileSize}, the size of the file`);
    if (begin !== last)
      throw new FormatError(
        file,
        name,
        range,
        `to begin at ${last}, where the entry before it ends`
      );
    last = end;
  }
  if (last !== fileSize)
    throw new FormatError(file, "", `${fileSize - last} bytes behind the last tensor`, "none");
  return entries;
}
function readEntries(cursor, start2, most) {
  const entries = [];
  cursor.members((name) => {
    if (name === "__metadata__") {
      cursor.members((key) => readString(cursor, `__metadata__.${key}`));
      return;
    }
    entries.push(readEntry(cursor, name, start2, most));
    if (entries.length > MAX_TENSORS) {
      throw new FormatError(cursor.file, "header", `more than ${MAX_TENSORS} tensors`, "fewer");
    }
  });
  cursor.end();
  return entries;
}
function readEntry(cursor, name, start2, most) {
  const { file } = cursor;
  let dtype;
  let shape2;
  let offsets;
  cursor.members((key) => {
    if (key === "dtype") {
      const word = readString(cursor, name);
      dtype = DTYPE_NAMES.get(word);
      if (!dtype) {
        throw new FormatError(
          file,
          name,
          `dtype ${word}`,
          `one of ${[...DTYPE_NAMES.keys()].join(", ")}`
        );
      }
    } else if (key === "shape") shape2 = readIntegers(cursor, name);
    else if (key === "data_offsets") offsets = readIntegers(cursor, name);
    else throw new FormatError(file, name, `key "${key}"`, '"dtype", "shape" and "data_offsets"');
  });
  if (!dtype || !shape2 || !offsets) {
    throw new FormatError(file, name, "a missing key", '"dtype", "shape" and "data_offsets"');
  }
  const bytes = checkedSize(file, name, shape2, most) * byteSize(dtype);
  if (offsets.length !== 2 || offsets[1] - offsets[0] !== bytes) {
    const found = `data_offsets [${offsets.slice(0, 3).join(", ")}]`;
    throw new FormatError(file, name, found, `two that are ${bytes} apart, as shape and dtype ask`);
  }
  return { name, dtype, shape: shape2, begin: start2 + offsets[0], end: start2 + offsets[1] };
}
function readString(cursor, entry) {
  return cursor.peek() === '"' ? cursor.string() : cursor.fail("a string", entry);
}
function readIntegers(cursor, entry) {
  const integers = [];
  cursor.elements(() => {
    const value = cursor.number() ?? cursor.fail("an integer", entry);
    if (!Number.isSafeInteger(value) || value < 0) {
      throw new FormatError(cursor.file, entry, `${value}`, "an integer from 0");
    }
    if (integers.push(value) > MAX_AXES)
      throw new FormatError(cursor.file, entry, "more", `at most ${MAX_AXES} axes`);
  });
  return integers;
}

// src/formats/specialNumber.ts
var SPECIAL_NUMBERS = ["nan", "inf", "-inf"];
function specialNumber(text2) {
  const [, sign, name] = /^([+-]?)(nan|inf|infinity)$/i.exec(text2) ?? [];
  if (name === void 0) return void 0;
  if (/nan/i.test(name)) return NaN;
  return sign === "-" ? -Infinity : Infinity;
}

// src/formats/traceArray.ts
var EXPECTED_ENTRY = 'a number, true, false, "nan", "inf" or "-inf"';
function readArray(cursor, name, most) {
  const lengths = [];
  const data = new Entries(most);
  const index = [];
  let entryDepth;
  let kind;
  const place = () => name + index.map((i2) => `[${i2}]`).join("");
  const fail = (found, expected2) => {
    throw new FormatError(cursor.file, place(), found, expected2);
  };
  const readEntry2 = () => {
    const depth = index.length;
    if (depth !== (entryDepth ??= depth) || depth < lengths.length)
      fail("an entry", "an array as before it");
    const value = cursor.number() ?? cursor.boolean() ?? readSpecial(cursor, place);
    const found = typeof value === "boolean" ? "boolean" : "number";
    if (found !== (kind ??= found)) fail(`the ${found} ${value}`, `a ${kind} as before it`);
    data.push(Number(value));
  };
  const read = () => {
    if (cursor.peek() !== "[") {
      readEntry2();
      return;
    }
    const depth = index.length;
    if (entryDepth !== void 0 && depth >= entryDepth) fail("an array", `a ${kind} as before it`);
    const length = cursor.elements((i2) => {
      index.push(i2);
      read();
      index.pop();
    });
    if (length !== (lengths[depth] ??= length))
      fail(`${length} entries`, `${lengths[depth]} as before it`);
  };
  read();
  checkedSize(cursor.file, name, lengths);
  const dtype = kind === "boolean" ? "bool" : "float64";
  return { dtype, tensor: { shape: lengths, data: data.all() } };
}
var CHUNK = 2 ** 14;
var Entries = class {
  #most;
  #chunks = [];
  #last = new Float64Array(0);
  #filled = 0;
  #count = 0;
  constructor(most) {
    this.#most = most;
  }
  push(value) {
    if (++this.#count > this.#most) {
      this.#chunks = [];
      return;
    }
    if (this.#filled === this.#last.length) {
      this.#last = new Float64Array(Math.min(CHUNK, 4 * this.#count));
      this.#chunks.push(this.#last);
      this.#filled = 0;
    }
    this.#last[this.#filled++] = value;
  }
  all() {
    if (this.#count > this.#most) return new Float64Array(0);
    const all = new Float64Array(this.#count);
    let at = 0;
    for (const chunk of this.#chunks) {
      all.set(chunk.subarray(0, this.#count - at), at);
      at += chunk.length;
    }
    return all;
  }
};
function readSpecial(cursor, place) {
  const next = cursor.peek();
  if (next === "n") {
    cursor.fail('"nan", "inf" or a number (JavaScript writes NaN and Infinity as null)', place());
  }
  const text2 = next === '"' ? cursor.string() : cursor.fail(EXPECTED_ENTRY, place());
  const value = specialNumber(text2);
  if (value !== void 0) return value;
  throw new FormatError(cursor.file, place(), JSON.stringify(text2), EXPECTED_ENTRY);
}

// src/formats/want.ts
var ALL = { most: MAX_ENTRIES, why: () => "" };
var tooLarge = (size, most) => `it has ${size} entries, at most ${most} can be used`;

// src/formats/traceJson.ts
function readTraceJson(bytes, file, want = ALL) {
  if (bytes[0] === 255 && bytes[1] === 254 || bytes[0] === 254 && bytes[1] === 255) {
    throw new FormatError(file, "", "text in UTF-16", "JSON in UTF-8");
  }
  const cursor = new JsonCursor(file, bytes);
  if (cursor.peek() !== "{")
    cursor.fail('an object of tensors such as {"P": [[0.2, 0.8]], "dP": \u2026}', "");
  const reader = new Reader(cursor, want);
  reader.object("");
  cursor.end();
  return reader;
}
var Reader = class {
  tensors = [];
  leftOut = [];
  #cursor;
  #want;
  #bytes = 0;
  constructor(cursor, want) {
    this.#cursor = cursor;
    this.#want = want;
  }
  /** One tensor in the form {shape, data}, or the tensors of all members. */
  object(name) {
    const cursor = this.#cursor;
    let dtype;
    let shape2;
    let data;
    let others = 0;
    cursor.members((key) => {
      const path = name === "" ? key : `${name}/${key}`;
      const next = cursor.peek();
      if (next === '"' && /^[_$]/.test(key)) cursor.string();
      else if (next === '"' && key === "dtype" && name !== "") dtype = readDType(cursor, name);
      else if (next === "{") {
        others++;
        this.object(path);
      } else {
        const read = {
          name: path,
          ...readArray(cursor, path, Math.max(this.#want.most, MAX_AXES))
        };
        if (key === "shape" && name !== "") shape2 = read;
        else if (key === "data" && name !== "") data = read;
        else {
          others++;
          this.#add(read);
        }
      }
    });
    if (shape2 && data && others === 0) {
      this.#add({ ...reshape(cursor.file, name, data, shape2), ...dtype && { dtype } });
      return;
    }
    if (dtype) throw new FormatError(cursor.file, name, "a dtype", '"shape" and "data" beside it');
    for (const each of [shape2, data]) if (each) this.#add(each);
  }
  #add(read) {
    const { name, tensor: tensor2 } = read;
    const { file } = this.#cursor;
    const size = sizeOf(tensor2.shape);
    const { most, why } = this.#want;
    const reason = why(name, tensor2.shape, false) || (size > most ? tooLarge(size, most) : "");
    if (reason) this.leftOut.push({ name, reason });
    else {
      this.tensors.push(read);
      this.#bytes += 8 * size;
    }
    const count = this.tensors.length + this.leftOut.length;
    if (count > MAX_TENSORS)
      throw new FormatError(file, name, `tensor ${count}`, `at most ${MAX_TENSORS}`);
    if (this.#bytes > MAX_UNPACKED_BYTES) {
      const found = `${this.#bytes} bytes up to here, as float64`;
      throw new FormatError(file, name, found, `at most ${MAX_UNPACKED_BYTES}`);
    }
  }
};
function reshape(file, name, { dtype, tensor: tensor2 }, lengths) {
  const shape2 = [...lengths.tensor.data];
  const size = checkedSize(file, name, shape2);
  if (size !== sizeOf(tensor2.shape)) {
    throw new FormatError(
      file,
      name,
      `${sizeOf(tensor2.shape)} entries`,
      `${size} for shape (${shape2.join(", ")})`
    );
  }
  return { name, dtype, tensor: { shape: shape2, data: tensor2.data } };
}
function readDType(cursor, name) {
  const text2 = cursor.string();
  const word = text2.replace(/^torch\./, "");
  if (isDType(word)) return word;
  throw new FormatError(cursor.file, name, `dtype "${text2}"`, `one of ${DTYPES.join(", ")}`);
}

// src/formats/tensorFile.ts
var TENSOR_EXTENSIONS = ["npy", "npz", "safetensors", "json"];
var EXPECTED2 = "a .npy, .npz, .safetensors or .json file";
var ZIP_STARTS = ["PK", "PK"];
var PICKLES = ["pt", "pth", "pkl", "pickle", "ckpt", "bin", "joblib"];
function tensorFormat(fileName, bytes) {
  const base = fileName.replace(/^.*[/\\]/s, "");
  const extension = /\.([^.]*)$/s.exec(base)?.[1].toLowerCase() ?? "";
  if (bytes.length === 0) throw new FormatError(fileName, "", "an empty file", EXPECTED2);
  const format = formatOf(bytes);
  const claimed = TENSOR_EXTENSIONS.find((each) => each === extension);
  if (PICKLES.includes(extension) || !format && bytes[0] === 128) {
    const found = "a pickle, which is not run";
    throw new FormatError(fileName, "", found, `${EXPECTED2}: save with numpy.savez or safetensors`);
  }
  if (claimed && format && claimed !== format) {
    throw new FormatError(
      fileName,
      "",
      `the content of a .${format} file`,
      `that of a .${claimed} file`
    );
  }
  const result = claimed ?? format;
  if (!result) throw new FormatError(fileName, "", `content of an unknown format`, EXPECTED2);
  return result;
}
function formatOf(bytes) {
  const start2 = strFromU8(bytes.subarray(0, 64), true);
  if (start2.startsWith("\x93NUMPY")) return "npy";
  if (ZIP_STARTS.some((magic) => start2.startsWith(magic))) return "npz";
  if (start2[8] === "{" && bytes[6] === 0 && bytes[7] === 0) return "safetensors";
  if (/^(\xef\xbb\xbf)?\s*[{[]/.test(start2)) return "json";
  return void 0;
}

// src/formats/ranges/zipRanges.ts
var END_SIZE = 22;
var LOCATOR_SIZE = 20;
var LONGEST_COMMENT = 65535;
var MOST_DIRECTORY = 2 ** 26;
var CHUNK2 = 2 ** 14;
var HEAD_CHUNK = 2 ** 9;
var viewOf = (bytes) => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
async function directoryOf(source, file) {
  const length = Math.min(source.size, END_SIZE + LONGEST_COMMENT + LOCATOR_SIZE);
  const tailAt = source.size - length;
  const view = viewOf(await readExactly(source, tailAt, length, file, ""));
  for (let at = length - END_SIZE; at >= 0; at--) {
    if (view.getUint32(at, true) !== END) continue;
    if (!hasSignature(view, at - LOCATOR_SIZE, LOCATOR64, LOCATOR_SIZE)) {
      return {
        count: view.getUint16(at + 10, true),
        begin: view.getUint32(at + 16, true),
        end: tailAt + at
      };
    }
    const at64 = getUint64(view, at - LOCATOR_SIZE + 8);
    const record2 = viewOf(await source.read(at64, 56));
    if (!hasSignature(record2, 0, END64, 56)) break;
    return { count: getUint64(record2, 32), begin: getUint64(record2, 48), end: at64 };
  }
  throw new FormatError(file, "", "no directory at the end", "a whole zip archive");
}
async function listMembers(source, file) {
  const { count, begin, end } = await directoryOf(source, file);
  if (count > MAX_TENSORS)
    throw new FormatError(file, "", `${count} members`, `at most ${MAX_TENSORS}`);
  const length = end - begin;
  if (length < 0 || length > MOST_DIRECTORY) {
    throw new FormatError(file, "", `a directory of ${length} bytes`, `0 to ${MOST_DIRECTORY}`);
  }
  const bytes = await readExactly(source, begin, length, file, "");
  const view = viewOf(bytes);
  const members = [];
  let packedTotal = 0;
  for (let i2 = 0, at = 0; i2 < count; i2++) {
    if (!hasSignature(view, at, MEMBER, 46)) {
      throw new FormatError(
        file,
        "",
        `no directory entry at byte ${begin + at}`,
        `${count} entries`
      );
    }
    const member = readMember(view, bytes, at);
    at = member.next;
    packedTotal += member.packedSize;
    if (packedTotal > source.size) {
      throw new FormatError(
        file,
        member.name,
        `${packedTotal} packed bytes`,
        `at most ${source.size}`
      );
    }
    members.push(rangedMember(source, file, member));
  }
  return members;
}
function rangedMember(source, file, member) {
  const { name, method, packedSize, unpackedSize, local } = member;
  const packed = async () => {
    checkMember(member, file);
    const header = viewOf(await source.read(local, 30));
    if (!hasSignature(header, 0, LOCAL, 30)) {
      throw new FormatError(file, name, `no member at byte ${local}`, "a whole zip archive");
    }
    const begin = local + 30 + header.getUint16(26, true) + header.getUint16(28, true);
    if (begin + packedSize > source.size) {
      throw new FormatError(
        file,
        name,
        `${source.size - begin} bytes`,
        `${packedSize}: the file was cut`
      );
    }
    return partOf(source, begin, packedSize);
  };
  const isStored = method === STORED;
  return {
    name,
    compressed: !isStored,
    unpackedSize,
    head: async (length) => {
      const bytes = await packed();
      return isStored ? bytes.read(0, length) : inflateHead(bytes, Math.min(length, unpackedSize), file, name);
    },
    open: async (opening) => {
      const bytes = await packed();
      if (!isStored) return inflateAll(bytes, member, file, opening);
      if (!opening.checked) return bytes;
      const all = await readExactly(bytes, 0, packedSize, file, name);
      if (packedSize !== unpackedSize || crc32(all) !== member.checksum)
        throw damaged(file, name);
      return inMemory(all);
    }
  };
}
var damaged = (file, name) => new FormatError(file, name, "damaged bytes", "those of its checksum");
async function inflateHead(packed, length, file, name) {
  const parts = [];
  const stream = new Inflate((part) => parts.push(part));
  const filledBy = () => parts.reduce((sum2, part) => sum2 + part.length, 0);
  for (let at = 0; at < packed.size && filledBy() < length; at += HEAD_CHUNK) {
    const chunk = await packed.read(at, HEAD_CHUNK);
    try {
      stream.push(chunk, at + HEAD_CHUNK >= packed.size);
    } catch {
      throw damaged(file, name);
    }
  }
  const result = new Uint8Array(filledBy());
  let filled = 0;
  for (const part of parts) {
    result.set(part, filled);
    filled += part.length;
  }
  return result;
}
async function inflateAll(packed, { name, unpackedSize, checksum }, file, { breathe, progress }) {
  if (unpackedSize > MAX_UNPACKED_BYTES) {
    throw new FormatError(
      file,
      name,
      `${unpackedSize} bytes unpacked`,
      `at most ${MAX_UNPACKED_BYTES}`
    );
  }
  const result = new Uint8Array(unpackedSize);
  let filled = 0;
  let crc = 0;
  const stream = new Inflate((part) => {
    if (filled + part.length > unpackedSize) throw damaged(file, name);
    result.set(part, filled);
    filled += part.length;
    crc = crc32(part, crc);
  });
  for (let at = 0; at < packed.size; at += CHUNK2) {
    const chunk = await packed.read(at, CHUNK2);
    try {
      stream.push(chunk, at + CHUNK2 >= packed.size);
    } catch {
      throw damaged(file, name);
    }
    const pause = breathe();
    if (!pause) continue;
    progress?.(at / packed.size);
    await pause;
  }
  if (filled !== unpackedSize || crc !== checksum) throw damaged(file, name);
  return inMemory(result);
}

// src/formats/ranges/listTensors.ts
var SHOWN = { bfloat16: true };
var LONGEST_META = 2 ** 24;
var START = 64;
async function listTensors(source, fileName, options = SHOWN) {
  const start2 = await source.read(0, START);
  switch (tensorFormat(fileName, start2)) {
    case "npy":
      return { tensors: [await npyTensor(source, fileName, options)], unreadable: [] };
    case "npz":
      return npzTensors(source, fileName, options);
    case "safetensors":
      return { tensors: await safetensors(source, fileName), unreadable: [] };
    case "json":
      throw new FormatError(fileName, "", "JSON", "a .npy, .npz or .safetensors file");
  }
}
async function npyTensor(source, file, options) {
  const name = file.replace(/^.*[/\\]/s, "").replace(/\.[^.]*$/s, "");
  const prefix = await source.read(0, NPY_PREFIX);
  const end = npyHeaderEnd(prefix, file, name, source.size);
  const layout = npyLayout(
    await readExactly(source, 0, end, file, name),
    file,
    name,
    options,
    MOST_ENTRIES
  );
  const bytes = source.size - end;
  checkBytes(file, name, bytes, layout);
  return {
    name,
    ...layout,
    bytes,
    compressed: false,
    open: () => Promise.resolve(partOf(source, end, bytes))
  };
}
async function npzTensors(source, file, options) {
  const members = await listMembers(source, file);
  if (members.some(({ name }) => /(^|\/)data\.pkl$/.test(name))) {
    throw new FormatError(
      file,
      "",
      "a PyTorch checkpoint (a pickle, which is not run)",
      "a .npz of numpy.savez"
    );
  }
  const tensors = [];
  const unreadable = [];
  const seen = /* @__PURE__ */ new Set();
  for (const member of members) {
    if (!member.name.endsWith(".npy")) continue;
    const name = member.name.slice(0, -".npy".length);
    if (seen.has(name)) throw new FormatError(file, name, "this array twice", "it once");
    seen.add(name);
    try {
      tensors.push(await memberTensor(member, file, name, options));
    } catch (error) {
      if (options.strict || !(error instanceof FormatError)) throw error;
      unreadable.push({ name, problem: error.message });
    }
  }
  const meta = members.find(({ name }) => name === META);
  if (!meta || meta.unpackedSize > LONGEST_META) return { tensors, unreadable };
  const open2 = () => meta.open({ breathe: () => void 0, checked: true });
  return { tensors, unreadable, meta: async () => (await open2()).read(0, meta.unpackedSize) };
}
async function memberTensor(member, file, name, options) {
  const { unpackedSize, compressed } = member;
  const end = npyHeaderEnd(await member.head(NPY_PREFIX), file, name, unpackedSize);
  const header = (await member.head(end)).subarray(0, end);
  if (header.length < end)
    throw new FormatError(file, name, `${header.length} bytes`, `a header of ${end}`);
  const layout = npyLayout(header, file, name, options, MOST_ENTRIES);
  const bytes = unpackedSize - end;
  checkBytes(file, name, bytes, layout);
  return {
    ...{ name, ...layout, bytes, compressed },
    open: async (opening) => partOf(await member.open(opening), end, bytes)
  };
}
async function safetensors(source, file) {
  const end = headerEnd(await source.read(0, 8), file);
  const header = await source.read(0, Math.min(end, source.size));
  return parseHeader(header, file, source.size, MOST_ENTRIES).map(
    ({ name, dtype, shape: shape2, begin, end: last }) => ({
      ...{ name, dtype, shape: shape2, littleEndian: true, fortranOrder: false, compressed: false },
      bytes: last - begin,
      open: () => Promise.resolve(partOf(source, begin, last - begin))
    })
  );
}

// src/formats/readTensors.ts
var START2 = 64;
async function openTensorFile(file, from) {
  const source = from instanceof Uint8Array ? inMemory(from) : from;
  if (tensorFormat(file, await source.read(0, START2)) === "json") {
    const read = async (want) => readTraceJson(await textOf(source, file), file, want);
    return { names: null, read };
  }
  const { tensors, meta } = await listTensors(source, file, { strict: true });
  return {
    names: tensors.map(({ name }) => name),
    ...meta && { meta },
    read: async (want, isPart = false) => {
      const lines = codeLines(await meta?.().catch(() => void 0));
      const { wanted, leftOut } = choose(tensors, file, want, isPart);
      const read = [];
      for (const tensor2 of wanted) {
        const line2 = lines.get(tensor2.name);
        read.push({ ...await readOne(tensor2, file), ...line2 && { line: line2 } });
      }
      return { tensors: read, leftOut };
    }
  };
}
async function textOf(source, file) {
  if (source.size > MAX_JSON_BYTES) {
    const found = `${source.size} bytes of JSON`;
    throw new FormatError(file, "", found, `at most ${MAX_JSON_BYTES}; use .npz`);
  }
  return source.read(0, source.size);
}
function choose(tensors, file, { most, why }, isPart) {
  const wanted = [];
  const leftOut = [];
  let bytes = 0;
  for (const tensor2 of tensors) {
    const { name, shape: shape2 } = tensor2;
    const size = sizeOf(shape2);
    const reason = why(name, shape2, isPart) || (size > most ? tooLarge(size, most) : "");
    if (reason) {
      leftOut.push({ name, reason });
      continue;
    }
    bytes += 8 * size;
    if (bytes > MAX_UNPACKED_BYTES) {
      const found = `${bytes} bytes up to here, as float64`;
      throw new FormatError(file, name, found, `at most ${MAX_UNPACKED_BYTES}`);
    }
    wanted.push(tensor2);
  }
  return { wanted, leftOut };
}
async function readOne(tensor2, file) {
  const { name, dtype, shape: shape2, fortranOrder } = tensor2;
  const bytes = await tensor2.open({ breathe: () => void 0, checked: true });
  const entries = await entriesOf2(tensor2, bytes, file).read(0, sizeOf(shape2));
  const data = fortranOrder ? fromFortran(shape2, entries) : entries;
  return { name, dtype, tensor: { shape: shape2, data } };
}

// src/formats/partMeta.ts
var SPAN_KEYS = ["heads", "kvHeads", "queries", "keys"];
var MOST_RANKS = 2 ** 12;
var EXPECTED3 = "rank, world and part as attention_trace.py writes them";
async function readPart(opened, file, want) {
  const meta = await partOf2(opened, file);
  return meta && { file, ...meta, ...await opened.read(want, true) };
}
async function partOf2({ meta }, file) {
  if (!meta) return null;
  const found = readMeta(await meta(), file);
  return found.world === 1 ? null : found;
}
var totalOf = (parts, key) => Math.max(...parts.map(({ spans }) => spans[key]?.[1] ?? 0));
var partName = (whole, rank) => `${whole.replace(/\.npz$/, "")}.rank${rank}.npz`;
function readMeta(bytes, file) {
  const fail = (found) => {
    throw new FormatError(file, META, found, EXPECTED3);
  };
  let meta;
  try {
    meta = JSON.parse(strFromU8(bytes));
  } catch {
    return fail("a text that is not JSON");
  }
  const { rank, world, part = {} } = meta ?? {};
  if (!isCount(rank) || !isCount(world) || rank >= world || world > MOST_RANKS)
    return fail(`rank ${oneLine(String(rank))} of ${oneLine(String(world))}`);
  const given2 = Object.entries(part ?? {});
  const spans = /* @__PURE__ */ new Map();
  for (const [key, span] of given2) {
    const isKnown = key === "tokens" || SPAN_KEYS.some((each) => each === key);
    if (!isKnown || !isSpan(span)) fail(`${key} with ${oneLine(JSON.stringify(span))}`);
    spans.set(key, span);
  }
  const tokens = spans.get("tokens");
  const heads = spans.get("heads");
  const all = {
    ...heads && { heads, kvHeads: heads },
    ...tokens && { queries: tokens, keys: tokens },
    ...Object.fromEntries([...spans].filter(([key]) => key !== "tokens"))
  };
  return { rank, world, spans: all };
}
var isCount = (value) => Number.isSafeInteger(value) && Number(value) >= 0;
var isSpan = (value) => Array.isArray(value) && value.length === 2 && value.every(isCount) && value[0] < value[1];

// src/formats/partAxes.ts
var SPLIT = {
  heads: [
    { nodes: "Qh O S Z M P Pd", axis: -3, counts: true },
    { nodes: "Q C W_Q b_Q", axis: -1, counts: false },
    { nodes: "W_O", axis: -2, counts: false }
  ],
  kvHeads: [
    { nodes: "Kh Vh", axis: -3, counts: true },
    { nodes: "K V W_K W_V b_K b_V", axis: -1, counts: false }
  ],
  queries: [{ nodes: "xPrime Q Qh S Z M P Pd O C y", axis: -2, counts: true }],
  keys: [{ nodes: "x K V Kh Vh", axis: -2, counts: true }]
};
function chooseAxes(name, node, pieces, parts, fits) {
  const shapes = pieces.map(({ tensor: tensor2 }) => tensor2.shape);
  const ranks = new Set(shapes.map(({ length }) => length));
  if (ranks.size > 1) return { found: shapeList(shapes), expected: "equal numbers of axes" };
  let choices = [[]];
  for (const key of SPAN_KEYS) {
    const split2 = SPLIT[key].find(({ nodes }) => nodes.split(" ").includes(node));
    if (!split2 || !parts.every(({ spans }) => spans[key])) continue;
    const found = candidates(name, node, key, split2, pieces, totalOf(parts, key));
    if (found.length === 0) {
      const lengths = pieces.map(({ part }) => sizeOfSpan(part, key)).join(", ");
      const expected2 = split2.counts ? `${lengths} ${key} on axis ${split2.axis}` : `features in the ratio of ${lengths} ${key} on axis ${split2.axis}`;
      return { found: shapeList(shapes), expected: expected2 };
    }
    choices = choices.flatMap(
      (cuts2) => found.flatMap((axis) => {
        if (axis === null) return [cuts2];
        return cuts2.some((each) => each.axis === axis) ? [] : [[...cuts2, { key, axis }]];
      })
    );
  }
  const whole = (cuts2) => wholeShape(cuts2, pieces);
  const cuts = (fits && choices.find((each) => fits(node, whole(each)))) ?? choices[0];
  return cuts ? { cuts } : { found: shapeList(shapes), expected: "an axis for each of its cuts" };
}
function candidates(name, node, key, { axis: usual, counts }, pieces, total2) {
  const shapes = pieces.map(({ tensor: tensor2 }) => tensor2.shape);
  const sizes = pieces.map(({ part }) => sizeOfSpan(part, key));
  const lengths = (axis) => shapes.map((shape2) => shape2[shape2.length + axis] ?? 0);
  const isCut = (axis) => lengths(axis).every(
    (length, n, all) => counts ? length === sizes[n] : length > 0 && length % sizes[n] === 0 && length * sizes[0] === all[0] * sizes[n]
  );
  const others = shapes[0].map((_, n) => n - shapes[0].length);
  const first = firstAxes(name, node, key, usual);
  const cut2 = [.../* @__PURE__ */ new Set([...first, ...others])].filter(isCut);
  if (counts && lengths(usual).every((length) => length === total2)) return [null, ...cut2];
  const areEqual = shapes.every((shape2) => formatShape(shape2) === formatShape(shapes[0]));
  return cut2.length > 0 && areEqual ? [...cut2, null] : cut2;
}
function firstAxes(name, node, key, usual) {
  if (key === "queries" && /^(?:S|Z|M|P|Pd)$/.test(node)) return [usual, -1];
  if (node.startsWith("W_") && /weight(?:[._]grad)?$/i.test(name)) return [-3 - usual, usual];
  return [usual];
}
function sizeOfSpan({ spans }, key) {
  const [from, to] = spans[key];
  return to - from;
}
function wholeShape(cuts, pieces) {
  const shape2 = [...pieces[0].tensor.shape];
  for (const { key, axis } of cuts) {
    const at = shape2.length + axis;
    const ends = new Map(pieces.map(({ part, tensor: tensor2 }) => [part.spans[key][0], tensor2.shape[at]]));
    shape2[at] = [...ends.values()].reduce((total2, length) => total2 + length, 0);
  }
  return shape2;
}
var shapeList = (shapes) => `shapes ${shapes.map(formatShape).join(", ")}`;

// src/formats/parts.ts
function joinParts(whole, parts, options) {
  checkRanks(whole, parts);
  const sorted2 = [...parts].sort((a, b) => a.rank - b.rank);
  const names = new Set(sorted2.flatMap(({ tensors: tensors2 }) => tensors2.map(({ name }) => name)));
  const tensors = [];
  const leftOut = [];
  for (const name of names) {
    const joined = new Join(whole, name, sorted2, options).join();
    if ("reason" in joined) leftOut.push(joined);
    else tensors.push(joined);
  }
  for (const { name, reason } of sorted2.flatMap((part) => part.leftOut)) {
    if (!names.has(name) && !leftOut.some((each) => each.name === name))
      leftOut.push({ name, reason });
  }
  return { tensors, leftOut };
}
function checkRanks(whole, parts) {
  const [{ world, file }] = parts;
  const stranger = parts.find((part) => part.world !== world);
  if (stranger) {
    const found = `a part of ${stranger.world} ranks, ${stranger.file}`;
    throw new FormatError(whole, "", found, `${world} ranks as in ${file}: is it of another run?`);
  }
  const missing = Array.from({ length: world }, (_, rank) => rank).filter(
    (rank) => !parts.some((part) => part.rank === rank)
  );
  if (missing.length > 0) {
    const of = missing.length === 1 ? "rank" : "ranks";
    const found = `no part of ${of} ${listed(missing)}`;
    throw new FormatError(whole, "", found, `the parts of all ${world} ranks`);
  }
}
var listed = (ranks) => [ranks.slice(0, -1).join(", "), ranks.at(-1)].filter((each) => each !== "").join(" and ");
var MASKS = ["mask", "keep"];
var Join = class {
  #whole;
  #name;
  #parts;
  #pieces;
  #options;
  #resolved;
  #summed = 0;
  #differs = "";
  constructor(whole, name, parts, options) {
    this.#whole = whole;
    this.#name = name;
    this.#parts = parts;
    this.#options = options;
    this.#pieces = parts.flatMap((part) => {
      const found = part.tensors.find((each) => each.name === name);
      return found ? [{ part, tensor: found.tensor }] : [];
    });
    this.#resolved = options.resolve(name, this.#pieces[0].tensor.shape.length);
  }
  join() {
    const name = this.#name;
    const [{ part }] = this.#pieces;
    const { tensor: _piece, ...first } = part.tensors.find((each) => each.name === name);
    const tensor2 = this.#along(this.#pieces, this.#cuts());
    if (this.#differs) return { name, reason: this.#differs };
    const note = this.#summed > 0 ? { note: `the sum over ${this.#summed} ranks` } : {};
    return { ...first, tensor: tensor2, ...note };
  }
  #fail(found, expected2) {
    throw new FormatError(this.#whole, this.#name, found, expected2);
  }
  #cuts() {
    const { fits } = this.#options;
    const isMask = MASKS.includes(this.#name);
    const node = this.#resolved?.node ?? (isMask ? "M" : void 0);
    if (node === void 0) return [];
    const chosen = chooseAxes(
      this.#name,
      node,
      this.#pieces,
      this.#parts,
      isMask ? void 0 : fits
    );
    if ("cuts" in chosen) return chosen.cuts;
    return isMask ? [] : this.#fail(chosen.found, chosen.expected);
  }
  /** Pieces of different spans lie side by side on the first cut's axis; those of one span go to the next cut. */
  #along(pieces, [cut2, ...cuts]) {
    if (!cut2) return this.#copies(pieces);
    const { key, axis } = cut2;
    const total2 = totalOf(this.#parts, key);
    const groups = /* @__PURE__ */ new Map();
    const byStart = [...pieces].sort((a, b) => a.part.spans[key][0] - b.part.spans[key][0]);
    for (const piece of byStart) {
      const span = piece.part.spans[key].join("-");
      groups.set(span, [...groups.get(span) ?? [], piece]);
    }
    let at = 0;
    let before2 = "";
    const joined = [];
    for (const group of groups.values()) {
      const { spans, file } = group[0].part;
      const [from, to] = spans[key];
      if (from > at) this.#gap(key, at, from);
      if (from < at)
        this.#fail(`${numbers(key, from, Math.min(to, at))} in ${before2} and in ${file}`, "once");
      joined.push(this.#along(group, cuts));
      [at, before2] = [to, file];
    }
    if (at < total2) this.#gap(key, at, total2);
    return this.#concatenated(joined, axis);
  }
  #gap(key, from, to) {
    const lacking = this.#parts.filter(
      (part) => !this.#pieces.some((piece) => piece.part === part)
    );
    const why = lacking.map(({ file }) => `; it is not in ${file}`).join("");
    return this.#fail(
      `no ${numbers(key, from, to)}${why}`,
      `all from 0 to ${totalOf(this.#parts, key) - 1}`
    );
  }
  #copies(pieces) {
    const [first, ...others] = pieces;
    for (const { part, tensor: tensor2 } of others) {
      if (sameShape(tensor2.shape, first.tensor.shape)) continue;
      const shape2 = (each) => `${formatShape(each.tensor.shape)} in ${each.part.file}`;
      this.#fail(`shape ${shape2(first)} and ${shape2({ part, tensor: tensor2 })}`, "one shape");
    }
    const other = others.find(({ tensor: tensor2 }) => !agree(first.tensor, tensor2));
    if (!other) return first.tensor;
    if (this.#addsUp(pieces)) {
      this.#summed = pieces.length;
      return pieces.map(({ tensor: tensor2 }) => tensor2).reduce(add);
    }
    const ranks = `rank ${other.part.rank} has other numbers than rank ${first.part.rank}`;
    this.#differs ||= `${ranks}; what each rank has whole must be equal`;
    return first.tensor;
  }
  /** What the ranks have a share of each: gradients, f, and y = C W_O where each rank has some heads. */
  #addsUp(pieces) {
    if (!this.#resolved) return false;
    const { node, kind } = this.#resolved;
    const spans = new Set(pieces.map(({ part }) => part.spans.heads?.join("-")));
    const isShared = Object.keys(pieces[0].part.spans).length > 0;
    return isShared && (kind === "gradient" || node === "f" || node === "y" && spans.size > 1);
  }
  #concatenated(tensors, axis) {
    const [{ shape: shape2 }] = tensors;
    const at = shape2.length + axis;
    const lengths = tensors.map((each) => each.shape[at]);
    const others = (each) => each.filter((_, n) => n !== at);
    const odd = tensors.find((each) => !sameShape(others(each.shape), others(shape2)));
    if (odd)
      this.#fail(
        `shapes ${formatShape(shape2)} and ${formatShape(odd.shape)}`,
        `equal ones but for axis ${axis}`
      );
    const whole = [...shape2];
    whole[at] = lengths.reduce((total2, length) => total2 + length, 0);
    const data = new Float64Array(checkedSize(this.#whole, this.#name, whole));
    const inner = sizeOf(shape2.slice(at + 1));
    const row = whole[at] * inner;
    let offset = 0;
    for (const each of tensors) {
      const own = each.shape[at] * inner;
      for (let from = 0, to = offset; from < each.data.length; from += own, to += row)
        data.set(each.data.subarray(from, from + own), to);
      offset += own;
    }
    return { shape: whole, data };
  }
};
function numbers(key, from, to) {
  return to - from === 1 ? `${key} ${from}` : `${key} ${from} to ${to - 1}`;
}
var TELLING_SIZE = 8;
var CLOSE = 2 ** -7;
function agree(a, b) {
  const allowed = a.data.length < TELLING_SIZE ? 0 : CLOSE * largestMagnitude(a);
  return a.data.every(
    (value, at) => Object.is(value, b.data[at]) || Math.abs(value - b.data[at]) <= allowed
  );
}

// src/formats/readTrace.ts
async function hasParts(folder, whole) {
  if (!whole.endsWith(".npz")) return false;
  return folder.read(partName(whole, 0)).then(
    () => true,
    () => false
  );
}
async function readPartsOf(folder, whole, options) {
  if (!whole.endsWith(".npz")) return null;
  const first = await partOfRank(folder, whole, 0, options);
  return first && joinAll(folder, whole, first, options);
}
var wantOf = ({ want = ALL }) => want;
async function joinAll(folder, whole, first, options) {
  const parts = [];
  for (let rank = 0; rank < first.world; rank++) {
    const part = rank === first.rank ? first : await partOfRank(folder, whole, rank, options);
    if (part) parts.push(part);
  }
  return joinParts(folder.label(whole), parts, options);
}
async function partOfRank(folder, whole, rank, options) {
  const name = partName(whole, rank);
  let from;
  try {
    from = await folder.read(name);
  } catch {
    return null;
  }
  const label = folder.label(name);
  const part = await readPart(await openTensorFile(label, from), label, wantOf(options));
  if (part && part.rank === rank) return part;
  const found = part ? `a part of rank ${part.rank}` : "no part of several ranks";
  throw new FormatError(label, "", found, `that of rank ${rank}`);
}

// src/formats/setupProblems.ts
var import_jsonc_parser = __toESM(require_main(), 1);
var ProblemList = class {
  #text;
  #root;
  #problems = [];
  constructor(text2, root2) {
    this.#text = text2;
    this.#root = root2;
  }
  /** In the order of the text. */
  get problems() {
    return [...this.#problems].sort((a, b) => a.offset - b.offset);
  }
  get hasErrors() {
    return this.#problems.some((problem) => problem.severity === "error");
  }
  /** Places the problem at `path`, or at its nearest parent in the document. */
  error(path, message) {
    this.#add(path, message, "error", nearestNode(this.#root, path));
  }
  warning(path, message) {
    this.#add(path, message, "warning", nearestNode(this.#root, path));
  }
  /** Places the problem at a node of its own: a key, the second of two equal entries. */
  errorAt(node, path, message) {
    this.#add(path, message, "error", node);
  }
  #add(path, message, severity, node) {
    const range = rangeOf(this.#text, node);
    this.#problems.push({ message: inEntry(path, message), path: [...path], severity, ...range });
  }
};
function inEntry(path, message) {
  return path.length === 0 ? message : `${formatPath(path)}: ${message}`;
}
function formatPath(path) {
  return path.map((step) => typeof step === "number" ? `[${step}]` : `.${oneLine(step)}`).join("").replace(/^\./, "");
}
function nearestNode(root2, path) {
  let node = root2;
  for (const step of path) {
    const index = node.type === "array" && /^\d+$/.test(String(step)) ? Number(step) : step;
    const child = (0, import_jsonc_parser.findNodeAtLocation)(node, [index]);
    if (!child) break;
    node = child;
  }
  return node;
}
function rangeOf(text2, node) {
  const isContainer = node.type === "object" || node.type === "array";
  if (isContainer && !node.parent) return { offset: node.offset, length: 1 };
  const key = isContainer && node.parent?.type === "property" ? node.parent.children?.[0] : void 0;
  const { offset, length } = key ?? node;
  const firstLine = /^[^\r\n]*/.exec(text2.slice(offset, offset + Math.min(length, 1e3)))?.[0] ?? "";
  return { offset, length: Math.max(1, firstLine.length) };
}

// src/formats/loadSetup.ts
async function loadSetup(setup, readFile2) {
  const loader = new Loader(readFile2, {
    resolve: (name, rank) => resolveName(name, setup.names, rank)
  });
  const { head, heads, kvHeads, scale: scale2, softcap, rope: rope2, window, axes } = setup;
  const config = {
    ...{ head, heads, kvHeads, axes, mask: "none", loss: { kind: "half-squared-norm" } },
    ...{ weights: await loader.all(setup.weights, ["weights"]) },
    ...await loader.all({ x: setup.x, xPrime: setup.xPrime }, []),
    ...scale2 !== void 0 && { scale: scale2 },
    ...softcap !== void 0 && { softcap },
    ...rope2 && { rope: rope2 },
    ...window !== void 0 && { window }
  };
  config.mask = await loadMask(loader, setup);
  if (setup.dropout) {
    const keep = await loader.tensor(setup.dropout.keep, ["dropout", "keep"]);
    if (keep) config.dropout = { p: setup.dropout.p, keep };
  }
  if (setup.alibi) {
    config.alibi = setup.alibi === true ? true : await loader.tensor(setup.alibi, ["alibi"]);
  }
  if (setup.past) {
    const { K, V } = await loader.all(setup.past, ["past"]);
    if (K && V) config.past = { K, V };
  }
  if (setup.start) config.start = await loader.all(setup.start, ["start"]);
  if (setup.loss) config.loss = await loadLoss(loader, setup.loss) ?? config.loss;
  const { problems } = loader;
  return {
    config: problems.some(({ severity }) => severity === "error") ? null : config,
    problems
  };
}
var Loader = class {
  problems = [];
  #readFile;
  #joining;
  #files = /* @__PURE__ */ new Map();
  /** Of files, together. */
  #entries = 0;
  constructor(readFile2, joining) {
    this.#readFile = readFile2;
    this.#joining = joining;
  }
  report(severity, path, message) {
    this.problems.push({ message: inEntry(path, message), path, severity });
  }
  /** The tensor and its number type, or undefined after reporting why there is none. */
  async load(source, path) {
    if (source.kind === "inline") return source;
    try {
      if (source.kind === "random") return { dtype: "float64", tensor: randomTensor(source.spec) };
      return await this.#fromFile(source, path);
    } catch (error) {
      this.report("error", path, oneLine(error instanceof Error ? error.message : String(error)));
      return void 0;
    }
  }
  async tensor(source, path) {
    return (await this.load(source, path))?.tensor;
  }
  /** Those of the sources that are given and readable. */
  async all(sources, path) {
    const tensors = {};
    for (const key of Object.keys(sources)) {
      const source = sources[key];
      const tensor2 = source && await this.tensor(source, [...path, key]);
      if (tensor2) tensors[key] = tensor2;
    }
    return tensors;
  }
  async #fromFile(source, path) {
    const { file, key } = source;
    const opening = this.#files.get(file) ?? this.#open(file);
    this.#files.set(file, opening);
    const opened = await opening;
    const { names } = opened;
    const isOne = names?.length === 1;
    const why = (name) => (key === void 0 ? names === null || isOne : name === key) ? "" : OTHER;
    const most = Math.min(MAX_NODE_ENTRIES, MAX_ENTRIES - this.#entries);
    return this.#pick(await opened.read({ most, why }), names, source, path);
  }
  async #open(file) {
    let from;
    try {
      from = await this.#readFile(file);
    } catch (error) {
      const folder = { read: this.#readFile, label: (name) => name };
      if (await hasParts(folder, file)) {
        const read = async (want) => await readPartsOf(folder, file, { ...this.#joining, want });
        return { names: null, read };
      }
      const reason = error instanceof Error ? error.message : String(error);
      throw new Error(`cannot read ${file}: ${reason}`, { cause: error });
    }
    return openTensorFile(file, from);
  }
  #pick({ tensors, leftOut }, inOrder, { file, key }, path) {
    const others = leftOut.map(({ name }) => name);
    const names = inOrder ?? [...tensors.map(({ name }) => name), ...others];
    const found = key === void 0 && names.length === 1 ? tensors[0] : tensors.find(({ name }) => name === key);
    if (found) {
      this.#entries += found.tensor.data.length;
      return found;
    }
    const without = leftOut.find(({ name, reason }) => reason !== OTHER && (key ?? name) === name);
    if (without) {
      this.report("error", [...path, "key"], `in ${file}, ${without.name}: ${without.reason}`);
      return void 0;
    }
    const hint = key === void 0 ? `expected ${anyOf(names)}` : suggest(key, names);
    if (names.length === 0) this.report("error", path, `found no tensors in ${file}`);
    else if (key === void 0) {
      this.report(
        "error",
        path,
        `found no key for ${file}, which has ${names.length} tensors; ${hint}`
      );
    } else
      this.report("error", [...path, "key"], `found no ${JSON.stringify(key)} in ${file}, ${hint}`);
    return void 0;
  }
};
var OTHER = "another was asked for";
async function loadMask(loader, { mask, maskMeaning }) {
  if (typeof mask === "string") return mask;
  const loaded = await loader.load(mask, ["mask"]);
  if (!loaded) return "none";
  const { tensor: tensor2, dtype } = loaded;
  const meaning = maskMeaning ?? (dtype === "bool" ? "attend" : "add");
  const isBinary = tensor2.data.every((value) => value === 0 || value === 1);
  const path = maskMeaning === void 0 ? ["mask"] : ["maskMeaning"];
  if (meaning === "add" && isBinary && tensor2.data.includes(1)) {
    const how = maskMeaning === void 0 ? "and no maskMeaning" : `of dtype ${dtype}`;
    loader.report(
      "warning",
      path,
      `found only 0 and 1 ${how}: they are ADDED to the logits and hide nothing`
    );
  } else if (meaning !== "add" && !isBinary) {
    loader.report(
      "warning",
      path,
      `found "${meaning}" with values other than 0 and 1: all but 0 count as true`
    );
  }
  return { tensor: tensor2, meaning };
}
async function loadLoss(loader, loss2) {
  if (loss2.kind === "upstream") {
    const G = await loader.tensor(loss2.upstream, ["loss", "upstream"]);
    return G && { kind: "upstream", G };
  }
  if (loss2.kind === "target") {
    const T = await loader.tensor(loss2.target, ["loss", "target"]);
    return T && { kind: "target", T };
  }
  const constants2 = [];
  for (const [name, source] of Object.entries(loss2.constants)) {
    const path = ["loss", "constants", name];
    const value = typeof source === "number" ? scalar(source) : await loader.tensor(source, path);
    if (value) constants2.push([name, value]);
  }
  return {
    kind: "expression",
    expression: loss2.expression,
    constants: Object.fromEntries(constants2)
  };
}

// src/formats/parseSetup.ts
var import_jsonc_parser4 = __toESM(require_main(), 1);

// src/formats/jsonText.ts
var import_jsonc_parser2 = __toESM(require_main(), 1);
var MOST_SYNTAX_ERRORS = 20;
function parseJson(text2) {
  if (text2.length > MAX_SETUP_LENGTH) {
    const message = `found ${text2.length} characters, expected at most ${MAX_SETUP_LENGTH}: put large tensors into files`;
    return { problems: [problemAt(MAX_SETUP_LENGTH, message)] };
  }
  const tooMuch = firstTooMuch(text2);
  if (tooMuch) return { problems: [problemAt(tooMuch.at, tooMuch.message)] };
  const errors = [];
  const root2 = (0, import_jsonc_parser2.parseTree)(text2.replace(/^\uFEFF/, " "), errors, { allowTrailingComma: true });
  if (!root2) {
    const message = 'found an empty document, expected an object such as {"head": "kq", "x": \u2026, "weights": \u2026}';
    return { problems: [problemAt(0, message)] };
  }
  if (errors.length === 0) return { root: root2 };
  const problems = errors.slice(0, MOST_SYNTAX_ERRORS).map((error) => syntaxProblem(text2, error));
  return {
    problems: problems.filter(({ path }, i2) => i2 === 0 || !samePath(path, problems[i2 - 1].path))
  };
}
function problemAt(offset, message) {
  return { message, path: [], severity: "error", offset, length: 1 };
}
var EXPECTED4 = {
  InvalidSymbol: 'a JSON value (write NaN and infinities as "nan", "inf", "-inf")',
  InvalidNumberFormat: "a number in the form of JSON",
  PropertyNameExpected: "a key in double quotes",
  ValueExpected: "a value",
  ColonExpected: "a colon",
  CommaExpected: "a comma",
  CloseBraceExpected: "a closing }",
  CloseBracketExpected: "a closing ]",
  EndOfFileExpected: "the end of the document",
  InvalidCommentToken: "a comment in the form // or /* */",
  UnexpectedEndOfComment: "a closing */",
  UnexpectedEndOfString: 'a closing "',
  UnexpectedEndOfNumber: "more digits",
  InvalidUnicode: "four hexadecimal digits after \\u",
  InvalidEscapeCharacter: 'one of " \\ / b f n r t u after a backslash',
  InvalidCharacter: "control characters in strings to be escaped"
};
function syntaxProblem(text2, { error, offset, length }) {
  const code = (0, import_jsonc_parser2.printParseErrorCode)(error);
  const found = /^[^\s,\]}]{1,40}|^[,\]}]/.exec(text2.slice(offset, offset + 40))?.[0];
  const message = `found ${found ?? "the end of the text"}, expected ${EXPECTED4[code] ?? code}`;
  const path = found === void 0 ? [] : (0, import_jsonc_parser2.getLocation)(text2, offset).path.filter((step) => step !== "");
  return {
    message: inEntry(path, message),
    path,
    severity: "error",
    offset,
    length: Math.max(1, length)
  };
}
function samePath(a, b) {
  return a.length === b.length && a.every((step, i2) => step === b[i2]);
}
function firstTooMuch(text2) {
  const open2 = [];
  let values = 0;
  for (let at = 0; at < text2.length; at++) {
    const character = text2[at];
    if (character === '"') at = endOfString(text2, at);
    else if (character === "/" && text2[at + 1] === "/") at = endOfLine(text2, at);
    else if (character === "/" && text2[at + 1] === "*") at = endOfComment(text2, at);
    else if (character === "[" || character === "{") {
      values++;
      if (open2.push(character === "[" ? "]" : "}") > MAX_DEPTH) {
        const found = `found brackets nested ${MAX_DEPTH + 1} deep`;
        return { at, message: `${found}, expected at most ${MAX_DEPTH}` };
      }
    } else if (character === ",") values++;
    else if (character === open2.at(-1)) open2.pop();
    if (values > MAX_SETUP_VALUES) {
      const expected2 = `at most ${MAX_SETUP_VALUES}: put large tensors into files`;
      return { at, message: `found more values than can be read, expected ${expected2}` };
    }
  }
  return void 0;
}
function endOfComment(text2, start2) {
  const end = text2.indexOf("*/", start2 + 2);
  return end < 0 ? text2.length : end + 1;
}
function endOfLine(text2, start2) {
  let at = start2;
  while (at < text2.length && text2[at] !== "\n" && text2[at] !== "\r") at++;
  return at;
}
function endOfString(text2, start2) {
  let at = start2 + 1;
  while (at < text2.length && !'"\n\r'.includes(text2[at])) at += text2[at] === "\\" ? 2 : 1;
  return at;
}

// src/formats/setupReader.ts
function describe(node) {
  switch (node.type) {
    case "string":
      return `the string ${oneLine(JSON.stringify(node.value))}`;
    case "number":
      return `the number ${node.value}`;
    case "array":
      return node.children?.length ? `an array of ${node.children.length}` : "an empty array";
    case "object":
      return "an object";
    default:
      return String(node.value);
  }
}
function text(problems) {
  return (node, path) => {
    if (node.type === "string" && node.value !== "") return node.value;
    problems.error(
      path,
      `found ${describe(node)}, expected ${node.value === "" ? "a text" : "a string"}`
    );
    return void 0;
  };
}
function number2(problems, expected2, test = () => true) {
  return (node, path) => {
    const value = node.value;
    if (typeof value === "number" && Number.isFinite(value) && test(value)) return value;
    problems.error(path, `found ${describe(node)}, expected ${expected2}`);
    return void 0;
  };
}
function boolean(problems) {
  return (node, path) => {
    if (node.type === "boolean") return node.value;
    problems.error(path, `found ${describe(node)}, expected true or false`);
    return void 0;
  };
}
function positiveInteger(problems) {
  return number2(
    problems,
    "an integer from 1",
    (value) => Number.isSafeInteger(value) && value >= 1
  );
}
function oneOf(problems, choices) {
  return (node, path) => {
    const found = choices.find((choice) => choice === node.value);
    if (found === void 0) {
      problems.error(path, `found ${describe(node)}, expected ${anyOf(choices)}`);
    }
    return found;
  };
}
function object(problems, fields) {
  return (node, path) => {
    const result = {};
    const known = Object.keys(fields);
    const complete = eachMember(problems, node, path, (key, value, keyNode) => {
      const at = [...path, key];
      if (!Object.hasOwn(fields, key)) {
        problems.errorAt(keyNode, at, `found an unknown key, ${suggest(key, known)}`);
        return;
      }
      const field = key;
      const read = fields[field](value, at);
      if (read !== void 0) result[field] = read;
    });
    return complete ? result : void 0;
  };
}
function record(problems, read, checkKey = () => void 0) {
  return (node, path) => {
    const entries = [];
    const complete = eachMember(problems, node, path, (key, value, keyNode) => {
      const wrong = checkKey(key);
      if (wrong !== void 0) problems.errorAt(keyNode, [...path, key], wrong);
      const result = read(value, [...path, key]);
      if (result !== void 0) entries.push([key, result]);
    });
    return complete ? Object.fromEntries(entries) : void 0;
  };
}
function eachMember(problems, node, path, visit) {
  if (node.type !== "object") {
    problems.error(path, `found ${describe(node)}, expected an object`);
    return false;
  }
  const seen = /* @__PURE__ */ new Set();
  for (const { children = [] } of node.children ?? []) {
    const [keyNode, value] = children;
    const key = keyNode.value;
    if (seen.has(key))
      problems.errorAt(keyNode, [...path, key], "found this key twice, expected it once");
    else visit(key, value, keyNode);
    seen.add(key);
  }
  return true;
}

// src/formats/inlineTensor.ts
var MOST_PROBLEMS = 5;
function inlineTensor(problems, root2, at) {
  const shape2 = [];
  let first = root2;
  while (first.type === "array" && first.children?.length) {
    shape2.push(first.children.length);
    first = first.children[0];
  }
  const isBoolean = first.type === "boolean";
  const data = [];
  const path = [...at];
  let wrong = 0;
  const report = (node, expected2) => {
    wrong++;
    if (wrong <= MOST_PROBLEMS)
      problems.error(path, `found ${describe(node)}, expected ${expected2}`);
  };
  const walk = (node, axis) => {
    if (wrong > MOST_PROBLEMS) return;
    if (node.type !== "array") {
      const value = entryOf(node, isBoolean);
      if (value === void 0) report(node, expectedEntry(node, isBoolean));
      else if (axis < shape2.length)
        report(node, `an array of ${shape2[axis]} as at ${firstSibling(path, at)}`);
      else data.push(value);
      return;
    }
    const children = node.children ?? [];
    if (children.length === 0) report(node, "at least one entry");
    else if (axis === shape2.length) report(node, `a number as at ${firstSibling(path, at)}`);
    else if (children.length !== shape2[axis])
      report(node, `an array of ${shape2[axis]} as at ${firstSibling(path, at)}`);
    else {
      for (const [i2, child] of children.entries()) {
        path.push(i2);
        walk(child, axis + 1);
        path.pop();
      }
    }
  };
  walk(root2, 0);
  if (wrong > MOST_PROBLEMS)
    problems.error(at, "found more entries that do not fit; they are not listed");
  if (wrong > 0) return void 0;
  return {
    kind: "inline",
    tensor: { shape: shape2, data: Float64Array.from(data) },
    dtype: isBoolean ? "bool" : "float64"
  };
}
function firstSibling(path, root2) {
  return formatPath([...root2, ...path.slice(root2.length).map(() => 0)]);
}
function entryOf({ type, value }, isBoolean) {
  if (isBoolean) return type === "boolean" ? Number(value) : void 0;
  if (type === "number") return value;
  return type === "string" ? specialNumber(value) : void 0;
}
function expectedEntry({ type, value }, isBoolean) {
  if (isBoolean) return "true or false like the first entry";
  if (type === "boolean") return "a number like the first entry";
  if (type === "null")
    return '"nan", "inf" or a number (JavaScript writes NaN and Infinity as null)';
  const hint = type === "string" ? suggest(value, SPECIAL_NUMBERS) : "";
  return hint.startsWith("did") ? `a number; ${hint}` : 'a number, "nan", "inf" or "-inf"';
}

// src/formats/parseTensor.ts
var EXPECTED5 = 'nested arrays of numbers, {"file": \u2026, "key": \u2026} or {"random": \u2026, "shape": \u2026}';
function tensorSource(problems) {
  let entries = 0;
  const fits = (path, more) => {
    const before2 = entries;
    entries += more;
    if (entries <= MAX_ENTRIES) return true;
    if (before2 > MAX_ENTRIES) return false;
    problems.error(
      path,
      `found ${entries} entries up to here, expected at most ${MAX_ENTRIES} in one setup`
    );
    return false;
  };
  const file = fileSource(problems);
  const random = randomSource(problems);
  return (node, path, otherwise) => {
    if (node.type === "array") {
      const source = inlineTensor(problems, node, path);
      return source && fits(path, sizeOf(source.tensor.shape)) ? source : void 0;
    }
    const keys = node.type === "object" ? (node.children ?? []).map((child) => child.children?.[0].value) : [];
    if (keys.includes("random")) {
      const source = random(node, path);
      return source && fits([...path, "shape"], sizeOf(source.spec.shape)) ? source : void 0;
    }
    if (keys.includes("file")) return file(node, path);
    problems.error(
      path,
      `found ${describe(node)}, expected ${otherwise === void 0 ? "" : `${otherwise}, `}${EXPECTED5}`
    );
    return void 0;
  };
}
function fileSource(problems) {
  const read = object(problems, {
    file: text(problems),
    key: text(problems)
  });
  return (node, path) => {
    const { file, ...key } = read(node, path) ?? {};
    return file === void 0 ? void 0 : { kind: "file", file, ...key };
  };
}
function randomSource(problems) {
  const finite = number2(problems, "a number");
  const read = object(problems, {
    random: oneOf(problems, ["normal", "uniform"]),
    shape: shape(problems),
    seed: number2(
      problems,
      "an integer from 0 to 2^32 - 1",
      (value) => Number.isInteger(value) && value >= 0 && value < 2 ** 32
    ),
    mean: finite,
    std: number2(problems, "a number from 0", (value) => value >= 0),
    low: finite,
    high: finite
  });
  return (node, path) => {
    const fields = read(node, path);
    if (!fields) return void 0;
    const { random: distribution, ...rest } = fields;
    if (!node.children?.some((child) => child.children?.[0].value === "shape")) {
      problems.error(
        path,
        'found no "shape", expected one, as in {"random": "normal", "shape": [5, 8]}'
      );
    }
    for (const name of distribution === "normal" ? ["low", "high"] : ["mean", "std"]) {
      if (distribution === void 0 || rest[name] === void 0) continue;
      const expected2 = distribution === "normal" ? '"mean" and "std"' : '"low" and "high"';
      problems.error([...path, name], `found with "${distribution}", which takes ${expected2}`);
    }
    const spec = { ...RANDOM_DEFAULTS, ...rest };
    if (spec.low > spec.high) problems.error(path, `found low ${spec.low} above high ${spec.high}`);
    if (distribution === void 0 || rest.shape === void 0) return void 0;
    return { kind: "random", spec: { ...spec, distribution, shape: rest.shape } };
  };
}
function shape(problems) {
  return (node, path) => {
    const lengths = node.children?.map((child) => child.value) ?? [];
    const isLength = (value) => Number.isSafeInteger(value) && Number(value) >= 1;
    if (node.type !== "array" || lengths.length === 0 || lengths.length > MAX_AXES || !lengths.every(isLength)) {
      const found = node.type === "array" ? `[${lengths.slice(0, MAX_AXES).join(", ")}]` : describe(node);
      problems.error(path, `found ${found}, expected an array of 1 to ${MAX_AXES} integers from 1`);
      return void 0;
    }
    const result = lengths.map(Number);
    if (sizeOf(result) <= MAX_ENTRIES) return result;
    problems.error(path, `found [${result.join(", ")}], expected at most ${MAX_ENTRIES} entries`);
    return void 0;
  };
}

// src/formats/setupRules.ts
var import_jsonc_parser3 = __toESM(require_main(), 1);
function checkRules(problems, root2, fields) {
  const given2 = (...path) => (0, import_jsonc_parser3.findNodeAtLocation)(root2, path) !== void 0;
  checkHead(problems, given2, fields);
  checkInputs(problems, given2, fields);
  if (fields.loss) checkLoss(problems, given2, fields.loss);
  checkPairs(problems, given2, fields);
}
function checkHead(problems, given2, { head, heads = 1, kvHeads = heads }) {
  if (!given2("head")) problems.error([], 'found no "head", expected "kq", "qkv" or "multihead"');
  if (head !== void 0 && head !== "multihead") {
    for (const [key, count] of Object.entries({ heads, kvHeads })) {
      if (given2(key) && count !== 1)
        problems.error([key], `found ${count} with head "${head}", expected 1 or head "multihead"`);
    }
  } else if (heads % kvHeads !== 0) {
    problems.error(["kvHeads"], `found ${kvHeads}, expected a divisor of heads, which is ${heads}`);
  }
  if (given2("weights", "b_O") && !given2("weights", "W_O")) {
    problems.error(["weights", "b_O"], "found without W_O, to whose output it is added");
  }
  for (const { heads: of, path, why } of UNUSED) {
    if (head !== void 0 && of.includes(head) && given2(...path)) {
      problems.error(path, `found with head "${head}", which ${why}`);
    }
  }
}
var NO_VALUES = { heads: ["kq"], why: "has no value projection: V is x" };
var ONE_HEAD = { heads: ["kq", "qkv"], why: 'has no such step; "multihead" has' };
var UNUSED = [
  { ...NO_VALUES, path: ["weights", "W_V"] },
  { ...NO_VALUES, path: ["weights", "b_V"] },
  { ...NO_VALUES, path: ["start", "V"] },
  { ...ONE_HEAD, path: ["weights", "W_O"] },
  { ...ONE_HEAD, path: ["rope"] },
  { ...ONE_HEAD, path: ["past"] }
];
function checkInputs(problems, given2, { head }) {
  if (head === void 0) return;
  const letters = head === "kq" ? ["K", "Q"] : ["K", "Q", "V"];
  for (const letter of letters) {
    const weights = [`W_${letter}`, `b_${letter}`];
    if (given2("start", letter)) {
      for (const id of weights.filter((each) => given2("weights", each))) {
        problems.error(["weights", id], `found beside start.${letter}, expected one of the two`);
      }
    } else if (!given2("weights", weights[0])) {
      problems.error(
        ["weights"],
        `found no ${weights[0]}, expected it (or start.${letter}) with head "${head}"`
      );
    }
  }
  const started = (letter) => given2("start", letter);
  const usesX = head === "kq" || !started("K") || !started("V") || !started("Q") && !given2("xPrime");
  if (usesX && !given2("x"))
    problems.error([], 'found no "x", expected the tensor of the inputs x_i, (n, d)');
  if (!usesX && given2("x")) problems.warning(["x"], "is not used: all it feeds is given by start");
  if (given2("xPrime") && started("Q"))
    problems.warning(["xPrime"], "is not used: start.Q is given");
}
function checkLoss(problems, given2, { expression }) {
  const kinds = ["upstream", "target", "expression"].filter((kind) => given2("loss", kind));
  if (kinds.length !== 1) {
    const found = kinds.length === 0 ? "none" : kinds.join(" and ");
    problems.error(
      ["loss"],
      `found ${found}, expected one of "upstream", "target" and "expression"`
    );
  }
  if (given2("loss", "constants") && !given2("loss", "expression")) {
    problems.error(["loss", "constants"], "found without an expression that uses them");
  }
  if (expression !== void 0 && !/\by\b/.test(expression)) {
    problems.warning(["loss", "expression"], "does not use y, so every gradient is 0");
  }
}
function checkPairs(problems, given2, { mask }) {
  const pairs = [
    ["dropout", ["p", "keep"]],
    ["past", ["K", "V"]]
  ];
  for (const [key, parts] of pairs) {
    if (!given2(key) || !parts.some((part) => given2(key, part))) {
      if (given2(key)) problems.error([key], `found neither, expected both ${parts.join(" and ")}`);
      continue;
    }
    for (const part of parts)
      if (!given2(key, part)) problems.error([key], `found no ${part}, expected it`);
  }
  if (given2("rope") && !given2("rope", "pairing")) {
    problems.warning(["rope"], 'found no "pairing", took "half"; the other one is "interleaved"');
  }
  if (given2("maskMeaning") && (!given2("mask") || typeof mask === "string")) {
    problems.warning(["maskMeaning"], "is not used: it tells how to read a mask that is a tensor");
  }
}

// src/formats/parseSetup.ts
var HEADS = ["kq", "qkv", "multihead"];
var WEIGHTS = ["W_K", "W_Q", "W_V", "W_O", "b_K", "b_Q", "b_V", "b_O"];
var MASKS2 = ["none", "causal", "causal-bottom-right"];
var MEANINGS = ["attend", "ignore", "add"];
var TIMEOUT = 10;
var AXES = ["query-first", "key-first"];
function parseSetup(text2) {
  const parsed2 = parseJson(text2);
  if ("problems" in parsed2) return { setup: null, problems: parsed2.problems };
  const list = new ProblemList(text2, parsed2.root);
  const fields = readFields(list, parsed2.root);
  if (fields) checkRules(list, parsed2.root, fields);
  const setup = fields && !list.hasErrors ? withDefaults(fields) : null;
  return { setup, problems: list.problems };
}
function locate(text2, path) {
  const parsed2 = parseJson(text2);
  return "root" in parsed2 ? rangeOf(text2, nearestNode(parsed2.root, path)) : { offset: 0, length: 1 };
}
function readFields(list, root2) {
  const tensor2 = tensorSource(list);
  const finite = number2(list, "a number");
  const text2 = text(list);
  const positive = number2(list, "a number above 0", (value) => value > 0);
  const count = positiveInteger(list);
  const weight = Object.fromEntries(WEIGHTS.map((id) => [id, tensor2]));
  return object(list, {
    $schema: text2,
    title: text2,
    description: text2,
    energy: boolean(list),
    head: oneOf(list, HEADS),
    x: tensor2,
    xPrime: tensor2,
    weights: object(list, weight),
    heads: count,
    kvHeads: count,
    scale: (node, path) => node.type === "string" ? oneOf(list, ["1/sqrt(d)"])(node, path) : finite(node, path),
    softcap: positive,
    mask: (node, path) => node.type === "string" ? oneOf(list, MASKS2)(node, path) : tensor2(node, path, "the name of a mask"),
    maskMeaning: oneOf(list, MEANINGS),
    dropout: object(list, {
      p: number2(list, "a number from 0 to below 1", (value) => value >= 0 && value < 1),
      keep: tensor2
    }),
    rope: rope(list),
    window: count,
    alibi: (node, path) => node.value === true ? true : tensor2(node, path, "true"),
    past: object(list, { K: tensor2, V: tensor2 }),
    start: object(list, {
      Q: tensor2,
      K: tensor2,
      V: tensor2
    }),
    loss: object(list, {
      upstream: tensor2,
      target: tensor2,
      expression: text2,
      constants: record(
        list,
        (node, path) => node.type === "number" ? finite(node, path) : tensor2(node, path, "a number"),
        wrongConstant
      )
    }),
    names: record(list, nodeName(list)),
    axes: oneOf(list, AXES),
    implementation: implementation(list)
  })(root2, []);
}
var MODULE = /\.[cm]?[jt]s$/i;
function implementation(list) {
  const text2 = text(list);
  const module = (node, path) => {
    const file = text2(node, path);
    if (file === void 0 || MODULE.test(file)) return file;
    const python = /\.(?:py|ipynb)$/i.test(file) ? "; attention_trace.py records what a Python program computes" : "";
    const expected2 = `a JavaScript or TypeScript module (.js, .mjs, .cjs, .ts, .mts or .cts)${python}`;
    list.error(path, `found ${describe(node)}, expected ${expected2}`);
    return void 0;
  };
  const fields = object(list, {
    module,
    timeout: number2(
      list,
      "a number of seconds above 0, at most 3600",
      (value) => value > 0 && value <= 3600
    )
  });
  return (node, path) => {
    if (node.type === "object") {
      if (!(0, import_jsonc_parser4.findNodeAtLocation)(node, ["module"]))
        list.error(path, 'found no "module", expected the file that exports forward and backward');
      return fields(node, path);
    }
    if (node.type === "string") {
      const file = module(node, path);
      return file === void 0 ? void 0 : { module: file };
    }
    const expected2 = 'a module such as "./mine.mjs" or {"module": "./mine.mjs", "timeout": 10}';
    list.error(path, `found ${describe(node)}, expected ${expected2}`);
    return void 0;
  };
}
function rope(list) {
  const fields = object(list, {
    base: number2(list, "a number above 0", (value) => value > 0),
    pairing: oneOf(list, ["half", "interleaved"])
  });
  return (node, path) => {
    const result = fields(node, path);
    return result && { base: 1e4, pairing: "half", ...result };
  };
}
function nodeName(list) {
  const names = [...NODE_IDS, ...NODE_IDS.map((id) => `d${id}`)];
  return (node, path) => {
    if (names.includes(node.value)) return node.value;
    const hint = suggest(String(node.value), names);
    const expected2 = hint.startsWith("did") ? hint : 'expected a node ("P") or its gradient ("dP")';
    list.error(path, `found ${describe(node)}, ${expected2}`);
    return void 0;
  };
}
function wrongConstant(name) {
  if (name === "y") return 'found "y", expected another name: y is the output';
  return /^[A-Za-z_]\w*$/.test(name) ? void 0 : "found a name that is not letters, digits and _";
}
function withDefaults(fields) {
  const { head = "kq", heads = 1, loss: loss2, dropout: dropout2, past, implementation: own } = fields;
  const setup = {
    weights: {},
    kvHeads: heads,
    mask: "none",
    names: {},
    axes: head === "kq" ? "key-first" : "query-first",
    ...fields,
    head,
    heads,
    loss: loss2 && lossSource(loss2),
    // The rules have made sure that both parts of these are there.
    dropout: dropout2,
    past,
    implementation: own?.module ? { timeout: TIMEOUT, ...own, module: own.module } : void 0
  };
  delete setup.$schema;
  return setup;
}
function lossSource({ upstream, target, expression = "", constants: constants2 = {} }) {
  if (upstream) return { kind: "upstream", upstream };
  if (target) return { kind: "target", target };
  return { kind: "expression", expression, constants: constants2 };
}

// src/formats/openSetup.ts
async function openSetup(text2, readFile2) {
  const { setup, problems } = parseSetup(text2);
  if (!setup) return { setup, graph: null, config: null, problems };
  const loaded = await loadSetup(setup, readFile2);
  const place = (problem) => ({ ...problem, ...locate(text2, problem.path) });
  const all = [...problems, ...loaded.problems.map(place)];
  if (!loaded.config) return { setup, graph: null, config: null, problems: all };
  try {
    const { config } = loaded;
    return { setup, graph: buildGraph(config), config, problems: all };
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    const problem = place({ message: error.message, path: error.entry, severity: "error" });
    return { setup, graph: null, config: null, problems: [...all, problem] };
  }
}

// src/formats/text.ts
function decodeText(bytes) {
  const [first, second] = bytes;
  const isMarked = first === 255 && second === 254 || first === 254 && second === 255;
  if (isMarked || bytes.length > 1 && first === 0 !== (second === 0))
    throw new Error("found text in UTF-16, expected UTF-8");
  return new TextDecoder().decode(bytes);
}

// src/cli/output.ts
var LONGEST2 = 4e3;
var failure = null;
for (const stream of [process.stdout, process.stderr]) {
  stream.on("error", (error) => {
    if (error.code !== "EPIPE") failure ??= error;
  });
}
var line = (text2) => `${visible(text2.length > LONGEST2 ? `${text2.slice(0, LONGEST2)}\u2026` : text2)}
`;
var warn = (text2) => void process.stderr.write(line(text2));

// src/cli/support.ts
var InputError = class extends Error {
};
async function openSetupFile(file) {
  const text2 = await readText(file);
  const { setup, graph, config, problems } = await openSetup(
    text2,
    (path) => diskSource(resolve(dirname(file), path))
  );
  const errors = problems.filter(({ severity }) => severity === "error");
  if (!setup || !graph || !config) {
    const [first] = errors;
    const more = errors.length > 1 ? ` (and ${errors.length - 1} more)` : "";
    throw new InputError(`${file}:${lineOf(text2, first.offset)}: ${first.message}${more}`);
  }
  for (const { severity, message, offset } of problems) {
    if (severity === "warning") warn(`${file}:${lineOf(text2, offset)}: warning: ${message}`);
  }
  return { setup, graph, config };
}
async function readText(file) {
  try {
    const source = await diskSource(file);
    const { size } = source;
    if (size > MAX_SETUP_BYTES) throw new Error(`found ${size} bytes, at most ${MAX_SETUP_BYTES}`);
    return decodeText(await source.read(0, size));
  } catch (error) {
    const { code, message } = error;
    const found = code === "ENOENT" ? "no such file" : message.replace(/, expected .*/, "");
    throw new InputError(`${file}: ${found}, expected a setup`);
  }
}
var lineOf = (text2, offset) => text2.slice(0, offset).split("\n").length;

// ../../tmp/tryrepair.ts
import { join as join2 } from "node:path";
var root = process.argv[2];
var only = process.argv[3]?.split(",");
var half = process.argv[4];
var cases = JSON.parse(readFileSync2(join2(root, "cases.json"), "utf8"));
var fixed2 = 0;
var total = 0;
for (const c of cases) {
  if (!c.mistakes?.length || only?.[0] && !only.includes(c.name) || half && c.half !== half) continue;
  if (c.file.endsWith(".ipynb")) continue;
  total++;
  const folder = join2(root, c.name);
  const file = join2(folder, c.file);
  const opened = await openSetupFile(join2(folder, c.setup));
  const began = performance.now();
  const bench = await openBench({ python: "/usr/bin/python3", recorder: "/work/w-repair/python/attention_lines", file, args: c.args ?? [], cwd: folder, timeout: 20 });
  const recording = await bench.record({});
  if (!recording) {
    console.log(c.name, "NO RECORDING");
    await bench.close();
    continue;
  }
  const judgeOf = (r) => judge(r, opened.config, opened.graph);
  const t0 = performance.now();
  const judged = judgeOf(recording);
  const tj = performance.now() - t0;
  const w = judged.localised.wrong[0];
  const st = w && recording.statements[recording.events[w.event].statement];
  const fixes = [];
  const tried = await repair(recording, judged, { bench, judge: judgeOf, limits: { ...LIMITS, seconds: 30 }, now: () => performance.now() / 1e3, found: async (r) => {
    const f = Object.keys(r.sources)[0];
    fixes.push(fixOf(f, recording.files.find((x2) => x2.path === f).source, r.sources[f], r.slips, { tensors: rightTensors(r.standing), seeds: 1, sizes: 1 }));
    return fixes.length < 2;
  } });
  await bench.close();
  if (fixes.length) fixed2++;
  console.log(fixes.length ? "FIXED " : "none  ", c.name, judged.localised.verdict, st?.line, "true", c.mistakes.map((m) => m.line).join(","), `${((performance.now() - began) / 1e3).toFixed(1)}s judge ${tj.toFixed(0)}ms runs ${tried.runs} cand ${tried.candidates}`);
  for (const f of fixes) console.log("      ", JSON.stringify(f.before), "=>", JSON.stringify(f.after), f.slips.join("; "));
}
console.log(fixed2, "of", total);
