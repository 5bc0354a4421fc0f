// The JSON of bodies, in both dialects of RocketMQ.
//
// Old clients and servers print maps with integer keys unquoted (`{0:"10.0.0.1:10911"}`) and maps with object keys as
// they are (`{{"brokerName":"b","queueId":0,"topic":"t"}:{…}}`), which is no JSON. `parseBody` reads both; `rawJson`
// writes that dialect and `standardJson` the legal one, where keys are quoted.
//
// Invariants: depth and length are bounded; object keys are sorted and nulls left out in what is written, as clients
// that compare texts expect.

/** Thrown for a body that is neither; answered with SYSTEM_ERROR. */
export class BodyError extends Error {
  override readonly name = 'BodyError';
}

export type Json = string | number | boolean | null | undefined | readonly Json[] | JsonObject | JsonMap;
export interface JsonObject {
  readonly [name: string]: Json;
}
/** A map whose keys are printed as they are in the raw dialect. */
type JsonMap = ReadonlyMap<number | JsonObject, Json>;

const DEPTH_MAX = 32;

/** Parses a body; integer and object keys become strings (object keys: their source text). */
export function parseBody(buffer: Buffer, start: number, end: number): unknown {
  const text = buffer.toString('utf8', start, end);
  try {
    return JSON.parse(text);
  } catch {
    return new TolerantParser(text).whole();
  }
}

/** The body as an object; BodyError when it is something else. */
export function parseObject(buffer: Buffer, start: number, end: number): Record<string, unknown> {
  const value = parseBody(buffer, start, end);
  if (!isObject(value)) throw new BodyError('the body is not a JSON object');
  return value;
}

export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

export function text(value: unknown): string {
  return typeof value === 'string' ? value : '';
}

export function list(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

export function rawJson(value: Json): Buffer {
  return Buffer.from(print(value, false));
}

/** Standard JSON with everything outside of ASCII escaped, as name servers print it for newer clients. */
export function standardJson(value: Json): Buffer {
  const ascii = print(value, true).replace(
    /[\u007f-\uffff]/g,
    (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
  return Buffer.from(ascii);
}

function print(value: Json, quoted: boolean): string {
  if (value === null || value === undefined) return 'null';
  if (typeof value !== 'object') return JSON.stringify(value);
  if (Array.isArray(value)) return `[${value.map((item) => print(item as Json, quoted)).join(',')}]`;
  if (value instanceof Map) {
    const entries = [...(value as JsonMap)].map(([key, item]) => {
      const printed = print(key, quoted);
      return `${quoted && typeof key === 'number' ? `"${printed}"` : printed}:${print(item, quoted)}`;
    });
    return `{${entries.join(',')}}`;
  }
  const object = value as JsonObject;
  const names = Object.keys(object)
    .filter((name) => object[name] !== null && object[name] !== undefined)
    .sort();
  return `{${names.map((name) => `${JSON.stringify(name)}:${print(object[name], quoted)}`).join(',')}}`;
}

class TolerantParser {
  readonly #text: string;
  #at = 0;

  constructor(source: string) {
    this.#text = source;
  }

  whole(): unknown {
    const value = this.#value(0);
    this.#space();
    if (this.#at !== this.#text.length) throw this.#broken();
    return value;
  }

  #value(depth: number): unknown {
    if (depth > DEPTH_MAX) throw new BodyError(`JSON deeper than ${DEPTH_MAX}`);
    this.#space();
    const char = this.#text[this.#at];
    if (char === '{') return this.#object(depth);
    if (char === '[') return this.#array(depth);
    if (char === '"') return this.#string();
    const word = /[-+.\w]+/y;
    word.lastIndex = this.#at;
    const match = word.exec(this.#text);
    if (match === null) throw this.#broken();
    this.#at = word.lastIndex;
    return this.#parsed(match[0]);
  }

  #object(depth: number): Record<string, unknown> {
    const object: Record<string, unknown> = {};
    this.#at++;
    if (this.#accept('}')) return object;
    do {
      this.#space();
      const start = this.#at;
      const key = this.#value(depth + 1);
      const name = typeof key === 'string' ? key : this.#text.slice(start, this.#at);
      this.#expect(':');
      const value = this.#value(depth + 1);
      // Not `object[name] =`: a key named __proto__ must stay a key.
      Object.defineProperty(object, name, { value, enumerable: true, configurable: true, writable: true });
    } while (this.#accept(','));
    this.#expect('}');
    return object;
  }

  #array(depth: number): unknown[] {
    const array: unknown[] = [];
    this.#at++;
    if (this.#accept(']')) return array;
    do array.push(this.#value(depth + 1));
    while (this.#accept(','));
    this.#expect(']');
    return array;
  }

  #string(): unknown {
    const start = this.#at++;
    while (this.#at < this.#text.length && this.#text[this.#at] !== '"')
      this.#at += this.#text[this.#at] === '\\' ? 2 : 1;
    this.#at++;
    return this.#parsed(this.#text.slice(start, this.#at));
  }

  #parsed(source: string): unknown {
    try {
      return JSON.parse(source);
    } catch {
      throw this.#broken();
    }
  }

  #accept(char: string): boolean {
    this.#space();
    if (this.#text[this.#at] !== char) return false;
    this.#at++;
    return true;
  }

  #expect(char: string): void {
    if (!this.#accept(char)) throw this.#broken();
  }

  #space(): void {
    while (this.#at < this.#text.length && this.#text.charCodeAt(this.#at) <= 0x20) this.#at++;
  }

  #broken(): BodyError {
    return new BodyError(`the body is not JSON at character ${this.#at}`);
  }
}
